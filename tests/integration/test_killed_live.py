"""What if the process dies, again and again? SIGKILL at random instants against the served venue, with its faults."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.killed_live import config_of
from tests.live_house import live_house, live_venue
from tests.venue_server import ServedVenue

KILLS = 200
FAULTS = (
    {"fault": "lost_reply", "method": "POST", "path": "/orders", "probability": 0.05},
    {"fault": "late_request", "method": "POST", "path": "/orders", "probability": 0.03, "seconds": 1.0},
    {"fault": "server_error", "status": 502, "processed": True, "path": "/orders", "probability": 0.03},
    {"fault": "drop", "channel": "user", "probability": 0.05},
    {"fault": "duplicate", "channel": "user", "probability": 0.05},
)


def live_and_die(ready: Path, folder: Path, engine: str, draw: random.Random, number: int) -> None:
    """One process, from its start to SIGKILL: while it starts, recovers, or trades."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.killed_live", str(ready), str(folder), engine, str(number)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert child.stdout is not None
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0.5, 4.0))  # perhaps before it trades at all
    else:
        said = child.stdout.readline()
        assert said == "trading\n", child.communicate()[1][-2000:]
        time.sleep(draw.uniform(0.0, 2.0))
    child.send_signal(signal.SIGKILL)
    child.communicate()


def kill_again_and_again(tmp_path: Path, engine: str, kills: int) -> int:
    """Then one that lives to its end; returns how many orders the venue has had."""
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
        return len(venue.server.desk.by_account[0])


async def settle(venue: ServedVenue, folder: Path, engine: str) -> None:
    """Zero lost, zero doubled, ledger equals venue."""
    async with live_house(venue, folder, config_of(engine)) as house:
        await house.settled()
        house.check_invariants()


@pytest.mark.long
@pytest.mark.parametrize("engine", ["live", "advanced"])
def test_two_hundred_kills_lose_and_double_nothing(tmp_path: Path, engine: str) -> None:
    """`pytest -m long tests/integration/test_killed_live.py`, some twenty minutes for each engine."""
    orders = kill_again_and_again(tmp_path, engine, KILLS)

    assert orders > KILLS


@pytest.mark.long
def test_a_few_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """The same with ten: `pytest -m long tests/integration/test_killed_live.py -k few`, a minute or two."""
    assert kill_again_and_again(tmp_path, "advanced", 10) > 0
