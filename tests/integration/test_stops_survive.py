"""A stop survives `kill -9` and restart, fires once, and a gap through it escalates: over real processes and stores."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.house_under_test import House, a_config
from tests.killed_house import ENGINES, QUIET_SECONDS, a_market, build, the_venue_again

from gpt_trader.core.clock import NS
from gpt_trader.core.events import BootStarted, Event, OrderSubmitted, RunStarted, StopEscalated, StopTriggered
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import read_run

ROOT = Path(__file__).resolve().parents[2]
SECONDS_DOWN = 20
"""Of market: the price has moved long before the second boot."""


def killed(folder: Path, engine: str, scenario: str, at: str) -> list[Event]:
    """What the log of a killed process holds."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_house", str(folder), engine, scenario, at],
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    return [recorded.event for recorded in read_run(folder / "events.sqlite")]


def second_boot(folder: Path, engine: str, scenario: str, log: list[Event], seconds: float = 40) -> list[Event]:
    """The same run, taken over by another process `SECONDS_DOWN` later; returns its whole log."""
    market = a_market(scenario)
    adapter, clock = the_venue_again(market, log, market.start_ns + (QUIET_SECONDS + SECONDS_DOWN) * NS)
    with EventStore.open(folder / "events.sqlite", "test-run", 2, durable=False) as store:
        house = build(a_config(**ENGINES[engine]), adapter, clock, store, 2)

        async def wait() -> None:
            await clock.sleep(seconds)

        house.run(wait)
        check(house)
        return [recorded.event for recorded in store.read()]


def check(house: House) -> None:
    """Flat, nothing left at the venue, and ledger, venue and log agree."""
    house.check_invariants()
    assert house.bot.ledger.position("BTC-PERP").quantity == 0
    assert house.adapter.venue.open_orders() == ()
    assert house.bot.stops.kept() == ()


def count(events: list[Event], kind: type[Event]) -> int:
    return sum(type(event) is kind for event in events)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scenario", ["at the venue", "gap"])
def test_a_stop_at_the_venue_outlives_the_process(tmp_path: Path, engine: str, scenario: str) -> None:
    """The price falls while nobody is there; the second boot learns of it, or gets out where the stop could not."""
    log = killed(tmp_path, engine, scenario, "quietly")
    assert count(log, StopTriggered) == 0
    whole = second_boot(tmp_path, engine, scenario, log)
    assert count(whole, StopTriggered) == 1
    assert count(whole, StopEscalated) == (1 if scenario == "gap" else 0)
    assert (count(whole, RunStarted), count(whole, BootStarted)) == (1, 2)


@pytest.mark.parametrize("scenario", ["trailing", "target"])
def test_a_stop_that_the_bot_keeps_outlives_the_process(tmp_path: Path, scenario: str) -> None:
    """Nobody watched while it was down; the second boot looks at once and gets out, once."""
    log = killed(tmp_path, "advanced", scenario, "quietly")
    whole = second_boot(tmp_path, "advanced", scenario, log)
    assert count(whole, StopTriggered) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_between_the_fill_and_the_stop(tmp_path: Path, engine: str) -> None:
    """The plan was durable before the entry left, so the position is not naked after all."""
    log = killed(tmp_path, engine, "gap", "OrderFilled")
    assert count(log, OrderSubmitted) == 1
    whole = second_boot(tmp_path, engine, "gap", log)
    assert count(whole, StopTriggered) == 1


@pytest.mark.parametrize("at", ["StopTriggered", "OrderCancelRequested", "StopEscalated"])
def test_killed_while_getting_out(tmp_path: Path, at: str) -> None:
    """It fires once; whatever closer was alive is proven gone before the next one leaves."""
    log = killed(tmp_path, "live", "gap", at)
    whole = second_boot(tmp_path, "live", "gap", log)
    assert count(whole, StopTriggered) == 1
