"""What became of the order? The only writer of order state, driven alike by stream, poll, reply and replay.

`apply` turns what a venue says into events; the events change the state. Replaying the log therefore gives the same
state. States are ranked: status and cumulative fill never go back, fills apply in any state, and each
(venue order, trade id) applies once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.events import (
    Event,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderRejected,
    OrderSubmitted,
)
from gpt_trader.core.values import ZERO, OrderState, Purpose, Side
from gpt_trader.exchange.base import FillUpdate, OrderUpdate

__all__ = ["CLOSED_ORDERS_MAX", "RANK", "ManagedOrder", "OrderManager"]

CLOSED_ORDERS_MAX: Final = 1000
"""Closed orders kept in memory; all of them are in the store."""

RANK: Final = {
    OrderState.PENDING: 0,
    OrderState.SUBMITTED: 1,
    OrderState.UNKNOWN: 1,
    OrderState.ACTIVE: 2,
    OrderState.PARTIALLY_FILLED: 3,
    OrderState.EXPIRED: 4,
    OrderState.CANCELLED: 4,
    OrderState.REJECTED: 4,
    OrderState.FAILED: 4,
    OrderState.FILLED: 5,
}
"""A state is left only for one of higher rank; SUBMITTED and UNKNOWN may change places until there is proof."""

NEVER_PLACED: Final = frozenset({OrderState.REJECTED, OrderState.FAILED})


class ManagedOrder(msgspec.Struct, kw_only=True):
    """One order and what is known of it. Changed by OrderManager only."""

    submitted: OrderSubmitted
    state: OrderState = OrderState.SUBMITTED
    venue_order_id: str = ""
    filled: Decimal = ZERO
    """Sum of the trades that were applied."""
    value: Decimal = ZERO
    """Sum of price times quantity of those trades."""
    fees: Decimal = ZERO
    claimed: Decimal = ZERO
    """Largest cumulative quantity the venue has spoken of; trades may still be on their way."""
    reason: str = ""
    trades: set[str] = msgspec.field(default_factory=set)

    @property
    def client_order_id(self) -> str:
        return self.submitted.client_order_id

    @property
    def average_price(self) -> Decimal | None:
        return self.value / self.filled if self.filled else None

    @property
    def may_still_fill(self) -> Decimal:
        """Quantity that counts as exposure: all that is open, and what the venue claims beyond the trades seen."""
        if self.state.is_terminal:
            return max(ZERO, self.claimed - self.filled)
        return self.submitted.quantity - self.filled

    @property
    def is_settled(self) -> bool:
        """At its end, with every trade the venue spoke of."""
        return self.state.is_terminal and self.filled >= self.claimed


class OrderManager:
    """Keeps every order of the run from its durable intent to its last fill."""

    def __init__(self, bus: EventBus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._orders: dict[str, ManagedOrder] = {}
        self._living: dict[str, dict[str, ManagedOrder]] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._by_venue_id: dict[str, str] = {}
        self._listeners: dict[str, list[Callable[[ManagedOrder], None]]] = {}
        self.foreign: set[str] = set()
        """Client ids of orders on the account that are not ours."""
        bus.subscribe(OrderSubmitted, "order manager", self.on_event)

    # --- questions ------------------------------------------------------------------------------------------------
    def find(self, client_order_id: str) -> ManagedOrder | None:
        return self._orders.get(client_order_id)

    def find_by_venue_id(self, venue_order_id: str) -> ManagedOrder | None:
        return self._orders.get(self._by_venue_id.get(venue_order_id, ""))

    def living(self, symbol: str | None = None) -> Iterator[ManagedOrder]:
        """Orders that may still fill, in the order of their submission."""
        if symbol is not None:
            yield from tuple(self._living.get(symbol, {}).values())
            return
        for orders in tuple(self._living.values()):
            yield from tuple(orders.values())

    def symbols(self) -> tuple[str, ...]:
        """Symbols with a living order."""
        return tuple(symbol for symbol, orders in self._living.items() if orders)

    def open_quantities(self, symbol: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """What living orders may still fill: entry buys, entry sells, closing buys, closing sells. Base units."""
        entry_buy = entry_sell = closing_buy = closing_sell = ZERO
        orders = self._living.get(symbol)
        if orders:
            for order in orders.values():
                quantity = order.may_still_fill
                if order.submitted.side is Side.BUY:
                    if order.submitted.reduce_only:
                        closing_buy += quantity
                    else:
                        entry_buy += quantity
                elif order.submitted.reduce_only:
                    closing_sell += quantity
                else:
                    entry_sell += quantity
        return entry_buy, entry_sell, closing_buy, closing_sell

    def slot_busy(self, strategy: str, symbol: str, purpose: Purpose) -> str:
        """Client id of a living order in the slot; empty when it is free."""
        for order in self._living.get(symbol, {}).values():
            if order.submitted.strategy == strategy and order.submitted.purpose is purpose:
                return order.client_order_id
        return ""

    def statistics(self) -> dict[str, int]:
        """Orders in memory by state."""
        counts: dict[str, int] = {}
        for order in self._orders.values():
            counts[order.state.value] = counts.get(order.state.value, 0) + 1
        return counts

    def on_change(self, client_order_id: str, listener: Callable[[ManagedOrder], None]) -> Callable[[], None]:
        """Call `listener` after each change of the order; returns how to stop that."""
        self._listeners.setdefault(client_order_id, []).append(listener)

        def forget() -> None:
            remaining = self._listeners.get(client_order_id, [])
            if listener in remaining:
                remaining.remove(listener)
            if not remaining:
                self._listeners.pop(client_order_id, None)

        return forget

    # --- what the venue says --------------------------------------------------------------------------------------
    def apply(self, update: OrderUpdate | FillUpdate) -> None:
        """Take what a venue (or the way to it) says of an order; publishes what follows from it."""
        if isinstance(update, FillUpdate):
            self._apply_fill(update)
        else:
            self._apply_update(update)

    def _apply_update(self, update: OrderUpdate) -> None:
        order = self._orders.get(update.client_order_id) or self.find_by_venue_id(update.venue_order_id)
        if order is None:
            self.foreign.add(update.client_order_id or update.venue_order_id)
            return
        if not self._goes_forward(order, update):
            return
        if (
            update.venue_order_id
            and not order.venue_order_id
            and RANK[update.state] >= RANK[OrderState.ACTIVE]
            and update.state not in NEVER_PLACED
        ):
            self._publish(
                OrderPlaced(
                    at_ns=self._clock.now_ns(),
                    intent_id=order.submitted.intent_id,
                    client_order_id=order.client_order_id,
                    venue_order_id=update.venue_order_id,
                )
            )
        event = self._end_event(order, update)
        if event is not None:
            self._publish(event)

    def _end_event(self, order: ManagedOrder, update: OrderUpdate) -> Event | None:
        now_ns, intent, name = self._clock.now_ns(), order.submitted.intent_id, order.client_order_id
        venue_order_id = update.venue_order_id or order.venue_order_id
        match update.state:
            case OrderState.CANCELLED:
                return OrderCancelled(
                    at_ns=now_ns,
                    intent_id=intent,
                    client_order_id=name,
                    venue_order_id=venue_order_id,
                    filled=update.filled,
                    reason=update.reason,
                )
            case OrderState.EXPIRED:
                return OrderExpired(
                    at_ns=now_ns,
                    intent_id=intent,
                    client_order_id=name,
                    venue_order_id=venue_order_id,
                    filled=update.filled,
                )
            case OrderState.REJECTED:
                return OrderRejected(at_ns=now_ns, intent_id=intent, client_order_id=name, code=update.reason)
            case OrderState.FAILED:
                return OrderFailed(at_ns=now_ns, intent_id=intent, client_order_id=name, code=update.reason)
            case OrderState.UNKNOWN:
                return OrderOutcomeUnknown(at_ns=now_ns, intent_id=intent, client_order_id=name, message=update.reason)
            case _:
                return None  # ACTIVE is told by OrderPlaced, fills by their own trades

    @staticmethod
    def _goes_forward(order: ManagedOrder, update: OrderUpdate) -> bool:
        state = update.state
        if order.state in NEVER_PLACED and state not in NEVER_PLACED and state is not OrderState.UNKNOWN:
            return True  # a late sighting: it was placed after all
        if state is OrderState.UNKNOWN:
            return order.state is OrderState.SUBMITTED
        if state is order.state and state.is_terminal:
            return update.filled > order.claimed  # ended as known, but with trades we have not seen
        return RANK[state] > RANK[order.state]

    def _apply_fill(self, update: FillUpdate) -> None:
        order = self._orders.get(update.client_order_id) or self.find_by_venue_id(update.venue_order_id)
        if order is not None and update.trade_id in order.trades:
            return
        cumulative = update.quantity + (order.filled if order else ZERO)
        if order is None or cumulative >= order.submitted.quantity:
            state = OrderState.FILLED
        elif order.state.is_terminal and order.state not in NEVER_PLACED:
            state = order.state
        else:
            state = OrderState.PARTIALLY_FILLED
        self._publish(
            OrderFilled(
                at_ns=self._clock.now_ns(),
                intent_id=order.submitted.intent_id if order else "",
                client_order_id=order.client_order_id if order else update.client_order_id,
                venue_order_id=update.venue_order_id,
                trade_id=update.trade_id,
                symbol=update.symbol,
                side=update.side,
                quantity=update.quantity,
                price=update.price,
                fee=update.fee,
                liquidity=update.liquidity,
                cumulative=cumulative,
                state=state,
                cause=update.cause if order is None or update.cause != "OWN" else "OWN",
                trade_ns=update.trade_ns,
                arrival_mid=order.submitted.arrival_mid if order else ZERO,
            )
        )

    def _publish(self, event: Event) -> None:
        """State first, then the listeners on the bus, who may ask us; the journal has it before either."""
        self._bus.publish(event, first=self.on_event)

    # --- how events change the state ------------------------------------------------------------------------------
    def on_event(self, event: Event) -> None:
        """Change state by one event, live or replayed; events of other kinds are ignored."""
        if isinstance(event, OrderSubmitted):
            self._open(event)
            return
        order = self._orders.get(event.client_order_id)
        if order is None:
            return
        match event:
            case OrderPlaced():
                order.venue_order_id = event.venue_order_id
                self._by_venue_id[event.venue_order_id] = order.client_order_id
                if order.state in NEVER_PLACED or RANK[order.state] < RANK[OrderState.ACTIVE]:
                    self._reopen(order)
                    order.state = OrderState.ACTIVE
            case OrderFilled():
                order.trades.add(event.trade_id)
                order.filled = event.cumulative
                order.claimed = max(order.claimed, event.cumulative)
                order.value += event.price * event.quantity
                order.fees += event.fee
                self._reopen(order)
                order.state = event.state
            case OrderCancelled() | OrderExpired():
                order.claimed = max(order.claimed, event.filled)
                order.state = OrderState.CANCELLED if isinstance(event, OrderCancelled) else OrderState.EXPIRED
            case OrderRejected() | OrderFailed():
                order.state = OrderState.REJECTED if isinstance(event, OrderRejected) else OrderState.FAILED
                order.reason = event.code
            case OrderOutcomeUnknown():
                order.state = OrderState.UNKNOWN
                order.reason = event.message
            case _:
                return
        self._close_if_settled(order)
        for listener in tuple(self._listeners.get(order.client_order_id, ())):
            listener(order)

    def _open(self, event: OrderSubmitted) -> None:
        order = ManagedOrder(submitted=event)
        self._orders[event.client_order_id] = order
        self._living.setdefault(event.symbol, {})[event.client_order_id] = order

    def _reopen(self, order: ManagedOrder) -> None:
        name = order.client_order_id
        if name in self._closed:
            del self._closed[name]
            self._living.setdefault(order.submitted.symbol, {})[name] = order

    def _close_if_settled(self, order: ManagedOrder) -> None:
        name = order.client_order_id
        if not order.is_settled or name in self._closed:
            return
        self._living.get(order.submitted.symbol, {}).pop(name, None)
        self._closed[name] = None
        while len(self._closed) > CLOSED_ORDERS_MAX:
            forgotten, _ = self._closed.popitem(last=False)
            gone = self._orders.pop(forgotten)
            self._by_venue_id.pop(gone.venue_order_id, None)
