"""How long will the disk last? What a store has grown by, and when the room is used up if it goes on so."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.core.clock import NS
from gpt_trader.core.journal import Journal
from gpt_trader.records.reader import bytes_of, last_sequence, read_run, store_errors

__all__ = ["Growth", "growth_of", "growth_so_far"]

DAY_SECONDS: Final = 86_400


class Growth(msgspec.Struct, frozen=True):
    """Of one store, over the time that its events span."""

    events: int
    bytes_stored: int
    """Database, write-ahead log and archived segments."""
    days: float
    """Between the first event and the newest, by their own times."""
    bytes_free: int

    @property
    def bytes_per_day(self) -> float | None:
        """None while less than an hour is known: too little to say."""
        return self.bytes_stored / self.days if self.days * 24 >= 1 else None

    @property
    def days_left(self) -> float | None:
        """Until the disk is full, if the store alone goes on growing so."""
        per_day = self.bytes_per_day
        return self.bytes_free / per_day if per_day else None


def growth_of(path: Path) -> Growth:
    """Measure a store. Raises StoreError when there is none."""
    newest = last_sequence(path)
    first = next(read_run(path), None)
    last = next(read_run(path, newest - 1), None) if newest else None
    span_ns = last.event.at_ns - first.event.at_ns if first is not None and last is not None else 0
    with store_errors(path):
        free = shutil.disk_usage(path.parent).free
    return Growth(newest, bytes_of(path), span_ns / NS / DAY_SECONDS, free)


def growth_so_far(journal: Journal, began_ns: int, now_ns: int) -> Growth | None:
    """Of a log that is being written, since its run began; None where its disk is out of sight. Raises StoreError."""
    stored, free = journal.stored_bytes(), journal.free_bytes()
    if stored is None or free is None:
        return None
    return Growth(journal.head.sequence, stored, (now_ns - began_ns) / NS / DAY_SECONDS, free)
