"""How far is each order? The life of an order read from its events, for people and counters.

The owner of order state is placement's OrderManager; its events carry its word, and here they are only read.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.events import (
    Event,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderRejected,
    OrderSubmitted,
)
from gpt_trader.core.values import ZERO, OrderState

__all__ = ["OrderLine", "state_after"]

_STATE_OF: Final[dict[type[Event], OrderState]] = {
    OrderSubmitted: OrderState.SUBMITTED,
    OrderCancelled: OrderState.CANCELLED,
    OrderRejected: OrderState.REJECTED,
    OrderExpired: OrderState.EXPIRED,
    OrderFailed: OrderState.FAILED,
    OrderOutcomeUnknown: OrderState.UNKNOWN,
}
_BEFORE_PLACED: Final = frozenset(
    {OrderState.PENDING, OrderState.SUBMITTED, OrderState.UNKNOWN, OrderState.REJECTED, OrderState.FAILED}
)
"""States that a sighting at the venue ends; REJECTED and FAILED too, when it comes late."""


def state_after(state: OrderState, event: Event) -> OrderState:
    """State of an order once `event` is known; events that say nothing of it leave it as it is."""
    if isinstance(event, OrderFilled):
        return event.state
    if isinstance(event, OrderPlaced):
        return OrderState.ACTIVE if state in _BEFORE_PLACED else state
    return _STATE_OF.get(type(event), state)


class OrderLine(msgspec.Struct, kw_only=True):
    """One order in one line."""

    submitted: OrderSubmitted
    engine: str = ""
    """Engine that approved its intent; empty for what never passed an engine."""
    state: OrderState = OrderState.SUBMITTED
    filled: Decimal = ZERO
    value: Decimal = ZERO
    """Sum of price times quantity of its trades."""
    fees: Decimal = ZERO
    trades: int = 0

    @property
    def average_price(self) -> Decimal | None:
        return self.value / self.filled if self.filled else None

    def apply(self, event: Event) -> None:
        """Take one event of this order."""
        self.state = state_after(self.state, event)
        if isinstance(event, OrderFilled):
            self.filled += event.quantity
            self.value += event.quantity * event.price
            self.fees += event.fee
            self.trades += 1
