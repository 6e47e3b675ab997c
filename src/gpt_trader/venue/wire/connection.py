"""What goes out on one socket? Frames in order, their numbers, and what faults do to them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from aiohttp import web

from gpt_trader.core.clock import NS, Clock
from gpt_trader.venue.wire.faults import Fault, FaultKind, FaultPlan
from gpt_trader.venue.wire.formats import Json
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.quirks import Quirks

__all__ = ["Connection", "Switchboard"]

LABELS: Final = {"level2": "l2_data"}
"""Channels whose frames carry another name than their subscription."""
QUEUE_MAX: Final = 50_000
"""Frames that wait for a slow reader; one more and the connection is dropped."""
Payload = bytes | str


class Switchboard(Protocol):
    """Where connections meet."""

    @property
    def faults(self) -> FaultPlan: ...

    @property
    def quirks(self) -> Quirks: ...

    @property
    def clock(self) -> Clock: ...

    def stamp_now(self) -> str:
        """The venue's time, as frames carry it."""
        ...

    def later(self, seconds: float, callback: Callable[[], None]) -> None: ...

    def close_later(self, connection: Connection, code: int) -> None:
        """Close with a code; 1006 breaks the connection instead."""
        ...

    def drop(self, connection: Connection) -> None: ...


class Connection:
    """One socket. Frames get their number when they are sent, or when a fault holds them back."""

    def __init__(self, socket: web.WebSocketResponse, face: Switchboard, *, user_only: bool) -> None:
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
