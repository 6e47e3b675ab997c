"""Who listens? WebSocket connections from their opening to their close: subscriptions, deadlines, heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from gpt_trader.core.clock import NS, Clock
from gpt_trader.venue.wire.connection import Connection
from gpt_trader.venue.wire.faults import FaultPlan
from gpt_trader.venue.wire.formats import Json, heartbeat_time, stamp
from gpt_trader.venue.wire.limits import RateLimits
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.tokens import TokenVerifier, Unauthorized

__all__ = ["MARKET_CHANNELS", "USER_CHANNELS", "SocketFace"]

USER_CHANNELS: Final = frozenset({"user", "futures_balance_summary"})
MARKET_CHANNELS: Final = frozenset({"ticker", "ticker_batch", "level2", "market_trades", "candles", "status"})
HEARTBEATS: Final = "heartbeats"
SUBSCRIBE_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 75.0
"""A connection without heartbeats on which nothing is sent for so long is closed."""
MESSAGE_BYTES_MAX: Final = 1_000_000


class _Request(msgspec.Struct):
    """What a client says."""

    type: str = ""
    channel: str = ""
    product_ids: list[str] = []
    jwt: str = ""


Greeting = Callable[[Connection, str, Sequence[str]], None]
"""Sends the snapshots of a fresh subscription."""


class SocketFace:
    """Accepts connections and knows who subscribed to what."""

    def __init__(
        self,
        *,
        tokens: TokenVerifier,
        faults: FaultPlan,
        quirks: Quirks,
        limits: RateLimits,
        clock: Clock,
        market_ns: Callable[[], int],
        product_ids: Sequence[str],
    ) -> None:
        self.faults = faults
        self.quirks = quirks
        self.clock = clock
        self._market_ns = market_ns
        self._tokens = tokens
        self._limits = limits
        self._product_ids = frozenset(product_ids)
        self._greet: Greeting | None = None
        self.connections: set[Connection] = set()
        self._transports: dict[Connection, asyncio.BaseTransport] = {}
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
        for connection in list(self.connections):
            await connection.flushed()

    # life of a connection

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
        connection = Connection(socket, self, user_only=user_only)
        connection.last_sent_ns = self.clock.now_ns()
        self.connections.add(connection)
        if request.transport is not None:
            self._transports[connection] = request.transport
        writer = self._spawn(connection.write())
        self.later(SUBSCRIBE_SECONDS, lambda: self._check_subscribed(connection))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._hear(connection, message.data)
        finally:
            self.connections.discard(connection)
            self._transports.pop(connection, None)
            connection.close_queue()
            writer.cancel()
        return socket

    def _check_subscribed(self, connection: Connection) -> None:
        if connection in self.connections and not connection.channels:
            self.close_later(connection, WSCloseCode.POLICY_VIOLATION)

    def drop(self, connection: Connection) -> None:
        transport = self._transports.get(connection)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    def close_later(self, connection: Connection, code: int) -> None:
        """Close with a code; 1006 breaks the connection instead."""
        if code == WSCloseCode.ABNORMAL_CLOSURE:
            self.drop(connection)
            return

        async def close() -> None:
            await connection.flushed()
            await connection.socket.close(code=code)

        self._spawn(close())

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
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
        for connection in list(self.connections):
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)
        for task in list(self._tasks):
            task.cancel()

    async def beat(self) -> None:
        """Heartbeats and idle connections, once a second by the wall clock, for ever."""
        while True:
            await self.clock.sleep(1.0)
            self._heartbeat += 1
            now_ns = self.clock.now_ns()
            for connection in list(self.connections):
                if HEARTBEATS in connection.channels:
                    connection.send(HEARTBEATS, self._beat_events())
                elif now_ns - connection.last_sent_ns > IDLE_SECONDS * NS:
                    self.close_later(connection, WSCloseCode.OK)

    def _beat_events(self) -> bytes:
        at = heartbeat_time(self._market_ns() + self.quirks.skew_ns)
        return msgspec.json.encode([{"current_time": at, "heartbeat_counter": 1000 + self._heartbeat}])

    # subscriptions

    def _hear(self, connection: Connection, text: str) -> None:
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
