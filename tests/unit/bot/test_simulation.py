"""Is a run made of what was asked for, known by what determines it, and stopped in order by a signal?"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.builders import MINUTE_NS, a_product, some_bars
from tests.house_under_test import a_house

from gpt_trader.bot.simulation import Watched, identify, open_configured_market, stop_on_signal
from gpt_trader.config.load import Loaded, load
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.catalog_writer import import_market
from gpt_trader.market.memory import ArrayStream


def loaded(env: Mapping[str, str] | None = None, **overrides: Any) -> Loaded:
    """dev_entry with overrides by setting, dots as double underscores."""
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load("dev_entry", overrides=named, env=env or {})


# --- the market -------------------------------------------------------------------------------------------------------
def test_the_made_up_market_is_as_long_as_the_duration(tmp_path: Path) -> None:
    """A day when nothing is said."""
    lengths = {
        duration: open_configured_market(loaded(run__duration=duration).config, tmp_path) for duration in (None, "90m")
    }

    assert {name: (each.end_ns - each.start_ns) // 10**9 for name, each in lengths.items()} == {
        None: 86_400,
        "90m": 5_400,
    }


def test_another_venue_is_never_replaced_by_the_simulated_one(tmp_path: Path) -> None:
    """Whoever asks for a real one and gets a made-up one would believe its figures."""
    with pytest.raises(ConfigError, match=r"venue.kind = 'coinbase' \(profile dev_entry\)"):
        open_configured_market(loaded(venue__kind="coinbase").config, tmp_path)


def test_a_dataset_of_the_catalog_is_a_market(tmp_path: Path) -> None:
    """By its name."""
    stream = ArrayStream([a_product()], some_bars(*range(11_900, 12_000)), name="mine")
    import_market(tmp_path, "mine", stream, now_ns=MINUTE_NS, sources=())

    opened = open_configured_market(loaded(venue__market="mine").config, tmp_path)

    assert (opened.name, opened.start_ns, opened.end_ns) == ("mine", stream.start_ns, stream.end_ns)


def test_a_word_that_is_no_market_is_answered_with_those_there_are(tmp_path: Path) -> None:
    """The made-up one and the datasets."""
    stream = ArrayStream([a_product()], some_bars(*range(11_900, 12_000)), name="mine")
    import_market(tmp_path, "mine", stream, now_ns=MINUTE_NS, sources=())

    with pytest.raises(ConfigError, match=r"'main': neither a file nor one of the markets there are \(synthetic, mine"):
        open_configured_market(loaded(venue__market="main").config, tmp_path)


# --- what it is known by ----------------------------------------------------------------------------------------------
def run_id(tmp_path: Path, **overrides: Any) -> str:
    chosen = loaded(run__duration="1h", **overrides)
    return identify(chosen, open_configured_market(chosen.config, tmp_path), tmp_path).identity.run_id


def test_the_same_settings_seed_and_market_are_the_same_run(tmp_path: Path) -> None:
    """So that its log can be compared with that of another day."""
    assert run_id(tmp_path) == run_id(tmp_path)


@pytest.mark.parametrize(
    "changes", [{"run__seed": 8}, {"strategy__short_ma": 4}, {"symbols": "ETH-PERP"}, {"run__engine": "live"}]
)
def test_another_seed_or_setting_is_another_run(tmp_path: Path, changes: Mapping[str, Any]) -> None:
    """Whatever could change the log changes the name."""
    assert run_id(tmp_path, **changes) != run_id(tmp_path)


def test_pace_is_no_part_of_what_a_run_is(tmp_path: Path) -> None:
    """It changes how long one waits for it."""
    assert run_id(tmp_path, run__pace="60x") == run_id(tmp_path)


# --- looking and stopping ---------------------------------------------------------------------------------------------
class _Steps:
    """A world that moves as told."""

    def advance(self, until_ns: int | None) -> int:
        return until_ns or 0


def test_a_watched_world_is_looked_at_after_each_move() -> None:
    """And moves as the world itself does."""
    looks: list[int] = []
    world = Watched(_Steps(), lambda: looks.append(1))

    assert [world.advance(until_ns) for until_ns in (5, 9)] == [5, 9]
    assert len(looks) == 2


def test_the_first_signal_asks_and_the_second_is_the_systems_own(tmp_path: Path) -> None:
    """Somebody who presses Ctrl-C twice means it."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with a_house(tmp_path) as house:

            async def scenario() -> str:
                with stop_on_signal(house.bot):
                    os.kill(os.getpid(), signal.SIGTERM)
                    reason = await house.bot.run_until_stopped()
                    assert heard == []
                    os.kill(os.getpid(), signal.SIGTERM)
                return reason

            assert house.run(scenario) == "stopped by SIGTERM"
    finally:
        signal.signal(signal.SIGTERM, before)

    assert heard == [signal.SIGTERM]


def test_signals_are_given_back_after_the_run(tmp_path: Path) -> None:
    """Whoever calls us keeps his own."""
    before = signal.getsignal(signal.SIGINT)
    with a_house(tmp_path) as house, stop_on_signal(house.bot):
        assert signal.getsignal(signal.SIGINT) is not before

    assert signal.getsignal(signal.SIGINT) is before
