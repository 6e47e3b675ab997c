"""Is a real running bot seen and steered from another process? Its socket, its log, and what is left afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.command_line import TIMEOUT_SECONDS, command, ended, events_of, of_type, started, stores

from gpt_trader.ops.asking import Running, running_bots
from gpt_trader.ops.control import SOCKET_NAME
from gpt_trader.ops.replay import replay


@pytest.fixture
def bot(state_home: Path) -> Iterator[tuple[subprocess.Popen[str], Running]]:
    """A paced run of the newcomer's profile that listens; ended at the end whatever happens."""
    process = started("run", "--duration", "5h", "--pace", "60x", "--json")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        while not (found := list(running_bots(state_home))):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "it never listened"
            time.sleep(0.05)
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


def test_a_running_bot_does_what_it_is_told(bot: tuple[subprocess.Popen[str], Running], state_home: Path) -> None:
    """Seen by `ps`, paused and killed with who and why in the log, stopped by SIGTERM; the socket is gone then.

    And the log replays to the same, commands included."""
    process, running = bot

    (seen,) = json.loads(command("ps", "--json").out)
    assert (seen["profile"], seen["mode"]) == ("dev_entry", "NORMAL")
    refused = command("pause", "DOGE-PERP", "--reason", "a test")
    assert (refused.code, refused.err) == (
        1,
        "error: symbol 'DOGE-PERP': not traded here. Fix: one of BTC-PERP, or all\n",
    )
    running.tell("pause", {"symbol": "BTC-PERP"}, "a test")
    running.tell("kill", {}, "a test")
    assert running.tell("status")["mode"] == "REDUCE_ONLY"

    process.send_signal(signal.SIGTERM)
    assert ended(process).code == 130
    (store,) = stores(state_home)
    assert not (store.parent / SOCKET_NAME).exists()
    told = [(event["command"], event["reason"]) for event in of_type(events_of(store), "OperatorCommanded")]
    assert told == [("pause", "a test"), ("pause", "a test"), ("kill", "a test"), ("stop", "stopped by SIGTERM")]
    assert all(
        f"process {os.getpid()}" in event["who"] for event in list(of_type(events_of(store), "OperatorCommanded"))[1:-1]
    )
    replayed = replay(store, state_home)
    assert replayed.is_same, replayed.differences[:3]
    assert replayed.whole_log
