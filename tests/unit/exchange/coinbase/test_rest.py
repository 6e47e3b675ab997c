"""Does every answer of the venue, and every failure to answer, mean what it proves? Over TLS, against the served venue."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import msgspec
import pytest
import requests
from tests.venue_server import PRODUCT, ServedVenue, served

from gpt_trader.config.bot import CredentialsConfig
from gpt_trader.core.clock import SystemClock
from gpt_trader.core.errors import (
    ExchangeError,
    InsufficientBalanceError,
    InvalidOrderError,
    OrderNotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    VenueUnavailableError,
)
from gpt_trader.core.values import OrderTicket, OrderType, ProductSpec, Purpose, Side, TimeInForce
from gpt_trader.exchange.base import PreparedOrder
from gpt_trader.exchange.budget import RequestBudget
from gpt_trader.exchange.coinbase.bodies import CONFIGURATIONS, prepare
from gpt_trader.exchange.coinbase.credentials import key_of
from gpt_trader.exchange.coinbase.products import Catalogue, FeeRates
from gpt_trader.exchange.coinbase.rest import CoinbaseRest
from gpt_trader.exchange.coinbase.transport import Transport

D = Decimal
T = TypeVar("T")
FEES = FeeRates(maker=D(0), taker=D(0))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    with served(tmp_path_factory.mktemp("venue"), cash=D(100_000)) as venue:
        yield venue


@pytest.fixture
def venue(running: ServedVenue) -> Iterator[ServedVenue]:
    """The venue without the faults and switches of other tests."""
    yield running
    running.admin("/faults", method="DELETE")
    running.admin("/switches", {"live": False, "duplicates_refused": False})


def ask(venue: ServedVenue, work: Callable[[CoinbaseRest], Awaitable[T]], **options: Any) -> T:
    """One conversation with the venue."""

    async def go() -> T:
        key = key_of(CredentialsConfig(coinbase_api_key_file=venue.ready["keys"][0]))
        chosen = {"host": venue.ready["rest"], "ca_file": venue.ready["ca"], **options}
        transport = Transport(key, RequestBudget(SystemClock()), **chosen)
        try:
            return await work(CoinbaseRest(transport))
        finally:
            transport.close()

    return asyncio.run(go())


def the_product(venue: ServedVenue) -> ProductSpec:
    return Catalogue(ask(venue, lambda rest: rest.futures()), FEES).resolve("BTC-PERP")


def an_order(venue: ServedVenue, name: str, **changes: Any) -> PreparedOrder:
    """One contract far below the market, resting."""
    ticket = OrderTicket(
        client_order_id=name,
        intent_id="i",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.01"),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=low(venue),
        valid_until_ns=1,
    )
    return prepare(msgspec.structs.replace(ticket, **changes), the_product(venue))


def low(venue: ServedVenue) -> Decimal:
    price = D(venue.get(f"/api/v3/brokerage/market/products/{PRODUCT}").json()["price"])
    return (price * D("0.97") // 5) * 5


def fault(venue: ServedVenue, name: str, path: str, **more: Any) -> None:
    venue.admin("/faults", {"fault": name, "path": path, "nth": [1], **more})


def test_an_order_is_placed_found_and_cancelled(venue: ServedVenue) -> None:
    """The whole way over TLS, signed by the SDK."""
    prepared = an_order(venue, "placed")

    async def go(rest: CoinbaseRest) -> tuple[str, set[str], str]:
        venue_order_id = await rest.create(prepared)
        living = {order.client_order_id for order in await rest.open_orders()}
        await rest.cancel(venue_order_id)
        return venue_order_id, living, (await rest.order(venue_order_id)).status

    venue_order_id, living, status = ask(venue, go)
    assert venue_order_id
    assert "placed" in living
    assert status in {"CANCELLED", "CANCEL_QUEUED", "OPEN"}


def test_f03_the_bytes_that_leave_are_those_of_the_digest(venue: ServedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the log is what was on the wire."""
    sent: list[bytes] = []
    original = requests.Session.send

    def watched(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if request.method == "POST":
            assert isinstance(request.body, bytes)
            sent.append(request.body)
        return original(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", watched)
    prepared = an_order(venue, "bytes")
    ask(venue, lambda rest: rest.create(prepared))
    assert sent == [prepared.body]
    assert hashlib.sha256(sent[0]).hexdigest() == prepared.digest


def test_a_request_is_signed_ahead_and_leaves_only_when_it_is_asked_for(venue: ServedVenue) -> None:
    """Signed while its order is made durable: nothing is heard of it before, and the bytes are the same."""
    first, never = an_order(venue, "ahead"), an_order(venue, "never")

    async def go(rest: CoinbaseRest) -> set[str]:
        rest.get_ready(first)
        rest.get_ready(never)
        await rest.time_ns()
        before = {order.client_order_id for order in await rest.open_orders()}
        assert "ahead" not in before
        await rest.create(first)
        return {order.client_order_id for order in await rest.open_orders()}

    there = ask(venue, go)
    assert "ahead" in there
    assert "never" not in there


def test_a_second_attempt_is_signed_afresh(venue: ServedVenue) -> None:
    """What was signed ahead is good for one attempt."""
    prepared = an_order(venue, "again")

    async def go(rest: CoinbaseRest) -> tuple[str, str]:
        rest.get_ready(prepared)
        with pytest.raises(OutcomeUnknownError):
            await rest.create(prepared)
        return await rest.create(prepared), await rest.create(prepared)

    fault(venue, "lost_reply", "/orders")
    one, two = ask(venue, go)
    assert one == two


def test_wallets_are_read(venue: ServedVenue) -> None:
    """The money behind the futures, in its currency."""
    (wallet,) = ask(venue, lambda rest: rest.wallets())
    assert wallet.currency == "USD"


def test_f06_the_same_order_again_is_the_same_order(venue: ServedVenue) -> None:
    """A create that is sent twice places once."""
    prepared = an_order(venue, "twice")

    async def go(rest: CoinbaseRest) -> tuple[str, str]:
        return await rest.create(prepared), await rest.create(prepared)

    first, second = ask(venue, go)
    assert first == second


def test_f04_success_decides_not_the_status(venue: ServedVenue) -> None:
    """HTTP 200 with `success: false` is a refusal with the venue's reason."""
    prepared = an_order(venue, "crossing", limit_price=low(venue) * 2 // 5 * 5, post_only=True)
    with pytest.raises(InvalidOrderError) as told:
        ask(venue, lambda rest: rest.create(prepared))
    assert told.value.code


def test_too_little_money_is_its_own_error(venue: ServedVenue) -> None:
    """Fifty bitcoin are not carried by this account."""
    prepared = an_order(venue, "rich", quantity=D(50))
    with pytest.raises(InsufficientBalanceError, match="INSUFFICIENT_FUND"):
        ask(venue, lambda rest: rest.create(prepared))


@pytest.mark.parametrize(
    ("name", "more", "error"),
    [
        ("lost_reply", {}, OutcomeUnknownError),
        ("late_request", {"seconds": 0.1}, OutcomeUnknownError),
        ("truncated_json", {}, OutcomeUnknownError),
        ("null_field", {}, OutcomeUnknownError),
        ("html_body", {"status": 200}, OutcomeUnknownError),
        ("html_body", {"status": 502}, OutcomeUnknownError),
        ("server_error", {"status": 500}, OutcomeUnknownError),
        ("server_error", {"status": 503, "processed": True}, OutcomeUnknownError),
        ("unauthorized", {}, VenueUnavailableError),
        ("rate_limited", {"seconds": 2}, RateLimitError),
    ],
)
def test_what_a_failed_create_proves(
    venue: ServedVenue, name: str, more: dict[str, Any], error: type[ExchangeError]
) -> None:
    """Only what was turned away unread is known not to have been placed."""
    prepared = an_order(venue, f"fault-{name}-{len(json.dumps(more))}")
    fault(venue, name, "/orders", method="POST", **more)
    with pytest.raises(error):
        ask(venue, lambda rest: rest.create(prepared))


def test_f17_a_429_says_how_long(venue: ServedVenue) -> None:
    """The venue's own wait is handed on."""
    prepared = an_order(venue, "limited")
    fault(venue, "rate_limited", "/orders", method="POST", seconds=2)
    with pytest.raises(RateLimitError) as told:
        ask(venue, lambda rest: rest.create(prepared))
    assert told.value.retry_after_seconds == 2.0


def test_f10_a_late_reply_is_unknown_at_the_deadline(venue: ServedVenue) -> None:
    """The SDK alone would wait for ever."""
    prepared = an_order(venue, "late")
    fault(venue, "late_reply", "/orders", method="POST", seconds=1.5)
    with pytest.raises(OutcomeUnknownError):
        ask(venue, lambda rest: rest.create(prepared), deadline_seconds=0.5)


def test_a_lost_reply_is_resolved_by_the_same_body(venue: ServedVenue) -> None:
    """The order was placed; the second create returns it."""
    prepared = an_order(venue, "lost")
    fault(venue, "lost_reply", "/orders", method="POST")

    async def go(rest: CoinbaseRest) -> list[str]:
        with pytest.raises(OutcomeUnknownError):
            await rest.create(prepared)
        again = await rest.create(prepared)
        return [order.order_id for order in await rest.open_orders() if order.client_order_id == "lost"] + [again]

    there, again = ask(venue, go)
    assert there == again


def test_f07_a_refused_duplicate_is_no_refusal(venue: ServedVenue) -> None:
    """An order of this id is there: to call it rejected would forget it."""
    prepared = an_order(venue, "duplicate")
    ask(venue, lambda rest: rest.create(prepared))
    venue.admin("/switches", {"duplicates_refused": True})
    with pytest.raises(OutcomeUnknownError, match="DUPLICATE_CLIENT_ORDER_ID"):
        ask(venue, lambda rest: rest.create(prepared))


def test_the_live_reply_is_read_too(venue: ServedVenue) -> None:
    """With a null configuration and a failure reason beside its success."""
    venue.admin("/switches", {"live": True})
    prepared = an_order(venue, "live")
    assert ask(venue, lambda rest: rest.create(prepared))


def test_nobody_listens_is_surely_not_placed(venue: ServedVenue) -> None:
    """No connection, no order."""
    prepared = an_order(venue, "nobody")
    with pytest.raises(VenueUnavailableError):
        ask(venue, lambda rest: rest.create(prepared), host="127.0.0.1:9")


def test_f104_a_stranger_is_not_told_an_order(venue: ServedVenue) -> None:
    """A certificate of nobody we trust ends the talk before a byte of the order has left."""
    prepared = an_order(venue, "stranger")
    with pytest.raises(VenueUnavailableError, match="SSLError"):
        ask(venue, lambda rest: rest.create(prepared), ca_file=None)


def test_the_shell_does_not_come_between(venue: ServedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor an authority of the environment is used."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/dev/null")
    assert ask(venue, lambda rest: rest.key_permissions()).can_trade


def test_cancels_say_why_not(venue: ServedVenue) -> None:
    """An order nobody knows, and one that has ended."""
    prepared = an_order(
        venue,
        "taken",
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        limit_price=None,
        purpose=Purpose.EXIT,
    )

    async def go(rest: CoinbaseRest) -> None:
        with pytest.raises(OrderNotFoundError):
            await rest.cancel("nobody-knows")
        venue_order_id = await rest.create(prepared)
        with pytest.raises(InvalidOrderError) as told:
            await rest.cancel(venue_order_id)
        assert told.value.code == "ORDER_IS_FULLY_FILLED"

    ask(venue, go)


def test_an_order_nobody_knows(venue: ServedVenue) -> None:
    """Its own error, since it is no proof that it never arrives."""
    with pytest.raises(OrderNotFoundError):
        ask(venue, lambda rest: rest.order("nobody-knows"))


@pytest.mark.parametrize("name", ["lost_reply", "truncated_json", "null_field", "server_error", "html_body"])
def test_f56_a_failed_read_is_never_empty(venue: ServedVenue, name: str) -> None:
    """No answer about open orders is not "no open orders"."""
    fault(venue, name, "/orders/historical/batch", method="GET", **({"status": 502} if name == "html_body" else {}))
    with pytest.raises(VenueUnavailableError):
        ask(venue, lambda rest: rest.open_orders())


def test_all_pages_are_read(venue: ServedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fills are whole, oldest first, and the same whatever the size of a page."""

    async def fills(rest: CoinbaseRest) -> list[str]:
        return [fill.entry_id for fill in await rest.fills()]

    for name in ("page-1", "page-2", "page-3"):
        prepared = an_order(venue, name, order_type=OrderType.MARKET, time_in_force=TimeInForce.IOC, limit_price=None)
        ask(venue, partial(CoinbaseRest.create, prepared=prepared))
    whole = ask(venue, fills)
    monkeypatch.setattr("gpt_trader.exchange.coinbase.rest.PAGE", 2)
    assert ask(venue, fills) == whole
    assert len(whole) >= 3


def test_account_fees_and_permissions(venue: ServedVenue) -> None:
    """Everything that the account is judged by can be read."""

    async def go(rest: CoinbaseRest) -> tuple[object, FeeRates, bool]:
        balance = await rest.balance()
        return balance.available_margin, await rest.fee_rates(), (await rest.key_permissions()).can_transfer

    margin, fees, may_transfer = ask(venue, go)
    assert margin
    assert fees.taker > fees.maker > 0
    assert not may_transfer


def test_the_sdk_writes_nothing_of_its_own(venue: ServedVenue, capfd: pytest.CaptureFixture[str]) -> None:
    """Its log of every refusal would go to the trader's terminal, body and all."""
    fault(venue, "server_error", "/key_permissions", method="GET", status=500)
    with pytest.raises(VenueUnavailableError):
        ask(venue, lambda rest: rest.key_permissions())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("kind", "tif"), CONFIGURATIONS)
def test_the_venue_takes_every_configuration(venue: ServedVenue, kind: OrderType, tif: TimeInForce) -> None:
    """What the table says is what a strict venue understands: no configuration is refused."""
    base = low(venue)
    prices: dict[OrderType, dict[str, Any]] = {
        OrderType.MARKET: {"limit_price": None},
        OrderType.LIMIT: {"limit_price": base * D("1.04") // 5 * 5},
        OrderType.STOP_LIMIT: {"stop_price": base * D("1.06") // 5 * 5, "limit_price": base * D("1.07") // 5 * 5},
        OrderType.BRACKET: {"side": Side.SELL, "limit_price": base * D("1.06") // 5 * 5, "stop_price": base},
    }
    now_ns = venue.server.running.now_ns
    expiry = {"expire_ns": now_ns + 3600 * 1_000_000_000} if tif is TimeInForce.GTD else {}
    prepared = an_order(
        venue, f"every-{kind.value}-{tif.value}".lower(), order_type=kind, time_in_force=tif, **prices[kind], **expiry
    )

    if kind is OrderType.BRACKET:  # it closes a position
        market = {"order_type": OrderType.MARKET, "time_in_force": TimeInForce.IOC, "limit_price": None}
        ask(venue, partial(CoinbaseRest.create, prepared=an_order(venue, f"before-{tif.value}", **market)))

    async def go(rest: CoinbaseRest) -> str:
        return (await rest.order(await rest.create(prepared))).status

    assert ask(venue, go) in {"OPEN", "FILLED", "PENDING"}
