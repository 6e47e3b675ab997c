"""Who listens? WebSocket connections from their opening to their close: subscriptions, deadlines, heartbeats."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from gpt_trader.core.clock import NS, Clock
from gpt_trader.venue.wire.connection import Connection, Outlet
from gpt_trader.venue.wire.faults import Faults
from gpt_trader.venue.wire.formats import Json, heartbeat_time, stamp
from gpt_trader.venue.wire.limits import RateLimits
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.tokens import Tokens, Unauthorized

__all__ = ["MARKET_CHANNELS", "USER_CHANNELS", "SocketFace"]

USER_CHANNELS: Final = frozenset({"user", "futures_balance_summary"})
MARKET_CHANNELS: Final = frozenset({"ticker", "ticker_batch", "level2", "market_trades", "candles", "status"})
HEARTBEATS: Final = "heartbeats"
SUBSCRIBE_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 75.0
"""A connection without heartbeats on which nothing is sent for so long is closed."""
MESSAGE_BYTES_MAX: Final = 1_000_000
QUEUE_MAX: Final = 50_000
"""Frames that wait for a slow reader; one more and the connection is dropped."""


class _Request(msgspec.Struct):
    """What a client says."""

    type: str = ""
    channel: str = ""
    product_ids: list[str] = []
    jwt: str = ""


Greeting = Callable[[Connection, str, Sequence[str]], None]
"""Sends the snapshots of a fresh subscription."""
Later = Callable[[float, Callable[[], None]], None]
"""Does something so many seconds later."""


class _SocketOutlet:
    """Writes frames to a WebSocket of aiohttp, in a task of its own."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.BaseTransport | None) -> None:
        self._socket = socket
        self._transport = transport
        self._queue: deque[str] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing: asyncio.Task[None] | None = None

    def put(self, frame: str) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._break()
            return
        self._queue.append(frame)
        self._idle.clear()
        self._wake.set()

    def close(self, code: int) -> None:
        if code == WSCloseCode.ABNORMAL_CLOSURE:
            self._break()
        else:
            self._closing = asyncio.get_running_loop().create_task(self._say_goodbye(code))

    def _break(self) -> None:
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    async def _say_goodbye(self, code: int) -> None:
        await self._idle.wait()
        await self._socket.close(code=code)

    async def flushed(self) -> None:
        await self._idle.wait()
        if self._closing is not None:
            await self._closing

    async def write(self) -> None:
        """Send what is queued, in order, until the socket is gone."""
        while not self._socket.closed:
            while self._queue:
                try:
                    await self._socket.send_str(self._queue.popleft())
                except (ConnectionError, RuntimeError):  # closed under us
                    self.let_go()
                    return
            self._idle.set()
            self._wake.clear()
            await self._wake.wait()

    def let_go(self) -> None:
        """Nobody is there any more."""
        self._queue.clear()
        self._idle.set()
        self._wake.set()


class SocketFace:
    """Knows who subscribed to what, wherever connections come from; `add_to` lets them come over HTTP."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        faults: Faults,
        quirks: Quirks,
        limits: RateLimits,
        clock: Clock,
        market_ns: Callable[[], int],
        product_ids: Sequence[str],
        later: Later | None = None,
    ) -> None:
        """Without `later`, what is to be done later is done by tasks of the running loop."""
        self.faults = faults
        self.quirks = quirks
        self.clock = clock
        self.later = later or self._in_a_task
        self._market_ns = market_ns
        self._tokens = tokens
        self._limits = limits
        self._product_ids = frozenset(product_ids)
        self._greet: Greeting | None = None
        self.connections: dict[Connection, None] = {}
        """In the order in which they were opened."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._heartbeat = 0

    def greet_with(self, greeting: Greeting) -> None:
        self._greet = greeting

    def add_to(self, app: web.Application) -> None:
        for path in ("/", "/ws"):
            app.router.add_get(path, self._market)
        app.router.add_get("/ws-user", self._user)

    def stamp_now(self) -> str:
        return stamp(self._market_ns() + self.quirks.skew_ns)

    def subscribers(self, channel: str, product_id: str) -> list[Connection]:
        return [connection for connection in self.connections if connection.wants(channel, product_id)]

    def of_account(self, channel: str, account: int) -> list[Connection]:
        return [each for each in self.connections if each.account == account and channel in each.channels]

    async def flushed(self) -> None:
        for connection in tuple(self.connections):
            await connection.outlet.flushed()

    # life of a connection

    def open(self, outlet: Outlet, *, user_only: bool) -> Connection:
        """Somebody connected, and must subscribe soon."""
        connection = Connection(outlet, self, user_only=user_only)
        self.connections[connection] = None
        self.later(SUBSCRIBE_SECONDS, lambda: self._check_subscribed(connection))
        return connection

    def gone(self, connection: Connection) -> None:
        self.connections.pop(connection, None)

    def _check_subscribed(self, connection: Connection) -> None:
        if connection in self.connections and not connection.channels:
            connection.outlet.close(WSCloseCode.POLICY_VIOLATION)

    async def _market(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, user_only=False)

    async def _user(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, user_only=True)

    async def _serve(self, request: web.Request, *, user_only: bool) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=MESSAGE_BYTES_MAX, timeout=1.0)
        if not socket.can_prepare(request):
            return web.Response(status=426, text="this address speaks WebSocket")
        if not self._limits.connects(str(request.remote)):
            refusal = web.Response(status=429, text="too many connections")
            refusal.force_close()
            return refusal
        await socket.prepare(request)
        outlet = _SocketOutlet(socket, request.transport)
        connection = self.open(outlet, user_only=user_only)
        writer = self._spawn(outlet.write())
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.hear(connection, message.data)
        finally:
            self.gone(connection)
            outlet.let_go()
            writer.cancel()
        return socket

    def _in_a_task(self, seconds: float, callback: Callable[[], None]) -> None:
        async def wait() -> None:
            await self.clock.sleep(seconds)
            callback()

        self._spawn(wait())

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        for connection in tuple(self.connections):
            connection.outlet.close(WSCloseCode.GOING_AWAY)
            await connection.outlet.flushed()
        for task in tuple(self._tasks):
            task.cancel()

    async def run(self) -> None:
        """Heartbeats once a second by the clock, for ever."""
        while True:
            await self.clock.sleep(1.0)
            self.beat()

    def beat(self) -> None:
        """One heartbeat to whoever wants it; who does not, and was told nothing for long, is closed."""
        self._heartbeat += 1
        now_ns = self.clock.now_ns()
        events = self._beat_events()
        for connection in tuple(self.connections):
            if HEARTBEATS in connection.channels:
                connection.send(HEARTBEATS, events)
            elif now_ns - connection.last_sent_ns > IDLE_SECONDS * NS:
                connection.outlet.close(WSCloseCode.OK)

    def _beat_events(self) -> bytes:
        at = heartbeat_time(self._market_ns() + self.quirks.skew_ns)
        return msgspec.json.encode([{"current_time": at, "heartbeat_counter": 1000 + self._heartbeat}])

    # subscriptions

    def hear(self, connection: Connection, text: str) -> None:
        """What a client says."""
        try:
            request = msgspec.json.decode(text, type=_Request)
        except msgspec.MsgspecError:
            connection.say(_error("failed to parse message"))
            return
        if request.type == "subscribe":
            self._subscribe(connection, request)
        elif request.type == "unsubscribe":
            self._unsubscribe(connection, request)
        else:
            connection.say(_error(f"unknown type {request.type}"))

    def _subscribe(self, connection: Connection, request: _Request) -> None:
        refusal = self._refusal(connection, request)
        fault = None if refusal else self.faults.for_message(request.channel, connection.account, subscribing=True)
        if refusal or fault is not None:
            connection.say(_error(refusal or "authentication failure"))
            return
        products = connection.channels.setdefault(request.channel, set())
        fresh = [each for each in request.product_ids if each not in products] or list(request.product_ids)
        products.update(request.product_ids)
        self._acknowledge(connection)
        if self._greet is not None:
            self._greet(connection, request.channel, fresh)

    def _refusal(self, connection: Connection, request: _Request) -> str:
        channel = request.channel
        known = USER_CHANNELS | {HEARTBEATS} if connection.user_only else USER_CHANNELS | MARKET_CHANNELS | {HEARTBEATS}
        if channel not in known:
            return "authentication failure"
        if request.jwt or channel in USER_CHANNELS:
            try:
                connection.owner = self._tokens.websocket(request.jwt)
            except Unauthorized:
                return "authentication failure"
        if channel in {"level2", "ticker", "ticker_batch", "market_trades", "candles"} and not request.product_ids:
            return "product_ids is required"
        unknown = [each for each in request.product_ids if each not in self._product_ids]
        return f"unknown product {unknown[0]}" if unknown and channel != HEARTBEATS else ""

    def _unsubscribe(self, connection: Connection, request: _Request) -> None:
        products = connection.channels.get(request.channel)
        if products is not None:
            products.difference_update(request.product_ids)
            if not products or not request.product_ids:
                del connection.channels[request.channel]
        self._acknowledge(connection)

    def _acknowledge(self, connection: Connection) -> None:
        """Tell all subscriptions of the connection."""
        found = {channel: self._named(connection, channel, ids) for channel, ids in connection.channels.items()}
        connection.send("subscriptions", msgspec.json.encode([{"subscriptions": found}]))

    def _named(self, connection: Connection, channel: str, product_ids: set[str]) -> list[str]:
        if channel == HEARTBEATS:
            return [HEARTBEATS]
        if channel in USER_CHANNELS and connection.owner is not None:
            return [connection.owner.user_id]
        return sorted(product_ids)


def _error(message: str) -> Json:
    return {"type": "error", "message": message}
