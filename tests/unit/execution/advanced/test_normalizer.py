"""What exactly is meant?"""

from __future__ import annotations

from tests.builders import D, a_product, an_order

from gpt_trader.core.values import OrderType, Side, TimeInForce
from gpt_trader.execution.advanced.normalizer import OrderRequestNormalizer


def test_prices_and_quantity_go_to_the_safe_side_of_the_grid() -> None:
    """A buy limit rounds down, its stop does not trigger later, the quantity towards zero; what was asked is kept."""
    order = an_order(
        quantity=D("0.1999"),
        order_type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=D("60123.4"),
        stop_price=D("60101"),
    )
    normal, changed = OrderRequestNormalizer().normalize(order, a_product())
    assert (normal.quantity, normal.limit_price, normal.stop_price) == (D("0.19"), D(60_120), D(60_100))
    assert changed == {
        "asked_quantity": D("0.1999"),
        "asked_limit_price": D("60123.4"),
        "asked_stop_price": D("60101"),
    }


def test_a_sell_rounds_the_other_way() -> None:
    """A sell limit rounds up."""
    order = an_order(side=Side.SELL, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, limit_price=D("60121"))
    assert OrderRequestNormalizer().normalize(order, a_product())[0].limit_price == D(60_125)


def test_what_is_on_the_grid_is_left_alone() -> None:
    """Nothing changed, nothing to tell."""
    assert OrderRequestNormalizer().normalize(an_order(), a_product()) == (an_order(), {})


def test_less_than_a_lot_stays_as_asked_for_the_size_rule_to_name() -> None:
    """Rounding to zero would hide what was wrong."""
    assert OrderRequestNormalizer().normalize(an_order(quantity=D("0.004")), a_product())[0].quantity == D("0.004")
