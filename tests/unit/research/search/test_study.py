"""Does a search come to the same table, however often it was broken off?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.postgres_server import a_server
from tests.searches import a_market, a_request, prepared, settings, silent

from gpt_trader.core.errors import ConfigError, StoreError
from gpt_trader.research.search.measures import find_measure
from gpt_trader.research.search.optimize import Found, optimize, prepare
from gpt_trader.research.search.trial import Outcome, State, Task
from gpt_trader.research.search.walk_forward import Scheme
from gpt_trader.research.search.workers import InProcess


class Broken(InProcess):
    """Workers that are gone after so many trials, as after a kill."""

    def __init__(self, prepared_search: Any, after: int) -> None:
        super().__init__(prepared_search.setup)
        self.left = after

    def results(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        for outcome in islice(super().results(tasks), self.left):
            self.left -= 1
            yield outcome
        if self.left == 0:
            raise KeyboardInterrupt


def searched(home: Path, *space: str, breaks: Sequence[int] = (), **changes: Any) -> Found:
    home.mkdir(exist_ok=True)
    for after in breaks:  # so many trials each time
        broken = prepared(home, *space, **changes)
        with pytest.raises(KeyboardInterrupt):
            optimize(broken, Broken(broken, after), silent)
        changes["resume"] = True
    whole = prepared(home, *space, **changes)
    return optimize(whole, InProcess(whole.setup), silent)


def test_a_grid_tries_every_combination_once(tmp_path: Path) -> None:
    """In order, each with its values."""
    found = searched(tmp_path)

    assert len(found.outcomes) == 2 * 2
    assert [outcome.values["strategy.long_ma"] for outcome in found.outcomes] == ["8", "10", "8", "10"]
    assert {outcome.state for outcome in found.outcomes} == {State.COMPLETE}
    assert found.best is not None
    assert found.verdict is not None


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_search_that_was_broken_off_comes_to_the_same_table(tmp_path: Path, sampler: str) -> None:
    """Twice, in the middle of a batch; nothing that had ended is run again."""
    changes: dict[str, Any] = {"sampler": sampler, "schemes": (), "trials": 6, "batch": 4}
    space = ("short_ma=2:7", "long_ma=9") if sampler == "grid" else ("short_ma=2:7", "long_ma=8:90")

    whole = searched(tmp_path / "whole", *space, **changes)
    again = searched(tmp_path / "broken", *space, breaks=(1, 2), **changes)

    assert again.outcomes == whole.outcomes
    assert len(whole.outcomes) == 6


@pytest.mark.long
def test_walk_forward_of_a_sampler_that_learns_searches_anew_for_each_choice(tmp_path: Path) -> None:
    """Nothing of what is traded has been seen by the search that chose it: `pytest -m long tests/unit/research`."""
    found = searched(tmp_path, sampler="tpe", trials=2, folds=2, schemes=(Scheme.ROLLING,))

    assert len(found.forward[0].stretches) == 2
    assert len(found.forward[0].returns) == 200


def test_a_search_that_is_there_is_not_begun_again_by_mistake(tmp_path: Path) -> None:
    """Neither is another one taken for it."""
    searched(tmp_path, "short_ma=2:3", schemes=())

    with pytest.raises(ConfigError, match=r"search small: it is there already\. Fix: --resume"):
        searched(tmp_path, "short_ma=2:3", schemes=())
    with pytest.raises(ConfigError, match="it was another one: space was"):
        searched(tmp_path, "short_ma=2:4", schemes=(), resume=True)


def test_combinations_that_are_not_allowed_are_left_out_and_counted(tmp_path: Path) -> None:
    """A short average that is not shorter than the long one is no trial."""
    found = prepared(tmp_path, "short_ma=2:10:4", "long_ma=4:12:4")

    assert found.total == 2 + 1 + 1 + 2
    assert found.left_out == 3
    assert "short_ma must be shorter than long_ma" in found.left_out_reason


def test_a_set_that_is_bad_from_the_start_is_ended_early(tmp_path: Path) -> None:
    """From the second batch on, below the median of those before; how it ends is the same each time."""
    changes: dict[str, Any] = {"schemes": (), "prune": True, "sampler": "random", "trials": 8}

    first, again = (searched(tmp_path / name, "short_ma=2:7", "long_ma=8:40", **changes) for name in "ab")

    assert first.outcomes == again.outcomes
    states = [outcome.state for outcome in first.outcomes]
    assert State.PRUNED not in states[:4]
    assert State.PRUNED in states[4:]


@pytest.mark.long
def test_several_measures_have_no_single_best(tmp_path: Path) -> None:
    """Each is kept, and the first is what walk-forward chooses by: `pytest -m long tests/unit/research`."""
    measures = (find_measure("return"), find_measure("orders"))
    found = searched(tmp_path, "short_ma=2:3", measures=measures, schemes=())

    assert {outcome.state for outcome in found.outcomes} == {State.COMPLETE}


def test_walk_forward_needs_a_measure_that_a_part_of_the_market_has(tmp_path: Path) -> None:
    """Said before anything runs."""
    request = a_request(tmp_path, measures=(find_measure("orders"),))

    with pytest.raises(ConfigError, match="--metric orders: walk-forward chooses by"):
        prepare(request, settings(), a_market(), tmp_path)


def test_dearer_trading_is_asked_of_the_same_choices(tmp_path: Path) -> None:
    """Fees, spread, latency and all of them; dearer is worse."""
    found = searched(tmp_path, "short_ma=3", harder=True)

    assert [scenario.name for scenario in found.scenarios] == [
        "twice the fees",
        "twice the spread",
        "twice the latency",
        "all of them",
    ]
    assert found.best is not None
    assert found.scenarios[0].best.figures["net"] < found.best.figures["net"]
    assert found.scenarios[0].unseen[-1] < found.forward[0].curve[-1]


@pytest.mark.long
def test_a_search_is_kept_on_a_server_as_in_a_file(tmp_path: Path) -> None:
    """PostgreSQL, broken off and gone on with: `pytest -m long tests/unit/research`; skips without a server."""
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    changes: dict[str, Any] = {"schemes": (), "study": f"search-{tmp_path.name}"}
    with a_server() as url:
        kept = searched(tmp_path / "server", breaks=(2,), storage=url, **changes)
    in_a_file = searched(tmp_path / "file", **changes)

    assert kept.outcomes == in_a_file.outcomes


def test_a_server_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    """Its address stays."""
    with pytest.raises(StoreError, match=r"--storage postgresql://127\.0\.0\.1:1/found") as refused:
        searched(tmp_path, storage="postgresql://trader:s3cret@127.0.0.1:1/found")

    assert "s3cret" not in str(refused.value)
