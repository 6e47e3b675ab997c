"""Did it happen? Waits for the end of an order: the stream first, then by asking."""

from __future__ import annotations

from gpt_trader.core.clock import NS, Clock
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.placement.reconcilers import EventBasedReconciler, OrderReconciler

__all__ = ["OrderConfirmationWaiter"]


class OrderConfirmationWaiter:
    """For orders that end within moments. The account stream wakes it; while that is silent, the venue is asked."""

    def __init__(
        self, stream: EventBasedReconciler, poll: OrderReconciler, clock: Clock, *, poll_seconds: float
    ) -> None:
        self._stream = stream
        self._poll = poll
        self._clock = clock
        self._poll_seconds = poll_seconds

    async def until_settled(self, order: ManagedOrder, timeout_seconds: float) -> bool:
        """True once the order is at its end with every trade that the venue spoke of; False after the timeout."""
        deadline_ns = self._clock.now_ns() + round(timeout_seconds * NS)
        while not order.is_settled:
            left_seconds = (deadline_ns - self._clock.now_ns()) / NS
            if left_seconds <= 0:
                return False
            if not await self._stream.until_settled(order, min(left_seconds, self._poll_seconds)):
                await self._poll.ask(order)
        return True
