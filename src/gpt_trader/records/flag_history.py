"""Which engine traded when in a run, by which flags, and who changed that? Read from the log alone."""

from __future__ import annotations

from collections.abc import Iterable

from gpt_trader.config.flags import FLAGS
from gpt_trader.core.events import (
    BootStarted,
    EngineSelected,
    EngineSwapFailed,
    EngineSwapped,
    Event,
    FlagCleared,
    FlagSet,
    LimitsChanged,
    RolloutEnded,
    RolloutStarted,
    RolloutStepped,
    ShadowEnded,
    ShadowStarted,
)
from gpt_trader.core.journal import Recorded

__all__ = ["flag_history", "sentence_of"]


def flag_history(events: Iterable[Recorded]) -> tuple[tuple[int, str], ...]:
    """(time, sentence) of every start and every change, oldest first."""
    told = ((recorded.event.at_ns, sentence_of(recorded.event)) for recorded in events)
    return tuple((at_ns, sentence) for at_ns, sentence in told if sentence)


def sentence_of(event: Event) -> str:
    """What an event says of engine, flags or limits; empty where it says nothing."""
    match event:
        case BootStarted():
            return f"boot {event.boot}"
        case EngineSelected():
            return f"{event.engine} by {event.reason}"
        case FlagSet():
            return f"{event.flag} = {event.value} ({event.source}) by {event.who}: {event.reason}"
        case FlagCleared():
            return f"{event.flag} is the configuration's again: {event.value}, by {event.who}: {event.reason}"
        case EngineSwapped():
            return (
                f"{event.was} -> {event.engine}, {len(event.in_flight)} orders and {len(event.working)} tactics under "
                f"way, by {event.who}: {event.reason}"
            )
        case EngineSwapFailed():
            return f"{event.engine} went on, wanted by {event.who}: {event.problem}"
        case LimitsChanged():
            return _limits(event)
        case ShadowStarted():
            by = f", by {event.who}: {event.reason}" if event.who else ""
            return f"{event.candidate} looks on ({event.source}){by}"
        case ShadowEnded():
            return f"{event.candidate} looked on no more: {event.reason}"
        case RolloutStarted():
            return f"{event.rollout} of {event.to} begins at {event.shares[0]:%}, by {event.who}: {event.reason}"
        case RolloutStepped():
            return f"rollout goes on at {event.share:%}"
        case RolloutEnded():
            return f"rollout {event.outcome} by {event.who}: {event.reason}"
        case _:
            return ""


def _limits(event: LimitsChanged) -> str:
    """Flags have lines of their own."""
    flags = {flag.path for flag in FLAGS}
    changed = [f"{path} {event.was[path]} -> {value}" for path, value in event.values.items() if path not in flags]
    held = f"; held back: {', '.join(event.held_back)}" if event.held_back else ""
    return f"limits by {event.who}: {', '.join(changed) or 'none'}{held}" if changed or held else ""
