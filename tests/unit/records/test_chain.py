"""How far did the log get, and is it the same log?"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gpt_trader.core.errors import StoreError
from gpt_trader.core.journal import Head
from gpt_trader.records.chain import GENESIS, HighWaterMark, mark_path, row_hash


def test_the_hash_covers_link_sequence_version_and_payload() -> None:
    """Each part of a row changes its hash; nothing else is in it."""
    right = row_hash(GENESIS, 7, 1, b"{}")
    assert right == hashlib.sha256(bytes(32) + b"7|1|{}").digest()
    others = {row_hash(b"x" * 32, 7, 1, b"{}"), row_hash(GENESIS, 8, 1, b"{}"), row_hash(GENESIS, 7, 2, b"{}")}
    assert right not in others | {row_hash(GENESIS, 7, 1, b"{ }")}


def test_the_newest_mark_is_read(tmp_path: Path) -> None:
    """Two slots are written in turn, and the higher one counts, also after opening again."""
    path = mark_path(tmp_path / "events.sqlite")
    for sequences in ((1, 2, 3), (4,), (5, 6)):
        mark = HighWaterMark(path)
        for sequence in sequences:
            mark.write(sequence, bytes([sequence] * 32))
        mark.close()
        assert HighWaterMark.read(path) == Head(sequences[-1], bytes([sequences[-1]] * 32).hex())


def test_a_torn_write_leaves_the_mark_before(tmp_path: Path) -> None:
    """Only the older slot is overwritten, so half a write costs nothing but the newest mark."""
    path = tmp_path / "events.mark"
    mark = HighWaterMark(path)
    mark.write(1, b"a" * 32)
    mark.write(2, b"b" * 32)
    mark.close()
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert HighWaterMark.read(path) == Head(1, (b"a" * 32).hex())
    mark = HighWaterMark(path)
    mark.write(3, b"c" * 32)
    mark.close()
    assert HighWaterMark.read(path) == Head(3, (b"c" * 32).hex())


def test_no_mark_is_none_and_a_damaged_one_an_error(tmp_path: Path) -> None:
    """Absent and never written mean nothing was flushed; unreadable means it cannot be known."""
    path = tmp_path / "events.mark"
    assert HighWaterMark.read(path) is None
    path.write_bytes(b"")
    assert HighWaterMark.read(path) is None
    path.write_bytes(b"not a mark")
    with pytest.raises(StoreError, match="mark is damaged"):
        HighWaterMark.read(path)


def test_the_mark_is_private(tmp_path: Path) -> None:
    """It belongs to the account's records."""
    path = tmp_path / "events.mark"
    HighWaterMark(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
