"""Killed inside a swap, at random moments of a working tactic: the next boot has one engine, one order, one stop."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from tests.builders import D
from tests.killed_house import build, the_venue_again
from tests.killed_swap import LIMITS, a_market
from tests.steered import Configuration

from gpt_trader.core.clock import NS
from gpt_trader.core.events import Event, FlagSet, OrderFilled, OrderSubmitted
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import read_run

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = [round(Random(seed).uniform(0.01, 12.5), 3) for seed in range(8)]
"""Of the thirteen seconds that the tactic takes."""


def killed(folder: Path, seconds: float, when: str) -> list[Event]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_swap", str(folder), str(seconds), when],
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    return [recorded.event for recorded in read_run(folder / "events.sqlite")]


@pytest.mark.parametrize("when", ["EngineSwapped", "after"])
def test_a_crash_in_a_swap_loses_and_doubles_nothing(tmp_path: Path, when: str) -> None:
    """The swap happened whole or not at all; the entry is brought to its end by its tactic and is protected."""
    crash_and_go_on(tmp_path, 5.66, when)


@pytest.mark.long
@pytest.mark.parametrize("when", ["FlagSet", "EngineSwapped", "after"])
@pytest.mark.parametrize("seconds", [0.015, *MOMENTS])
def test_a_crash_at_any_moment_of_a_tactic(tmp_path: Path, seconds: float, when: str) -> None:
    """The same at random points: `pytest tests/integration/test_crash_in_a_swap.py -m long`."""
    crash_and_go_on(tmp_path, seconds, when)


def crash_and_go_on(tmp_path: Path, seconds: float, when: str) -> None:
    """Kill the first boot there, let a second one take over, and look at what became of order, stop and engine."""
    log = killed(tmp_path, seconds, when)
    told = [event for event in log if isinstance(event, FlagSet)]
    assert bool(told) == (when == "after"), "within one turn nothing of a swap is durable, after it everything"

    market = a_market()
    adapter, clock = the_venue_again(market, log, market.start_ns + 20 * NS)
    configuration = Configuration(tmp_path, **LIMITS)
    with EventStore.open(tmp_path / "events.sqlite", "test-run", 2, durable=False) as store:
        house = build(configuration.load().config, adapter, clock, store, 2)
        configuration.steering(house).recall(recorded.event for recorded in store.read())
        assert house.bot.engine.name == ("LiveExecutionEngine" if told else "AdvancedExecutionEngine")

        async def wait() -> None:
            await clock.sleep(90)

        house.run(wait)
        house.check_invariants()
        whole = [recorded.event for recorded in store.read()]
        filled = sum((event.quantity for event in whole if isinstance(event, OrderFilled)), start=D(0))
        assert filled == house.bot.ledger.position("BTC-PERP").quantity == D("1.5")
        submitted = Counter(event.client_order_id for event in whole if isinstance(event, OrderSubmitted))
        assert set(submitted.values()) == {1}
        assert house.bot.tracker.working() == ()
        assert [stop.trigger_price for stop in house.bot.stops.kept()] == [D(59_000)]
