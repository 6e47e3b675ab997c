"""The carry."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import FundingStrategy, Want
from gpt_trader.strategies.funding_carry import HOUR_NS, HOURS_A_YEAR, FundingCarry, FundingCarryParameters


def carry(*, shorts: bool = True) -> FundingCarry:
    return FundingCarry(FundingCarryParameters(average_hours=3, allow_shorts=shorts))


def wants(strategy: FundingCarry, annual: Sequence[float | None], first: int = 0) -> list[tuple[int, Want]]:
    """One bar an hour, with the rate of a year that is told for it; None where none is."""
    found = []
    for hour, rate in enumerate(annual, first):
        if rate is not None:
            strategy.see_funding(rate / HOURS_A_YEAR)
        bar = Bar("BTC-PERP", hour * HOUR_NS, 100, 100, 100, 100, 1.0)
        if (signal := strategy.decide(bar, 0.0)) is not None:
            found.append((hour, signal.want))
    return found


def test_it_is_told_of_funding() -> None:
    """The bot asks by this protocol."""
    assert isinstance(carry(), FundingStrategy)


def test_it_stands_on_the_side_that_is_paid() -> None:
    """Short while longs pay 20 % a year, flat when they no longer do, long while shorts pay."""
    assert wants(carry(), [0.2] * 4 + [0.0] * 8 + [-0.3] * 6) == [(2, Want.SHORT), (6, Want.FLAT), (13, Want.LONG)]


def test_it_waits_for_enough_hours() -> None:
    """Two hours of the highest rate are not an average of three."""
    assert wants(carry(), [5.0, 5.0]) == []


def test_without_shorts_it_takes_the_long_side_only() -> None:
    """High funding is then none of its business."""
    assert wants(carry(shorts=False), [0.3] * 6) == []


def test_an_hour_without_a_rate_does_not_count() -> None:
    """Bars shown again after a restart bring no rate; nothing is made up for them."""
    assert wants(carry(), [0.2, None, None, 0.2, 0.2]) == [(4, Want.SHORT)]


def test_a_restarted_one_goes_on() -> None:
    """Average and hours come back from the saved state."""
    unbroken, restarted = carry(), carry()
    assert wants(unbroken, [0.1, 0.16]) == []
    restarted.restore({name: str(value) for name, value in unbroken.state().items()})
    assert wants(restarted, [0.3, 0.01, 0.0], 2) == wants(unbroken, [0.3, 0.01, 0.0], 2) != []
    assert restarted.state() == unbroken.state()


def test_the_numbers_must_be_in_order() -> None:
    """It would leave as soon as it has come."""
    with pytest.raises(ValueError, match="exit_annual must be smaller"):
        FundingCarryParameters.model_validate({"enter_annual": "0.1", "exit_annual": "0.2"})
