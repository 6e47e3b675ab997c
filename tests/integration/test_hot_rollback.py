"""Is the engine of a real running bot taken back by file and signal, and by command, while the market runs?"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.command_line import TIMEOUT_SECONDS, a_busy_profile, command, ended, events_of, of_type, started, stores

from gpt_trader.ops.asking import Running, running_bots

IMPACT, SIZING = "enable_market_impact_guard", "enable_dynamic_position_sizing"
OFF = "RISK_ENABLE_DYNAMIC_POSITION_SIZING=false\nRISK_ENABLE_MARKET_IMPACT_GUARD=false\n"
LIVE, ADVANCED = "LiveExecutionEngine", "AdvancedExecutionEngine"
SWAPS = 300
P99_SECONDS_MAX = 0.25


@pytest.fixture
def bot(state_home: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Running]]:
    """One that trades every few minutes of a market that runs 600 times too fast; its environment says advanced."""
    (tmp_path / "env").write_text("")
    arguments = ("run", "--profile", a_busy_profile(tmp_path), "--env-file", str(tmp_path / "env"), "--json")
    env = {"RISK_ENABLE_MARKET_IMPACT_GUARD": "true"}
    process = started(*arguments, "--duration", "24h", "--pace", "600x", env=env)
    try:
        wait(lambda: any(running_bots(state_home)), process)
        yield process, next(running_bots(state_home))
    finally:
        process.kill()
        process.communicate()


def wait(done: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not done():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def decided_by(store: Path) -> list[tuple[str, list[str]]]:
    """Each engine that the log names, with the engines of the decisions until the next one."""
    found: list[tuple[str, list[str]]] = []
    for event in events_of(store):
        if event["type"] in ("EngineSelected", "EngineSwapped"):
            found.append((event["engine"], []))
        elif event["type"] in ("OrderApproved", "OrderRefused"):
            found[-1][1].append(event["engine"])
    return found


def test_file_and_signal_take_the_engine_back(
    bot: tuple[subprocess.Popen[str], Running], state_home: Path, tmp_path: Path
) -> None:
    """The file wins over the environment; every later decision carries the new engine; a command brings it back on."""
    process, running = bot
    wait(lambda: running.tell("status")["events"] > 60, process)  # type: ignore[operator]
    (tmp_path / "env").write_text(OFF)
    process.send_signal(signal.SIGHUP)
    wait(lambda: running.tell("status")["engine"] == LIVE, process)

    rows = {row["flag"]: row for row in json.loads(command("flags", "list", "--run", running.name, "--json").out)}
    assert (rows[IMPACT]["value"], rows[IMPACT]["who"]) == ("false", "signal SIGHUP")
    before = running.tell("status")["events"]
    wait(lambda: running.tell("status")["events"] > before + 60, process)  # type: ignore[operator]
    back = command("flags", "set", IMPACT, "true", "--reason", "a test", "--json")
    assert (back.code, json.loads(back.out)["engine"]) == (0, ADVANCED)

    process.send_signal(signal.SIGTERM)
    assert ended(process).code == 130
    (store,) = stores(state_home)
    engines = decided_by(store)
    assert [engine for engine, _ in engines] == [ADVANCED, LIVE, ADVANCED]
    assert all(set(names) <= {engine} for engine, names in engines)
    assert engines[0][1]
    assert engines[1][1]
    (first, second) = of_type(events_of(store), "EngineSwapped")
    assert first["who"] == "signal SIGHUP"
    assert f"process {os.getpid()}" not in second["who"], "it was the command's process"


def swap(line: socket.socket, lines: Any, *, on: bool) -> float:
    """Seconds from the acknowledgement of the command to the word that the swap is durable."""
    arguments = {"flag": IMPACT, "value": "true" if on else "false"}
    line.sendall(msgspec.json.encode({"name": "set_flag", "arguments": arguments, "reason": "a test"}) + b"\n")
    assert json.loads(lines.readline()) == {"accepted": True}
    began = time.perf_counter()
    assert "answer" in json.loads(lines.readline())
    return time.perf_counter() - began


@pytest.mark.long
def test_a_swap_is_durable_within_a_quarter_of_a_second(
    bot: tuple[subprocess.Popen[str], Running], state_home: Path, tmp_path: Path
) -> None:
    """p99 of 300 swaps under a market burst: `pytest tests/integration/test_hot_rollback.py -m long -s`."""
    process, running = bot
    running.tell("set_flag", {"flag": SIZING, "value": "false"}, "a test")
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(running.socket))
        lines = line.makefile("rb")
        seconds = sorted(swap(line, lines, on=number % 2 == 0) for number in range(SWAPS))
    process.send_signal(signal.SIGTERM)
    ended(process)

    p99 = seconds[int(SWAPS * 0.99)]
    median = seconds[SWAPS // 2]
    print(f"acknowledged to durable: median {median * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")  # noqa: T201 - the figure
    assert p99 < P99_SECONDS_MAX
    (store,) = stores(state_home)
    engines = decided_by(store)
    assert len(engines) > SWAPS
    assert all(set(names) <= {engine} for engine, names in engines)
