"""How did the day go? One day of a run, from its log: money, cost, refusals, guards, drift, flags, commands."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS, iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    EngineSwapped,
    EquityBaselineSet,
    Event,
    FlagCleared,
    FlagSet,
    FundingApplied,
    GuardCleared,
    InvariantBroken,
    LimitsChanged,
    ModeChanged,
    OperatorCommanded,
    PositionClosed,
    TransferObserved,
)
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import ZERO, Value
from gpt_trader.records.logs import StoredLog
from gpt_trader.records.metrics import OrderMetricsReporter

__all__ = ["DailyReport", "daily_report", "daily_text", "day_of"]

DAY_NS: Final = 86_400 * NS
DRIFT: Final = frozenset({"drift", "account_sweep_failure"})
"""Guards that compare the ledger with the venue."""
LINES_MAX: Final = 12


class DailyReport(Value, frozen=True, kw_only=True):
    """One UTC day of one run. Money in the account's currency."""

    run: str
    day: str
    events: int
    equity_begin: Decimal | None
    """At the first look of the day's guards; None where the bot did not look."""
    equity_end: Decimal | None
    """At the last."""
    transfers: Decimal
    closed: int
    """Positions."""
    closed_pnl: Decimal
    """Of these, before fees and funding."""
    funding: Decimal
    orders: int
    fills: int
    traded: Decimal
    fees: Decimal
    slippage: Decimal
    """What trades cost against the middle when they were decided; above zero cost us."""
    slippage_bps: Decimal | None
    refusals: Mapping[str, int]
    venue_rejects: Mapping[str, int]
    guards: Mapping[str, int]
    """Trips."""
    still_tripped: tuple[str, ...]
    """Of these, what was not cleared within the day."""
    drift: int
    """How often ledger and venue differed beyond the guard's threshold."""
    invariants: tuple[str, ...]
    """Promises that did not hold."""
    system_errors: int
    flags: tuple[str, ...]
    """Changes of flags, limits and engine."""
    commands: tuple[str, ...]
    mode: str
    """At the end of the day; empty where it never changed."""

    @property
    def pnl(self) -> Decimal | None:
        """Change of equity between the first and the last look, net of transfers."""
        if self.equity_begin is None or self.equity_end is None:
            return None
        return self.equity_end - self.equity_begin - self.transfers


def day_of(text: str | None, now_ns: int) -> int:
    """Begin of a day, nanoseconds: `2026-11-21`, or the day before now. Raises ConfigError."""
    if text is None:
        return (now_ns // DAY_NS - 1) * DAY_NS
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--day {text!r}: not a day such as 2026-11-21") from error
    return (day - dt.date(1970, 1, 1)).days * DAY_NS


def daily_report(log: StoredLog, begin_ns: int | None) -> DailyReport:
    """Of the day that begins then; None takes the newest day of the log. Raises StoreError, ConfigError for a log
    without events."""
    newest, name = log.head().sequence, log.place.parent.name
    if not newest:
        raise ConfigError(f"{name}: the log has no events")
    if begin_ns is None:
        begin_ns = _event_at(log, newest).event.at_ns // DAY_NS * DAY_NS
    day = _Day(begin_ns)
    for event in _events_between(log, newest, begin_ns, begin_ns + DAY_NS):
        day.take(event)
    return day.report(name)


def _events_between(log: StoredLog, newest: int, begin_ns: int, end_ns: int) -> Iterator[Event]:
    """Found by halving, so that a long log is not read for one day of it."""
    low, high = 0, newest
    while low < high:
        middle = (low + high) // 2
        if _event_at(log, middle + 1).event.at_ns < begin_ns:
            low = middle + 1
        else:
            high = middle
    for recorded in log.read(low):
        if recorded.event.at_ns >= end_ns:
            return
        yield recorded.event


def _event_at(log: StoredLog, sequence: int) -> Recorded:
    reading = log.read(sequence - 1)
    try:
        return next(reading)
    finally:
        reading.close()


class _Day:
    """Adds up."""

    def __init__(self, begin_ns: int) -> None:
        self._begin_ns = begin_ns
        self._orders = OrderMetricsReporter()
        self._count = 0
        self._equity: list[Decimal] = []
        self._transfers = self._closed_pnl = self._funding = ZERO
        self._closed = 0
        self._tripped: dict[str, str] = {}
        self._invariants: list[str] = []
        self._flags: list[str] = []
        self._commands: list[str] = []
        self._cleared: Counter[str] = Counter()
        self._mode = ""

    def take(self, event: Event) -> None:
        self._count += 1
        self._orders.on_event(event)
        match event:
            case EquityBaselineSet():
                self._equity.append(event.equity)
            case TransferObserved():
                self._transfers += event.amount
            case PositionClosed():
                self._closed += 1
                self._closed_pnl += event.realised_pnl
            case FundingApplied():
                self._funding += event.amount
            case GuardCleared():
                self._cleared[event.guard] += 1
            case InvariantBroken():
                self._invariants.append(f"{event.number} {event.name} {event.symbol}: {event.detail}")
            case ModeChanged():
                self._mode = event.mode.value
            case _:
                self._take_words(event)

    def _take_words(self, event: Event) -> None:
        moment = iso(event.at_ns)[11:16]
        match event:
            case FlagSet() | FlagCleared():
                self._flags.append(f"{moment} {event.flag} = {event.value} by {event.who}: {event.reason}")
            case EngineSwapped():
                self._flags.append(f"{moment} {event.was} -> {event.engine} by {event.who}")
            case LimitsChanged():
                self._flags.append(f"{moment} limits by {event.who}: {', '.join(event.values) or 'none'}")
            case OperatorCommanded():
                what = " ".join((event.command, *event.arguments.values()))
                self._commands.append(f"{moment} {event.who}: {what} ({event.reason})")
            case _:
                return

    def report(self, run: str) -> DailyReport:
        orders = self._orders
        trips = {guard: count for guard, count in orders.guard_trips.items() if count}
        return DailyReport(
            run=run,
            day=iso(self._begin_ns)[:10],
            events=self._count,
            equity_begin=self._equity[0] if self._equity else None,
            equity_end=self._equity[-1] if self._equity else None,
            transfers=self._transfers,
            closed=self._closed,
            closed_pnl=self._closed_pnl,
            funding=self._funding,
            orders=orders.orders,
            fills=orders.fills,
            traded=orders.traded,
            fees=orders.fees,
            slippage=orders.cost.amount,
            slippage_bps=orders.cost.bps,
            refusals=dict(orders.refusals),
            venue_rejects=dict(orders.venue_rejects),
            guards=trips,
            still_tripped=tuple(guard for guard, count in trips.items() if count > self._cleared[guard]),
            drift=sum(count for guard, count in trips.items() if guard in DRIFT),
            invariants=tuple(self._invariants),
            system_errors=orders.system_errors,
            flags=tuple(self._flags),
            commands=tuple(self._commands),
            mode=self._mode,
        )


# --- as text ----------------------------------------------------------------------------------------------------------
def daily_text(report: DailyReport) -> str:
    """For a message: a line each."""
    lines = [
        f"{report.run}, {report.day} (UTC)",
        f"PnL {_signed(report.pnl)}, equity {_money(report.equity_end)}; "
        f"{report.closed} positions closed {_signed(report.closed_pnl)}, funding {_signed(report.funding)}"
        + (f", transfers {_signed(report.transfers)}" if report.transfers else ""),
        f"Cost: fees {_money(report.fees)}, slippage {_money(report.slippage)}"
        + (f" ({report.slippage_bps:.2f} bps)" if report.slippage_bps is not None else "")
        + f"; {report.orders} orders, {report.fills} trades worth {_money(report.traded)}",
        f"Refusals: {_counts(report.refusals)}"
        + (f"; by the venue: {_counts(report.venue_rejects)}" if report.venue_rejects else ""),
        f"Guards: {_counts(report.guards)}"
        + (f"; still tripped: {', '.join(report.still_tripped)}" if report.still_tripped else ""),
        f"Drift: {report.drift} times; invariants broken: {len(report.invariants)}; errors: {report.system_errors}",
        f"Flags and limits: {len(report.flags) or 'no'} changes" + (f"; mode {report.mode}" if report.mode else ""),
    ]
    lines += [f"  {told}" for told in (*report.invariants, *report.flags, *report.commands)[:LINES_MAX]]
    more = len(report.invariants) + len(report.flags) + len(report.commands) - LINES_MAX
    if more > 0:
        lines.append(f"  and {more} more")
    return "\n".join(lines)


def _money(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}"


def _signed(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount:+,.2f}"


def _counts(counts: Mapping[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {count}" for name, count in ranked) or "none"
