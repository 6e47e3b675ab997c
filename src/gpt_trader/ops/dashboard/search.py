"""Where in the log is it written? The newest events that hold some words, in bounded memory."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from gpt_trader.core.values import Value
from gpt_trader.records.logs import StoredLog

__all__ = ["FOUND_MAX", "Found", "search_events"]

FOUND_MAX: Final = 100
WORDS_MAX: Final = 8


class Line(Value, frozen=True, kw_only=True):
    """A line of a log: where it stands, and the event as it is written."""

    sequence: int
    event: msgspec.Raw


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


def search_events(log: StoredLog, words: str, most: int = FOUND_MAX) -> list[Found]:
    """Events that hold every word, whatever its case, the newest first; all of them for no words. Raises StoreError."""
    wanted = [word.encode().lower() for word in words.split()[:WORDS_MAX]]
    kept: deque[bytes] = deque(maxlen=most)
    for line in log.lines():
        lowered = line.lower()
        if all(word in lowered for word in wanted):
            kept.append(line)
    return [_found(line) for line in reversed(kept)]


def _found(text: bytes) -> Found:
    line = msgspec.json.decode(text, type=Line)
    head = msgspec.json.decode(line.event, type=Head)
    payload = bytes(line.event).decode(errors="replace")
    return Found(sequence=line.sequence, at_ns=head.at_ns, type=head.type, payload=payload)
