"""Are volatility and volume of a day those of the bars that were seen?"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from gpt_trader.core.clock import NS
from gpt_trader.core.values import Bar
from gpt_trader.market.statistics import BARS_MIN, BarStatistics


def bars_of(closes: list[float], bar_seconds: int = 60, volume: float = 2.0) -> list[Bar]:
    return [
        Bar("BTC-PERP", (n + 1) * bar_seconds * NS, close, close, close, close, volume)
        for n, close in enumerate(closes)
    ]


def a_walk(count: int, sigma: float) -> list[float]:
    return [float(close) for close in 100.0 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, sigma, count)))]


def fed(closes: list[float], bar_seconds: int = 60) -> BarStatistics:
    statistics = BarStatistics(bar_seconds)
    for bar in bars_of(closes, bar_seconds):
        statistics.add(bar)
    return statistics


def test_nothing_is_said_before_enough_bars() -> None:
    """Thirty returns need thirty-one bars."""
    assert fed(a_walk(BARS_MIN, 0.001)).values().sigma_day is None
    assert fed(a_walk(BARS_MIN + 1, 0.001)).values().sigma_day is not None
    assert fed(a_walk(BARS_MIN - 1, 0.001)).values().volume_day is None


@pytest.mark.parametrize("bar_seconds", [5, 60, 300])
def test_a_day_is_reckoned_from_the_real_bar_length(bar_seconds: int) -> None:
    """The deviation of a bar's return times the root of bars in a day."""
    closes = a_walk(200, 0.001)
    returns = [np.log(after / before) for before, after in pairwise(closes)]

    expected = np.std(returns, ddof=1) * np.sqrt(86_400 / bar_seconds)

    assert float(fed(closes, bar_seconds).values().sigma_day or 0) == pytest.approx(expected, abs=2e-9)


@pytest.mark.parametrize("asked_every", [1, 7, 5000])
def test_figures_do_not_depend_on_when_they_are_asked_for(asked_every: int) -> None:
    """Three days of minutes, read one by one, in sevens, or at once."""
    statistics, asked_once = BarStatistics(60), BarStatistics(60)
    bars = bars_of(a_walk(3 * 1440 + 100, 0.001))
    for number, bar in enumerate(bars):
        statistics.add(bar)
        asked_once.add(bar)
        if number % asked_every == 0:
            statistics.values()

    assert statistics.values() == asked_once.values()
    assert statistics.bar_sigma == asked_once.bar_sigma
    assert statistics.day_volatility == asked_once.day_volatility


def test_the_volatility_of_a_day_begins_anew_at_midnight() -> None:
    """The bar that closes at 00:00 UTC is the first whose return counts for the new day."""
    stormy = a_walk(1439, 0.01)
    returns = [0.001, -0.002, 0.003]
    closes = [*stormy, *(stormy[-1] * np.exp(np.cumsum(returns))).tolist()]

    assert float(fed(closes).day_volatility or 0) == pytest.approx(np.sqrt(np.sum(np.square(returns))), abs=1e-9)


def test_volume_of_a_day_is_scaled_from_what_was_seen() -> None:
    """Two units a minute are 2,880 a day."""
    assert fed(a_walk(100, 0.001)).values().volume_day == Decimal("2880.000000")


def test_only_the_newest_day_counts() -> None:
    """After a day of calm, the storm before it is forgotten."""
    calm = [100.0 + 0.01 * (n % 2) for n in range(1441)]

    assert fed([*a_walk(500, 0.01), *calm]).values() == fed(calm).values()
