"""What was tested is what trades: one strategy on one market, in a backtest, in real time on paper, and on Coinbase.

The same bot, built the same way, sends the same orders under the same ids, and ends with the same fills, positions and
profit, to the last digit. Only clock and adapter differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.exchange_places import coinbase_adapter
from tests.house_under_test import a_config, steady_market
from tests.live_house import DIGEST
from tests.lockstep import run_in_lockstep
from tests.venue_server import served

from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import NS, Clock, VirtualClock, run_virtual
from gpt_trader.core.events import Event, OrderFilled, OrderSubmitted
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.memory import ArrayStream
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.lease import HostLease
from gpt_trader.venue.settings import Latency, VenueSettings

D = Decimal
CASH = D(100_000)
BAR_SECONDS = 5
OFFSET_NS = 700_000_000
"""Nothing happens in the half second behind a bar's close, in which the live adapter still waits for late trades."""
ENGINES: dict[str, dict[str, Any]] = {
    "live": {},
    "advanced": {"enable_dynamic_position_sizing": True, "enable_market_impact_guard": True},
}


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    orders: list[tuple[object, ...]]
    fills: list[tuple[object, ...]]
    positions: dict[str, Decimal]
    cash: Decimal
    realised: Decimal
    fees: Decimal
    equity: Decimal


def the_market(seconds: int) -> ArrayStream:
    """Waves of some 0.3 % a minute or two long, one step a second."""
    waves = [60_000 + 5 * round(40 * np.sin(step / 9) + 25 * np.sin(step / 23)) for step in range(seconds)]
    made = steady_market(waves)
    rows = next(made.chunks()).copy()
    rows["ts"] += OFFSET_NS
    rows["recv"] = rows["ts"]
    start_ns = int(rows["ts"][0]) - OFFSET_NS
    return ArrayStream(
        made.products, rows, name="waves", bar_seconds=BAR_SECONDS, start_ns=start_ns, end_ns=start_ns + seconds * NS
    )


def the_config(**risk: Any) -> BotConfig:
    config = a_config(**risk)
    wishes = {
        "short_ma": 2,
        "long_ma": 4,
        "trailing_stop_pct": D(0),
        "allow_shorts": True,
        "position_fraction": D("0.1"),
    }
    return config.model_copy(update={"strategy": config.strategy.model_copy(update=wishes)})


async def trade(adapter: ExchangeAdapter, clock: Clock, folder: Path, config: BotConfig, end_ns: int) -> Outcome:
    """The bot, from its connection to the end of the market."""
    events: list[Event] = []
    await adapter.connect()
    with EventStore.open(folder / "events.sqlite", "three-modes", 1, durable=False) as store:
        bot = (
            PerpsBotBuilder(
                config,
                adapter=adapter,
                clock=clock,
                journal=store,
                identity=RunIdentity(
                    run_id="three-modes", boot=1, environment="test", config_digest=DIGEST, market="waves", seed=0
                ),
                bar_seconds=BAR_SECONDS,
                lease=HostLease(folder, "three modes"),
            )
            .build()
            .bot
        )
        bot.bus.watch("test", events.append)
        proof = PreflightPassed(
            venue=adapter.name, config_digest=DIGEST, passed_ns=clock.now_ns(), checks=("by the test",)
        )
        await bot.start(proof)
        reason = await bot.run_until_stopped(end_ns)
        await bot.stop(reason)
        ledger, marks = bot.ledger, bot.marks()
        return Outcome(
            orders=[
                (each.client_order_id, each.side, each.quantity, each.order_type, each.limit_price, each.reduce_only)
                for each in events
                if isinstance(each, OrderSubmitted)
            ],
            fills=[
                (each.client_order_id, each.side, each.quantity, each.price, each.fee, each.liquidity)
                for each in events
                if isinstance(each, OrderFilled)
            ],
            positions={symbol: position.quantity for symbol, position in ledger.positions().items()},
            cash=ledger.cash,
            realised=ledger.realised,
            fees=ledger.fees,
            equity=ledger.equity(marks),
        )


def on_paper(folder: Path, config: BotConfig, seconds: int, pace: float | None) -> Outcome:
    """As fast as it computes, or paced by the clock on the wall."""
    stream = the_market(seconds)
    clock = VirtualClock(stream.start_ns)
    adapter = PaperExchange(stream, clock=clock, cash=CASH, settings=NO_LATENCY)
    outcome: Outcome = run_virtual(
        clock, adapter, lambda: trade(adapter, clock, folder, config, stream.end_ns - NS), pace
    )
    return outcome


NO_LATENCY = VenueSettings(entry_latency=Latency(milliseconds=D(0)), ack_latency=Latency(milliseconds=D(0)))


def on_coinbase(folder: Path, config: BotConfig, seconds: int) -> Outcome:
    """Over TLS, through the adapter, its two connections and the official SDK."""
    stream = the_market(seconds)
    clock = VirtualClock(stream.start_ns)
    options: dict[str, Any] = {"history_seconds": 0, "cash": CASH, "venue": NO_LATENCY}
    with served(folder / "venue", stream, **options) as venue:
        outcome: Outcome = run_in_lockstep(
            venue,
            clock,
            lambda: coinbase_adapter(venue, bar_seconds=BAR_SECONDS, clock=clock),
            lambda adapter: trade(adapter, clock, folder / "run", config, stream.end_ns - NS),
        )
    return outcome


def check_all_three(folder: Path, engine: str, seconds: int, pace: float) -> None:
    config = the_config(**ENGINES[engine])
    for mode in ("backtest", "paper", "coinbase/venue", "coinbase/run"):
        (folder / mode).mkdir(parents=True)
    backtest = on_paper(folder / "backtest", config, seconds, None)
    paper = on_paper(folder / "paper", config, seconds, pace)
    coinbase = on_coinbase(folder / "coinbase", config, seconds)
    assert len(backtest.fills) >= 4, "the strategy traded"
    assert backtest.orders == paper.orders == coinbase.orders
    assert backtest == paper
    assert backtest == coinbase


def test_one_strategy_three_modes_one_result(tmp_path: Path) -> None:
    """Two and a half minutes of market with the advanced engine."""
    check_all_three(tmp_path, "advanced", 150, pace=150.0)


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_for_longer_and_at_the_speed_of_the_wall_clock(tmp_path: Path, engine: str) -> None:
    """Run with `-m long`: two minutes of market, the paper run in real time, for both engines."""
    check_all_three(tmp_path, engine, 120, pace=1.0)
