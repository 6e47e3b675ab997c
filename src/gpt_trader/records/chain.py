"""How far did the log get, and is it the same log? The hash of a row, and the high-water mark beside the database.

A flipped bit in SQLite's write-ahead log makes it drop everything after it without an error. Only somebody who
remembers how far the log had got can notice: the mark, a small file of two slots that are written in turn.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gpt_trader.core.errors import StoreError
from gpt_trader.core.journal import Head

__all__ = ["GENESIS", "HighWaterMark", "hash_lines", "mark_path", "row_hash"]

GENESIS: Final = bytes(32)
"""What the first row names as the hash before it."""

_SLOT_BYTES: Final = 96
_BODY: Final = "{:020d} {}"


def row_hash(previous: bytes, sequence: int, version: int, payload: bytes) -> bytes:
    """SHA-256 over the hash before and (sequence, schema version, payload); boot, host and wall time stand outside."""
    return hashlib.sha256(previous + b"%d|%d|" % (sequence, version) + payload).digest()


def hash_lines(previous: bytes, first: int, version: int, payloads: Iterable[bytes]) -> bytes:
    """`row_hash` over rows that follow one another, from sequence `first` on; the hash of the last."""
    sha256 = hashlib.sha256
    for sequence, payload in enumerate(payloads, first):
        previous = sha256(previous + b"%d|%d|" % (sequence, version) + payload).digest()
    return previous


def mark_path(store: Path) -> Path:
    return store.with_suffix(".mark")


class HighWaterMark:
    """The highest sequence that was ever flushed, and its hash."""

    def __init__(self, path: Path) -> None:
        """Opens the file for writing, with mode 0600; an absent one is made."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        older = [head.sequence if head else -1 for head in _slots(path.read_bytes())]
        self._slot = older.index(min(older))

    def write(self, sequence: int, digest: bytes) -> None:
        """Remember. The older slot is overwritten, so a torn write leaves the newer one. Raises OSError."""
        os.pwrite(self._file, _slot_text(sequence, digest.hex()), self._slot * _SLOT_BYTES)
        self._slot = 1 - self._slot

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)

    @staticmethod
    def read(path: Path) -> Head | None:
        """The mark as it lies in the file; None when nothing was ever flushed. Raises StoreError when no slot is whole.

        An empty file is what a process leaves that was killed before its first flush.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if not content:
            return None
        heads = [head for head in _slots(content) if head is not None]
        if not heads:
            raise StoreError(f"{path}: the high-water mark is damaged, so a cut of the log's end could not be seen")
        return max(heads, key=lambda head: head.sequence)


def _slots(content: bytes) -> list[Head | None]:
    return [_slot_head(content[start : start + _SLOT_BYTES]) for start in (0, _SLOT_BYTES)]


def _slot_text(sequence: int, digest: str) -> bytes:
    body = _BODY.format(sequence, digest).encode()
    return b"%s %08x\n" % (body, zlib.crc32(body)) + b" " * (_SLOT_BYTES - len(body) - 10)


def _slot_head(slot: bytes) -> Head | None:
    body, _, check = slot.rstrip().rpartition(b" ")
    if check != b"%08x" % zlib.crc32(body):
        return None
    sequence, _, digest = body.partition(b" ")
    return Head(int(sequence), digest.decode())
