"""How does a log lie in one file? SQLite in WAL mode, with the one connection that writes and checkpoints it.

Killed at any instant, the file holds a whole prefix of the chain with everything that `write` had answered for.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sqlite3
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Final

from gpt_trader.core.errors import StoreError
from gpt_trader.core.journal import Recorded, StoredSnapshot
from gpt_trader.records.anchors import anchors_beside
from gpt_trader.records.chain import GENESIS, HighWaterMark, mark_path, row_hash
from gpt_trader.records.lock import take_lock
from gpt_trader.records.reader import (
    bytes_of,
    hash_at,
    newest_sequence,
    read_run,
    read_snapshots,
    rows_after,
    run_of,
    store_errors,
    verify,
)
from gpt_trader.records.schema import decode
from gpt_trader.records.shelf import Block, Row, Tail, Verification
from gpt_trader.records.sqlite_layout import APPLICATION_ID, SCHEMA, STORE_VERSION, check_identity, upgrade

__all__ = ["SNAPSHOTS_KEPT", "SqliteShelf", "check_room", "sqlite_notes"]

BUSY_TIMEOUT_SECONDS: Final = 1.0
"""How long a foreign lock on the database is waited for before the store fails."""

WAL_BYTES_MAX: Final = 64 * 1024 * 1024
"""After a checkpoint the write-ahead log is cut back to at most this."""

SNAPSHOTS_KEPT: Final = 2
"""The newest, and the one before in case the newest is damaged."""

_INSERT: Final = (
    "INSERT INTO events (sequence, run, boot, time_ns, type, schema_version, intent_id, client_order_id, payload, "
    "previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?)"
)
_INSERT_BLOCK: Final = (
    "INSERT INTO blocks (first, last, run, boot, schema_version, payloads, previous_hash, hash) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


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


class SqliteShelf:
    """One file, locked for one process. `durable` writes return after an fsync; the others may be lost in a crash."""

    def __init__(self, path: Path, run_id: str, boot: int, *, durable: bool) -> None:
        """Make the file, or take it up after a quick look at the chain's head.

        Raises StoreError: another process writes it, it belongs to another run, the boot is not newer than the last,
        its newest row is damaged, or its end is behind the high-water mark or an anchor.
        """
        self.path = path
        self.notes = sqlite_notes()
        self.tail = Tail(0, GENESIS)
        self._run_id = run_id
        with contextlib.ExitStack() as undo:
            self._lock = take_lock(path)
            undo.callback(os.close, self._lock)
            with store_errors(path):
                if not path.exists():
                    create_store(path, run_id)
                self.connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
                undo.callback(self.connection.close)
                self._begin(boot, durable=durable)
                self._mark = HighWaterMark(mark_path(path))
            undo.pop_all()

    @property
    def place(self) -> str:
        return str(self.path)

    def write(self, rows: Sequence[Row], blocks: Sequence[Block], tail: Tail) -> None:
        with store_errors(self.path):
            execute = self.connection.execute
            execute("BEGIN IMMEDIATE")
            self.connection.executemany(_INSERT, rows)
            self.connection.executemany(_INSERT_BLOCK, blocks)
            execute("COMMIT")
            self._mark.write(tail.sequence, tail.digest)
        self.tail = tail

    def settle(self) -> int:
        with store_errors(self.path):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            return newest_sequence(self.connection)

    def abandon(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.connection.execute("ROLLBACK")

    def read(self, after: int, *, brief: bool = False) -> Generator[Recorded]:
        return read_run(self.path, after, brief=brief)

    def verify(self, tell: Callable[[Recorded], None] | None = None) -> Verification:
        return verify(self.path, tell)

    def hash_at(self, sequence: int) -> bytes:
        with store_errors(self.path):
            return hash_at(self.connection, self.path, sequence)

    def free_bytes(self) -> int | None:
        with store_errors(self.path):
            return shutil.disk_usage(self.path.parent).free

    def stored_bytes(self) -> int | None:
        return bytes_of(self.path)

    def keep_snapshot(self, row: StoredSnapshot) -> None:
        with store_errors(self.path):
            execute = self.connection.execute
            execute("BEGIN IMMEDIATE")
            execute(
                "INSERT OR REPLACE INTO snapshots (sequence, hash, code_version, state, digest) VALUES (?, ?, ?, ?, ?)",
                (row.sequence, bytes.fromhex(row.hash), row.code_version, row.state, bytes.fromhex(row.digest)),
            )
            execute(
                "DELETE FROM snapshots WHERE sequence NOT IN "
                "(SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT ?)",
                (SNAPSHOTS_KEPT,),
            )
            execute("COMMIT")

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        with store_errors(self.path):
            return read_snapshots(self.connection)

    def close(self) -> None:
        self._mark.close()
        self.connection.close()
        os.close(self._lock)

    # --- opening --------------------------------------------------------------------------------------------------
    def _begin(self, boot: int, *, durable: bool) -> None:
        """Check identity and head of the file, and note the boot."""
        execute = self.connection.execute
        check_identity(self.connection, self.place)
        execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        execute(f"PRAGMA journal_size_limit={WAL_BYTES_MAX}")
        run = run_of(self.connection)
        if run != self._run_id:
            raise StoreError(f"{self.path}: the store of run {run}, not of {self._run_id}; a store never serves two")
        upgrade(self.connection)
        newest = execute("SELECT coalesce(max(boot), 0) FROM boots").fetchone()[0]
        if boot <= newest:
            raise StoreError(f"{self.path}: boot {boot} is not newer than boot {newest}; use last_boot(path) + 1")
        self._read_tail()
        execute("INSERT INTO boots (boot, host, process) VALUES (?, ?, ?)", (boot, platform.node(), os.getpid()))

    def _read_tail(self) -> None:
        """Take the chain up where it ends, if the end is what it should be."""
        for row in rows_after(self.connection, self.path, newest_sequence(self.connection) - 1):
            sequence, _, version, payload, previous, digest, *_ = row
            if type(payload) is not bytes or row_hash(previous, sequence, version, payload) != digest:
                raise self._untrusted(f"the newest event, sequence {sequence}, is not what its hash was made of")
            decode(payload, version)
            self.tail = Tail(sequence, bytes(digest))
        self._check_mark()
        for anchor in anchors_beside(self.path)[-1:]:
            self._check_head(anchor.sequence, anchor.digest, "the newest anchor")

    def _check_mark(self) -> None:
        mark = HighWaterMark.read(mark_path(self.path))
        if mark is not None:
            self._check_head(mark.sequence, mark.digest, "the high-water mark")
        elif self.tail.sequence:
            self.notes += (f"{mark_path(self.path)} is missing: a cut of the log's end before now cannot be seen",)

    def _check_head(self, sequence: int, digest: str, who: str) -> None:
        if sequence > self.tail.sequence:
            raise self._untrusted(f"it ends at sequence {self.tail.sequence}, but had reached {sequence}")
        if hash_at(self.connection, self.path, sequence).hex() != digest:
            raise self._untrusted(f"sequence {sequence} is not the event that {who} remembers")

    def _untrusted(self, finding: str) -> StoreError:
        return StoreError(
            f"{self.path}: {finding}; the log cannot be gone on with: see `gpt-trader events verify {self._run_id}`, "
            "then restore the file from a backup or run `gpt-trader events repair`"
        )


def check_room(path: Path, free_bytes_min: int) -> None:
    """Raises StoreError when the disk of a store has less room than this; nothing is made."""
    folder = next(each for each in path.absolute().parents if each.exists())
    free = shutil.disk_usage(folder).free
    if free < free_bytes_min:
        raise StoreError(
            f"{path}: {free / 1e9:.2f} GB are free there and records.disk_free_gb_min asks for "
            f"{free_bytes_min / 1e9:.2f}; free some space (`gpt-trader events archive`), or move GPT_TRADER_HOME"
        )


def create_store(path: Path, run_id: str) -> None:
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
        connection.executescript(SCHEMA)
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
