"""What is in the log, and is it whole? Reading without being able to write, and the walk that finds every break."""

from __future__ import annotations

import contextlib
import heapq
import operator
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import Event
from gpt_trader.core.journal import Head, Recorded
from gpt_trader.records.chain import GENESIS, HighWaterMark, mark_path, row_hash
from gpt_trader.records.schema import decode

__all__ = [
    "Break",
    "Verification",
    "connect_reader",
    "hash_at",
    "last_boot",
    "last_sequence",
    "newest_sequence",
    "read_run",
    "rows_after",
    "run_id_of",
    "store_errors",
    "verify",
]

APPLICATION_ID: Final = 0x67745472
"""Marks the SQLite file as ours ("gtTr")."""

STORE_VERSION: Final = 2
"""Layout of the tables; events have their own schema version. 2: simulated runs store blocks."""

BREAKS_MAX: Final = 100
"""So many breaks are named, then the walk stops: the file is beyond reading."""

_ADVICE: Final = {
    "SQLITE_FULL": "the disk is full: free some space, then start again",
    "SQLITE_BUSY": "another program holds the database: close it (readers open it with mode=ro)",
    "SQLITE_LOCKED": "another program holds the database: close it (readers open it with mode=ro)",
    "SQLITE_CORRUPT": "the file is damaged: keep a copy, and see `gpt-trader events verify`",
    "SQLITE_NOTADB": "this is no event store, or it is damaged: keep a copy, and see `gpt-trader events verify`",
    "SQLITE_IOERR": "the disk reports an error: check the disk and its free space, then start again",
    "SQLITE_READONLY": "it cannot be written: check owner and mode of the file and its folder",
    "SQLITE_CANTOPEN": "it cannot be opened: check that the folder exists, its owner and its mode",
    "SQLITE_PERM": "it cannot be opened: check owner and mode of the file and its folder",
    "SQLITE_CONSTRAINT": "a row of this sequence exists already: somebody else wrote to the store; see `gpt-trader ps`",
}


class Break(msgspec.Struct, frozen=True):
    """One place where the log is not what was written."""

    sequence: int
    kind: str
    """changed_payload, wrong_hash, changed_column, missing_row, extra_row, broken_link, unreadable, tail_cut,
    wrong_mark, damaged_mark or damaged_file."""
    detail: str

    def __str__(self) -> str:
        return f"sequence {self.sequence}: {self.kind}: {self.detail}"


class Verification(msgspec.Struct, frozen=True):
    """What a walk over the whole log found; sound when `breaks` is empty."""

    path: str
    run_id: str
    events: int
    head: Head
    breaks: tuple[Break, ...]
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn a failure of SQLite or of the disk into StoreError that names the file and what to do."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # our own misuse: a closed store, a wrong statement
    except sqlite3.Error as error:
        advice = next((text for name, text in _ADVICE.items() if error.sqlite_errorname.startswith(name)), "")
        raise StoreError(
            f"{path}: {error} ({error.sqlite_errorname}); {advice or 'see sqlite.org/rescode.html'}"
        ) from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; check the disk, its free space, owner and mode") from error


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; text comes as bytes. Raises StoreError when it is no store of ours."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no event store here")
    with store_errors(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.text_factory = bytes
            check_identity(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def check_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Ours, and of a layout that this program knows. Raises StoreError."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: an SQLite file, but no event store of gpt-trader")
    if version != STORE_VERSION:
        raise StoreError(
            f"{path}: store layout {version} is unknown here (this program reads {STORE_VERSION}); "
            "open it with the release that wrote it"
        )


def run_of(connection: sqlite3.Connection) -> str:
    """Run id that the store was made for."""
    return bytes(connection.execute("SELECT CAST(run AS BLOB) FROM run").fetchone()[0]).decode()


def run_id_of(path: Path) -> str:
    """Run that a store was made for. Raises StoreError."""
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        return run_of(connection)


def last_boot(path: Path) -> int:
    """Number of the newest boot of the store; 0 when there is no store yet. Raises StoreError."""
    if not path.exists():
        return 0
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        return int(connection.execute("SELECT coalesce(max(boot), 0) FROM boots").fetchone()[0])


def last_sequence(path: Path) -> int:
    """Sequence number of the newest event; 0 when there is none. Raises StoreError."""
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        return newest_sequence(connection)


def newest_sequence(connection: sqlite3.Connection) -> int:
    """Sequence number of the newest event, in a row of its own or in a block."""
    newest = "SELECT max((SELECT coalesce(max(sequence), 0) FROM events), (SELECT coalesce(max(last), 0) FROM blocks))"
    return int(connection.execute(newest).fetchone()[0])


def rows_after(connection: sqlite3.Connection, after: int) -> Iterator[tuple[Any, ...]]:
    """Rows after sequence `after`, in order: sequence, boot, schema version, payload, previous hash, hash; those that
    were stored one by one also bring run, time, type, intent id and client order id as they stand beside the payload.

    Nothing is verified here, but the hashes inside a block follow from its lines.
    """
    alone = connection.execute(
        "SELECT sequence, boot, schema_version, CAST(payload AS BLOB), previous_hash, hash, CAST(run AS BLOB), "
        "time_ns, CAST(type AS BLOB), CAST(intent_id AS BLOB), CAST(client_order_id AS BLOB) FROM events "
        "WHERE sequence > ? ORDER BY sequence",
        (after,),
    )
    blocks = connection.execute(
        "SELECT first, last, boot, schema_version, payloads, previous_hash, hash FROM blocks "
        "WHERE last > ? ORDER BY first",
        (after,),
    )
    yield from heapq.merge(alone, _unfolded(blocks, after), key=operator.itemgetter(0))


def _unfolded(blocks: Iterable[tuple[Any, ...]], after: int) -> Iterator[tuple[Any, ...]]:
    """The events of each block; the last one is given the hash that is stored, so that a change anywhere shows."""
    for first, last, boot, version, payloads, previous_hash, stored in blocks:
        previous = previous_hash
        lines = payloads.split(b"\n") if type(payloads) is bytes else [payloads]
        for sequence, payload in enumerate(lines, first):
            digest = _hash_of(previous, sequence, version, payload) if sequence != last else stored
            if sequence > after:
                yield sequence, boot, version, payload, previous, digest
            previous = digest


def read_run(path: Path, after: int = 0) -> Iterator[Recorded]:
    """Stored events after sequence `after`, verified as they are read, streaming. Raises StoreError at the first break.

    Sees what was committed when the first row is read. The high-water mark is not looked at: see `verify`.
    """
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        yield from read_rows(connection, path, after)


def read_rows(connection: sqlite3.Connection, path: Path, after: int) -> Iterator[Recorded]:
    """The verified rows of one connection whose text comes as bytes."""
    previous, expected = hash_at(connection, after), after + 1
    if not previous:
        raise StoreError(f"{path}: there is no event with sequence {after} to read on from")
    for sequence, boot, version, payload, before, digest, *_ in rows_after(connection, after):
        if sequence != expected or before != previous or digest != _hash_of(previous, sequence, version, payload):
            raise StoreError(f"{path}: the chain breaks at sequence {expected}; see `gpt-trader events verify {path}`")
        yield Recorded(sequence, boot, decode(payload, version), digest.hex())
        previous, expected = digest, expected + 1


def hash_at(connection: sqlite3.Connection, sequence: int) -> bytes:
    """Stored hash of one event, empty when there is none; that before the first is GENESIS."""
    if sequence == 0:
        return GENESIS
    for found, *_, digest in (row[:6] for row in rows_after(connection, sequence - 1)):
        return bytes(digest) if found == sequence else b""
    return b""


def _hash_of(previous: bytes, sequence: int, version: Any, payload: Any) -> bytes:
    """Hash of a row as it came from the file; empty when damage changed the type of a column."""
    if type(payload) is not bytes or type(version) is not int:
        return b""
    return row_hash(previous, sequence, version, payload)


class _Walk:
    """One pass over all rows that goes on after a break, so that every break is named."""

    def __init__(self, run_id: str, mark: Head | None, tell: Callable[[Recorded], None] | None) -> None:
        self._run = run_id.encode()
        self._mark = mark
        self._tell = tell
        self.breaks: list[Break] = []
        self.events = 0
        self.sequence = 0
        self.digest = GENESIS
        self._suspect: tuple[int, bytes] | None = None
        """A row whose hash is not that of its content, and what the hash should be: the next row's link decides
        whether content or hash was changed."""

    def row(self, row: tuple[Any, ...]) -> None:
        sequence, _, version, payload, before, digest, *_ = row
        if sequence > self.sequence + 1:
            missing = sequence - self.sequence - 1
            self._broken(self.sequence + 1, "missing_row", f"{missing} missing before sequence {sequence}")
        elif before != self.digest and self._suspect is None:
            self._broken(sequence, "broken_link", "the hash before it is not that of the row before it")
        self._settle(before)
        right = _hash_of(before if type(before) is bytes else GENESIS, sequence, version, payload)
        if right != digest:
            self._suspect = (sequence, right)
        else:
            self._read(row)
        if self._mark is not None and sequence == self._mark.sequence and digest != bytes.fromhex(self._mark.digest):
            self._broken(sequence, "wrong_mark", "the high-water mark remembers another hash for this row")
        self.events += 1
        self.sequence = sequence
        self.digest = digest if type(digest) is bytes else b""

    def end(self) -> None:
        """After the last row."""
        self._settle(None)
        if self._mark is not None and self._mark.sequence > self.sequence:
            lost = self._mark.sequence - self.sequence
            self._broken(
                self.sequence + 1,
                "tail_cut",
                f"the log had reached sequence {self._mark.sequence}; {lost} events are gone",
            )

    def _settle(self, link: Any) -> None:
        if self._suspect is None:
            return
        sequence, right = self._suspect
        self._suspect = None
        if link == right:
            self._broken(sequence, "wrong_hash", "the stored hash was changed; the content is what was written")
        else:
            self._broken(sequence, "changed_payload", "the content is not what its hash was made of")

    def _read(self, row: tuple[Any, ...]) -> None:
        sequence, boot, version, payload, _, digest, *columns = row
        try:
            event = decode(payload, version)
        except StoreError as error:
            self._broken(sequence, "unreadable", str(error))
            return
        if columns and columns != self._columns_of(event):
            self._broken(sequence, "changed_column", "run, time, type or an id is not that of the event beside it")
        if self._tell is not None and not self.breaks:
            self._tell(Recorded(sequence, boot, event, digest.hex()))

    def _columns_of(self, event: Event) -> list[Any]:
        name = type(event).__name__.encode()
        return [self._run, event.at_ns, name, event.intent_id.encode(), event.client_order_id.encode()]

    def _broken(self, sequence: int, kind: str, detail: str) -> None:
        self.breaks.append(Break(sequence, kind, detail))


def verify(path: Path, tell: Callable[[Recorded], None] | None = None) -> Verification:
    """Walk the whole log and name every break by sequence, at most BREAKS_MAX of them.

    `tell` gets every event up to the first break, so that one walk can verify and rebuild. Raises StoreError only
    when there is no store to walk.
    """
    notes: list[str] = []
    mark, mark_break = _read_mark(path, notes)
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        run_id = run_of(connection)
        walk = _Walk(run_id, mark, tell)
        if mark_break is not None:
            walk.breaks.append(mark_break)
        try:
            for row in rows_after(connection, 0):
                walk.row(row)
                if len(walk.breaks) >= BREAKS_MAX:
                    notes.append(f"stopped after {BREAKS_MAX} breaks")
                    break
            else:
                walk.end()
        except sqlite3.DatabaseError as error:
            walk.breaks.append(Break(walk.sequence + 1, "damaged_file", str(error)))
    head = Head(walk.sequence, walk.digest.hex())
    return Verification(str(path), run_id, walk.events, head, tuple(walk.breaks), tuple(notes))


def _read_mark(path: Path, notes: list[str]) -> tuple[Head | None, Break | None]:
    try:
        mark = HighWaterMark.read(mark_path(path))
    except StoreError as error:
        return None, Break(0, "damaged_mark", str(error))
    if mark is None:
        notes.append(f"no high-water mark at {mark_path(path)}: a cut of the log's end cannot be seen")
    return mark, None
