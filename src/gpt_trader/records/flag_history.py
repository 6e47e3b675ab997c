"""Which engine traded when in a run, by which flags, and who changed that? Read from the log alone."""

from __future__ import annotations

from pathlib import Path

from gpt_trader.core.events import BootStarted, EngineSelected, Event
from gpt_trader.records.reader import read_run

__all__ = ["flag_history"]


def flag_history(store: Path) -> tuple[tuple[int, str], ...]:
    """(time, sentence) of every start and every change, oldest first. Raises StoreError."""
    told = ((recorded.event.at_ns, _sentence(recorded.event)) for recorded in read_run(store))
    return tuple((at_ns, sentence) for at_ns, sentence in told if sentence)


def _sentence(event: Event) -> str:
    match event:
        case BootStarted():
            return f"boot {event.boot}"
        case EngineSelected():
            return f"{event.engine} by {event.reason}"
        case _:
            return ""
