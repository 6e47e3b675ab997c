"""How is one attempt made? Place one order and see to its end; no second try, no opinion on price."""

from __future__ import annotations

from typing import Final

import msgspec

from gpt_trader.core.errors import ExchangeError, Refusal, Refused, Stage
from gpt_trader.core.order_rules import floor_to_lot
from gpt_trader.core.values import OrderState, OrderTicket, ProductSpec, Replaced
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.order_manager import ManagedOrder, OrderManager
from gpt_trader.placement.submitter import OrderSubmitter

__all__ = ["LimitOrderExecutor", "MarketOrderExecutor"]

TAKE_BACK_SECONDS: Final = 10.0
"""How long the proof may take that a replaced order is gone."""


class LimitOrderExecutor:
    """One limit order that may rest."""

    def __init__(self, submitter: OrderSubmitter, orders: OrderManager, waiter: OrderConfirmationWaiter) -> None:
        self._submitter = submitter
        self._orders = orders
        self._waiter = waiter

    async def place(self, ticket: OrderTicket) -> ManagedOrder:
        """Send it and return at once with what is known. Raises Refused or StoreError."""
        return await self._submitter.submit(ticket)

    async def withdraw(self, order: ManagedOrder, reason: str) -> None:
        """Ask for its cancel; the proof comes by the stream. Raises ExchangeError when nobody could be asked."""
        await self._submitter.cancel(order, reason)

    async def replace(self, replaced: Replaced, ticket: OrderTicket, product: ProductSpec) -> ManagedOrder:
        """Take the old order back, and place what is left of the new one once that is proven: the two together never
        fill more than was asked for. Raises Refused (nothing new was sent; what speaks against the new order is found
        before the old one is touched) or StoreError."""
        self._submitter.examine(ticket, replaced.client_order_id)
        old = self._orders.find(replaced.client_order_id)
        if old is None:
            raise Refused(Stage.PLACEMENT, Refusal.NOT_TAKEN_BACK, order=replaced.client_order_id, state="not known")
        await self._take_back(old, f"replaced by {ticket.client_order_id}")
        meanwhile = old.filled - replaced.filled
        left = floor_to_lot(ticket.quantity - meanwhile, product.lot)
        if left < product.min_quantity:
            raise Refused(
                Stage.PLACEMENT,
                Refusal.BELOW_MIN_SIZE,
                quantity=left,
                min_quantity=product.min_quantity,
                filled_meanwhile=meanwhile,
            )
        return await self.place(msgspec.structs.replace(ticket, quantity=left))

    async def _take_back(self, old: ManagedOrder, reason: str) -> None:
        """Raises Refused without proof that it is gone."""
        said = ""
        if not old.is_settled:
            try:
                await self.withdraw(old, reason)
            except ExchangeError as error:
                said = str(error)
        if said or not await self._waiter.until_settled(old, TAKE_BACK_SECONDS):
            raise Refused(
                Stage.PLACEMENT,
                Refusal.NOT_TAKEN_BACK,
                order=old.client_order_id,
                state=old.state.value,
                filled=old.filled,
                said=said,
            )


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
