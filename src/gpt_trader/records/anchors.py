"""What did the log say on that day? Heads of the chain that are noted outside the store.

The high-water mark lies beside the database and goes with the disk. An anchor is a line in another file, best on
another disk: from then on nobody can cut or rewrite what came before it without `events verify` saying so.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gpt_trader.core.clock import iso
from gpt_trader.core.errors import StoreError
from gpt_trader.core.journal import Head

__all__ = ["Anchor", "anchor_path", "anchors_beside", "note_anchor", "read_anchors"]


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an anchor file."""

    run: str
    sequence: int
    hash: str
    anchored_at: str
    """UTC, of the machine that noted it."""


def anchor_path(store: Path) -> Path:
    """Where anchors of a store lie unless somebody names another file: beside the folder of all runs."""
    return store.parent.parent.parent / "anchors" / f"{store.parent.name}.jsonl"


def note_anchor(file: Path, run: str, head: Head, now_ns: int) -> Anchor:
    """Add a line, durable when it returns; the file is made with mode 0600. Raises StoreError."""
    anchor = Anchor(run=run, sequence=head.sequence, hash=head.digest, anchored_at=iso(now_ns))
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(anchor) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}; name a file that can be written with --to") from error
    return anchor


def read_anchors(file: Path) -> tuple[Head, ...]:
    """Every head in the file; none when there is no file. Raises StoreError that names file and line."""
    if not file.exists():
        return ()
    heads = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            anchor = msgspec.json.decode(line, type=Anchor)
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"{file}, line {number}: no anchor ({error}). Fix: restore the file, or move it away to do without"
            ) from error
        heads.append(Head(anchor.sequence, anchor.hash))
    return tuple(heads)


def anchors_beside(store: Path) -> tuple[Head, ...]:
    """Those in the usual place."""
    return read_anchors(anchor_path(store))
