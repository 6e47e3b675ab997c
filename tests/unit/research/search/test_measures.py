"""Do the figures say what they are called?"""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest

from gpt_trader.core.errors import ConfigError
from gpt_trader.research.search.measures import MEASURES, YEAR_SECONDS, find_measure, returns_of


def test_sharpe_is_the_mean_by_the_deviation_a_year() -> None:
    """Reckoned by hand for three returns of a day."""
    curve = np.array([100.0, 101.0, 100.0, 103.0])
    returns = np.array([0.01, 100 / 101 - 1, 0.03])
    expected = returns.mean() / returns.std(ddof=1) * sqrt(365.25)

    assert find_measure("sharpe").value(curve, {}, 86_400) == pytest.approx(expected)


def test_an_account_that_never_moved_has_a_ratio_of_zero() -> None:
    """Rounding is not movement, and nothing is divided by it."""
    still = np.full(10, 100_000.0)

    assert [find_measure(name).value(still, {}, 3600) for name in ("sharpe", "sortino", "calmar")] == [0, 0, 0]


def test_drawdown_and_return_are_shares() -> None:
    """From the highest value before it, and from the start."""
    curve = np.array([100.0, 120.0, 90.0, 110.0])

    assert find_measure("drawdown").value(curve, {}, 60) == pytest.approx(0.25)
    assert find_measure("return").value(curve, {}, 60) == pytest.approx(0.10)
    assert not find_measure("drawdown").rises


def test_after_the_account_was_empty_there_are_no_returns() -> None:
    """What would divide by nothing is not said."""
    assert len(returns_of(np.array([100.0, 50.0, 0.0, 10.0]))) == 2


def test_what_a_run_does_not_have_is_missing() -> None:
    """It is not zero."""
    assert isnan(find_measure("shortfall_bps").value(np.ones(3), {}, YEAR_SECONDS))
    with pytest.raises(ConfigError, match="did you mean sharpe"):
        find_measure("sharp")
    assert MEASURES["fill_share"].needs_costs
