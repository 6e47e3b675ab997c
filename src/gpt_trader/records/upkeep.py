"""How is a store looked after while nobody writes it? Archive its beginning, repair what is damaged.

Nothing is ever deleted that is not readable elsewhere: an archived segment is read back before its rows go, and a
damaged file is moved into quarantine, not mended in place.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.core.clock import iso
from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import LogRepaired
from gpt_trader.records.anchors import anchor_path, anchors_beside, note_anchor
from gpt_trader.records.chain import GENESIS, HighWaterMark, mark_path
from gpt_trader.records.event_store import BLOCK_EVENTS, EventStore
from gpt_trader.records.lock import take_lock
from gpt_trader.records.reader import (
    connect_reader,
    hash_at,
    last_boot,
    read_run,
    rows_after,
    store_errors,
    verify,
)
from gpt_trader.records.schema import decode
from gpt_trader.records.segments import segment_rows, write_segment
from gpt_trader.records.shelf import Row, Tail, Verification
from gpt_trader.records.sqlite_layout import check_identity, upgrade
from gpt_trader.records.sqlite_shelf import SqliteShelf
from gpt_trader.records.walk import StoredRow, checked, hash_of

__all__ = ["Archived", "Repaired", "archive", "repair"]

ARCHIVE: Final = "archive"
QUARANTINE: Final = "quarantine"
AFTER_THE_LAST: Final[StoredRow] = (0, 0, 0, b"", b"", b"")
"""Names no row as the one before it."""


class Archived(msgspec.Struct, frozen=True):
    """What was moved out of the database."""

    first: int
    last: int
    file: str
    bytes_before: int
    """Of the database."""
    bytes_after: int
    bytes_archived: int


class Repaired(msgspec.Struct, frozen=True):
    """What a repair kept, and where the damaged files went."""

    kept: int
    reached: int
    """How far the log had got, as far as anybody remembers."""
    reason: str
    quarantine: str


# --- archive ----------------------------------------------------------------------------------------------------------
def archive(path: Path, before_ns: int) -> Archived | None:
    """Move the events from before a time, as far as they are anchored, into a compressed file beside the database.

    Readers go on as if nothing had happened. None when there is nothing to move. Raises StoreError: somebody writes
    the store, the chain is broken, no anchor covers what would be moved, or the file does not read back.
    """
    lock = take_lock(path)
    try:
        anchored = max((head.sequence for head in anchors_beside(path)), default=0)
        with store_errors(path), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            check_identity(connection, str(path))
            upgrade(connection)
            return _archive(connection, path, before_ns, anchored)
    finally:
        os.close(lock)


def _archive(connection: sqlite3.Connection, path: Path, before_ns: int, anchored: int) -> Archived | None:
    archived = int(connection.execute("SELECT coalesce(max(last), 0) FROM segments").fetchone()[0])
    last = min(anchored, _last_before(path, archived, before_ns))
    last = _at_block_end(connection, last)
    if last <= archived:
        return None
    first, previous = archived + 1, hash_at(connection, path, archived)
    name = f"{ARCHIVE}/events-{first:012d}-{last:012d}.jsonl.gz"
    file = path.parent / name
    file.parent.mkdir(mode=0o700, exist_ok=True)
    before = _bytes_of(path)
    with contextlib.closing(rows_after(connection, path, archived)) as rows:
        count = write_segment(file, islice(checked(rows, archived, previous, str(path)), last - archived))
    digest = hash_at(connection, path, last)
    segment = (first, last, previous, digest, name.encode())
    read_back = sum(1 for _ in segment_rows(path.parent, [segment], archived))
    if not count == read_back == last - first + 1:
        raise StoreError(f"{file}: {read_back} events read back of {last - first + 1}; nothing was moved")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO segments (first, last, previous_hash, hash, file) VALUES (?, ?, ?, ?, ?)",
        (first, last, previous, digest, name),
    )
    connection.execute("DELETE FROM events WHERE sequence <= ?", (last,))
    connection.execute("DELETE FROM blocks WHERE last <= ?", (last,))
    connection.execute("COMMIT")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Archived(first, last, str(file), before, _bytes_of(path), file.stat().st_size)


def _last_before(path: Path, after: int, before_ns: int) -> int:
    """Newest event of the unbroken beginning that is older than a time."""
    last = after
    for recorded in read_run(path, after):
        if recorded.event.at_ns >= before_ns:
            break
        last = recorded.sequence
    return last


def _at_block_end(connection: sqlite3.Connection, last: int) -> int:
    """A block of a simulated run is moved whole or not at all."""
    cut = connection.execute("SELECT first FROM blocks WHERE first <= ? AND last > ?", (last, last)).fetchone()
    return last if cut is None else int(cut[0]) - 1


def _bytes_of(path: Path) -> int:
    """Of the database and its write-ahead log."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


# --- repair -----------------------------------------------------------------------------------------------------------
def repair(path: Path, now_ns: int) -> Repaired | None:
    """Put a damaged store into quarantine and begin its file anew with the events before the first that is lost.

    None when the log is whole. What was lost is asked of the venue at the next start; until somebody has looked, no
    entry is sent (see `LogRepaired`). Raises StoreError: somebody writes the store, or there is none.
    """
    lock = take_lock(path)
    try:
        found = _verified(path)
        if found is not None and not found.breaks:
            return None
        run_id, boot = (found.run_id, last_boot(path)) if found is not None else (path.parent.name, 0)
        reason = str(found.breaks[0]) if found is not None else "sequence 1: damaged_file: it cannot be opened"
        reached = _reached(path)
        quarantine = _quarantine(path, now_ns)
    finally:
        os.close(lock)
    shelf = SqliteShelf(path, run_id, boot + 1, durable=True)
    if found is not None:
        _copy(shelf, path, quarantine, run_id)
    kept = shelf.tail.sequence
    with EventStore(shelf, run_id, boot + 1, durable=True) as store:
        event = LogRepaired(
            at_ns=now_ns, kept=kept, reached=max(kept, reached), reason=reason, quarantine=quarantine.name
        )
        store.append(event)
        store.flush()
        note_anchor(anchor_path(path), run_id, store.head, now_ns)
    return Repaired(kept, event.reached, reason, str(quarantine))


def _verified(path: Path) -> Verification | None:
    """None when there was a store, and what is left of it cannot even be opened."""
    try:
        return verify(path)
    except StoreError:
        if not (path.exists() or mark_path(path).exists()):
            raise
        return None


def _reached(path: Path) -> int:
    """How far the log had got, as far as mark and anchors remember."""
    known = [head.sequence for head in anchors_beside(path)]
    with contextlib.suppress(StoreError):
        mark = HighWaterMark.read(mark_path(path))
        known += [mark.sequence] if mark is not None else []
    return max(known, default=0)


def _quarantine(path: Path, now_ns: int) -> Path:
    """Move database, write-ahead log, mark and anchors away, together; nothing is removed."""
    stamp = iso(now_ns).translate(str.maketrans("", "", "-: .Z"))
    folder = path.parent / f"{QUARANTINE}-{stamp}"
    folder.mkdir(mode=0o700)
    beside = (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"), mark_path(path))
    for file in (path, *beside):
        if file.exists():
            file.rename(folder / file.name)
    if anchor_path(path).exists():
        anchor_path(path).rename(folder / "anchors.jsonl")
    return folder


def _copy(shelf: SqliteShelf, path: Path, quarantine: Path, run_id: str) -> None:
    """What can be proven of the damaged log, with the same hashes, each event in a row of its own."""
    with (
        contextlib.closing(connect_reader(quarantine / path.name)) as connection,
        contextlib.closing(rows_after(connection, path, 0)) as stored,
    ):
        salvaged = _salvaged(stored)
        while rows := [_with_columns(row, run_id) for row in islice(salvaged, BLOCK_EVENTS)]:
            shelf.write(rows, (), Tail(rows[-1][0], rows[-1][-1]))


def _salvaged(stored: Iterator[StoredRow]) -> Iterator[StoredRow]:
    """Rows up to the first that is lost. The payload counts: a column beside it is made anew, and a hash that was
    damaged alone is proven by the row that follows."""
    previous, expected = GENESIS, 1
    with contextlib.suppress(sqlite3.DatabaseError, StoreError):
        for row, following in pairwise(chain(stored, (AFTER_THE_LAST,))):
            sequence, boot, version, payload, *_ = row
            digest = hash_of(previous, sequence, version, payload)
            proven = digest in (row[5], following[4])
            if sequence != expected or not digest or not proven:
                return
            decode(payload, version)
            yield sequence, boot, version, payload, previous, digest
            previous, expected = digest, expected + 1


def _with_columns(row: StoredRow, run_id: str) -> Row:
    sequence, boot, version, payload, previous, digest, *_ = row
    event = decode(payload, version)
    ids = (event.intent_id, event.client_order_id)
    return sequence, run_id, boot, event.at_ns, type(event).__name__, version, *ids, payload, previous, digest
