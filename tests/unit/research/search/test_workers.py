"""Is every task answered once, whatever becomes of the processes?"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.searches import a_market, prepared

from gpt_trader.research.search.trial import Outcome, Task
from gpt_trader.research.search.workers import InProcess, LocalWorkers


def tasks() -> list[Task]:
    market = a_market()
    return [Task(number, {"strategy.short_ma": str(2 + number)}, market.start_ns, market.end_ns) for number in range(5)]


def test_a_killed_worker_loses_nothing(state_home: Path) -> None:
    """Its trial is run again by another, and the outcomes are those of this process."""
    setup = prepared(state_home).setup
    with LocalWorkers(setup, 2) as workers:
        found: list[Outcome] = []
        for outcome in workers.results(tasks()):
            if not found:
                os.kill(workers.processes()[0], signal.SIGKILL)
            found.append(outcome)

    assert sorted(found, key=lambda outcome: outcome.number) == list(InProcess(setup).results(tasks()))
