"""What is left of a run that was killed, or told to stop? A log that is whole, a ledger, and no order without intent."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from tests.command_line import (
    TIMEOUT_SECONDS,
    Done,
    a_busy_profile,
    check_balance,
    check_ledger,
    command,
    ended,
    events_of,
    hashes_of,
    of_type,
    started,
    stores,
    verified,
)

from gpt_trader.ops.log import LOG_NAME

PACE = "600x"
"""An hour of market in six seconds: time enough to be killed in, with an order every other tenth of a second."""
KILLED_RUNS = 3


def wait_for_trading(home: Path, count: int, fills: int = 1) -> None:
    """Until `count` runs have had so many fills; their orders are on the disk by then."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while sum(fills_told(store) >= fills for store in stores(home)) < count:
        assert time.monotonic() < deadline, f"fewer than {count} runs have had {fills} fills"
        time.sleep(0.02)


def fills_told(store: Path) -> int:
    log = store.with_name(LOG_NAME)
    return log.read_text().count("OrderFilled") if log.exists() else 0


@pytest.fixture
def running(state_home: Path, tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Paced runs of one seed, all trading; whatever still runs at the end is ended."""
    profile = a_busy_profile(tmp_path)
    arguments = ("run", "--profile", profile, "--duration", "1h", "--pace", PACE, "--json")
    runs = [started(*arguments) for _ in range(KILLED_RUNS)]
    try:
        wait_for_trading(state_home, KILLED_RUNS)
        yield runs
    finally:
        for run in runs:
            run.kill()
            run.communicate()


def kill_at_random_instants(runs: Sequence[subprocess.Popen[str]], home: Path) -> None:
    """One after another, each when its store holds more than any did as the one before was killed."""
    instants = random.Random(20240808)
    for number, run in enumerate(runs):
        time.sleep(instants.uniform(0.0, 0.1))
        run.send_signal(signal.SIGKILL)
        run.wait(TIMEOUT_SECONDS)
        wait_for_growth(home, KILLED_RUNS - number - 1)


def wait_for_growth(home: Path, count: int) -> None:
    """Until `count` stores hold more events than the longest holds now."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    longest = max(map(len, map(hashes_of, stores(home))))
    while sum(len(hashes_of(store)) > longest for store in stores(home)) < count:
        assert time.monotonic() < deadline, f"fewer than {count} runs went on beyond {longest} events"
        time.sleep(0.02)


def test_killed_runs_leave_whole_logs(running: list[subprocess.Popen[str]], state_home: Path, tmp_path: Path) -> None:
    """Each log verifies, gives a ledger and its orders, and is the beginning of the log of the unbroken run."""
    kill_at_random_instants(running, state_home)
    whole = command("run", "--profile", a_busy_profile(tmp_path), "--duration", "1h", "--json").summary
    unbroken = hashes_of(whole["store"])

    lengths = set()
    for store in stores(state_home):
        if str(store) == whole["store"]:
            continue
        found = verified(store)
        hashes = hashes_of(store)
        assert found["ended"] is None or not found["ended"]
        assert hashes == unbroken[: len(hashes)]
        assert 0 < len(hashes) < len(unbroken)
        check_orders(store, found["ledger"]["symbols"])
        lengths.add(len(hashes))
    assert len(lengths) == KILLED_RUNS, "two were killed at the same event"


def check_orders(store: Path, symbols: dict[str, dict[str, str]]) -> None:
    """Every order was approved before, every fill belongs to an order of ours, and fills make the position."""
    approved: set[str] = set()
    submitted: set[str] = set()
    quantity = Decimal(0)
    for event in of_type(events_of(store), "OrderApproved", "OrderSubmitted", "OrderFilled"):
        if event["type"] == "OrderApproved":
            approved.add(event["intent_id"])
        elif event["type"] == "OrderSubmitted":
            assert event["intent_id"] in approved
            submitted.add(event["client_order_id"])
        else:
            assert event["client_order_id"] in submitted
            quantity += Decimal(event["quantity"]) * (1 if event["side"] == "BUY" else -1)
    assert submitted
    held = symbols["BTC-PERP"]["quantity"] if symbols else "0"  # no fill before it was killed
    assert Decimal(held) == quantity


def stopped(number: signal.Signals, home: Path, *arguments: str) -> Done:
    """A run that was trading when the signal came."""
    run = started("run", *arguments, "--duration", "5h", "--pace", PACE)
    wait_for_trading(home, 1)
    time.sleep(0.8)
    run.send_signal(number)
    return ended(run)


def test_f90_termination_stops_in_order(state_home: Path, tmp_path: Path) -> None:
    """Exit 130; summary and last event say alike who stopped it and what stays open."""
    done = stopped(signal.SIGTERM, state_home, "--profile", a_busy_profile(tmp_path), "--json")

    summary = done.summary
    assert done.code == 130
    assert summary["stopped_by"] == "stopped by SIGTERM"
    last = events_of(summary["store"])[-1]
    assert (last["type"], last["reason"]) == ("RunEnded", "stopped by SIGTERM")
    assert last.get("open_positions", {}) == summary["positions"]
    check_balance(summary)
    check_ledger(summary)


def test_ctrl_c_says_what_stays_open(state_home: Path, tmp_path: Path) -> None:
    """A position is not closed by stopping; the person is told of it."""
    done = stopped(signal.SIGINT, state_home, "--profile", a_busy_profile(tmp_path))

    (store,) = stores(state_home)
    last = events_of(store)[-1]
    assert done.code == 130
    assert "stopped by SIGINT: no new entries" in done.out
    assert last["open_positions"], "the strategy is always in the market"
    for symbol, quantity in last["open_positions"].items():
        assert f"Still open: {'' if quantity.startswith('-') else '+'}{quantity} {symbol}" in done.out.splitlines()
