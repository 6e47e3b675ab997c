"""Are the statistics right where they are shown, and silent where the run is too short?"""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.builders import START_NS, D

from gpt_trader.core.clock import NS
from gpt_trader.core.values import Side
from gpt_trader.report.curves import Curves
from gpt_trader.report.round_trips import RoundTrip
from gpt_trader.report.statistics import Figure, choose_period, month_table, returns_of, statistics_of

DAY_NS = 86_400 * NS
MIDNIGHT_NS = START_NS // DAY_NS * DAY_NS
YEAR_DAYS = 365.25


def curves_of(equity: NDArray[np.float64], step_ns: int) -> Curves:
    """An account that held nothing at every step after midnight."""
    none = np.zeros(len(equity))
    return Curves(
        times_ns=MIDNIGHT_NS + step_ns * np.arange(1, len(equity) + 1),
        equity=equity,
        cash=equity,
        fees=none,
        funding=none,
        liquidation=none,
        price=equity - 100,
        transfers=none,
        initial_margin=none,
        maintenance_margin=none,
        symbols=(),
    )


def a_walk(days: int, seed: int = 1) -> NDArray[np.float64]:
    """Equity at the end of each day, from 100."""
    returns = np.random.default_rng(seed).normal(0.001, 0.01, days)
    return np.asarray(100.0 * np.cumprod(1.0 + returns), np.float64)


def figures_of(equity: NDArray[np.float64], *, bar_seconds: int = 86_400, trips: int = 0) -> dict[str, Figure]:
    curves = curves_of(equity, bar_seconds * NS)
    made = [a_trip(number) for number in range(trips)]
    return {each.name: each for each in statistics_of(curves, made, D(100), bar_seconds, MIDNIGHT_NS)}


def a_trip(number: int) -> RoundTrip:
    """Every third is won: 6, 6 lost by two of 2 each."""
    return RoundTrip(
        number=number,
        symbol="BTC-PERP",
        side=Side.BUY,
        opened_ns=START_NS,
        closed_ns=START_NS + 60 * NS,
        quantity=D(1),
        entry_price=D(100),
        exit_price=D(101),
        price_pnl=D(6) if number % 3 == 0 else D(-2),
        fees=D(0),
        funding=D(0),
        fills=2,
        arrival_cost=D(0),
        entry_reason="",
        exit_reason="",
    )


def daily(equity: NDArray[np.float64]) -> NDArray[np.float64]:
    worth = np.concatenate([[100.0], equity])
    return np.asarray(worth[1:] / worth[:-1] - 1, np.float64)


def test_ratios_are_those_of_daily_returns_and_a_year_of_every_day() -> None:
    """Reckoned anew: mean by deviation, times the root of 365.25."""
    equity = a_walk(120)
    returns = daily(equity)
    found = figures_of(equity)

    sharpe = returns.mean() / returns.std(ddof=1) * sqrt(YEAR_DAYS)
    downside = np.sqrt(np.mean(np.minimum(returns, 0) ** 2))
    assert found["Sharpe ratio a year"].value.startswith(f"{sharpe:.2f} ± ")
    assert found["Sortino ratio a year"].value == f"{returns.mean() / downside * sqrt(YEAR_DAYS):.2f}"
    assert found["Volatility a year"].value == f"{returns.std(ddof=1) * sqrt(YEAR_DAYS):.2%}"
    assert found["Return a year"].value == f"{(equity[-1] / 100) ** (YEAR_DAYS / 120) - 1:+.2%}"
    worst = np.sort(returns)[: int(np.ceil(0.05 * 120))].mean()
    assert found["Mean of the worst 5%"].value == f"{worst:+.3%}"


def test_the_error_of_a_sharpe_ratio_shrinks_with_the_root_of_time() -> None:
    """For small ratios it is the root of one by years, whatever the ratio is."""
    error = float(figures_of(a_walk(120))["Sharpe ratio a year"].value.split(" ± ")[1])

    assert error == pytest.approx(sqrt(YEAR_DAYS / 120), rel=0.05)


def test_a_drawdown_counts_from_the_highest_equity_before_it() -> None:
    """120 to 90 is a quarter."""
    assert figures_of(np.array([110.0, 120.0, 90.0, 130.0]))["Maximum drawdown"].value == "-25.000%"


@pytest.mark.parametrize(
    ("days", "name"), [(29, "Sharpe ratio a year"), (89, "Return a year"), (29, "Volatility a year")]
)
def test_a_short_run_says_so_instead_of_a_number(days: int, name: str) -> None:
    """Below its stated length a figure is not shown, and the length is."""
    found = figures_of(a_walk(days))[name]

    assert (found.value, found.missing) == ("too short", True)
    assert "needs" in found.note


def test_an_hour_of_minutes_has_no_volatility_a_year() -> None:
    """Sixty returns are enough to divide by, not to speak of a year."""
    found = figures_of(a_walk(60), bar_seconds=60)

    assert found["Volatility a year"].value == "too short"


def test_an_account_that_never_moved_has_no_ratios() -> None:
    """Nothing by nothing is not a number."""
    found = figures_of(np.full(120, 100.0))

    assert found["Sharpe ratio a year"].value == "too short"
    assert found["Total return"].value == "+0.000%"


def test_periods_are_the_longest_of_which_there_are_enough() -> None:
    """Days for a month and more, hours for days, else the bars."""
    assert [choose_period(days, 60).name for days in (31, 2, 0.5)] == ["day", "hour", "bar"]
    assert choose_period(31, 60).a_year == YEAR_DAYS


def test_returns_end_where_equity_does() -> None:
    """After zero there is nothing to earn on."""
    times = MIDNIGHT_NS + DAY_NS * np.arange(1, 5)

    _, returns = returns_of(times, np.array([50.0, 0.0, 0.0, 10.0]), 100.0, 86_400)

    assert returns.tolist() == [-0.5, -1.0]


def test_a_bar_that_closes_at_midnight_belongs_to_the_day_that_ended() -> None:
    """So a day has the bars that opened in it."""
    times = MIDNIGHT_NS + DAY_NS // 2 * np.arange(1, 5)

    ends, returns = returns_of(times, np.array([110.0, 121.0, 100.0, 242.0]), 100.0, 86_400)

    assert ends.tolist() == [MIDNIGHT_NS + DAY_NS, MIDNIGHT_NS + 2 * DAY_NS]
    assert returns == pytest.approx([0.21, 1.0])


def test_rates_of_trades_need_thirty_of_them() -> None:
    """Twenty-nine are too few; of thirty, ten won."""
    assert figures_of(a_walk(5), trips=29)["Won"].value == "too few"
    enough = figures_of(a_walk(5), trips=30)
    assert enough["Won"].value == "33.3%"
    assert enough["Profit factor"].value == "1.50"
    assert enough["Mean won by mean lost"].value == "3.00"


def test_months_compound_to_their_year() -> None:
    """From the middle of June to the end of July."""
    days = 46
    equity = a_walk(days)
    times = MIDNIGHT_NS + DAY_NS * np.arange(1, days + 1)

    (year,) = month_table(times, equity, 100.0)

    shown = [value for value in year.months if value is not None]
    assert [number for number, value in enumerate(year.months) if value is not None] == [5, 6]
    assert (1 + shown[0]) * (1 + shown[1]) - 1 == pytest.approx(year.whole)
    assert year.whole == pytest.approx(equity[-1] / 100 - 1)
