"""Is the order well formed for this product?"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import START_NS, D, a_book, a_product, an_order

from gpt_trader.core import order_rules
from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.values import OrderRequest, OrderType, Purpose, Side, TimeInForce, TradingStatus

LIMIT = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(60_000)}


def code_of(check: Callable[[], object]) -> Refusal:
    with pytest.raises(Refused) as caught:
        check()
    return caught.value.code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": D(0)}, Refusal.INVALID_QUANTITY),
        ({"quantity": D(-1)}, Refusal.INVALID_QUANTITY),
        ({"quantity": D("NaN")}, Refusal.INVALID_QUANTITY),
        ({"quantity": D("Infinity")}, Refusal.INVALID_QUANTITY),
        ({**LIMIT, "limit_price": None}, Refusal.INVALID_PRICE),
        ({**LIMIT, "limit_price": D(0)}, Refusal.INVALID_PRICE),
        ({**LIMIT, "limit_price": D("NaN")}, Refusal.INVALID_PRICE),
        ({"limit_price": D(-5)}, Refusal.INVALID_PRICE),
        ({**LIMIT, "order_type": OrderType.STOP_LIMIT}, Refusal.INVALID_STOP),
        ({**LIMIT, "order_type": OrderType.STOP_LIMIT, "stop_price": D("NaN")}, Refusal.INVALID_STOP),
        ({"protective_stop": D(0)}, Refusal.INVALID_STOP),
        ({"target_price": D("-1")}, Refusal.INVALID_TARGET),
        ({"post_only": True}, Refusal.POST_ONLY_WITH_IMMEDIATE),
        ({**LIMIT, "time_in_force": TimeInForce.FOK, "post_only": True}, Refusal.POST_ONLY_WITH_IMMEDIATE),
    ],
)
def test_f69_malformed_orders_are_refused_by_name(changes: dict[str, object], code: Refusal) -> None:
    """Zero, negative, NaN, infinite and missing numbers each have their code."""
    assert code_of(lambda: order_rules.check_shape(an_order(**changes))) is code


def test_a_sound_order_passes() -> None:
    """The checks refuse nothing that is right."""
    order_rules.check_shape(an_order())
    order_rules.check_shape(an_order(**LIMIT, post_only=True))
    order_rules.check_expiry(an_order(), START_NS)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (an_order(valid_until_ns=START_NS), Refusal.INTENT_EXPIRED),
        (an_order(**{**LIMIT, "time_in_force": TimeInForce.GTD}), Refusal.INVALID_EXPIRY),
        (an_order(**{**LIMIT, "time_in_force": TimeInForce.GTD}, expire_ns=START_NS), Refusal.INVALID_EXPIRY),
        (an_order(expire_ns=START_NS + 1), Refusal.INVALID_EXPIRY),
    ],
)
def test_ends_in_the_past_or_of_the_wrong_kind_are_refused(order: OrderRequest, code: Refusal) -> None:
    """GTD needs an end in the future; other orders have none; a dead intent goes nowhere."""
    assert code_of(lambda: order_rules.check_expiry(order, START_NS)) is code


@pytest.mark.parametrize(
    ("quantity", "purpose", "code"),
    [
        (D("0.005"), Purpose.ENTRY, Refusal.BELOW_MIN_SIZE),
        (D(51), Purpose.ENTRY, Refusal.ABOVE_MAX_SIZE),
        (D("0.015"), Purpose.ENTRY, Refusal.INVALID_QUANTITY),
        (D("0.01"), Purpose.ENTRY, Refusal.BELOW_MIN_NOTIONAL),
    ],
)
def test_quantities_off_the_venues_sizes_are_refused(quantity: Decimal, purpose: Purpose, code: Refusal) -> None:
    """Each bound has its own code."""
    product = a_product(min_notional=D(1000))
    assert code_of(lambda: order_rules.check_quantity(quantity, D(60_000), product, purpose)) is code


def test_a_close_may_be_worth_less_than_the_minimum_notional() -> None:
    """Dust must be able to leave."""
    order_rules.check_quantity(D("0.01"), D(60_000), a_product(min_notional=D(1000)), Purpose.EXIT)


@given(
    price=st.decimals(min_value="0.01", max_value="1000000", places=4),
    tick=st.sampled_from([D("0.01"), D("0.1"), D("0.5"), D(5)]),
    side=st.sampled_from(Side),
)
def test_a_rounded_price_is_on_the_tick_and_never_worse_than_asked(price: Decimal, tick: Decimal, side: Side) -> None:
    """A buy never pays more, a sell never gets less."""
    rounded = order_rules.round_price(price, tick, side)
    assert rounded % tick == 0
    assert 0 <= (price - rounded) * side.sign < tick


@given(
    quantity=st.decimals(min_value="0.0001", max_value="1000", places=6),
    lot=st.sampled_from([D("0.001"), D("0.01"), D(5), D(500)]),
)
def test_a_floored_quantity_is_on_the_grid_and_never_larger(quantity: Decimal, lot: Decimal) -> None:
    """Sizes round towards zero."""
    floored = order_rules.floor_to_lot(quantity, lot)
    assert floored % lot == 0
    assert 0 <= quantity - floored < lot


@pytest.mark.parametrize(
    ("side", "asked", "position", "closing", "left"),
    [
        (Side.SELL, D(100), D(3), D(0), D(3)),
        (Side.SELL, D(1), D(3), D(0), D(1)),
        (Side.SELL, D(3), D(3), D(2), D(1)),
        (Side.SELL, D(3), D(3), D(5), D(0)),
        (Side.BUY, D(3), D(3), D(0), D(0)),
        (Side.BUY, D(9), D(-3), D(0), D(3)),
        (Side.SELL, D(9), D(0), D(0), D(0)),
    ],
)
def test_f67_a_close_is_clamped_to_what_is_open_and_not_yet_closing(
    side: Side, asked: Decimal, position: Decimal, closing: Decimal, left: Decimal
) -> None:
    """A reduce-only sell of 100 against 3 sells 3."""
    assert order_rules.clamp_to_position(side, asked, position, closing) == left


def test_f70_a_price_far_from_the_mark_is_refused() -> None:
    """The band is the product's."""
    product = a_product(price_band=D("0.1"))
    order_rules.check_price_band(D(66_000), D(60_000), product)
    assert code_of(lambda: order_rules.check_price_band(D(66_001), D(60_000), product)) is Refusal.OUTSIDE_PRICE_BAND


@pytest.mark.parametrize(("side", "stop"), [(Side.BUY, D(60_000)), (Side.SELL, D(60_000)), (Side.BUY, D(59_000))])
def test_a_stop_on_the_wrong_side_is_refused(side: Side, stop: Decimal) -> None:
    """A buy stop waits above the market, a sell stop below."""
    assert code_of(lambda: order_rules.check_stop_side(side, stop, D(60_000))) is Refusal.INVALID_STOP


@pytest.mark.parametrize(
    ("side", "price", "crosses"),
    [
        (Side.BUY, D(60_005), True),
        (Side.BUY, D(60_000), False),
        (Side.SELL, D(59_995), True),
        (Side.SELL, D(60_000), False),
    ],
)
def test_a_post_only_order_may_not_reach_the_other_side(side: Side, price: Decimal, crosses: bool) -> None:
    """It rests or it is refused."""
    if crosses:
        assert code_of(lambda: order_rules.check_post_only(side, price, a_book())) is Refusal.POST_ONLY_CROSS
    else:
        order_rules.check_post_only(side, price, a_book())


@pytest.mark.parametrize(
    ("status", "order", "allowed"),
    [
        (TradingStatus.OPEN, an_order(), True),
        (TradingStatus.HALTED, an_order(**LIMIT), False),
        (TradingStatus.CANCEL_ONLY, an_order(**LIMIT), False),
        (TradingStatus.LIMIT_ONLY, an_order(), False),
        (TradingStatus.LIMIT_ONLY, an_order(**LIMIT), True),
        (TradingStatus.POST_ONLY, an_order(**LIMIT), False),
        (TradingStatus.POST_ONLY, an_order(**LIMIT, post_only=True), True),
    ],
)
def test_f76_the_products_status_gates_order_types(status: TradingStatus, order: OrderRequest, allowed: bool) -> None:
    """Halted takes nothing, limit-only no market orders, post-only just those."""
    product = a_product(status=status)
    if allowed:
        order_rules.check_status(order, product)
    else:
        assert code_of(lambda: order_rules.check_status(order, product)) is Refusal.PRODUCT_NOT_TRADING
