"""What became of the rollouts of a run? Read from its log alone."""

from __future__ import annotations

from collections.abc import Iterable

from gpt_trader.bot.rollout.record import RolloutRecord
from gpt_trader.core.events import RolloutStarted
from gpt_trader.core.journal import Recorded

__all__ = ["rollouts_of"]


def rollouts_of(log: Iterable[Recorded]) -> tuple[tuple[RolloutRecord, int], ...]:
    """Every rollout of the run, oldest first, and the time until which the log tells of it."""
    found: list[tuple[RolloutRecord, int]] = []
    for recorded in log:
        event = recorded.event
        if isinstance(event, RolloutStarted):
            found.append((RolloutRecord(event), event.at_ns))
        elif found:
            record, _ = found[-1]
            if record.ended is None:
                record.take(event)
                found[-1] = record, event.at_ns
    return tuple(found)
