"""Does the connection come back whole from everything that can end it? Over TLS, against the served venue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.venue_server import PRODUCT, ServedVenue, served

from gpt_trader.config.bot import CredentialsConfig
from gpt_trader.core.clock import SystemClock
from gpt_trader.exchange.coinbase.credentials import key_of
from gpt_trader.exchange.coinbase.frames import BookEvent, Frame, SubscriptionsEvent, UserEvent
from gpt_trader.exchange.coinbase.live_market import LiveMarket
from gpt_trader.exchange.coinbase.stream import CoinbaseSocket, Subscription
from gpt_trader.market.products import simulated_product

BTC = simulated_product("BTC-PERP")
LEVELS = Subscription(channel="level2", product_ids=(PRODUCT,))
ORDERS = Subscription(channel="user")
WAIT_SECONDS = 15.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    with served(tmp_path_factory.mktemp("venue")) as venue:
        yield venue


@pytest.fixture
def venue(running: ServedVenue) -> Iterator[ServedVenue]:
    """The venue without the faults of other tests."""
    yield running
    running.admin("/faults", method="DELETE")


class Heard:
    """What a connection told."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.states: list[tuple[bool, str]] = []

    def frame(self, frame: Frame, received_ns: int) -> None:
        assert received_ns > 0
        self.frames.append(frame)

    def state(self, up: bool, reason: str) -> None:
        self.states.append((up, reason))

    @property
    def ups(self) -> int:
        return sum(up for up, _ in self.states)

    @property
    def reasons(self) -> list[str]:
        return [reason for up, reason in self.states if not up]

    def snapshots(self) -> int:
        return sum(
            isinstance(event, BookEvent) and event.type == "snapshot" for each in self.frames for event in each.events
        )


def listen(
    venue: ServedVenue,
    done: Callable[[Heard], bool],
    *,
    meanwhile: Callable[[], object] | None = None,
    subscriptions: tuple[Subscription, ...] = (LEVELS, ORDERS),
    heard: Heard | None = None,
    **options: Any,
) -> Heard:
    """Run a connection until something was heard; `meanwhile` is done once it is up."""
    heard = heard or Heard()

    async def go() -> None:
        chosen: dict[str, Any] = {
            "on_frame": heard.frame,
            "on_state": heard.state,
            "url": venue.ready["ws"],
            "ca_file": venue.ready["ca"],
            "draw": lambda: 0.0,
            **options,
        }
        key = key_of(CredentialsConfig(coinbase_api_key_file=venue.ready["keys"][0]))
        socket = CoinbaseSocket(subscriptions=subscriptions, key=key, clock=SystemClock(), **chosen)
        task = asyncio.ensure_future(socket.run())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                if meanwhile is not None:
                    await _until(lambda: heard.ups > 0, task)
                    await asyncio.to_thread(meanwhile)
                await _until(lambda: done(heard), task)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(go())
    return heard


async def _until(there: Callable[[], bool], task: asyncio.Task[None]) -> None:
    while not there():
        if task.done():
            task.result()
        await asyncio.sleep(0.02)


def back(heard: Heard) -> bool:
    """It came up twice, and the book was sent anew."""
    return heard.ups >= 2 and heard.snapshots() >= 2


def test_it_comes_up_with_snapshots(venue: ServedVenue) -> None:
    """Up means that every channel was confirmed; book and orders follow whole, numbered without a hole."""
    heard = listen(venue, lambda heard: heard.ups == 1 and heard.snapshots() == 1 and len(heard.frames) > 6)
    assert [frame.sequence for frame in heard.frames] == list(range(len(heard.frames)))
    assert any(isinstance(event, UserEvent) for frame in heard.frames for event in frame.events)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011])
def test_f44_it_comes_back_after_any_close(venue: ServedVenue, code: int) -> None:
    """Also after the codes at which the SDK's own client goes silent for ever."""
    heard = listen(venue, back, meanwhile=lambda: venue.admin("/sockets", {"code": code}))
    confirmed = [event for frame in heard.frames for event in frame.events if isinstance(event, SubscriptionsEvent)]
    assert confirmed[-1].subscriptions.keys() == {"heartbeats", "level2", "user"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"fault": "drop", "channel": "heartbeats", "nth": [1]}, "is missing"),
        ({"fault": "sequence_gap", "channel": "heartbeats", "nth": [1], "count": 5}, "is missing"),
        ({"fault": "sequence_reset", "channel": "heartbeats", "nth": [1]}, "numbers began again"),
        ({"fault": "reorder", "channel": "heartbeats", "nth": [1]}, "is missing"),
    ],
)
def test_f48_a_hole_in_the_numbers_ends_the_connection(venue: ServedVenue, fault: dict[str, Any], reason: str) -> None:
    """What was missed is not known, so everything is sent anew."""
    heard = listen(venue, back, meanwhile=lambda: venue.admin("/faults", fault))
    assert reason in heard.reasons[0]


def test_a_repeated_frame_is_heard_once(venue: ServedVenue) -> None:
    """A duplicate is passed over and ends nothing."""
    venue.admin("/faults", {"fault": "duplicate", "channel": "heartbeats", "nth": [1, 2]})
    heard = listen(venue, lambda heard: sum(frame.channel == "heartbeats" for frame in heard.frames) >= 3)
    assert [frame.sequence for frame in heard.frames] == list(range(len(heard.frames)))
    assert heard.reasons == []


def test_f41_silence_ends_the_connection(venue: ServedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue answers pings and says nothing: only its own words count."""
    monkeypatch.setattr("gpt_trader.exchange.coinbase.stream.SILENCE_SECONDS", 1.5)
    heard = listen(venue, back, meanwhile=lambda: venue.admin("/sockets", {"silent_seconds": 3}))
    assert heard.reasons[0] == "silent for 1.5 s"


def test_f42_a_refused_subscription_is_tried_again(venue: ServedVenue) -> None:
    """It never counts as up without it."""
    venue.admin("/faults", {"fault": "subscribe_refused", "channel": "user", "nth": [1]})
    heard = listen(venue, lambda heard: heard.ups == 1)
    assert heard.states == [(False, "refused: authentication failure"), (True, "")]


def test_f104_a_stranger_is_not_believed(venue: ServedVenue) -> None:
    """A certificate of nobody we trust, and no word is said."""
    heard = listen(venue, lambda heard: bool(heard.reasons), ca_file=None)
    assert "CERTIFICATE_VERIFY_FAILED" in heard.reasons[0]
    assert heard.ups == 0


def test_f45_nobody_there_is_asked_again_and_again(venue: ServedVenue) -> None:
    """With waits that grow."""
    heard = listen(venue, lambda heard: len(heard.reasons) == 3, url="wss://127.0.0.1:9")
    assert all("127.0.0.1:9" in reason for reason in heard.reasons)


def test_what_a_listener_raises_is_heard(venue: ServedVenue) -> None:
    """A defect of ours ends the run; it is never swallowed."""

    def on_state(up: bool, reason: str) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        listen(venue, lambda heard: False, on_state=on_state)


def test_the_book_follows_the_venue(venue: ServedVenue) -> None:
    """After a minute of market and a broken connection, our book is the one that the venue shows."""
    market = LiveMarket([BTC])
    shown: dict[str, Any] = {}

    def on_state(up: bool, reason: str) -> None:
        if not up:
            market.lost()
        heard.state(up, reason)

    def a_minute() -> None:
        venue.advance(30)
        venue.admin("/sockets", {"code": 1006})
        venue.advance(30)
        shown.update(
            venue.get("/api/v3/brokerage/market/product_book", product_id=PRODUCT, limit=5).json()["pricebook"]
        )

    def same(heard: Heard) -> bool:
        book = market.book("BTC-PERP", 5)
        return (
            heard.ups >= 2
            and book is not None
            and [top(shown, "bids"), top(shown, "asks")] == [list(book.bids), list(book.asks)]
        )

    heard = Heard()
    listen(venue, same, heard=heard, meanwhile=a_minute, on_frame=market.hear, on_state=on_state)
    assert market.mark("BTC-PERP") is not None


def top(shown: dict[str, Any], side: str) -> list[tuple[Decimal, Decimal]]:
    """Levels of the venue's own book, in base units."""
    return [(Decimal(level["price"]), Decimal(level["size"]) * BTC.contract_size) for level in shown[side]]
