"""What is the bot doing right now? A live panel in the terminal; it reads, and never holds the bot up.

Its height is fixed by the terminal's, so that nothing jumps: what is left below account and guards shows decisions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gpt_trader.bot.builder import BuiltBot
from gpt_trader.core.clock import NS, SystemClock, iso
from gpt_trader.core.events import (
    EngineSwapFailed,
    EngineSwapped,
    Event,
    FlagSet,
    GuardCleared,
    GuardTripped,
    LimitsChanged,
    ModeChanged,
    OperatorCommanded,
    OperatorCommandFailed,
    OrderApproved,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderRefused,
    OrderRejected,
    OrderSightedLate,
    SlippageExceeded,
    StopEscalated,
    StopTriggered,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event, not the builtin
    TradingSignalGenerated,
)
from gpt_trader.core.values import Mode, Purpose
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.report.numbers import measured, money, moved, price, share
from gpt_trader.report.summary import meaning_of
from gpt_trader.risk.guard_rules import Action, Reading

__all__ = ["LivePanel", "decision_line"]

REFRESH_SECONDS: Final = 0.1
HEIGHT_MAX: Final = 36
DECISIONS_KEPT: Final = HEIGHT_MAX
SYMBOLS_SHOWN_MAX: Final = 4
ORDERS_SHOWN_MAX: Final = 3
GUARDS_SHOWN_MAX: Final = 9
FRAME_COLUMNS: Final = 4
"""Border and padding, left and right."""
FRAME_ROWS: Final = 2
TICK_OF_UNLISTED: Final = Decimal("0.01")
"""Places of prices of a position whose product the venue lists no more."""
DAY_NS: Final = 86_400 * NS


class LivePanel:
    """Shown while a run goes on. `tick` is called often and draws ten times a second at most."""

    def __init__(
        self, built: BuiltBot, *, market: str, store: str, start_ns: int, end_ns: int | None, console: Console
    ) -> None:
        """`store` is the name by which a person finds the run again."""
        self._built = built
        self._console = console
        self._subtitle = Text(f" {market} · run {store} ", "dim", no_wrap=True, overflow="ellipsis")
        self._start_ns = start_ns
        self._dated = end_ns is None or end_ns - start_ns > DAY_NS
        self._clock = SystemClock()
        self._drawn_ns = 0
        self._decisions: deque[Text] = deque(maxlen=DECISIONS_KEPT)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:.1f}%"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            expand=True,
        )
        total = (end_ns - start_ns) / NS if end_ns is not None else None
        self._task = self._progress.add_task("", total=total)
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")
        built.bot.bus.watch("live panel", self._on_event)

    def __enter__(self) -> LivePanel:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tick(self) -> None:
        """Draw, if it is time to."""
        now_ns = self._clock.now_ns()
        if now_ns - self._drawn_ns >= REFRESH_SECONDS * NS:
            self._drawn_ns = now_ns
            self._live.update(self.draw(), refresh=True)

    def draw(self) -> RenderableType:
        """The panel as of now, as high as the terminal lets it be."""
        height = max(FRAME_ROWS + 1, min(HEIGHT_MAX, self._console.size.height - 1))
        inner = self._console.options.update(width=max(1, self._console.size.width - FRAME_COLUMNS))
        top = Group(self._heading(), self._columns(), *self._symbols(), *self._orders())
        used = len(self._console.render_lines(top, inner, pad=False))
        return Panel(
            Group(top, *self._latest(height - FRAME_ROWS - used)),
            title=Text(f" {self._built.bot.engine.name} ", "bold cyan"),
            subtitle=self._subtitle,
            height=height,
        )

    # --- the parts ------------------------------------------------------------------------------------------------
    def _heading(self) -> RenderableType:
        now_ns = self._built.bot.clock.now_ns()
        self._progress.update(self._task, completed=(now_ns - self._start_ns) / NS, description=f"{iso(now_ns)[:19]}Z")
        return Group(Text(f"by {self._built.selection.reason}", "dim"), self._progress, Text())

    def _columns(self) -> RenderableType:
        table = Table.grid(expand=True, padding=(0, 2))
        table.add_column()
        table.add_column(ratio=1)
        table.add_row(self._account(), self._guards())
        return table

    def _account(self) -> RenderableType:
        bot, metrics, ledger = self._built.bot, self._built.metrics, self._built.bot.ledger
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(justify="right", no_wrap=True, min_width=11)
        marks = bot.marks()
        if ledger.positions().keys() <= marks.keys():
            table.add_row("Equity", money(ledger.equity(marks)))
            table.add_row("  price PnL", moved(ledger.price_pnl(marks)))
        else:
            table.add_row("Equity", "no mark yet")
        table.add_row("  fees", moved(-ledger.fees))
        table.add_row("  funding", moved(ledger.funding))
        table.add_row("Drawdown", share(bot.equity.drawdown, 3))
        table.add_row("Orders", f"{metrics.orders:,}")
        table.add_row("Fills", f"{metrics.fills:,}")
        table.add_row("Refused", f"{sum(metrics.refusals.values()):,}")
        table.add_row("Mode", Text(bot.guards.mode.value, "" if bot.guards.mode is Mode.NORMAL else "bold red"))
        return table

    def _guards(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column()  # the one that gives way where the terminal is narrow
        for _ in range(2):
            table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, min_width=len(TRIPPED))
        table.add_row(*(Text(name, "bold") for name in ("Guard", "now", "limit", "")))
        rows = guard_rows(self._built.bot.guards.readings(), self._built.bot.guards.tripped())
        shown = rows[: GUARDS_SHOWN_MAX - 1] if len(rows) > GUARDS_SHOWN_MAX else rows
        for row in shown:
            table.add_row(*row)
        if len(rows) > len(shown):
            table.add_row(Text(f"and {len(rows) - len(shown)} more", "dim", no_wrap=True))
        return table

    def _symbols(self) -> Iterator[RenderableType]:
        bot = self._built.bot
        names = tuple(dict.fromkeys((*bot.ledger.positions(), *bot.settings.symbols)))
        yield Text()
        for symbol in names[:SYMBOLS_SHOWN_MAX]:
            yield self._symbol(symbol)
        if len(names) > SYMBOLS_SHOWN_MAX:
            yield Text(f"and {len(names) - SYMBOLS_SHOWN_MAX} symbols without a position", "dim")

    def _symbol(self, symbol: str) -> Text:
        bot = self._built.bot
        product = bot.adapter.products().get(symbol)
        tick = product.tick if product is not None else TICK_OF_UNLISTED
        mark, position = bot.marks().get(symbol), bot.ledger.position(symbol)
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{symbol:<9}", "bold").append(f" mark {price(mark, tick) if mark else 'not known yet'}  ")
        if not position.quantity:
            line.append("no position")
        else:
            side = "long" if position.quantity > 0 else "short"
            line.append(f"{side} {abs(position.quantity):f} from {price(position.entry_price, tick)}")
            if mark:
                line.append(f"  {moved((mark - position.entry_price) * position.quantity)}")
        if reason := bot.guards.pause_reason(symbol):
            line.append(f"  entries paused: {reason}", "bold red")
        return line

    def _orders(self) -> Iterator[RenderableType]:
        living = tuple(self._built.bot.orders.living())
        if not living:
            yield Text("no open orders")
        for order in living[:ORDERS_SHOWN_MAX]:
            yield _order_line(order)
        if len(living) > ORDERS_SHOWN_MAX:
            yield Text(f"and {len(living) - ORDERS_SHOWN_MAX} more open orders", "dim")

    def _latest(self, rows: int) -> Iterator[RenderableType]:
        if rows < 3:
            return
        yield Text()
        yield Text("Latest decisions", "bold")
        if not self._decisions:
            yield Text("none yet: strategies decide when a bar closes, and first need some bars of history", "dim")
        yield from tuple(self._decisions)[2 - rows :]

    def _on_event(self, event: Event) -> None:
        line = decision_line(event)
        if line is None:
            return
        moment = iso(event.at_ns)[5:19] if self._dated else iso(event.at_ns)[11:19]
        self._decisions.append(Text.assemble((f"{moment}  ", "dim"), line, no_wrap=True, overflow="ellipsis"))


TRIPPED: Final = "TRIP"
Row = tuple[Text, Text, Text, Text]


def guard_rows(readings: Iterable[Reading], tripped: Iterable[tuple[str, str, str]]) -> list[Row]:
    """Guard, value, threshold and state; what is tripped comes first, also where it is not measured any more."""
    trips = {(guard, symbol) for guard, symbol, _ in tripped}
    measured_now = {(reading.guard, reading.symbol): reading for reading in readings}
    calm = [reading for key, reading in measured_now.items() if key not in trips]
    rows = [_guard_row(*key, measured_now.get(key), TRIPPED, "bold red") for key in sorted(trips)]
    return rows + [_guard_row(reading.guard, reading.symbol, reading, "ok", "") for reading in calm]


def _guard_row(guard: str, symbol: str, reading: Reading | None, state: str, style: str) -> Row:
    name = Text(f"{guard} {symbol}".rstrip(), style, no_wrap=True, overflow="ellipsis")
    if reading is None:
        return name, Text(), Text(), Text(state, style)
    now = Text(measured(reading.value, reading.unit).removesuffix(" USD"), style)
    if reading.action is Action.RECORD and not reading.threshold:  # telemetry: it has no limit to be within
        return name, now, Text(), Text()
    return name, now, Text(measured(reading.threshold, reading.unit), style), Text(state, style or "green")


def _order_line(order: ManagedOrder) -> Text:
    sent = order.submitted
    limit = "" if sent.limit_price is None else f" at {sent.limit_price:,f}"
    return Text(
        f"open order {sent.side} {sent.quantity:f} {sent.symbol} {sent.order_type}{limit} {sent.time_in_force}, "
        f"{order.state}, filled {order.filled:f}",
        no_wrap=True,
        overflow="ellipsis",
    )


def decision_line(event: Event) -> Text | None:
    """One line for a person, for the kinds of events that a person follows live; None for all others."""
    match event:
        case TradingSignalGenerated():
            return Text(f"wants {event.action} {event.symbol}: {event.reason}")
        case OrderApproved():
            what = f"{_purpose(event.purpose)} {event.side} {event.quantity:f} {event.symbol}"
            return Text(f"approved {what}{_asked(event)}", "cyan")
        case OrderRefused():
            what = f"{_purpose(event.purpose)} {event.side} {event.symbol}"
            return Text(f"refused {what}: {event.code}. {meaning_of(event.code)}", "yellow")
        case OrderFilled():
            cause = "" if event.cause == "OWN" else f" {event.cause}"
            text = f"filled {event.side} {event.quantity:f} {event.symbol} at {event.price:,f}, fee {money(event.fee)}"
            return Text(text + cause, "bold red" if cause else "green")
        case OrderCancelled() | OrderExpired():
            what = "cancelled" if isinstance(event, OrderCancelled) else "expired"
            return Text(f"{what}: order {event.client_order_id}, {event.filled:f} filled", "dim")
        case OrderRejected():
            return Text(f"rejected by the venue: {event.code}", "red")
        case OrderFailed():
            return Text(f"not placed: order {event.client_order_id}, {event.code}", "red")
        case OrderSightedLate():
            return Text(f"seen at the venue after all: order {event.client_order_id}", "bold red")
        case OrderOutcomeUnknown():
            return Text(f"outcome unknown: order {event.client_order_id}", "bold red")
        case StopEscalated():
            return Text(f"stop of {event.symbol}: attempt {event.attempt}, {event.reason}", "bold red")
        case SlippageExceeded():
            found = f"{event.slippage_bps:.1f} bps against the arrival, limit {event.limit_bps:.1f}"
            return Text(f"slippage of {event.side} {event.symbol}: {found}", "bold red")
        case StopTriggered():
            return Text(f"stop of {event.symbol} at {event.trigger_price:,f} reached", "magenta")
        case _:
            return _alarm_line(event)


def _alarm_line(event: Event) -> Text | None:
    match event:
        case GuardTripped():
            now, limit = measured(event.value, event.unit), measured(event.threshold, event.unit)
            text = f"guard {event.guard} {event.symbol}".rstrip()
            return Text(f"{text} tripped: {now}, limit {limit}; {event.action}", "bold red")
        case GuardCleared():
            return Text(f"guard {event.guard} {event.symbol}".rstrip() + f" cleared: {event.reason}", "bold green")
        case ModeChanged():
            return Text(f"mode {event.mode}, was {event.was}: {event.reason}", "bold red")
        case SymbolPaused():
            return Text(
                f"entries of {event.symbol} " + (f"paused: {event.reason}" if event.reason else "resumed"), "bold"
            )
        case EngineSwapped():
            under_way = f"{len(event.in_flight)} orders and {len(event.working)} tactics go on"
            return Text(f"{event.was} -> {event.engine} by {event.who}: {event.reason}; {under_way}", "bold magenta")
        case EngineSwapFailed():
            return Text(f"{event.engine} goes on: {event.problem}", "bold red")
        case FlagSet():
            return Text(f"{event.flag} = {event.value} by {event.who}: {event.reason}", "bold")
        case LimitsChanged():
            return Text(f"limits changed by {event.who}: {', '.join(event.values) or 'none'}", "bold")
        case OperatorCommanded():
            what = " ".join((event.command, *event.arguments.values()))
            return Text(f"{event.who} says {what}: {event.reason}", "bold")
        case OperatorCommandFailed():
            return Text(f"{event.command} failed: {event.problem}", "bold red")
        case SystemError():
            return Text(f"error in {event.source}: {event.message} ({event.action})", "bold red")
        case _:
            return None


def _purpose(purpose: Purpose) -> str:
    return "closing" if purpose is Purpose.EXIT else "opening"


def _asked(event: OrderApproved) -> str:
    """Only where risk or sizing changed it."""
    return "" if event.asked == event.quantity else f", asked {event.asked:.6f}"
