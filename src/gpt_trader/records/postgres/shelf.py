"""How does a log stand on a server? Rows of one run, and a head that only the newest boot may move.

Moving the head is the fence: a process that was taken for dead and goes on finds that another boot has it, and fails.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final

import psycopg

from gpt_trader.core.errors import StoreError
from gpt_trader.core.journal import Head, Recorded, StoredSnapshot
from gpt_trader.records.chain import GENESIS, row_hash
from gpt_trader.records.postgres.connection import Connection, connect, migrate, place_of, server_errors
from gpt_trader.records.schema import decode
from gpt_trader.records.segments import line_of
from gpt_trader.records.shelf import Block, Row, Tail, Verification
from gpt_trader.records.sqlite_shelf import SNAPSHOTS_KEPT
from gpt_trader.records.walk import StoredRow, Walk, checked, verified

__all__ = [
    "PostgresShelf",
    "head_on_server",
    "last_boot_on_server",
    "lines_on_server",
    "place_of",
    "read_server",
    "verify_server",
]

FETCH_ROWS: Final = 5000
"""Read from the server at a time."""
BREAKS_MAX: Final = 100

_INSERT: Final = (
    "INSERT INTO gpt_trader.events (sequence, run, boot, time_ns, type, schema_version, intent_id, client_order_id, "
    "payload, previous_hash, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_MOVE_HEAD: Final = (
    "UPDATE gpt_trader.runs SET sequence = %s, hash = %s WHERE run = %s AND boot = %s AND sequence = %s AND hash = %s"
)
_SELECT: Final = (
    "SELECT sequence, boot, schema_version, convert_to(payload, 'UTF8'), previous_hash, hash, convert_to(run, 'UTF8'), "
    "time_ns, convert_to(type, 'UTF8'), convert_to(intent_id, 'UTF8'), convert_to(client_order_id, 'UTF8') "
    "FROM gpt_trader.events WHERE run = %s AND sequence > %s ORDER BY sequence"
)


class PostgresShelf:
    """One run on a server. Another process that writes the same run is refused; one that comes back late is fenced."""

    def __init__(self, url: str, run_id: str, boot: int) -> None:
        """Raises StoreError: no server, an unknown layout, somebody writes the run, the boot is not newer than the
        last, or the newest row is not what its hash was made of."""
        self.place = place_of(url, run_id)
        self.notes: tuple[str, ...] = ()
        self.tail = Tail(0, GENESIS)
        self._url = url
        self._run = run_id
        self._boot = boot
        with server_errors(self.place), contextlib.ExitStack() as undo:
            self.connection: Connection = connect(url)
            undo.callback(self.connection.close)
            migrate(self.connection, self.place)
            self._take_lock()
            self._begin()
            undo.pop_all()

    def write(self, rows: Sequence[Row], blocks: Sequence[Block], tail: Tail) -> None:
        if blocks:
            raise StoreError(f"{self.place}: simulated runs that are not durable are stored in files, not on a server")
        with server_errors(self.place), self.connection.transaction():
            with self.connection.cursor() as cursor:
                cursor.executemany(_INSERT, [_on_server(row) for row in rows])
            self._move_head(tail)
        self.tail = tail

    def settle(self) -> int:
        with server_errors(self.place):
            row = self.connection.execute("SELECT sequence, hash FROM gpt_trader.runs WHERE run = %s", (self._run,))
            sequence, digest = _one(row.fetchone())
            self.tail = Tail(sequence, bytes(digest))
            return int(sequence)

    def abandon(self) -> None:
        """A failed transaction has been rolled back, or its connection is gone."""

    def read(self, after: int, *, brief: bool = False) -> Generator[Recorded]:
        return read_server(self._url, self._run, after, brief=brief)

    def verify(self, tell: Callable[[Recorded], None] | None = None) -> Verification:
        return verify_server(self._url, self._run, tell)

    def hash_at(self, sequence: int) -> bytes:
        if sequence == 0:
            return GENESIS
        with server_errors(self.place):
            found = self.connection.execute(
                "SELECT hash FROM gpt_trader.events WHERE run = %s AND sequence = %s", (self._run, sequence)
            ).fetchone()
        return b"" if found is None else bytes(found[0])

    def free_bytes(self) -> int | None:
        return None  # the server's disk is its own; PostgreSQL does not tell

    def stored_bytes(self) -> int | None:
        return None

    def keep_snapshot(self, row: StoredSnapshot) -> None:
        with server_errors(self.place), self.connection.transaction():
            self.connection.execute(
                "INSERT INTO gpt_trader.snapshots (run, sequence, hash, code_version, state, digest) "
                "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (run, sequence) DO UPDATE SET "
                "hash = EXCLUDED.hash, code_version = EXCLUDED.code_version, state = EXCLUDED.state, "
                "digest = EXCLUDED.digest",
                (
                    self._run,
                    row.sequence,
                    bytes.fromhex(row.hash),
                    row.code_version,
                    row.state,
                    bytes.fromhex(row.digest),
                ),
            )
            self.connection.execute(
                "DELETE FROM gpt_trader.snapshots WHERE run = %s AND sequence NOT IN "
                "(SELECT sequence FROM gpt_trader.snapshots WHERE run = %s ORDER BY sequence DESC LIMIT %s)",
                (self._run, self._run, SNAPSHOTS_KEPT),
            )

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        with server_errors(self.place):
            rows = self.connection.execute(
                "SELECT sequence, hash, code_version, state, digest FROM gpt_trader.snapshots "
                "WHERE run = %s ORDER BY sequence DESC",
                (self._run,),
            ).fetchall()
        return tuple(
            StoredSnapshot(sequence, bytes(digest).hex(), code, bytes(state), bytes(own).hex())
            for sequence, digest, code, state, own in rows
        )

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self.connection.close()  # the lock goes with it

    # --- opening and the fence ------------------------------------------------------------------------------------
    def _take_lock(self) -> None:
        locked = self.connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"gpt-trader run {self._run}",)
        ).fetchone()
        if not _one(locked)[0]:
            raise StoreError(f"{self.place}: another process writes this run already; stop it, or take another run")

    def _begin(self) -> None:
        execute = self.connection.execute
        with self.connection.transaction():
            execute(
                "INSERT INTO gpt_trader.runs (run, hash) VALUES (%s, %s) ON CONFLICT DO NOTHING", (self._run, GENESIS)
            )
            found = execute("SELECT boot, sequence, hash FROM gpt_trader.runs WHERE run = %s FOR UPDATE", (self._run,))
            newest, sequence, digest = _one(found.fetchone())
            if self._boot <= newest:
                raise StoreError(f"{self.place}: boot {self._boot} is not newer than boot {newest}")
            self.tail = Tail(sequence, bytes(digest))
            self._check_tail()
            execute("UPDATE gpt_trader.runs SET boot = %s WHERE run = %s", (self._boot, self._run))
            execute(
                "INSERT INTO gpt_trader.boots (run, boot, host, process) VALUES (%s, %s, %s, %s)",
                (self._run, self._boot, platform.node(), os.getpid()),
            )

    def _check_tail(self) -> None:
        """The newest row is the one that the head names, and what its hash was made of."""
        rows = self.connection.execute(_SELECT, (self._run, self.tail.sequence - 1)).fetchall()
        if not self.tail.sequence and not rows:
            return
        for sequence, _, version, payload, previous, digest, *_ in rows[-1:]:
            right = row_hash(bytes(previous), sequence, version, bytes(payload))
            if (sequence, bytes(digest), right) == (self.tail.sequence, self.tail.digest, self.tail.digest):
                decode(bytes(payload), version)
                return
        raise StoreError(
            f"{self.place}: the log does not end with event {self.tail.sequence} as its head says; see `gpt-trader "
            f"events verify {self.place}`, then restore the server from a backup"
        )

    def _move_head(self, tail: Tail) -> None:
        moved = self.connection.execute(
            _MOVE_HEAD, (tail.sequence, tail.digest, self._run, self._boot, self.tail.sequence, self.tail.digest)
        )
        if moved.rowcount != 1:
            raise StoreError(
                f"{self.place}: boot {self._boot} is fenced: another process has taken the run over and written to it; "
                "this one must end"
            )


def _on_server(row: Row) -> tuple[Any, ...]:
    sequence, run, boot, at_ns, kind, version, intent, order, payload, previous, digest = row
    return sequence, run, boot, at_ns, kind, version, intent, order, payload.decode(), previous, digest


def _one(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    assert row is not None, "the query names a row that is there"
    return row


# --- reading ----------------------------------------------------------------------------------------------------------
def read_server(url: str, run_id: str, after: int = 0, *, brief: bool = False) -> Generator[Recorded]:
    """Stored events after a sequence number, verified as they are read. Raises StoreError at the first break."""
    place = place_of(url, run_id)
    with server_errors(place), connect(url, read_only=True) as connection:
        previous = _hash_before(connection, run_id, after, place)
        yield from verified(_rows(connection, run_id, after), after, previous, place, brief=brief)


def lines_on_server(url: str, run_id: str, after: int = 0) -> Iterator[bytes]:
    """Every event after a sequence number as a line of JSON, verified as it is read. Raises StoreError at a break."""
    place = place_of(url, run_id)
    with server_errors(place), connect(url, read_only=True) as connection:
        previous = _hash_before(connection, run_id, after, place)
        yield from map(line_of, checked(_rows(connection, run_id, after), after, previous, place))


def head_on_server(url: str, run_id: str) -> Head:
    """The newest event as the head of the run names it. Raises StoreError when there is no such run."""
    place = place_of(url, run_id)
    with server_errors(place), connect(url, read_only=True) as connection:
        found = connection.execute("SELECT sequence, hash FROM gpt_trader.runs WHERE run = %s", (run_id,)).fetchone()
        if found is None:
            raise StoreError(f"{place}: there is no such run on the server")
        return Head(int(found[0]), bytes(found[1]).hex())


def _hash_before(connection: Connection, run_id: str, after: int, place: str) -> bytes:
    if not after:
        return GENESIS
    found = connection.execute(
        "SELECT hash FROM gpt_trader.events WHERE run = %s AND sequence = %s", (run_id, after)
    ).fetchone()
    if found is None:
        raise StoreError(f"{place}: there is no event with sequence {after} to read on from")
    return bytes(found[0])


def verify_server(
    url: str, run_id: str, tell: Callable[[Recorded], None] | None = None, anchors: Sequence[Head] = ()
) -> Verification:
    """Walk the whole log and name every break by sequence. Raises StoreError when there is no such run."""
    place = place_of(url, run_id)
    notes: list[str] = []
    with server_errors(place), connect(url, read_only=True) as connection:
        found = connection.execute("SELECT sequence, hash FROM gpt_trader.runs WHERE run = %s", (run_id,)).fetchone()
        if found is None:
            raise StoreError(f"{place}: there is no such run on the server")
        mark = Head(int(found[0]), bytes(found[1]).hex()) if found[0] else None
        walk = Walk(run_id, mark, tell, anchors)
        for row in _rows(connection, run_id, 0):
            walk.row(row)
            if len(walk.breaks) >= BREAKS_MAX:
                notes.append(f"stopped after {BREAKS_MAX} breaks")
                break
        else:
            walk.end()
    return Verification(
        place, run_id, walk.events, Head(walk.sequence, walk.digest.hex()), tuple(walk.breaks), tuple(notes)
    )


def last_boot_on_server(url: str, run_id: str) -> int:
    """Number of the newest boot of the run; 0 when there is none yet, nor a server that was ever used."""
    place = place_of(url, run_id)
    with server_errors(place), connect(url, read_only=True) as connection:
        if _one(connection.execute("SELECT to_regclass('gpt_trader.runs')").fetchone())[0] is None:
            return 0
        found = connection.execute("SELECT boot FROM gpt_trader.runs WHERE run = %s", (run_id,)).fetchone()
        return 0 if found is None else int(found[0])


def _rows(connection: Connection, run_id: str, after: int) -> Iterator[StoredRow]:
    """In order, some thousand at a time, all of one moment."""
    with connection.transaction(), connection.cursor(name="gpt_trader_rows", binary=True) as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(_SELECT, (run_id, after))
        yield from cursor
