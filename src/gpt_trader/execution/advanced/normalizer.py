"""What exactly is meant? Puts prices on the tick and the quantity on the lot grid, always towards the safe side."""

from __future__ import annotations

import msgspec

from gpt_trader.core.errors import Number
from gpt_trader.core.order_rules import floor_to_lot, round_price, round_stop_price
from gpt_trader.core.values import OrderRequest, ProductSpec

__all__ = ["OrderRequestNormalizer"]


class OrderRequestNormalizer:
    """Pure: the same request and product give the same order. Ids follow from the intent, so they are not made here."""

    def normalize(self, order: OrderRequest, product: ProductSpec) -> tuple[OrderRequest, dict[str, Number]]:
        """The request on the product's grid, and what was changed. A quantity that floors to zero stays as asked:
        the quantity rule names it on the final size."""
        quantity = floor_to_lot(order.quantity, product.lot) or order.quantity
        limit, stop = order.limit_price, order.stop_price
        if limit is not None:
            limit = round_price(limit, product.tick, order.side)
        if stop is not None:
            stop = round_stop_price(stop, product.tick, order.side)
        pairs = {
            "asked_quantity": (order.quantity, quantity),
            "asked_limit_price": (order.limit_price, limit),
            "asked_stop_price": (order.stop_price, stop),
        }
        changed: dict[str, Number] = {
            name: before for name, (before, after) in pairs.items() if before is not None and before != after
        }
        return msgspec.structs.replace(order, quantity=quantity, limit_price=limit, stop_price=stop), changed
