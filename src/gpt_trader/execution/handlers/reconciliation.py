"""Did it happen as approved? Compares what was placed with what was approved, as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.core.order_rules import bps_between
from gpt_trader.core.values import ExecutionReport, OrderState, PlacedOrder
from gpt_trader.placement.tickets import arrival_mid

__all__ = ["ReconciliationHandler"]


@dataclass(frozen=True)
class ReconciliationHandler:
    """RESTING and WORKING are answers: the order manager follows the order from here."""

    def handle(self, placed: PlacedOrder) -> ExecutionReport:
        order = placed.approved.order
        return ExecutionReport(
            intent_id=order.intent_id,
            symbol=order.symbol,
            outcome=self._outcome(placed),
            client_order_ids=placed.client_order_ids,
            quantity=order.quantity,
            filled=placed.filled,
            average_price=placed.average_price,
            slippage_bps=self._slippage_bps(placed),
        )

    @staticmethod
    def _outcome(placed: PlacedOrder) -> str:
        if placed.filled >= placed.approved.order.quantity:
            return OrderState.FILLED.value
        if placed.working:
            return "WORKING"
        if placed.state in (OrderState.SUBMITTED, OrderState.ACTIVE, OrderState.PARTIALLY_FILLED):
            return "RESTING"
        if placed.filled and placed.state.is_terminal:
            return OrderState.PARTIALLY_FILLED.value
        return placed.state.value

    @staticmethod
    def _slippage_bps(placed: PlacedOrder) -> Decimal | None:
        """Average fill against the arrival mid, in basis points; above zero it cost us."""
        if placed.average_price is None:
            return None
        order = placed.approved.order
        return (order.side.sign * bps_between(placed.average_price, arrival_mid(placed.approved))).quantize(
            Decimal("0.0001")
        )
