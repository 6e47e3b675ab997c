"""How much of a result is luck? A Sharpe ratio beside what as many tries would have found by chance, and entries beside
entries at random.

Sources: Bailey and Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier" (probabilistic Sharpe ratio, minimum
track record length), and (2014), "The Deflated Sharpe Ratio". Random entries: a permutation test, see Good (2005),
"Permutation, Parametric, and Bootstrap Tests of Hypotheses".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, inf, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from gpt_trader.core.values import Side
from gpt_trader.market.view import Floats, Ints
from gpt_trader.report.price_path import SymbolPrices
from gpt_trader.report.round_trips import RoundTrip

__all__ = [
    "ENTRY_LEVEL",
    "Moments",
    "RandomEntries",
    "best_of_luck",
    "deflated_sharpe",
    "entries_beside_random",
    "moments_of",
    "returns_needed",
    "sharpe_above",
]

ENTRY_LEVEL: Final = 0.02
"""A rule of entry that means nothing passes in one market of fifty."""
TRIPS_MIN: Final = 10
"""Fewer round trips than these cannot tell a rule from chance."""
EULER_MASCHERONI: Final = 0.5772156649015329
_NORMAL: Final = NormalDist()


@dataclass(frozen=True)
class Moments:
    """What is known of a series of returns. Sharpe ratios are those of one period: not annual."""

    count: int
    sharpe: float
    skew: float
    kurtosis: float
    """3 for normal returns."""


@dataclass(frozen=True)
class RandomEntries:
    """A rule's round trips beside the same ones at other times."""

    trips: int
    mean: float
    """Log return of one round trip before costs, as it was."""
    random_mean: float
    """The same, on average over all draws."""
    random_deviation: float
    chance: float | None
    """Share of draws that earned as much or more; None with fewer than TRIPS_MIN round trips."""

    @property
    def significant(self) -> bool:
        return self.chance is not None and self.chance < ENTRY_LEVEL


def moments_of(returns: Floats) -> Moments | None:
    """None where there are fewer than three returns, or all are alike."""
    if len(returns) < 3 or float(np.ptp(returns)) == 0.0:
        return None
    deviation = float(returns.std(ddof=1))
    centred = (returns - returns.mean()) / returns.std()
    return Moments(
        count=len(returns),
        sharpe=float(returns.mean()) / deviation,
        skew=float((centred**3).mean()),
        kurtosis=float((centred**4).mean()),
    )


def _spread(known: Moments, sharpe: float) -> float:
    """Standard deviation of an estimated Sharpe ratio, times the root of the number of returns (2012, eq. 8)."""
    return sqrt(max(1e-12, 1 - known.skew * sharpe + (known.kurtosis - 1) / 4 * sharpe * sharpe))


def sharpe_above(known: Moments, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above `benchmark`, per period (probabilistic Sharpe ratio, 2012)."""
    error = _spread(known, known.sharpe) / sqrt(known.count - 1)
    return _NORMAL.cdf((known.sharpe - benchmark) / error)


def best_of_luck(tries: int, variance: float) -> float:
    """Sharpe ratio that the best of `tries` has by chance, where none earns anything and their ratios vary by
    `variance` (2014, eq. 6). Zero for one try."""
    if tries <= 1:
        return 0.0
    first, second = _NORMAL.inv_cdf(1 - 1 / tries), _NORMAL.inv_cdf(1 - 1 / (tries * e))
    return sqrt(variance) * ((1 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second)


def deflated_sharpe(known: Moments, tries: int, variance: float | None = None) -> float:
    """Probability that it is better than the best of `tries` by luck (deflated Sharpe ratio, 2014).

    `variance` is that of the Sharpe ratios of all tries, per period; where it was not kept, that of ratios which earn
    nothing, 1 / (count - 1), is taken: the least that tries of one length can have.
    """
    return sharpe_above(known, best_of_luck(tries, 1 / (known.count - 1) if variance is None else variance))


def returns_needed(known: Moments, level: float, benchmark: float = 0.0) -> float:
    """Returns after which the true ratio would be known to be above `benchmark` (minimum track record length, 2012);
    infinite where what was seen is not above it. `level` is the chance of being wrong."""
    if known.sharpe <= benchmark:
        return inf
    sure = _NORMAL.inv_cdf(1 - level)
    return 1 + (_spread(known, known.sharpe) * sure / (known.sharpe - benchmark)) ** 2


def entries_beside_random(
    trips: Sequence[RoundTrip], prices: Sequence[SymbolPrices], draws: int, seed: int
) -> RandomEntries:
    """The round trips at random times: each keeps its side and how long it was held; order and pauses are drawn.

    All are measured from bar close to bar close and before costs, which are the same wherever the trips lie. What a
    market gave to everybody who was long is so given to the random ones too.
    """
    series = {each.symbol: each for each in prices}
    generator = np.random.default_rng(seed)
    real, drawn = 0.0, np.zeros(draws)
    for symbol, path in series.items():
        own = [trip for trip in trips if trip.symbol == symbol]
        if own:
            starts, bars, sides = _places(own, path)
            logs = np.log(path.last)
            real += float((sides * (logs[starts + bars] - logs[starts])).sum())
            drawn += np.array([_elsewhere(logs, bars, sides, generator) for _ in range(draws)])
    count = max(1, len(trips))
    chance = (1 + int((drawn >= real - 1e-12).sum())) / (draws + 1) if len(trips) >= TRIPS_MIN else None
    return RandomEntries(
        trips=len(trips),
        mean=real / count,
        random_mean=float(drawn.mean()) / count,
        random_deviation=float(drawn.std()) / count,
        chance=chance,
    )


def _places(trips: Sequence[RoundTrip], path: SymbolPrices) -> tuple[Ints, Ints, Ints]:
    """(bar of entry, bars held, side) of each."""
    # a fill follows the close that it was decided at
    starts = np.maximum(np.searchsorted(path.times_ns, [trip.opened_ns for trip in trips], side="right") - 1, 0)
    ends = np.maximum(np.searchsorted(path.times_ns, [trip.closed_ns for trip in trips], side="right") - 1, 0)
    sides = np.array([1 if trip.side is Side.BUY else -1 for trip in trips], np.int64)
    return starts.astype(np.int64), (ends - starts).astype(np.int64), sides


def _elsewhere(logs: Floats, bars: Ints, sides: Ints, generator: np.random.Generator) -> float:
    """Log return of all of them in another order with other pauses."""
    order = generator.permutation(len(bars))
    held = bars[order]
    free = len(logs) - 1 - int(held.sum())
    pauses = np.sort(generator.integers(0, max(0, free) + 1, len(held)))
    starts = pauses + np.concatenate(([0], np.cumsum(held)[:-1]))
    return float((sides[order] * (logs[starts + held] - logs[starts])).sum())
