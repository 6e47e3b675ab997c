"""The venue as a server, in a thread of its own, and the clients that tests use against it: unmodified ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import requests
from coinbase.rest import RESTClient

from gpt_trader.core.clock import SystemClock
from gpt_trader.market.stream import MarketStream
from gpt_trader.market.synthetic import SyntheticMarket
from gpt_trader.venue.wire.server import ServerOptions, VenueServer

T = TypeVar("T")
PRODUCT = "BIP-20DEC30-CDE"
WAIT_SECONDS = 20.0
PREFIX = "/api/v3/brokerage"


def a_market(*symbols: str, seed: int = 7, hours: int = 48) -> MarketStream:
    return SyntheticMarket(symbols or ("BTC-PERP",), seed=seed, duration_seconds=hours * 3600)


class ServedVenue:
    """A server that listens; its loop runs in a thread."""

    def __init__(self, server: VenueServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self._loop = loop
        self.sessions: list[requests.Session] = []
        self.ready: dict[str, Any] = json.loads(json.dumps(server.ready))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)

    def rest(self, account: int = 0, *, timeout: float = 10.0) -> Any:
        """The official SDK's client, told whom to trust."""
        client = RESTClient(key_file=self.ready["keys"][account], base_url=self.ready["rest"], timeout=timeout)
        client.session.trust_env = False
        client.session.verify = self.ready["ca"]
        self.sessions.append(client.session)
        return client

    def get(self, path: str, **query: Any) -> requests.Response:
        """A public request without a key."""
        session = requests.Session()
        session.trust_env = False
        session.verify = self.ready["ca"]
        with session:
            return session.get(f"https://{self.ready['rest']}{path}", params=query, timeout=WAIT_SECONDS)

    def admin(self, path: str, body: Mapping[str, Any] | None = None, method: str = "") -> dict[str, Any]:
        """One request to the admin's port; fails the test when it is refused."""
        answer = requests.request(
            method or ("GET" if body is None else "POST"),
            self.ready["admin"] + path,
            json=body,
            headers={"Authorization": f"Bearer {self.ready['admin_token']}"},
            timeout=WAIT_SECONDS,
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def numbered(self, channel: str) -> int:
        """Number of the newest frame of the connection that subscribed to a channel."""
        return max(each.sequence for each in self.server.sockets.connections if channel in each.channels) - 1

    def wait_for_order(self, order_id: str, status: str) -> None:
        """Until the venue itself says so of an order."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.server.desk.orders[order_id].status != status:
            assert time.monotonic() < deadline, f"{order_id} never was {status}"
            time.sleep(0.05)

    def advance(self, seconds: float) -> None:
        """Move the market by hand."""
        self.admin("/time", {"advance_seconds": seconds})

    def advance_until(self, done: Callable[[], bool], *, step: float = 5.0, most: float = 7200.0) -> None:
        gone = 0.0
        while not done():
            assert gone < most, "the market never came there"
            self.advance(step)
            gone += step


@contextlib.contextmanager
def served(folder: Path, stream: MarketStream | None = None, **options: Any) -> Iterator[ServedVenue]:
    """A venue of one made-up market; time stands still unless told otherwise."""
    chosen = ServerOptions(
        **{"folder": folder, "speed": None, "history_seconds": 3600, "rate_limits": False, **options}
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="venue", daemon=True)
    thread.start()
    server = VenueServer(stream or a_market(), chosen, SystemClock())
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(WAIT_SECONDS)
        running = ServedVenue(server, loop)
        yield running
        for session in running.sessions:
            session.close()
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(WAIT_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_SECONDS)
        loop.close()


class Frames:
    """What a WebSocket client of the SDK was told."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def __call__(self, message: str) -> None:
        with self._changed:
            self.all.append(json.loads(message))
            self._changed.notify_all()

    def of(self, channel: str) -> list[dict[str, Any]]:
        return [frame for frame in list(self.all) if frame.get("channel") == channel]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The first frame that is wanted; fails the test when it does not come."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [frame for frame in self.all if wanted(frame)]
            return bool(found)

        with self._changed:
            assert self._changed.wait_for(there, WAIT_SECONDS), f"no {what} in {len(self.all)} frames"
        return found[0]

    def wait_for_number(self, number: int) -> None:
        """Everything up to a sequence number has come."""
        self.wait_for(lambda frame: frame.get("sequence_num", -1) >= number, f"frame {number}")

    def wait_for_channel(self, channel: str) -> dict[str, Any]:
        return self.wait_for(lambda frame: frame.get("channel") == channel, channel)

    def orders(self) -> dict[str, dict[str, Any]]:
        """The newest state of each order by its client_order_id."""
        found = {}
        for frame in self.of("user"):
            for event in frame["events"]:
                for order in event["orders"]:
                    found[order["client_order_id"]] = order
        return found

    def wait_for_order(self, client_order_id: str, status: str) -> dict[str, Any]:
        def there(frame: dict[str, Any]) -> bool:
            return frame.get("channel") == "user" and any(
                order["client_order_id"] == client_order_id and order["status"] == status
                for event in frame["events"]
                for order in event["orders"]
            )

        self.wait_for(there, f"{client_order_id} {status}")
        return self.orders()[client_order_id]
