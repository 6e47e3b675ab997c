"""A served venue and a bot in lockstep: the market moves only while nobody computes and nothing is on the wire.

The bot's loop runs on the market's time. When nothing is ready, the market is moved by hand to the next timer, at most
a quarter second at once; what that tells travels over real sockets and is heard before time goes on. So a run can be
repeated to the last digit.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from tests.venue_server import ServedVenue

from gpt_trader.core.clock import NS, VirtualClock
from gpt_trader.exchange.coinbase.adapter import CoinbaseExchange
from gpt_trader.exchange.coinbase.stream import CoinbaseSocket

STEP_NS = NS // 4
REAL_SECONDS = 0.002


class _Selector(selectors.DefaultSelector):
    """Stands where the loop waits."""

    def __init__(self, venue: ServedVenue, clock: VirtualClock) -> None:
        super().__init__()
        self._venue = venue
        self._clock = clock
        self.adapter: CoinbaseExchange | None = None
        self._beat_ns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or not self._quiet():
            return super().select(REAL_SECONDS)
        now_ns = self._clock.now_ns()
        until_ns = min(now_ns + max(1, round(timeout * NS)), now_ns // STEP_NS * STEP_NS + STEP_NS)
        self._venue.run(self._move(until_ns))
        self._clock.move_to(until_ns)
        return super().select(0)

    async def _move(self, until_ns: int) -> None:
        server = self._venue.server
        server.running.move_to(until_ns)
        if until_ns - self._beat_ns >= NS:  # heartbeats follow the wall clock, and silence the bot's
            self._beat_ns = until_ns
            for connection in server.sockets.connections:
                connection.send("heartbeats", server.sockets._beat_events())
        await server.sockets.flushed()

    def _quiet(self) -> bool:
        """No request is on its way, and every frame that was sent was heard."""
        adapter = self.adapter
        if adapter is None or adapter._transport.asking:
            return False
        begun = {task.get_name() for task in (*adapter._tasks._tasks, *adapter._feed._tasks._tasks)}
        account = "coinbase account" not in begun or self._heard_all("user", adapter._socket)
        market = "coinbase market" not in begun or self._heard_all("level2", adapter._feed._socket)
        return account and market

    def _heard_all(self, channel: str, socket: CoinbaseSocket | None) -> bool:
        assert socket is not None
        for connection in list(self._venue.server.sockets.connections):
            if channel in connection.channels:
                return socket.up and socket._last == connection.sequence - 1
        return False


class LockstepLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on the time of a served venue that is moved by hand."""

    def __init__(self, venue: ServedVenue, clock: VirtualClock) -> None:
        self._market_clock = clock
        self.market_selector = _Selector(venue, clock)
        super().__init__(self.market_selector)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return (self._market_clock.now_ns() - self._market_clock.start_ns) / NS


def run_in_lockstep(
    venue: ServedVenue,
    clock: VirtualClock,
    adapter: Callable[[], CoinbaseExchange],
    main: Callable[[CoinbaseExchange], Coroutine[Any, Any, Any]],
) -> Any:
    """Make the adapter on the loop, run `main` to its end and close the adapter."""
    loop = LockstepLoop(venue, clock)
    asyncio.set_event_loop(loop)
    try:

        async def go() -> Any:
            made = adapter()
            loop.market_selector.adapter = made
            try:
                return await main(made)
            finally:
                loop.market_selector.adapter = None
                await made.close()
                await asyncio.to_thread(threading.Event().wait, 0.1)  # TLS says goodbye behind the close

        return loop.run_until_complete(go())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()
