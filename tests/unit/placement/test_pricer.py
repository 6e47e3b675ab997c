"""What should the next attempt cost?"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import D, a_product, an_order

from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.values import OrderType, Side
from gpt_trader.placement.pricer import (
    AggressiveLimitPricer,
    QuoteStage,
    break_even_price,
    collar_at,
    worst_price,
)

BUY, SELL = Side.BUY, Side.SELL
TOUCH, INSIDE, CROSS = QuoteStage.TOUCH, QuoteStage.INSIDE, QuoteStage.CROSS


@pytest.mark.parametrize(
    ("quotes", "stages"),
    [
        (9, [TOUCH] * 3 + [INSIDE] * 3 + [CROSS] * 3),
        (2, [INSIDE, CROSS]),
        (1, [CROSS]),
        (4, [TOUCH, INSIDE, CROSS, CROSS]),
        (3, [TOUCH, INSIDE, CROSS]),
    ],
)
def test_quotes_go_from_touch_to_inside_to_cross(quotes: int, stages: list[QuoteStage]) -> None:
    """Thirds of the quotes, and the last one always crosses."""
    assert [AggressiveLimitPricer.stage(quote, quotes) for quote in range(quotes)] == stages


@pytest.mark.parametrize(
    ("stage", "side", "bid", "ask", "worst", "price"),
    [
        (TOUCH, BUY, 100, 130, None, 100),
        (TOUCH, SELL, 100, 130, None, 130),
        (INSIDE, BUY, 100, 130, None, 115),
        (INSIDE, SELL, 100, 130, None, 115),
        (INSIDE, BUY, 100, 125, None, 110),  # the middle 112.5 is no tick: away from the ask
        (INSIDE, SELL, 100, 125, None, 115),  # and away from the bid
        (INSIDE, BUY, 100, 105, None, 100),  # one tick of spread has no inside
        (INSIDE, SELL, 100, 105, None, 105),
        (CROSS, BUY, 100, 130, None, 130),
        (CROSS, SELL, 100, 130, None, 100),
        (CROSS, BUY, 100, 130, 120, 120),  # the cap holds at every stage
        (TOUCH, BUY, 100, 130, 90, 90),
        (CROSS, SELL, 100, 130, 110, 110),
        (TOUCH, SELL, 100, 130, 140, 140),
        (CROSS, BUY, 100, 130, 200, 130),  # and is no target
    ],
)
def test_each_stage_has_its_price(  # noqa: PLR0917 - a row of the table
    stage: QuoteStage, side: Side, bid: int, ask: int, worst: int | None, price: int
) -> None:
    """Own best price, half way in, opposite best price; never worse than allowed, always on the tick of 5."""
    cap = None if worst is None else D(worst)
    quoted = AggressiveLimitPricer.calculate_price(stage, side, bid=D(bid), ask=D(ask), tick=D(5), worst=cap)
    assert quoted == price


@given(
    stage=st.sampled_from(QuoteStage),
    side=st.sampled_from(Side),
    bid=st.integers(1, 10_000),
    spread=st.integers(1, 300),
)
def test_only_the_last_stage_meets_the_other_side(stage: QuoteStage, side: Side, bid: int, spread: int) -> None:
    """Touch and inside rest, whatever the spread; every price lies on the tick and within the spread."""
    tick = D(5)
    low, high = bid * tick, (bid + spread) * tick
    price = AggressiveLimitPricer.calculate_price(stage, side, bid=low, ask=high, tick=tick)
    assert low <= price <= high
    assert price % tick == 0
    meets = price == (high if side is BUY else low)
    assert meets is (stage is CROSS)


@pytest.mark.parametrize(
    ("side", "trigger", "fee", "price"),
    [
        # sold at 60 000, buy back: 60 000 * 0.999 / 1.001 = 59 880.1 -> 59 880
        (BUY, 60_000, "0.001", 59_880),
        # bought at 60 000, sell: 60 000 * 1.001 / 0.999 = 60 120.1 -> 60 125
        (SELL, 60_000, "0.001", 60_125),
        (BUY, 60_000, "0", 60_000),
        (SELL, 60_000, "0", 60_000),
    ],
)
def test_break_even_pays_the_fees_of_both_legs(side: Side, trigger: int, fee: str, price: int) -> None:
    """Computed by hand, and rounded to where it does not lose."""
    assert break_even_price(side, D(trigger), D(fee), D(5)) == price


@given(side=st.sampled_from(Side), trigger=st.integers(1_000, 200_000), fee=st.integers(0, 50))
def test_break_even_never_loses_and_one_tick_further_does(side: Side, trigger: int, fee: int) -> None:
    """What both legs pay and get, at the price and one tick beyond it."""
    rate, tick = D(fee) / 10_000, D(5)
    price = break_even_price(side, D(trigger), rate, tick)

    def profit(at: Decimal) -> Decimal:
        got, paid = (D(trigger), at) if side is BUY else (at, D(trigger))
        return got * (1 - rate) - paid * (1 + rate)

    assert profit(price) >= 0
    assert profit(price + side.sign * tick) < 0


@pytest.mark.parametrize(
    ("side", "limit", "trigger", "worst"),
    [
        (BUY, None, None, None),
        (BUY, "60003", None, 60_000),
        (SELL, "60003", None, 60_005),
        (BUY, None, "60000", 59_880),
        (BUY, "59000", "60000", 59_000),
        (BUY, "61000", "60000", 59_880),
        (SELL, "61000", "60000", 61_000),
    ],
)
def test_the_nearer_bound_is_the_worst_price(
    side: Side, limit: str | None, trigger: str | None, worst: int | None
) -> None:
    """The request's own limit and the break-even price; fees of 10 basis points a side."""
    order = an_order(
        side=side,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit_price=None if limit is None else D(limit),
        trigger_fill_price=None if trigger is None else D(trigger),
    )
    assert worst_price(order, a_product()) == worst


@pytest.mark.parametrize("trigger", ["0", "-1", "NaN", "Infinity"])
def test_a_trigger_fill_that_is_no_price_is_refused(trigger: str) -> None:
    """By name, before anything is sent."""
    with pytest.raises(Refused) as caught:
        worst_price(an_order(trigger_fill_price=D(trigger)), a_product())
    assert caught.value.code is Refusal.INVALID_PRICE


@pytest.mark.parametrize(
    ("side", "bid", "ask", "bps", "price"),
    [
        (BUY, 59_995, 60_005, 10, 60_060),
        (SELL, 59_995, 60_005, 10, 59_940),
        (BUY, 59_000, 61_000, 10, 60_060),  # the ask lies beyond twice the collar: it is not paid
        (BUY, 59_910, 60_090, 10, 60_090),  # within twice the collar a wide spread is a price too
        (SELL, 59_910, 60_090, 10, 59_910),
    ],
)
def test_the_collar_of_the_moment(side: Side, bid: int, ask: int, bps: int, price: int) -> None:
    """Around the middle of now, on the tick."""
    assert collar_at(side, D(bid), D(ask), D(bps), D(5)) == price
