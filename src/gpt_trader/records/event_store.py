"""Is it written down? The journal of one run: a hash chain over events, and one durable write a turn of the loop.

    store = EventStore.open(store_path(home, run_id), run_id, last_boot(path) + 1, durable=True)
    store.append(event)      # in memory, into the chain
    await store.commit()     # on the disk; everybody who asks within one turn of the loop shares the write

What was sent, what became of it and what limits us is written at the end of the turn in any case, whether somebody
waits or not; the rest goes with it, or when BLOCK_EVENTS have gathered. Where the rows stand is the shelf's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Final, Self

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import (
    SCHEMA_VERSION,
    BarsSeen,
    Event,
    FillMarked,
    MissMarked,
    OrderApproved,
    OrderReconciled,
    OrderRefused,
    TacticProgressed,
    TradingSignalGenerated,
)
from gpt_trader.core.journal import Head, Recorded, StoredSnapshot
from gpt_trader.records.chain import hash_lines, row_hash
from gpt_trader.records.schema import decode, encode, encode_lines
from gpt_trader.records.shelf import Block, Row, Shelf, Tail, Verification
from gpt_trader.records.sqlite_shelf import SqliteShelf, check_room

__all__ = ["BLOCK_EVENTS", "EventStore"]

BLOCK_EVENTS: Final = 1024
"""Events written at once where nobody waits for the disk, and the most that may wait in memory where somebody does."""

UNHURRIED: Final = frozenset(
    {
        BarsSeen,
        FillMarked,
        MissMarked,
        OrderApproved,
        OrderReconciled,
        OrderRefused,
        TacticProgressed,
        TradingSignalGenerated,
    }
)
"""What a crash may take without anybody owning less: thoughts and measurements. Orders, outcomes, fills, stops, modes
and money never wait for company."""


class EventStore:
    """The journal of one run.

    With `durable=True` (anything that may move money) `commit` returns after an fsync. With `durable=False`
    (simulated runs) the same events with the same hashes are encoded and written in blocks of BLOCK_EVENTS, `commit`
    returns at once, and a crash loses at most the last block; `flush` and `close` write what is left.
    """

    def __init__(self, shelf: Shelf, run_id: str, boot: int, *, durable: bool) -> None:
        """Go on where the shelf ends; it was opened for this run and boot. See `open` for the usual one."""
        self.run_id = run_id
        self.boot = boot
        self.durable = durable
        self._shelf = shelf
        self._pending: list[Row] = []
        self._waiting: list[Event] = []
        """Taken, and not yet in the chain; only where nobody waits for the disk."""
        self._blocks: list[Block] = []
        self._shared: asyncio.Future[None] | None = None
        self._failed = ""
        self._writing = False
        self._sequence = shelf.tail.sequence
        self._digest = shelf.tail.digest

    @classmethod
    def open(cls, path: Path, run_id: str, boot: int, *, durable: bool, free_bytes_min: int = 0) -> Self:
        """Make a file of SQLite, or go on with it as boot number `boot` after a quick look at the chain's head.

        Raises StoreError: another process writes it, it belongs to another run, the boot is not newer than the last,
        its newest row is damaged, its end is behind the high-water mark, or the disk has less than `free_bytes_min`.
        """
        check_room(path, free_bytes_min)
        return cls(SqliteShelf(path, run_id, boot, durable=durable), run_id, boot, durable=durable)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self._shelf.place

    @property
    def notes(self) -> tuple[str, ...]:
        """What the operator should know; to be shown once at start."""
        return self._shelf.notes

    @property
    def failure(self) -> str:
        """Why it takes nothing any more; empty while it does."""
        return self._failed

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
            # Events are frozen, so encoding them can wait until there are many: it is then twice as quick.
            self._sequence += 1
            self._waiting.append(event)
            if len(self._waiting) >= BLOCK_EVENTS:
                self.flush()
            return self._sequence
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
        elif self._shared is None and type(event) not in UNHURRIED:
            self._flush_soon()
        return sequence

    def _flush_soon(self) -> None:
        """At the end of this turn of the loop. Without a loop nothing can be under way: `flush` or `close` writes."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._shared = loop.create_future()
        loop.call_soon(self._flush_for_all, self._shared)

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
            self._flush_soon()
        assert self._shared is not None, "whoever awaits runs in a loop"
        await asyncio.shield(self._shared)  # one caller's cancellation is not the others'

    def flush(self) -> None:
        """Write everything now, durable if the store is. For shutdown and for readers. Raises StoreError."""
        if self._failed:
            raise StoreError(self._failed)
        self._seal()
        if not self._pending and not self._blocks:
            return
        try:
            if self._writing:
                self._settle_interrupted_write()
            if self._pending or self._blocks:
                self._write()
        except StoreError as error:
            self._failed = str(error)
            self._shelf.abandon()
            raise

    def read(self, after: int = 0, *, brief: bool = False) -> Generator[Recorded]:
        """Stored events after sequence `after`, this process's own included, verified as they are read; `brief` leaves
        out what only explains."""
        self.flush()
        return self._shelf.read(after, brief=brief)

    def verify(self) -> Verification:
        """Walk the whole chain and name every break by sequence."""
        self.flush()
        return self._shelf.verify()

    def close(self) -> None:
        """Write what is left and release the file. Raises StoreError, after releasing it."""
        try:
            if not self._failed:
                self.flush()
        finally:
            self._shelf.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- beside the chain -----------------------------------------------------------------------------------------
    def free_bytes(self) -> int | None:
        """Room that is left where the log grows; None where that cannot be known from here. Raises StoreError."""
        return self._shelf.free_bytes()

    def stored_bytes(self) -> int | None:
        """What the log takes there, archived parts included; None like `free_bytes`. Raises StoreError."""
        return self._shelf.stored_bytes()

    def hash_at(self, sequence: int) -> str:
        """The chain's hash at a stored event; empty when there is none. Raises StoreError."""
        return self._shelf.hash_at(sequence).hex()

    def keep_snapshot(self, row: StoredSnapshot) -> None:
        """Keep state beside the log, after everything that it follows from. Raises StoreError."""
        self.flush()
        self._shelf.keep_snapshot(row)

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        """Those that are kept, the newest first. Raises StoreError."""
        return self._shelf.snapshots()

    # --- writing --------------------------------------------------------------------------------------------------
    def _write(self) -> None:
        self._writing = True
        self._shelf.write(self._pending, self._blocks, Tail(self._sequence, self._digest))
        self._pending.clear()
        self._blocks.clear()
        self._writing = False

    def _settle_interrupted_write(self) -> None:
        """Ctrl-C may strike inside a write: forget what did not become a transaction, keep what did."""
        written = self._shelf.settle()
        self._pending = [row for row in self._pending if row[0] > written]
        self._blocks = [block for block in self._blocks if block[1] > written]
        self._writing = False

    def _flush_for_all(self, shared: asyncio.Future[None]) -> None:
        self._shared = None
        try:
            self.flush()
        except StoreError as error:
            shared.set_exception(error)
            shared.exception()  # perhaps nobody waits; whoever appends next is told all the same
        else:
            shared.set_result(None)


def _check_readable(payload: bytes, event: Event) -> None:
    """A fact that nobody can read is lost; better to fail where it was made than when it is needed."""
    try:
        decode(payload)
    except StoreError as error:
        raise TypeError(f"{type(event).__name__} cannot be stored: {error}") from error
