"""Does a person get a verdict, a page and a table, and the same ones after a kill?"""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from tests.command_line import a_busy_profile, command, ended, started

from gpt_trader.cli.main import run_command_line

SPACE = ("--space", "short_ma=2:3", "--space", "long_ma=5:6")


def test_a_search_leaves_a_page_that_opens_with_the_verdict(
    state_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And tables; the same command again is refused, and with --resume shows it again."""
    words = ["optimize", "--profile", a_busy_profile(tmp_path), "--duration", "2h", "--workers", "1", "--no-what-if"]
    words += [*SPACE, "--study", "first", "--folds", "4", "--json"]

    assert run_command_line(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert run_command_line(words) == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    assert run_command_line([*words, "--resume"]) == 0
    assert json.loads(capsys.readouterr().out) == first

    page = (state_home / "research" / "first" / "report.html").read_text()
    assert first["headline"]
    assert page.index("section-verdict") < page.index("section-forward")
    assert first["finding"] in ("real", "loses", "noise", "too short to tell")
    assert len(first["sets"]) == 4
    assert len(first["folds"]) == 8
    assert (state_home / "research" / "first" / "sets.parquet").exists()


def test_the_frontier_says_what_each_way_of_executing_costs(
    state_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Combinations that an engine does not offer are named, not run."""
    words = ["frontier", "--profile", a_busy_profile(tmp_path), "--duration", "1h", "--workers", "1"]
    words += ["--tactics", "market,iceberg", "--engines", "live,advanced", "--no-report", "--json"]

    assert run_command_line(words) == 0

    found = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in found["sets"]] == ["complete", "complete", "refused", "complete"]
    assert "costs least" in found["headline"]
    assert any("1 combinations are not offered, such as iceberg live" in reason for reason in found["reasons"])
    assert all(each["figures"]["entries"] > 0 for each in found["sets"] if each["state"] == "complete")


@pytest.mark.long
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_search_that_is_killed_and_resumed_comes_to_the_same_table(
    kill: signal.Signals, state_home: Path, tmp_path: Path
) -> None:
    """`pytest -m long tests/integration/test_optimize_command.py`: two real processes, half a minute each."""
    words = ["optimize", "--profile", a_busy_profile(tmp_path), "--duration", "1d", "--workers", "2", "--json"]
    words += ["--space", "short_ma=2:5", "--space", "long_ma=8:10", "--no-report", "--no-what-if"]
    whole = command(*words, "--study", "whole").summary

    process = started(*words, "--study", "killed")
    wait_for(state_home / "research" / "killed" / "study.sqlite", 3)
    process.send_signal(kill)
    assert ended(process).code == (-signal.SIGKILL if kill is signal.SIGKILL else 130)
    resumed = command(*words, "--study", "killed", "--resume").summary

    assert resumed | {"study": ""} == whole | {"study": ""}
    assert len(resumed["sets"]) == 12


def wait_for(database: Path, trials: int) -> None:
    """Until so many trials have ended."""
    limit = time.monotonic() + 120
    while time.monotonic() < limit:
        if database.exists():
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as kept:
                tables = kept.execute("select count(*) from sqlite_master where name = 'trials'").fetchone()[0]
                done = "select count(*) from trials where state = 'COMPLETE'"
                if tables and kept.execute(done).fetchone()[0] >= trials:
                    return
        time.sleep(0.1)
    raise AssertionError(f"{database}: not {trials} trials in two minutes")
