"""How is a log kept safe, small and sound?"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from tests.builders import START_NS, a_fill, a_run_started

from gpt_trader.cli.main import run_command_line
from gpt_trader.core.clock import NS
from gpt_trader.records.event_store import EventStore


@pytest.fixture
def run(state_home: Path) -> Path:
    """One run in an empty home, of two hours."""
    path = state_home / "runs" / "test-run" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=True) as store:
        store.append(a_run_started())
        store.append(a_fill(at_ns=START_NS + 7200 * NS))
    return path


def test_anchor_archive_and_verify(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is anchored may be archived, and the log is as whole as before."""
    assert run_command_line(["events", "archive", "last", "--days", "1"]) == 0
    assert "nothing to move" in capsys.readouterr().out
    assert run_command_line(["events", "anchor", "last"]) == 0
    assert "test-run sequence 2 hash" in capsys.readouterr().out
    assert run_command_line(["events", "archive", "last", "--days", "1"]) == 0
    assert "events 1 to 2 are in" in capsys.readouterr().out
    assert run_command_line(["events", "verify", "last"]) == 0
    assert "test-run: whole" in capsys.readouterr().out


def test_verify_against_an_anchor_of_ones_own(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An anchor of another log says so; exit 3."""
    anchors = tmp_path / "mine.jsonl"
    assert run_command_line(["events", "anchor", "last", "--to", str(anchors)]) == 0
    anchors.write_text(anchors.read_text().replace('"hash":"', '"hash":"00'))
    assert run_command_line(["events", "verify", "last", "--anchor", str(anchors)]) == 3
    assert "wrong_anchor" in capsys.readouterr().out


def test_export_to_screen_and_file(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same lines both ways; the file is the owner's."""
    target = tmp_path / "log.jsonl"
    assert run_command_line(["events", "export", "last", "--to", str(target)]) == 0
    capsys.readouterr()
    assert run_command_line(["events", "export", "last"]) == 0
    assert capsys.readouterr().out == target.read_text()
    assert [json.loads(line)["sequence"] for line in target.read_text().splitlines()] == [1, 2]
    assert target.stat().st_mode & 0o077 == 0


def test_repair_says_what_it_kept(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what comes next; a whole log is left alone."""
    assert run_command_line(["events", "repair", "last"]) == 0
    assert "nothing to repair" in capsys.readouterr().out
    with sqlite3.connect(run) as connection:
        connection.execute("DELETE FROM events WHERE sequence = 2")
    connection.close()
    assert run_command_line(["events", "repair", "last"]) == 0
    said = capsys.readouterr().out
    assert "kept    1 of 2 events" in said
    assert "entries stay paused" in said


def test_growth_as_object(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes, days and a forecast."""
    assert run_command_line(["events", "growth", "last", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["events"] == 2
    assert found["days_left"] > 0
    assert run_command_line(["events", "growth", str(run)]) == 0
    assert "the disk lasts" in capsys.readouterr().out
