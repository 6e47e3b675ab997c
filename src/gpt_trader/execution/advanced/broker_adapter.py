"""Can this venue do that? The time-in-force and capability policy: refused by name, never downgraded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import OrderRequest, OrderType, TimeInForce
from gpt_trader.exchange.base import Capabilities

__all__ = ["TIMES_IN_FORCE", "BrokerAdapter"]

TIMES_IN_FORCE: Final[Mapping[OrderType, frozenset[TimeInForce]]] = {
    OrderType.MARKET: frozenset({TimeInForce.IOC, TimeInForce.FOK}),
    OrderType.LIMIT: frozenset(TimeInForce),
    OrderType.STOP_LIMIT: frozenset({TimeInForce.GTC, TimeInForce.GTD}),
    OrderType.BRACKET: frozenset({TimeInForce.GTC, TimeInForce.GTD}),
}
"""What makes sense at all: nothing rests at market, and what waits for a trigger is never immediate. Of these a venue
offers what it states."""


class BrokerAdapter:
    """Asks what the exchange adapter states of itself; how the order is then said is the adapter's own matter."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities

    def check(self, order: OrderRequest) -> None:
        """Raises Refused with the combination that cannot be done and what could."""
        can = self._capabilities
        if order.order_type not in can.order_types:
            raise Refused(
                Stage.VALIDATION,
                Refusal.UNSUPPORTED_ORDER_TYPE,
                order_type=order.order_type.value,
                offered=", ".join(sorted(can.order_types)),
            )
        offered = self.offered(order.order_type)
        if order.time_in_force not in offered:
            raise Refused(
                Stage.VALIDATION,
                Refusal.UNSUPPORTED_TIF,
                order_type=order.order_type.value,
                time_in_force=order.time_in_force.value,
                offered=", ".join(sorted(offered)),
            )
        if order.post_only and not can.post_only:
            raise Refused(Stage.VALIDATION, Refusal.UNSUPPORTED_ORDER_TYPE, post_only="true")

    def offered(self, order_type: OrderType) -> frozenset[TimeInForce]:
        """Times in force that the venue has for this type of order; none for a type that it does not have."""
        can = self._capabilities
        if order_type not in can.order_types:
            return frozenset()
        stated = can.market_times_in_force if order_type is OrderType.MARKET else can.limit_times_in_force
        return TIMES_IN_FORCE[order_type] & stated
