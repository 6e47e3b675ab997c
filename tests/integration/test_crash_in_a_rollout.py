"""Killed in any step of a rollout: the next boot goes on with the same plan, the same coins and the same positions."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.killed_rollout import QUICK
from tests.rollout_house import RolloutHouse

from gpt_trader.core.events import (
    EngineSwapped,
    Event,
    IntentAssigned,
    OrderApproved,
    OrderSubmitted,
    RolloutEnded,
    RolloutStarted,
    RolloutStepped,
)
from gpt_trader.records.reader import read_run

ROOT = Path(__file__).resolve().parents[2]


def killed(folder: Path, kind: str, number: int) -> list[Event]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_rollout", str(folder), kind, str(number)],
        cwd=ROOT,
        check=False,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL
    return [recorded.event for recorded in read_run(folder / "events.sqlite")]


def test_a_crash_in_a_rollout_changes_nothing_of_it(tmp_path: Path) -> None:
    """One of the moments; the long test has the others."""
    crash_and_go_on(tmp_path, "RolloutStepped", 1)


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("RolloutStarted", 1),
        *(("IntentAssigned", number) for number in (1, 2, 7, 20)),
        *(("OrderSubmitted", number) for number in (3, 17)),
        *(("OrderFilled", number) for number in (2, 18)),
        *(("RolloutCounted", number) for number in (1, 2, 9, 24)),
        ("RolloutStepped", 2),
        ("FlagSet", 1),
        ("EngineSwapped", 1),
        ("RolloutEnded", 1),
    ],
)
def test_a_crash_at_any_moment_of_a_rollout(tmp_path: Path, kind: str, number: int) -> None:
    """The same elsewhere: `pytest tests/integration/test_crash_in_a_rollout.py -m long`."""
    crash_and_go_on(tmp_path, kind, number)


def crash_and_go_on(folder: Path, kind: str, number: int) -> None:
    """Kill the first boot there, let a second one bring the rollout to its end, and look at the whole log."""
    log = killed(folder, kind, number)
    house = RolloutHouse(folder, killed=log, **QUICK)
    house.run(after_seconds=60)
    house.house.check_invariants()
    house.store.close()

    whole = [recorded.event for recorded in read_run(folder / "events.sqlite")]
    assert [event.outcome for event in whole if isinstance(event, RolloutEnded)] == ["COMPLETED"]
    assert len([event for event in whole if isinstance(event, RolloutStarted)]) == 1
    assert [event.step for event in whole if isinstance(event, RolloutStepped)] == [1, 2]
    assert len([event for event in whole if isinstance(event, EngineSwapped)]) == 1
    sent = Counter(event.client_order_id for event in whole if isinstance(event, OrderSubmitted))
    assert set(sent.values()) == {1}
    check_one_engine_a_position(whole)


def check_one_engine_a_position(whole: list[Event]) -> None:
    """What follows an opening went to the engine that had opened, over the crash too; each intent to one engine."""
    end_ns = next(event.at_ns for event in whole if isinstance(event, RolloutEnded))
    assigned = [event for event in whole if isinstance(event, IntentAssigned)]
    assert len({event.intent_id for event in assigned}) == len(assigned)
    holders: dict[str, str] = {}
    for event in assigned:
        if event.why != "held":
            holders[event.symbol] = event.engine
        assert event.engine == holders[event.symbol]
    engines = {event.intent_id: event.engine for event in assigned}
    for approved in whole:
        if isinstance(approved, OrderApproved) and approved.at_ns < end_ns:
            assert approved.engine == engines[approved.intent_id]
