"""Can this venue do that?"""

from __future__ import annotations

import msgspec
import pytest
from tests.builders import START_NS, D, an_order

from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.values import OrderRequest, OrderType, TimeInForce
from gpt_trader.exchange.base import Capabilities
from gpt_trader.execution.advanced.broker_adapter import BrokerAdapter

SPARSE = Capabilities(
    order_types=frozenset({OrderType.MARKET, OrderType.LIMIT}),
    limit_times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC}),
    market_times_in_force=frozenset({TimeInForce.IOC}),
    post_only=False,
    reduce_only=False,
    preview=False,
    idempotent_create=True,
    lookup_by_client_id=True,
    venue_stops=False,
)
LIMIT = {"order_type": OrderType.LIMIT, "limit_price": D(60_000)}


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (an_order(**LIMIT, time_in_force=TimeInForce.FOK), Refusal.UNSUPPORTED_TIF),
        (an_order(**LIMIT, time_in_force=TimeInForce.GTD, expire_ns=START_NS + 1), Refusal.UNSUPPORTED_TIF),
        (an_order(time_in_force=TimeInForce.FOK), Refusal.UNSUPPORTED_TIF),
        (an_order(**LIMIT, time_in_force=TimeInForce.GTC, post_only=True), Refusal.UNSUPPORTED_ORDER_TYPE),
        (
            an_order(order_type=OrderType.STOP_LIMIT, limit_price=D(1), stop_price=D(1)),
            Refusal.UNSUPPORTED_ORDER_TYPE,
        ),
    ],
)
def test_what_the_venue_cannot_do_is_refused_by_name(order: OrderRequest, code: Refusal) -> None:
    """Never downgraded to something it can."""
    with pytest.raises(Refused) as caught:
        BrokerAdapter(SPARSE).check(order)
    assert caught.value.code is code
    assert caught.value.numbers


def test_what_it_can_do_passes() -> None:
    """Market IOC, limit GTC and IOC."""
    broker = BrokerAdapter(SPARSE)
    for order in (an_order(), an_order(**LIMIT, time_in_force=TimeInForce.GTC), an_order(**LIMIT)):
        broker.check(order)


ALL = frozenset(TimeInForce)
EVERYTHING = msgspec.structs.replace(
    SPARSE,
    order_types=frozenset(OrderType),
    limit_times_in_force=ALL,
    market_times_in_force=ALL,
    post_only=True,
)
GTC, GTD, IOC, FOK = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC, TimeInForce.FOK


@pytest.mark.parametrize(
    ("order_type", "offered"),
    [
        (OrderType.MARKET, {IOC, FOK}),
        (OrderType.LIMIT, {GTC, GTD, IOC, FOK}),
        (OrderType.STOP_LIMIT, {GTC, GTD}),
        (OrderType.BRACKET, {GTC, GTD}),
    ],
)
def test_the_table_of_types_and_times(order_type: OrderType, offered: set[TimeInForce]) -> None:
    """Even a venue that states everything is not asked for what makes no sense, and one that states less offers less."""
    assert BrokerAdapter(EVERYTHING).offered(order_type) == offered
    assert BrokerAdapter(SPARSE).offered(order_type) <= offered
    for time_in_force in TimeInForce:
        order = an_order(
            order_type=order_type, time_in_force=time_in_force, limit_price=D(60_000), stop_price=D(61_000)
        )
        if time_in_force in offered:
            BrokerAdapter(EVERYTHING).check(order)
        else:
            with pytest.raises(Refused) as caught:
                BrokerAdapter(EVERYTHING).check(order)
            assert caught.value.code is Refusal.UNSUPPORTED_TIF


def test_a_type_that_the_venue_lacks_offers_no_time() -> None:
    """Nothing to choose from."""
    assert BrokerAdapter(SPARSE).offered(OrderType.BRACKET) == frozenset()
