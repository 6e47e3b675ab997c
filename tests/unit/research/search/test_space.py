"""Is what a person writes as a range what is searched?"""

from __future__ import annotations

import pytest

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.core.errors import ConfigError
from gpt_trader.research.search.space import Dimension, grid, grid_size, parse_space


def spaces(*words: str, strategy: str = "ma_crossover") -> tuple[Dimension, ...]:
    return parse_space(words, StrategyConfig(name=strategy))


def test_ranges_and_lists_become_every_combination() -> None:
    """Whole numbers go in ones, decimals stay decimals, and the last name moves fastest."""
    space = spaces("short_ma=2:3", "trailing_stop_pct=0.01:0.03:0.01", "entry_tactic=market|twap")

    found = list(grid(space))

    assert grid_size(space) == len(found) == 2 * 3 * 2
    assert found[0] == {
        "strategy.short_ma": "2",
        "strategy.trailing_stop_pct": "0.01",
        "strategy.entry_tactic": "market",
    }
    assert [values["strategy.trailing_stop_pct"] for values in found[:6:2]] == ["0.01", "0.02", "0.03"]


def test_a_range_without_steps_has_no_grid() -> None:
    """It says how to give one."""
    space = spaces("trailing_stop_pct=0.01:0.03")

    assert grid_size(space) is None
    with pytest.raises(ConfigError, match="a range without a step has no grid"):
        list(grid(space))


def test_a_float_of_a_sampler_falls_on_its_step() -> None:
    """0.1 + 0.2 is a value of the range, not beside it."""
    (dimension,) = spaces("trailing_stop_pct=0.1:0.5:0.1")

    assert dimension.text(0.1 + 0.2) == "0.3"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("short_ma=", "not of the form name=values"),
        ("short_ma=5:2", "the bounds must rise"),
        ("short_ma=5:9:7", "not longer than the range"),
        ("short_ma=a:b", "a bound is not a number"),
        ("entry_tactic=market|market", "named twice"),
        ("shrt_ma=2:3", "did you mean"),
        ("interval_seconds|x=1:2", "no such setting"),
    ],
)
def test_what_cannot_be_searched_is_named_with_a_way_out(word: str, said: str) -> None:
    """Name, value and fix."""
    with pytest.raises(ConfigError, match=said.replace("|", r"\|")):
        spaces(word)


def test_a_setting_is_searched_once() -> None:
    """Two names of one setting would contradict one another."""
    with pytest.raises(ConfigError, match=r"are the same setting strategy\.short_ma"):
        spaces("short_ma=2:3", "strategy.short_ma=2:3")


def test_any_setting_can_be_named_by_its_last_part() -> None:
    """A strategy's own come first."""
    names = ("short_ma=2:3", "bar_half_spread_bps=1:2", "risk.max_leverage=1:3")

    assert [dimension.path for dimension in spaces(*names)] == [
        "strategy.short_ma",
        "venue.bar_half_spread_bps",
        "risk.max_leverage",
    ]


def test_a_parameter_without_values_is_searched_where_its_strategy_proposes() -> None:
    """And without any word all of them are."""
    (one,) = spaces("entry_bars", strategy="breakout")

    assert one.path == "strategy.parameters.entry_bars"
    assert one.values()[:2] == ("20", "30")
    assert one.size == 39
    assert [each.name for each in spaces(strategy="breakout")] == ["entry_bars", "exit_bars"]
    with pytest.raises(ConfigError, match="nothing that its strategy proposes"):
        spaces("max_leverage")
