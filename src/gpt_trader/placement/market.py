"""Get it done now, but not at any price: an immediate order within a collar, then a short rest for what is left."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.values import ApprovedOrder, OrderType, PlacedOrder, Purpose, Side, TimeInForce
from gpt_trader.placement.base import placed
from gpt_trader.placement.pricer import worst_price
from gpt_trader.placement.simple_limit import SimpleLimitExecutionStrategy
from gpt_trader.placement.tickets import collar_price, make_ticket
from gpt_trader.placement.working import Takes

__all__ = ["MarketExecutionStrategy"]


class MarketExecutionStrategy:
    """A limit IOC at the collar takes all liquidity up to the worst price we accept; what the collar left over
    rests at that price for the time of a simple limit. A plain market order would pay whatever the book has become
    while it travelled."""

    name: Final = "market"

    def __init__(
        self,
        *,
        takes: Takes,
        takes_seconds: float,
        fallback: SimpleLimitExecutionStrategy,
        run_tag: str,
        entry_collar_bps: Decimal,
        exit_collar_bps: Decimal,
    ) -> None:
        self._takes = takes
        self._takes_seconds = takes_seconds
        self._fallback = fallback
        self._run_tag = run_tag
        self._collars_bps = {Purpose.ENTRY: entry_collar_bps, Purpose.EXIT: exit_collar_bps}

    @property
    def seconds_max(self) -> float:
        return self._takes_seconds + self._fallback.seconds_max

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        limit_price = self._price(approved)
        whole = approved.order.time_in_force is TimeInForce.FOK
        ticket = make_ticket(
            approved,
            self._run_tag,
            tactic=self.name,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.FOK if whole else TimeInForce.IOC,
            limit_price=limit_price,
        )
        managed = await self._takes.execute(ticket)
        left = ticket.quantity - managed.filled
        if whole or not managed.is_settled or not managed.venue_order_id or left <= 0:
            return placed(approved, (managed,))  # unknown, refused by the venue, or done
        rest = await self._fallback.work(approved, limit_price, quantity=left, leg="fallback")
        filled = managed.filled + rest.filled
        value = managed.value + (rest.average_price or Decimal(0)) * rest.filled
        return PlacedOrder(
            approved=approved,
            client_order_ids=(managed.client_order_id, *rest.client_order_ids),
            state=rest.state,
            filled=filled,
            average_price=value / filled if filled else None,
            working=rest.working,
        )

    def _price(self, approved: ApprovedOrder) -> Decimal:
        """The collar, or what the request itself allows when that is nearer."""
        order = approved.order
        collar = collar_price(approved, self._collars_bps[order.purpose])
        worst = worst_price(order, approved.snapshot.product)
        if worst is None:
            return collar
        return min(collar, worst) if order.side is Side.BUY else max(collar, worst)
