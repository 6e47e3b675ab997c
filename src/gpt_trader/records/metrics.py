"""How well are orders carried out? Counts, refusals by code, fills, and cost against the price at decision time."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from gpt_trader.core.events import (
    Event,
    GuardTripped,
    OrderApproved,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    SystemError,  # noqa: A004 - the event, not the builtin
    TradingSignalGenerated,
)
from gpt_trader.core.order_rules import BPS
from gpt_trader.core.values import ZERO, Side
from gpt_trader.records.orders import OrderLine

__all__ = ["Cost", "MetricsState", "OrderMetricsReporter", "Snapshot"]

ENDED_MAX: Final = 1024
"""Ended orders that are remembered, so that a late fill is still told by order type and tactic."""

INTENTS_MAX: Final = 4096
"""Approved intents whose engine is remembered."""

UNKNOWN: Final = "unknown"
"""Under this name stands what belongs to an order that was never seen, or is forgotten."""

Snapshot = dict[str, Any]
"""Plain values: str, int, Decimal, None and dicts of them."""


class Cost(msgspec.Struct):
    """What fills cost against the middle of the book when they were decided; above zero cost us. Fees apart."""

    amount: Decimal = ZERO
    """Quote currency."""
    notional: Decimal = ZERO
    """Filled quantity at the arrival mid."""

    def add(self, amount: Decimal, notional: Decimal) -> None:
        self.amount += amount
        self.notional += notional

    @property
    def bps(self) -> Decimal | None:
        """Notional-weighted mean; None while nothing was filled."""
        return self.amount / self.notional * BPS if self.notional else None

    def snapshot(self) -> Snapshot:
        return {"amount": self.amount, "notional": self.notional, "bps": self.bps}


Pairs = tuple[tuple[str, int], ...]
Costs = tuple[tuple[str, Cost], ...]


class MetricsState(msgspec.Struct, frozen=True, kw_only=True):
    """All counts, as a snapshot of the whole bot keeps them."""

    signals: int
    approved: int
    orders: int
    fills: int
    by_state: Pairs
    by_engine: Pairs
    by_tactic: Pairs
    by_purpose: Pairs
    by_order_type: Pairs
    refusals: Pairs
    refusals_by_engine: Pairs
    venue_rejects: Pairs
    fills_by_side: Pairs
    fills_by_liquidity: Pairs
    fills_by_cause: Pairs
    guard_trips: Pairs
    system_errors: int
    traded: Decimal
    fees: Decimal
    unpriced_fills: int
    cost: Cost
    cost_by_order_type: Costs
    cost_by_tactic: Costs
    cost_by_engine: Costs
    living: tuple[OrderLine, ...]
    ended: tuple[OrderLine, ...]
    engines: tuple[tuple[str, str], ...]


class OrderMetricsReporter:
    """Listener that only counts: it asks nobody, changes nothing, and takes what it does not know as `unknown`."""

    def __init__(self) -> None:
        self.signals = 0
        self.approved = 0
        self.orders = 0
        """Orders written down to be sent."""
        self.fills = 0
        self.by_state: Counter[str] = Counter()
        """Every order of the run by the state it is in."""
        self.by_engine: Counter[str] = Counter()
        self.by_tactic: Counter[str] = Counter()
        self.by_purpose: Counter[str] = Counter()
        self.by_order_type: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        """By code."""
        self.refusals_by_engine: Counter[str] = Counter()
        self.venue_rejects: Counter[str] = Counter()
        """By the venue's code."""
        self.fills_by_side: Counter[str] = Counter()
        self.fills_by_liquidity: Counter[str] = Counter()
        self.fills_by_cause: Counter[str] = Counter()
        self.guard_trips: Counter[str] = Counter()
        """How often each guard tripped."""
        self.system_errors = 0
        self.traded = ZERO
        """Sum of price times quantity of all fills."""
        self.fees = ZERO
        self.unpriced_fills = 0
        """Fills without an arrival mid: they are in no cost."""
        self.cost = Cost()
        self.cost_by_order_type: dict[str, Cost] = {}
        self.cost_by_tactic: dict[str, Cost] = {}
        self.cost_by_engine: dict[str, Cost] = {}
        self._living: dict[str, OrderLine] = {}
        self._ended: OrderedDict[str, OrderLine] = OrderedDict()
        self._engines: OrderedDict[str, str] = OrderedDict()
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            TradingSignalGenerated: self._on_signal,
            OrderApproved: self._on_approved,
            OrderRefused: self._on_refused,
            OrderSubmitted: self._on_submitted,
            OrderFilled: self._on_filled,
            OrderRejected: self._on_rejected,
            OrderPlaced: self._on_order,
            OrderCancelled: self._on_order,
            OrderExpired: self._on_order,
            OrderFailed: self._on_order,
            OrderOutcomeUnknown: self._on_order,
            GuardTripped: self._on_guard,
            SystemError: self._on_system_error,
        }

    @property
    def handlers(self) -> Mapping[type[Event], Callable[[Any], None]]:
        """How events of each type are counted; types that are not here are not."""
        return self._handlers

    def on_event(self, event: Event) -> None:
        """Count one event; kinds that are not counted are ignored."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    @property
    def pending(self) -> int:
        """Orders that are not at their end."""
        return len(self._living)

    @property
    def buys(self) -> int:
        """Fills on this side."""
        return self.fills_by_side[Side.BUY.value]

    @property
    def sells(self) -> int:
        """Fills on this side."""
        return self.fills_by_side[Side.SELL.value]

    @property
    def liquidations(self) -> int:
        """Fills that the venue made to close what could not be carried."""
        return self.fills_by_cause["LIQUIDATION"]

    @property
    def arrival_cost(self) -> Decimal:
        """What fills cost against the arrival mid, in the quote currency; fees apart."""
        return self.cost.amount

    @property
    def arrival_cost_bps(self) -> Decimal | None:
        """The same, of what was filled; None while nothing was."""
        return self.cost.bps

    def snapshot(self) -> Snapshot:
        """All figures as plain values."""
        return {
            "signals": self.signals,
            "approved": self.approved,
            "orders": self.orders,
            "pending": self.pending,
            "by_state": dict(+self.by_state),
            "by_engine": dict(self.by_engine),
            "by_tactic": dict(self.by_tactic),
            "by_purpose": dict(self.by_purpose),
            "by_order_type": dict(self.by_order_type),
            "refusals": dict(self.refusals),
            "refusals_by_engine": dict(self.refusals_by_engine),
            "venue_rejects": dict(self.venue_rejects),
            "fills": self.fills,
            "fills_by_side": dict(self.fills_by_side),
            "fills_by_liquidity": dict(self.fills_by_liquidity),
            "fills_by_cause": dict(self.fills_by_cause),
            "traded": self.traded,
            "fees": self.fees,
            "unpriced_fills": self.unpriced_fills,
            "cost": self.cost.snapshot(),
            "cost_by_order_type": {name: cost.snapshot() for name, cost in self.cost_by_order_type.items()},
            "cost_by_tactic": {name: cost.snapshot() for name, cost in self.cost_by_tactic.items()},
            "cost_by_engine": {name: cost.snapshot() for name, cost in self.cost_by_engine.items()},
            "guard_trips": dict(self.guard_trips),
            "system_errors": self.system_errors,
        }

    # --- restart --------------------------------------------------------------------------------------------------
    def state(self) -> MetricsState:
        """For a snapshot of the whole bot."""
        return MetricsState(
            signals=self.signals,
            approved=self.approved,
            orders=self.orders,
            fills=self.fills,
            by_state=tuple(self.by_state.items()),
            by_engine=tuple(self.by_engine.items()),
            by_tactic=tuple(self.by_tactic.items()),
            by_purpose=tuple(self.by_purpose.items()),
            by_order_type=tuple(self.by_order_type.items()),
            refusals=tuple(self.refusals.items()),
            refusals_by_engine=tuple(self.refusals_by_engine.items()),
            venue_rejects=tuple(self.venue_rejects.items()),
            fills_by_side=tuple(self.fills_by_side.items()),
            fills_by_liquidity=tuple(self.fills_by_liquidity.items()),
            fills_by_cause=tuple(self.fills_by_cause.items()),
            guard_trips=tuple(self.guard_trips.items()),
            system_errors=self.system_errors,
            traded=self.traded,
            fees=self.fees,
            unpriced_fills=self.unpriced_fills,
            cost=self.cost,
            cost_by_order_type=tuple(self.cost_by_order_type.items()),
            cost_by_tactic=tuple(self.cost_by_tactic.items()),
            cost_by_engine=tuple(self.cost_by_engine.items()),
            living=tuple(self._living.values()),
            ended=tuple(self._ended.values()),
            engines=tuple(self._engines.items()),
        )

    def load(self, state: MetricsState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self.signals, self.approved, self.orders, self.fills = state.signals, state.approved, state.orders, state.fills
        self.by_state, self.by_engine = Counter(dict(state.by_state)), Counter(dict(state.by_engine))
        self.by_tactic, self.by_purpose = Counter(dict(state.by_tactic)), Counter(dict(state.by_purpose))
        self.by_order_type, self.refusals = Counter(dict(state.by_order_type)), Counter(dict(state.refusals))
        self.refusals_by_engine = Counter(dict(state.refusals_by_engine))
        self.venue_rejects, self.fills_by_side = Counter(dict(state.venue_rejects)), Counter(dict(state.fills_by_side))
        self.fills_by_liquidity = Counter(dict(state.fills_by_liquidity))
        self.fills_by_cause, self.guard_trips = Counter(dict(state.fills_by_cause)), Counter(dict(state.guard_trips))
        self.system_errors, self.unpriced_fills = state.system_errors, state.unpriced_fills
        self.traded, self.fees, self.cost = state.traded, state.fees, state.cost
        self.cost_by_order_type, self.cost_by_tactic = dict(state.cost_by_order_type), dict(state.cost_by_tactic)
        self.cost_by_engine = dict(state.cost_by_engine)
        self._living = {line.submitted.client_order_id: line for line in state.living}
        self._ended = OrderedDict((line.submitted.client_order_id, line) for line in state.ended)
        self._engines = OrderedDict(state.engines)

    # --- decisions ------------------------------------------------------------------------------------------------
    def _on_signal(self, _: TradingSignalGenerated) -> None:
        self.signals += 1

    def _on_approved(self, event: OrderApproved) -> None:
        self.approved += 1
        self._engines[event.intent_id] = event.engine
        if len(self._engines) > INTENTS_MAX:
            self._engines.popitem(last=False)

    def _on_refused(self, event: OrderRefused) -> None:
        self.refusals[str(event.code)] += 1
        self.refusals_by_engine[event.engine or UNKNOWN] += 1

    # --- orders ---------------------------------------------------------------------------------------------------
    def _on_submitted(self, event: OrderSubmitted) -> None:
        line = OrderLine(submitted=event, engine=self._engines.get(event.intent_id, UNKNOWN))
        self._living[event.client_order_id] = line
        self.orders += 1
        self.by_state[str(line.state)] += 1
        self.by_engine[line.engine] += 1
        self.by_tactic[event.tactic or UNKNOWN] += 1
        self.by_purpose[str(event.purpose)] += 1
        self.by_order_type[str(event.order_type)] += 1

    def _on_rejected(self, event: OrderRejected) -> None:
        self.venue_rejects[event.code or UNKNOWN] += 1
        self._on_order(event)

    def _on_order(self, event: Event) -> None:
        name = event.client_order_id
        line = self._living.get(name) or self._ended.get(name)
        if line is None:
            return
        self.by_state[str(line.state)] -= 1
        line.apply(event)
        self.by_state[str(line.state)] += 1
        if line.state.is_terminal:
            self._end(name, line)
        elif name in self._ended:
            self._living[name] = self._ended.pop(name)  # seen at the venue after all

    def _end(self, name: str, line: OrderLine) -> None:
        self._living.pop(name, None)
        self._ended[name] = line
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    def _on_filled(self, event: OrderFilled) -> None:
        self.fills += 1
        self.fills_by_side[str(event.side)] += 1
        self.fills_by_liquidity[str(event.liquidity)] += 1
        self.fills_by_cause[event.cause] += 1
        self.traded += event.price * event.quantity
        self.fees += event.fee
        line = self._living.get(event.client_order_id) or self._ended.get(event.client_order_id)
        self._count_cost(event, line)
        self._on_order(event)

    def _count_cost(self, event: OrderFilled, line: OrderLine | None) -> None:
        if event.arrival_mid <= 0:
            self.unpriced_fills += 1
            return
        worse = event.price - event.arrival_mid if event.side is Side.BUY else event.arrival_mid - event.price
        amount, notional = worse * event.quantity, event.arrival_mid * event.quantity
        order_type = str(line.submitted.order_type) if line else UNKNOWN
        tactic = (line.submitted.tactic if line else "") or UNKNOWN
        engine = line.engine if line else UNKNOWN
        self.cost.add(amount, notional)
        self.cost_by_order_type.setdefault(order_type, Cost()).add(amount, notional)
        self.cost_by_tactic.setdefault(tactic, Cost()).add(amount, notional)
        self.cost_by_engine.setdefault(engine, Cost()).add(amount, notional)

    # --- what went wrong ------------------------------------------------------------------------------------------
    def _on_guard(self, event: GuardTripped) -> None:
        self.guard_trips[event.guard] += 1

    def _on_system_error(self, _: SystemError) -> None:
        self.system_errors += 1
