"""What if the process dies, again and again? SIGKILL at random instants against the served venue, with its faults."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.killed_live import config_of, main
from tests.live_house import live_house, live_venue
from tests.venue_server import ServedVenue

from gpt_trader.core.events import BootStarted, OrderOutcomeUnknown
from gpt_trader.records.reader import read_run

KILLS = 200
START_SECONDS_MAX = 120.0
PROCESSES = multiprocessing.get_context("forkserver")
"""Each child is forked from a process that has only read the program, so that it does not take seconds to begin."""
PROCESSES.set_forkserver_preload(["tests.killed_live"])
FAULTS = (
    {"fault": "lost_reply", "method": "POST", "path": "/orders", "probability": 0.05},
    {"fault": "late_request", "method": "POST", "path": "/orders", "probability": 0.03, "seconds": 1.0},
    {"fault": "server_error", "status": 502, "processed": True, "path": "/orders", "probability": 0.03},
    {"fault": "drop", "channel": "user", "probability": 0.05},
    {"fault": "duplicate", "channel": "user", "probability": 0.05},
)


def live_and_die(ready: Path, folder: Path, engine: str, draw: random.Random, number: int) -> None:
    """One process, from its start to SIGKILL: while it starts, recovers, or trades."""
    told, tells = PROCESSES.Pipe(duplex=False)
    child = PROCESSES.Process(target=live, args=(str(ready), str(folder), engine, number, tells), daemon=True)
    child.start()
    tells.close()
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0.0, 2.0))  # perhaps before it trades at all
    else:
        assert told.poll(START_SECONDS_MAX), "it never traded"
        assert told.recv() == "trading"
        time.sleep(draw.uniform(0.0, 2.0))
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL, "it ended by itself"


def live(ready: str, folder: str, engine: str, number: int, tells: Connection) -> None:
    """In a process of its own: trade until it is over."""
    asyncio.run(main(json.loads(Path(ready).read_text()), Path(folder), engine, number, lambda: tells.send("trading")))


class Lived(NamedTuple):
    """What came of it."""

    orders: int
    """That the venue has had; each of them is known here, once, as far as it was filled."""
    boots: int
    from_snapshot: int
    unknown: int


def kill_again_and_again(tmp_path: Path, engine: str, kills: int) -> Lived:
    """Then one that lives to its end, and is held against the venue."""
    draw = random.Random(f"{engine} {kills}")
    with live_venue(tmp_path / "venue") as venue:
        ready = tmp_path / "ready.json"
        ready.write_text(json.dumps(venue.ready))
        for fault in FAULTS:
            venue.admin("/faults", fault)
        for number in range(kills):
            live_and_die(ready, tmp_path, engine, draw, number)
        venue.admin("/faults", method="DELETE")
        asyncio.run(settle(venue, tmp_path, engine))
        orders = len(venue.server.desk.by_account[0])
    log = [each.event for each in read_run(tmp_path / "events.sqlite")]
    boots = [each for each in log if isinstance(each, BootStarted)]
    return Lived(
        orders=orders,
        boots=len(boots),
        from_snapshot=sum(1 for each in boots if each.from_snapshot),
        unknown=sum(1 for each in log if isinstance(each, OrderOutcomeUnknown)),
    )


async def settle(venue: ServedVenue, folder: Path, engine: str) -> None:
    """Zero lost, zero doubled, ledger equals venue."""
    async with live_house(venue, folder, config_of(engine)) as house:
        await house.settled()
        house.check_invariants()


@pytest.mark.long
@pytest.mark.parametrize("engine", ["live", "advanced"])
def test_two_hundred_kills_lose_and_double_nothing(tmp_path: Path, engine: str) -> None:
    """`pytest -m long -s tests/integration/test_killed_live.py`, some ten minutes for each engine."""
    lived = kill_again_and_again(tmp_path, engine, KILLS)

    print(f"\n{engine}: {KILLS} kills, lost 0, doubled 0, ledger equals venue; {lived}")  # noqa: T201 - for -s
    assert lived.orders > KILLS
    assert lived.from_snapshot > 0


@pytest.mark.long
def test_a_few_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """The same with ten: `pytest -m long tests/integration/test_killed_live.py -k few`, a minute."""
    assert kill_again_and_again(tmp_path, "advanced", 10).orders > 0
