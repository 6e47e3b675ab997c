"""Is the chain whole? The walk over stored rows, wherever they stand, that verifies each and names every break."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import Event
from gpt_trader.core.journal import Head, Recorded
from gpt_trader.records.chain import GENESIS, row_hash
from gpt_trader.records.schema import decode, decode_brief
from gpt_trader.records.shelf import Break

__all__ = ["StoredRow", "Walk", "checked", "hash_of", "verified"]

StoredRow = tuple[Any, ...]
"""Sequence, boot, schema version, payload, previous hash, hash; and, of a row that holds one event, run, time, type,
intent id and client order id as they stand beside the payload (bytes, but for the time)."""


def hash_of(previous: bytes, sequence: int, version: Any, payload: Any) -> bytes:
    """Hash of a row as it came from the disk; empty when damage changed the type of a column."""
    if type(payload) is not bytes or type(version) is not int or type(previous) is not bytes:
        return b""
    return row_hash(previous, sequence, version, payload)


def verified(
    rows: Iterable[StoredRow], after: int, previous: bytes, place: str, *, brief: bool = False
) -> Iterator[Recorded]:
    """The events of these rows. Raises StoreError at the first that is not what its hash was made of.

    `previous` is the hash of event number `after`, which the first row must follow; `brief` as in `schema`.
    """
    expected, sha256, read = after + 1, hashlib.sha256, decode_brief if brief else decode
    for row in rows:
        sequence, boot, version, payload, before, digest, *_ = row
        if type(payload) is not bytes or type(version) is not int or type(before) is not bytes:
            right = b""
        else:  # row_hash, without a call for each of a million rows
            right = sha256(before + b"%d|%d|" % (sequence, version) + payload).digest()
        if sequence != expected or before != previous or digest != right:
            raise StoreError(
                f"{place}: the chain breaks at sequence {expected}; see `gpt-trader events verify {place}`"
            )
        yield Recorded(sequence, boot, read(payload, version), digest.hex())
        previous, expected = digest, expected + 1


def checked(rows: Iterable[StoredRow], after: int, previous: bytes, place: str) -> Iterator[StoredRow]:
    """The rows themselves, as far as the chain holds. Raises StoreError like `verified`."""
    expected = after + 1
    for row in rows:
        sequence, _, version, payload, before, digest, *_ = row
        if sequence != expected or before != previous or hash_of(before, sequence, version, payload) != digest:
            raise StoreError(
                f"{place}: the chain breaks at sequence {expected}; see `gpt-trader events verify {place}`"
            )
        yield row
        previous, expected = digest, expected + 1


class Walk:
    """One pass over all rows that goes on after a break, so that every break is named."""

    def __init__(
        self,
        run_id: str,
        mark: Head | None,
        tell: Callable[[Recorded], None] | None = None,
        anchors: Iterable[Head] = (),
    ) -> None:
        self._run = run_id.encode()
        self._mark = mark
        self._anchors = {anchor.sequence: anchor.digest for anchor in anchors}
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
        right = hash_of(before if type(before) is bytes else GENESIS, sequence, version, payload)
        if right != digest:
            self._suspect = (sequence, right)
        else:
            self._read(row)
        if self._mark is not None and sequence == self._mark.sequence and digest != bytes.fromhex(self._mark.digest):
            self._broken(sequence, "wrong_mark", "the high-water mark remembers another hash for this row")
        if sequence in self._anchors and (type(digest) is not bytes or digest.hex() != self._anchors[sequence]):
            self._broken(sequence, "wrong_anchor", "an anchor remembers another hash for this row")
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
        beyond = [sequence for sequence in self._anchors if sequence > self.sequence]
        if beyond:
            self._broken(self.sequence + 1, "wrong_anchor", f"an anchor remembers sequence {max(beyond)}; it is gone")

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
