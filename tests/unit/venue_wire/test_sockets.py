"""Do connections behave as Coinbase's do: numbers, deadlines, refusals, snapshots, and every fault of a frame?"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from coinbase import jwt_generator
from tests.builders import MINUTE_NS, a_product, some_bars
from tests.venue_server import PRODUCT, ServedVenue, served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gpt_trader.market.memory import ArrayStream
from gpt_trader.venue.wire.formats import stamp_ns

D = Decimal
WAIT: Final = 20.0


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    with served(tmp_path_factory.mktemp("venue"), cash=D(1_000_000)) as running:
        yield running


@pytest.fixture(autouse=True)
def without_faults(venue: ServedVenue) -> Iterator[None]:
    """Each test brings its own."""
    yield
    venue.admin("/faults", method="DELETE")
    venue.admin("/switches", {"live": False})


class Peer:
    """One plain WebSocket client."""

    def __init__(self, venue: ServedVenue, socket: ClientConnection) -> None:
        self.venue = venue
        self.socket = socket

    async def subscribe(self, channel: str, *product_ids: str, token: str | None = None) -> None:
        body = {"type": "subscribe", "channel": channel, "product_ids": list(product_ids)}
        await self.say({**body, "jwt": token if token is not None else ws_token(self.venue)})

    async def say(self, body: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(body))

    async def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), WAIT))
        return found

    async def hear_of(self, channel: str, count: int = 1) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < count:
            frame = await self.hear()
            if frame.get("channel") == channel:
                found.append(frame)
        return found

    async def hear_error(self) -> dict[str, Any]:
        while (frame := await self.hear()).get("type") != "error":
            pass
        return frame

    async def admin(self, path: str, body: dict[str, Any]) -> None:
        await asyncio.to_thread(self.venue.admin, path, body)


def ws_token(venue: ServedVenue) -> str:
    key = json.loads(Path(venue.ready["keys"][0]).read_text())
    return str(jwt_generator.build_ws_jwt(key["name"], key["privateKey"]))


def talk(venue: ServedVenue, what: Callable[[Peer], Awaitable[None]], address: str = "ws") -> None:
    async def main() -> None:
        trust = ssl.create_default_context(cafile=venue.ready["ca"])
        async with connect(venue.ready[address], ssl=trust, max_size=None) as socket:
            await what(Peer(venue, socket))

    asyncio.run(main())


def closes_with(venue: ServedVenue, what: Callable[[Peer], Awaitable[None]]) -> int:
    """The close code that the client sees."""
    with pytest.raises(ConnectionClosed) as caught:
        talk(venue, what)
    return caught.value.rcvd.code if caught.value.rcvd is not None else 1006


def test_numbers_count_every_frame_of_a_connection(venue: ServedVenue) -> None:
    """Over all channels, from zero, acknowledgements included."""

    async def what(peer: Peer) -> None:
        await peer.subscribe("ticker", PRODUCT)
        await peer.subscribe("level2", PRODUCT)
        frames = [await peer.hear() for _ in range(4)]
        assert [frame["sequence_num"] for frame in frames] == [0, 1, 2, 3]
        assert [frame["channel"] for frame in frames] == ["subscriptions", "ticker", "subscriptions", "l2_data"]

    talk(venue, what)


@pytest.mark.parametrize(
    ("channel", "products", "token"),
    [("no_such_channel", [PRODUCT], None), ("user", [], "nonsense"), ("ticker", [PRODUCT], "nonsense")],
)
def test_what_is_not_allowed_is_an_authentication_failure(
    venue: ServedVenue, channel: str, products: list[str], token: str | None
) -> None:
    """Also an unknown channel, as the real one has it."""

    async def what(peer: Peer) -> None:
        await peer.subscribe(channel, *products, token=token)
        assert await peer.hear() == {"type": "error", "message": "authentication failure"}

    talk(venue, what)


def test_market_data_needs_no_key(venue: ServedVenue) -> None:
    """An account's channels do."""

    async def what(peer: Peer) -> None:
        await peer.subscribe("ticker", PRODUCT, token="")
        assert (await peer.hear())["channel"] == "subscriptions"
        await peer.subscribe("user", token="")
        assert (await peer.hear_error())["message"] == "authentication failure"

    talk(venue, what)


def test_the_user_endpoint_has_no_market_data(venue: ServedVenue) -> None:
    """It serves user, futures_balance_summary and heartbeats."""

    async def what(peer: Peer) -> None:
        await peer.subscribe("ticker", PRODUCT)
        assert (await peer.hear())["type"] == "error"
        await peer.subscribe("user")
        assert (await peer.hear())["channel"] == "subscriptions"

    talk(venue, what, "ws_user")


def test_unsubscribing_is_acknowledged_with_what_is_left(venue: ServedVenue) -> None:
    """An empty object when nothing is."""

    async def what(peer: Peer) -> None:
        await peer.subscribe("status")
        await peer.hear_of("status")
        await peer.say({"type": "unsubscribe", "channel": "status", "product_ids": []})
        assert (await peer.hear())["events"] == [{"subscriptions": {}}]

    talk(venue, what)


def test_open_orders_come_in_batches_of_fifty(venue: ServedVenue) -> None:
    """A message with fewer than fifty ends the snapshot, be it an empty one."""
    client = venue.rest()
    bid = int(client.get_product_book(PRODUCT, limit=1)["pricebook"]["bids"][0]["price"])
    ids = []
    for number in range(100):
        answer = client.limit_order_gtc_buy(f"b-{number}", PRODUCT, base_size="1", limit_price=str(bid - 1000))
        ids.append(answer["success_response"]["order_id"])

    async def what(peer: Peer) -> None:
        await peer.subscribe("user")
        batches = await peer.hear_of("user", 3)
        assert [len(frame["events"][0]["orders"]) for frame in batches] == [50, 50, 0]
        assert {frame["events"][0]["type"] for frame in batches} == {"snapshot"}

    talk(venue, what)
    assert all(row["success"] for row in client.cancel_orders(ids)["results"])


def test_live_frames_carry_no_client_id(venue: ServedVenue) -> None:
    """As the real ones since August 2026, against the documentation."""
    venue.admin("/switches", {"live": True})

    async def what(peer: Peer) -> None:
        await peer.subscribe("ticker", PRODUCT)
        assert set(await peer.hear()) == {"channel", "timestamp", "sequence_num", "events"}

    talk(venue, what)


def test_who_does_not_subscribe_is_put_out(venue: ServedVenue) -> None:
    """Within five seconds of connecting."""

    async def what(peer: Peer) -> None:
        await peer.hear()

    assert closes_with(venue, what) == 1008


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011])
def test_a_connection_closes_with_the_code_of_the_fault(venue: ServedVenue, code: int) -> None:
    """1006 is a connection that breaks without a word."""

    async def what(peer: Peer) -> None:
        await peer.admin("/faults", {"fault": "close", "code": code, "channel": "ticker"})
        await peer.subscribe("ticker", PRODUCT)
        while True:
            await peer.hear()

    assert closes_with(venue, what) == code


async def numbers_after(peer: Peer, fault: dict[str, Any], count: int) -> list[int]:
    """Sequence numbers of the frames after a fault that strikes the third one."""
    await peer.admin("/faults", {"nth": [3], "channel": "*", **fault})
    for channel in ("ticker", "status", "candles"):
        await peer.subscribe(channel, PRODUCT)
    return [(await peer.hear())["sequence_num"] for _ in range(count)]


@pytest.mark.parametrize(
    ("fault", "numbers"),
    [
        ({"fault": "omit"}, [0, 1, 2, 3, 4]),
        ({"fault": "drop"}, [0, 1, 3, 4, 5]),
        ({"fault": "duplicate"}, [0, 1, 2, 2, 3, 4, 5]),
        ({"fault": "reorder"}, [0, 1, 3, 2, 4, 5]),
        ({"fault": "delay", "seconds": 1.5}, [0, 1, 3, 4, 5, 2]),
        ({"fault": "sequence_gap", "count": 7}, [0, 1, 9, 10, 11, 12]),
        ({"fault": "sequence_reset"}, [0, 1, 0, 1, 2, 3]),
    ],
)
def test_frames_are_disturbed_as_the_fault_says(venue: ServedVenue, fault: dict[str, Any], numbers: list[int]) -> None:
    """The third frame of the connection is hit; the numbers show how."""

    async def what(peer: Peer) -> None:
        assert await numbers_after(peer, fault, len(numbers)) == numbers

    talk(venue, what)


def test_a_number_may_be_none(venue: ServedVenue) -> None:
    """NaN where prices stand; the frame itself is whole."""

    async def what(peer: Peer) -> None:
        await peer.admin("/faults", {"fault": "bad_number", "channel": "ticker", "nth": [1]})
        await peer.subscribe("ticker", PRODUCT)
        (ticker,) = (await peer.hear_of("ticker", 1))[0]["events"][0]["tickers"]
        assert ticker["price"] == "NaN"

    talk(venue, what)


def test_a_frame_may_arrive_in_half(venue: ServedVenue) -> None:
    """It is no JSON any more."""

    async def what(peer: Peer) -> None:
        await peer.admin("/faults", {"fault": "broken_frame", "channel": "ticker", "nth": [1]})
        await peer.subscribe("ticker", PRODUCT)
        with pytest.raises(json.JSONDecodeError):
            await peer.hear_of("ticker", 1)

    talk(venue, what)


def test_a_silent_socket_still_answers_pings(venue: ServedVenue) -> None:
    """Half open: the protocol lives, no data comes; then it goes on with a hole."""

    async def what(peer: Peer) -> None:
        await peer.admin("/faults", {"fault": "silence", "nth": [2], "seconds": 0.5})
        await peer.subscribe("ticker", PRODUCT)
        assert (await peer.hear())["sequence_num"] == 0
        pong = await peer.socket.ping()
        await asyncio.wait_for(pong, WAIT)
        await asyncio.sleep(1.5)
        await peer.subscribe("status", PRODUCT)
        assert (await peer.hear())["sequence_num"] == 2

    talk(venue, what)


def test_a_subscription_may_be_refused(venue: ServedVenue) -> None:
    """Once; the next attempt succeeds."""

    async def what(peer: Peer) -> None:
        await peer.admin("/faults", {"fault": "subscribe_refused", "nth": [1], "channel": "user"})
        await peer.subscribe("user")
        assert (await peer.hear())["type"] == "error"
        await peer.subscribe("user")
        assert (await peer.hear())["channel"] == "subscriptions"

    talk(venue, what)


def test_heartbeats_come_every_second(venue: ServedVenue) -> None:
    """With a counter of whole numbers that does not begin at zero."""

    async def what(peer: Peer) -> None:
        await peer.subscribe("heartbeats")
        beats = await peer.hear_of("heartbeats", 2)
        counters = [frame["events"][0]["heartbeat_counter"] for frame in beats]
        assert counters[1] == counters[0] + 1
        assert counters[0] > 0

    talk(venue, what)


def test_a_long_way_is_told_step_by_step(venue: ServedVenue) -> None:
    """Ten minutes in one move of the admin: trades in batches of a quarter of a second, candles every second."""

    async def what(peer: Peer) -> None:
        for channel in ("market_trades", "candles"):
            await peer.subscribe(channel, PRODUCT)
        await peer.admin("/time", {"advance_seconds": 600})
        await peer.subscribe("status")
        batches: list[list[int]] = []
        candles = 0
        while (frame := await peer.hear())["channel"] != "status":
            for event in frame["events"] if frame["channel"] == "market_trades" else ():
                if event["type"] == "update":
                    batches += [[stamp_ns(trade["time"]) or 0 for trade in event["trades"]]]
            candles += frame["channel"] == "candles"
        assert len(batches) > 200
        assert all(max(times) - min(times) < 250_000_000 for times in batches)
        assert [times[-1] for times in batches] == sorted(times[-1] for times in batches)
        assert candles > 100

    talk(venue, what)


def test_a_modelled_book_is_told_whole(tmp_path: Path) -> None:
    """Of a market of bars: snapshot and updates put together are the book of REST, our own trades included."""
    bars = some_bars(*(12_000 + step * (-1) ** step for step in range(60)), volume=100_000)
    market = ArrayStream([a_product()], bars, start_ns=MINUTE_NS - 60 * 10**9)

    async def what(peer: Peer) -> None:
        await peer.subscribe("level2", PRODUCT)
        book: dict[tuple[str, Decimal], Decimal] = {}
        client = peer.venue.rest()
        for number in range(10):
            await asyncio.to_thread(peer.venue.advance, 37)
            await asyncio.to_thread(client.market_order_buy, f"bar-{number}", PRODUCT, base_size="5")
        await asyncio.to_thread(peer.venue.advance, 1)
        await peer.subscribe("status")
        while (frame := await peer.hear())["channel"] != "status":
            for event in frame["events"] if frame["channel"] == "l2_data" else ():
                if event["type"] == "snapshot":
                    book.clear()
                for update in event["updates"]:
                    book[update["side"], D(update["price_level"])] = D(update["new_quantity"])
        shown = (await asyncio.to_thread(client.get_product_book, PRODUCT))["pricebook"].to_dict()
        assert {key: size for key, size in book.items() if size} == {
            **{("bid", D(level["price"])): D(level["size"]) for level in shown["bids"]},
            **{("offer", D(level["price"])): D(level["size"]) for level in shown["asks"]},
        }
        assert book

    with served(tmp_path, market, cash=D(1_000_000), history_seconds=600) as venue:
        talk(venue, what)


def test_an_idle_connection_is_closed(venue: ServedVenue) -> None:
    """Nothing sent for 75 seconds and no heartbeats: 1000, after which a client may believe that all is well."""

    async def what(peer: Peer) -> None:
        await peer.subscribe("status")
        await peer.hear_of("status")
        (connection,) = peer.venue.server.sockets.connections
        connection.last_sent_ns -= 80 * 10**9
        await peer.hear()

    assert closes_with(venue, what) == 1000


def test_connections_are_limited_too(venue: ServedVenue) -> None:
    """Eight a second from one address, when limits are on."""
    venue.server.limits.sockets = 2

    async def main() -> list[bool]:
        trust = ssl.create_default_context(cafile=venue.ready["ca"])
        opened = []
        for _ in range(3):
            try:
                async with connect(venue.ready["ws"], ssl=trust):
                    opened.append(True)
            except InvalidStatus as error:
                opened.append(error.response.status_code != 429)
        return opened

    assert asyncio.run(main()) == [True, True, False]
    venue.server.limits.sockets = 0
