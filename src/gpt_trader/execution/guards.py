"""Is it still safe to trade? Runs the guards on a cadence and after fills, and owns what follows: mode and pauses.

The guards themselves are the pure functions of `risk.guard_rules`. A trip stays until its own way back or an operator
ends it, and survives a restart through the events it was told by. A guard that errs trips to reduce-only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ConfigError, ExchangeError, MarketDataError
from gpt_trader.core.events import (
    EquityBaselineSet,
    Event,
    ExternalClaimed,
    GuardCleared,
    GuardTripped,
    ModeChanged,
    OrderFilled,
    SymbolPaused,
)
from gpt_trader.core.values import ZERO, Mode
from gpt_trader.risk.guard_rules import (
    GUARDS,
    Action,
    Baselines,
    EquityMark,
    Guard,
    GuardInput,
    Reading,
    WayBack,
)
from gpt_trader.risk.quiet_bands import QuietBands, quiet_bands

__all__ = ["GuardManager", "GuardsState"]

HOUR_NS: Final = 3600 * NS
DAY_NS: Final = 24 * HOUR_NS
BASELINE_HOURS: Final = 24
"""Age in UTC hours of the oldest equity mark: losses over rolling 24 h are measured in steps of an hour."""
GUARD_ERRORS: Final = (
    ArithmeticError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    RuntimeError,
)
"""What a fault in a guard or in its figures raises; a broken event store is not among them and goes up."""
FIGURES: Final = "figures"
ERROR_TEXT_MAX: Final = 200
NOTHING_YET: Final = EquityMark(at_ns=0, equity=ZERO)
"""Replaced by the first run, before any guard looks."""
GUARD_PREFIX: Final = "guard "
OPERATOR_KILL: Final = "operator_kill"
"""A trip that a person makes; only a person ends it."""
CONFIGURED: Final = "configuration"
RANK: Final = {mode: rank for rank, mode in enumerate(Mode)}
SHUTS: Final = frozenset({Action.REDUCE_ONLY, Action.REDUCE, Action.CANCEL_ENTRIES, Action.KILL})
SWEEP_FAILURES_MAX: Final = 3
"""Reading the venue's positions may fail so often in a row before it counts as a guard that errs."""
CANCELS: Final = frozenset({Action.CANCEL_ENTRIES, Action.KILL})

Key = tuple[str, str]
"""Guard and symbol; the symbol is empty for guards of the whole account."""


class Trip(msgspec.Struct):
    """A guard that said stop, and has not taken it back."""

    at_ns: int
    action: Action
    way_back: WayBack
    reason: str
    calm_since_ns: int | None = None


class GuardsState(msgspec.Struct, frozen=True, kw_only=True):
    """Trips, pauses, mode and baselines, as a snapshot keeps them. A cooldown begins anew, as it does in a replay."""

    trips: tuple[tuple[str, str, Trip], ...]
    held: tuple[tuple[str, str], ...]
    pauses: tuple[tuple[str, str], ...]
    marks: tuple[EquityMark, ...]
    operator_mode: Mode
    told_mode: Mode


class GuardManager:
    """One for the account, shared by both engines.

    `read` gives the figures of this moment. `cancel_entries` cancels what could increase a position and says whether
    that is proven; it is called again at each run until it is. `sweep` reads what only the venue knows, every
    `sweep_seconds`. `reduce` cuts every position by a share, for a reason.
    """

    def __init__(
        self,
        *,
        config: RiskConfig,
        clock: Clock,
        bus: EventBus,
        read: Callable[[], GuardInput],
        cancel_entries: Callable[[], Awaitable[bool]],
        sweep: Callable[[], Awaitable[None]] | None = None,
        sweep_seconds: float = 60.0,
        reduce: Callable[[Decimal, str], Awaitable[None]] | None = None,
        guards: Sequence[Guard] = GUARDS,
    ) -> None:
        self._config = config
        self._clock = clock
        self._bus = bus
        self._read = read
        self._cancel_entries = cancel_entries
        self._sweep = sweep
        self._sweep_ns = round(sweep_seconds * NS)
        self._swept_ns = -self._sweep_ns
        self._sweep_failures = 0
        self._reduce = reduce
        self._guards = guards
        self._trips: dict[Key, Trip] = {}
        self._held: dict[str, str] = {}  # pauses set by hand or by the bot, not by a guard
        self._pauses: dict[str, str] = {}  # what counts and was told, by symbol
        self._marks: deque[EquityMark] = deque()
        self._hour = -1
        self._baselines = Baselines(day=NOTHING_YET, rolling=NOTHING_YET)
        self._readings: tuple[Reading, ...] = ()
        self._figures: GuardInput | None = None
        self._operator_mode = Mode.NORMAL
        self._told_mode = Mode.NORMAL
        self._mode = self._wanted_mode()[0]
        self._cancel_due = False
        self._cancelling = False
        self._changed = True

    # --- what others ask ------------------------------------------------------------------------------------------
    @property
    def mode(self) -> Mode:
        """The strictest of what guards, operator and configuration want."""
        return self._mode

    def pause_reason(self, symbol: str) -> str:
        """Why entries of the symbol are paused; empty when they are not."""
        return self._pauses.get(symbol, "")

    @property
    def is_cancelling(self) -> bool:
        """Entries are to be cancelled and it is not proven yet; run again soon."""
        return self._cancel_due

    def readings(self) -> tuple[Reading, ...]:
        """What the guards measured at the last run."""
        return self._readings

    def pauses(self) -> Mapping[str, str]:
        """Symbols whose entries are paused, and why."""
        return self._pauses

    def tripped(self) -> tuple[tuple[str, str, str], ...]:
        """(guard, symbol, reason) of every trip that has not been taken back."""
        return tuple((guard, symbol, trip.reason) for (guard, symbol), trip in self._trips.items())

    def quiet_bands(self) -> QuietBands | None:
        """Marks between which a run would change nothing while positions, orders and cash stay the same; None when a
        run is needed."""
        if self._figures is None or self._trips or self._cancel_due or self._changed:
            return None
        return quiet_bands(self._figures, self._baselines, self._config)

    # --- the run --------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Measure, judge, tell, act. Raises StoreError only."""
        if self._sweep is not None and self._clock.now_ns() - self._swept_ns >= self._sweep_ns:
            await self._read_afresh(self._sweep)
        self._judge()
        await self.cancel_now()
        for reading in self._readings:
            if reading.action is not Action.REDUCE:
                continue
            cut = reading.numbers.get("cut")
            if isinstance(cut, Decimal) and self._reduce is not None:
                await self._reduce(cut, reading.guard)

    async def _read_afresh(self, sweep: Callable[[], Awaitable[None]]) -> None:
        """A venue that does not answer now and then is normal; one that stays silent is a guard that errs."""
        self._swept_ns = self._clock.now_ns()
        try:
            await sweep()
            self._sweep_failures = 0
        except ExchangeError as error:
            self._sweep_failures += 1
            if self._sweep_failures >= SWEEP_FAILURES_MAX:
                self._fail("account_sweep", error, self._clock.now_ns())

    def _judge(self) -> None:
        try:
            figures = self._read()
        except (*GUARD_ERRORS, ExchangeError, MarketDataError) as error:
            self._figures, self._readings = None, ()
            self._fail(FIGURES, error, self._clock.now_ns())
            self._settle(self._clock.now_ns())
            return
        self._figures, now_ns = figures, figures.now_ns
        if now_ns // HOUR_NS != self._hour:
            self._keep_baseline(figures)
        readings, sound = self._measure(figures)
        for reading in readings:
            if reading.tripped:
                self._trip(reading, now_ns)
        if self._trips and sound:
            self._take_ways_back(readings, now_ns)
        self._readings = readings
        if self._changed:
            self._settle(now_ns)

    def _measure(self, figures: GuardInput) -> tuple[tuple[Reading, ...], bool]:
        """All readings, and whether every guard could be read; one that errs does not stop the others."""
        readings: list[Reading] = []
        sound = True
        for guard in self._guards:
            try:
                readings.extend(guard.read(figures, self._baselines, self._config))
            except GUARD_ERRORS as error:
                sound = False
                self._fail(guard.name, error, figures.now_ns)
        return tuple(readings), sound

    def _trip(self, reading: Reading, now_ns: int) -> None:
        key = (reading.guard, reading.symbol)
        trip = self._trips.get(key)
        if trip is not None:
            trip.calm_since_ns = None
            return
        self._begin_trip(
            GuardTripped(
                at_ns=now_ns,
                guard=reading.guard,
                action=reading.action.value,
                symbol=reading.symbol,
                threshold=reading.threshold,
                unit=reading.unit,
                value=reading.value,
                way_back=reading.way_back.value,
                numbers=reading.numbers,
            )
        )

    def _fail(self, guard: str, error: Exception, now_ns: int) -> None:
        """What cannot be measured is not safe."""
        trip = self._trips.get((f"{guard}_failure", ""))
        if trip is not None:
            trip.calm_since_ns = None
            return
        self._begin_trip(
            GuardTripped(
                at_ns=now_ns,
                guard=f"{guard}_failure",
                action=Action.REDUCE_ONLY.value,
                threshold=ZERO,
                unit="errors",
                value=Decimal(1),
                way_back=WayBack.COOLDOWN.value,
                numbers={"error": f"{type(error).__name__}: {error}"[:ERROR_TEXT_MAX]},
            )
        )

    def _begin_trip(self, event: GuardTripped) -> None:
        self._bus.publish(event)
        self._remember(event)

    def _remember(self, event: GuardTripped) -> None:
        action = Action(event.action)
        reason = f"{event.guard} {event.value:.4f} {event.unit}, threshold {event.threshold:.4f}"
        if event.guard == OPERATOR_KILL:
            reason = f"killed by {event.numbers['who']}: {event.numbers['reason']}"
        self._trips[event.guard, event.symbol] = Trip(event.at_ns, action, WayBack(event.way_back), reason)
        self._cancel_due |= action in CANCELS
        self._changed = True

    def _take_ways_back(self, readings: Sequence[Reading], now_ns: int) -> None:
        """A guard that gives no reading (no position any more, switched off) counts as calm."""
        unrest = {(reading.guard, reading.symbol) for reading in readings if not reading.calm}
        for key, trip in list(self._trips.items()):
            if key in unrest:
                trip.calm_since_ns = None
            elif self._is_over(trip, now_ns):
                self._end_trip(key, trip.way_back.value, now_ns)

    def _is_over(self, trip: Trip, now_ns: int) -> bool:
        """Whether the way back of a trip that is calm now has come to its end."""
        match trip.way_back:
            case WayBack.WHEN_CALM:
                return True
            case WayBack.COOLDOWN:
                trip.calm_since_ns = now_ns if trip.calm_since_ns is None else trip.calm_since_ns
                return now_ns - trip.calm_since_ns >= self._config.circuit_breaker_cooldown_minutes * 60 * NS
            case WayBack.NEXT_UTC_DAY:
                return now_ns // DAY_NS > trip.at_ns // DAY_NS
            case WayBack.AFTER_24_H:
                return now_ns - trip.at_ns >= DAY_NS
            case WayBack.OPERATOR:
                return False

    def _end_trip(self, key: Key, reason: str, now_ns: int) -> None:
        guard, symbol = key
        self._bus.publish(GuardCleared(at_ns=now_ns, guard=guard, symbol=symbol, reason=reason))
        del self._trips[key]
        self._changed = True

    async def cancel_now(self) -> None:
        """What a trip or an operator wants cancelled, without the look at all figures before it."""
        if self._cancel_due and not self._cancelling:
            await self._cancel()

    async def _cancel(self) -> None:
        """Entries may no longer fill. Tried again at the next run until each is proven gone."""
        self._cancelling = True
        try:
            await self._bus.commit()
            self._cancel_due = not await self._cancel_entries()
        except ExchangeError as error:
            self._fail("cancel_entries", error, self._clock.now_ns())
            self._settle(self._clock.now_ns())
        finally:
            self._cancelling = False

    # --- baselines ------------------------------------------------------------------------------------------------
    def _keep_baseline(self, figures: GuardInput) -> None:
        """The first run of a UTC hour writes down what losses are measured from."""
        event = EquityBaselineSet(at_ns=figures.now_ns, equity=figures.equity, cash_flows=figures.cash_flows)
        self._bus.publish(event)
        self._remember_baseline(event)

    def _remember_baseline(self, event: EquityBaselineSet) -> None:
        self._marks.append(EquityMark(at_ns=event.at_ns, equity=event.equity, cash_flows=event.cash_flows))
        while event.at_ns // HOUR_NS - self._marks[0].at_ns // HOUR_NS > BASELINE_HOURS:
            self._marks.popleft()
        self._measure_from_marks()

    def _measure_from_marks(self) -> None:
        newest_ns = self._marks[-1].at_ns
        self._hour, today = newest_ns // HOUR_NS, newest_ns // DAY_NS
        first = next(each for each in self._marks if each.at_ns // DAY_NS == today)
        self._baselines = Baselines(day=first, rolling=self._marks[0])

    # --- what follows ---------------------------------------------------------------------------------------------
    def _settle(self, now_ns: int) -> None:
        """Tell what has become of mode and pauses, if anything has."""
        self._changed = False
        mode, who, reason = self._wanted_mode()
        self._mode = mode
        if mode is not self._told_mode:
            self._tell_mode(mode, who, reason, now_ns)
        pauses = self._wanted_pauses()
        for symbol in sorted(pauses.keys() | self._pauses.keys()):
            wanted = pauses.get(symbol, "")
            if wanted != self._pauses.get(symbol, ""):
                self._bus.publish(SymbolPaused(at_ns=now_ns, symbol=symbol, reason=wanted))
        self._pauses = pauses

    def _tell_mode(self, mode: Mode, who: str, reason: str, now_ns: int) -> None:
        self._bus.publish(ModeChanged(at_ns=now_ns, mode=mode, was=self._told_mode, reason=reason, who=who))
        self._told_mode = mode

    def _wanted_mode(self) -> tuple[Mode, str, str]:
        """The strictest mode that anybody wants, who wants it and why."""
        wanted = [(self._operator_mode, "operator", "as set before"), *self._configured_mode()]
        for (guard, _), trip in self._trips.items():
            if trip.action in SHUTS:
                wanted.append((Mode.REDUCE_ONLY, GUARD_PREFIX + guard, trip.reason))
        strictest = max(wanted, key=lambda each: RANK[each[0]])
        return (
            strictest if strictest[0] is not Mode.NORMAL else (Mode.NORMAL, GUARD_PREFIX + "all", "no guard is tripped")
        )

    def _configured_mode(self) -> list[tuple[Mode, str, str]]:
        config = self._config
        names = {"kill_switch_enabled": config.kill_switch_enabled, "reduce_only_mode": config.reduce_only_mode}
        return [(Mode.REDUCE_ONLY, CONFIGURED, f"{name} is set") for name, is_set in names.items() if is_set]

    def _wanted_pauses(self) -> dict[str, str]:
        """What was paused by hand comes first: it is what an operator would look for."""
        pauses = {
            symbol: GUARD_PREFIX + trip.reason
            for (_, symbol), trip in self._trips.items()
            if trip.action is Action.PAUSE_SYMBOL
        }
        return pauses | self._held

    # --- what people and the bot say ------------------------------------------------------------------------------
    def set_mode(self, mode: Mode, who: str, reason: str) -> None:
        """An operator's word, written down even if nothing changes by it. NORMAL ends every trip; a rule that still
        holds trips again at the next run. Raises ConfigError when the configuration itself keeps entries shut."""
        _check_who(who)
        now_ns = self._clock.now_ns()
        if mode is Mode.NORMAL:
            for _, _, why in self._configured_mode():
                raise ConfigError(f"mode NORMAL asked by {who}: {why} in the configuration. Fix: unset it and reload.")
            for key in list(self._trips):
                self._end_trip(key, f"{who}: {reason}", now_ns)
            self._cancel_due = False
        self._operator_mode = mode
        self._mode = self._wanted_mode()[0]
        self._tell_mode(self._mode, who, reason, now_ns)
        self._settle(now_ns)

    def kill(self, who: str, reason: str) -> None:
        """No entries, and those that live are cancelled by the next runs until none can fill; exits pass as clamped
        closes. Holds over restarts until `set_mode(NORMAL)`."""
        _check_who(who)
        now_ns = self._clock.now_ns()
        if (OPERATOR_KILL, "") not in self._trips:
            self._begin_trip(
                GuardTripped(
                    at_ns=now_ns,
                    guard=OPERATOR_KILL,
                    action=Action.KILL.value,
                    threshold=ZERO,
                    unit="commands",
                    value=Decimal(1),
                    way_back=WayBack.OPERATOR.value,
                    numbers={"who": who, "reason": reason},
                )
            )
        self._cancel_due = True
        self._settle(now_ns)

    def on_fill(self, event: OrderFilled) -> None:
        """A trade that was not ours: the venue's (liquidation) or a stranger's. Somebody has to look at it."""
        if event.cause != "OWN":
            self.pause(event.symbol, f"a {event.cause.lower()} fill")

    def pause(self, symbol: str, reason: str, who: str = "bot") -> None:
        """Let no entries of this symbol through until `resume`."""
        _check_who(who)
        self._held[symbol] = f"{who}: {reason}"
        self._settle(self._clock.now_ns())

    def resume(self, symbol: str) -> None:
        """Take back what `pause` did; a guard that pauses the symbol goes on doing so."""
        self._held.pop(symbol, None)
        self._settle(self._clock.now_ns())

    def clear(self, guard: str, symbol: str, who: str, reason: str) -> bool:
        """End one trip by an operator's word; False when there is none. It trips again if its rule still holds."""
        _check_who(who)
        if (guard, symbol) not in self._trips:
            return False
        now_ns = self._clock.now_ns()
        self._end_trip((guard, symbol), f"{who}: {reason}", now_ns)
        self._settle(now_ns)
        return True

    def reload(self, config: RiskConfig) -> None:
        """Measure by other limits from the next run on; kill switch and reduce-only mode act at once."""
        self._config = config
        self._settle(self._clock.now_ns())

    # --- restart --------------------------------------------------------------------------------------------------
    def restore(self, event: Event) -> None:
        """Take one stored event back in, oldest first, before the first run. Other events are ignored.

        A cooldown begins anew; all else is as it was. Entries are cancelled again if a trip asks for it.
        """
        match event:
            case EquityBaselineSet():
                self._remember_baseline(event)
            case GuardTripped():
                self._remember(event)
            case GuardCleared():
                self._trips.pop((event.guard, event.symbol), None)
            case ModeChanged():
                self._told_mode = event.mode
                if not event.who.startswith(GUARD_PREFIX) and event.who != CONFIGURED:
                    self._operator_mode = event.mode
            case SymbolPaused():
                self._restore_pause(event)
            case ExternalClaimed():
                self._held.pop(event.symbol, None)
            case _:
                return
        self._mode = self._wanted_mode()[0]
        self._cancel_due = any(trip.action in CANCELS for trip in self._trips.values())
        self._changed = True

    def state(self) -> GuardsState:
        """For a snapshot, of what a replay made."""
        return GuardsState(
            trips=tuple((guard, symbol, trip) for (guard, symbol), trip in self._trips.items()),
            held=tuple(self._held.items()),
            pauses=tuple(self._pauses.items()),
            marks=tuple(self._marks),
            operator_mode=self._operator_mode,
            told_mode=self._told_mode,
        )

    def load(self, state: GuardsState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._trips = {(guard, symbol): trip for guard, symbol, trip in state.trips}
        self._held, self._pauses = dict(state.held), dict(state.pauses)
        self._marks = deque(state.marks)
        if self._marks:
            self._measure_from_marks()
        self._operator_mode, self._told_mode = state.operator_mode, state.told_mode
        self._mode = self._wanted_mode()[0]
        self._cancel_due = any(trip.action in CANCELS for trip in self._trips.values())
        self._changed = True

    def _restore_pause(self, event: SymbolPaused) -> None:
        if event.reason:
            self._pauses[event.symbol] = event.reason
        else:
            self._pauses.pop(event.symbol, None)
        if event.reason and not event.reason.startswith(GUARD_PREFIX):
            self._held[event.symbol] = event.reason
        else:
            self._held.pop(event.symbol, None)


def _check_who(who: str) -> None:
    """Guards and configuration speak for themselves; a restart tells them apart by name."""
    if not who or who.startswith(GUARD_PREFIX) or who == CONFIGURED:
        raise ValueError(f"who = {who!r}: name the person or part that says so")
