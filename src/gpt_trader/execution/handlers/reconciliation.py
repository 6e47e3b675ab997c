"""Did it happen as approved? Verifies what should be immediate, compares it with what was approved, judges its cost.

What rests or is being worked is an answer too, and not the last: the last one is told when all of it has ended. The
cost of every intent is judged trade by trade.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.events import (
    Event,
    OrderApproved,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderReconciled,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    SlippageExceeded,
    TacticEnded,
)
from gpt_trader.core.order_rules import BPS, bps_between
from gpt_trader.core.values import (
    OPEN_OUTCOMES,
    ZERO,
    ExecutionReport,
    OrderState,
    OrderType,
    PlacedOrder,
    Side,
    TimeInForce,
)
from gpt_trader.placement.base import placed as placed_now
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.tickets import arrival_mid

__all__ = ["LastAnswers", "OpenAnswer", "ReconciliationHandler", "SlippageWatch", "reconciled"]

IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
WORKING: Final = "WORKING"
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
            return str(OrderState.FILLED)
        if placed.working:
            return WORKING
        if ReconciliationHandler._is_unproven(placed):
            return OrderState.UNKNOWN.value
        if placed.state in (OrderState.SUBMITTED, OrderState.ACTIVE, OrderState.PARTIALLY_FILLED):
            return "RESTING"
        if placed.filled and placed.state.is_terminal:
            return OrderState.PARTIALLY_FILLED.value
        return str(placed.state)

    @staticmethod
    def _slippage_bps(placed: PlacedOrder) -> Decimal | None:
        """Average fill against the arrival mid, in basis points; above zero it cost us."""
        if placed.average_price is None:
            return None
        return _slippage_bps(placed.approved.order.side, placed.average_price, arrival_mid(placed.approved))


def _slippage_bps(side: Side, price: Decimal, arrival: Decimal) -> Decimal:
    return (side.sign * bps_between(price, arrival)).quantize(Decimal("0.0001"))


def reconciled(report: ExecutionReport, at_ns: int) -> OrderReconciled:
    """The answer as a fact."""
    return OrderReconciled(
        at_ns=at_ns,
        intent_id=report.intent_id,
        symbol=report.symbol,
        outcome=report.outcome,
        filled=report.filled,
        average_price=report.average_price,
        slippage_bps=report.slippage_bps,
    )


class OpenAnswer(msgspec.Struct, kw_only=True):
    """An approved intent whose last answer is not told."""

    intent_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order: str = ""
    """Client id of the newest of its orders."""
    arrival: Decimal = ZERO
    """What its cost is measured against, as its orders have it."""
    filled: Decimal = ZERO
    value: Decimal = ZERO
    outcome: str = ""
    """The answer so far; empty while the intent is in the hallway."""


class LastAnswers:
    """Tells the last answer of every intent whose first one was that it rests, is worked, or is not known.

    After a restart `restore` takes stored events back in, and `resume` tells what the boot before could not.
    """

    def __init__(self, bus: EventBus, clock: Clock, orders: OrderManager) -> None:
        self._bus = bus
        self._clock = clock
        self._orders = orders
        self._open: dict[str, OpenAnswer] = {}
        bus.subscribe(OrderApproved, "last answers", self.restore)
        bus.subscribe(OrderSubmitted, "last answers", self.restore)
        bus.subscribe(OrderFilled, "last answers", self.restore)
        bus.subscribe(OrderReconciled, "last answers", self.restore)
        bus.subscribe(OrderRefused, "last answers", self.restore)
        bus.subscribe(OrderFilled, "last answers", self._on_order)
        bus.subscribe(OrderCancelled, "last answers", self._on_order)
        bus.subscribe(OrderExpired, "last answers", self._on_order)
        bus.subscribe(OrderRejected, "last answers", self._on_order)
        bus.subscribe(OrderFailed, "last answers", self._on_order)
        bus.subscribe(TacticEnded, "last answers", self._on_tactic_ended)

    def restore(self, event: Event) -> None:
        """Take in what is known of an intent; nothing is told."""
        if isinstance(event, OrderApproved):
            self._open[event.intent_id] = OpenAnswer(
                intent_id=event.intent_id, symbol=event.symbol, side=event.side, quantity=event.quantity
            )
            return
        known = self._open.get(event.intent_id)
        if known is None:
            return
        match event:
            case OrderSubmitted():
                known.order, known.arrival = event.client_order_id, event.arrival_mid
            case OrderFilled():
                known.filled += event.quantity
                known.value += event.quantity * event.price
            case OrderReconciled() if event.outcome in OPEN_OUTCOMES:
                known.outcome = event.outcome
            case OrderReconciled() | OrderRefused():
                del self._open[event.intent_id]
            case _:
                pass

    def state(self) -> tuple[OpenAnswer, ...]:
        """For a snapshot."""
        return tuple(self._open.values())

    def load(self, state: tuple[OpenAnswer, ...]) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._open = {known.intent_id: known for known in state}

    def resume(self, worked: Collection[str]) -> None:
        """After a restart: `worked` intents go on. Of all others nothing may live any more but what rests."""
        for intent_id, known in tuple(self._open.items()):
            order = self._orders.find(known.order)
            if intent_id in worked:
                known.outcome = WORKING
            elif order is None or order.is_settled:
                self._tell(known, OrderState.FAILED if order is None else order.state)
            else:
                known.outcome = OrderState.UNKNOWN.value

    def _on_tactic_ended(self, event: TacticEnded) -> None:
        known = self._open.get(event.intent_id)
        if known is not None and known.outcome == WORKING:
            self._tell(known, OrderState.CANCELLED)

    def _on_order(self, event: Event) -> None:
        known = self._open.get(event.intent_id)
        if known is None or known.outcome in ("", WORKING):
            return
        order = self._orders.find(known.order)
        if order is not None and order.is_settled:
            self._tell(known, order.state)

    def _tell(self, known: OpenAnswer, end: OrderState) -> None:
        filled = known.filled
        outcome = OrderState.PARTIALLY_FILLED if filled else end
        price = known.value / filled if filled else None
        report = ExecutionReport(
            intent_id=known.intent_id,
            symbol=known.symbol,
            outcome=(OrderState.FILLED if filled >= known.quantity else outcome).value,
            filled=filled,
            average_price=price,
            slippage_bps=None if price is None else _slippage_bps(known.side, price, known.arrival),
        )
        self._bus.publish(reconciled(report, self._clock.now_ns()))


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
