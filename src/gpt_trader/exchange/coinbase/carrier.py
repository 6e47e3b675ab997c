"""How do bytes travel to Coinbase and back? The official SDK's client in threads, and a WebSocket that verifies.

A port, since the venue may stand in the same process and share its time (`research/bad_days`): everything above it,
deadlines, limits, meanings and supervision, is then the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from queue import SimpleQueue
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import requests
from coinbase.rest import RESTClient, rest_base

from gpt_trader.core.errors import VenueUnavailableError
from gpt_trader.exchange.coinbase.credentials import ApiKey

__all__ = ["PREFIX", "Asked", "Carrier", "Internet", "Lane", "Line", "LineEnded", "read_reply"]

PREFIX: Final = "/api/v3/brokerage"
CONNECT_SECONDS: Final = 3.0
LINE_CONNECT_SECONDS: Final = 10.0
FRAME_BYTES_MAX: Final = 32 * 1024 * 1024
"""A snapshot of a deep book has 5 MB."""


class Asked(NamedTuple):
    """One request under way."""

    answer: asyncio.Future[dict[str, object]]
    """The body of an answer with 2xx, taken apart; else what the SDK raises."""
    take_back: Callable[[], bool]
    """Whether it had not left yet: then it never will."""


class Lane(Protocol):
    """Requests, some at a time."""

    def ask(
        self, method: str, path: str, query: Mapping[str, object] | None, body: Mapping[str, Any] | None
    ) -> Asked: ...

    def close(self) -> None: ...


class LineEnded(VenueUnavailableError):
    """The connection is over; the text says why."""


class Line(Protocol):
    """One WebSocket."""

    async def say(self, text: str) -> None: ...

    async def hear(self, seconds: float) -> str:
        """The next frame. Raises TimeoutError after so much silence, and LineEnded."""
        ...


class Carrier(Protocol):
    """Makes both."""

    def lane(self, name: str, size: int) -> Lane:
        """For `size` requests at a time."""
        ...

    def line(self, url: str) -> AbstractAsyncContextManager[Line]:
        """A connection while the block lasts. Raises TimeoutError and LineEnded."""
        ...


class Internet:
    """The Carrier of a live run."""

    def __init__(
        self, key: ApiKey | None = None, *, host: str = "", ca_file: str | None = None, deadline_seconds: float = 5.0
    ) -> None:
        """`host` with its port and without a scheme; `ca_file` replaces the public authorities. Without a key only
        public paths can be read."""
        self._key = key
        self._host = host
        self._ca_file = ca_file
        self._deadline_seconds = deadline_seconds

    def lane(self, name: str, size: int) -> Lane:
        _keep_the_sdk_quiet()
        return _SdkLane(name, [self._client() for _ in range(size)])

    def _client(self) -> Any:
        key = self._key
        client = RESTClient(api_key=key and key.name, api_secret=key and key.secret, base_url=self._host)
        client.timeout = (CONNECT_SECONDS, self._deadline_seconds)
        client.session.trust_env = False  # a proxy or an authority of the shell must not come between
        client.session.verify = self._ca_file or True
        client.session.max_redirects = 0  # the venue never redirects, and a token goes nowhere else
        return client

    @cached_property
    def _authorities(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_file)

    @contextlib.asynccontextmanager
    async def line(self, url: str) -> AsyncIterator[Line]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=LINE_CONNECT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.ws_connect(
                    url,
                    ssl=self._authorities,
                    max_msg_size=FRAME_BYTES_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                ) as socket,
            ):
                yield _SocketLine(socket)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise LineEnded(f"{type(error).__name__}: {error}") from error


class _SocketLine:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def say(self, text: str) -> None:
        await self._socket.send_str(text)

    async def hear(self, seconds: float) -> str:
        message = await self._socket.receive(seconds)
        if message.type is aiohttp.WSMsgType.TEXT:
            text: str = message.data
            return text
        if self._socket.closed:
            raise LineEnded(f"closed with {self._socket.close_code}")
        raise LineEnded(f"frame of type {message.type.name}")


class _SdkLane:
    """Some threads, and a client for each: the SDK's client is not promised to be safe in two."""

    def __init__(self, name: str, clients: list[Any]) -> None:
        self._clients = clients
        self._free: SimpleQueue[Any] = SimpleQueue()
        for client in clients:
            self._free.put(client)
        self._threads = ThreadPoolExecutor(len(clients), name)

    def ask(self, method: str, path: str, query: Mapping[str, object] | None, body: Mapping[str, Any] | None) -> Asked:
        future = self._threads.submit(self._send, method, path, query, body)
        return Asked(asyncio.wrap_future(future), future.cancel)

    def _send(
        self, method: str, path: str, query: Mapping[str, object] | None, body: Mapping[str, Any] | None
    ) -> dict[str, object]:
        client = self._free.get_nowait()
        try:
            answer: dict[str, object] = client.prepare_and_send_request(
                method, PREFIX + path, query, body, public=not client.is_authenticated
            )
        finally:
            self._free.put(client)
        return answer

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients:
            client.session.close()


def read_reply(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    """What the SDK's client makes of a reply, for a Carrier without one. Raises what it raises."""
    _keep_the_sdk_quiet()
    response = requests.Response()
    response.status_code, response.encoding, response.raw = status, "utf-8", io.BytesIO(body)
    response.headers.update(headers)
    rest_base.handle_exception(response)
    answer: dict[str, object] = response.json()
    return answer


def _keep_the_sdk_quiet() -> None:
    """It writes every refusal to standard error; here errors are raised."""
    rest_base.logger.disabled = True
