"""Where in the log is it written? The newest events that hold some words, in bounded memory."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.core.values import Value
from gpt_trader.records.reader import connect_reader, rows_after, store_errors

__all__ = ["FOUND_MAX", "Found", "search_events"]

FOUND_MAX: Final = 100
WORDS_MAX: Final = 8


class Head(Value, frozen=True, kw_only=True):
    """What every event has."""

    type: str
    at_ns: int


class Found(Value, frozen=True, kw_only=True):
    """One event as it is written."""

    sequence: int
    at_ns: int
    type: str
    payload: str


def search_events(store: Path, words: str, most: int = FOUND_MAX) -> list[Found]:
    """Events that hold every word, whatever its case, the newest first; all of them for no words. Nothing is verified
    here: `gpt-trader events verify` does that. Raises StoreError."""
    wanted = [word.encode().lower() for word in words.split()[:WORDS_MAX]]
    kept: deque[tuple[int, bytes]] = deque(maxlen=most)
    with (
        store_errors(store),
        contextlib.closing(connect_reader(store)) as connection,
        contextlib.closing(rows_after(connection, store, 0, beside=False)) as rows,
    ):
        for sequence, _, _, payload, *_ in rows:
            lowered = payload.lower()
            if all(word in lowered for word in wanted):
                kept.append((sequence, payload))
    return [_found(sequence, payload) for sequence, payload in reversed(kept)]


def _found(sequence: int, payload: bytes) -> Found:
    head = msgspec.json.decode(payload, type=Head)
    return Found(sequence=sequence, at_ns=head.at_ns, type=head.type, payload=payload.decode(errors="replace"))
