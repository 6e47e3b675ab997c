"""What becomes of an order that is worked, changed or taken back? On a still market that the test moves by hand."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from tests.builders import MINUTE_NS, a_product, some_rows
from tests.venue_server import PRODUCT, ServedVenue, served

from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import INDEX, LEVEL, TRADE
from gpt_trader.market.stream import MarketStream
from gpt_trader.venue.wire.faults import Fault, FaultKind, PlanFile
from gpt_trader.venue.wire.formats import stamp

D = Decimal
BID, ASK = 59_990, 60_010
SECONDS: Final = 3600
DEEP: Final = 1_000_000


def a_still_market() -> MarketStream:
    """Ten levels a side of plenty, one trade, and then an hour in which nothing happens."""
    levels = [
        row
        for step in range(10)
        for row in ((LEVEL, 1, 0, BID // 5 - step, DEEP), (LEVEL, -1, 0, ASK // 5 + step, DEEP))
    ]
    rows = some_rows(*levels, (TRADE, 1, 0, 12_000, 1), *[(INDEX, 0, 0, 60_000 * 10**8)] * SECONDS)
    rows["ts"] = rows["recv"] = MINUTE_NS + np.maximum(0, np.arange(len(rows)) - len(levels)) * 10**9
    return ArrayStream([a_product()], rows)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ServedVenue]:
    with served(tmp_path, a_still_market(), cash=D(1_000_000), history_seconds=5) as running:
        yield running


class Desk:
    """Orders of account 0 by their client_order_id."""

    def __init__(self, venue: ServedVenue) -> None:
        self.venue = venue
        self.client = venue.rest()
        self.ids: dict[str, str] = {}

    def place(self, name: str, side: str, configuration: dict[str, Any]) -> None:
        answer = self.client.create_order(name, PRODUCT, side, configuration)
        assert answer["success"], answer.to_dict()
        self.ids[name] = answer["success_response"]["order_id"]

    def limit(self, name: str, side: str, price: int, size: int = 10) -> None:
        self.place(name, side, {"limit_limit_gtc": {"base_size": str(size), "limit_price": str(price)}})

    def order(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_order(self.ids[name])["order"].to_dict()
        return found

    def state(self, name: str) -> tuple[str, str]:
        order = self.order(name)
        return order["status"], order["filled_size"]

    def cancel(self, name: str) -> str:
        """The failure reason; the unknown one is success."""
        reason: str = self.client.cancel_orders([self.ids[name]])["results"][0]["failure_reason"]
        return reason

    def edit(self, name: str, price: int, size: int) -> str:
        answer = self.client.edit_order(self.ids[name], price=str(price), size=str(size))
        return "" if answer["success"] else str(answer["errors"][0]["edit_failure_reason"])

    def trade(self, price: int, size: int, side: str) -> None:
        """Others trade; the market has told it two seconds later."""
        self.venue.admin("/market", {"do": "trade", "price": price, "size": size, "side": side})
        self.venue.advance(3)


@pytest.fixture
def desk(venue: ServedVenue) -> Desk:
    return Desk(venue)


def test_an_edited_order_keeps_its_name_and_what_it_filled(desk: Desk) -> None:
    """After four of ten have traded, eight are wanted at another price: four are left to do."""
    desk.limit("edit", "BUY", ASK - 10)
    desk.trade(ASK - 15, 4, "SELL")
    assert desk.state("edit") == ("OPEN", "4")
    assert desk.edit("edit", ASK - 15, 8) == ""
    order = desk.order("edit")
    assert (order["status"], order["filled_size"], order["order_id"]) == ("OPEN", "4", desk.ids["edit"])
    assert order["order_configuration"]["limit_limit_gtc"] == {
        "base_size": "8",
        "limit_price": str(ASK - 15),
    }
    assert [(change["price"], change["size"]) for change in order["edit_history"]] == [(str(ASK - 15), "8")]
    desk.trade(ASK - 20, 50, "SELL")
    assert desk.state("edit") == ("FILLED", "8")
    assert desk.order("edit")["number_of_fills"] == "2"


def test_edits_that_cannot_be_are_named(desk: Desk) -> None:
    """One reason for each, and the order stays as it is."""
    desk.limit("rest", "BUY", ASK - 10)
    desk.trade(ASK - 15, 4, "SELL")
    assert desk.edit("rest", ASK - 10, 3) == "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"
    assert desk.edit("rest", ASK - 10, 10) == "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST"
    assert desk.edit("rest", ASK - 11, 10) == "INVALID_EDITED_PRICE"
    desk.cancel("rest")
    assert desk.edit("rest", ASK - 20, 10) == "ONLY_OPEN_ORDERS_CAN_BE_EDITED"
    desk.place("now", "BUY", {"market_market_ioc": {"base_size": "1"}})
    assert desk.edit("now", BID, 2) == "ONLY_LIMIT_ORDER_EDITS_SUPPORTED"
    desk.ids["nobody"] = "nobody"
    assert desk.edit("nobody", BID, 2) == "ORDER_NOT_FOUND"


def test_cancels_that_cannot_be_are_named(desk: Desk) -> None:
    """Filled, gone, and gone already."""
    desk.place("now", "BUY", {"market_market_ioc": {"base_size": "1"}})
    desk.limit("rest", "BUY", BID - 100)
    assert desk.cancel("now") == "ORDER_IS_FULLY_FILLED"
    assert desk.cancel("rest") == "UNKNOWN_CANCEL_FAILURE_REASON"
    assert desk.state("rest") == ("CANCELLED", "0")
    assert desk.cancel("rest") == "INVALID_CANCEL_REQUEST"


def twap(venue: ServedVenue, size: int) -> dict[str, Any]:
    now_ns = venue.server.running.now_ns
    return {
        "twap_limit_gtd": {
            "base_size": str(size),
            "limit_price": str(ASK + 100),
            "start_time": stamp(now_ns + 30 * 10**9),
            "end_time": stamp(now_ns + 400 * 10**9),
            "number_buckets": "3",
            "bucket_duration": "60s",
        }
    }


def test_a_twap_trades_bucket_by_bucket(desk: Desk, venue: ServedVenue) -> None:
    """It waits for its start, then a third each minute, whole contracts, the rest in the last one."""
    desk.place("twap", "BUY", twap(venue, 10))
    filled = [desk.state("twap")]
    for seconds in (25, 10, 60, 60):
        venue.advance(seconds)
        filled.append(desk.state("twap"))
    assert filled == [("PENDING", "0"), ("PENDING", "0"), ("OPEN", "3"), ("OPEN", "6"), ("FILLED", "10")]


def test_a_twap_that_is_cancelled_stops(desk: Desk, venue: ServedVenue) -> None:
    """What is filled stays filled, and no further slice comes."""
    desk.place("twap", "BUY", twap(venue, 10))
    venue.advance(40)
    assert desk.cancel("twap") == "UNKNOWN_CANCEL_FAILURE_REASON"
    venue.advance(300)
    assert desk.state("twap") == ("CANCELLED", "3")


def test_a_ladder_fills_from_the_top_and_is_cancelled_whole(desk: Desk) -> None:
    """Steps through which the market trades are filled, the others are taken back together."""
    desk.place(
        "ladder",
        "BUY",
        {
            "scaled_limit_gtc": {
                "base_size": "6",
                "num_orders": 3,
                "min_price": str(BID + 5),
                "max_price": str(BID + 15),
                "size_distribution": "INCREASING",
            }
        },
    )
    desk.trade(BID + 10, 3, "SELL")
    assert desk.state("ladder") == ("OPEN", "3")
    desk.cancel("ladder")
    assert desk.state("ladder") == ("CANCELLED", "3")
    assert desk.venue.server.running.venue.open_orders(0) == ()


def bracket(desk: Desk) -> None:
    desk.place("in", "BUY", {"market_market_ioc": {"base_size": "5"}})
    desk.place(
        "bracket",
        "SELL",
        {
            "trigger_bracket_gtc": {
                "base_size": "5",
                "limit_price": str(ASK + 500),
                "stop_trigger_price": str(BID - 200),
            }
        },
    )


def test_a_brackets_target_ends_it(desk: Desk) -> None:
    """At its own price, and the stop is gone with it."""
    bracket(desk)
    assert desk.order("bracket")["trigger_status"] == "STOP_PENDING"
    desk.trade(ASK + 505, 5, "BUY")
    order = desk.order("bracket")
    assert (order["status"], order["average_filled_price"]) == ("FILLED", str(ASK + 500))
    assert desk.client.list_futures_positions()["positions"] == []


def test_a_brackets_stop_ends_it(desk: Desk) -> None:
    """A trade through the trigger sells into the book; the order says that it was triggered."""
    bracket(desk)
    desk.trade(BID - 205, 1, "SELL")
    order = desk.order("bracket")
    assert (order["status"], order["trigger_status"]) == ("FILLED", "STOP_TRIGGERED")
    assert order["average_filled_price"] == str(BID)
    assert desk.client.list_futures_positions()["positions"] == []


def test_a_bracket_needs_a_position(desk: Desk) -> None:
    """It closes and never opens."""
    answer = desk.client.create_order(
        "no",
        PRODUCT,
        "SELL",
        {"trigger_bracket_gtc": {"base_size": "5", "limit_price": "60500", "stop_trigger_price": "59500"}},
    )
    assert answer["error_response"]["new_order_failure_reason"] == "REDUCE_ONLY_INCREASED_POSITION_SIZE"


def test_a_position_is_closed_in_part(desk: Desk) -> None:
    """So many contracts; more than there are is refused, and nothing is left to close at the end."""
    desk.place("in", "SELL", {"market_market_ioc": {"base_size": "5"}})
    assert desk.client.close_position("part", PRODUCT, size="2")["success"]
    position = desk.client.get_futures_position(PRODUCT)["position"]
    assert (position["side"], position["number_of_contracts"]) == ("SHORT", "3")
    reason = desk.client.close_position("more", PRODUCT, size="4")["error_response"]["new_order_failure_reason"]
    assert reason == "REDUCE_ONLY_INCREASED_POSITION_SIZE"
    assert desk.client.close_position("rest", PRODUCT)["success"]
    reason = desk.client.close_position("again", PRODUCT)["error_response"]["new_order_failure_reason"]
    assert reason == "CANNOT_CLOSE_ZERO_POSITION"


def test_what_the_market_does_not_give_is_cancelled(desk: Desk) -> None:
    """An immediate order keeps what it got; all or nothing gets nothing."""
    ioc = {"sor_limit_ioc": {"base_size": "5", "limit_price": str(ASK - 5)}}
    desk.place("ioc", "BUY", ioc)
    assert desk.state("ioc") == ("CANCELLED", "0")
    fok = {"limit_limit_fok": {"base_size": "5", "limit_price": str(ASK - 5)}}
    desk.place("fok", "BUY", fok)
    assert desk.state("fok") == ("CANCELLED", "0")


def test_an_edit_is_previewed(desk: Desk) -> None:
    """With the cost of the order as it would be, and what stands against it."""
    desk.limit("rest", "BUY", BID - 100)
    preview = desk.client.preview_edit_order(desk.ids["rest"], price=str(BID - 50), size="20")
    assert preview["errors"] == []
    assert D(preview["order_total"]) > 20 * D("0.01") * (BID - 50)
    bad = desk.client.preview_edit_order(desk.ids["rest"], price=str(BID - 100), size="10")
    assert bad["errors"][0]["edit_failure_reason"] == "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST"


def test_funding_is_paid_and_told(desk: Desk, venue: ServedVenue) -> None:
    """A long pays a rate above zero on its worth at the mark."""
    desk.place("in", "BUY", {"market_market_ioc": {"base_size": "100"}})
    venue.admin("/market", {"do": "funding", "rate": "0.001"})
    venue.advance(3)
    balance = desk.client.get_futures_balance_summary()["balance_summary"]
    assert D(balance["funding_pnl"]["value"]) == -100 * D("0.01") * 60_000 * D("0.001")


def test_an_account_is_liquidated_when_the_market_leaves_it(desk: Desk) -> None:
    """Its orders are cancelled; the venue's own order closes the position, is listed as such, and costs a fee."""
    for number in range(3):
        desk.place(f"in-{number}", "BUY", {"market_market_ioc": {"base_size": "5000"}})
    desk.limit("rest", "SELL", ASK + 500)
    position = desk.client.get_futures_position(PRODUCT)["position"]
    assert 0 < D(position["liquidation_price"]["value"]) < BID
    desk.venue.admin("/market", {"do": "liquidate", "account": 0})
    desk.venue.advance(5)
    (forced,) = desk.client.list_orders(order_types=["LIQUIDATION"])["orders"]
    assert (forced["is_liquidation"], forced["side"], forced["status"]) == (True, "SELL", "FILLED")
    assert forced["filled_size"] == "15000"
    assert D(forced["total_fees"]) > 0
    assert desk.state("rest") == ("CANCELLED", "0")
    assert desk.client.list_futures_positions()["positions"] == []


def test_a_plan_strikes_the_venue_at_its_time(tmp_path: Path) -> None:
    """A jump of a tenth after ten seconds: book, last price and what is still to come stand higher."""
    plan = PlanFile(faults=(Fault(fault=FaultKind.PRICE_JUMP, at_seconds=10, percent=10),))
    with served(tmp_path, a_still_market(), history_seconds=5, plan=plan) as venue:
        client = venue.rest()
        venue.advance(5)
        assert client.get_best_bid_ask([PRODUCT])["pricebooks"][0]["bids"][0]["price"] == str(BID)
        venue.advance(10)
        assert client.get_best_bid_ask([PRODUCT])["pricebooks"][0]["bids"][0]["price"] == str(BID + 6000)
        product = client.get_product(PRODUCT)
        assert product["price"] == "66000"
        assert product["future_product_details"]["index_price"] == "66000"


def test_a_plan_puts_the_venues_clock_wrong(tmp_path: Path) -> None:
    """Its time is ahead, and stamps with it; a minute is within a token's life."""
    plan = PlanFile(faults=(Fault(fault=FaultKind.CLOCK_SKEW, at_seconds=10, seconds=60),))
    with served(tmp_path, a_still_market(), history_seconds=5, plan=plan) as venue:
        venue.advance(15)
        told = int(venue.rest().get_unix_time()["epoch_seconds"])
        assert told == venue.server.running.now_ns // 10**9 + 60


def test_the_same_day_twice_is_the_same(tmp_path: Path) -> None:
    """Orders at the same moments of a market that is moved by hand end in the same fills, ids included."""

    def day(folder: Path) -> list[dict[str, Any]]:
        with served(folder, cash=D(100_000)) as venue:
            client = venue.rest()
            for number in range(8):
                client.create_order(
                    f"n-{number}", PRODUCT, "BUY" if number % 2 else "SELL", {"market_market_ioc": {"base_size": "70"}}
                )
                venue.advance(17)
            fills: list[dict[str, Any]] = client.get_fills(limit=100).to_dict()["fills"]
            return fills

    first = day(tmp_path / "first")
    assert len(first) > 8
    assert day(tmp_path / "second") == first
