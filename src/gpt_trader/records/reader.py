"""What is in the log, and is it whole? Reading a store of SQLite without being able to write."""

from __future__ import annotations

import contextlib
import heapq
import operator
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from gpt_trader.core.errors import StoreError
from gpt_trader.core.journal import Head, Recorded, StoredSnapshot
from gpt_trader.records.anchors import anchors_beside
from gpt_trader.records.chain import GENESIS, HighWaterMark, mark_path
from gpt_trader.records.segments import line_of, segment_rows
from gpt_trader.records.shelf import Break, Verification
from gpt_trader.records.sqlite_layout import check_identity, layout_of
from gpt_trader.records.walk import StoredRow, Walk, checked, hash_of, verified

__all__ = [
    "bytes_of",
    "connect_reader",
    "hash_at",
    "head_of",
    "last_boot",
    "last_sequence",
    "lines_of",
    "newest_sequence",
    "read_run",
    "read_snapshots",
    "rows_after",
    "run_id_of",
    "store_errors",
    "verify",
]

BREAKS_MAX: Final = 100
"""So many breaks are named, then the walk stops: the file is beyond reading."""

_ADVICE: Final = {
    "SQLITE_FULL": "the disk is full: free some space, then start again",
    "SQLITE_BUSY": "another program holds the database: close it (readers open it with mode=ro)",
    "SQLITE_LOCKED": "another program holds the database: close it (readers open it with mode=ro)",
    "SQLITE_CORRUPT": "the file is damaged: keep a copy, and see `gpt-trader events verify` and `events repair`",
    "SQLITE_NOTADB": "this is no event store, or it is damaged: keep a copy, and see `gpt-trader events repair`",
    "SQLITE_IOERR": "the disk reports an error: check the disk and its free space, then start again",
    "SQLITE_READONLY": "it cannot be written: check owner and mode of the file and its folder",
    "SQLITE_CANTOPEN": "it cannot be opened: check that the folder exists, its owner and its mode",
    "SQLITE_PERM": "it cannot be opened: check owner and mode of the file and its folder",
    "SQLITE_CONSTRAINT": "a row of this sequence exists already: somebody else wrote to the store; see `gpt-trader ps`",
}


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
            check_identity(connection, str(path))
        except BaseException:
            connection.close()
            raise
    return connection


_ROWS: Final = (
    "SELECT sequence, boot, schema_version, CAST(payload AS BLOB), previous_hash, hash FROM events "
    "WHERE sequence > ? ORDER BY sequence"
)
_ROWS_AND_COLUMNS: Final = (
    "SELECT sequence, boot, schema_version, CAST(payload AS BLOB), previous_hash, hash, CAST(run AS BLOB), "
    "time_ns, CAST(type AS BLOB), CAST(intent_id AS BLOB), CAST(client_order_id AS BLOB) FROM events "
    "WHERE sequence > ? ORDER BY sequence"
)


def run_of(connection: sqlite3.Connection) -> str:
    """Run id that the store was made for."""
    return bytes(connection.execute("SELECT CAST(run AS BLOB) FROM run").fetchone()[0]).decode()


def bytes_of(path: Path) -> int:
    """Database, write-ahead log and archived segments. Raises StoreError."""
    files = (path, path.with_name(f"{path.name}-wal"), *path.parent.glob("archive/*.gz"))
    with store_errors(path):
        return sum(file.stat().st_size for file in files if file.exists())


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
    """Sequence number of the newest event: in a row of its own, in a block, or archived."""
    places = (
        "SELECT coalesce(max(sequence), 0) FROM events",
        "SELECT coalesce(max(last), 0) FROM blocks",
        "SELECT coalesce(max(last), 0) FROM segments",
    )
    return max(int(connection.execute(place).fetchone()[0]) for place in places[: layout_of(connection)])


def rows_after(connection: sqlite3.Connection, path: Path, after: int, *, beside: bool = True) -> Generator[StoredRow]:
    """Rows after sequence `after`, in order. Nothing is verified here, but the hashes inside a block follow from its
    lines. Without the columns `beside` the payload they come quicker. Raises StoreError when an archived segment cannot
    be read."""
    layout = layout_of(connection)
    alone = connection.execute(_ROWS_AND_COLUMNS if beside else _ROWS, (after,))
    if layout >= 3:
        archived = connection.execute(
            "SELECT first, last, previous_hash, hash, CAST(file AS BLOB) FROM segments WHERE last > ? ORDER BY first",
            (after,),
        ).fetchall()
        yield from segment_rows(path.parent, archived, after)
    if layout < 2:
        yield from alone
        return
    blocks = connection.execute(
        "SELECT first, last, boot, schema_version, payloads, previous_hash, hash FROM blocks "
        "WHERE last > ? ORDER BY first",
        (after,),
    )
    block = blocks.fetchone()
    if block is None:  # a run with money in it: nothing to merge, and a million rows to get through
        yield from alone
    else:
        yield from heapq.merge(alone, _unfolded(chain((block,), blocks), after), key=operator.itemgetter(0))


def _unfolded(blocks: Iterable[tuple[Any, ...]], after: int) -> Iterator[StoredRow]:
    """The events of each block. One that does not end with the hash that is stored comes as a single row that cannot be
    right: nobody can say which of its events was changed, so none is passed on."""
    for first, last, boot, version, payloads, before, stored in blocks:
        lines = payloads.split(b"\n") if type(payloads) is bytes else [payloads]
        digests = [previous := before]
        for sequence, payload in enumerate(lines, first):
            digests.append(previous := hash_of(previous, sequence, version, payload))
        if previous != stored or len(lines) != last - first + 1:
            yield first, boot, version, payloads, before, stored
            continue
        for place in range(max(0, after - first + 1), len(lines)):
            yield first + place, boot, version, lines[place], digests[place], digests[place + 1]


def read_run(path: Path, after: int = 0, *, brief: bool = False) -> Generator[Recorded]:
    """Stored events after sequence `after`, verified as they are read, streaming. Raises StoreError at the first break.
    `brief` leaves out what only explains (see `schema.decode_brief`).

    Sees what was committed when the first row is read. The high-water mark is not looked at: see `verify`.
    """
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        previous = hash_at(connection, path, after)
        if not previous:
            raise StoreError(f"{path}: there is no event with sequence {after} to read on from")
        with contextlib.closing(rows_after(connection, path, after, beside=False)) as rows:  # before the connection is
            yield from verified(rows, after, previous, str(path), brief=brief)


def head_of(path: Path) -> Head:
    """Newest event of a store as it is stored. Raises StoreError."""
    newest = last_sequence(path)
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        return Head(newest, hash_at(connection, path, newest).hex())


def lines_of(path: Path, after: int = 0) -> Iterator[bytes]:
    """Every event after a sequence number as a line of JSON, verified as it is read. Raises StoreError at a break."""
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        previous = hash_at(connection, path, after)
        if not previous:
            raise StoreError(f"{path}: there is no event with sequence {after} to go on from")
        with contextlib.closing(rows_after(connection, path, after)) as rows:
            yield from map(line_of, checked(rows, after, previous, str(path)))


def hash_at(connection: sqlite3.Connection, path: Path, sequence: int) -> bytes:
    """Stored hash of one event, empty when there is none; that before the first is GENESIS."""
    if sequence == 0:
        return GENESIS
    for found, *_, digest in (row[:6] for row in rows_after(connection, path, sequence - 1)):
        return bytes(digest) if found == sequence else b""
    return b""


def read_snapshots(connection: sqlite3.Connection) -> tuple[StoredSnapshot, ...]:
    """Those that are kept, the newest first; whether they are what they claim is for whoever uses them to check."""
    rows = connection.execute(
        "SELECT sequence, hash, CAST(code_version AS BLOB), state, digest FROM snapshots ORDER BY sequence DESC"
    )
    return tuple(
        StoredSnapshot(
            sequence, bytes(digest).hex(), bytes(code).decode(errors="replace"), bytes(state), bytes(own).hex()
        )
        for sequence, digest, code, state, own in rows
    )


def verify(path: Path, tell: Callable[[Recorded], None] | None = None, anchors: Iterable[Head] = ()) -> Verification:
    """Walk the whole log and name every break by sequence, at most BREAKS_MAX of them.

    `tell` gets every event up to the first break, so that one walk can verify and rebuild. `anchors` are heads that
    somebody noted elsewhere, beside those that lie next to the runs. Raises StoreError only when there is no store.
    """
    notes: list[str] = []
    mark, mark_break = _read_mark(path, notes)
    with store_errors(path), contextlib.closing(connect_reader(path)) as connection:
        run_id = run_of(connection)
        walk = Walk(run_id, mark, tell, (*anchors, *anchors_beside(path)))
        if mark_break is not None:
            walk.breaks.append(mark_break)
        try:
            with contextlib.closing(rows_after(connection, path, 0)) as rows:
                for row in rows:
                    walk.row(row)
                    if len(walk.breaks) >= BREAKS_MAX:
                        notes.append(f"stopped after {BREAKS_MAX} breaks")
                        break
                else:
                    walk.end()
        except sqlite3.DatabaseError as error:
            walk.breaks.append(Break(walk.sequence + 1, "damaged_file", str(error)))
        except StoreError as error:
            walk.breaks.append(Break(walk.sequence + 1, "damaged_archive", str(error)))
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
