"""Did it happen as approved? Verifies what should be immediate, compares it with what was approved, judges its cost.

What rests or is being worked is followed by others from here; the cost of every intent is judged trade by trade.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.events import OrderFilled, SlippageExceeded
from gpt_trader.core.order_rules import BPS, bps_between
from gpt_trader.core.values import ZERO, ExecutionReport, OrderState, OrderType, PlacedOrder, TimeInForce
from gpt_trader.placement.base import placed as placed_now
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.tickets import arrival_mid

__all__ = ["ReconciliationHandler", "SlippageWatch"]

IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
INTENTS_MAX: Final = 1000
"""Intents whose trades are added up; the oldest makes room."""


@dataclass(frozen=True)
class ReconciliationHandler:
    """RESTING and WORKING are answers: the order manager follows the order from here. An immediate order is waited for
    at most `verify_seconds`, polled as often as the waiter does; one that is not proven by then is UNKNOWN."""

    orders: OrderManager
    waiter: OrderConfirmationWaiter
    verify_seconds: float

    async def handle(self, placed: PlacedOrder) -> ExecutionReport:
        if self._is_unproven(placed):
            placed = await self._verified(placed)
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
    def _is_unproven(placed: PlacedOrder) -> bool:
        """Sent to be done at once, and not known to be done."""
        order = placed.approved.order
        immediate = order.order_type is OrderType.MARKET or order.time_in_force in IMMEDIATE
        return immediate and not placed.working and not placed.state.is_terminal

    async def _verified(self, placed: PlacedOrder) -> PlacedOrder:
        found = [self.orders.find(name) for name in placed.client_order_ids]
        orders = tuple(order for order in found if order is not None)
        if not orders or orders[-1].state is OrderState.UNKNOWN:
            return placed  # read until it is settled, however long that takes; nobody waits here for it
        await self.waiter.until_settled(orders[-1], self.verify_seconds)
        return placed_now(placed.approved, orders)

    @staticmethod
    def _outcome(placed: PlacedOrder) -> str:
        if placed.filled >= placed.approved.order.quantity:
            return OrderState.FILLED.value
        if placed.working:
            return "WORKING"
        if ReconciliationHandler._is_unproven(placed):
            return OrderState.UNKNOWN.value
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


class SlippageWatch:
    """Adds up the trades of each intent, whichever tactic made them; one that costs more than `limit_share` of its
    arrival mid is told as SlippageExceeded, once. The guard `slippage` counts these."""

    def __init__(self, bus: EventBus, clock: Clock, limit_share: Decimal) -> None:
        self._bus = bus
        self._clock = clock
        self._limit_bps = limit_share * BPS
        self._intents: OrderedDict[str, tuple[Decimal, Decimal, bool]] = OrderedDict()
        """Quantity, quantity times price, and whether it was told."""
        bus.subscribe(OrderFilled, "slippage watch", self.on_fill)

    def on_fill(self, event: OrderFilled) -> None:
        if not event.arrival_mid or event.cause != "OWN":
            return
        filled, value, told = self._intents.get(event.intent_id, (ZERO, ZERO, False))
        filled, value = filled + event.quantity, value + event.quantity * event.price
        slippage_bps = event.side.sign * bps_between(value / filled, event.arrival_mid)
        exceeded = slippage_bps > self._limit_bps
        self._intents[event.intent_id] = filled, value, told or exceeded
        if len(self._intents) > INTENTS_MAX:
            self._intents.popitem(last=False)
        if exceeded and not told:
            self._bus.publish(
                SlippageExceeded(
                    at_ns=self._clock.now_ns(),
                    intent_id=event.intent_id,
                    client_order_id=event.client_order_id,
                    symbol=event.symbol,
                    side=event.side,
                    filled=filled,
                    average_price=value / filled,
                    arrival_mid=event.arrival_mid,
                    slippage_bps=slippage_bps.quantize(Decimal("0.0001")),
                    limit_bps=self._limit_bps,
                )
            )
