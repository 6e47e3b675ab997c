"""Does a choice look at the past only, and is what follows what it would have earned?"""

from __future__ import annotations

import numpy as np
import pytest

from gpt_trader.core.errors import ConfigError
from gpt_trader.research.search.measures import find_measure
from gpt_trader.research.search.trial import Outcome, State
from gpt_trader.research.search.walk_forward import Fold, Scheme, cut_folds, walk_forward


def an_outcome(number: int, *returns: float, state: State = State.COMPLETE) -> Outcome:
    curve = 100.0 * np.cumprod([1.0, *(1.0 + each for each in returns)])
    return Outcome(number, {"strategy.short_ma": str(number)}, state, curve=tuple(curve.tolist()))


def test_anchored_choices_see_all_that_was_and_rolling_ones_the_last_stretch() -> None:
    """The stretches that are traded follow one another without a gap."""
    anchored, rolling = (cut_folds(600, scheme, 5) for scheme in Scheme)

    assert [fold.train_start for fold in anchored] == [0] * 5
    assert {fold.train_end - fold.train_start for fold in rolling} == {100}
    assert [fold.train_end for fold in anchored] == [100, 200, 300, 400, 500]
    assert [fold.test_end for fold in anchored] == [200, 300, 400, 500, 600]


def test_a_market_that_is_too_short_for_its_folds_is_refused() -> None:
    """Five steps are the least of which anything can be said."""
    with pytest.raises(ConfigError, match="--folds 10: the market has 30 steps"):
        cut_folds(30, Scheme.ANCHORED, 10)


def test_the_choice_is_made_on_the_past_alone() -> None:
    """The set that was better before is traded, though the other one was better after."""
    before, after = an_outcome(1, *[0.01, 0.02] * 5, *[-0.01] * 10), an_outcome(2, *[0.0] * 10, *[0.01] * 10)
    fold = Fold(Scheme.ANCHORED, 0, 10, 20)

    found = walk_forward([fold], lambda _: (0, [before, after]), find_measure("return"), 3600)

    assert [stretch.chosen.number for stretch in found.stretches] == [1]
    assert found.returns.tolist() == pytest.approx([-0.01] * 10)
    assert found.curve[-1] == pytest.approx(0.99**10)
    assert found.stretches[0].seen > 0 > found.stretches[0].traded


def test_what_was_traded_is_strung_together_whatever_was_chosen() -> None:
    """Each stretch is of the set that was chosen just before it."""
    first, second = an_outcome(1, *[0.01] * 10, *[-0.02] * 10, *[0.5] * 10), an_outcome(2, *[0.0] * 20, *[0.001] * 10)
    folds = [Fold(Scheme.ROLLING, 0, 10, 20), Fold(Scheme.ROLLING, 10, 20, 30)]

    found = walk_forward(folds, lambda _: (0, [first, second]), find_measure("return"), 3600)

    assert [stretch.chosen.number for stretch in found.stretches] == [1, 2]
    assert found.returns.tolist() == pytest.approx([-0.02] * 10 + [0.001] * 10)


def test_a_table_of_one_fold_begins_where_its_past_begins() -> None:
    """A search that learns anew has run on its own part of the market only."""
    whole = an_outcome(1, *[0.0] * 10, *[0.01] * 10, *[0.02] * 10)
    part = an_outcome(1, *[0.01] * 10, *[0.02] * 10)
    fold = Fold(Scheme.ROLLING, 10, 20, 30)

    curves = [
        walk_forward([fold], lambda _, table=table: table, find_measure("return"), 60).returns.tolist()  # type: ignore[misc]
        for table in ((0, [whole]), (10, [part]))
    ]

    assert curves[0] == pytest.approx(curves[1])
    assert curves[0] == pytest.approx([0.02] * 10)


def test_trials_that_broke_off_are_not_chosen() -> None:
    """Without any that came to its end nothing can be said."""
    good, broken = an_outcome(1, *[0.0] * 20), an_outcome(2, *[0.5] * 20, state=State.PRUNED)
    fold = Fold(Scheme.ANCHORED, 0, 10, 20)

    found = walk_forward([fold], lambda _: (0, [good, broken]), find_measure("return"), 60)

    assert found.stretches[0].chosen.number == 1
    with pytest.raises(ConfigError, match="not one trial came to its end"):
        walk_forward([fold], lambda _: (0, [broken]), find_measure("return"), 60)
