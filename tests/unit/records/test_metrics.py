"""How well are orders carried out?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.builders import START_NS, a_fill, a_submitted

from gpt_trader.core.events import (
    Event,
    GuardTripped,
    OrderApproved,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderRefused,
    OrderRejected,
    SystemError,  # noqa: A004 - the event, not the builtin
    TradingSignalGenerated,
)
from gpt_trader.core.values import Liquidity, OrderState, OrderType, Purpose, Side
from gpt_trader.records import metrics as metrics_module
from gpt_trader.records.metrics import OrderMetricsReporter
from gpt_trader.records.schema import EVENT_TYPES

D = Decimal


def reporter_of(*events: Event) -> OrderMetricsReporter:
    reporter = OrderMetricsReporter()
    for event in events:
        reporter.on_event(event)
    return reporter


def approved(engine: str = "LiveExecutionEngine", **changes: str) -> OrderApproved:
    return OrderApproved(
        at_ns=START_NS,
        intent_id=changes.get("intent_id", "test:BTC-PERP:1:long"),
        strategy="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        asked=D(1),
        quantity=D(1),
        order_type=OrderType.LIMIT,
        purpose=Purpose.ENTRY,
        engine=engine,
        tactic="simple_limit",
        arrival_mid=D(60_000),
    )


def refused(code: str, engine: str = "LiveExecutionEngine") -> OrderRefused:
    return OrderRefused(
        at_ns=START_NS,
        strategy="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D(1),
        stage="risk",
        code=code,
        purpose=Purpose.ENTRY,
        engine=engine,
    )


ORDER: dict[str, Any] = {"at_ns": START_NS, "client_order_id": "gt-test-1"}
PLACED = OrderPlaced(**ORDER, venue_order_id="v1")
CANCELLED = OrderCancelled(**ORDER, venue_order_id="v1", filled=D(0))


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], OrderState.SUBMITTED),
        ([OrderOutcomeUnknown(**ORDER)], OrderState.UNKNOWN),
        ([OrderOutcomeUnknown(**ORDER), PLACED], OrderState.ACTIVE),
        ([PLACED, a_fill()], OrderState.PARTIALLY_FILLED),
        ([a_fill(), PLACED], OrderState.PARTIALLY_FILLED),
        ([PLACED, a_fill(state=OrderState.FILLED)], OrderState.FILLED),
        ([PLACED, CANCELLED], OrderState.CANCELLED),
        ([PLACED, CANCELLED, a_fill(state=OrderState.CANCELLED)], OrderState.CANCELLED),
        ([PLACED, CANCELLED, a_fill(state=OrderState.FILLED)], OrderState.FILLED),
        ([OrderRejected(**ORDER, code="no")], OrderState.REJECTED),
        ([OrderExpired(**ORDER, venue_order_id="v1", filled=D(0))], OrderState.EXPIRED),
        ([OrderFailed(**ORDER, code="unseen")], OrderState.FAILED),
        ([OrderFailed(**ORDER, code="unseen"), PLACED], OrderState.ACTIVE),
    ],
)
def test_every_order_is_in_one_state(events: list[Event], state: OrderState) -> None:
    """The state is the last that the events tell, and living orders are pending."""
    reporter = reporter_of(a_submitted(), *events)
    assert reporter.snapshot()["by_state"] == {state.value: 1}
    assert reporter.pending == (0 if state.is_terminal else 1)


def test_orders_are_counted_by_engine_tactic_purpose_and_type() -> None:
    """The engine is that which approved the intent; an order of no known intent is counted as unknown."""
    snapshot = reporter_of(
        approved("AdvancedExecutionEngine"),
        a_submitted(tactic="simple_limit"),
        a_submitted(
            client_order_id="gt-2",
            intent_id="other",
            purpose=Purpose.EXIT,
            order_type=OrderType.MARKET,
            tactic="market",
        ),
    ).snapshot()
    assert (snapshot["orders"], snapshot["approved"]) == (2, 1)
    assert snapshot["by_engine"] == {"AdvancedExecutionEngine": 1, "unknown": 1}
    assert snapshot["by_tactic"] == {"simple_limit": 1, "market": 1}
    assert snapshot["by_purpose"] == {"ENTRY": 1, "EXIT": 1}
    assert snapshot["by_order_type"] == {"LIMIT": 1, "MARKET": 1}


def test_refusals_are_counted_by_code() -> None:
    """Our own refusals and the venue's stand apart."""
    reporter = reporter_of(
        refused("leverage_cap"),
        refused("leverage_cap"),
        refused("no_edge", "AdvancedExecutionEngine"),
        a_submitted(),
        OrderRejected(at_ns=1, client_order_id="gt-test-1", code="INSUFFICIENT_FUND"),
    )
    assert reporter.refusals == {"leverage_cap": 2, "no_edge": 1}
    assert reporter.snapshot()["refusals_by_engine"] == {"LiveExecutionEngine": 2, "AdvancedExecutionEngine": 1}
    assert reporter.snapshot()["venue_rejects"] == {"INSUFFICIENT_FUND": 1}


def test_fills_are_counted_and_summed() -> None:
    """By side, liquidity and cause; value and fees exactly."""
    reporter = reporter_of(
        a_submitted(),
        a_fill(),
        a_fill(trade_id="t2", side=Side.SELL, liquidity=Liquidity.MAKER, cause="LIQUIDATION", fee=D("0.1")),
    )
    assert (reporter.fills, reporter.buys, reporter.sells, reporter.liquidations) == (2, 1, 1, 1)
    assert (reporter.traded, reporter.fees) == (D(12_000), D("6.1"))
    assert reporter.snapshot()["fills_by_liquidity"] == {"TAKER": 1, "MAKER": 1}


def test_slippage_is_weighted_by_notional() -> None:
    """Three units 1 bp worse and one unit 5 bps better than the arrival mid: half a basis point gained."""
    reporter = reporter_of(
        a_submitted(),
        a_fill(quantity=D(3), price=D(10_001), arrival_mid=D(10_000)),
        a_fill(trade_id="t2", quantity=D(1), price=D(9_995), arrival_mid=D(10_000)),
    )
    assert reporter.arrival_cost == -2
    assert reporter.arrival_cost_bps == D("-0.5")


def test_a_sell_below_the_mid_costs() -> None:
    """Above zero cost us, on both sides."""
    reporter = reporter_of(a_fill(side=Side.SELL, quantity=D(1), price=D(9_990), arrival_mid=D(10_000)))
    assert (reporter.arrival_cost, reporter.arrival_cost_bps) == (D(10), D(10))


def test_cost_is_told_by_order_type_tactic_and_engine() -> None:
    """Also of a fill that comes after the order's end."""
    fill = a_fill(quantity=D(1), price=D(10_001), arrival_mid=D(10_000))
    snapshot = reporter_of(approved(), a_submitted(tactic="simple_limit"), CANCELLED, fill).snapshot()
    cost = {"amount": D(1), "notional": D(10_000), "bps": D(1)}
    assert snapshot["cost_by_order_type"] == {"LIMIT": cost}
    assert snapshot["cost_by_tactic"] == {"simple_limit": cost}
    assert snapshot["cost_by_engine"] == {"LiveExecutionEngine": cost}


def test_a_fill_without_arrival_price_is_in_no_cost() -> None:
    """It is counted apart instead of as free."""
    reporter = reporter_of(a_fill(arrival_mid=D(0)))
    assert (reporter.fills, reporter.unpriced_fills, reporter.arrival_cost_bps) == (1, 1, None)


def test_what_is_unknown_never_throws() -> None:
    """Orders never seen, kinds not counted: the order path must not notice."""
    reporter = reporter_of(PLACED, CANCELLED, a_fill(client_order_id="foreign"), OrderFailed(at_ns=1, code="x"))
    assert reporter.snapshot()["by_state"] == {}
    assert reporter.snapshot()["cost_by_tactic"].keys() == {"unknown"}
    assert set(reporter._handlers) < set(EVENT_TYPES.values())


def test_signals_guards_and_errors_are_counted() -> None:
    """The figures that the summary and the panel show."""
    reporter = reporter_of(
        TradingSignalGenerated(at_ns=1, strategy="s", symbol="BTC-PERP", action="LONG", bar_close_ns=1),
        GuardTripped(
            at_ns=1, guard="daily_loss", action="kill", threshold=D(1), unit="USD", value=D(2), way_back="tomorrow"
        ),
        SystemError(at_ns=1, source="s", message="m", action="a"),
    )
    assert (reporter.signals, reporter.guard_trips, reporter.system_errors) == (1, {"daily_loss": 1}, 1)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended orders and approved intents are forgotten at a named limit; the counts stay."""
    monkeypatch.setattr(metrics_module, "ENDED_MAX", 5)
    monkeypatch.setattr(metrics_module, "INTENTS_MAX", 5)
    reporter = OrderMetricsReporter()
    for number in range(50):
        name = f"gt-{number}"
        reporter.on_event(approved(intent_id=name))
        reporter.on_event(a_submitted(client_order_id=name, intent_id=name))
        reporter.on_event(OrderCancelled(at_ns=1, client_order_id=name, venue_order_id="v", filled=D(0)))
    assert (len(reporter._living), len(reporter._ended), len(reporter._engines)) == (0, 5, 5)
    assert reporter.snapshot()["by_state"] == {"CANCELLED": 50}


def test_the_snapshot_is_plain() -> None:
    """Dicts of text, whole numbers, decimals and None, so that anybody can print or send it."""

    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(type(name) is str and plain(item) for name, item in value.items())
        return value is None or type(value) in {int, str, Decimal}

    assert plain(reporter_of(approved(), a_submitted(), a_fill(), refused("no_edge")).snapshot())
