"""What has a run written down, and is it whole?"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from tests.builders import START_NS, a_fill, a_run_started, a_submitted

from gpt_trader.cli.main import run_command_line
from gpt_trader.core.events import RunEnded
from gpt_trader.records.event_store import EventStore


@pytest.fixture
def run(state_home: Path) -> Path:
    """One run in an empty home: an order of 0.3 with a fill of 0.1."""
    path = state_home / "runs" / "test-run" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=True) as store:
        for event in (a_run_started(), a_submitted(), a_fill(), RunEnded(at_ns=START_NS, reason="end of market")):
            store.append(event)
    return path


def test_verify_prints_head_and_ledger(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Count, head hash, cash, position and open orders of a whole log; exit 0."""
    assert run_command_line(["events", "verify", "last"]) == 0
    said = capsys.readouterr().out
    with EventStore.open(run, "test-run", 2, durable=False) as store:
        assert f"sequence 4, hash {store.head.digest}" in said
    for text in ("test-run: whole", "end of market", "cash 99994.00000000", "0.1 of 0.3 filled", "PARTIALLY_FILLED 1"):
        assert text in said


def test_verify_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object with decimal strings."""
    assert run_command_line(["events", "verify", "test", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sound"], found["events"], found["store"]) == (True, 4, str(run))
    assert found["ledger"]["cash"] == "99994.00000000"
    assert found["ledger"]["symbols"]["BTC-PERP"]["quantity"] == "0.1"
    assert found["orders"] == {"PARTIALLY_FILLED": 1}


def test_verify_finds_a_change_in_a_block(state_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Simulated runs keep many events in a row; one digit is enough."""
    path = state_home / "runs" / "test-run" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        store.append(a_run_started())
        store.append(a_fill())
    with sqlite3.connect(path) as connection:
        changed = connection.execute(
            "UPDATE blocks SET payloads = CAST(replace(CAST(payloads AS TEXT), '60000', '60001') AS BLOB)"
        )
        assert changed.rowcount == 1
    connection.close()

    assert run_command_line(["events", "verify", "last"]) == 3
    assert "cash" not in capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_verify_names_the_first_break(run: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    """Exit 3, the sequence, and no ledger from a damaged log."""
    with sqlite3.connect(run) as connection:
        connection.execute("UPDATE events SET payload = replace(payload, '60000', '60001') WHERE sequence = 3")
    connection.close()
    assert run_command_line(["events", "verify", "last", *options]) == 3
    said = capsys.readouterr().out
    assert "changed_payload" in said
    assert "cash" not in said
    if options:
        assert json.loads(said)["breaks"][0]["sequence"] == 3
    else:
        assert "sequence 3: changed_payload" in said


def test_show_prints_events(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sequence, time, type, symbol and fields of each."""
    assert run_command_line(["events", "show", str(run)]) == 0
    said = capsys.readouterr().out
    for text in ("RunStarted", "OrderSubmitted", "OrderFilled", "price=60000", "2025-06-15 15:06:40.000Z", "gt-test-1"):
        assert text in said


@pytest.mark.parametrize(
    ("options", "sequences"),
    [
        ([], [1, 2, 3, 4]),
        (["--limit", "2"], [3, 4]),
        (["--after", "1", "--limit", "2"], [2, 3]),
        (["--type", "OrderFilled"], [3]),
        (["--type", "OrderFilled", "--type", "RunEnded"], [3, 4]),
        (["--intent", "test:BTC-PERP:1:long"], [2, 3]),
        (["--order", "gt-test-1", "--after", "2"], [3]),
        (["--order", "nobody"], []),
    ],
)
def test_show_chooses(run: Path, capsys: pytest.CaptureFixture[str], options: list[str], sequences: list[int]) -> None:
    """By type, intent, order, place and number; one JSON object a line."""
    assert run_command_line(["events", "show", "last", "--json", *options]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["sequence"] for line in lines] == sequences
    assert all(line["event"]["type"] for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nothing"], "no such run or file; the newest under"),
        (["verify", "nothing"], "no such run or file; the newest under"),
        (["show", "last", "--type", "OrderFiled"], "did you mean OrderFilled?"),
        (["show", "last", "--limit", "0"], "--limit"),
    ],
)
def test_bad_input_is_said(run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """Exit 2 and what to write instead."""
    assert run_command_line(["events", *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert run.exists()


def test_a_file_that_is_no_store_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3: what should be a store cannot be trusted."""
    path = tmp_path / "notes.txt"
    path.write_text("nothing of ours " * 100)
    assert run_command_line(["events", "verify", str(path)]) == 3
    assert "notes.txt" in capsys.readouterr().err
