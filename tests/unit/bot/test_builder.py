"""Is the bot wired as configured, is what cannot be built refused by name, and does the log begin with what it is?"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, a_product, some_bars
from tests.house_under_test import a_config, a_house

from gpt_trader.bot.builder import check_buildable
from gpt_trader.config.bot import BotConfig, StrategyConfig
from gpt_trader.core.clock import VirtualClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import BootStarted, EngineSelected, OrderRefused, RunStarted
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.memory import ArrayStream
from gpt_trader.strategies.catalogue import make_strategy


def an_exchange() -> PaperExchange:
    stream = ArrayStream([a_product()], some_bars(12_000, 12_010))
    return PaperExchange(stream, clock=VirtualClock(stream.start_ns), cash=a_config().venue.starting_cash)


def configured(**sections: Any) -> BotConfig:
    return BotConfig.model_validate({"profile": "test", **sections})


@pytest.mark.parametrize(
    ("flags", "engine"),
    [
        ({}, "LiveExecutionEngine"),
        ({"enable_dynamic_position_sizing": True}, "AdvancedExecutionEngine"),
        ({"enable_market_impact_guard": True}, "AdvancedExecutionEngine"),
        ({"enable_dynamic_position_sizing": True, "enable_market_impact_guard": True}, "AdvancedExecutionEngine"),
    ],
)
def test_the_flags_choose_the_engine(tmp_path: Path, flags: dict[str, bool], engine: str) -> None:
    """And the selection that says why goes with the bot."""
    with a_house(tmp_path, a_config(**flags)) as house:
        assert house.bot.engine.name == engine
        assert house.built.selection.advanced == (engine == "AdvancedExecutionEngine")


def test_the_log_begins_with_what_the_run_is(tmp_path: Path) -> None:
    """Before anything is decided: the run, the boot, the engine and why."""
    with a_house(tmp_path) as house:
        first = [recorded.event for recorded in house.store.read()]

    kinds = [type(event) for event in first]
    assert kinds[:2] == [RunStarted, BootStarted]
    assert kinds[-1] is EngineSelected
    started = first[0]
    assert isinstance(started, RunStarted)
    assert (started.run_id, started.profile, started.cash) == ("test-run", "test", D(100_000))


def test_every_symbol_has_a_strategy_of_its_own() -> None:
    """One that served two would mix their averages."""
    settings = StrategyConfig()

    assert make_strategy(settings) is not make_strategy(settings)


def test_the_strategy_is_as_configured() -> None:
    """Its warm-up follows from the longer average."""
    short, long = (make_strategy(StrategyConfig(short_ma=2, long_ma=bars)) for bars in (5, 50))

    assert long.warmup_bars - short.warmup_bars == 45


def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    """By the name of the setting."""
    with pytest.raises(
        ConfigError, match=r"strategy.name = 'astrology': no such strategy. Fix: choose one of breakout"
    ):
        check_buildable(configured(strategy={"name": "astrology"}), an_exchange())


@pytest.mark.parametrize("tactic", ["aggressive_limit", "post_only_chase", "twap", "iceberg"])
def test_a_tactic_that_the_baseline_lacks_is_refused(tactic: str) -> None:
    """When the bot is built, not order by order; the advanced engine has it."""
    strategy = {"entry_tactic_per_symbol": {"BTC-PERP": tactic}}
    with pytest.raises(
        ConfigError, match=rf"entry_tactic = '{tactic}' \(BTC-PERP\): the baseline engine offers market"
    ):
        check_buildable(configured(strategy=strategy, run={"engine": "live"}), an_exchange())
    assert check_buildable(configured(strategy=strategy, run={"engine": "advanced"}), an_exchange()).advanced


def test_a_preview_that_the_venue_lacks_is_refused() -> None:
    """Rather than trading without what was asked for."""
    with pytest.raises(
        ConfigError,
        match=r"order_preview_enabled = true: the venue .* has no .* preview. Fix: ORDER_PREVIEW_ENABLED=false",
    ):
        check_buildable(configured(execution={"order_preview_enabled": True}), an_exchange())


def test_checking_needs_no_store() -> None:
    """So that whoever makes one can ask first."""
    assert check_buildable(configured(), an_exchange()).reason.startswith("enable_dynamic_position_sizing=")


@pytest.mark.parametrize("setting", ["dry_run", "read_only"])
def test_dry_run_and_read_only_send_nothing(tmp_path: Path, setting: str) -> None:
    """Whichever of the two says it."""
    section = {"run": {"dry_run": True}} if setting == "dry_run" else {"venue": {"read_only": True}}
    config = configured(strategy={"short_ma": 1, "long_ma": 2}, risk=a_config().risk, **section)
    prices = random.Random(7)
    stream = ArrayStream([a_product()], some_bars(*(12_000 + prices.randrange(-60, 60) for _ in range(90))))
    with a_house(tmp_path, config, stream) as house:

        async def scenario() -> None:
            await house.bot.run_until_stopped(stream.end_ns)

        house.run(scenario)

        assert {event.code for event in house.of(OrderRefused)} == {"dry_run"}
        assert house.adapter.bodies == []
