"""Can somebody else's client trade here? The unmodified official SDK, over TLS, through a scripted day."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from coinbase.websocket import WSClient, WSUserClient
from tests.venue_server import PRODUCT, Frames, ServedVenue, served

from gpt_trader.venue.wire.formats import stamp

# the SDK's own way of opening a socket, which is what is tested here
pytestmark = pytest.mark.filterwarnings("ignore:ssl.:DeprecationWarning")
D = Decimal
TICK = 5


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ServedVenue]:
    with served(tmp_path, accounts=2, cash=D(100_000), history_seconds=3300) as running:
        yield running


@pytest.fixture
def market(venue: ServedVenue) -> Iterator[Frames]:
    """Everything that the market endpoint tells of one product."""
    frames = Frames()
    client = WSClient(key_file=venue.ready["keys"][0], base_url=venue.ready["ws"], on_message=frames)
    client.open()
    client.subscribe(
        [PRODUCT], ["ticker", "ticker_batch", "level2", "market_trades", "candles", "status", "heartbeats"]
    )
    yield frames
    frames.wait_for_number(venue.numbered("level2"))  # a client of the SDK that is behind cannot be closed in time
    client.close()


@pytest.fixture
def user(venue: ServedVenue) -> Iterator[Frames]:
    """Everything that the user endpoint tells account 0."""
    frames = Frames()
    client = WSUserClient(key_file=venue.ready["keys"][0], base_url=venue.ready["ws_user"], on_message=frames)
    client.open()
    client.subscribe([], ["user", "heartbeats", "futures_balance_summary"])
    frames.wait_for_channel("futures_balance_summary")
    yield frames
    frames.wait_for_number(venue.numbered("user"))
    client.close()


class Day:
    """One account's dealings through the SDK; every order must be taken."""

    def __init__(self, venue: ServedVenue) -> None:
        self.venue = venue
        self.client = venue.rest()

    def touch(self) -> tuple[int, int]:
        book = self.client.get_product_book(PRODUCT, limit=1)["pricebook"]
        return int(book["bids"][0]["price"]), int(book["asks"][0]["price"])

    def place(self, client_order_id: str, side: str, configuration: dict[str, Any]) -> str:
        answer = self.client.create_order(client_order_id, PRODUCT, side, configuration)
        assert answer["success"], answer.to_dict()
        order_id: str = answer["success_response"]["order_id"]
        return order_id

    def order(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_order(order_id)["order"].to_dict()
        return found

    def in_seconds(self, seconds: int) -> str:
        return stamp(self.venue.server.running.now_ns + seconds * 10**9)


def test_each_order_configuration_is_placed(venue: ServedVenue, user: Frames) -> None:
    """All twelve are taken, do what their name says, and are told alike over REST and WebSocket."""
    day = Day(venue)
    bid, ask = day.touch()
    far, deep = str(bid - 200 * TICK), str(bid - 400 * TICK)
    orders: dict[str, tuple[str, dict[str, Any]]] = {
        "ioc": ("BUY", {"market_market_ioc": {"base_size": "2"}}),
        "fok": ("BUY", {"market_market_fok": {"base_size": "1"}}),
        "sor": ("BUY", {"sor_limit_ioc": {"base_size": "1", "limit_price": str(ask + 10 * TICK)}}),
        "limit-fok": ("BUY", {"limit_limit_fok": {"base_size": "1", "limit_price": str(ask + 10 * TICK)}}),
        "gtc": ("BUY", {"limit_limit_gtc": {"base_size": "1", "limit_price": far, "post_only": True}}),
        "gtd": (
            "BUY",
            {"limit_limit_gtd": {"base_size": "1", "limit_price": far, "end_time": day.in_seconds(60)}},
        ),
        "stop-gtc": (
            "SELL",
            {
                "stop_limit_stop_limit_gtc": {
                    "base_size": "1",
                    "limit_price": deep,
                    "stop_price": far,
                    "stop_direction": "STOP_DIRECTION_STOP_DOWN",
                }
            },
        ),
        "stop-gtd": (
            "SELL",
            {
                "stop_limit_stop_limit_gtd": {
                    "base_size": "1",
                    "limit_price": deep,
                    "stop_price": far,
                    "stop_direction": "STOP_DIRECTION_STOP_DOWN",
                    "end_time": day.in_seconds(60),
                }
            },
        ),
        "bracket-gtc": (
            "SELL",
            {
                "trigger_bracket_gtc": {
                    "base_size": "1",
                    "limit_price": str(ask + 200 * TICK),
                    "stop_trigger_price": far,
                }
            },
        ),
        "bracket-gtd": (
            "SELL",
            {
                "trigger_bracket_gtd": {
                    "base_size": "1",
                    "limit_price": str(ask + 200 * TICK),
                    "stop_trigger_price": far,
                    "end_time": day.in_seconds(60),
                }
            },
        ),
        "twap": (
            "BUY",
            {
                "twap_limit_gtd": {
                    "base_size": "4",
                    "limit_price": str(ask + 200 * TICK),
                    "start_time": day.in_seconds(0),
                    "end_time": day.in_seconds(600),
                    "number_buckets": "4",
                    "bucket_duration": "30s",
                }
            },
        ),
        "scaled": (
            "BUY",
            {
                "scaled_limit_gtc": {
                    "base_size": "6",
                    "num_orders": 3,
                    "min_price": deep,
                    "max_price": far,
                    "price_distribution": "FLAT",
                    "size_distribution": "INCREASING",
                }
            },
        ),
    }
    ids = {name: day.place(name, side, configuration) for name, (side, configuration) in orders.items()}
    venue.advance(130)
    status = {name: day.order(order_id)["status"] for name, order_id in ids.items()}
    assert status == {
        **dict.fromkeys(("ioc", "fok", "sor", "limit-fok", "twap"), "FILLED"),
        **dict.fromkeys(("gtc", "stop-gtc", "bracket-gtc", "scaled"), "OPEN"),
        **dict.fromkeys(("gtd", "stop-gtd", "bracket-gtd"), "EXPIRED"),
    }
    user.wait_for_order("twap", "FILLED")
    for name, order_id in ids.items():
        over_rest, told = day.order(order_id), user.orders()[name]
        assert told["order_id"] == order_id
        assert told["status"] == over_rest["status"]
        assert told["cumulative_quantity"] == over_rest["filled_size"]
        assert told["avg_price"] == over_rest["average_filled_price"]
        assert told["total_fees"] == over_rest["total_fees"]
    assert day.order(ids["twap"])["number_of_fills"] == "4"


def test_a_whole_day_balances(venue: ServedVenue, market: Frames, user: Frames) -> None:
    """Orders, an edit, cancels, fills, funding and the close: the account ends where its own records say."""
    day = Day(venue)
    client = day.client
    assert client.get_api_key_permissions()["can_trade"]
    start = D(client.get_futures_balance_summary()["balance_summary"]["total_usd_balance"]["value"])
    entry = day.place("entry", "BUY", {"market_market_ioc": {"base_size": "10"}})
    bid, _ = day.touch()
    rest = day.place("rest", "BUY", {"limit_limit_gtc": {"base_size": "5", "limit_price": str(bid - 400 * TICK)}})
    edited = client.edit_order(rest, price=str(bid), size="4")
    assert edited["success"], edited.to_dict()
    venue.advance_until(lambda: day.order(rest)["status"] == "FILLED")
    gone = day.place("gone", "SELL", {"limit_limit_gtc": {"base_size": "3", "limit_price": str(bid + 500 * TICK)}})
    cancelled = client.cancel_orders([gone, "no-such-order"]).to_dict()["results"]
    assert [row["success"] for row in cancelled] == [True, False]
    assert cancelled[1]["failure_reason"] == "UNKNOWN_CANCEL_ORDER"
    held = client.get_futures_position(PRODUCT)["position"].to_dict()
    assert (held["side"], held["number_of_contracts"]) == ("LONG", "14")
    venue.advance(3601 - venue.server.running.now_ns // 10**9 % 3600)  # past the hour: funding
    closed = client.close_position("close", PRODUCT)
    assert closed["success"], closed.to_dict()
    assert client.list_futures_positions()["positions"] == []

    fills = []
    cursor = None
    while cursor != "":
        page = client.get_fills(limit=2, cursor=cursor).to_dict()
        fills += page["fills"]
        cursor = page["cursor"]
    assert len({fill["trade_id"] for fill in fills}) == len(fills)
    signed = {"BUY": D(1), "SELL": D(-1)}
    assert sum(signed[fill["side"]] * D(fill["size"]) for fill in fills) == 0
    traded = sum(-signed[fill["side"]] * D(fill["size"]) * D(fill["price"]) for fill in fills) * D("0.01")
    fees = sum(D(fill["commission"]) for fill in fills)
    balance = client.get_futures_balance_summary().to_dict()["balance_summary"]
    funding = D(balance["funding_pnl"]["value"])
    assert funding != 0
    assert D(balance["total_usd_balance"]["value"]) == start + traded - fees + funding
    by_order = {order_id: sum(D(f["size"]) for f in fills if f["order_id"] == order_id) for order_id in (entry, rest)}
    assert by_order == {entry: D(10), rest: D(4)}

    last = user.wait_for_order("close", "FILLED")
    assert last["cumulative_quantity"] == "14"
    told = [row for frame in user.of("user") for event in frame["events"] for row in event["orders"]]
    assert {row["status"] for row in told if row["client_order_id"] == "gone"} >= {"PENDING", "OPEN", "CANCELLED"}
    for frames, channel in ((market, "level2"), (user, "user")):
        frames.wait_for_number(venue.numbered(channel))
        assert [frame["sequence_num"] for frame in frames.all] == list(range(len(frames.all)))


def test_the_book_of_the_socket_is_the_book_of_rest(venue: ServedVenue, market: Frames) -> None:
    """A snapshot and its updates, put together by the rules, are what /product_book shows; our own trades included."""
    day = Day(venue)
    market.wait_for_channel("l2_data")
    for number in range(20):
        day.place(f"take-{number}", "BUY" if number % 2 else "SELL", {"market_market_ioc": {"base_size": "30"}})
        venue.advance(3)
    market.wait_for_number(venue.numbered("level2"))
    book: dict[tuple[str, Decimal], Decimal] = {}
    for frame in market.of("l2_data"):
        for event in frame["events"]:
            if event["type"] == "snapshot":
                book.clear()
            for update in event["updates"]:
                book[update["side"], D(update["price_level"])] = D(update["new_quantity"])
    told = {key: size for key, size in book.items() if size}
    shown = day.client.get_product_book(PRODUCT, limit=500)["pricebook"].to_dict()
    assert told == {
        **{("bid", D(level["price"])): D(level["size"]) for level in shown["bids"]},
        **{("offer", D(level["price"])): D(level["size"]) for level in shown["asks"]},
    }


def test_every_reading_call_of_the_sdk_is_answered(venue: ServedVenue) -> None:
    """Products, prices, candles, trades, portfolios, fees and futures, through the SDK's own response types."""
    client = venue.rest()
    now = venue.server.running.now_ns // 10**9
    assert client.get_unix_time()["epoch_seconds"] == str(now)
    assert [product["product_id"] for product in client.get_products(product_type="FUTURE")["products"]] == [PRODUCT]
    assert client.get_product(PRODUCT)["future_product_details"]["contract_size"] == "0.01"
    assert client.get_best_bid_ask([PRODUCT])["pricebooks"][0]["asks"]
    candles = client.get_candles(PRODUCT, str(now - 3000), str(now), "FIVE_MINUTE")["candles"]
    starts = [int(candle["start"]) for candle in candles]
    assert starts == sorted(starts, reverse=True)
    assert len(starts) >= 9
    assert client.get_market_trades(PRODUCT, limit=5)["trades"][0]["exchange"] == "coinbase"
    assert client.get_public_product_book(PRODUCT)["pricebook"]["bids"]
    account = client.get_accounts()["accounts"][0]
    assert client.get_account(account["uuid"])["account"]["currency"] == "USD"
    portfolio = client.get_portfolios()["portfolios"][0]["uuid"]
    assert client.get_portfolio_breakdown(portfolio)["breakdown"]["futures_positions"] == []
    assert client.get_transaction_summary(product_type="FUTURE")["fee_tier"]["taker_fee_rate"] == "0.001"
    assert client.list_futures_sweeps()["sweeps"] == []
    assert client.get_intraday_margin_setting()["setting"] == "INTRADAY_MARGIN_SETTING_STANDARD"
    window = client.get_current_margin_window("MARGIN_PROFILE_TYPE_RETAIL_REGULAR")["margin_window"]
    assert window["margin_window_type"].startswith("MARGIN_WINDOW_TYPE_")
    assert client.list_orders()["orders"] == []


def test_what_is_retired_answers_as_retired(venue: ServedVenue) -> None:
    """INTX calls of the SDK meet the refusal that they meet in the world."""
    with pytest.raises(requests.HTTPError) as caught:
        venue.rest().list_perps_positions("some-portfolio")
    assert caught.value.response is not None
    assert caught.value.response.status_code == 403
    assert "retired" in caught.value.response.json()["message"]


def test_an_order_that_was_sent_twice_is_one_order(venue: ServedVenue) -> None:
    """The documented recovery: the same body again returns the order that exists."""
    day = Day(venue)
    configuration = {"market_market_ioc": {"base_size": "1"}}
    assert day.place("same", "BUY", configuration) == day.place("same", "BUY", configuration)
    assert len(day.client.list_orders()["orders"]) == 1
    other = day.client.create_order("same", PRODUCT, "SELL", configuration)
    assert other["error_response"]["new_order_failure_reason"] == "DUPLICATE_CLIENT_ORDER_ID"


def test_accounts_do_not_see_one_another(venue: ServedVenue) -> None:
    """Orders, fills and positions belong to the key."""
    day = Day(venue)
    order_id = day.place("mine", "BUY", {"market_market_ioc": {"base_size": "1"}})
    other = venue.rest(1)
    assert other.list_orders()["orders"] == []
    assert other.get_fills()["fills"] == []
    assert other.cancel_orders([order_id])["results"][0]["failure_reason"] == "UNKNOWN_CANCEL_ORDER"
    with pytest.raises(requests.HTTPError):
        other.get_order(order_id)
