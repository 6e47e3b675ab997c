"""What would choosing by the past have earned? Walk-forward: choose on one stretch, trade the next, and go on.

Anchored choosing looks at everything since the beginning, rolling at the last stretch of a fixed length. What is
strung together from the stretches that were traded has been seen by no choice. A strategy does not look ahead, so a
run over the whole market is, up to any time, the run that ended then; its curve is therefore cut, not run again.
Changing the set at the border of two stretches is not charged: the next set's position counts as if held before.

Source: R. Pardo 1992, "Design, Testing, and Optimization of Trading Systems".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from gpt_trader.core.errors import ConfigError
from gpt_trader.market.view import Floats
from gpt_trader.research.search.measures import Measure, returns_of
from gpt_trader.research.search.trial import Outcome, State

__all__ = ["FIRST_SHARE", "FOLDS", "Fold", "Scheme", "Stretch", "WalkForward", "cut_folds", "walk_forward"]

FOLDS: Final = 10
FIRST_SHARE: Final = 1 / 6
"""Of the market, what the first choice is made on."""
STEPS_MIN: Final = 5
"""Steps of the curve in the shortest stretch."""


class Scheme(StrEnum):
    """Which past a choice looks at."""

    ANCHORED = "anchored"
    ROLLING = "rolling"


@dataclass(frozen=True)
class Fold:
    """One choice and what it traded, as places on the curve: steps since its start."""

    scheme: Scheme
    train_start: int
    train_end: int
    """The choice is made here, and what follows is traded."""
    test_end: int


@dataclass(frozen=True)
class Stretch:
    """What one choice gave."""

    fold: Fold
    chosen: Outcome
    seen: float
    """The measure on the past that it was chosen by."""
    traded: float
    """The same measure on what followed."""
    returns: Floats
    """Of each step that was traded."""


@dataclass(frozen=True)
class WalkForward:
    """All stretches of one scheme, in order of time."""

    scheme: Scheme
    stretches: tuple[Stretch, ...]

    @property
    def returns(self) -> Floats:
        """Of every step that no choice had seen."""
        return np.concatenate([stretch.returns for stretch in self.stretches])

    @property
    def curve(self) -> Floats:
        """Worth of 1 at the first choice, after each step."""
        return np.concatenate([[1.0], np.cumprod(1.0 + self.returns)])

    @property
    def first_step(self) -> int:
        return self.stretches[0].fold.train_end


def cut_folds(steps: int, scheme: Scheme, count: int = FOLDS, first_share: float = FIRST_SHARE) -> tuple[Fold, ...]:
    """`count` stretches after a first one that is only looked at. Raises ConfigError where they would be too short."""
    first = round(steps * first_share)
    ends = [round(first + (steps - first) * place / count) for place in range(count + 1)]
    if min(first, *(b - a for a, b in itertools.pairwise(ends))) < STEPS_MIN:
        raise ConfigError(
            f"--folds {count}: the market has {steps} steps, so a stretch would have less than {STEPS_MIN}. "
            "Fix: fewer folds, or a longer market"
        )
    return tuple(
        Fold(scheme, 0 if scheme is Scheme.ANCHORED else start - first, start, end)
        for start, end in itertools.pairwise(ends)
    )


def walk_forward(
    folds: Sequence[Fold],
    tables: Callable[[Fold], tuple[int, Sequence[Outcome]]],
    measure: Measure,
    step_seconds: float,
) -> WalkForward:
    """Choose by the measure in each fold, among the trials that its table has: (step at which their curves begin,
    trials). Raises ConfigError where not one came to its end."""
    stretches = []
    for fold in folds:
        begin, table = tables(fold)
        complete = [outcome for outcome in table if outcome.state is State.COMPLETE]
        if not complete:
            raise ConfigError("not one trial came to its end, so there is nothing to choose. Fix: see the table")
        stretches.append(_stretch(fold, begin, complete, measure, step_seconds))
    return WalkForward(folds[0].scheme, tuple(stretches))


def _stretch(fold: Fold, begin: int, complete: Sequence[Outcome], measure: Measure, step_seconds: float) -> Stretch:
    assert measure.of_curve is not None, "only what a curve tells can be told of a part of it"
    seen = [
        measure.of_curve(np.array(outcome.curve[fold.train_start - begin : fold.train_end - begin + 1]), step_seconds)
        for outcome in complete
    ]
    best = max(range(len(complete)), key=lambda place: seen[place] if measure.rises else -seen[place])
    after = np.array(complete[best].curve[fold.train_end - begin : fold.test_end - begin + 1])
    returns = returns_of(after)
    # an account that is empty stays so: nothing is earned any more
    returns = np.concatenate([returns, np.zeros(len(after) - 1 - len(returns))])
    return Stretch(fold, complete[best], seen[best], measure.of_curve(after, step_seconds), returns)
