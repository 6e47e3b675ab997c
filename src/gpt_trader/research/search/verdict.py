"""What does it all amount to, in words? The verdict that a report of a search opens with.

Four answers. *Real*: the best set earns more than the best of as many sets that earn nothing would (reality check), and
choosing by the past earned money on what no choice had seen (walk-forward). *Loses*: what was chosen lost more than
luck explains. *Noise*: neither, and the market is long enough to have shown an edge that is worth having. *Too short to
tell*: neither, and it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from gpt_trader.market.view import Floats
from gpt_trader.research.luck import deflated_sharpe, moments_of, returns_needed
from gpt_trader.research.search.measures import YEAR_SECONDS
from gpt_trader.research.search.reality_check import RealityCheck, reality_check

__all__ = [
    "LEVEL",
    "SHARPE_WORTH_HAVING",
    "Evidence",
    "Finding",
    "Verdict",
    "annual_sharpe",
    "days_to_settle",
    "judge",
    "period_returns",
    "weigh",
]

LEVEL: Final = 0.025
"""Luck may look like skill in one market of forty."""
POWER: Final = 0.70
"""A market is long enough if an edge would be seen in so many of a hundred such markets."""
SHARPE_WORTH_HAVING: Final = 3.0
"""The edge, as annual Sharpe ratio, that a market must be long enough for."""
DAY_SECONDS: Final = 86_400
DAYS_FOR_DAYS: Final = 20
"""With fewer of them the returns are those of the steps of the curve."""
_NORMAL: Final = NormalDist()
SURE: Final = _NORMAL.inv_cdf(1 - LEVEL)
"""Standard errors."""
SURE_OF_LOSS: Final = _NORMAL.inv_cdf(1 - 0.005)
"""Standard errors below zero. Stricter, so that noise is seldom called anything else; costs that eat a strategy lie far
beyond."""


class Finding(StrEnum):
    """The verdict in a word."""

    REAL = "real"
    LOSES = "loses"
    NOISE = "noise"
    TOO_SHORT = "too short to tell"


@dataclass(frozen=True)
class Evidence:
    """What the verdict rests on."""

    periods: int
    """Returns of the whole market."""
    period_seconds: float
    unseen_periods: int
    """Returns that no choice had seen."""
    sets: int
    check: RealityCheck
    best_sharpe: float
    """Annual, of the best set over the whole market: chosen with hindsight."""
    unseen_sharpe: float
    """Annual, of walk-forward."""
    unseen_return: float
    """What walk-forward earned, as a share."""
    deflated: float | None
    """Deflated Sharpe ratio of the best set; None where its returns are too few or all alike."""
    unseen_needed_days: float
    """Days like walk-forward's after which its ratio would be known to be above zero; infinite where it is not."""

    @property
    def days(self) -> float:
        return self.periods * self.period_seconds / DAY_SECONDS

    @property
    def unseen_days(self) -> float:
        return self.unseen_periods * self.period_seconds / DAY_SECONDS

    @property
    def sharpe_error(self) -> float:
        """One standard error of an annual Sharpe ratio over the whole market, were it zero."""
        return sqrt(YEAR_SECONDS / (self.periods * self.period_seconds))

    @property
    def unseen_sharpe_error(self) -> float:
        return sqrt(YEAR_SECONDS / (self.unseen_periods * self.period_seconds))


@dataclass(frozen=True)
class Verdict:
    """In a word, in a sentence, and why."""

    finding: Finding
    headline: str
    reasons: tuple[str, ...]
    evidence: Evidence


def period_returns(curve: Floats, step_seconds: float) -> tuple[Floats, float]:
    """(returns, seconds of each): of days where there are enough of them, else of the curve's own steps."""
    steps_a_day = round(DAY_SECONDS / step_seconds)
    days = (len(curve) - 1) // max(1, steps_a_day)
    if steps_a_day <= 1 or days < DAYS_FOR_DAYS:
        return curve[1:] / curve[:-1] - 1.0, step_seconds
    closes = curve[: days * steps_a_day + 1 : steps_a_day]
    return closes[1:] / closes[:-1] - 1.0, float(DAY_SECONDS)


def weigh(curves: Sequence[Floats], unseen: Floats, step_seconds: float, seed: int) -> Evidence:
    """From the equity of every set over the whole market, and that of walk-forward over what was unseen."""
    whole = [period_returns(curve, step_seconds) for curve in curves]
    seconds = whole[0][1]
    returns = np.array([each for each, _ in whole])
    check = reality_check(returns, seed)
    traded, traded_seconds = period_returns(unseen, step_seconds)
    ratios = [known.sharpe for each in returns if (known := moments_of(each)) is not None]
    best, unseen_moments = moments_of(returns[check.best]), moments_of(traded)
    spread = float(np.var(ratios)) if len(ratios) > 1 else 0.0
    return Evidence(
        periods=returns.shape[1],
        period_seconds=seconds,
        unseen_periods=round(len(traded) * traded_seconds / seconds),
        sets=len(curves),
        check=check,
        best_sharpe=annual_sharpe(returns[check.best], seconds),
        unseen_sharpe=annual_sharpe(traded, traded_seconds),
        unseen_return=float(unseen[-1] / unseen[0] - 1.0),
        deflated=None if best is None else deflated_sharpe(best, len(curves), spread),
        unseen_needed_days=inf
        if unseen_moments is None
        else returns_needed(unseen_moments, LEVEL) * traded_seconds / DAY_SECONDS,
    )


def judge(evidence: Evidence) -> Verdict:
    """The rule, whatever the evidence is from."""
    seen, unseen = evidence.best_sharpe, evidence.unseen_sharpe
    better_than_luck = evidence.check.chance < LEVEL and seen > SURE * evidence.sharpe_error
    if better_than_luck and evidence.unseen_return > 0:
        return Verdict(Finding.REAL, _real(evidence), _reasons(evidence), evidence)
    if unseen < -SURE_OF_LOSS * evidence.unseen_sharpe_error:
        return Verdict(Finding.LOSES, _loses(evidence), _reasons(evidence), evidence)
    if _needed_days(SHARPE_WORTH_HAVING) <= evidence.days:
        return Verdict(Finding.NOISE, _noise(evidence), _reasons(evidence), evidence)
    return Verdict(Finding.TOO_SHORT, _too_short(evidence), _reasons(evidence), evidence)


def days_to_settle(sharpe: float) -> float | None:
    """Days after which an edge of this annual Sharpe ratio would be seen in POWER of all markets; None without one."""
    return _needed_days(sharpe) if sharpe > 0 else None


def _needed_days(sharpe: float) -> float:
    return ((SURE + _NORMAL.inv_cdf(POWER)) / sharpe) ** 2 * YEAR_SECONDS / DAY_SECONDS


def annual_sharpe(returns: Floats, seconds: float) -> float:
    """Of returns that are so many seconds long; 0 where they never moved."""
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    return float(returns.mean()) / deviation * sqrt(YEAR_SECONDS / seconds) if deviation > 0 else 0.0


# --- the words --------------------------------------------------------------------------------------------------------
def _span(days: float, kind: str = "") -> str:
    """`26 unseen days`; hours where it is less than two days."""
    return f"{days:.0f} {kind}days" if days >= 2 else f"{days * 24:.1f} {kind}hours"


def _real(evidence: Evidence) -> str:
    return (
        f"Real, as far as {_span(evidence.days)} can say: luck alone gives a best set like this in "
        f"{evidence.check.chance:.1%} of such searches, and choosing by the past earned {evidence.unseen_return:+.2%}."
    )


def _loses(evidence: Evidence) -> str:
    return (
        f"It loses: choosing by the past, {_span(evidence.unseen_days, 'unseen ')} gave {evidence.unseen_return:+.2%}, "
        f"an annual Sharpe ratio of {evidence.unseen_sharpe:.1f}; luck alone stays above "
        f"{-SURE_OF_LOSS * evidence.unseen_sharpe_error:.1f}."
    )


def _noise(evidence: Evidence) -> str:
    if evidence.check.chance < LEVEL:
        return (
            "Noise, or over by now: the best set looks good with hindsight, but choosing by the past lost "
            f"({evidence.unseen_return:+.2%} in {_span(evidence.unseen_days, 'unseen ')})."
        )
    return (
        f"Noise: the best of {evidence.sets} sets is no better than the best of as many that earn nothing "
        f"(luck does as well in {evidence.check.chance:.0%} of such searches)."
    )


def _too_short(evidence: Evidence) -> str:
    return (
        f"Too short to tell: {_span(evidence.days)} show an annual Sharpe ratio only beyond "
        f"±{SURE * evidence.sharpe_error:.1f}; an edge of {SHARPE_WORTH_HAVING:g} needs some "
        f"{_needed_days(SHARPE_WORTH_HAVING):.0f} days."
    )


def _reasons(evidence: Evidence) -> tuple[str, ...]:
    check = evidence.check
    needed = f"{check.needed:.2f}" if isfinite(check.needed) else "more than there is"
    unseen = (
        f"Walk-forward: {_span(evidence.unseen_days)} that no choice had seen gave {evidence.unseen_return:+.2%}, "
        f"annual Sharpe ratio {evidence.unseen_sharpe:.2f} ± {evidence.unseen_sharpe_error:.2f} (one standard error)."
    )
    luck = (
        f"Reality check: the best of {evidence.sets} sets has a t statistic of {check.statistic:.2f}; with nothing to "
        f"find, one search of forty reaches {needed}, and {check.chance:.1%} of them this much."
    )
    hindsight = (
        f"The best set with hindsight has an annual Sharpe ratio of {evidence.best_sharpe:.2f} "
        f"± {evidence.sharpe_error:.2f}. Nobody could have known it beforehand."
    )
    if evidence.deflated is not None:
        hindsight += (
            f" Deflated for {evidence.sets} tries, it is above zero with a probability of {evidence.deflated:.0%}; "
            "that takes the tries for independent, which neighbours are not."
        )
    return unseen, luck, hindsight, _settled(evidence)


def _settled(evidence: Evidence) -> str:
    days = days_to_settle(evidence.unseen_sharpe)
    if days is None:
        return "Walk-forward did not earn, so no number of days would show that it does."
    known = ""
    if isfinite(evidence.unseen_needed_days):
        known = f"; {evidence.unseen_needed_days:,.0f} days just like these would too"
    return (
        f"If walk-forward's Sharpe ratio of {evidence.unseen_sharpe:.2f} were its true one, some {days:,.0f} days "
        f"would show it ({POWER:.0%} of the time){known}; {_span(evidence.unseen_days)} are there."
    )
