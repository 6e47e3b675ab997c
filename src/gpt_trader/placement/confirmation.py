"""Did it happen? Waits for the end of an order: the stream first, then by asking."""

from __future__ import annotations

import asyncio

from gpt_trader.core.clock import NS, Clock, until
from gpt_trader.core.errors import ExchangeError
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.placement.order_manager import ManagedOrder, OrderManager

__all__ = ["OrderConfirmationWaiter"]


class OrderConfirmationWaiter:
    """Shared by all tactics. The account stream wakes it; while that is silent, the venue is asked."""

    def __init__(self, orders: OrderManager, adapter: ExchangeAdapter, clock: Clock, *, poll_seconds: float) -> None:
        self._orders = orders
        self._adapter = adapter
        self._clock = clock
        self._poll_seconds = poll_seconds

    async def until_settled(self, order: ManagedOrder, timeout_seconds: float) -> bool:
        """True once the order is at its end with every trade that the venue spoke of; False after the timeout."""
        deadline_ns = self._clock.now_ns() + round(timeout_seconds * NS)
        while not order.is_settled:
            left_seconds = (deadline_ns - self._clock.now_ns()) / NS
            if left_seconds <= 0:
                return False
            if not await self._changed(order, min(left_seconds, self._poll_seconds)):
                await self._ask(order)
        return True

    async def _changed(self, order: ManagedOrder, seconds: float) -> bool:
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def look(changed: ManagedOrder) -> None:
            if changed.is_settled and not settled.done():
                settled.set_result(None)

        forget = self._orders.on_change(order.client_order_id, look)
        try:
            return await until(settled, seconds)
        finally:
            forget()

    async def _ask(self, order: ManagedOrder) -> None:
        if not order.venue_order_id and not self._adapter.capabilities.lookup_by_client_id:
            return
        try:
            self._orders.apply(await self._adapter.order(order.client_order_id, order.venue_order_id))
        except ExchangeError:
            return  # absence of an answer is not an answer
