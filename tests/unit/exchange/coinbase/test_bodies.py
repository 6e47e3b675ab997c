"""Is every order said in Coinbase's words as it was meant?"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from itertools import product as pairs
from typing import Any

import msgspec
import pytest

from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.values import OrderTicket, OrderType, Side, TimeInForce
from gpt_trader.exchange.coinbase.bodies import CAPABILITIES, CONFIGURATIONS, prepare, preview_of
from gpt_trader.market.products import simulated_product

D = Decimal
BTC = simulated_product("BTC-PERP")


def a_ticket(**changes: Any) -> OrderTicket:
    return msgspec.structs.replace(
        OrderTicket(
            client_order_id="gt-1",
            intent_id="i",
            symbol="BTC-PERP",
            side=Side.BUY,
            quantity=D("0.03"),
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            limit_price=D(50_000),
            valid_until_ns=10,
        ),
        **changes,
    )


def configuration(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(prepare(a_ticket(**changes), BTC).body)["order_configuration"]
    return found


EXPIRY_NS = 1_000_000_000_123_456_789
END = "2001-09-09T01:46:40.123456Z"
STOP = {"order_type": OrderType.STOP_LIMIT, "stop_price": D(49_000)}
BRACKET = {"order_type": OrderType.BRACKET, "stop_price": D(51_000)}
MARKET = {"order_type": OrderType.MARKET, "limit_price": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, {"limit_limit_gtc": {"base_size": "3", "limit_price": "50000", "post_only": False}}),
        ({"post_only": True}, {"limit_limit_gtc": {"base_size": "3", "limit_price": "50000", "post_only": True}}),
        (
            {"time_in_force": TimeInForce.GTD, "expire_ns": EXPIRY_NS},
            {"limit_limit_gtd": {"base_size": "3", "limit_price": "50000", "post_only": False, "end_time": END}},
        ),
        ({"time_in_force": TimeInForce.IOC}, {"sor_limit_ioc": {"base_size": "3", "limit_price": "50000"}}),
        ({"time_in_force": TimeInForce.FOK}, {"limit_limit_fok": {"base_size": "3", "limit_price": "50000"}}),
        ({**MARKET, "time_in_force": TimeInForce.IOC}, {"market_market_ioc": {"base_size": "3"}}),
        ({**MARKET, "time_in_force": TimeInForce.FOK}, {"market_market_fok": {"base_size": "3"}}),
        (
            STOP,
            {
                "stop_limit_stop_limit_gtc": {
                    "base_size": "3",
                    "limit_price": "50000",
                    "stop_price": "49000",
                    "stop_direction": "STOP_DIRECTION_STOP_UP",
                }
            },
        ),
        (
            {**BRACKET, "side": Side.SELL},
            {"trigger_bracket_gtc": {"base_size": "3", "limit_price": "50000", "stop_trigger_price": "51000"}},
        ),
    ],
)
def test_the_table(changes: dict[str, Any], said: dict[str, Any]) -> None:
    """Order type and time in force choose the configuration; sizes are whole contracts."""
    assert configuration(**changes) == said


def test_a_selling_stop_points_down() -> None:
    """The direction follows from the side."""
    said = configuration(**STOP, side=Side.SELL)["stop_limit_stop_limit_gtc"]
    assert said["stop_direction"] == "STOP_DIRECTION_STOP_DOWN"


@pytest.mark.parametrize("shape", [STOP, BRACKET])
def test_stops_end_in_time(shape: dict[str, Any]) -> None:
    """A stop with an expiry uses the configuration that has one."""
    ((name, fields),) = configuration(**shape, time_in_force=TimeInForce.GTD, expire_ns=EXPIRY_NS).items()
    assert name.endswith("_gtd")
    assert fields["end_time"] == END


@pytest.mark.parametrize(
    ("kind", "tif"), [pair for pair in pairs(OrderType, TimeInForce) if pair not in CONFIGURATIONS]
)
def test_f16_what_the_table_lacks_is_refused(kind: OrderType, tif: TimeInForce) -> None:
    """Never sent as something near it."""
    with pytest.raises(Refused) as refused:
        prepare(a_ticket(order_type=kind, time_in_force=tif), BTC)
    assert refused.value.code is Refusal.UNSUPPORTED_TIF


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": D("0.035")}, Refusal.INVALID_QUANTITY),
        ({"quantity": D(0)}, Refusal.INVALID_QUANTITY),
        ({"quantity": D("NaN")}, Refusal.INVALID_QUANTITY),
        ({"limit_price": None}, Refusal.INVALID_PRICE),
        ({"limit_price": D(50_001)}, Refusal.INVALID_PRICE),
        ({"order_type": OrderType.MARKET, "time_in_force": TimeInForce.IOC}, Refusal.INVALID_PRICE),
        ({"stop_price": D(49_000)}, Refusal.INVALID_STOP),
        ({"order_type": OrderType.STOP_LIMIT}, Refusal.INVALID_STOP),
        ({**STOP, "stop_price": D(49_001)}, Refusal.INVALID_STOP),
        ({"time_in_force": TimeInForce.GTD}, Refusal.INVALID_EXPIRY),
        ({"expire_ns": EXPIRY_NS}, Refusal.INVALID_EXPIRY),
        ({"post_only": True, "time_in_force": TimeInForce.IOC}, Refusal.POST_ONLY_WITH_IMMEDIATE),
        ({**STOP, "post_only": True}, Refusal.POST_ONLY_WITH_IMMEDIATE),
    ],
)
def test_a_ticket_that_means_nothing_is_refused(changes: dict[str, Any], code: Refusal) -> None:
    """Off the grid, a price too many or too few, an expiry where none belongs."""
    with pytest.raises(Refused) as refused:
        prepare(a_ticket(**changes), BTC)
    assert refused.value.code is code


def test_same_ticket_same_bytes() -> None:
    """Two ways to write a number give one body, and the digest is of that body."""
    one = prepare(a_ticket(), BTC)
    other = prepare(a_ticket(quantity=D("0.0300"), limit_price=D("5E+4")), BTC)
    assert one.body == other.body
    assert one.digest == other.digest == hashlib.sha256(one.body).hexdigest()


def test_a_preview_asks_for_the_same_order() -> None:
    """Everything but the id."""
    prepared = prepare(a_ticket(), BTC)
    assert {**preview_of(prepared), "client_order_id": "gt-1"} == json.loads(prepared.body)


def test_capabilities_are_those_of_the_table() -> None:
    """What is stated can be said."""
    limits = {tif for kind, tif in CONFIGURATIONS if kind is OrderType.LIMIT}
    markets = {tif for kind, tif in CONFIGURATIONS if kind is OrderType.MARKET}
    assert CAPABILITIES.limit_times_in_force == limits
    assert CAPABILITIES.market_times_in_force == markets
    assert CAPABILITIES.order_types == {kind for kind, _ in CONFIGURATIONS}
