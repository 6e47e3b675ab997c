"""What must hold from one event to the next? Reads the log beside the bot, and trusts none of its counters."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from gpt_trader.bot.invariants.table import Broken
from gpt_trader.core.events import (
    Event,
    FundingApplied,
    GuardCleared,
    GuardTripped,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderRejected,
    OrderSightedLate,
    OrderSubmitted,
    PositionClosed,
    PositionOpened,
    RunStarted,
    StopKept,
    StopReleased,
    TransferObserved,
)
from gpt_trader.core.values import ZERO, Keeper, OrderState
from gpt_trader.placement.order_states import RANK
from gpt_trader.records.schema import EVENT_TYPES, decode, encode

__all__ = ["LogWatch", "LogWatchState", "OrderSeen"]

NEVER_PLACED: Final = (OrderState.REJECTED, OrderState.FAILED)
KEYS_MAX: Final = 65_536
"""Trades, payments and orders that are known again."""


class OrderSeen(msgspec.Struct, kw_only=True):
    """One order, as its events tell it."""

    submitted: OrderSubmitted
    state: OrderState = OrderState.SUBMITTED
    filled: Decimal = ZERO
    told: Decimal = ZERO
    """Largest cumulative quantity that an end spoke of."""
    sighted_late: bool = False
    unknown_since_ns: int = 0

    @property
    def may_still_fill(self) -> Decimal:
        if self.state.is_terminal:
            return max(ZERO, self.told - self.filled)
        return self.submitted.quantity - self.filled


class LogWatchState(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen in the log, as a snapshot keeps it."""

    orders: tuple[OrderSeen, ...]
    living: tuple[str, ...]
    outlived: tuple[OrderSeen, ...]
    """Living ones that are no longer among `orders`."""
    positions: tuple[tuple[str, Decimal], ...]
    stops: tuple[StopKept, ...]
    tripped: tuple[bytes, ...]
    """Each GuardTripped, as it is stored."""
    events: int
    late_trades: int
    newest_trade_ns: tuple[tuple[str, int], ...]
    trades: tuple[tuple[str, ...], ...]
    money: tuple[tuple[str, ...], ...]
    bodies: tuple[tuple[str, ...], ...]
    owed: tuple[tuple[str, tuple[str, ...]], ...]
    """Openings and closings that a fill still owes, by symbol and name of the event."""
    started: bool


class _Window:
    """Keys that were seen, the newest KEYS_MAX of them."""

    def __init__(self, keys: tuple[tuple[str, ...], ...] = ()) -> None:
        self._keys: OrderedDict[tuple[str, ...], None] = OrderedDict.fromkeys(keys)

    def state(self) -> tuple[tuple[str, ...], ...]:
        return tuple(self._keys)

    def holds(self, key: tuple[str, ...]) -> bool:
        """Whether it was there already; it is afterwards."""
        if key in self._keys:
            return True
        self._keys[key] = None
        if len(self._keys) > KEYS_MAX:
            self._keys.popitem(last=False)
        return False


class LogWatch:
    """Take every event once, in order; what is broken is kept in `broken`, the newest last."""

    def __init__(self, orders_max: int | None = 10_000) -> None:
        """Settled orders beyond `orders_max` are forgotten, oldest first; None forgets none."""
        self.broken: list[Broken] = []
        self.orders: dict[str, OrderSeen] = {}
        self.living: dict[str, OrderSeen] = {}
        """Those that may still fill."""
        self.positions: dict[str, Decimal] = {}
        self.stops: dict[tuple[str, str], StopKept] = {}
        """Stops and targets that were kept and not released."""
        self.tripped: dict[tuple[str, str], GuardTripped] = {}
        self.events = 0
        self.late_trades = 0
        """Trades that became known after younger ones of their symbol: average cost then depends on their order."""
        self._newest_trade_ns: dict[str, int] = {}
        self._orders_max = orders_max
        self._trades = _Window()
        self._money = _Window()
        self._bodies = _Window()
        self._facts: dict[str, list[type[Event]]] = {}
        """Openings and closings that a fill still owes, by symbol."""
        self._started = False
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            RunStarted: self._start,
            OrderSubmitted: self._submitted,
            OrderPlaced: self._placed,
            OrderFilled: self._filled,
            OrderCancelled: self._ended,
            OrderExpired: self._ended,
            OrderRejected: self._refused,
            OrderFailed: self._refused,
            OrderOutcomeUnknown: self._unknown,
            OrderSightedLate: self._sighted,
            FundingApplied: self._funded,
            TransferObserved: self._transferred,
            PositionOpened: self._fact,
            PositionClosed: self._fact,
            GuardTripped: self._tripped_one,
            StopKept: self._kept,
            StopReleased: self._released,
            GuardCleared: self._cleared,
        }

    @property
    def handlers(self) -> Mapping[type[Event], Callable[[Any], None]]:
        """What is looked at in events of each type; whoever calls them says so to `looked_at`."""
        return self._handlers

    def looked_at(self, count: int) -> None:
        """So many events were told to their handlers, from a log that had been begun."""
        self.events += count
        self._started |= count > 0
        self.broken.clear()

    def take(self, event: Event) -> None:
        """Look at one event."""
        if not self._started and not isinstance(event, RunStarted):
            self._say(35, f"{type(event).__name__} comes before RunStarted")
            self._started = True
        self.events += 1
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def state(self) -> LogWatchState:
        """For a snapshot."""
        return LogWatchState(
            orders=tuple(self.orders.values()),
            living=tuple(self.living),
            outlived=tuple(order for name, order in self.living.items() if self.orders.get(name) is not order),
            positions=tuple(self.positions.items()),
            stops=tuple(self.stops.values()),
            tripped=tuple(encode(event) for event in self.tripped.values()),
            events=self.events,
            late_trades=self.late_trades,
            newest_trade_ns=tuple(self._newest_trade_ns.items()),
            trades=self._trades.state(),
            money=self._money.state(),
            bodies=self._bodies.state(),
            owed=tuple((symbol, tuple(kind.__name__ for kind in kinds)) for symbol, kinds in self._facts.items()),
            started=self._started,
        )

    def load(self, state: LogWatchState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self.orders = {order.submitted.client_order_id: order for order in state.orders}
        outlived = {order.submitted.client_order_id: order for order in state.outlived}
        self.living = {name: outlived.get(name) or self.orders[name] for name in state.living}
        self.positions = dict(state.positions)
        self.stops = {(event.symbol, event.stop_id): event for event in state.stops}
        for event in map(decode, state.tripped):
            assert isinstance(event, GuardTripped), "only what tripped is kept"
            self.tripped[event.guard, event.symbol] = event
        self.events, self.late_trades = state.events, state.late_trades
        self._newest_trade_ns = dict(state.newest_trade_ns)
        self._trades, self._money, self._bodies = _Window(state.trades), _Window(state.money), _Window(state.bodies)
        self._facts = {symbol: [EVENT_TYPES[name] for name in names] for symbol, names in state.owed}
        self._started = state.started

    def _say(self, number: int, detail: str, symbol: str = "") -> None:
        self.broken.append(Broken(number=number, detail=detail, symbol=symbol))

    # --- the run --------------------------------------------------------------------------------------------------
    def _start(self, event: RunStarted) -> None:
        self._started = True
        if not event.code_version:
            self._say(35, "RunStarted names no code version")

    def _tripped_one(self, event: GuardTripped) -> None:
        self.tripped[event.guard, event.symbol] = event

    def _cleared(self, event: GuardCleared) -> None:
        if self.tripped.pop((event.guard, event.symbol), None) is None:
            self._say(21, f"{event.guard} was taken back without having tripped", event.symbol)

    def _kept(self, event: StopKept) -> None:
        if event.keeper != Keeper.STRATEGY:
            self.stops[event.symbol, event.stop_id] = event

    def _released(self, event: StopReleased) -> None:
        self.stops.pop((event.symbol, event.stop_id), None)

    # --- orders ---------------------------------------------------------------------------------------------------
    def _submitted(self, event: OrderSubmitted) -> None:
        name = event.client_order_id
        if self._bodies.holds((name,)):
            self._say(6, f"{name} was submitted before", event.symbol)
        if not event.body_digest:
            self._say(6, f"{name} has no digest of its body", event.symbol)
        twin = next((other for other in self.living.values() if other.submitted.intent_id == event.intent_id), None)
        if twin is not None:
            self._say(4, f"{name} beside {twin.submitted.client_order_id}, both of {event.intent_id}", event.symbol)
        self.orders[name] = self.living[name] = OrderSeen(submitted=event)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        if self._orders_max is None or len(self.orders) <= self._orders_max:
            return
        oldest = next(iter(self.orders))
        if oldest not in self.living:
            del self.orders[oldest]

    def _placed(self, event: OrderPlaced) -> None:
        order = self.orders.get(event.client_order_id)
        if order is not None and (RANK[order.state] < RANK[OrderState.ACTIVE] or order.state in NEVER_PLACED):
            order.state = OrderState.ACTIVE
            self.living[event.client_order_id] = order

    def _filled(self, event: OrderFilled) -> None:
        key = (event.symbol, event.venue_order_id, event.trade_id)
        if self._trades.holds(key):
            self._say(9, f"trade {event.trade_id} of {event.venue_order_id} came twice", event.symbol)
        newest_ns = self._newest_trade_ns.get(event.symbol, 0)
        self.late_trades += event.trade_ns < newest_ns
        self._newest_trade_ns[event.symbol] = max(newest_ns, event.trade_ns)
        self._move(event)
        order = self.orders.get(event.client_order_id)
        if order is None:
            return
        order.filled += event.quantity
        if order.filled > order.submitted.quantity:
            self._say(1, f"{event.client_order_id}: {order.filled} of {order.submitted.quantity}", event.symbol)
        if event.cumulative != order.filled:
            self._say(8, f"{event.client_order_id}: said {event.cumulative}, trades {order.filled}", event.symbol)
        self._step(order, event.state, event)
        self._settle(order)

    def _move(self, event: OrderFilled) -> None:
        """What the trade does to the position, and which facts must follow."""
        before = self.positions.get(event.symbol, ZERO)
        after = self.positions[event.symbol] = before + event.side.sign * event.quantity
        owed = self._facts.pop(event.symbol, [])
        if owed:
            self._say(18, f"a trade left {len(owed)} openings or closings untold", event.symbol)
        wanted: list[type[Event]] = []
        if before and (not after or (after > 0) is not (before > 0)):
            wanted.append(PositionClosed)
        if after and (not before or (after > 0) is not (before > 0)):
            wanted.append(PositionOpened)
        if wanted:
            self._facts[event.symbol] = wanted

    def _fact(self, event: PositionOpened | PositionClosed) -> None:
        wanted = self._facts.get(event.symbol, [])
        if not wanted or wanted[0] is not type(event):
            self._say(18, f"{type(event).__name__} that no trade asks for", event.symbol)
            return
        wanted.pop(0)
        if not wanted:
            del self._facts[event.symbol]

    def _step(self, order: OrderSeen, state: OrderState, event: Event) -> None:
        back = RANK[state] < RANK[order.state] and not (order.sighted_late and order.state in NEVER_PLACED)
        if back:
            name = order.submitted.client_order_id
            self._say(8, f"{name}: {order.state} became {state} by {type(event).__name__}", order.submitted.symbol)
        order.state = state
        order.unknown_since_ns = 0

    def _ended(self, event: OrderCancelled | OrderExpired) -> None:
        order = self.orders.get(event.client_order_id)
        if order is None:
            return
        order.told = max(order.told, event.filled)
        ended = OrderState.CANCELLED if isinstance(event, OrderCancelled) else OrderState.EXPIRED
        self._step(order, ended, event)
        self.living[event.client_order_id] = order
        self._settle(order)

    def _refused(self, event: OrderRejected | OrderFailed) -> None:
        order = self.orders.get(event.client_order_id)
        if order is None:
            return
        if order.filled:
            self._say(7, f"{event.client_order_id} has trades and was told as never placed", order.submitted.symbol)
        self._step(order, OrderState.REJECTED if isinstance(event, OrderRejected) else OrderState.FAILED, event)
        self._settle(order)

    def _unknown(self, event: OrderOutcomeUnknown) -> None:
        order = self.orders.get(event.client_order_id)
        if order is None:
            return
        self._step(order, OrderState.UNKNOWN, event)
        order.unknown_since_ns = event.at_ns

    def _sighted(self, event: OrderSightedLate) -> None:
        order = self.orders.get(event.client_order_id)
        if order is not None:
            order.sighted_late = True
            self.living[event.client_order_id] = order

    def _settle(self, order: OrderSeen) -> None:
        name = order.submitted.client_order_id
        if order.may_still_fill or not order.state.is_terminal:
            self.living[name] = order
        else:
            self.living.pop(name, None)

    # --- money ----------------------------------------------------------------------------------------------------
    def _funded(self, event: FundingApplied) -> None:
        self._once(("funding", event.symbol, str(event.funding_ns)), event.symbol)

    def _transferred(self, event: TransferObserved) -> None:
        self._once(("transfer", event.key), "")

    def _once(self, key: tuple[str, ...], symbol: str) -> None:
        if self._money.holds(key):
            self._say(20, f"{' '.join(key)} came twice", symbol)
