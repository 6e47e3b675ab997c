"""Does a bot that was killed decide like one that never stopped? The same market and venue, with and without a break."""

from __future__ import annotations

import asyncio
import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import D
from tests.house_under_test import BadWire, House, a_house

from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.events import (
    BootStarted,
    EquityPeaked,
    Event,
    OrderApproved,
    OrderRefused,
    OrderSubmitted,
    StrategyStateSaved,
    TradingSignalGenerated,
)
from gpt_trader.market.synthetic import SyntheticMarket
from gpt_trader.records.event_store import EventStore

MINUTES = 180
BREAKS = tuple(20.3 + 13.7 * number for number in range(11))
"""Minutes after which a boot dies; not at the close of a bar."""
SEED = 6
CASH = 1_000_000
OF_DRAWDOWN = ("drawdown", "drawdown_taper", "sizing_target", "sized")
CONFIG = BotConfig.model_validate(
    {
        "profile": "test",
        "symbols": ["BTC-PERP"],
        "strategy": {"short_ma": 2, "long_ma": 6, "confirmation_bars": 2, "trailing_stop_pct": "0.004"},
        "risk": {
            "enable_dynamic_position_sizing": True,
            "position_sizing_method": "intelligent",
            "kelly_trades_min": 4,
            "max_position_size_pct": 5,
            "max_position_pct_per_symbol": 5,
            "max_exposure_pct": 5,
            "max_leverage": 5,
            "daily_loss_limit": 0,
            "drawdown_taper_start_pct": "0.0001",
            "drawdown_taper_end_pct": "0.9",
        },
    }
)


def a_synthetic_house(folder: Path, breaks: tuple[float, ...]) -> list[Event]:
    """Trade the market to its end, dying at each break; returns the whole log."""
    folder.mkdir()
    market: Any = SyntheticMarket(["BTC-PERP"], seed=SEED, duration_seconds=MINUTES * 60, bar_seconds=60)
    with a_house(folder, CONFIG, market, cash=CASH) as house:
        live_until(house, market.start_ns + round((*breaks, MINUTES)[0] * 60 * NS), dies=bool(breaks))
        adapter, clock = house.adapter, house.clock
    for boot, end in enumerate((*breaks[1:], MINUTES)[: len(breaks)], start=2):
        with EventStore.open(folder / "events.sqlite", "test-run", boot, durable=False) as store:
            again = another_boot(adapter, clock, store, boot)
            told = [each.event.high_water for each in store.read() if isinstance(each.event, EquityPeaked)]
            assert again.bot.equity.high_water == max([D(CASH), *told])
            live_until(again, market.start_ns + round(end * 60 * NS), dies=end != MINUTES)
    with EventStore.open(folder / "events.sqlite", "test-run", 99, durable=False) as store:
        return [recorded.event for recorded in store.read()]


def live_until(house: House, end_ns: int, *, dies: bool) -> None:
    """Trade until then. A boot that dies ends with its loop: nothing is told, nothing is tidied up."""

    async def main() -> None:
        await house.bot.start()
        running = asyncio.ensure_future(house.bot.run_until_stopped())
        await house.clock.sleep((end_ns - house.clock.now_ns()) / NS)
        if dies:
            running.cancel()
            await house.adapter.close()
        else:
            house.bot.request_stop("done")
            await running
            await house.bot.stop("done")
            house.check_invariants()

    run_virtual(house.clock, house.adapter, main)


def another_boot(adapter: BadWire, clock: VirtualClock, store: EventStore, boot: int) -> House:
    identity = RunIdentity(
        run_id="test-run", boot=boot, environment="simulated", config_digest="", market="synthetic", seed=0
    )
    built = PerpsBotBuilder(
        CONFIG, adapter=adapter, clock=clock, journal=store, identity=identity, bar_seconds=60
    ).build()
    return House(built, adapter, store, clock)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], list[Event]]:
    """Unbroken, and killed again and again."""
    folder = tmp_path_factory.mktemp("restart")
    return a_synthetic_house(folder / "unbroken", ()), a_synthetic_house(folder / "broken", BREAKS)


def of(log: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in log if isinstance(event, kind)]


def test_it_wants_what_an_unbroken_bot_wants(logs: tuple[list[Event], list[Event]]) -> None:
    """Every signal, with its time, its inputs and its size: a cross that was being confirmed is not lost."""
    unbroken, broken = (of(log, TradingSignalGenerated) for log in logs)
    assert len(unbroken) > 20
    assert broken == unbroken
    assert len(of(logs[1], BootStarted)) == len(BREAKS) + 1


def test_it_judges_like_an_unbroken_bot(logs: tuple[list[Event], list[Event]]) -> None:
    """Volatility, edge, order rate and all else are those of a bot that saw it all; the drawdown is, to a thousandth."""
    unbroken, broken = ([event for event in log if isinstance(event, OrderApproved | OrderRefused)] for log in logs)
    assert [without_drawdown(event) for event in broken] == [without_drawdown(event) for event in unbroken]
    falls = [
        [Decimal(event.risk["drawdown"]) for event in of(log, OrderApproved) if "drawdown" in event.risk]
        for log in logs
    ]
    assert len(falls[0]) == len(falls[1]) > 3
    assert all(abs(one - other) < D("0.001") for one, other in zip(*falls, strict=True))
    assert max(falls[1]) > 0
    assert any(event.risk.get("sigma_day", "unknown") != "unknown" for event in of(logs[1], OrderApproved))
    assert any(event.code == "no_edge" for event in of(logs[1], OrderRefused))


def without_drawdown(event: OrderApproved | OrderRefused) -> Event:
    if isinstance(event, OrderApproved):
        return msgspec.structs.replace(event, risk={k: v for k, v in event.risk.items() if k not in OF_DRAWDOWN})
    return msgspec.structs.replace(event, numbers={k: v for k, v in event.numbers.items() if k not in OF_DRAWDOWN})


def test_it_sends_what_an_unbroken_bot_sends(logs: tuple[list[Event], list[Event]]) -> None:
    """The same orders under the same names, at the same moments."""
    unbroken, broken = (of(log, OrderSubmitted) for log in logs)
    assert broken == unbroken


def test_state_and_peaks_are_in_the_log(logs: tuple[list[Event], list[Event]]) -> None:
    """What is restored was written down, each change once; peaks only ever rise."""
    for log in logs:
        states = [event.state for event in of(log, StrategyStateSaved)]
        assert len(states) > 10
        assert all(before != after for before, after in itertools.pairwise(states))
        peaks = [event.high_water for event in of(log, EquityPeaked)]
        assert peaks == sorted(peaks)
        assert all(peak > D(CASH) for peak in peaks)
