"""Does a cluster come to the same table? A real Ray cluster on this machine, started for one test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.searches import a_market, prepared, silent

from gpt_trader.research.search.optimize import optimize
from gpt_trader.research.search.ray_workers import HERE, RayWorkers
from gpt_trader.research.search.trial import Outcome, Task
from gpt_trader.research.search.workers import InProcess

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore"),  # of Ray's own
]


def test_a_cluster_comes_to_the_same_table_as_this_process(tmp_path: Path, state_home: Path) -> None:
    """`pytest -m long tests/integration/test_ray.py`: some twenty seconds, most of them Ray's."""
    folders = [tmp_path / name for name in ("here", "ray")]
    for folder in folders:
        folder.mkdir()
    here, there = (prepared(folder, harder=True) for folder in folders)

    ours = optimize(here, InProcess(here.setup), silent)
    with closing(RayWorkers(there.setup, HERE, 2)) as workers:
        theirs = optimize(there, workers, silent)

    assert theirs.outcomes == ours.outcomes
    assert theirs.verdict == ours.verdict
    assert [scenario.best for scenario in theirs.scenarios] == [scenario.best for scenario in ours.scenarios]


def test_a_killed_actor_loses_nothing(tmp_path: Path, state_home: Path) -> None:
    """Ray starts it again, and its trial with it: `pytest -m long tests/integration/test_ray.py`."""
    market, setup = a_market(), prepared(tmp_path).setup
    tasks = [
        Task(number, {"strategy.short_ma": str(2 + number)}, market.start_ns, market.end_ns) for number in range(6)
    ]
    with closing(RayWorkers(setup, HERE, 2)) as workers:
        found = list(killing(workers, tasks))

    assert sorted(found, key=lambda outcome: outcome.number) == list(InProcess(setup).results(tasks))


def killing(workers: RayWorkers, tasks: list[Task]) -> Iterator[Outcome]:
    """All outcomes; after the first an actor is killed."""
    results: Any = workers.results(tasks)
    yield next(results)
    os.kill(workers.processes()[0], signal.SIGKILL)
    yield from results
