"""How is one attempt made? Place one order and see to its end; no second try, no opinion on price."""

from __future__ import annotations

from gpt_trader.core.values import OrderState, OrderTicket
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.placement.submitter import OrderSubmitter

__all__ = ["LimitOrderExecutor", "MarketOrderExecutor"]


class LimitOrderExecutor:
    """One limit order that may rest."""

    def __init__(self, submitter: OrderSubmitter) -> None:
        self._submitter = submitter

    async def place(self, ticket: OrderTicket) -> ManagedOrder:
        """Send it and return at once with what is known. Raises Refused or StoreError."""
        return await self._submitter.submit(ticket)

    async def withdraw(self, order: ManagedOrder, reason: str) -> None:
        """Ask for its cancel; the proof comes by the stream. Raises ExchangeError when nobody could be asked."""
        await self._submitter.cancel(order, reason)


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
