"""What has happened so often, and how long did it take? Counters and histograms, made from events alone.

Runs in a thread beside the bot. A stage is the time between two events of one intent or order, see `table.STAGES`.
"""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram

from gpt_trader.core.clock import NS
from gpt_trader.core.events import (
    EngineSwapped,
    Event,
    GuardTripped,
    InvariantBroken,
    OperatorCommanded,
    OperatorCommandFailed,
    OrderApproved,
    OrderCancelled,
    OrderCancelRequested,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderReconciled,
    OrderRefused,
    OrderRejected,
    OrderSightedLate,
    OrderSubmitted,
    SlippageExceeded,
    StopEscalated,
    StopTriggered,
    SystemError,  # noqa: A004 - the event, not the builtin
    TradingSignalGenerated,
)
from gpt_trader.core.order_rules import BPS
from gpt_trader.core.values import OrderState, Side
from gpt_trader.ops.metrics.table import METRICS, Kind

__all__ = ["EventCounter"]

T = TypeVar("T")
KNOWN_MAX: Final = 4096
"""Intents and orders whose times are remembered."""
LABELS_MAX: Final = 100
"""Different values of a label that others choose, such as a venue's codes; further ones count as `other`."""
OTHER: Final = "other"
UNKNOWN: Final = "unknown"
RECONNECTING: Final = "connecting again"


class KnownOrder(msgspec.Struct):
    """What is remembered of an order."""

    submitted_ns: int
    engine: str
    tactic: str
    placed: bool = False
    filled: bool = False
    cancel_ns: int = 0


class KnownIntent(msgspec.Struct):
    """What is remembered of an approved intent."""

    approved_ns: int
    engine: str
    placed: bool = False


class EventCounter:
    """Every counter and histogram of one bot."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in METRICS:
            if metric.kind is Kind.COUNTER:
                self._counters[metric.name] = Counter(metric.name, metric.meaning, metric.labels, registry=registry)
            elif metric.kind is Kind.HISTOGRAM:
                self._histograms[metric.name] = Histogram(
                    metric.name, metric.meaning, metric.labels, registry=registry, buckets=metric.buckets
                )
        self._signals: OrderedDict[str, int] = OrderedDict()
        self._intents: OrderedDict[str, KnownIntent] = OrderedDict()
        self._orders: OrderedDict[str, KnownOrder] = OrderedDict()
        self._labels: dict[str, set[str]] = {}
        self._missed = 0

    def observe(self, name: str, seconds: float) -> None:
        """A time that no event tells."""
        self._histograms[name].observe(seconds)

    def missed(self, events: int) -> None:
        """So many events in all were not heard."""
        self._counters["gpt_trader_events_missed_total"].inc(events - self._missed)
        self._missed = events

    # --- what happened --------------------------------------------------------------------------------------------
    def on_event(self, event: Event) -> None:
        """Count it. What it does not know it passes over."""
        match event:
            case OrderSubmitted():
                self._on_submitted(event)
            case OrderPlaced() | OrderCancelRequested() | OrderOutcomeUnknown():
                self._on_order(event)
            case OrderFilled():
                self._on_filled(event)
            case OrderCancelled() | OrderExpired() | OrderRejected() | OrderFailed():
                self._on_ended(event)
            case TradingSignalGenerated() | OrderApproved() | OrderRefused() | OrderReconciled():
                self._on_decision(event)
            case _:
                self._on_rest(event)

    def _count(self, name: str, *labels: str, amount: float = 1.0) -> None:
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc(amount)

    def _time(self, stage: str, from_ns: int, to_ns: int) -> None:
        self._histograms["gpt_trader_stage_seconds"].labels(stage).observe(max(0, to_ns - from_ns) / NS)

    def _on_decision(self, event: TradingSignalGenerated | OrderApproved | OrderRefused | OrderReconciled) -> None:
        match event:
            case TradingSignalGenerated():
                self._count("gpt_trader_signals_total", event.strategy, event.symbol, event.action)
                self._time("signal", event.bar_close_ns, event.at_ns)
                _remember(self._signals, event.intent_id, event.at_ns)
            case OrderApproved():
                self._decided(event)
                _remember(self._intents, event.intent_id, KnownIntent(event.at_ns, event.engine))
            case OrderRefused():
                self._decided(event)
                self._count(
                    "gpt_trader_refusals_total", event.code, event.stage, event.engine or UNKNOWN, event.purpose.value
                )
            case OrderReconciled():
                if (intent := self._intents.get(event.intent_id)) is not None:
                    self._time("reconciliation", intent.approved_ns, event.at_ns)

    def _decided(self, event: OrderApproved | OrderRefused) -> None:
        """The first answer to a wish; a wish may become a close and then an opening."""
        signal_ns = self._signals.pop(event.intent_id.rpartition(":")[0], None)
        if signal_ns is not None:
            self._time("decision", signal_ns, event.at_ns)

    # --- orders ---------------------------------------------------------------------------------------------------
    def _on_submitted(self, event: OrderSubmitted) -> None:
        intent, engine, tactic = self._intents.get(event.intent_id), UNKNOWN, event.tactic or UNKNOWN
        if intent is not None:
            engine = intent.engine
            if not intent.placed:
                intent.placed = True
                self._time("placement", intent.approved_ns, event.at_ns)
        self._count("gpt_trader_orders_submitted_total", engine, tactic, event.purpose.value)
        _remember(self._orders, event.client_order_id, KnownOrder(event.at_ns, engine, tactic))

    def _on_order(self, event: OrderPlaced | OrderCancelRequested | OrderOutcomeUnknown) -> None:
        order = self._orders.get(event.client_order_id)
        match event:
            case OrderOutcomeUnknown():
                self._count("gpt_trader_orders_unknown_total", *_told(order))
            case OrderCancelRequested() if order is not None:
                order.cancel_ns = order.cancel_ns or event.at_ns
            case OrderPlaced() if order is not None and not order.placed:
                order.placed = True
                self._time("acknowledgement", order.submitted_ns, event.at_ns)
            case _:
                return

    def _on_filled(self, event: OrderFilled) -> None:
        order = self._orders.get(event.client_order_id)
        self._count("gpt_trader_fills_total", event.symbol, event.side.value, event.liquidity.value, event.cause)
        self._count("gpt_trader_traded_notional_total", event.symbol, amount=float(event.price * event.quantity))
        self._time("fill_news", event.trade_ns, event.at_ns)
        if event.arrival_mid > 0:
            worse = (event.price - event.arrival_mid) * (1 if event.side is Side.BUY else -1)
            bps: Decimal = worse / event.arrival_mid * BPS
            self._histograms["gpt_trader_slippage_bps"].labels(*_told(order)).observe(float(bps))
        if order is not None and not order.filled:
            order.filled = True
            self._time("first_fill", order.submitted_ns, event.at_ns)
        if event.state is OrderState.FILLED:
            self._count("gpt_trader_orders_ended_total", event.state.value, *_told(order))

    def _on_ended(self, event: OrderCancelled | OrderExpired | OrderRejected | OrderFailed) -> None:
        order = self._orders.get(event.client_order_id)
        match event:
            case OrderCancelled():
                state = OrderState.CANCELLED
                if order is not None and order.cancel_ns:
                    self._time("cancel", order.cancel_ns, event.at_ns)
            case OrderExpired():
                state = OrderState.EXPIRED
            case OrderRejected():
                state = OrderState.REJECTED
                self._count("gpt_trader_venue_rejects_total", self._bounded("code", event.code or UNKNOWN))
            case OrderFailed():
                state = OrderState.FAILED
        self._count("gpt_trader_orders_ended_total", state.value, *_told(order))

    # --- all else -------------------------------------------------------------------------------------------------
    def _on_rest(self, event: Event) -> None:
        match event:
            case GuardTripped():
                self._count("gpt_trader_guard_trips_total", event.guard)
            case InvariantBroken():
                self._count("gpt_trader_invariants_broken_total", event.name)
            case SystemError():
                self._on_system_error(event)
            case OperatorCommanded():
                self._count("gpt_trader_commands_total", event.command)
            case OperatorCommandFailed():
                self._count("gpt_trader_commands_failed_total", event.command)
            case EngineSwapped():
                self._count("gpt_trader_engine_swaps_total", event.engine)
            case OrderSightedLate():
                self._count("gpt_trader_orders_sighted_late_total")
            case SlippageExceeded():
                self._count("gpt_trader_slippage_exceeded_total", event.symbol)
            case StopTriggered():
                self._count("gpt_trader_stops_triggered_total", event.symbol)
            case StopEscalated():
                self._count("gpt_trader_stops_escalated_total", event.symbol)
            case _:
                return

    def _on_system_error(self, event: SystemError) -> None:
        """A source may name an intent or a strategy: only its first words are a label."""
        if event.action == RECONNECTING:
            self._count("gpt_trader_stream_losses_total", self._bounded("stream", event.source))
        self._count("gpt_trader_system_errors_total", self._bounded("source", " ".join(event.source.split()[:2])))

    def _bounded(self, label: str, value: str) -> str:
        known = self._labels.setdefault(label, set())
        if value not in known and len(known) >= LABELS_MAX:
            return OTHER
        known.add(value)
        return value


def _remember(known: OrderedDict[str, T], name: str, value: T) -> None:
    known[name] = value
    if len(known) > KNOWN_MAX:
        known.popitem(last=False)


def _told(order: KnownOrder | None) -> tuple[str, str]:
    return (UNKNOWN, UNKNOWN) if order is None else (order.engine, order.tactic)
