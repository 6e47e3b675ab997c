"""Is the best of many more than luck? White's reality check on the returns of all sets that were tried.

The best of a hundred coins has won too. So the best set's t statistic is compared with the best one of as many sets
that earn nothing: the returns of all sets, each less its own mean, are drawn again and again in blocks, all sets on
the same days, so that sets which are alike count as few and days which hang together stay together.

Sources: H. White 2000, "A Reality Check for Data Snooping", Econometrica 68(5); divided by the deviation as in
P. R. Hansen 2005, "A Test for Superior Predictive Ability", Journal of Business & Economic Statistics 23(4); blocks of
random length from D. N. Politis and J. P. Romano 1994, "The Stationary Bootstrap", JASA 89(428).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from gpt_trader.market.view import Floats

__all__ = ["RealityCheck", "reality_check"]

RESAMPLES: Final = 2000
BLOCK: Final = 5.0
"""Mean length of a block, in returns: some days of the market's memory."""
STILL: Final = 1e-15


@dataclass(frozen=True)
class RealityCheck:
    """Of the best set by its t statistic."""

    best: int
    """Its place among the sets."""
    statistic: float
    """Mean return by its standard error."""
    chance: float
    """That as many sets which earn nothing would have a best one as good: the p-value."""
    needed: float
    """The statistic that only one in forty of such bests reaches."""


def reality_check(returns: Floats, seed: int, resamples: int = RESAMPLES) -> RealityCheck:
    """`returns` has a row for each set and a column for each period. Sets that never moved are left out.

    The same seed gives the same answer.
    """
    deviation = returns.std(axis=1, ddof=1) if returns.shape[1] > 1 else np.zeros(len(returns))
    moved = np.flatnonzero(deviation > STILL)
    if not len(moved):
        return RealityCheck(0, 0.0, 1.0, np.inf)
    periods = returns.shape[1]
    chosen = returns[moved]
    means = chosen.mean(axis=1)
    statistics = means / deviation[moved] * sqrt(periods)
    noise = (chosen - means[:, None]) / deviation[moved][:, None]
    draw = np.random.default_rng(seed)
    bests = np.array([float((noise @ _weights(periods, draw)).max()) for _ in range(resamples)]) / sqrt(periods)
    best = int(statistics.argmax())
    reached = int((bests >= statistics[best]).sum())
    return RealityCheck(
        best=int(moved[best]),
        statistic=float(statistics[best]),
        chance=(1 + reached) / (1 + resamples),
        needed=float(np.quantile(bests, 1 - 1 / 40)),
    )


def _weights(periods: int, draw: np.random.Generator) -> Floats:
    """How often each period is drawn: blocks that begin anywhere, and go round the end."""
    begins = draw.random(periods) < 1 / BLOCK
    begins[0] = True
    places = np.arange(periods)
    begun = np.maximum.accumulate(np.where(begins, places, 0))
    starts = draw.integers(0, periods, periods)
    found: Floats = np.bincount((starts[begun] + places - begun) % periods, minlength=periods).astype(np.float64)
    return found
