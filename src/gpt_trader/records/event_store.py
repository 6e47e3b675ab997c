"""Where does the log lie? One SQLite file for one run, one writer, a hash chain, and one fsync a turn of the loop.

    store = EventStore.open(store_path(home, run_id), run_id, last_boot(path) + 1, durable=True)
    store.append(event)      # in memory, into the chain
    await store.commit()     # on the disk; everybody who asks within one turn of the loop shares the write

Killed at any instant, the file holds a whole prefix of the chain with everything that `commit` had answered for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import SCHEMA_VERSION, Event
from gpt_trader.core.journal import Head, Recorded
from gpt_trader.records.chain import GENESIS, HighWaterMark, hash_lines, mark_path, row_hash
from gpt_trader.records.lock import take_lock
from gpt_trader.records.reader import (
    APPLICATION_ID,
    STORE_VERSION,
    Verification,
    check_identity,
    hash_at,
    newest_sequence,
    read_run,
    rows_after,
    run_of,
    store_errors,
    verify,
)
from gpt_trader.records.schema import decode, encode, encode_lines

__all__ = ["EventStore", "sqlite_notes"]

BLOCK_EVENTS: Final = 1024
"""Events written at once where nobody waits for the disk, and the most that may wait in memory where somebody does."""

BUSY_TIMEOUT_SECONDS: Final = 1.0
"""How long a foreign lock on the database is waited for before the store fails."""

_SCHEMA: Final = """
CREATE TABLE run (run TEXT NOT NULL);
-- host, process and wall time of every boot stand here, outside the hash
CREATE TABLE boots (
    boot INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    process INTEGER NOT NULL,
    opened_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    boot INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    intent_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL
);
-- simulated runs: many events a row, a line each; the hashes between the first and the last follow from the lines
CREATE TABLE blocks (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    run TEXT NOT NULL,
    boot INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    payloads BLOB NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL
);
"""
_INSERT: Final = (
    "INSERT INTO events (sequence, run, boot, time_ns, type, schema_version, intent_id, client_order_id, payload, "
    "previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?)"
)
_INSERT_BLOCK: Final = (
    "INSERT INTO blocks (first, last, run, boot, schema_version, payloads, previous_hash, hash) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_Row = tuple[int, str, int, int, str, int, str, str, bytes, bytes, bytes]
_Block = tuple[int, int, str, int, int, bytes, bytes, bytes]


def sqlite_notes(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> tuple[str, ...]:
    """What the operator should know of the SQLite in use; empty when there is nothing.

    3.7.0 to 3.51.2 can corrupt a file that two connections write or checkpoint at once (sqlite.org/wal.html); fixed in
    3.51.3, 3.50.7 and 3.44.6. The store has one such connection, so other programs must only read.
    """
    repaired = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    if version < (3, 7, 0) or repaired:
        return ()
    name = ".".join(str(part) for part in version)
    note = (
        f"SQLite {name} has the WAL-reset bug (mended in 3.51.3). gpt-trader writes through one connection and is "
        "safe from it; other programs must open a store read-only (mode=ro)"
    )
    return (note,)


class EventStore:
    """The journal of one run.

    With `durable=True` (anything that may move money) `commit` returns after an fsync. With `durable=False`
    (simulated runs) the same events with the same hashes are encoded and written in blocks of BLOCK_EVENTS, `commit`
    returns at once, and a crash loses at most the last block; `flush` and `close` write what is left.
    """

    def __init__(self, path: Path, run_id: str, boot: int, *, durable: bool) -> None:
        """Use `open`."""
        self.path = path
        self.run_id = run_id
        self.boot = boot
        self.durable = durable
        self.notes: tuple[str, ...] = sqlite_notes()
        """What the operator should know; to be shown once at start."""
        self._pending: list[_Row] = []
        self._waiting: list[Event] = []
        """Taken, and not yet in the chain; only where nobody waits for the disk."""
        self._blocks: list[_Block] = []
        self._shared: asyncio.Future[None] | None = None
        self._failed = ""
        self._writing = False
        self._sequence = 0
        self._digest = GENESIS
        with contextlib.ExitStack() as undo:
            self._lock = take_lock(path)
            undo.callback(os.close, self._lock)
            with store_errors(path):
                if not path.exists():
                    _create(path, run_id)
                self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
                undo.callback(self._connection.close)
                self._begin()
                self._mark = HighWaterMark(mark_path(path))
            undo.pop_all()

    @classmethod
    def open(cls, path: Path, run_id: str, boot: int, *, durable: bool) -> Self:
        """Make the store, or go on with it as boot number `boot` after a quick look at the chain's head.

        Raises StoreError: another process writes it, it belongs to another run, the boot is not newer than the last,
        its newest row is damaged, or its end is behind the high-water mark.
        """
        return cls(path, run_id, boot, durable=durable)

    @property
    def head(self) -> Head:
        """Newest event taken, durable or not."""
        self._seal()
        return Head(self._sequence, self._digest.hex())

    def append(self, event: Event) -> int:
        """Take the event into the chain and return its sequence number; not durable yet.

        Raises StoreError once the store has failed; a durable one also TypeError or ValueError for an event that could
        not be read back (a float among its numbers, say): the chain is then unchanged.
        """
        if self._failed:
            raise StoreError(self._failed)
        if not self.durable:
            return self._take(event)
        payload = encode(event)
        _check_readable(payload, event)
        sequence, previous = self._sequence + 1, self._digest
        digest = row_hash(previous, sequence, SCHEMA_VERSION, payload)
        self._pending.append(
            (
                sequence,
                self.run_id,
                self.boot,
                event.at_ns,
                type(event).__name__,
                SCHEMA_VERSION,
                event.intent_id,
                event.client_order_id,
                payload,
                previous,
                digest,
            )
        )
        self._sequence, self._digest = sequence, digest
        if len(self._pending) >= BLOCK_EVENTS:
            self.flush()
        return sequence

    def _take(self, event: Event) -> int:
        """Events are frozen, so encoding them can wait until there are many: it is then twice as quick."""
        self._sequence += 1
        self._waiting.append(event)
        if len(self._waiting) >= BLOCK_EVENTS:
            self.flush()
        return self._sequence

    def _seal(self) -> None:
        """Bring what waits into the chain, as one block. Raises StoreError for an event that cannot be written."""
        if not self._waiting:
            return
        last = self._sequence
        first, previous = last - len(self._waiting) + 1, self._digest
        try:
            payloads = encode_lines(self._waiting)
        except (TypeError, ValueError) as error:
            self._failed = f"an event of {first} to {last} cannot be stored: {error}"
            raise StoreError(self._failed) from error
        self._digest = hash_lines(previous, first, SCHEMA_VERSION, payloads.split(b"\n"))
        self._blocks.append((first, last, self.run_id, self.boot, SCHEMA_VERSION, payloads, previous, self._digest))
        self._waiting.clear()

    async def commit(self) -> None:
        """Return once everything appended before the call is durable (at once when the store is not durable).

        Raises StoreError; from then on the store takes nothing.
        """
        if self._failed:
            raise StoreError(self._failed)
        if not self.durable or not self._pending:
            return
        if self._shared is None:
            loop = asyncio.get_running_loop()
            self._shared = loop.create_future()
            loop.call_soon(self._flush_for_all, self._shared)
        await asyncio.shield(self._shared)  # one caller's cancellation is not the others'

    def flush(self) -> None:
        """Write everything now, durable if the store is. For shutdown and for readers. Raises StoreError."""
        if self._failed:
            raise StoreError(self._failed)
        self._seal()
        if not self._pending and not self._blocks:
            return
        try:
            with store_errors(self.path):
                if self._writing:
                    self._settle_interrupted_write()
                if self._pending or self._blocks:
                    self._write()
        except StoreError as error:
            self._failed = str(error)
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def read(self, after: int = 0) -> Iterator[Recorded]:
        """Stored events after sequence `after`, this process's own included, verified as they are read."""
        self.flush()
        return read_run(self.path, after)

    def verify(self) -> Verification:
        """Walk the whole chain and name every break by sequence."""
        self.flush()
        return verify(self.path)

    def close(self) -> None:
        """Write what is left and release the file. Raises StoreError, after releasing it."""
        try:
            if not self._failed:
                self.flush()
        finally:
            self._mark.close()
            self._connection.close()
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self) -> None:
        self._writing = True
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        self._connection.executemany(_INSERT, self._pending)
        self._connection.executemany(_INSERT_BLOCK, self._blocks)
        execute("COMMIT")
        self._mark.write(self._sequence, self._digest)
        self._pending.clear()
        self._blocks.clear()
        self._writing = False

    def _settle_interrupted_write(self) -> None:
        """Ctrl-C may strike inside a write: forget what did not become a transaction, keep what did."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        written = newest_sequence(self._connection)
        self._pending = [row for row in self._pending if row[0] > written]
        self._blocks = [block for block in self._blocks if block[1] > written]
        self._writing = False

    def _flush_for_all(self, shared: asyncio.Future[None]) -> None:
        self._shared = None
        try:
            self.flush()
        except StoreError as error:
            shared.set_exception(error)
        else:
            shared.set_result(None)

    def _begin(self) -> None:
        """Check identity and head of the file, and note the boot."""
        execute = self._connection.execute
        check_identity(self._connection, self.path)
        execute(f"PRAGMA synchronous={'FULL' if self.durable else 'OFF'}")
        run = run_of(self._connection)
        if run != self.run_id:
            raise StoreError(f"{self.path}: the store of run {run}, not of {self.run_id}; a store never serves two")
        newest = execute("SELECT coalesce(max(boot), 0) FROM boots").fetchone()[0]
        if self.boot <= newest:
            raise StoreError(f"{self.path}: boot {self.boot} is not newer than boot {newest}; use last_boot(path) + 1")
        self._read_head()
        execute("INSERT INTO boots (boot, host, process) VALUES (?, ?, ?)", (self.boot, platform.node(), os.getpid()))

    def _read_head(self) -> None:
        """Take the chain up where it ends, if the end is what it should be."""
        for row in rows_after(self._connection, newest_sequence(self._connection) - 1):
            sequence, _, version, payload, previous, digest, *_ = row
            if type(payload) is not bytes or row_hash(previous, sequence, version, payload) != digest:
                raise self._untrusted(f"the newest event, sequence {sequence}, is not what its hash was made of")
            decode(payload, version)
            self._sequence, self._digest = sequence, digest
        self._check_mark()

    def _check_mark(self) -> None:
        mark = HighWaterMark.read(mark_path(self.path))
        if mark is None:
            if self._sequence:
                self.notes += (f"{mark_path(self.path)} is missing: a cut of the log's end before now cannot be seen",)
            return
        if mark.sequence > self._sequence:
            raise self._untrusted(f"it ends at sequence {self._sequence}, but had reached {mark.sequence}")
        if hash_at(self._connection, mark.sequence).hex() != mark.digest:
            raise self._untrusted(f"sequence {mark.sequence} is not the event that the high-water mark remembers")

    def _untrusted(self, finding: str) -> StoreError:
        return StoreError(
            f"{self.path}: {finding}; the log cannot be gone on with: see `gpt-trader events verify {self.run_id}`, "
            "restore the file from a backup, or start a new run"
        )


def _check_readable(payload: bytes, event: Event) -> None:
    """A fact that nobody can read is lost; better to fail where it was made than when it is needed."""
    try:
        decode(payload)
    except StoreError as error:
        raise TypeError(f"{type(event).__name__} cannot be stored: {error}") from error


def _create(path: Path, run_id: str) -> None:
    """Build the empty store beside its place and move it there, so that a store is whole or absent."""
    mark = HighWaterMark.read(mark_path(path))
    if mark is not None:
        raise StoreError(
            f"{path} is gone, but {mark_path(path).name} remembers {mark.sequence} events: restore the file from a "
            "backup, or move the folder away to begin anew"
        )
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO run (run) VALUES (?)", (run_id,))
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={STORE_VERSION}")
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"{path}: this file system cannot keep a write-ahead log (is it a network share?); move it")
    new.rename(path)
    for folder in (path.parent, path.parent.parent):  # the names must survive a power cut, too
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(descriptor)
        os.close(descriptor)
