"""How does the Coinbase adapter reach its venue without a socket? Requests and frames in memory, on the day's time.

The adapter's own words go out and the venue's own words come back, as bytes: only TLS, TCP and signatures are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec
import requests

from gpt_trader.core.clock import VirtualClock, until_woken
from gpt_trader.exchange.coinbase.carrier import PREFIX, Asked, Lane, Line, LineEnded, read_reply
from gpt_trader.venue.wire import rest
from gpt_trader.venue.wire.rest import Answered, RestFace
from gpt_trader.venue.wire.sockets import SocketFace

__all__ = ["MARKET_URL", "USER_URL", "MemoryWire"]

MARKET_URL: Final = "memory://market"
USER_URL: Final = "memory://user"
WAY_SECONDS: Final = 0.01
"""What a request needs to reach the venue."""
BREAK_SECONDS: Final = 2.0
"""After so long a client notices that its connection broke."""
HEARTBEAT: Final = '{"channel":"heartbeats"'


class MemoryWire:
    """The Carrier of one process. Its death is `cut`: what it had asked goes on, and nobody hears of it."""

    def __init__(
        self,
        face: RestFace,
        sockets: SocketFace,
        clock: VirtualClock,
        *,
        leaving: Callable[[str, str, Mapping[str, Any] | None], str],
        effect: Callable[[str], None],
    ) -> None:
        """`leaving` is told of each request at the moment at which its bytes leave, and says what it is called;
        `effect` is called around it, and with each message that arrives."""
        self._face = face
        self._sockets = sockets
        self._clock = clock
        self._leaving = leaving
        self._effect = effect
        self._lines: dict[_MemoryLine, None] = {}

    def lane(self, name: str, size: int) -> Lane:  # noqa: ARG002 - the port's signature
        return _MemoryLane(self, size)

    @contextlib.asynccontextmanager
    async def line(self, url: str) -> AsyncIterator[Line]:
        line = _MemoryLine(self._sockets, self._effect, user_only=url == USER_URL)
        self._lines[line] = None
        try:
            yield line
        finally:
            self._lines.pop(line, None)
            line.hang_up()

    def cut(self) -> None:
        """The process is gone."""
        for line in tuple(self._lines):
            line.hang_up()
        self._lines.clear()

    async def carry(
        self, method: str, path: str, query: Mapping[str, object] | None, body: Mapping[str, Any] | None
    ) -> dict[str, object]:
        """One request to its end, as the SDK's client would tell it."""
        name = self._leaving(method, path, body)
        await self._clock.sleep(WAY_SECONDS)
        answered = await self._face.answer(
            rest.Asked(
                method=method,
                path=PREFIX + path,
                query=_query(query),
                body=b"" if body is None else msgspec.json.encode(body),
            )
        )
        if answered.cut:
            await self._clock.sleep(BREAK_SECONDS)
            raise requests.ConnectionError("the connection broke")
        if name:
            self._effect(f"after {name}")
        return _read(answered)


def _read(answered: Answered) -> dict[str, object]:
    return read_reply(answered.status, answered.headers, answered.body)


def _query(query: Mapping[str, object] | None) -> dict[str, list[str]]:
    return {
        name: [str(each) for each in value] if isinstance(value, (list, tuple)) else [str(value)]
        for name, value in (query or {}).items()
        if value is not None
    }


class _MemoryLane:
    def __init__(self, wire: MemoryWire, size: int) -> None:
        self._wire = wire
        self._free = asyncio.Semaphore(size)

    def ask(self, method: str, path: str, query: Mapping[str, object] | None, body: Mapping[str, Any] | None) -> Asked:
        left = False

        async def go() -> dict[str, object]:
            nonlocal left
            async with self._free:
                left = True
                return await self._wire.carry(method, path, query, body)

        task = asyncio.get_running_loop().create_task(go())
        return Asked(task, lambda: not left and task.cancel())

    def close(self) -> None:
        """Nothing is held."""


class _MemoryLine:
    """Both ends of one connection: the client's Line, and the venue's Outlet."""

    def __init__(self, sockets: SocketFace, effect: Callable[[str], None], *, user_only: bool) -> None:
        self._sockets = sockets
        self._effect = effect
        self._user_only = user_only
        self._frames: deque[str] = deque()
        self._waker: asyncio.Future[bool] | None = None
        self._ended = ""
        self._connection = sockets.open(self, user_only=user_only)

    # --- the client's end -----------------------------------------------------------------------------------------
    async def say(self, text: str) -> None:
        self._sockets.hear(self._connection, text)

    async def hear(self, seconds: float) -> str:
        if not self._frames and not self._ended:
            self._waker = asyncio.get_running_loop().create_future()
            if not await until_woken(self._waker, seconds):
                raise TimeoutError
        if not self._frames:
            raise LineEnded(self._ended)
        frame = self._frames.popleft()
        if self._user_only and not frame.startswith(HEARTBEAT):
            self._effect("message")
        return frame

    def hang_up(self) -> None:
        self._sockets.gone(self._connection)
        self._waker = None
        self._ended = "closed by us"

    # --- the venue's end ------------------------------------------------------------------------------------------
    def put(self, frame: str) -> None:
        if not self._ended:
            self._frames.append(frame)
            self._wake()

    def close(self, code: int) -> None:
        self._ended = self._ended or f"closed with {int(code)}"
        self._sockets.gone(self._connection)
        self._wake()

    async def flushed(self) -> None:
        """What was put is there."""

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(True)
