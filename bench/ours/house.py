"""Our side of every case: the bot that trades live, put together by PerpsBotBuilder over the simulated venue."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import data
from ruler import CASH, EmaCross, Timer, tell

from gpt_trader import __version__
from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity
from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import VirtualClock, run_virtual
from gpt_trader.core.values import Bar, MarginRates, ProductSpec
from gpt_trader.exchange.paper import PaperExchange, kernel_entry_points
from gpt_trader.market.compiled import compile_entry_points
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import BAR, LEVEL, QUOTE, ROW, TRADE
from gpt_trader.market.stream import MarketStream
from gpt_trader.records.event_store import EventStore
from gpt_trader.strategies.base import Signal, Strategy, Want
from gpt_trader.strategies.vector_form import BarColumns
from gpt_trader.venue.settings import BarModel, Latency, VenueSettings

FRACTION = Decimal("0.00014")
"""Of equity: some 14,000 USD, which the position cap of 0.1 BTC clamps to exactly that at every price of the data."""
RATES = MarginRates(
    initial_long=Decimal("0.01"),
    initial_short=Decimal("0.01"),
    maintenance_long=Decimal("0.005"),
    maintenance_short=Decimal("0.005"),
)
RISK = {
    # Every rule and every guard is on, with limits that this trading does not reach.
    "max_position_pct_per_symbol": 5,
    "max_exposure_pct": 5,
    "max_position_size_pct": 5,
    "max_quantity_per_symbol": {"BTC-PERP": "0.1"},
    "max_concurrent_positions": 10,
    "daily_loss_limit": 50_000_000,
    "daily_loss_limit_pct": "0.5",
    "order_rate_per_minute_max": 1000,
    "min_liquidation_buffer_pct": "0.10",
    "market_collar_bps": 500,
    "exit_collar_bps": 500,
    "max_mark_staleness_seconds": 120,
    "max_book_staleness_seconds": 120,
}
SWITCHED_ON = (
    "production bot, engine Live, all rules and guards (wide limits), reconciliation, ledger, metrics; every event "
    "hashed and stored in SQLite"
)


def product(symbol: str = "BTC", tick: str = "0.1", lot: str = "0.1", size: int = 1) -> ProductSpec:
    return ProductSpec(
        symbol=f"{symbol}-PERP",
        venue_symbol=f"{symbol}-PERP",
        base=symbol,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(1),
        min_quantity=Decimal(lot),
        max_quantity=Decimal(1000 * size),
        maker_fee_rate=Decimal("0.0005"),
        taker_fee_rate=Decimal("0.0005"),
        margin_intraday=RATES,
        margin_overnight=RATES,
    )


class Cross:
    """The common strategy as a Strategy of the house, step by step."""

    name = "ema_cross"
    warmup_bars = 0

    def __init__(self, fast: int = 20, slow: int = 50) -> None:
        self.ema = EmaCross(fast, slow)
        self.side = 0

    def decide(self, bar: Bar, position: float) -> Signal | None:
        side = self.ema.see(bar.close)
        if side in (self.side, 0):
            return None
        self.side = side
        return Signal(want=Want.LONG if side > 0 else Want.SHORT, fraction=FRACTION)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None: ...


class ForeseenCross(Cross):
    """The same with its signal in vectorised form."""

    def foresee(self, bars: BarColumns) -> np.ndarray:
        """Where the side of the averages, reckoned for all bars at once, changes."""
        self.foreseen = self.ema.see_many(bars.close.tolist())
        sides = np.array(self.foreseen[2])
        known = np.maximum.accumulate(np.where(sides != 0, np.arange(len(sides)), -1))
        standing = np.where(known >= 0, sides[known], self.side)
        return np.flatnonzero(np.diff(standing, prepend=self.side))

    def pass_over(self, start: int, end: int) -> None:
        ema, (fast, slow, _) = self.ema, self.foreseen
        ema.fast, ema.slow, ema.seen = fast[end - 1], slow[end - 1], ema.seen + end - start


class Flip:
    """An order on every bar: long, short, long, ..."""

    name = "flip"
    warmup_bars = 0

    def __init__(self, every: int = 1) -> None:
        self.seen = 0
        self.every = every

    def decide(self, bar: Bar, position: float) -> Signal | None:
        self.seen += 1
        if self.seen % self.every:
            return None
        turn = self.seen // self.every
        return Signal(want=Want.LONG if turn & 1 else Want.SHORT, fraction=FRACTION)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None: ...


def _rows(made: np.ndarray) -> np.ndarray:
    rows = np.zeros(len(made), ROW)
    rows["ts"] = rows["recv"] = made["ts"]
    return rows


def bar_rows(made: np.ndarray, decimals: int, index: int = 0) -> np.ndarray:
    rows = _rows(made)
    rows["kind"], rows["product"] = BAR, index
    for field, name in zip("abcd", "ohlc", strict=True):
        rows[field] = np.round(made[name] * 10**decimals)
    rows["e"] = np.maximum(np.round(made["v"] * 10), 1)
    return rows


def bar_stream(count: int | None = None, repeat: int = 1) -> ArrayStream:
    """One-minute bars of BTC; `repeat` plays them again and again, one after the other in time."""
    made = np.load(data.folder() / "bars_BTC.npy")[:count]
    if repeat > 1:
        length = len(made)
        made = np.tile(made, repeat)
        made["ts"] = data.START_NS + data.MINUTE_NS * np.arange(1, length * repeat + 1)
    rows = bar_rows(made, 1)
    return ArrayStream([product()], rows, bar_seconds=60, start_ns=int(rows["ts"][0]) - data.MINUTE_NS)


def tick_rows(made: np.ndarray) -> np.ndarray:
    rows = _rows(made)
    quote = made["kind"] == 0
    rows["kind"], rows["side"] = np.where(quote, QUOTE, TRADE), made["side"]
    rows["a"] = np.round(np.where(quote, made["bid"], made["px"]) * 10)
    rows["b"] = np.round(np.where(quote, made["bsz"], made["qty"]) * 1000)
    rows["c"] = np.round(np.where(quote, made["ask"], 0) * 10)
    rows["d"] = np.round(np.where(quote, made["asz"], 0) * 1000)
    return rows


def level_rows(made: np.ndarray) -> np.ndarray:
    rows = _rows(made)
    rows["kind"], rows["side"] = np.where(made["kind"] == 1, TRADE, LEVEL), made["side"]
    rows["a"], rows["b"] = np.round(made["px"] * 10), np.round(made["qty"] * 1000)
    return rows


def play(
    stream: MarketStream,
    strategy: Callable[[], Strategy],
    *,
    units: int,
    durable: bool = False,
    latency_ms: int = 0,
    symbols: Sequence[str] = ("BTC-PERP",),
    settings: dict[str, Any] | None = None,
    **facts: Any,
) -> None:
    """Run the bot over the market to its end and tell the runner. Compiled code is loaded before the clock starts."""
    compile_entry_points(kernel_entry_points(), lambda *_: None)
    config = BotConfig.model_validate({"profile": "bench", "symbols": list(symbols), "risk": RISK} | (settings or {}))
    with tempfile.TemporaryDirectory(prefix="gpt-trader-bench-") as folder:
        clock = VirtualClock(stream.start_ns)
        adapter = PaperExchange(
            stream,
            clock=clock,
            cash=Decimal(CASH),
            settings=VenueSettings(
                entry_latency=Latency(milliseconds=Decimal(latency_ms)),
                ack_latency=Latency(milliseconds=Decimal(latency_ms)),
                bar_model=BarModel(half_spread_bps=Decimal(0), levels=1, level_share=Decimal(1)),
            ),
        )
        with EventStore.open(Path(folder) / "run" / "events.sqlite", "bench", 1, durable=durable) as store:
            built = PerpsBotBuilder(
                config,
                adapter=adapter,
                clock=clock,
                journal=store,
                identity=RunIdentity(
                    run_id="bench", boot=1, environment="simulated", config_digest="", market="", seed=0
                ),
                bar_seconds=stream.bar_seconds,
                strategy=lambda _: strategy(),
            ).build()

            async def main() -> None:
                await built.bot.start()
                await built.bot.stop(await built.bot.run_until_stopped(stream.end_ns))

            with Timer() as timer:
                run_virtual(clock, adapter, main)
                store.flush()
            _tell(built, store, timer, units, durable=durable, **facts)


def _tell(built: BuiltBot, store: EventStore, timer: Timer, units: int, *, durable: bool, **facts: Any) -> None:
    bot, metrics = built.bot, built.metrics
    marks = bot.marks()
    tell(
        timer=timer,
        units=units or metrics.orders,
        version=__version__,
        orders=metrics.orders,
        fills=metrics.fills,
        refusals=dict(metrics.refusals) or None,
        guard_trips=dict(metrics.guard_trips) or None,
        position=str(sum(position.quantity for position in bot.ledger.positions().values())),
        profit=str(bot.ledger.price_pnl(marks)),
        fees=str(bot.ledger.fees),
        events=store.head.sequence,
        event_hash=store.head.digest,
        drawdown_max=str(bot.equity.max_drawdown),
        durable=durable,
        switched_on=SWITCHED_ON,
        **facts,
    )


__all__ = [
    "Cross",
    "Flip",
    "ForeseenCross",
    "Timer",
    "bar_rows",
    "bar_stream",
    "compile_entry_points",
    "data",
    "kernel_entry_points",
    "level_rows",
    "play",
    "product",
    "tell",
    "tick_rows",
]
