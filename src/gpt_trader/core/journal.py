"""Where is it written down? The port that the event store implements."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

import msgspec

from gpt_trader.core.events import Event

__all__ = ["Head", "Journal", "Recorded", "SnapshotJournal", "StoredSnapshot"]


class Head(msgspec.Struct, frozen=True):
    """The newest event of a run: its sequence number and the hash of the whole chain up to it."""

    sequence: int
    digest: str


class Recorded(msgspec.Struct, frozen=True):
    """One stored event with its place in the chain."""

    sequence: int
    boot: int
    event: Event
    digest: str


class StoredSnapshot(msgspec.Struct, frozen=True):
    """State after `sequence`, as bytes; `digest` is SHA-256 of them, `hash` the chain's at that event."""

    sequence: int
    hash: str
    code_version: str
    state: bytes
    digest: str


class Journal(Protocol):
    """Append-only log of one run."""

    @property
    def head(self) -> Head: ...

    def append(self, event: Event) -> int:
        """Take the event into the chain and return its sequence number. Raises StoreError; not durable yet."""
        ...

    async def commit(self) -> None:
        """Return once everything appended before the call is durable.

        All callers within one turn of the event loop share one write. Raises StoreError.
        """
        ...

    def free_bytes(self) -> int | None:
        """Room that is left where the log grows; None where that cannot be known from here. Raises StoreError."""
        ...

    def stored_bytes(self) -> int | None:
        """What the log takes there, archived parts included; None like `free_bytes`. Raises StoreError."""
        ...

    def read(self, after: int = 0, *, brief: bool = False) -> Generator[Recorded]:
        """Stored events in order, those after sequence number `after`; verifies the chain as it goes.

        `brief` leaves out of some events the figures that only explain them: for a replay.
        """
        ...


class SnapshotJournal(Journal, Protocol):
    """A log beside which state is kept."""

    def hash_at(self, sequence: int) -> str:
        """The chain's hash at a stored event; empty when there is none. Raises StoreError."""
        ...

    def keep_snapshot(self, row: StoredSnapshot) -> None:
        """Keep state beside the log, after everything that it follows from. Raises StoreError."""
        ...

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        """Those that are kept, the newest first; whether they are sound is for the reader to see. Raises StoreError."""
        ...
