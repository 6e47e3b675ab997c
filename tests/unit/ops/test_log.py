"""Do the program's own lines say what happened, to whom it belongs, and nothing that must stay secret?"""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders import START_NS, D, a_fill, a_submitted

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import Event, GuardTripped, ModeChanged, RunEnded, SymbolPaused, SystemError  # noqa: A004
from gpt_trader.core.values import Mode
from gpt_trader.ops import log as log_module
from gpt_trader.ops.log import ERROR, HIDDEN, INFO, LOG_NAME, WARNING, RunLog, level_of, redactor, run_log

KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIC\n-----END EC PRIVATE KEY-----"
FAILED = SystemError(at_ns=START_NS, source="wire", message="closed", action="reported")


def a_trip(**changes: Any) -> GuardTripped:
    fields: dict[str, Any] = {
        "at_ns": START_NS,
        "guard": "daily_loss",
        "value": D(1200),
        "threshold": D(1000),
        "unit": "USD",
        "action": "reduce only",
        "way_back": "the next day",
    }
    return GuardTripped(**fields | changes)


def written(
    folder: Path, say: Callable[[RunLog], None], *, secrets: tuple[str, ...] = (), alarms: io.StringIO | None = None
) -> list[dict[str, Any]]:
    """The lines of a log that was told something."""
    with run_log(folder, run_id="test-run", boot=2, secrets=secrets, alarms=alarms) as log:
        say(log)
    return [json.loads(line) for line in (folder / LOG_NAME).read_text().splitlines()]


def test_every_line_names_run_and_boot(tmp_path: Path) -> None:
    """Lines of many runs may be collected in one place."""
    lines = written(tmp_path, lambda log: log.on_event(a_fill()))

    assert {(line["run"], line["boot"]) for line in lines} == {("test-run", 2)}


def test_a_line_belongs_to_its_intent_and_order(tmp_path: Path) -> None:
    """With the event's own time and kind, so that it is found in the store."""
    line = written(tmp_path, lambda log: log.on_event(a_fill()))[1]

    assert line["text"] == "filled BUY 0.1 BTC-PERP at 60,000, fee 6.00"
    assert (line["kind"], line["intent"], line["order"]) == ("OrderFilled", "test:BTC-PERP:1:long", "gt-test-1")
    assert line["at"] == "2025-06-15 15:06:40.000Z"
    assert line["level"] == "info"


def test_the_process_is_named_with_its_wall_time(tmp_path: Path) -> None:
    """What the store leaves out, because it would differ between two runs that are the same."""
    first, last = written(tmp_path, lambda _: None)

    assert first["text"] == "process started"
    assert {"wall", "version", "python", "host", "process"} <= first.keys()
    assert last["text"] == "process ended"
    assert last["seconds"] >= 0


def test_a_process_that_fails_has_no_last_line(tmp_path: Path) -> None:
    """So that a log without an end is the log of a run without an orderly end."""

    def fail(_: RunLog) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        written(tmp_path, fail)

    assert "process ended" not in (tmp_path / LOG_NAME).read_text()


def test_what_nobody_follows_is_not_repeated(tmp_path: Path) -> None:
    """The store has it."""
    assert len(written(tmp_path, lambda log: log.on_event(a_submitted()))) == 2


def test_the_end_of_the_run_says_what_stays_open(tmp_path: Path) -> None:
    """Orders and positions, as the summary does."""
    ended = RunEnded(
        at_ns=START_NS, reason="stopped by SIGINT", open_orders=("gt-1",), open_positions={"BTC-PERP": D("-0.03")}
    )

    line = written(tmp_path, lambda log: log.on_event(ended))[1]

    assert line["text"] == "run ended: stopped by SIGINT; 1 orders open, positions: -0.03 BTC-PERP"


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (a_fill(), INFO),
        (a_fill(cause="LIQUIDATION"), WARNING),
        (a_trip(), WARNING),
        (ModeChanged(at_ns=START_NS, mode=Mode.REDUCE_ONLY, was=Mode.NORMAL, reason="x", who="guard"), WARNING),
        (ModeChanged(at_ns=START_NS, mode=Mode.NORMAL, was=Mode.REDUCE_ONLY, reason="x", who="guard"), INFO),
        (SymbolPaused(at_ns=START_NS, symbol="BTC-PERP", reason="x"), WARNING),
        (SymbolPaused(at_ns=START_NS, symbol="BTC-PERP", reason=""), INFO),
        (FAILED, ERROR),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else str(value),
)
def test_level_says_whether_a_person_is_needed(event: Event, level: int) -> None:
    """Warnings may need one; errors should never happen; the way back is neither."""
    assert level_of(event) == level


def test_only_alarms_are_also_told_on_stderr(tmp_path: Path) -> None:
    """Short, with market time; what goes well would only hide them."""
    stderr = io.StringIO()

    def say(log: RunLog) -> None:
        for event in (a_fill(), a_trip(), FAILED):
            log.on_event(event)

    written(tmp_path, say, alarms=stderr)

    assert stderr.getvalue().splitlines() == [
        "warning: 2025-06-15 15:06:40Z guard daily_loss tripped: 1,200.00 USD, limit 1,000.00 USD; reduce only",
        "error: 2025-06-15 15:06:40Z error in wire: closed (reported)",
    ]


def test_no_secret_is_written_down(tmp_path: Path) -> None:
    """Neither a credential in the middle of a text, nor a private key of any kind, nor a field that is named so."""
    stderr = io.StringIO()

    def say(log: RunLog) -> None:
        log.on_event(SystemError(at_ns=START_NS, source="rest", message=f"401 for abc-123: {KEY}", action="stop"))
        log.process("headers", authorization="Bearer xyz", note="abc-123 again")

    lines = written(tmp_path, say, secrets=("abc-123", ""), alarms=stderr)

    lines.sort(key=lambda line: str(line["text"]))  # those of events are written in another thread
    assert lines[0]["text"] == f"error in rest: 401 for {HIDDEN}: {HIDDEN} (stop)"
    assert (lines[1]["authorization"], lines[1]["note"]) == (HIDDEN, f"{HIDDEN} again")
    told = (tmp_path / LOG_NAME).read_text() + stderr.getvalue()
    assert not [secret for secret in ("abc-123", "MHcCAQEEIC", "xyz") if secret in told]


def test_a_private_key_that_is_cut_off_is_hidden_to_the_end() -> None:
    """Messages are shortened; half a key is still a key."""
    assert redactor([])(None, "info", {"event": f"bad key {KEY[:45]}"}) == {"event": f"bad key {HIDDEN}"}


def test_the_log_is_for_its_owner_only(tmp_path: Path) -> None:
    """Like the store beside it."""
    written(tmp_path, lambda _: None)

    assert stat.S_IMODE((tmp_path / LOG_NAME).stat().st_mode) == 0o600


def test_f93_a_full_file_is_turned_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot that runs for months does not fill the disk with its log: two files at most."""
    monkeypatch.setattr(log_module, "LOG_BYTES_MAX", 1000)

    def say(log: RunLog) -> None:
        for _ in range(20):
            log.on_event(a_fill())

    written(tmp_path, say)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.1.jsonl", LOG_NAME]
    assert all(path.stat().st_size < 1500 for path in tmp_path.iterdir())


def test_a_second_process_continues_the_file(tmp_path: Path) -> None:
    """A boot of the same run appends."""
    written(tmp_path, lambda _: None)

    assert [line["text"] for line in written(tmp_path, lambda _: None)] == ["process started", "process ended"] * 2


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Before anything is traded."""
    with pytest.raises(StoreError, match=r"nowhere/log.jsonl: the log cannot be written \(No such file or directory\)"):
        written(tmp_path / "nowhere", lambda _: None)
