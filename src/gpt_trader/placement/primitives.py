"""How is one attempt made? Place one order and see it to its end; no second try, no opinion on price."""

from __future__ import annotations

from typing import Final

from gpt_trader.core.values import OrderState, OrderTicket
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.placement.submitter import OrderSubmitter

__all__ = ["LimitOrderExecutor", "MarketOrderExecutor"]

CANCEL_PROOF_SECONDS: Final = 10.0
"""How long a cancel may stay unproven before the caller is told that the order still stands."""


class LimitOrderExecutor:
    """One limit order: rest, wait, cancel what is left."""

    def __init__(self, submitter: OrderSubmitter, waiter: OrderConfirmationWaiter) -> None:
        self._submitter = submitter
        self._waiter = waiter

    async def place(self, ticket: OrderTicket) -> ManagedOrder:
        """Send it and return at once with what is known."""
        return await self._submitter.submit(ticket)

    async def see_through(self, order: ManagedOrder, timeout_seconds: float) -> ManagedOrder:
        """Wait for its end, and cancel it when the time is over. Returns with the order settled, or still living
        when the cancel could not be proven."""
        if await self._waiter.until_settled(order, timeout_seconds):
            return order
        await self._submitter.cancel(order, "timeout")
        await self._waiter.until_settled(order, CANCEL_PROOF_SECONDS)
        return order


class MarketOrderExecutor:
    """One immediate order: it fills or expires within moments."""

    def __init__(self, submitter: OrderSubmitter, waiter: OrderConfirmationWaiter, verify_seconds: float) -> None:
        self._submitter = submitter
        self._waiter = waiter
        self._verify_seconds = verify_seconds

    async def execute(self, ticket: OrderTicket) -> ManagedOrder:
        """Send it and wait until what became of it is proven, at most `verify_seconds`."""
        order = await self._submitter.submit(ticket)
        if order.state is not OrderState.UNKNOWN:
            await self._waiter.until_settled(order, self._verify_seconds)
        return order
