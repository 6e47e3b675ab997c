"""Which tactic, at what price, how often? Hands an approved order to a placement strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import ApprovedOrder, OrderRequest, OrderType, PlacedOrder, TimeInForce
from gpt_trader.placement.base import ExecutionStrategy

__all__ = ["OrderExecutorHandler"]

MARKET: Final = "market"
POST_ONLY: Final = "post_only_chase"
"""The tactic whose orders are all post-only."""


@dataclass(frozen=True)
class OrderExecutorHandler:
    """`tactics` are those the engine offers; one that is asked for by name and not offered is refused."""

    tactics: Mapping[str, ExecutionStrategy]
    resting: ExecutionStrategy
    """For orders that carry their own price and time in force."""

    def choose(self, approved: ApprovedOrder) -> ExecutionStrategy:
        """A market order goes by its tactic, or by market; an order with its own price as it is asked, unless it
        names a tactic: then its price is the worst that the tactic may pay. Raises Refused."""
        order = approved.order
        if order.order_type is not OrderType.MARKET and not order.tactic:
            return self.resting
        name = order.tactic or MARKET
        tactic = self.tactics.get(name)
        if tactic is None:
            raise Refused(
                Stage.PLACEMENT, Refusal.UNSUPPORTED_TACTIC, tactic=name, offered=", ".join(sorted(self.tactics))
            )
        self._check_worked(order, name)
        return tactic

    @staticmethod
    def _check_worked(order: OrderRequest, tactic: str) -> None:
        """A tactic makes its own orders: what it cannot keep of the request is refused, never dropped."""
        if order.order_type not in (OrderType.MARKET, OrderType.LIMIT):
            raise Refused(Stage.PLACEMENT, Refusal.UNSUPPORTED_TACTIC, tactic=tactic, order_type=order.order_type.value)
        if order.replaces is not None:
            raise Refused(
                Stage.PLACEMENT, Refusal.UNSUPPORTED_TACTIC, tactic=tactic, replaces=order.replaces.client_order_id
            )
        if order.post_only and tactic != POST_ONLY:
            raise Refused(Stage.PLACEMENT, Refusal.UNSUPPORTED_TACTIC, tactic=tactic, post_only="true")
        own = TimeInForce.IOC if order.order_type is OrderType.MARKET else TimeInForce.GTC
        if tactic != MARKET and order.time_in_force is not own:
            raise Refused(
                Stage.PLACEMENT,
                Refusal.UNSUPPORTED_TIF,
                tactic=tactic,
                time_in_force=order.time_in_force.value,
                offered=own.value,
            )

    async def handle(self, approved: ApprovedOrder) -> PlacedOrder:
        """Raises Refused (nothing was sent) or StoreError (nothing may be sent)."""
        return await self.choose(approved).execute(approved)
