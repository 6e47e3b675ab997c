"""What does the log amount to? Ledger and orders as they follow from the stored events alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gpt_trader.core.events import (
    Event,
    OrderApproved,
    OrderSubmitted,
    RunEnded,
    RunStarted,
)
from gpt_trader.core.journal import Head, Recorded
from gpt_trader.records.ledger import Ledger
from gpt_trader.records.logs import StoredLog
from gpt_trader.records.orders import OrderLine
from gpt_trader.records.reader import read_run
from gpt_trader.records.shelf import Verification

__all__ = ["Rebuilt", "rebuild", "rebuild_store", "verify_and_rebuild"]


class Rebuilt:
    """State of a run, fed event by event."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.orders: dict[str, OrderLine] = {}
        """By client order id, in the order of submission."""
        self.started: RunStarted | None = None
        self.ended: RunEnded | None = None
        """The orderly end; None when the process was killed or still runs."""
        self._engines: dict[str, str] = {}

    def take(self, recorded: Recorded) -> None:
        """Count the next stored event."""
        event = recorded.event
        self.ledger.apply(event)
        self.ended = None
        if isinstance(event, OrderSubmitted):
            engine = self._engines.get(event.intent_id, "")
            self.orders[event.client_order_id] = OrderLine(submitted=event, engine=engine)
        else:
            self._take_other(event)

    def _take_other(self, event: Event) -> None:
        line = self.orders.get(event.client_order_id)
        if line is not None:
            line.apply(event)
        if isinstance(event, OrderApproved):
            self._engines[event.intent_id] = event.engine
        elif isinstance(event, RunStarted):
            self.started = self.started or event
        elif isinstance(event, RunEnded):
            self.ended = event

    def living(self) -> list[OrderLine]:
        """Orders that are not at their end."""
        return [line for line in self.orders.values() if not line.state.is_terminal]


def rebuild(events: Iterable[Recorded]) -> Rebuilt:
    """State after these events."""
    state = Rebuilt()
    for recorded in events:
        state.take(recorded)
    return state


def rebuild_store(path: Path) -> Rebuilt:
    """State after everything in a store. Raises StoreError at the first break of the chain."""
    return rebuild(read_run(path))


def verify_and_rebuild(log: StoredLog, anchors: Iterable[Head] = ()) -> tuple[Verification, Rebuilt]:
    """One walk: what is wrong with the log, and the state up to the first break. Raises StoreError without a store."""
    state = Rebuilt()
    return log.verify(state.take, anchors), state
