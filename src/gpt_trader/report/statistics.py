"""Was it skill, or noise? Risk-adjusted figures from jquantstats, and a plain word where the run is too short.

Returns are those of equity net of transfers, over days, hours or bars: the longest period of which there are enough.
A year has 365.25 days, since perpetuals trade through. A figure that a run of this length cannot carry is not shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite, nan, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.report.curves import Curves
from gpt_trader.report.round_trips import RoundTrip

if TYPE_CHECKING:
    from jquantstats import Data

__all__ = ["Figure", "MonthReturns", "Period", "choose_period", "month_table", "returns_of", "statistics_of"]

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

DAY_SECONDS: Final = 86_400
HOUR_SECONDS: Final = 3600
YEAR_SECONDS: Final = 365.25 * DAY_SECONDS
RETURNS_MIN: Final = 30
"""Fewer returns have no deviation worth a name."""
DAYS_FOR_VOLATILITY: Final = 1
DAYS_FOR_RATIOS: Final = 30
DAYS_FOR_YEAR: Final = 90
TRIPS_MIN: Final = 30
"""Fewer closed trades say nothing of a rate."""
TAIL: Final = 0.05


@dataclass(frozen=True)
class Figure:
    """One line: a value, or why there is none."""

    name: str
    value: str
    note: str = ""
    missing: bool = False


@dataclass(frozen=True)
class Period:
    """How far apart the returns are."""

    name: str
    seconds: int

    @property
    def a_year(self) -> float:
        return YEAR_SECONDS / self.seconds


@dataclass(frozen=True)
class MonthReturns:
    """One year of the table; None where the run was not there."""

    year: int
    months: tuple[float | None, ...]
    whole: float


def choose_period(days: float, bar_seconds: int) -> Period:
    """Days where there are RETURNS_MIN of them, else hours, else the bars themselves."""
    if days >= RETURNS_MIN:
        return Period("day", DAY_SECONDS)
    if days * 24 >= RETURNS_MIN and bar_seconds <= HOUR_SECONDS:
        return Period("hour", HOUR_SECONDS)
    return Period("bar", bar_seconds)


def returns_of(times_ns: Times, equity: Floats, start: float, seconds: int) -> tuple[Times, Floats]:
    """(end of each period in UTC, return in it). The first begins with the run, the last ends with it.

    After equity has fallen to zero or below there are no returns to speak of: the series ends there.
    """
    number = (times_ns - 1) // (seconds * NS)  # a bar that closes on the boundary belongs to the period before it
    last = np.append(np.flatnonzero(np.diff(number)), len(number) - 1)
    worth = np.concatenate([[start], equity[last]])
    alive = int(np.argmax(worth <= 0)) if (worth <= 0).any() else len(worth)
    worth = worth[: alive + 1]
    return times_ns[last][: len(worth) - 1], worth[1:] / worth[:-1] - 1.0


def statistics_of(
    curves: Curves, trips: Sequence[RoundTrip], start_equity: Decimal, bar_seconds: int, start_ns: int
) -> list[Figure]:
    """The table of figures. Raises ConfigError where jquantstats is not installed."""
    worth = curves.equity - curves.transfers
    days = max(0.0, (int(curves.times_ns[-1]) - start_ns) / NS / DAY_SECONDS) if len(curves.times_ns) else 0.0
    period = choose_period(days, bar_seconds)
    ends, returns = returns_of(curves.times_ns, worth, float(start_equity), period.seconds)
    return [
        *_account_figures(curves, worth, float(start_equity), days),
        *_return_figures(ends, returns, period, days),
        *_trip_figures(trips),
    ]


# --- the account, whatever its length ---------------------------------------------------------------------------------
def _account_figures(curves: Curves, worth: Floats, start: float, days: float) -> Iterator[Figure]:
    yield Figure("Length", _length(days), f"{len(worth):,} bar closes")
    yield Figure("Total return", f"{worth[-1] / start - 1:+.3%}", "equity at the last price, net of transfers")
    fall = curves.drawdown
    deepest = int(np.argmin(fall))
    yield Figure("Maximum drawdown", f"{fall[deepest]:.3%}", "from the highest equity before it, at bar closes")
    yield Figure("Longest under water", _length(_under_water(curves.times_ns, fall)), "from a peak until it is passed")
    invested = np.mean(np.any([each.quantity != 0 for each in curves.symbols], axis=0))
    yield Figure("Time in the market", f"{invested:.1%}", "share of bar closes with a position")
    if np.isfinite(curves.exposure).any():
        yield Figure("Largest exposure", f"{np.nanmax(curves.exposure):.1%}", "of equity, at bar closes")
        yield Figure("Smallest margin headroom", f"{np.nanmin(curves.headroom):.1%}", "of equity, before liquidation")


def _under_water(times_ns: Times, fall: Floats) -> float:
    """Days of the longest stretch below a peak."""
    tops = np.append(np.flatnonzero(fall >= 0), len(fall) - 1)
    return float(np.max(np.diff(times_ns[tops]), initial=0)) / NS / DAY_SECONDS


# --- returns ----------------------------------------------------------------------------------------------------------
def _return_figures(ends: Times, returns: Floats, period: Period, days: float) -> Iterator[Figure]:
    count = len(returns)
    basis = f"{count:,} {period.name} returns"
    few = count < RETURNS_MIN or not np.any(returns)
    flat = " and equity moved" if not np.any(returns) else ""
    stats = None if few else _data(ends, returns).stats
    if stats is None or days < DAYS_FOR_VOLATILITY:
        yield _short("Volatility a year", f"needs {RETURNS_MIN} returns, a day{flat}; this run has {basis}")
    else:
        yield Figure("Volatility a year", f"{_of(stats.volatility(periods=period.a_year)):.2%}", basis)
    if stats is None or days < DAYS_FOR_RATIOS:
        wanted = f"needs {DAYS_FOR_RATIOS} days{flat}; this run has {_length(days)}"
        for name in ("Sharpe ratio a year", "Sortino ratio a year", "Chance that Sharpe is above 0"):
            yield _short(name, wanted)
    else:
        sharpe = _of(stats.sharpe(periods=period.a_year))
        error = _sharpe_error(sharpe, period.a_year, count, _of(stats.skew()), _of(stats.kurtosis()))
        yield Figure("Sharpe ratio a year", f"{sharpe:.2f} ± {error:.2f}", f"one standard error; {basis}, no interest")
        yield Figure("Sortino ratio a year", _number(_of(stats.sortino(periods=period.a_year))), basis)
        chance = NormalDist().cdf(sharpe / error) if error else nan
        yield Figure("Chance that Sharpe is above 0", f"{chance:.0%}", "probabilistic Sharpe ratio of this one sample")
    if stats is None or days < DAYS_FOR_YEAR:
        for name in ("Return a year", "Calmar ratio"):
            yield _short(name, f"needs {DAYS_FOR_YEAR} days{flat}; this run has {_length(days)}")
    else:
        yield Figure("Return a year", f"{_of(stats.cagr(periods=period.a_year)):+.2%}", "compounded")
        yield Figure("Calmar ratio", _number(_of(stats.calmar(periods=period.a_year))), "return a year by drawdown")
    if stats is None:
        yield _short("Shape of returns", f"needs {RETURNS_MIN} returns{flat}; this run has {basis}")
        return
    yield Figure(f"Best, worst {period.name}", f"{returns.max():+.3%}, {returns.min():+.3%}", basis)
    tail = _of(stats.conditional_value_at_risk(alpha=TAIL, method="historical"))
    yield Figure(f"Mean of the worst {TAIL:.0%}", f"{tail:+.3%}", f"conditional value at risk, a {period.name}")
    yield Figure("Skew, excess kurtosis", f"{_of(stats.skew()):.2f}, {_of(stats.kurtosis()):.2f}", basis)


def _data(ends: Times, returns: Floats) -> Data:
    try:
        import polars  # noqa: ICN001, PLC0415 - an extra, and slow to import
        from jquantstats import Data  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigError(
            "a report needs jquantstats, which is not part of the core. Fix: pip install 'gpt-trader[research]' "
            "(in a checkout: .venv/bin/pip install -e '.[research]')"
        ) from error
    frame = polars.DataFrame({"date": polars.Series(ends).cast(polars.Datetime("ns")), "run": returns})
    return Data.from_returns(frame, date_col="date")


def _sharpe_error(sharpe: float, a_year: float, count: int, skew: float, excess: float) -> float:
    """Standard error of the Sharpe ratio for returns that are not normal (Mertens 2002; Lo 2002 where they are).

    Ours, since jquantstats 0.13 takes the excess kurtosis for the kurtosis here.
    """
    each = sharpe / sqrt(a_year)
    return sqrt(max(0.0, 1 - skew * each + (excess + 2) / 4 * each * each) / count * a_year)


def _of(found: Mapping[str, float | None]) -> float:
    """The one series that there is; NaN where the library has no answer."""
    value = found["run"]
    return nan if value is None else float(value)


def _number(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "none"


def _short(name: str, why: str) -> Figure:
    return Figure(name, "too short", why, missing=True)


# --- trades -----------------------------------------------------------------------------------------------------------
def _trip_figures(trips: Sequence[RoundTrip]) -> Iterator[Figure]:
    count = len(trips)
    yield Figure("Round trips", f"{count:,}", "positions that were opened and closed")
    if not count:
        return
    nets = [trip.net for trip in trips]
    won, lost = [net for net in nets if net > 0], [net for net in nets if net < 0]
    yield Figure("Mean result", f"{sum(nets) / count:+,.2f}", "after fees and funding")
    held = float(np.median([trip.seconds for trip in trips])) / DAY_SECONDS
    yield Figure("Median time held", _length(held), "")
    if count < TRIPS_MIN:
        for name in ("Won", "Profit factor", "Mean won by mean lost"):
            yield Figure(name, "too few", f"needs {TRIPS_MIN} round trips; this run has {count}", missing=True)
        return
    low, high = _wilson(len(won), count)
    yield Figure("Won", f"{len(won) / count:.1%}", f"{len(won):,} of {count:,}; 95 %: {low:.0%} to {high:.0%}")
    if won and lost:
        gain, loss = float(sum(won)), -float(sum(lost))
        ratio = (gain / len(won)) / (loss / len(lost))
        yield Figure("Profit factor", f"{gain / loss:.2f}", "all that was won by all that was lost")
        yield Figure("Mean won by mean lost", f"{ratio:.2f}", "")


def _wilson(won: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a rate (Wilson 1927)."""
    rate, share = won / count, z * z / count
    middle, half = rate + share / 2, z * sqrt(rate * (1 - rate) / count + share / (4 * count))
    return (middle - half) / (1 + share), (middle + half) / (1 + share)


def _length(days: float) -> str:
    if days >= 2:
        return f"{days:,.1f} days"
    hours = days * 24
    if hours >= 2:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.1f} minutes"


# --- months -----------------------------------------------------------------------------------------------------------
def month_table(times_ns: Times, equity: Floats, start: float) -> list[MonthReturns]:
    """Return of every UTC month and year, net of transfers; the first and the last month may be partial."""
    if not len(times_ns) or start <= 0:
        return []
    months = (times_ns - 1).astype("M8[ns]").astype("M8[M]").astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(months)), len(months) - 1)
    found: dict[int, list[float | None]] = {}
    whole: dict[int, float] = {}
    before = year_before = start
    for index in last.tolist():
        year, month = 1970 + int(months[index]) // 12, int(months[index]) % 12
        if year not in found:
            found[year], year_before = [None] * 12, before
        value = float(equity[index])
        found[year][month] = value / before - 1 if before > 0 else None
        whole[year] = value / year_before - 1 if year_before > 0 else -1.0
        before = value
    return [MonthReturns(year, tuple(values), whole[year]) for year, values in found.items()]
