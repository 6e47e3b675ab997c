"""What became of the order? The only writer of order state, driven alike by stream, poll, reply and replay.

`apply` turns what a venue says into events; the events change the state. Replaying the log therefore gives the same
state. States are ranked: status and cumulative fill never go back, fills apply in any state, and each
(venue order, trade id) applies once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.events import (
    Event,
    OrderCancelled,
    OrderCancelRequested,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderRejected,
    OrderSightedLate,
    OrderSubmitted,
)
from gpt_trader.core.order_rules import clamp_to_position
from gpt_trader.core.values import TERMINAL, ZERO, OrderState, Purpose, Side
from gpt_trader.exchange.base import FillUpdate, OrderUpdate
from gpt_trader.placement.order_states import NEVER_PLACED, NEWS, RANK, is_late_sighting

__all__ = [
    "CLOSED_ORDERS_MAX",
    "UNSEEN",
    "WATCHED_ORDERS_MAX",
    "WATCH_NS",
    "ManagedOrder",
    "OrderManager",
    "OrdersState",
    "PlannedOrders",
]

CLOSED_ORDERS_MAX: Final = 1000
"""Closed orders kept in memory; all of them are in the store."""

ENDS: Final = (TERMINAL - {OrderState.FILLED}) | {OrderState.UNKNOWN}
"""What an update of an order tells that is neither its being there nor its trades."""

UNSEEN: Final = "unseen"
"""Code of an order that was looked for long enough and not seen: FAILED, and watched."""

WATCH_NS: Final = 24 * 3600 * NS
"""How long an unseen order is kept in memory for a late sighting."""

WATCHED_ORDERS_MAX: Final = 1000
"""Unseen orders that are watched at one time; beyond that the oldest are let go."""


FOREIGN_TRADES_MAX: Final = 10_000
"""Trades of orders that are not ours, kept to know them again."""


class ManagedOrder(msgspec.Struct, kw_only=True):
    """One order and what is known of it. Changed by OrderManager only."""

    submitted: OrderSubmitted
    state: OrderState = OrderState.SUBMITTED
    venue_order_id: str = ""
    filled: Decimal = ZERO
    """Sum of the trades that were applied."""
    value: Decimal = ZERO
    """Sum of price times quantity of those trades."""
    claimed: Decimal = ZERO
    """Largest cumulative quantity the venue has spoken of; trades may still be on their way."""
    reason: str = ""
    cancel_requested: str = ""
    """Why a cancel was last asked for; empty when nobody has."""
    cancel_requested_ns: int = 0
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
        return self.state in TERMINAL and self.filled >= self.claimed


class OrdersState(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of orders, as a snapshot keeps it."""

    orders: tuple[ManagedOrder, ...]
    living: tuple[tuple[str, tuple[str, ...]], ...]
    closed: tuple[str, ...]
    watched: tuple[tuple[str, int], ...]
    by_venue_id: tuple[tuple[str, str], ...]
    foreign_trades: tuple[tuple[str, str], ...]


class PlannedOrders(Protocol):
    """What may still trade and is no order of ours: work that is approved and not placed yet, or orders of others."""

    def reserved(self, symbol: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Entry buys, entry sells, closing buys, closing sells. Base units."""
        ...

    def symbols(self) -> tuple[str, ...]: ...

    def slot_busy(self, strategy: str, symbol: str, purpose: Purpose) -> str: ...


class OrderManager:
    """Keeps every order of the run from its durable intent to its last fill."""

    def __init__(self, bus: EventBus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._orders: dict[str, ManagedOrder] = {}
        self._living: dict[str, dict[str, ManagedOrder]] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._watched: OrderedDict[str, int] = OrderedDict()
        """Unseen orders and when their watch ends."""
        self._by_venue_id: dict[str, str] = {}
        self._listeners: dict[str, list[Callable[[ManagedOrder], None]]] = {}
        self.on_foreign: Callable[[OrderUpdate], None] | None = None
        """Told of every update of an order that is not in the log."""
        self._foreign_trades: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._planned: tuple[PlannedOrders, ...] = ()
        bus.subscribe(OrderSubmitted, "order manager", self.on_event)
        bus.subscribe(OrderCancelRequested, "order manager", self.on_event)

    def count_in(self, planned: PlannedOrders) -> None:
        """Count its work as open from now on, in exposure and in slots."""
        self._planned += (planned,)

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
        """Symbols with a living order, or with one that is planned."""
        living = tuple(symbol for symbol, orders in self._living.items() if orders)
        planned = tuple(symbol for each in self._planned for symbol in each.symbols())
        return tuple(dict.fromkeys((*living, *planned))) if planned else living

    def open_quantities(self, symbol: str, but: str = "") -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """What living orders other than `but` and planned ones may still fill: entry buys, entry sells, closing buys,
        closing sells. Base units."""
        entry_buy = entry_sell = closing_buy = closing_sell = ZERO
        orders = self._living.get(symbol)
        if orders:
            for name, order in orders.items():
                if name == but:
                    continue
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
        for each in self._planned:
            if each.symbols():
                planned = each.reserved(symbol)
                entry_buy, entry_sell = entry_buy + planned[0], entry_sell + planned[1]
                closing_buy, closing_sell = closing_buy + planned[2], closing_sell + planned[3]
        return entry_buy, entry_sell, closing_buy, closing_sell

    def closable(self, side: Side, symbol: str, position: Decimal, but: str = "") -> Decimal:
        """What an order of `side` may still close of a signed position: less what living orders other than `but` are
        closing already. Base units."""
        closing = sum(
            (
                order.may_still_fill
                for order in self._living.get(symbol, {}).values()
                if order.submitted.reduce_only
                and order.submitted.side is side
                and order.submitted.client_order_id != but
            ),
            start=ZERO,
        )
        return clamp_to_position(side, abs(position), position, closing)

    def slot_busy(self, strategy: str, symbol: str, purpose: Purpose) -> str:
        """Client id of a living order in the slot, or the intent that is being worked in it; empty when it is free."""
        for order in self._living.get(symbol, {}).values():
            if order.submitted.strategy == strategy and order.submitted.purpose is purpose:
                return order.client_order_id
        return next((busy for each in self._planned if (busy := each.slot_busy(strategy, symbol, purpose))), "")

    @property
    def kept(self) -> int:
        """Orders in memory."""
        return len(self._orders)

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
            if self.on_foreign is not None:
                self.on_foreign(update)
            return
        if update.state is order.state and order.state in TERMINAL:
            if update.filled <= order.claimed:
                return  # ended as known, and no trades that we have not seen
        elif (order.state, update.state) not in NEWS:
            return
        if order.state in NEVER_PLACED and is_late_sighting(order.state, update.state):
            self._alarm(order)
        if (
            update.venue_order_id
            and not order.venue_order_id
            and RANK[update.state] >= RANK[OrderState.ACTIVE]
            and update.state not in NEVER_PLACED
        ):
            self._say_placed(order, update.venue_order_id)
        event = self._end_event(order, update)
        if event is not None:
            self._publish(event)

    def _say_placed(self, order: ManagedOrder, venue_order_id: str) -> None:
        self._publish(
            OrderPlaced(
                at_ns=self._clock.now_ns(),
                intent_id=order.submitted.intent_id,
                client_order_id=order.client_order_id,
                venue_order_id=venue_order_id,
            )
        )

    def _end_event(self, order: ManagedOrder, update: OrderUpdate) -> Event | None:
        if update.state not in ENDS:
            return None  # ACTIVE is told by OrderPlaced, fills by their own trades
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
            case _:  # UNKNOWN
                return OrderOutcomeUnknown(at_ns=now_ns, intent_id=intent, client_order_id=name, message=update.reason)

    def _alarm(self, order: ManagedOrder) -> None:
        """It counted as never placed, and here it is."""
        now_ns = self._clock.now_ns()
        self._publish(
            OrderSightedLate(
                at_ns=now_ns,
                intent_id=order.submitted.intent_id,
                client_order_id=order.client_order_id,
                symbol=order.submitted.symbol,
                believed=order.state,
                after_seconds=(now_ns - order.submitted.at_ns) // NS,
            )
        )

    def _apply_fill(self, update: FillUpdate) -> None:
        order = self._orders.get(update.client_order_id) or self.find_by_venue_id(update.venue_order_id)
        if order is not None and update.trade_id in order.trades:
            return
        if order is None and (update.venue_order_id, update.trade_id) in self._foreign_trades:
            return
        if order is not None and order.state in NEVER_PLACED:
            self._alarm(order)
        if order is not None and update.venue_order_id and not order.venue_order_id:
            self._say_placed(order, update.venue_order_id)  # the trade outran the acknowledgement
        submitted = order.submitted if order is not None else None
        cumulative = update.quantity + (order.filled if order is not None else ZERO)
        if order is None or cumulative >= order.submitted.quantity:
            state = OrderState.FILLED
        elif order.state in TERMINAL and order.state not in NEVER_PLACED:
            state = order.state
        else:
            state = OrderState.PARTIALLY_FILLED
        self._publish(
            OrderFilled(
                at_ns=self._clock.now_ns(),
                intent_id=submitted.intent_id if submitted is not None else "",
                client_order_id=submitted.client_order_id if submitted is not None else update.client_order_id,
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
                cause="FOREIGN" if order is None and update.cause == "OWN" else update.cause,
                trade_ns=update.trade_ns,
                arrival_mid=submitted.arrival_mid if submitted is not None else ZERO,
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
            if isinstance(event, OrderFilled):
                self._remember_foreign(event)
            return
        match event:
            case OrderPlaced():
                order.venue_order_id = event.venue_order_id
                self._by_venue_id[event.venue_order_id] = event.client_order_id
                if order.state in NEVER_PLACED or RANK[order.state] < RANK[OrderState.ACTIVE]:
                    self._reopen(order)
                    order.state = OrderState.ACTIVE
            case OrderFilled():
                order.trades.add(event.trade_id)
                order.filled = event.cumulative
                order.claimed = max(order.claimed, event.cumulative)
                order.value += event.price * event.quantity
                self._reopen(order)
                order.state = event.state
            case OrderCancelled() | OrderExpired():
                order.claimed = max(order.claimed, event.filled)
                self._reopen(order)  # a later word may claim trades that are still on their way
                order.state = OrderState.CANCELLED if isinstance(event, OrderCancelled) else OrderState.EXPIRED
            case OrderRejected() | OrderFailed():
                order.state = OrderState.REJECTED if isinstance(event, OrderRejected) else OrderState.FAILED
                order.reason = event.code
            case OrderOutcomeUnknown():
                order.state = OrderState.UNKNOWN
                order.reason = event.message
            case OrderCancelRequested():
                order.cancel_requested = event.reason
                order.cancel_requested_ns = event.at_ns
                return
            case _:
                return
        if order.state in TERMINAL:
            self._close_if_settled(order, event.at_ns)
        listeners = self._listeners.get(event.client_order_id)
        if listeners:
            for listener in tuple(listeners):
                listener(order)

    def _remember_foreign(self, event: OrderFilled) -> None:
        """A trade of an order that is not (or no longer) known; each counts once."""
        self._foreign_trades[event.venue_order_id, event.trade_id] = None
        if len(self._foreign_trades) > FOREIGN_TRADES_MAX:
            self._foreign_trades.popitem(last=False)

    def _open(self, event: OrderSubmitted) -> None:
        order = ManagedOrder(submitted=event)
        self._orders[event.client_order_id] = order
        self._living.setdefault(event.symbol, {})[event.client_order_id] = order

    def _reopen(self, order: ManagedOrder) -> None:
        name = order.submitted.client_order_id
        if name in self._closed or name in self._watched:
            self._closed.pop(name, None)
            self._watched.pop(name, None)
            self._living.setdefault(order.submitted.symbol, {})[name] = order

    def _close_if_settled(self, order: ManagedOrder, now_ns: int) -> None:
        """`order` is at an end; with every trade that the venue spoke of it is closed. The time is that of the event,
        so that a replay closes as was closed."""
        if order.filled < order.claimed:
            return
        name = order.submitted.client_order_id
        if name in self._closed or name in self._watched:
            return
        self._living.get(order.submitted.symbol, {}).pop(name, None)
        if order.state is OrderState.FAILED and order.reason == UNSEEN:
            self._watched[name] = now_ns + WATCH_NS
        else:
            self._closed[name] = None
        if self._watched:
            self._end_watches(now_ns)
        while len(self._closed) > CLOSED_ORDERS_MAX:
            forgotten, _ = self._closed.popitem(last=False)
            gone = self._orders.pop(forgotten)
            self._by_venue_id.pop(gone.venue_order_id, None)

    def _end_watches(self, now_ns: int) -> None:
        """What was watched long enough is closed like any other order."""
        while self._watched:
            name, until_ns = next(iter(self._watched.items()))
            if until_ns > now_ns and len(self._watched) <= WATCHED_ORDERS_MAX:
                return
            del self._watched[name]
            self._closed[name] = None

    def state(self) -> OrdersState:
        """For a snapshot."""
        return OrdersState(
            orders=tuple(self._orders.values()),
            living=tuple((symbol, tuple(orders)) for symbol, orders in self._living.items()),
            closed=tuple(self._closed),
            watched=tuple(self._watched.items()),
            by_venue_id=tuple(self._by_venue_id.items()),
            foreign_trades=tuple(self._foreign_trades),
        )

    def load(self, state: OrdersState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._orders = {order.client_order_id: order for order in state.orders}
        self._living = {symbol: {name: self._orders[name] for name in names} for symbol, names in state.living}
        self._closed = OrderedDict.fromkeys(state.closed)
        self._watched = OrderedDict(state.watched)
        self._by_venue_id = dict(state.by_venue_id)
        self._foreign_trades = OrderedDict.fromkeys(state.foreign_trades)

    def watched(self) -> tuple[str, ...]:
        """Client ids of unseen orders that would still be known again."""
        return tuple(self._watched)
