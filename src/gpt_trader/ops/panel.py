"""What is the bot doing right now? A live panel in the terminal, drawn from a picture of the bot: its own, or one that
came over the control socket (`top`). It reads, and never holds the bot up.

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
from gpt_trader.bot.rollout.plan import percent
from gpt_trader.bot.rollout.share import ROLLED_BACK
from gpt_trader.core.clock import NS, SystemClock, iso
from gpt_trader.core.events import (
    EngineSwapFailed,
    EngineSwapped,
    Event,
    FlagSet,
    FlattenEnded,
    GuardCleared,
    GuardTripped,
    InvariantBroken,
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
    RolloutEnded,
    RolloutPaused,
    RolloutResumed,
    RolloutStarted,
    RolloutStepped,
    SlippageExceeded,
    StopEscalated,
    StopTriggered,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event, not the builtin
    TradingSignalGenerated,
)
from gpt_trader.core.values import Mode, OrderState, Purpose
from gpt_trader.ops.picture import GuardLine, OpenOrder, Picture, PositionLine, SymbolLine, picture_of
from gpt_trader.report.numbers import measured, money, moved, price, share
from gpt_trader.report.summary import meaning_of
from gpt_trader.risk.guard_rules import Action

__all__ = ["NEAR_LIQUIDATION", "LivePanel", "PanelView", "decision_line", "span"]

REFRESH_SECONDS: Final = 0.1
HEIGHT_MAX: Final = 36
DECISIONS_KEPT: Final = HEIGHT_MAX
SYMBOLS_SHOWN_MAX: Final = 4
ORDERS_SHOWN_MAX: Final = 3
GUARDS_SHOWN_MAX: Final = 9
FRAME_COLUMNS: Final = 4
"""Border and padding, left and right."""
FRAME_ROWS: Final = 2
DAY_NS: Final = 86_400 * NS
STALE_SECONDS: Final = 5.0
"""A mark that is older is told with its age."""
NEAR_LIQUIDATION: Final = Decimal("0.10")
"""Share of the mark: what is nearer to its liquidation stands out."""


class LivePanel:
    """Shown while a run goes on. `tick` is called often and draws ten times a second at most."""

    def __init__(
        self, built: BuiltBot, *, market: str, store: str, start_ns: int, end_ns: int | None, console: Console
    ) -> None:
        """`store` is the name by which a person finds the run again."""
        self._built = built
        self._store = store
        self._view = PanelView(console, market=market, store=store, start_ns=start_ns, end_ns=end_ns)
        self._clock = SystemClock()
        self._drawn_ns = 0
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")
        built.bot.bus.watch("live panel", self._view.on_event)

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
        return self._view.draw(picture_of(self._built, self._store))


class PanelView:
    """How a picture looks in a terminal, above the latest decisions that it was told of."""

    def __init__(self, console: Console, *, market: str, store: str, start_ns: int, end_ns: int | None) -> None:
        self._console = console
        self._subtitle = Text(f" {market} · run {store} ", "dim", no_wrap=True, overflow="ellipsis")
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._dated = end_ns is None or end_ns - start_ns > DAY_NS
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

    def draw(self, picture: Picture) -> RenderableType:
        """As high as the terminal lets it be."""
        height = max(FRAME_ROWS + 1, min(HEIGHT_MAX, self._console.size.height - 1))
        inner = self._console.options.update(width=max(1, self._console.size.width - FRAME_COLUMNS))
        top = Group(self._heading(picture), _columns(picture), *_symbols(picture), *_orders(picture))
        used = len(self._console.render_lines(top, inner, pad=False))
        return Panel(
            Group(top, *self._latest(height - FRAME_ROWS - used)),
            title=Text(f" {picture.engine} ", "bold cyan"),
            subtitle=self._subtitle,
            height=height,
        )

    def on_event(self, event: Event) -> None:
        """Keep the line of an event that has one."""
        line = decision_line(event)
        if line is None:
            return
        moment = iso(event.at_ns)[5:19] if self._dated else iso(event.at_ns)[11:19]
        self._decisions.append(Text.assemble((f"{moment}  ", "dim"), line, no_wrap=True, overflow="ellipsis"))

    def _heading(self, picture: Picture) -> RenderableType:
        reason, moment = Text(f"by {picture.engine_reason}", "dim"), f"{iso(picture.time_ns)[:19]}Z"
        if self._end_ns is None:
            return Group(reason, Text(f"{moment}  for {span(picture.time_ns - self._start_ns)}"), Text())
        self._progress.update(self._task, completed=(picture.time_ns - self._start_ns) / NS, description=moment)
        return Group(reason, self._progress, Text())

    def _latest(self, rows: int) -> Iterator[RenderableType]:
        if rows < 3:
            return
        yield Text()
        yield Text("Latest decisions", "bold")
        if not self._decisions:
            yield Text("none yet: strategies decide when a bar closes, and first need some bars of history", "dim")
        yield from tuple(self._decisions)[2 - rows :]


def span(nanoseconds: int) -> str:
    """A stretch of time for people: `45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`."""
    seconds = max(0, nanoseconds) // NS
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    if seconds < 2 * 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


# --- the parts --------------------------------------------------------------------------------------------------------
def _columns(picture: Picture) -> RenderableType:
    table = Table.grid(expand=True, padding=(0, 2))
    table.add_column()
    table.add_column(ratio=1)
    table.add_row(_account(picture), _guards(picture))
    return table


def _account(picture: Picture) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, min_width=11)
    if picture.equity is None or picture.price_pnl is None:
        table.add_row("Equity", "no mark yet")
    else:
        table.add_row("Equity", money(picture.equity))
        table.add_row("  price PnL", moved(picture.price_pnl))
    table.add_row("  fees", moved(-picture.fees))
    table.add_row("  funding", moved(picture.funding))
    table.add_row("Drawdown", share(picture.drawdown, 3))
    table.add_row("Headroom", "-" if picture.headroom is None else share(picture.headroom))
    table.add_row("Orders", f"{picture.orders:,}")
    table.add_row("Fills", f"{picture.fills:,}")
    table.add_row("Refused", f"{picture.refused:,}")
    table.add_row("Mode", _mode(picture))
    return table


def _mode(picture: Picture) -> Text:
    if not picture.caught_up:
        return Text("catching up", "bold yellow")
    if picture.cancelling:
        return Text(f"{picture.mode.value}, cancelling", "bold red")
    return Text(picture.mode.value, "" if picture.mode is Mode.NORMAL else "bold red")


def _guards(picture: Picture) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column()  # the one that gives way where the terminal is narrow
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, min_width=len(TRIPPED))
    table.add_row(*(Text(name, "bold") for name in ("Guard", "now", "limit", "")))
    rows = guard_rows(picture.guards)
    shown = rows[: GUARDS_SHOWN_MAX - 1] if len(rows) > GUARDS_SHOWN_MAX else rows
    for row in shown:
        table.add_row(*row)
    if len(rows) > len(shown):
        table.add_row(Text(f"and {len(rows) - len(shown)} more", "dim", no_wrap=True))
    return table


def _symbols(picture: Picture) -> Iterator[RenderableType]:
    held = {line.symbol: line for line in picture.positions if not line.external}
    lines = sorted(picture.symbols, key=lambda line: line.symbol not in held)
    yield Text()
    for line in lines[:SYMBOLS_SHOWN_MAX]:
        yield _symbol(line, held.get(line.symbol))
    if len(lines) > SYMBOLS_SHOWN_MAX:
        yield Text(f"and {len(lines) - SYMBOLS_SHOWN_MAX} symbols without a position", "dim")


def _symbol(symbol: SymbolLine, position: PositionLine | None) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    mark = price(symbol.mark, symbol.tick) if symbol.mark else "not known yet"
    line.append(f"{symbol.symbol:<9}", "bold").append(f" mark {mark}")
    if symbol.mark_age_seconds is not None and symbol.mark_age_seconds > STALE_SECONDS:
        line.append(f" ({symbol.mark_age_seconds:,.0f} s old)", "yellow")
    line.append("  ")
    if position is None:
        line.append("no position")
    else:
        side = "long" if position.quantity > 0 else "short"
        line.append(f"{side} {abs(position.quantity):f} from {price(position.entry_price, symbol.tick)}")
        if position.unrealised is not None:
            line.append(f"  {moved(position.unrealised)}", "green" if position.unrealised >= 0 else "red")
        if position.liquidation_price is not None and position.liquidation_distance is not None:
            near = position.liquidation_distance < NEAR_LIQUIDATION
            line.append(
                f"  liquidated at {price(position.liquidation_price, symbol.tick)}, "
                f"{share(position.liquidation_distance)} away",
                "bold red" if near else "dim",
            )
    if symbol.paused:
        line.append(f"  entries paused: {symbol.paused}", "bold red")
    return line


def _orders(picture: Picture) -> Iterator[RenderableType]:
    """Of unknown outcome first: they are what a person must see."""
    unknown = OrderState.UNKNOWN.value
    living = sorted(picture.open_orders, key=lambda order: (order.state != unknown, order.submitted_ns))
    if not living:
        yield Text("no open orders")
    for order in living[:ORDERS_SHOWN_MAX]:
        yield _order_line(order, picture.time_ns)
    if len(living) > ORDERS_SHOWN_MAX:
        yield Text(f"and {len(living) - ORDERS_SHOWN_MAX} more open orders", "dim")


TRIPPED: Final = "TRIP"
Row = tuple[Text, Text, Text, Text]


def guard_rows(lines: Iterable[GuardLine]) -> list[Row]:
    """Guard, value, threshold and state of each line, in their order."""
    return [_guard_row(line) for line in lines]


def _guard_row(line: GuardLine) -> Row:
    state, style = (TRIPPED, "bold red") if line.tripped else ("ok", "")
    name = Text(f"{line.guard} {line.symbol}".rstrip(), style, no_wrap=True, overflow="ellipsis")
    if line.value is None or line.threshold is None:
        return name, Text(), Text(), Text(state, style)
    now = Text(measured(line.value, line.unit).removesuffix(" USD"), style)
    if line.action == Action.RECORD.value and not line.threshold:  # telemetry: it has no limit to be within
        return name, now, Text(), Text()
    return name, now, Text(measured(line.threshold, line.unit), style), Text(state, style or "green")


def _order_line(order: OpenOrder, now_ns: int) -> Text:
    unknown = order.state == OrderState.UNKNOWN.value
    limit = "" if order.limit_price is None else f" at {order.limit_price:,f}"
    text = (
        f"open order {order.side} {order.quantity:f} {order.symbol} {order.order_type}{limit} {order.time_in_force}, "
        f"{order.state}, filled {order.filled:f}, {span(now_ns - order.submitted_ns)}"
    )
    return Text(text, "bold red" if unknown else "", no_wrap=True, overflow="ellipsis")


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
        case RolloutStarted():
            first = percent(event.shares[0])
            return Text(f"{event.rollout}: {event.baseline} -> {event.to} at {first}, by {event.who}", "bold magenta")
        case RolloutStepped():
            return Text(f"rollout at {percent(event.share)}, after {event.orders} candidate orders", "bold magenta")
        case RolloutPaused():
            return Text(f"rollout paused by {event.who}: {event.reason}", "bold")
        case RolloutResumed():
            return Text(f"rollout resumed by {event.who}: {event.reason}", "bold")
        case RolloutEnded():
            style = "bold red" if event.outcome == ROLLED_BACK else "bold magenta"
            return Text(f"rollout {event.outcome} by {event.who}: {event.reason}", style)
        case FlagSet():
            return Text(f"{event.flag} = {event.value} by {event.who}: {event.reason}", "bold")
        case LimitsChanged():
            return Text(f"limits changed by {event.who}: {', '.join(event.values) or 'none'}", "bold")
        case OperatorCommanded():
            what = " ".join((event.command, *event.arguments.values()))
            return Text(f"{event.who} says {what}: {event.reason}", "bold")
        case OperatorCommandFailed():
            return Text(f"{event.command} failed: {event.problem}", "bold red")
        case FlattenEnded():
            return _flatten_line(event)
        case InvariantBroken():
            return Text(f"promise {event.number} ({event.name}) is broken: {event.detail}; {event.policy}", "bold red")
        case SystemError():
            return Text(f"error in {event.source}: {event.message} ({event.action})", "bold red")
        case _:
            return None


def _flatten_line(event: FlattenEnded) -> Text:
    about = ", ".join(event.symbols)
    if event.flat:
        return Text(f"flat at the venue: {about}, by {event.tactic} in {event.took_ms / 1000:.1f} s", "bold green")
    return Text(f"NOT flat: {about} by {event.tactic}; {'; '.join(event.reasons)}", "bold red")


def _purpose(purpose: Purpose) -> str:
    return "closing" if purpose is Purpose.EXIT else "opening"


def _asked(event: OrderApproved) -> str:
    """Only where risk or sizing changed it."""
    return "" if event.asked == event.quantity else f", asked {event.asked:.6f}"
