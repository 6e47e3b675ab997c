"""Flags and limits of a bot that has been built: which source wins, what holds over a restart, what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D
from tests.house_under_test import House, a_house
from tests.steered import IMPACT, SIZING, Configuration

from gpt_trader.bot.steering import LATCH, RUNTIME, FlagState, Steering
from gpt_trader.config.bot import BotConfig
from gpt_trader.config.flags import FLAGS
from gpt_trader.config.risk import RiskConfig
from gpt_trader.config.tightness import NEEDS_RESTART, RELOADED, Change, judge
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    EngineSwapFailed,
    EngineSwapped,
    FlagCleared,
    FlagSet,
    LimitsChanged,
    OrderApproved,
    TradingSignalGenerated,
)
from gpt_trader.core.values import Mode

LIVE, ADVANCED = "LiveExecutionEngine", "AdvancedExecutionEngine"
ANN: dict[str, Any] = {"who": "ann", "reason": "a test"}
HUP: dict[str, Any] = {"who": "signal SIGHUP", "reason": "the signal was sent"}


class Steered:
    """A bot, its files, and the hand on its wheel."""

    def __init__(self, folder: Path, house: House, configuration: Configuration) -> None:
        self.house = house
        self.files = configuration
        self.steering: Steering = configuration.steering(house)

    @property
    def engine(self) -> str:
        return self.house.bot.engine.name

    def flag(self, name: str) -> FlagState:
        return next(state for state in self.steering.flags() if state.flag == name)

    def refused(self) -> str:
        with pytest.raises(ConfigError) as error:
            self.steering.reload(**HUP)
        return str(error.value)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    """`make(enable_market_impact_guard=True)` is a bot whose profile says so; `env`, `engine` as at its start."""
    opened: list[Any] = []

    def build(**asked: Any) -> Steered:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        configuration = Configuration(folder, **asked)
        manager = a_house(folder, configuration.load().config)
        opened.append(manager)
        return Steered(folder, manager.__enter__(), configuration)

    yield build
    for manager in opened:
        manager.__exit__(None, None, None)


# --- flags set by hand -------------------------------------------------------------------------------------------
def test_a_flag_set_by_hand_swaps_the_engine(make: Any) -> None:
    """Told with from, to, who and why; the flag says who set it."""
    bot = make(enable_market_impact_guard=True)

    bot.steering.set_flag(IMPACT, value=False, **ANN)

    (swap,) = bot.house.of(EngineSwapped)
    assert (swap.was, swap.engine, swap.who) == (ADVANCED, LIVE, "ann")
    assert "a test" in swap.reason
    assert bot.engine == LIVE
    state = bot.flag(IMPACT)
    assert (state.value, state.source, state.who, state.reason) == (False, RUNTIME, "ann", "a test")


def test_each_flag_switches_its_own_feature(make: Any) -> None:
    """From both to one is another furnishing of the same engine, and a swap too."""
    bot = make(enable_market_impact_guard=True, enable_dynamic_position_sizing=True)

    bot.steering.set_flag(SIZING, value=False, **ANN)

    (swap,) = bot.house.of(EngineSwapped)
    assert (swap.was, swap.engine, swap.dynamic_sizing, swap.impact_guard) == (ADVANCED, ADVANCED, False, True)


def test_unset_gives_the_flag_back_to_the_configuration(make: Any) -> None:
    """And the engine with it."""
    bot = make(enable_market_impact_guard=True)
    bot.steering.set_flag(IMPACT, value=False, **ANN)

    bot.steering.unset_flag(IMPACT, **ANN)

    assert bot.engine == ADVANCED
    assert bot.flag(IMPACT).source.startswith("profile ")
    assert [event.value for event in bot.house.of(FlagCleared)] == ["true"]


def test_there_is_nothing_to_unset_where_nothing_was_set(make: Any) -> None:
    """The answer says who decides."""
    with pytest.raises(ConfigError, match="nothing to unset; it is false by default"):
        make().steering.unset_flag(IMPACT, **ANN)


def test_a_latch_stands_over_every_source(make: Any) -> None:
    """It is ended by `unset` only."""
    bot = make(enable_market_impact_guard=True)
    bot.steering.latch_engine_off(who="rollout", reason="shortfall 4.2 bps over 3")
    assert bot.engine == LIVE

    with pytest.raises(ConfigError, match=r"latched false by rollout: shortfall 4\.2 bps over 3"):
        bot.steering.set_flag(IMPACT, value=True, **ANN)
    bot.files.write_env(RISK_ENABLE_MARKET_IMPACT_GUARD="true")
    assert "wanted true by env file" in bot.refused()
    assert bot.engine == LIVE

    bot.files.write_env()
    bot.steering.unset_flag(IMPACT, **ANN)
    assert bot.engine == ADVANCED


def test_turning_a_flag_off_ends_the_engine_option(make: Any) -> None:
    """`--engine advanced` holds until somebody takes the engine back."""
    bot = make(engine="advanced", enable_market_impact_guard=True)

    bot.steering.set_flag(IMPACT, value=False, **ANN)

    assert bot.engine == LIVE


def test_turning_a_flag_on_under_the_engine_option_is_refused(make: Any) -> None:
    """It would have no effect, and a word without effect is a lie."""
    bot = make(engine="live")

    with pytest.raises(ConfigError, match="--engine live overrides the flags"):
        bot.steering.set_flag(IMPACT, value=True, **ANN)
    assert bot.flag(IMPACT).value is False
    assert bot.house.of(FlagSet) == []


def test_an_engine_that_cannot_be_built_leaves_the_old_one(make: Any) -> None:
    """With the reason, and nothing else changed."""
    bot = make(enable_market_impact_guard=True)
    parts = bot.house.built.parts
    bot.house.built.parts = dataclasses.replace(parts, tactics={"market": parts.tactics["market"]})

    with pytest.raises(ConfigError, match=r"AdvancedExecutionEngine goes on, .* KeyError: 'simple_limit'"):
        bot.steering.set_flag(IMPACT, value=False, **ANN)

    assert bot.engine == ADVANCED
    assert bot.flag(IMPACT).value is True
    (failed,) = bot.house.of(EngineSwapFailed)
    assert (failed.engine, failed.who) == (ADVANCED, "ann")
    assert bot.house.of(EngineSwapped) == []


def test_what_the_new_engine_does_not_offer_goes_by_market(make: Any) -> None:
    """A rollback is not refused for a tactic; entries go by market within the collar, and the swap says so."""
    bot = make(strategy={"entry_tactic": "aggressive_limit"}, enable_market_impact_guard=True)

    bot.steering.latch_engine_off(**ANN)

    (swap,) = bot.house.of(EngineSwapped)
    assert swap.tactics == {"BTC-PERP": "aggressive_limit -> market"}
    signal = TradingSignalGenerated(
        at_ns=bot.house.clock.now_ns(),
        intent_id="i",
        strategy="s",
        symbol="BTC-PERP",
        action="LONG",
        bar_close_ns=bot.house.clock.now_ns(),
        fraction=D("0.01"),
        reference_price=D(60_000),
    )
    bot.house.run(lambda: bot.house.bot.on_trading_signal(signal, tactic="aggressive_limit"))
    (approved,) = bot.house.of(OrderApproved)
    assert approved.tactic == "market"


def test_a_preview_that_the_venue_does_not_have_is_refused(make: Any) -> None:
    """A flag that could only refuse everything is not taken."""
    bot = make()

    with pytest.raises(ConfigError, match="has no order preview"):
        bot.steering.set_flag("order_preview_enabled", value=True, **ANN)


# --- files -------------------------------------------------------------------------------------------------------
def test_false_in_a_file_wins_over_the_environment(make: Any) -> None:
    """For the flags that choose the engine, and set after the start: the rollback that works at three in the night."""
    bot = make(env={"RISK_ENABLE_MARKET_IMPACT_GUARD": "true"})
    bot.files.write_env(RISK_ENABLE_MARKET_IMPACT_GUARD="false")

    bot.steering.reload(**HUP)

    assert bot.engine == LIVE
    assert bot.flag(IMPACT).source.startswith("env file ")
    assert bot.flag(IMPACT).who == "signal SIGHUP"


def test_a_false_that_stood_there_at_the_start_does_not(make: Any) -> None:
    """It had lost when the bot began; only what is newly said counts."""
    bot = make(env={"RISK_ENABLE_MARKET_IMPACT_GUARD": "true"}, enable_market_impact_guard=False)

    bot.steering.reload(**HUP)

    assert bot.engine == ADVANCED


def test_a_file_that_says_true_again_ends_it(make: Any) -> None:
    """The file holds what it says."""
    bot = make(env={"RISK_ENABLE_MARKET_IMPACT_GUARD": "true"})
    bot.files.write_env(RISK_ENABLE_MARKET_IMPACT_GUARD="false")
    bot.steering.reload(**HUP)
    bot.files.write_env(RISK_ENABLE_MARKET_IMPACT_GUARD="true")

    bot.steering.reload(**HUP)

    assert bot.engine == ADVANCED


def test_a_reload_that_does_not_reach_what_is_wanted_fails_loudly(make: Any) -> None:
    """With wanted, effective and the source that won; nothing is changed."""
    bot = make(env={"RISK_ENABLE_PROTECTIVE_STOPS": "false"})
    bot.files.write_env(RISK_ENABLE_PROTECTIVE_STOPS="true", RISK_MAX_LEVERAGE=2)

    problem = bot.refused()

    assert "enable_protective_stops: wanted true by env file" in problem
    assert "effective false by environment RISK_ENABLE_PROTECTIVE_STOPS" in problem
    assert bot.steering.config.risk.max_leverage == 5
    assert bot.house.of(LimitsChanged) == []


def test_a_file_that_changes_ends_the_word_of_the_runtime(make: Any) -> None:
    """Who edits the file means it; a file that stays as it is leaves the word alone."""
    bot = make(enable_market_impact_guard=True)
    bot.steering.set_flag(SIZING, value=True, **ANN)
    bot.steering.reload(**HUP)
    assert bot.flag(SIZING).source == RUNTIME

    bot.files.write_env(RISK_ENABLE_DYNAMIC_POSITION_SIZING="false")
    bot.steering.reload(**HUP)

    assert bot.flag(SIZING).value is False
    assert bot.flag(SIZING).source.startswith("env file ")


def test_turning_off_is_never_held_back_by_the_rest_of_the_file(make: Any) -> None:
    """The reload fails for what needs a restart, and the engine is back all the same."""
    bot = make(enable_market_impact_guard=True)
    bot.files.write_env(RISK_ENABLE_MARKET_IMPACT_GUARD="false", TRADING_SYMBOLS="ETH-PERP")

    problem = bot.refused()

    assert problem.startswith("reload refused, LiveExecutionEngine trades on. Only a restart changes symbols: ")
    assert bot.engine == LIVE


def test_a_file_that_cannot_be_read_changes_nothing(make: Any) -> None:
    """With file, line and fix, as at the start."""
    bot = make(enable_market_impact_guard=True)
    bot.files.write_env(RISK_MAX_LEVERAGE="many")

    assert "RISK_MAX_LEVERAGE" in bot.refused()
    assert bot.engine == ADVANCED


# --- limits ------------------------------------------------------------------------------------------------------
def test_tighter_limits_hold_at_once(make: Any) -> None:
    """For rules, guards and engine; no swap is told, since the engine is the same."""
    bot = make(max_leverage=5)
    bot.files.write_env(RISK_MAX_LEVERAGE=2, RISK_REDUCE_ONLY_MODE="true")

    done = bot.steering.reload(**HUP)

    assert done.changed == {"risk.max_leverage": "2", "risk.reduce_only_mode": "true"}
    assert bot.house.built.parts.risk.config.max_leverage == 2
    assert bot.house.bot.guards.mode is Mode.REDUCE_ONLY
    (changed,) = bot.house.of(LimitsChanged)
    assert (changed.was["risk.max_leverage"], changed.values["risk.max_leverage"]) == ("5", "2")
    assert bot.house.of(EngineSwapped) == []


def test_looser_limits_wait_for_a_confirmation(make: Any) -> None:
    """What is tighter in the same file does not wait."""
    bot = make(max_leverage=5, max_position_size_pct=2)
    bot.files.write_env(RISK_MAX_LEVERAGE=9, RISK_MAX_POSITION_SIZE_PCT=1)

    done = bot.steering.reload(**HUP)

    assert (done.changed, done.held_back) == ({"risk.max_position_size_pct": "1"}, {"risk.max_leverage": "9"})
    assert bot.house.built.parts.risk.config.max_leverage == 5
    assert bot.steering.reload(**HUP, confirmed=True).changed == {"risk.max_leverage": "9"}
    assert bot.house.built.parts.risk.config.max_leverage == 9


def test_a_limit_that_is_built_in_needs_a_restart(make: Any) -> None:
    """It is refused by name rather than only seeming to act."""
    bot = make()
    bot.files.write_env(RISK_MARKET_COLLAR_BPS=50)

    assert "Only a restart changes risk.market_collar_bps: 100 -> 50" in bot.refused()


@pytest.mark.parametrize("name", sorted(RiskConfig.model_fields))
def test_every_limit_says_what_a_reload_does_with_it(name: str) -> None:
    """A new limit is put on one of the lists, or this fails."""
    assert (f"risk.{name}" in RELOADED) != (name in NEEDS_RESTART)


@pytest.mark.parametrize(
    ("path", "before", "after", "change"),
    [
        ("risk.max_leverage", 5, 4, Change.TIGHTER),
        ("risk.max_leverage", 4, 5, Change.LOOSER),
        ("risk.daily_loss_limit", D(0), D(100), Change.TIGHTER),
        ("risk.daily_loss_limit", D(100), D(0), Change.LOOSER),
        ("risk.daily_loss_limit", D(100), D(50), Change.TIGHTER),
        ("risk.min_liquidation_buffer_pct", D("0.1"), D("0.2"), Change.TIGHTER),
        ("risk.kill_switch_enabled", False, True, Change.TIGHTER),
        ("risk.kill_switch_enabled", True, False, Change.LOOSER),
        ("risk.max_notional_per_symbol", {}, {"BTC-PERP": D(5)}, Change.TIGHTER),
        ("risk.max_notional_per_symbol", {"BTC-PERP": D(5)}, {"BTC-PERP": D(6)}, Change.LOOSER),
        ("risk.max_notional_per_symbol", {"BTC-PERP": D(5)}, {}, Change.LOOSER),
        ("risk.daytime_start_utc", None, "08:00", Change.LOOSER),
        ("risk.market_collar_bps", D(100), D(50), Change.RESTART),
        ("symbols", ("A",), ("B",), Change.RESTART),
    ],
)
def test_what_a_change_does(path: str, before: object, after: object, change: Change) -> None:
    """Less is taken at once; zero is off where its text says so; what cannot be said is asked about."""
    assert judge(path, before, after) is change


# --- restarts ----------------------------------------------------------------------------------------------------
def again(make: Any, before: Steered, **asked: Any) -> Steered:
    """Another boot: what was told of flags is read from the log."""
    bot: Steered = make(**asked)
    bot.steering.recall(recorded.event for recorded in before.house.store.read())
    return bot


@pytest.mark.parametrize("latch", [False, True])
def test_what_was_set_by_hand_holds_over_a_restart(make: Any, *, latch: bool) -> None:
    """A rollback that a crash takes back is none."""
    bot = make(enable_market_impact_guard=True)
    bot.steering.set_flag(IMPACT, value=False, latch=latch, **ANN)

    after = again(make, bot, enable_market_impact_guard=True)

    assert after.engine == LIVE
    assert after.flag(IMPACT).source == (LATCH if latch else RUNTIME)
    assert after.flag(IMPACT).who == "ann"


def test_a_file_that_was_changed_meanwhile_ends_a_word_and_no_latch(make: Any) -> None:
    """Told as FlagCleared; a latch waits for a person."""
    bot = make(enable_market_impact_guard=True)
    bot.steering.set_flag(SIZING, value=True, **ANN)
    bot.steering.set_flag(IMPACT, value=False, latch=True, **ANN)

    after = again(make, bot, enable_market_impact_guard=True, enable_dynamic_position_sizing=False)

    assert [event.flag for event in after.house.of(FlagCleared)] == [SIZING]
    assert after.flag(IMPACT).source == LATCH
    assert after.engine == LIVE


def test_false_of_a_file_holds_over_a_restart_too(make: Any) -> None:
    """The environment that it won over is still there."""
    env = {"RISK_ENABLE_MARKET_IMPACT_GUARD": "true"}
    bot = make(env=env)
    bot.files.write_env(RISK_ENABLE_MARKET_IMPACT_GUARD="false")
    bot.steering.reload(**HUP)

    after: Steered = make(env=env)
    after.files.write_env(RISK_ENABLE_MARKET_IMPACT_GUARD="false")
    after.steering = after.files.steering(after.house)
    after.steering.recall(recorded.event for recorded in bot.house.store.read())

    assert after.engine == LIVE


def test_every_flag_has_a_state(make: Any) -> None:
    """Whatever was said of it."""
    assert [state.flag for state in make().steering.flags()] == [flag.name for flag in FLAGS]


def test_nothing_changes_by_a_reload_of_the_same_files(make: Any) -> None:
    """Not even a word is told."""
    bot = make(enable_market_impact_guard=True)
    before: BotConfig = bot.steering.config

    done = bot.steering.reload(**HUP)

    assert (done.changed, done.held_back, bot.steering.config) == ({}, {}, before)
    assert bot.house.of(LimitsChanged) == []
