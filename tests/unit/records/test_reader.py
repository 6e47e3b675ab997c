"""What is in the log, and is it whole?"""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import a_fill

from gpt_trader.core.errors import StoreError
from gpt_trader.core.journal import Recorded
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import last_boot, last_sequence, read_run, run_id_of, verify

EVENTS = 9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store of nine fills."""
    path = tmp_path / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=True) as store:
        for number in range(EVENTS):
            store.append(a_fill(trade_id=f"t{number}"))
    return path


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def breaks(path: Path) -> list[tuple[int, str]]:
    return [(item.sequence, item.kind) for item in verify(path).breaks]


def test_a_whole_log_verifies(path: Path) -> None:
    """Count, head and run are told."""
    found = verify(path)
    assert (found.run_id, found.events, found.head.sequence, found.breaks, found.notes) == (
        "test-run",
        EVENTS,
        EVENTS,
        (),
        (),
    )
    assert found.head.digest == list(read_run(path))[-1].digest
    assert (last_sequence(path), last_boot(path), run_id_of(path)) == (EVENTS, 1, "test-run")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE events SET payload = replace(payload, '60000', '60001') WHERE sequence = 4", [(4, "changed_payload")]),
        ("UPDATE events SET payload = replace(payload, '60000', '60001') WHERE sequence = 9", [(9, "changed_payload")]),
        ("UPDATE events SET schema_version = 9 WHERE sequence = 4", [(4, "changed_payload")]),
        ("UPDATE events SET payload = x'00' WHERE sequence = 4", [(4, "changed_payload")]),
        ("UPDATE events SET type = 'OrderPlaced' WHERE sequence = 4", [(4, "changed_column")]),
        ("UPDATE events SET intent_id = 'x' WHERE sequence = 4", [(4, "changed_column")]),
        ("UPDATE events SET client_order_id = 'x' WHERE sequence = 4", [(4, "changed_column")]),
        ("UPDATE events SET time_ns = 1 WHERE sequence = 4", [(4, "changed_column")]),
        ("UPDATE events SET run = 'x' WHERE sequence = 4", [(4, "changed_column")]),
        ("UPDATE events SET previous_hash = zeroblob(32) WHERE sequence = 4", [(4, "broken_link"), (4, "changed_payload")]),
        ("DELETE FROM events WHERE sequence = 1", [(1, "missing_row")]),
        ("DELETE FROM events WHERE sequence IN (4, 5)", [(4, "missing_row")]),
        ("DELETE FROM events WHERE sequence = 9", [(9, "tail_cut")]),
        ("DELETE FROM events WHERE sequence > 6", [(7, "tail_cut")]),
        ("DELETE FROM events", [(1, "tail_cut")]),
        (
            "UPDATE events SET payload = replace(payload, '60000', '60001') WHERE sequence IN (2, 7)",
            [(2, "changed_payload"), (7, "changed_payload")],
        ),
    ],
)  # fmt: skip
def test_each_break_is_named_by_its_sequence(path: Path, statement: str, found: list[tuple[int, str]]) -> None:
    """What was changed, what is missing and what was cut, each where it is and nothing else."""
    change(path, statement)
    assert breaks(path) == found


def test_a_changed_hash_is_told_from_a_changed_payload(path: Path) -> None:
    """The next row's link shows which of the two is what was written."""
    change(path, "UPDATE events SET hash = zeroblob(32) WHERE sequence = 4")
    assert breaks(path)[0] == (4, "wrong_hash")


def test_a_rewritten_log_is_seen_by_the_mark(path: Path, tmp_path: Path) -> None:
    """Somebody who makes a sound chain of other events is found out by the mark beside it."""
    other = tmp_path / "other" / "events.sqlite"
    with EventStore.open(other, "test-run", 1, durable=True) as store:
        for number in range(EVENTS):
            store.append(a_fill(trade_id=f"x{number}"))
    shutil.copy(path.with_suffix(".mark"), other.with_suffix(".mark"))
    assert breaks(other) == [(EVENTS, "wrong_mark")]


def test_a_log_without_its_mark_is_noted(path: Path) -> None:
    """A copy of the database alone is readable; that its end is not proved is said."""
    path.with_suffix(".mark").unlink()
    found = verify(path)
    assert found.breaks == ()
    assert "a cut of the log's end cannot be seen" in found.notes[0]


def test_a_damaged_mark_is_a_break(path: Path) -> None:
    """Nobody knows how far the log had got."""
    path.with_suffix(".mark").write_bytes(b"x" * 192)
    assert breaks(path) == [(0, "damaged_mark")]


def test_an_event_of_an_unknown_schema_is_a_break(path: Path) -> None:
    """A row whose hash is right, of a version that nobody here can read, is named and not guessed at."""
    change(path, "DELETE FROM events WHERE sequence = 9")
    from gpt_trader.records.chain import row_hash

    with sqlite3.connect(path) as connection:
        previous = connection.execute("SELECT hash FROM events WHERE sequence = 8").fetchone()[0]
        connection.execute(
            "INSERT INTO events SELECT 9, run, boot, time_ns, type, 99, intent_id, client_order_id, payload, ?, ? "
            "FROM events WHERE sequence = 8",
            (previous, row_hash(previous, 9, 99, bytes(connection.execute("SELECT CAST(payload AS BLOB) FROM events WHERE sequence = 8").fetchone()[0]))),
        )  # fmt: skip
    connection.close()
    assert (9, "unreadable") in breaks(path)


def test_reading_stops_at_the_first_break(path: Path) -> None:
    """State is never rebuilt from what lies behind damage."""
    change(path, "UPDATE events SET payload = replace(payload, '60000', '60001') WHERE sequence = 4")
    seen: list[int] = []
    with pytest.raises(StoreError, match="chain breaks at sequence 4"):
        seen.extend(item.sequence for item in read_run(path))
    rows = read_run(path)
    assert [next(rows).sequence for _ in range(3)] == [1, 2, 3]
    with pytest.raises(StoreError, match="chain breaks at sequence 4"):
        next(rows)


def test_what_is_told_ends_at_the_first_break(path: Path) -> None:
    """Whoever rebuilds while verifying gets nothing from behind the damage."""
    change(path, "UPDATE events SET payload = replace(payload, '60000', '60001') WHERE sequence = 4")
    told: list[Recorded] = []
    verify(path, told.append)
    assert [item.sequence for item in told] == [1, 2, 3]


def test_reading_after_an_event_that_is_not_there_fails(path: Path) -> None:
    """A cursor beyond the log is a loss somewhere, not an empty answer."""
    assert list(read_run(path, EVENTS)) == []
    with pytest.raises(StoreError, match="no event with sequence 10"):
        list(read_run(path, EVENTS + 1))


@pytest.mark.parametrize("read", [verify, lambda path: list(read_run(path)), last_sequence, run_id_of])
def test_no_store_is_an_error(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """An absent file is never an empty log."""
    with pytest.raises(StoreError, match="there is no event store here"):
        read(tmp_path / "nothing.sqlite")


def test_no_store_has_had_no_boot(tmp_path: Path) -> None:
    """The one question that may be asked before there is a store."""
    assert last_boot(tmp_path / "nothing.sqlite") == 0


def content(path: Path) -> list[tuple[int, object]]:
    return [(item.sequence, item.event) for item in read_run(path)]


def is_found(path: Path, before: list[tuple[int, object]]) -> bool:
    """Whether damage is named, or else nothing that was stored is different."""
    try:
        found = verify(path)
    except StoreError:
        return True
    return bool(found.breaks) or content(path) == before


def test_no_flipped_bit_in_the_database_goes_unseen(path: Path) -> None:
    """SQLite's own integrity check misses most of them (F86); the chain and the columns do not."""
    before, whole = content(path), path.read_bytes()
    draw = random.Random(86)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[draw.randrange(100, len(damaged))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        assert is_found(path, before)


def test_f86_no_flipped_bit_in_the_write_ahead_log_goes_unseen(tmp_path: Path) -> None:
    """SQLite drops everything behind a damaged frame without an error (F86); the high-water mark remembers it."""
    live = tmp_path / "live" / "events.sqlite"
    with EventStore.open(live, "test-run", 1, durable=True) as store:
        for number in range(EVENTS):
            store.append(a_fill(trade_id=f"t{number}"))
            store.flush()
        killed = tmp_path / "killed"
        shutil.copytree(live.parent, killed, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
    path = killed / "events.sqlite"
    wal = killed / "events.sqlite-wal"
    whole = wal.read_bytes()
    draw = random.Random(86)
    lost = 0
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[draw.randrange(32, len(damaged))] ^= 1 << draw.randrange(8)
        wal.write_bytes(damaged)
        (killed / "events.sqlite-shm").unlink(missing_ok=True)
        found = verify(path)
        lost += found.breaks != ()
        assert found.breaks or found.events == EVENTS
    assert lost > 30


def test_reading_is_fast_enough_for_a_million_events(tmp_path: Path) -> None:
    """A million verified in 15 s is 15 us an event; measured in CPU time with room for a busy machine."""
    path = tmp_path / "events.sqlite"
    count = 20_000
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        for number in range(count):
            store.append(a_fill(trade_id=str(number)))
    began = time.process_time()
    assert verify(path).events == count
    assert (time.process_time() - began) / count < 15e-6
