"""Where does a log stand? The port behind the event store: one file of SQLite, or rows of a PostgreSQL server.

The store makes the chain; a shelf keeps it, and proves that nobody else writes there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

import msgspec

from gpt_trader.core.journal import Head, Recorded, StoredSnapshot

__all__ = ["Block", "Break", "Row", "Shelf", "Tail", "Verification"]

Row = tuple[int, str, int, int, str, int, str, str, bytes, bytes, bytes]
"""One event: sequence, run, boot, time, type, schema version, intent id, client order id, payload, previous hash,
hash."""

Block = tuple[int, int, str, int, int, bytes, bytes, bytes]
"""Many events of a simulated run: first, last, run, boot, schema version, payloads, previous hash, hash."""


class Break(msgspec.Struct, frozen=True):
    """One place where the log is not what was written."""

    sequence: int
    kind: str
    """changed_payload, wrong_hash, changed_column, missing_row, extra_row, broken_link, unreadable, tail_cut,
    wrong_mark, damaged_mark, wrong_anchor, damaged_archive or damaged_file."""
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


class Tail(msgspec.Struct, frozen=True):
    """Where a chain ends."""

    sequence: int
    digest: bytes


class Shelf(Protocol):
    """Opened for one run and one boot; from then on nobody else writes there. Every call raises StoreError."""

    @property
    def place(self) -> str:
        """Where it is, for people; without a password."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the operator should know; to be shown once at start."""
        ...

    @property
    def tail(self) -> Tail:
        """The end of the chain as it was found at opening."""
        ...

    def write(self, rows: Sequence[Row], blocks: Sequence[Block], tail: Tail) -> None:
        """All or nothing; durable when it returns, if the shelf is. `tail` is the end of the chain after it."""
        ...

    def settle(self) -> int:
        """After an interruption: forget what did not become a transaction; the newest sequence that did."""
        ...

    def abandon(self) -> None:
        """After a failure: give back whatever is held half-way. Never raises."""
        ...

    def read(self, after: int, *, brief: bool = False) -> Generator[Recorded]:
        """Stored events after a sequence number, verified as they are read; `brief` leaves out what only explains."""
        ...

    def verify(self, tell: Callable[[Recorded], None] | None = None) -> Verification: ...

    def hash_at(self, sequence: int) -> bytes:
        """Stored hash of one event; empty when there is none."""
        ...

    def free_bytes(self) -> int | None:
        """Room that is left where the log grows; None where that cannot be known from here."""
        ...

    def stored_bytes(self) -> int | None:
        """What the log takes there, archived parts included; None like `free_bytes`."""
        ...

    def keep_snapshot(self, row: StoredSnapshot) -> None:
        """Keep it and the one before, durable."""
        ...

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        """Those that are kept, the newest first."""
        ...

    def close(self) -> None:
        """Release it."""
        ...
