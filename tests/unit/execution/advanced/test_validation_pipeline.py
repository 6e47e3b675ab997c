"""Would the advanced engine send this?"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.builders import START_NS, D, a_market, a_snapshot, an_order

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.values import Candidate, NormalizedOrderRequest, OrderType, Side, TimeInForce
from gpt_trader.exchange.base import Capabilities
from gpt_trader.execution.advanced.broker_adapter import BrokerAdapter
from gpt_trader.execution.advanced.normalizer import OrderRequestNormalizer
from gpt_trader.execution.advanced.validation_pipeline import OrderValidationPipeline

ALL = Capabilities(
    order_types=frozenset(OrderType),
    limit_times_in_force=frozenset(TimeInForce),
    market_times_in_force=frozenset({TimeInForce.IOC, TimeInForce.FOK}),
    post_only=True,
    reduce_only=True,
    preview=False,
    idempotent_create=True,
    lookup_by_client_id=True,
    venue_stops=True,
)
POST_ONLY: dict[str, Any] = {
    "order_type": OrderType.LIMIT,
    "time_in_force": TimeInForce.GTC,
    "post_only": True,
    "limit_price": D(59_990),
}
STOP: dict[str, Any] = {
    "order_type": OrderType.STOP_LIMIT,
    "time_in_force": TimeInForce.GTC,
    "side": Side.SELL,
    "limit_price": D(59_000),
    "stop_price": D(59_100),
}


def judge(order: dict[str, Any], *, age_seconds: int = 0, **market: Any) -> NormalizedOrderRequest:
    """Validate an order against a market that was received `age_seconds` ago."""
    pipeline = OrderValidationPipeline(
        normalizer=OrderRequestNormalizer(),
        broker=BrokerAdapter(ALL),
        config=RiskConfig(),
        clock=ManualClock(START_NS + age_seconds * NS),
    )
    snapshot = msgspec.structs.replace(a_snapshot(), market=a_market(**market))
    return asyncio.run(pipeline.validate(Candidate(order=an_order(**order), snapshot=snapshot)))


def refusal(order: dict[str, Any], **world: Any) -> Refusal:
    with pytest.raises(Refused) as caught:
        judge(order, **world)
    return caught.value.code


def test_a_sound_order_passes_with_its_snapshot() -> None:
    """Nothing is changed that need not be."""
    passed = judge(POST_ONLY)
    assert passed.order == an_order(**POST_ONLY)
    assert passed.snapshot.market == a_market()


@pytest.mark.parametrize("price", [60_005, 60_010])
def test_a_post_only_order_that_would_take_is_refused(price: int) -> None:
    """The best ask is 60,005: meeting it is as bad as passing it."""
    assert refusal(POST_ONLY | {"limit_price": D(price)}) is Refusal.POST_ONLY_CROSS


def test_a_post_only_order_one_tick_inside_rests() -> None:
    """A buy below the best ask does not cross."""
    assert judge(POST_ONLY | {"limit_price": D(60_000)}).order.post_only


@pytest.mark.parametrize(("world", "passes"), [({"age_seconds": 15}, True), ({"age_seconds": 16}, False)])
def test_post_only_needs_a_fresh_book(world: dict[str, Any], passes: bool) -> None:
    """Fifteen seconds are allowed by default; an older book only collects rejects."""
    if passes:
        assert judge(POST_ONLY, **world)
    else:
        assert refusal(POST_ONLY, **world) is Refusal.STALE_BOOK


def test_post_only_without_a_book_is_refused() -> None:
    """No book is not an empty book."""
    assert refusal(POST_ONLY, book=None) is Refusal.STALE_BOOK


def test_a_price_outside_the_venues_band_is_refused() -> None:
    """The band is 10 % around the mark of 60,000."""
    limit = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC}
    assert judge({**limit, "limit_price": D(54_000)})
    assert refusal({**limit, "limit_price": D(53_995)}) is Refusal.OUTSIDE_PRICE_BAND


def test_a_stop_lies_beyond_the_last_trade() -> None:
    """A sell stop below the last price passes; at it, it would fire at once."""
    assert judge(STOP, last_price=D(60_000))
    assert refusal(STOP, last_price=D(59_100)) is Refusal.INVALID_STOP


def test_a_stop_before_any_trade_is_refused() -> None:
    """Its side cannot be judged, and no price is invented."""
    assert refusal(STOP, last_price=None) is Refusal.INVALID_STOP
