"""What did trading cost? Each definition of the module worked out by hand, and the parts that must add up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import START_NS, D, a_fill, a_submitted

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import FillMarked, MissMarked, OrderApproved, OrderRefused
from gpt_trader.core.values import Liquidity, OrderType, Purpose, Side
from gpt_trader.records.tca import CostAnalysis, price_fill

INTENT = "test:BTC-PERP:1:long"
NS = 1_000_000_000


def an_approval(**changes: Any) -> OrderApproved:
    """0.3 BTC decided at 60,000."""
    fields: dict[str, Any] = {
        "at_ns": START_NS,
        "intent_id": INTENT,
        "strategy": "test",
        "symbol": "BTC-PERP",
        "side": Side.BUY,
        "asked": D("0.3"),
        "quantity": D("0.3"),
        "order_type": OrderType.MARKET,
        "purpose": Purpose.ENTRY,
        "engine": "LiveExecutionEngine",
        "tactic": "market",
        "arrival_mid": D(60_000),
    }
    return OrderApproved(**fields | changes)


def a_miss(**changes: Any) -> MissMarked:
    fields: dict[str, Any] = {
        "at_ns": START_NS,
        "intent_id": INTENT,
        "client_order_id": "gt-test-1",
        "symbol": "BTC-PERP",
        "side": Side.BUY,
        "unfilled": D("0.2"),
        "mid": D(60_060),
    }
    return MissMarked(**fields | changes)


def analysis_of(*events: Any) -> CostAnalysis:
    analysis = CostAnalysis()
    for event in events:
        analysis.take(event)
    return analysis


CASES = [
    # side, liquidity, arrival, bid, ask, fill price -> delay, spread, impact of one unit
    ("BUY", "TAKER", 100, 99, 101, 101, 0, 1, 0),  # the best price, at once
    ("BUY", "TAKER", 100, 99, 101, 103, 0, 1, 2),  # two levels deeper
    ("BUY", "TAKER", 100, 104, 106, 106, 5, 1, 0),  # sent late, after the market rose by 5
    ("SELL", "TAKER", 100, 94, 96, 94, 5, 1, 0),  # and a sale after it fell by 5
    ("SELL", "TAKER", 100, 104, 106, 103, -5, 1, 1),  # the market rose: delay earned, impact cost
    ("BUY", "MAKER", 100, 99, 101, 99, 0, -1, 0),  # rested at the bid: half the spread is earned
    ("BUY", "MAKER", 100, 98, 102, 99, 0, -1, 0),  # improved the bid by one: earns one of two
    ("BUY", "MAKER", 100, 99, 101, 90, -9, -1, 0),  # far below: the market came to us
    ("SELL", "MAKER", 100, 96, 98, 98, 3, -1, 0),  # quoted after it had fallen by 3
    ("BUY", "TAKER", 100, 0, 0, 101, 0, 0, 1),  # without a quote all is impact
]


@pytest.mark.parametrize(("side", "liquidity", "arrival", "bid", "ask", "price", "delay", "spread", "impact"), CASES)
def test_the_parts_of_a_fill(
    *, side: str, liquidity: str, arrival: int, bid: int, ask: int, price: int, delay: int, spread: int, impact: int
) -> None:
    """Delay before sending, half the spread for taking it (or earned by resting), impact beyond the best price."""
    order = a_submitted(side=Side(side), arrival_mid=D(arrival), bid=D(bid), ask=D(ask))
    fill = a_fill(side=Side(side), liquidity=Liquidity(liquidity), quantity=D(1), price=D(price), fee=D("0.1"))
    cost = price_fill(fill, order)
    assert (cost.delay, cost.spread, cost.impact, cost.fees) == (D(delay), D(spread), D(impact), D("0.1"))
    assert cost.shortfall == delay + spread + impact + D("0.1")
    assert cost.quoted is (bid > 0)


prices = st.decimals(min_value="0.0001", max_value="999999", places=4)


@given(
    side=st.sampled_from(Side),
    liquidity=st.sampled_from(Liquidity),
    quantity=st.decimals(min_value="0.00000001", max_value="99999", places=8),
    price=prices,
    arrival=prices,
    bid=prices,
    spread=st.decimals(min_value=0, max_value=100, places=4),
    fee=st.decimals(min_value=-100, max_value=100, places=8),
)
def test_the_parts_add_up_to_the_last_digit(
    *,
    side: Side,
    liquidity: Liquidity,
    quantity: Decimal,
    price: Decimal,
    arrival: Decimal,
    bid: Decimal,
    spread: Decimal,
    fee: Decimal,
) -> None:
    """Whatever the market did: delay + spread + impact + fees is the shortfall, and so is the sum over fills."""
    order = a_submitted(side=side, arrival_mid=arrival, bid=bid, ask=bid + spread, quantity=quantity)
    fill = a_fill(side=side, liquidity=liquidity, quantity=quantity, price=price, fee=fee)
    cost = price_fill(fill, order)
    assert cost.delay + cost.spread + cost.impact + cost.fees == cost.shortfall
    assert cost.shortfall == side.sign * (price - arrival) * quantity + fee
    (row,) = analysis_of(order, fill, a_fill(trade_id="t2", price=price)).rows()
    assert sum(row.parts.values()) == row.shortfall


def test_a_stop_is_measured_against_its_trigger() -> None:
    """What the market was when it was armed says nothing; beyond the trigger all is impact."""
    order = a_submitted(
        side=Side.SELL, order_type=OrderType.STOP_LIMIT, stop_price=D(59_000), bid=D(59_995), ask=D(60_005)
    )
    cost = price_fill(a_fill(side=Side.SELL, price=D(58_990), quantity=D(1), fee=D(0)), order)
    assert (cost.arrival, cost.delay, cost.spread, cost.impact) == (D(59_000), D(0), D(0), D(10))


def test_a_stop_that_never_fired_wanted_nothing() -> None:
    """An armed stop would else look like a tactic that never fills."""
    order = a_submitted(order_type=OrderType.STOP_LIMIT, stop_price=D(59_000))
    assert analysis_of(an_approval(), order, a_miss()).rows() == ()


def test_what_was_missed_is_priced_at_its_end() -> None:
    """0.2 of 0.3 unfilled while the middle rose by 60: 12 USD, which is 10 bps of the unfilled and 6.67 of the wish."""
    analysis = analysis_of(an_approval(), a_submitted(), a_fill(quantity=D("0.1"), fee=D(0)), a_miss())
    (row,) = analysis.rows()
    assert row.missed == 12
    assert row.fill_rate == D(1) / 3
    assert row.wanted == 18_000
    assert row.missed_bps == row.all_in == D(12) / 18_000 * 10_000


def test_nothing_is_missed_once_a_later_order_filled_it() -> None:
    """A re-quote cancels and tries again; only what is unfilled in the end was missed."""
    events = (an_approval(), a_submitted(), a_miss(), a_fill(quantity=D("0.3"), cumulative=D("0.3"), fee=D(0)))
    (row,) = analysis_of(*events).rows()
    assert (row.missed, row.missed_intents, row.all_in) == (D(0), 0, D(0))


def test_mark_outs_count_for_us_when_the_market_goes_our_way() -> None:
    """Bought 0.1 at 60,000: 30 higher is +5 bps, 60 lower is -10 bps."""
    mark = FillMarked(
        at_ns=START_NS,
        intent_id=INTENT,
        client_order_id="gt-test-1",
        symbol="BTC-PERP",
        trade_id="t1",
        mids={"1": D(60_030), "10": D(59_940)},
    )
    (row,) = analysis_of(an_approval(), a_submitted(), a_fill(), mark).rows()
    assert row.mark_outs == {"1": 5, "10": -10}


def test_rows_by_engine_and_hour() -> None:
    """A group has the costs of its own intents; groups stand in the order of their names."""
    later = START_NS + 3600 * NS
    events = [an_approval(), a_submitted(), a_fill(fee=D(6))]
    events += [
        an_approval(intent_id="b", engine="AdvancedExecutionEngine", at_ns=later),
        a_submitted(intent_id="b", client_order_id="gt-2"),
        a_fill(intent_id="b", client_order_id="gt-2", fee=D(3)),
    ]
    rows = analysis_of(*events).rows(("engine", "hour"))
    assert [(row.key, row.fees) for row in rows] == [
        (("AdvancedExecutionEngine", "16h UTC"), D(3)),
        (("LiveExecutionEngine", "15h UTC"), D(6)),
    ]


def test_rows_by_liquidity_speak_of_fills_only() -> None:
    """Whether a wish was filled is no property of a fill, so such rows do not pretend to know it."""
    rows = analysis_of(an_approval(), a_submitted(), a_fill(), a_miss()).rows(("liquidity",))
    assert [(row.key, row.fills, row.wanted, row.missed, row.all_in) for row in rows] == [
        (("TAKER",), 1, None, None, None)
    ]


def test_an_intent_refused_at_the_door_missed_nothing() -> None:
    """A dry run approves and sends nothing: no market was missed."""
    refusal = OrderRefused(
        at_ns=START_NS,
        intent_id=INTENT,
        strategy="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.3"),
        stage="submission",
        code="dry_run",
        purpose=Purpose.ENTRY,
        engine="LiveExecutionEngine",
    )
    assert analysis_of(an_approval(), refusal).rows() == ()


def test_a_liquidation_is_in_no_row() -> None:
    """The venue's own order has no arrival price; it is counted beside the rows."""
    analysis = analysis_of(a_fill(client_order_id="", intent_id="", cause="LIQUIDATION"))
    assert (analysis.rows(), analysis.unpriced_fills) == ((), 1)


def test_one_symbol_leaves_the_others_out() -> None:
    """Whoever asks for ETH gets no BTC."""
    analysis = CostAnalysis("ETH-PERP")
    for event in (an_approval(), a_submitted(), a_fill(), a_miss()):
        analysis.take(event)
    assert (analysis.rows(), analysis.unpriced_fills) == ((), 0)


def test_an_unknown_key_is_named() -> None:
    """Bad input says what there is."""
    with pytest.raises(ConfigError, match=r"--by colour: no such grouping.*engine, tactic"):
        analysis_of().rows(("colour",))
