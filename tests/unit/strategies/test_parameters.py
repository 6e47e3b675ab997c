"""Declared parameters, and what is said of those that do not fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.config.risk import Setting
from gpt_trader.core.errors import ConfigError
from gpt_trader.strategies.breakout import BreakoutParameters
from gpt_trader.strategies.catalogue import BUILT_IN, find_strategy
from gpt_trader.strategies.ma_crossover import CrossoverParameters
from gpt_trader.strategies.parameters import StrategyParameters, declared, parameters_from, setting_of


def breakout(**parameters: str) -> BreakoutParameters:
    return parameters_from(BreakoutParameters, StrategyConfig(name="breakout", parameters=parameters), "breakout")


def test_numbers_come_from_the_configuration_checked() -> None:
    """Text of any layer becomes the declared type; what is not said keeps its default."""
    given = breakout(entry_bars="40")
    assert (given.entry_bars, given.exit_bars) == (40, 20)


def test_a_name_of_the_section_is_that_setting() -> None:
    """position_fraction and short_ma have one place each, whichever strategy reads them."""
    config = StrategyConfig(short_ma=3, long_ma=7, position_fraction=Decimal("0.2"))
    given = parameters_from(CrossoverParameters, config, "ma_crossover")
    assert (given.short_ma, given.long_ma, given.position_fraction) == (3, 7, Decimal("0.2"))
    assert setting_of("short_ma") == "strategy.short_ma"
    assert setting_of("entry_bars") == "strategy.parameters.entry_bars"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"entry_bar": "3"}, r"strategy\.parameters\.entry_bar = '3': breakout has no such parameter.*entry_bars"),
        ({"exit_bars": "x"}, r"strategy\.parameters\.exit_bars = 'x'.*from 2 to 10000"),
        ({"exit_bars": "1"}, r"strategy\.parameters\.exit_bars = '1'.*from 2 to 10000"),
        ({"exit_bars": "99"}, "exit_bars must not be longer than entry_bars"),
        ({"allow_shorts": "true"}, r"a setting of its own. Fix: set strategy\.allow_shorts"),
    ],
)
def test_what_does_not_fit_is_named_with_its_fix(parameters: dict[str, str], said: str) -> None:
    """The setting, the value, and what it may be."""
    with pytest.raises(ConfigError, match=said):
        breakout(**parameters)


class Unitless(StrategyParameters):
    bars: int = 3


class Needed(StrategyParameters):
    bars: Annotated[int, Setting("bars", "needed")] = Field(ge=1)


@pytest.mark.parametrize("model", [Unitless, Needed])
def test_a_number_without_unit_or_default_is_refused(model: type[StrategyParameters]) -> None:
    """Nobody could say what it means, or try the strategy as it is."""
    with pytest.raises(ConfigError, match="needs a unit and a default"):
        list(declared(model))


@pytest.mark.parametrize("name", BUILT_IN)
def test_searches_lie_inside_what_is_allowed(name: str) -> None:
    """No end of a proposed search is out of range by itself; two numbers may still contradict one another."""
    kind = find_strategy(StrategyConfig(name=name)).kind
    for each in kind.declared():
        for end in () if each.search is None else (each.search.low, each.search.high):
            assert not _out_of_range(kind.parameters, each.name, end), each.name


def _out_of_range(model: type[StrategyParameters], name: str, value: object) -> bool:
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        return any(detail["loc"] for detail in error.errors())
    return False


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_number_says_what_it_means(name: str) -> None:
    """Unit, meaning and default, for tables and searches."""
    for each in find_strategy(StrategyConfig(name=name)).kind.declared():
        assert each.unit
        assert each.meaning.endswith(".")
        assert each.default_text
