"""Are the twelve order configurations read as Coinbase reads them?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import pytest
from tests.builders import START_NS, a_product

from gpt_trader.core.values import OrderType, Side, TimeInForce
from gpt_trader.venue.wire.formats import stamp
from gpt_trader.venue.wire.listing import Listed
from gpt_trader.venue.wire.reasons import Rejection
from gpt_trader.venue.wire.terms import CONFIGURATIONS, Terms, read_terms

D = Decimal
LATER: Final = stamp(START_NS + 3600 * 10**9)
LISTED: Final = Listed(0, a_product())


def read(name: str, fields: dict[str, Any], side: Side = Side.BUY) -> Terms:
    return read_terms({name: fields}, LISTED, side, START_NS)


def refusal(name: str, fields: dict[str, Any], side: Side = Side.BUY) -> str:
    with pytest.raises(Rejection) as caught:
        read(name, fields, side)
    return caught.value.reason


def test_there_are_twelve() -> None:
    """All that the protocol knows, and no other."""
    assert len(CONFIGURATIONS) == 12


@pytest.mark.parametrize(
    ("name", "tif", "wire"),
    [
        ("sor_limit_ioc", TimeInForce.IOC, "IMMEDIATE_OR_CANCEL"),
        ("limit_limit_gtc", TimeInForce.GTC, "GOOD_UNTIL_CANCELLED"),
        ("limit_limit_gtd", TimeInForce.GTD, "GOOD_UNTIL_DATE_TIME"),
        ("limit_limit_fok", TimeInForce.FOK, "FILL_OR_KILL"),
    ],
)
def test_a_limit_order_carries_its_time_in_force(name: str, tif: TimeInForce, wire: str) -> None:
    """The configuration's name says how long it lives."""
    terms = read(name, {"base_size": "3", "limit_price": "60000", "end_time": LATER})
    assert (terms.kernel_tif, terms.time_in_force, terms.size) == (tif, wire, D(3))


def test_a_bracket_closes_with_a_target_and_a_stop() -> None:
    """It only reduces, and its prices stand on both sides."""
    terms = read(
        "trigger_bracket_gtc", {"base_size": "1", "limit_price": "61000", "stop_trigger_price": "59000"}, Side.SELL
    )
    assert (terms.kernel_type, terms.limit_price, terms.stop_price) == (OrderType.BRACKET, D(61000), D(59000))
    assert terms.reduce_only


def test_a_scaled_order_is_a_ladder_of_whole_contracts() -> None:
    """Prices are evenly apart, sizes grow as asked, and nothing is lost to rounding."""
    terms = read(
        "scaled_limit_gtc",
        {
            "base_size": "10",
            "num_orders": 4,
            "min_price": "59000",
            "max_price": "59300",
            "size_distribution": "INCREASING",
        },
    )
    assert [leg.price for leg in terms.legs] == [D(59000), D(59100), D(59200), D(59300)]
    assert [leg.size for leg in terms.legs] == [D(1), D(2), D(3), D(4)]


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("limit_limit_gtc", {"base_size": "1.5", "limit_price": "60000"}, "INVALID_SIZE_PRECISION"),
        ("limit_limit_gtc", {"base_size": "1", "limit_price": "60001"}, "INVALID_PRICE_PRECISION"),
        ("limit_limit_gtc", {"base_size": "-1", "limit_price": "60000"}, "INVALID_REQUEST"),
        ("limit_limit_gtc", {"base_size": "NaN", "limit_price": "60000"}, "INVALID_REQUEST"),
        ("limit_limit_gtc", {"base_size": "1"}, "INVALID_REQUEST"),
        ("market_market_ioc", {"quote_size": "100"}, "QUOTE_ORDERS_NOT_ALLOWED_FOR_PRODUCT"),
        (
            "limit_limit_fok",
            {"base_size": "1", "limit_price": "60000", "post_only": True},
            "POST_ONLY_NOT_ALLOWED_WITH_FOK",
        ),
        ("limit_limit_gtd", {"base_size": "1", "limit_price": "60000"}, "GTD_ORDERS_MUST_HAVE_END_TIME"),
        (
            "limit_limit_gtd",
            {"base_size": "1", "limit_price": "60000", "end_time": "2020-01-01T00:00:00Z"},
            "END_TIME_IS_IN_THE_PAST",
        ),
        (
            "limit_limit_gtd",
            {"base_size": "1", "limit_price": "60000", "end_time": "9999-12-31T23:59:59Z"},
            "END_TIME_TOO_FAR_IN_FUTURE",
        ),
        (
            "stop_limit_stop_limit_gtc",
            {"base_size": "1", "limit_price": "61000", "stop_price": "61005"},
            "INVALID_LIMIT_PRICE",
        ),
        (
            "trigger_bracket_gtc",
            {"base_size": "1", "limit_price": "61000", "stop_trigger_price": "59000"},
            "INVALID_BRACKET_PRICES",
        ),
        (
            "twap_limit_gtd",
            {
                "base_size": "4",
                "limit_price": "60000",
                "end_time": LATER,
                "number_buckets": "4",
                "bucket_duration": "3000s",
            },
            "DURATION_TOO_SMALL",
        ),
        (
            "scaled_limit_gtc",
            {"base_size": "2", "num_orders": 3, "min_price": "59000", "max_price": "59300"},
            "SCALED_MIN_ORDER_VIOLATION",
        ),
        ("peg_limit_gtc", {"base_size": "1"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ],
)
def test_what_the_venue_rejects_is_rejected(name: str, fields: dict[str, Any], reason: str) -> None:
    """With the reason that the protocol has for it."""
    assert refusal(name, fields) == reason


def test_two_configurations_at_once_are_none() -> None:
    """Exactly one is allowed."""
    with pytest.raises(Rejection, match="UNSUPPORTED_ORDER_CONFIGURATION"):
        read_terms({"market_market_ioc": {}, "market_market_fok": {}}, LISTED, Side.BUY, START_NS)
