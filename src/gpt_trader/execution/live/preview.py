"""What does the venue itself think of the order? Its preview, asked with a limit of time."""

from __future__ import annotations

import asyncio

from gpt_trader.core.clock import until
from gpt_trader.core.errors import ExchangeError
from gpt_trader.core.order_rules import floor_to_lot
from gpt_trader.core.values import OrderRequest, OrderTicket
from gpt_trader.exchange.base import ExchangeAdapter, OrderPreview

__all__ = ["VenuePreview"]


class VenuePreview:
    """Furniture of LiveExecutionEngine where ORDER_PREVIEW_ENABLED; the only question an engine asks a venue."""

    def __init__(self, adapter: ExchangeAdapter, timeout_seconds: float) -> None:
        self._adapter = adapter
        self.timeout_seconds = timeout_seconds

    async def ask(self, order: OrderRequest) -> OrderPreview | None:
        """None when it does not answer in time, or not at all."""
        prepared = self._adapter.prepare(self._ticket(order))
        question = asyncio.ensure_future(self._adapter.preview(prepared))
        try:
            if not await until(question, self.timeout_seconds):
                return None
            return question.result()
        except ExchangeError:
            return None
        finally:
            question.cancel()

    def _ticket(self, order: OrderRequest) -> OrderTicket:
        """Never sent: it carries no client order id of ours."""
        product = self._adapter.products()[order.symbol]
        return OrderTicket(
            client_order_id="preview",
            intent_id=order.intent_id,
            symbol=order.symbol,
            side=order.side,
            quantity=max(product.lot, floor_to_lot(order.quantity, product.lot)),
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            reduce_only=order.reduce_only,
            purpose=order.purpose,
            valid_until_ns=order.valid_until_ns,
        )
