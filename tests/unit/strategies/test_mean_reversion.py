"""The band."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, pstdev
from typing import Any

import pytest

from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Signal, Want
from gpt_trader.strategies.mean_reversion import MeanReversion, MeanReversionParameters


def signals(closes: Sequence[float], **changes: Any) -> list[tuple[int, Signal]]:
    chosen = {"mean_bars": 10, "entry_deviations": 2, "exit_deviations": "0.5", "allow_shorts": True, **changes}
    strategy = MeanReversion(MeanReversionParameters.model_validate(chosen))
    found = []
    for place, close in enumerate(closes):
        bar = Bar("BTC-PERP", place, close, close, close, close, 1.0)
        if (signal := strategy.decide(bar, 0.0)) is not None:
            found.append((place, signal))
    return found


CALM = [100.0, 101.0] * 5


def test_it_buys_what_fell_far_and_sells_what_came_back() -> None:
    """A fall of more than two deviations, then the old prices again."""
    found = signals([*CALM, 95, 100, 101])
    assert [(place, signal.want) for place, signal in found] == [(10, Want.LONG), (11, Want.FLAT)]


def test_the_distance_is_that_of_the_last_bars() -> None:
    """Mean and population deviation over the window, this close counted in."""
    window = [*CALM[1:], 95.0]
    ((_, signal), *_) = signals([*CALM, 95])
    assert float(signal.inputs["distance_deviations"]) == pytest.approx((95 - mean(window)) / pstdev(window))


def test_it_sells_what_rose_far_only_where_it_may() -> None:
    """The other way round."""
    assert [signal.want for _, signal in signals([*CALM, 106])] == [Want.SHORT]
    assert signals([*CALM, 106], allow_shorts=False) == []


def test_it_does_not_wait_for_ever() -> None:
    """Given up after two bars, and not taken again before the price was back by itself."""
    found = signals([*CALM, 95, 93, 90, 88, 80], hold_bars_max=2)
    assert [(place, signal.want) for place, signal in found] == [(10, Want.LONG), (12, Want.FLAT)]


def test_a_price_that_stands_still_says_nothing() -> None:
    """No deviation, no distance."""
    assert signals([100.0] * 30) == []
