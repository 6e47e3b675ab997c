"""What is the bot doing right now? A live panel in the terminal; it reads, and never holds the bot up."""

from __future__ import annotations

from collections import deque
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
    Event,
    GuardTripped,
    OrderApproved,
    OrderFilled,
    OrderRefused,
    OrderRejected,
    TradingSignalGenerated,
)
from gpt_trader.report.summary import money

__all__ = ["LivePanel"]

DECISIONS_SHOWN: Final = 8
REFRESH_SECONDS: Final = 0.1


class LivePanel:
    """Shown while a run goes on. `tick` is called often and draws ten times a second at most."""

    def __init__(self, built: BuiltBot, *, market: str, start_ns: int, end_ns: int | None, console: Console) -> None:
        self._built = built
        self._market = market
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._clock = SystemClock()
        self._drawn_ns = 0
        self._decisions: deque[Text] = deque(maxlen=DECISIONS_SHOWN)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>5.1f} %"),
            TimeRemainingColumn(),
            console=console,
        )
        total = (end_ns - start_ns) / NS if end_ns is not None else None
        self._task = self._progress.add_task("market time", total=total)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        built.bot.bus.watch("live panel", self._on_event)

    def __enter__(self) -> LivePanel:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tick(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._drawn_ns < REFRESH_SECONDS * NS:
            return
        self._drawn_ns = now_ns
        self._progress.update(self._task, completed=(self._built.bot.clock.now_ns() - self._start_ns) / NS)
        self._live.update(self._draw(), refresh=True)

    def _draw(self) -> RenderableType:
        bot, selection = self._built.bot, self._built.selection
        title = f"{bot.engine.name}  ({selection.reason})"
        columns = Table.grid(expand=True, padding=(0, 2))
        columns.add_column(ratio=2)
        columns.add_column(ratio=3)
        columns.add_row(self._account(), self._latest())
        return Panel(Group(self._progress, columns), title=title, subtitle=f"{self._market}  {iso(bot.clock.now_ns())}")

    def _account(self) -> Table:
        bot, metrics = self._built.bot, self._built.metrics
        table = Table(box=None, show_header=False, padding=(0, 1))
        marks = bot.marks()
        table.add_row("Equity", money(bot.ledger.equity(marks)))
        for symbol in bot.settings.symbols:
            position = bot.ledger.position(symbol)
            mark = marks.get(symbol)
            table.add_row(symbol, f"{mark:,}" if mark is not None else "no mark yet")
            if position.quantity:
                table.add_row("  position", f"{position.quantity:+} at {position.entry_price:,.2f}")
        table.add_row("Open orders", str(sum(1 for _ in bot.orders.living())))
        table.add_row("Orders / fills", f"{metrics.orders} / {metrics.fills}")
        table.add_row("Refused", str(sum(metrics.refusals.values())))
        table.add_row("Drawdown", f"{bot.equity.drawdown:.3%}")
        table.add_row("Mode", bot.guards.mode.value)
        for reading in bot.guards.readings():
            table.add_row(f"  {reading.guard}", Text(f"{reading.value:.4g} / {reading.threshold:.4g} {reading.unit}"))
        return table

    def _latest(self) -> Group:
        return Group(Text("Latest decisions", "bold"), *self._decisions)

    def _on_event(self, event: Event) -> None:
        line = _tell(event)
        if line is not None:
            self._decisions.append(Text.assemble((f"{iso(event.at_ns)[5:19]} ", "dim"), line))


def _tell(event: Event) -> Text | None:
    """One line for a person, for the kinds of events that a person follows live."""
    match event:
        case TradingSignalGenerated():
            return Text(f"wants {event.action} {event.symbol}: {event.reason}")
        case OrderApproved():
            return Text(f"approved {event.side} {event.quantity} {event.symbol} of {_short(event.asked)} asked", "cyan")
        case OrderRefused():
            return Text(f"refused {event.side} {event.symbol}: {event.code}", "yellow")
        case OrderFilled():
            style = "green" if event.cause == "OWN" else "bold red"
            text = f"filled {event.side} {event.quantity} {event.symbol} at {event.price:,} fee {event.fee:.2f}"
            return Text(text, style)
        case OrderRejected():
            return Text(f"rejected by the venue: {event.code}", "red")
        case GuardTripped():
            return Text(f"guard {event.guard}: {event.value:.4g} over {event.threshold:.4g} {event.unit}", "bold red")
        case _:
            return None


def _short(quantity: Decimal) -> str:
    return f"{quantity:.6g}"
