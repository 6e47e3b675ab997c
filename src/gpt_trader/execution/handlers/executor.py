"""Which tactic, at what price, how often? Hands an approved order to a placement strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import ApprovedOrder, OrderType, PlacedOrder
from gpt_trader.placement.base import ExecutionStrategy

__all__ = ["OrderExecutorHandler"]


@dataclass(frozen=True)
class OrderExecutorHandler:
    """`tactics` are those the engine offers; one that is asked for by name and not offered is refused."""

    tactics: Mapping[str, ExecutionStrategy]
    resting: ExecutionStrategy
    """For orders that carry their own price and time in force."""

    def choose(self, approved: ApprovedOrder) -> ExecutionStrategy:
        order = approved.order
        if order.order_type is not OrderType.MARKET:
            return self.resting
        name = order.tactic or "market"
        tactic = self.tactics.get(name)
        if tactic is None:
            raise Refused(
                Stage.PLACEMENT, Refusal.UNSUPPORTED_TACTIC, tactic=name, offered=", ".join(sorted(self.tactics))
            )
        return tactic

    async def handle(self, approved: ApprovedOrder) -> PlacedOrder:
        """Raises Refused (nothing was sent) or StoreError (nothing may be sent)."""
        return await self.choose(approved).execute(approved)
