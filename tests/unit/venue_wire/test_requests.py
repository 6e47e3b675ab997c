"""Does REST refuse, limit, break and recover as Coinbase does? And does the admin's port do what it says?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest
import requests
from tests.venue_server import PREFIX, PRODUCT, ServedVenue, served

D = Decimal
BUY_ONE: Final = {"market_market_ioc": {"base_size": "1"}}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    with served(tmp_path_factory.mktemp("venue"), cash=D(500_000)) as running:
        yield running


@pytest.fixture(autouse=True)
def as_it_was(venue: ServedVenue) -> Iterator[None]:
    """Each test brings its own faults, switches and rights."""
    yield
    venue.admin("/faults", method="DELETE")
    venue.admin(
        "/switches",
        {
            "live": False,
            "duplicates_refused": False,
            "edits_refused": False,
            "plain_amounts": False,
            "skew_seconds": 0,
            "rate_limit_private": 0,
            "rate_limit_public": 0,
        },
    )
    venue.admin("/keys", {"account": 0, "can_view": True, "can_trade": True, "can_transfer": False})


def order_ids(venue: ServedVenue, name: str) -> list[str]:
    """Orders that the venue has under this client_order_id."""
    orders = venue.rest().list_orders()["orders"]
    return [order["order_id"] for order in orders if order["client_order_id"] == name]


def refused(venue: ServedVenue, work: str, *arguments: Any, **named: Any) -> requests.Response:
    with pytest.raises(requests.HTTPError) as caught:
        vars(type(venue.rest()))[work](venue.rest(), *arguments, **named)
    assert caught.value.response is not None
    return caught.value.response


def create(venue: ServedVenue, name: str, **client: Any) -> Any:
    return venue.rest(**client).create_order(name, PRODUCT, "BUY", BUY_ONE)


# what is refused


def test_without_a_token_nobody_gets_in(venue: ServedVenue) -> None:
    """401 and plain text, as the real one; public twins and the time need none."""
    answer = venue.get(f"{PREFIX}/accounts")
    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert venue.get(f"{PREFIX}/market/products").status_code == 200
    assert venue.get(f"{PREFIX}/time").status_code == 200


def test_a_skewed_clock_refuses_good_tokens(venue: ServedVenue) -> None:
    """The venue's clock is ten minutes ahead: every token has expired."""
    venue.admin("/switches", {"skew_seconds": 600})
    assert refused(venue, "get_accounts").status_code == 401


def test_a_key_that_may_not_trade_is_told_so(venue: ServedVenue) -> None:
    """403 with the words that the SDK looks for."""
    venue.admin("/keys", {"account": 0, "can_trade": False})
    answer = refused(venue, "create_order", "no", PRODUCT, "BUY", BUY_ONE)
    assert answer.status_code == 403
    assert '"error_details":"Missing required scopes"' in answer.text
    assert venue.rest().get_api_key_permissions()["can_trade"] is False


def test_limits_are_kept_and_told(venue: ServedVenue) -> None:
    """So many requests a second; then 429 with Retry-After, and headers whose names are in lower case."""
    venue.admin("/switches", {"rate_limit_private": 3})
    client = venue.rest()
    for _ in range(3):
        assert client.get(f"{PREFIX}/key_permissions")["can_view"]
    with pytest.raises(requests.HTTPError) as caught:
        client.get(f"{PREFIX}/key_permissions")
    answer = caught.value.response
    assert answer is not None
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert [name for name, _ in answer.raw.headers.items() if name.startswith("x-ratelimit")] == [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ]
    assert answer.json()["errors"][0]["id"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/market/products/NO-SUCH", 404, "NOT_FOUND"),
        ("/market/product_book", 404, "NOT_FOUND"),
        (f"/market/products/{PRODUCT}/candles?start=1&end=2&granularity=ONE_WEEK", 400, "INVALID_ARGUMENT"),
        (f"/market/products/{PRODUCT}/candles?start=0&end=99999999&granularity=ONE_MINUTE", 400, "INVALID_ARGUMENT"),
        (f"/market/products/{PRODUCT}/ticker", 400, "INVALID_ARGUMENT"),
        ("/no/such/endpoint", 404, "NOT_FOUND"),
    ],
)
def test_errors_have_the_documented_body(venue: ServedVenue, path: str, status: int, error: str) -> None:
    """A name, a number, a message, and details."""
    answer = venue.get(PREFIX + path)
    assert answer.status_code == status
    body = answer.json()
    assert body["error"] == error
    assert isinstance(body["code"], int)
    assert body["message"]


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ({"limit_limit_gtc": {"base_size": "1", "limit_price": "5"}}, "LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_BUY"),
        ({"market_market_ioc": {"base_size": "5000"}}, "INSUFFICIENT_FUND"),
        ({"market_market_ioc": {"base_size": "50000"}}, "UNKNOWN_FAILURE_REASON"),
        ({"limit_limit_gtc": {"base_size": "1", "limit_price": "60500", "post_only": True}}, "POST_ONLY"),
    ],
)
def test_a_refused_order_is_no_http_error(venue: ServedVenue, configuration: dict[str, Any], reason: str) -> None:
    """200 and success false; the order is not there afterwards, and its id is free."""
    answer = venue.rest().create_order("refused", PRODUCT, "BUY", configuration)
    assert answer["success"] is False
    assert reason in answer["error_response"]["new_order_failure_reason"]
    assert order_ids(venue, "refused") == []


def test_pages_of_orders_and_fills_join(venue: ServedVenue) -> None:
    """Nothing is missing and nothing comes twice, in pages of two."""
    for number in range(5):
        assert create(venue, f"page-{number}")["success"]
    client = venue.rest()
    found: list[str] = []
    cursor = None
    while True:
        page = client.list_orders(product_ids=[PRODUCT], order_side="BUY", limit=2, cursor=cursor).to_dict()
        found += [order["client_order_id"] for order in page["orders"]]
        cursor = page["cursor"]
        if not page["has_next"]:
            break
    assert len(found) == len(set(found))
    assert [name for name in found if name.startswith("page-")] == [f"page-{number}" for number in (4, 3, 2, 1, 0)]


# faults of requests


def test_a_lost_reply_leaves_an_order_behind(venue: ServedVenue) -> None:
    """The connection breaks after the order was taken; the same body again finds it."""
    venue.admin("/faults", {"fault": "lost_reply", "method": "POST", "path": "/orders", "nth": [1]})
    with pytest.raises(requests.ConnectionError):
        create(venue, "lost")
    assert create(venue, "lost")["success_response"]["order_id"] == order_ids(venue, "lost")[0]
    assert len(order_ids(venue, "lost")) == 1


def test_a_lost_request_leaves_nothing_behind(venue: ServedVenue) -> None:
    """The same broken connection, and no order."""
    venue.admin("/faults", {"fault": "lost_request", "method": "POST", "path": "/orders", "nth": [1]})
    with pytest.raises(requests.ConnectionError):
        create(venue, "never-came")
    assert order_ids(venue, "never-came") == []


def test_a_stale_read_does_not_show_what_is_new(venue: ServedVenue) -> None:
    """Order and trade are there, and a read that lags by a minute knows of neither."""
    order_id = create(venue, "unseen")["success_response"]["order_id"]
    client = venue.rest()
    venue.admin("/faults", {"fault": "stale_read", "seconds": 60, "method": "GET"})
    assert refused(venue, "get_order", order_id).status_code == 404
    assert client.get_fills(order_ids=[order_id]).to_dict()["fills"] == []
    stale = client.list_futures_positions().to_dict()["positions"]
    venue.admin("/faults", method="DELETE")
    assert client.get_fills(order_ids=[order_id]).to_dict()["fills"]
    assert client.list_futures_positions().to_dict()["positions"] != stale


def test_a_late_reply_outlives_the_clients_patience(venue: ServedVenue) -> None:
    """The client gives up; the order is there."""
    venue.admin("/faults", {"fault": "late_reply", "path": "/orders", "nth": [1], "seconds": 3.0})
    with pytest.raises(requests.Timeout):
        create(venue, "late", timeout=1.0)
    assert len(order_ids(venue, "late")) == 1


def test_a_zombie_arrives_after_its_sender_gave_up(venue: ServedVenue) -> None:
    """Not there at first, there later: absence proves nothing."""
    venue.admin("/faults", {"fault": "late_request", "path": "/orders", "nth": [1], "seconds": 2.0})
    with pytest.raises(requests.ConnectionError):
        create(venue, "zombie")
    assert order_ids(venue, "zombie") == []
    deadline = time.monotonic() + 20
    while not order_ids(venue, "zombie"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("fault", "status", "placed"),
    [
        ({"fault": "rate_limited", "seconds": 7}, 429, 0),
        ({"fault": "server_error", "status": 503}, 503, 0),
        ({"fault": "server_error", "status": 500, "processed": True}, 500, 1),
        ({"fault": "html_body", "status": 502}, 502, 0),
        ({"fault": "unauthorized"}, 401, 0),
    ],
)
def test_a_refusing_reply_says_nothing_of_the_order(
    venue: ServedVenue, fault: dict[str, Any], status: int, placed: int
) -> None:
    """A 5xx may hide an order; a 429 and a 401 do not."""
    name = f"{fault['fault']}-{status}"
    venue.admin("/faults", {"path": "/orders", "nth": [1], **fault})
    assert refused(venue, "create_order", name, PRODUCT, "BUY", BUY_ONE).status_code == status
    assert len(order_ids(venue, name)) == placed


@pytest.mark.parametrize("fault", [{"fault": "truncated_json"}, {"fault": "html_body", "status": 200}])
def test_a_body_that_is_no_json_comes_with_200(venue: ServedVenue, fault: dict[str, Any]) -> None:
    """The SDK raises while it reads what it took for an answer."""
    venue.admin("/faults", {"path": "/orders", "nth": [1], "processed": True, **fault})
    with pytest.raises(requests.exceptions.JSONDecodeError):
        create(venue, f"body-{fault['fault']}")
    assert len(order_ids(venue, f"body-{fault['fault']}")) == 1


def test_an_enum_may_be_one_that_nobody_knows(venue: ServedVenue) -> None:
    """A client must not fall over a new word."""
    venue.admin("/faults", {"fault": "unknown_enum", "path": "/orders/historical/batch", "nth": [1]})
    create(venue, "enum")
    assert venue.rest().list_orders()["orders"][0]["status"] == "SOMETHING_NEW"


def test_an_accepted_order_may_fail_later(venue: ServedVenue) -> None:
    """Success in the reply, FAILED a moment of the market later."""
    venue.admin("/faults", {"fault": "failed_later", "path": "/orders", "nth": [1]})
    answer = create(venue, "fails")
    assert answer["success"]
    order_id = answer["success_response"]["order_id"]
    assert venue.rest().get_order(order_id)["order"]["status"] == "PENDING"
    venue.advance(1)
    assert venue.rest().get_order(order_id)["order"]["status"] == "FAILED"


# switches


def test_a_known_id_may_be_refused(venue: ServedVenue) -> None:
    """The other reading of the documents: DUPLICATE_CLIENT_ORDER_ID."""
    create(venue, "twice")
    venue.admin("/switches", {"duplicates_refused": True})
    assert create(venue, "twice")["error_response"]["new_order_failure_reason"] == "DUPLICATE_CLIENT_ORDER_ID"


def test_futures_may_refuse_edits(venue: ServedVenue) -> None:
    """Then a client has to cancel and send anew."""
    order_id = create(venue, "edit")["success_response"]["order_id"]
    venue.admin("/switches", {"edits_refused": True})
    errors = venue.rest().edit_order(order_id, price="60000", size="1")["errors"]
    assert errors[0]["edit_failure_reason"] == "CANNOT_EDIT_FUTURES_ORDER"


def test_live_quirks_answer_first_and_act_later(venue: ServedVenue) -> None:
    """A null in the reply (which the SDK stumbles over), a refusal after success, a cancel after its reply."""
    venue.admin("/switches", {"live": True})
    client = venue.rest()
    body = {"client_order_id": "quirk", "product_id": PRODUCT, "side": "BUY"}
    too_much = {"market_market_ioc": {"base_size": "5000"}}
    answer = client.post(f"{PREFIX}/orders", data={**body, "order_configuration": too_much})
    assert answer["success"] is True
    assert answer["order_configuration"] is None
    venue.advance(1)
    assert client.get(f"{PREFIX}/orders/historical/{answer['order_id']}")["order"]["status"] == "FAILED"
    rest = {"limit_limit_gtc": {"base_size": "1", "limit_price": "57000"}}
    order_id = client.post(f"{PREFIX}/orders", data={**body, "client_order_id": "slow", "order_configuration": rest})[
        "order_id"
    ]
    venue.advance(1)
    assert client.cancel_orders([order_id])["results"][0]["success"]
    assert client.get(f"{PREFIX}/orders/historical/{order_id}")["order"]["status"] == "CANCEL_QUEUED"
    venue.advance(1)
    assert client.get(f"{PREFIX}/orders/historical/{order_id}")["order"]["status"] == "CANCELLED"


# the market, by the admin's hand


def test_the_admin_is_asked_for_the_token(venue: ServedVenue) -> None:
    """The port is open to everybody on this machine."""
    answer = requests.get(venue.ready["admin"] + "/state", timeout=10)
    assert answer.status_code == 401


def test_a_halt_refuses_orders_until_it_ends(venue: ServedVenue) -> None:
    """And says why."""
    venue.admin("/market", {"do": "halt", "product": "BTC-PERP", "seconds": 30})
    venue.advance(2)
    answer = create(venue, "halted")
    assert answer["error_response"]["new_order_failure_reason"] == "PRODUCT_TRADING_HALTED"
    assert venue.rest().get_product(PRODUCT)["trading_disabled"] is True
    venue.advance(30)
    assert create(venue, "halted")["success"]


def test_a_session_break_empties_the_best_prices(venue: ServedVenue) -> None:
    """Orders are refused for the session, and bid and ask are empty."""
    venue.admin("/market", {"do": "session_break", "product": PRODUCT, "seconds": 30})
    venue.advance(2)
    answer = create(venue, "break")
    assert answer["error_response"]["new_order_failure_reason"] == "INVALID_FCM_TRADING_SESSION"
    assert venue.rest().get_best_bid_ask([PRODUCT])["pricebooks"][0]["bids"] == []
    venue.advance(30)
    assert create(venue, "break")["success"]


def test_a_margin_window_changes_what_a_position_needs(venue: ServedVenue) -> None:
    """The lower rates of the day give buying power back; the endpoint names the window."""
    client = venue.rest()

    def margin() -> Decimal:
        return D(client.get_futures_balance_summary()["balance_summary"]["initial_margin"]["value"])

    assert client.market_order_buy("window", PRODUCT, base_size="20")["success"]
    night = margin()
    venue.admin("/faults", {"fault": "margin_window", "window": "intraday"})
    venue.advance(2)
    assert margin() < night * D("0.6")
    told = client.get_current_margin_window("MARGIN_PROFILE_TYPE_RETAIL_REGULAR")["margin_window"]
    assert told["margin_window_type"] == "MARGIN_WINDOW_TYPE_INTRADAY"
    venue.admin("/market", {"do": "window", "window": "overnight"})
    venue.advance(2)
    assert margin() > night * D("0.9")


def test_a_preview_says_what_the_order_will_cost(venue: ServedVenue) -> None:
    """Fee and average price of the preview are those of the trade that follows at once."""
    client = venue.rest()
    preview = client.preview_market_order(PRODUCT, "SELL", base_size="3")
    assert preview["errs"] == []
    order_id = client.market_order_sell("previewed", PRODUCT, base_size="3")["success_response"]["order_id"]
    order = client.get_order(order_id)["order"]
    assert D(preview["commission_total"]) == D(order["total_fees"])
    assert D(preview["est_average_filled_price"]) == D(order["average_filled_price"])


def test_a_preview_of_too_much_names_the_error(venue: ServedVenue) -> None:
    """200, with what would be wrong."""
    preview = venue.rest().preview_market_order(PRODUCT, "SELL", base_size="5000")
    assert "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES" in preview["errs"]


def test_the_admin_sees_what_was_struck(venue: ServedVenue) -> None:
    """Faults that hit and tokens that were refused."""
    venue.get(f"{PREFIX}/accounts")
    venue.admin("/faults", {"fault": "late_reply", "path": "/portfolios", "seconds": 0})
    venue.rest().get_portfolios()
    state = venue.admin("/state")
    assert {"fault": "late_reply", "what": "GET /portfolios"} in state["faults_struck"]
    assert "no bearer token" in state["tokens_rejected"]
