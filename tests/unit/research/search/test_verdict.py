"""Is noise called noise, and an edge called real? The verdict code on markets of which the truth is known.

The markets are made here: a year of hours, 36 moving-average crosses whose returns are reckoned in arrays (no costs,
no order life), and then walk-forward, evidence and verdict as `gpt-trader optimize` takes them.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gpt_trader.market.view import Floats
from gpt_trader.research.search.measures import find_measure
from gpt_trader.research.search.reality_check import reality_check
from gpt_trader.research.search.trial import Outcome, State
from gpt_trader.research.search.verdict import Finding, Verdict, days_to_settle, judge, period_returns, weigh
from gpt_trader.research.search.walk_forward import Scheme, cut_folds, walk_forward

HOURS = 365 * 24
SETS = [(short, long) for short in (4, 8, 12, 16, 24, 36) for long in (48, 72, 96, 120, 168, 240)]
PLANTED = (12, 96)
SIGMA = 0.006


def a_path(seed: int, sharpe: float, hours: int) -> Floats:
    """Logarithms of prices that drift for an hour where one of the crosses says, so that it earns this annual Sharpe
    ratio; at 0 a random walk."""
    noise = np.random.default_rng(seed).standard_normal(hours) * SIGMA
    drift = sharpe * SIGMA / np.sqrt(365.25 * 24)
    short, long = PLANTED
    prices, sums = [0.0], [0.0, 0.0]
    for hour in range(hours):
        side = 0.0
        if hour >= long:
            above = (sums[-1] - sums[-1 - short]) / short > (sums[-1] - sums[-1 - long]) / long
            side = 1.0 if above else -1.0
        prices.append(prices[-1] + drift * side + float(noise[hour]))
        sums.append(sums[-1] + prices[-1])
    return np.array(prices)


def an_outcome(number: int, prices: Floats, short: int, long: int) -> Outcome:
    sums = np.concatenate([[0.0], np.cumsum(prices[:-1])])
    ends = np.arange(long, len(sums))
    sides = np.zeros(len(prices) - 1)
    sides[long - 1 :] = np.sign((sums[ends] - sums[ends - short]) / short - (sums[ends] - sums[ends - long]) / long)
    curve = np.cumprod(np.concatenate([[1.0], 1.0 + sides * np.diff(prices)]))
    return Outcome(number, {}, State.COMPLETE, curve=tuple(curve.tolist()))


def the_verdict(seed: int, sharpe: float, hours: int = HOURS) -> Verdict:
    prices = a_path(seed, sharpe, hours)
    outcomes = [an_outcome(number, prices, *lengths) for number, lengths in enumerate(SETS)]
    folds = cut_folds(hours, Scheme.ANCHORED)
    forward = walk_forward(folds, lambda _: (0, outcomes), find_measure("sharpe"), 3600)
    return judge(weigh([np.array(outcome.curve) for outcome in outcomes], forward.curve, 3600, seed))


def findings(sharpe: float, seeds: range) -> Counter[Finding]:
    return Counter(the_verdict(seed, sharpe).finding for seed in seeds)


def test_a_year_of_noise_is_called_noise() -> None:
    """Six seeds of the hundred that the long test takes."""
    assert findings(0.0, range(6))[Finding.NOISE] == 6


def test_a_large_edge_is_called_real() -> None:
    """An annual Sharpe ratio of 6 cannot be missed in a year."""
    assert findings(6.0, range(3))[Finding.REAL] == 3


@pytest.mark.long
def test_of_a_hundred_years_of_noise_95_are_called_noise() -> None:
    """`pytest -m long tests/unit/research/search/test_verdict.py`; half a minute."""
    found = findings(0.0, range(100))

    assert found[Finding.NOISE] >= 95, found


@pytest.mark.long
def test_of_a_hundred_planted_edges_of_sharpe_3_over_a_year_70_are_called_real() -> None:
    """`pytest -m long tests/unit/research/search/test_verdict.py`; half a minute."""
    found = findings(3.0, range(100, 200))

    assert found[Finding.REAL] >= 70, found


def test_a_month_is_too_short_to_tell() -> None:
    """31 days show an annual Sharpe ratio only beyond 6.7."""
    verdict = the_verdict(3, 0.0, 31 * 24)

    assert verdict.finding is Finding.TOO_SHORT
    assert "only beyond ±6.7" in verdict.headline


def test_what_loses_beyond_luck_is_said_to_lose() -> None:
    """A month of a small sure loss an hour is enough."""
    hours = 31 * 24
    returns = np.random.default_rng(5).standard_normal(hours) * 0.0005 - 0.0002
    outcome = Outcome(0, {}, State.COMPLETE, curve=tuple(np.cumprod(np.concatenate([[1.0], 1.0 + returns])).tolist()))
    forward = walk_forward(cut_folds(hours, Scheme.ANCHORED), lambda _: (0, [outcome]), find_measure("sharpe"), 3600)

    verdict = judge(weigh([np.array(outcome.curve)], forward.curve, 3600, 1))

    assert verdict.finding is Finding.LOSES
    assert "no number of days" in verdict.reasons[-1]


def test_an_edge_of_3_needs_most_of_a_year() -> None:
    """Twice the ratio needs a quarter of the days; without one no number settles it."""
    assert days_to_settle(3.0) == pytest.approx(250, abs=2)
    assert days_to_settle(6.0) == pytest.approx(250 / 4, abs=1)
    assert days_to_settle(-1.0) is None


def test_returns_are_of_days_where_there_are_enough() -> None:
    """Below twenty days the curve's own steps say more."""
    curve = np.cumprod(np.full(21 * 24 + 1, 1.001))

    days, seconds = period_returns(curve, 3600)
    hours, shorter = period_returns(curve[: 19 * 24], 3600)

    assert (len(days), seconds, shorter) == (21, 86_400, 3600)
    assert days[0] == pytest.approx(1.001**24 - 1)
    assert hours[0] == pytest.approx(0.001)


def test_many_sets_that_are_one_count_as_one() -> None:
    """The reality check draws the same days for all, so a copy adds no chance of luck."""
    one = np.random.default_rng(1).standard_normal((1, 300)) * 0.01 + 0.001

    alone, copied = reality_check(one, 7), reality_check(np.repeat(one, 20, axis=0), 7)

    assert alone.chance == copied.chance
    assert alone.needed == pytest.approx(copied.needed)


def test_more_different_sets_need_a_better_best() -> None:
    """The best of a hundred coins has won too."""
    draw = np.random.default_rng(2)
    few, many = (reality_check(draw.standard_normal((count, 300)), 7) for count in (2, 100))

    assert many.needed > few.needed > 1.9


def test_sets_that_never_traded_are_no_evidence() -> None:
    """Nothing is better than luck where nothing moved."""
    assert reality_check(np.zeros((3, 50)), 1).chance == 1.0
