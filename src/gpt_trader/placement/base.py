"""Which tactic brings the order in? The protocol of placement strategies, and what they share."""

from __future__ import annotations

from typing import Protocol

from gpt_trader.core.values import ZERO, ApprovedOrder, OrderState, PlacedOrder
from gpt_trader.placement.working import Attempt

__all__ = ["ExecutionStrategy", "placed"]


class ExecutionStrategy(Protocol):
    """When, at what price, how often. Returns when the order is at its end, rests, or the tactic has started."""

    @property
    def name(self) -> str: ...

    @property
    def seconds_max(self) -> float:
        """How long it may work on one order, with its closing steps; inf where the order alone says when it ends."""
        ...

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        """Raises Refused when nothing was sent, StoreError when nothing may be sent."""
        ...


def placed(approved: ApprovedOrder, orders: tuple[Attempt, ...], *, working: bool = False) -> PlacedOrder:
    """What is known of the intent's orders now."""
    filled = sum((order.filled for order in orders), start=ZERO)
    value = sum((order.value for order in orders), start=ZERO)
    return PlacedOrder(
        approved=approved,
        client_order_ids=tuple(order.client_order_id for order in orders),
        state=orders[-1].state if orders else OrderState.PENDING,
        filled=filled,
        average_price=value / filled if filled else None,
        working=working,
    )
