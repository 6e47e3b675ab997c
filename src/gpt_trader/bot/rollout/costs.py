"""What did a position cost that one engine held from opening to end? Collects, from events, what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.events import (
    Event,
    MissMarked,
    OrderApproved,
    OrderFilled,
    OrderReconciled,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
)
from gpt_trader.core.values import OPEN_OUTCOMES
from gpt_trader.records.tca import CostAnalysis

__all__ = ["COST_EVENTS", "Holding", "PositionCosts"]

COST_EVENTS: Final = (
    OrderApproved,
    OrderRefused,
    OrderSubmitted,
    OrderFilled,
    OrderRejected,
    OrderReconciled,
    MissMarked,
)
"""What is listened to."""
COST_STEP: Final = Decimal("0.0001")
"""Costs are kept to this many basis points."""


class Holding(msgspec.Struct, kw_only=True):
    """An engine's turn in a symbol: from the intent that found it free until it is free again."""

    symbol: str
    opening: str
    """Intent id."""
    candidate: bool
    counts: bool
    """The hash decided, so that it can be compared."""
    step: int = 0
    share: Decimal = Decimal(0)
    intents: dict[str, bool] = msgspec.field(default_factory=dict)
    """Intent id: its last answer is there."""
    is_opened: bool = False
    """The opening order is done, and was counted."""
    orders: int = 0
    rejects: int = 0

    @property
    def is_settled(self) -> bool:
        """No intent waits for an answer."""
        return all(self.intents.values())


class PositionCosts:
    """The holdings that are under way, one for each symbol."""

    def __init__(self) -> None:
        self.by_symbol: dict[str, Holding] = {}
        self._by_intent: dict[str, Holding] = {}
        self._analysis = CostAnalysis()

    def begin(self, holding: Holding) -> None:
        """An engine's turn begins; that before it is over."""
        before = self.by_symbol.get(holding.symbol)
        if before is not None:
            self.end(before)
        self.by_symbol[holding.symbol] = holding

    def add(self, symbol: str, intent_id: str) -> None:
        """Another intent of the holding in this symbol."""
        holding = self.by_symbol.get(symbol)
        if holding is not None:
            holding.intents.setdefault(intent_id, False)
            self._by_intent[intent_id] = holding

    def end(self, holding: Holding) -> None:
        """Forget it and all that belongs to it."""
        if self.by_symbol.get(holding.symbol) is holding:
            del self.by_symbol[holding.symbol]
        for intent_id in holding.intents:
            self._by_intent.pop(intent_id, None)
        self._analysis.forget(holding.intents)

    def take(self, event: Event) -> Holding | None:
        """One event of the order path; the holding that it belongs to, if any."""
        holding = self._by_intent.get(event.intent_id)
        if holding is None:
            return None
        self._analysis.take(event)
        match event:
            case OrderSubmitted():
                holding.orders += 1
            case OrderRejected():
                holding.rejects += 1
            case OrderRefused():
                holding.intents[event.intent_id] = True
            case OrderReconciled():
                holding.intents[event.intent_id] = event.outcome not in OPEN_OUTCOMES
            case _:
                pass
        return holding

    def cost_bps(self, intent_id: str) -> Decimal | None:
        """All-in cost of an intent; None where nothing was filled and nothing is known to be missed."""
        intent = self._analysis.intents.get(("", intent_id))
        cost = None if intent is None else intent.all_in_bps
        return None if cost is None else cost.quantize(COST_STEP)

    def others_bps(self, holding: Holding) -> tuple[Decimal, ...]:
        """The costs of all but the opening, in the order of the intents."""
        costs: Iterable[Decimal | None] = (
            self.cost_bps(intent) for intent in holding.intents if intent != holding.opening
        )
        return tuple(cost for cost in costs if cost is not None)
