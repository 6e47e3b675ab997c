"""How do bytes travel to Coinbase and back? The official SDK's client in threads, and a WebSocket that verifies.

A port, since the venue may stand in the same process and share its time (`research/bad_days`): everything above it,
deadlines, limits, meanings and supervision, is then the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import cached_property, partial
from queue import SimpleQueue
from typing import Any, Final, NamedTuple, Protocol, TypeVar, runtime_checkable

import aiohttp
import requests
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from coinbase.rest import RESTClient, rest_base

from gpt_trader.core.clock import call_after
from gpt_trader.core.errors import VenueUnavailableError
from gpt_trader.exchange.coinbase.credentials import ApiKey

__all__ = ["PREFIX", "Asked", "Carrier", "Internet", "Lane", "Line", "LineEnded", "SignsAhead", "read_reply"]

T = TypeVar("T")
PREFIX: Final = "/api/v3/brokerage"
CONNECT_SECONDS: Final = 3.0
LINE_CONNECT_SECONDS: Final = 10.0
FRAME_BYTES_MAX: Final = 32 * 1024 * 1024
"""A snapshot of a deep book has 5 MB."""
READY_SECONDS: Final = 20.0
"""How long a request is kept that was signed and not asked for; a token is good for two minutes."""


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


@runtime_checkable
class SignsAhead(Protocol):
    """A lane on which a request can be signed and written before it may leave."""

    def get_ready(self, path: str, body: Mapping[str, Any]) -> None:
        """A POST of this body will probably be asked for soon. Nothing leaves; what is not asked for never does."""
        ...


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
        connector = _Connector()
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
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
        finally:
            connector.hang_up()


class _Connector(aiohttp.TCPConnector):
    """Ends a connection for good: aiohttp leaves TLS to say goodbye by itself, for up to half a minute, to whoever may
    not listen any more; a loop that ends meanwhile leaves the socket open."""

    _transport: asyncio.Transport | None = None

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        self._transport = connection.transport
        return connection

    def hang_up(self) -> None:
        """After the close of the WebSocket, or instead of it. The socket is closed with the loop's next turn."""
        if self._transport is not None:
            self._transport.abort()


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
    """Some threads, and a client for each: the SDK's client is not promised to be safe in two.

    A request is signed and written by one step and sent by another, so that the first can be taken while its order is
    made durable; and an answer is taken apart once, where the SDK's own step does it twice.
    """

    def __init__(self, name: str, clients: list[Any]) -> None:
        self._clients = clients
        self._free: SimpleQueue[Any] = SimpleQueue()
        for client in clients:
            self._free.put(client)
        self._threads = ThreadPoolExecutor(len(clients), name)
        self._ready: dict[tuple[str, bytes], Future[requests.PreparedRequest]] = {}

    def get_ready(self, path: str, body: Mapping[str, Any]) -> None:
        key = path, _text(body)
        self._ready[key] = self._threads.submit(self._with_client, partial(_written, "POST", path, None, key[1]))
        call_after(READY_SECONDS, partial(self._forget, key))

    def _forget(self, key: tuple[str, bytes]) -> None:
        self._ready.pop(key, None)

    def ask(self, method: str, path: str, query: Mapping[str, object] | None, body: Mapping[str, Any] | None) -> Asked:
        text = _text(body or {})
        ready = self._ready.pop((path, text), None)
        future = self._threads.submit(self._send, method, path, query, text, ready)
        return Asked(asyncio.wrap_future(future), future.cancel)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None,
        text: bytes,
        ready: Future[requests.PreparedRequest] | None,
    ) -> dict[str, object]:
        request = None if ready is None else ready.result()
        return self._with_client(lambda client: _sent(client, request or _written(method, path, query, text, client)))

    def _with_client(self, work: Callable[[Any], T]) -> T:
        client = self._free.get_nowait()
        try:
            return work(client)
        finally:
            self._free.put(client)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients:
            client.session.close()


def _text(body: Mapping[str, Any]) -> bytes:
    """As the SDK's HTTP library writes it."""
    return json.dumps(body, allow_nan=False).encode()


def _written(
    method: str, path: str, query: Mapping[str, object] | None, text: bytes, client: Any
) -> requests.PreparedRequest:
    """The request as the SDK's client writes it, signed by it now."""
    asked: Any = {name: value for name, value in (query or {}).items() if value is not None}
    written: requests.PreparedRequest = client.session.prepare_request(
        requests.Request(
            method,
            f"https://{client.base_url}{PREFIX}{path}",
            headers=client.set_headers(method, PREFIX + path),
            params=asked,
            data=text,
        )
    )
    return written


def _sent(client: Any, request: requests.PreparedRequest) -> dict[str, object]:
    response = client.session.send(request, timeout=client.timeout)
    rest_base.handle_exception(response)
    answer: dict[str, object] = json.loads(response.content)
    return answer


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
