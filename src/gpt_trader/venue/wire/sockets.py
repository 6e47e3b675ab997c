"""Who listens? WebSocket connections: subscriptions, sequence numbers, deadlines, and what faults do to frames."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from gpt_trader.core.clock import NS, Clock
from gpt_trader.venue.wire.faults import Fault, FaultKind, FaultPlan
from gpt_trader.venue.wire.formats import Json, heartbeat_time, stamp
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.limits import RateLimits
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.tokens import TokenVerifier, Unauthorized

__all__ = ["MARKET_CHANNELS", "USER_CHANNELS", "Connection", "SocketFace"]

USER_CHANNELS: Final = frozenset({"user", "futures_balance_summary"})
MARKET_CHANNELS: Final = frozenset({"ticker", "ticker_batch", "level2", "market_trades", "candles", "status"})
HEARTBEATS: Final = "heartbeats"
LABELS: Final = {"level2": "l2_data"}
"""Channels whose frames carry another name than their subscription."""
SUBSCRIBE_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 75.0
"""A connection without heartbeats on which nothing is sent for so long is closed."""
QUEUE_MAX: Final = 50_000
"""Frames that wait for a slow reader; one more and the connection is dropped."""
MESSAGE_BYTES_MAX: Final = 1_000_000
Payload = bytes | str


class _Request(msgspec.Struct):
    """What a client says."""

    type: str = ""
    channel: str = ""
    product_ids: list[str] = []
    jwt: str = ""


class Connection:
    """One socket. Frames get their number when they are sent, or when a fault holds them back."""

    def __init__(self, socket: web.WebSocketResponse, face: SocketFace, *, user_only: bool) -> None:
        self.socket = socket
        self.user_only = user_only
        self.owner: ApiKey | None = None
        self.channels: dict[str, set[str]] = {}
        """Channel -> product ids; of an account's channels empty, which is all."""
        self.sequence = 0
        self.frames_sent = 0
        self.last_sent_ns = 0
        self.silent_until_ns = 0
        self._face = face
        self._queue: deque[str] = deque()
        self._wake = asyncio.Event()
        self._held: list[str] = []
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def account(self) -> int | None:
        return self.owner.account if self.owner is not None else None

    def wants(self, channel: str, product_id: str) -> bool:
        products = self.channels.get(channel)
        return products is not None and (not products or product_id in products)

    def send(self, channel: str, events: Payload) -> None:
        """Queue one frame; `events` is the encoded list of its events."""
        fault = self._face.faults.for_message(channel, self.account)
        if fault is None:
            self._put(self._frame(channel, events))
            self._release()
            return
        self._send_badly(fault, channel, events)

    def say(self, body: Json) -> None:
        """A frame outside the numbering, such as an error."""
        self._put(msgspec.json.encode(body).decode())

    def _frame(self, channel: str, events: Payload) -> str:
        number = self.sequence
        self.sequence += 1
        text = events if isinstance(events, str) else events.decode()
        client = "" if self._face.quirks.live else '"client_id":"",'
        label = LABELS.get(channel, channel)
        at = self._face.stamp_now()
        return f'{{"channel":"{label}",{client}"timestamp":"{at}","sequence_num":{number},"events":{text}}}'

    def _put(self, frame: str) -> None:
        now_ns = self._face.clock.now_ns()
        if now_ns < self.silent_until_ns:
            return
        if len(self._queue) >= QUEUE_MAX:
            self.drop()
            return
        self.last_sent_ns = now_ns
        self._queue.append(frame)
        self._idle.clear()
        self._wake.set()

    def _release(self) -> None:
        """A frame that was held back follows the one that overtook it."""
        held, self._held = self._held, []
        for frame in held:
            self._put(frame)

    def _send_badly(self, fault: Fault, channel: str, events: Payload) -> None:
        kind = fault.fault
        if kind is FaultKind.SEQUENCE_GAP:
            self.sequence += fault.count
        elif kind is FaultKind.SEQUENCE_RESET:
            self.sequence = 0
        elif kind is FaultKind.SILENCE:
            self.silent_until_ns = self._face.clock.now_ns() + round(fault.seconds * NS)
        elif kind is FaultKind.CLOSE:
            self._face.close_later(self, fault.code)
            return
        frame = self._frame(channel, events)
        if kind is FaultKind.REORDER:
            self._held.append(frame)
        elif kind is FaultKind.DELAY:
            self._face.later(fault.seconds, lambda: self._put(frame))
        elif kind is not FaultKind.DROP:
            self._put(frame)
        if kind is FaultKind.DUPLICATE:
            self._put(frame)

    def drop(self) -> None:
        """Break the connection without a word: the other side sees 1006."""
        self._face.drop(self)

    async def flushed(self) -> None:
        """Everything queued has been handed to the network."""
        await self._idle.wait()

    async def write(self) -> None:
        """Send what is queued, in order, until the socket is gone."""
        while not self.socket.closed:
            while self._queue:
                frame = self._queue.popleft()
                try:
                    await self.socket.send_str(frame)
                except (ConnectionError, RuntimeError):  # closed under us
                    self._queue.clear()
                    self._idle.set()
                    return
                self.frames_sent += 1
            self._idle.set()
            self._wake.clear()
            await self._wake.wait()

    def close_queue(self) -> None:
        self._queue.clear()
        self._idle.set()
        self._wake.set()


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
            return web.Response(status=429, text="too many connections")
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
