"""Can this venue do that? The time-in-force and capability policy: refused by name, never downgraded."""

from __future__ import annotations

from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import OrderRequest, OrderType
from gpt_trader.exchange.base import Capabilities

__all__ = ["BrokerAdapter"]


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
        market = order.order_type is OrderType.MARKET
        offered = can.market_times_in_force if market else can.limit_times_in_force
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
