"""What time is it at the venue, and who must be told? Moves the simulated venue with the clock, or by hand.

Everybody who listens is told in order of time: rows of the market first, then news of orders and money.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, Protocol

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.stream import MarketStream, Rows
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.layout import NEVER
from gpt_trader.venue.news import News
from gpt_trader.venue.settings import VenueSettings
from gpt_trader.venue.wire.history import MarketHistory, Trade
from gpt_trader.venue.wire.tape import MarketTape

__all__ = ["Listener", "RunningVenue"]

HOUR_NS: Final = 3600 * NS
STEP_SECONDS: Final = 0.01
"""How often the market moves when it moves by the clock."""
PULSE_NS: Final = NS // 4
STEP_MARKET_NS: Final = 60 * NS
"""Longest way that is gone without letting others compute, when the market moves faster than the clock."""


class Listener(Protocol):
    """Somebody who publishes what happened."""

    def on_rows(self, rows: Rows, trades: dict[str, list[Trade]]) -> None: ...

    def on_news(self, news: News) -> None: ...

    def on_time(self, now_ns: int) -> None:
        """All of this moment has been told."""
        ...


class RunningVenue:
    """A SimulatedVenue whose time goes on.

    `speed` is market seconds a second; None stands still until `move_to` is called. A market that goes on by itself is
    shifted so that its time is the clock's, with at least `history_seconds` of it in the past.
    """

    def __init__(
        self,
        stream: MarketStream,
        *,
        cash: Sequence[Decimal],
        clock: Clock,
        speed: float | None,
        history_seconds: int = 0,
        settings: VenueSettings | None = None,
        pulse_ns: int = PULSE_NS,
    ) -> None:
        """While somebody watches, `on_time` comes at least every `pulse_ns` of the market.

        Raises ConfigError for a market that is too short, and MarketDataError for one not to be traded on."""
        history_ns = history_seconds * NS
        if history_ns >= stream.end_ns - stream.start_ns:
            raise ConfigError(f"--history {history_seconds}s: the market {stream.name} is not longer than that")
        self._clock = clock
        self._pulse_ns = pulse_ns
        self.speed = speed
        self._wall_ns = clock.now_ns()
        shift_ns = 0
        if speed is not None:
            shift_ns = (self._wall_ns - history_ns - stream.start_ns) // HOUR_NS * HOUR_NS
        live_ns = self._wall_ns if speed is not None else stream.start_ns + history_ns
        self.tape = MarketTape(stream, shift_ns=shift_ns, live_from_ns=live_ns)
        self.history = MarketHistory(stream.products, stream.bar_seconds)
        self.venue = SimulatedVenue(self.tape, cash=cash, settings=settings or VenueSettings())
        self.venue.wake_on_bars(False)
        self.products: tuple[ProductSpec, ...] = stream.products
        self._listeners: list[Listener] = []
        self._watched: Callable[[], bool] = lambda: False
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._timer_numbers = itertools.count()
        self.move_to(live_ns)
        self._market_ns = live_ns

    @property
    def now_ns(self) -> int:
        """Market time."""
        return self.venue.now_ns

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        """Call when the market reaches a time, before anything later happens."""
        heapq.heappush(self._timers, (at_ns, next(self._timer_numbers), callback))

    def catch_up(self) -> None:
        """Bring the market to where its time ought to be now; nothing when it is moved by hand."""
        if self.speed is not None:
            self.move_to(self._wanted_ns())
        else:
            self.move_to(self.now_ns)

    def move_to(self, until_ns: int) -> None:
        """Go on to `until_ns` and tell everything that happens on the way; at least what is due already."""
        while True:
            self.reach(until_ns)
            told = self.tell()
            if self.now_ns >= until_ns and not told and not self._timer_due():
                return

    def reach(self, until_ns: int) -> None:
        """Go on to the first moment at which somebody is to be told something, at most to `until_ns`."""
        self._run_timers()
        self.venue.advance(max(self.now_ns, min(until_ns, self._next_stop_ns())))

    def tell(self) -> bool:
        """Tell what this moment brought; True when there was news of orders or money."""
        told = self._tell()
        for listener in self._listeners:
            listener.on_time(self.now_ns)
        return told

    def _next_stop_ns(self) -> int:
        """The next timer, or the next moment at which somebody wants to be told of the market."""
        stops = [self.now_ns // self._pulse_ns * self._pulse_ns + self._pulse_ns] if self._watched() else []
        if self._timers:
            stops.append(self._timers[0][0])
        return min(stops, default=NEVER)

    def watched_by(self, watched: Callable[[], bool]) -> None:
        """While `watched` says so, `on_time` comes at least once a pulse."""
        self._watched = watched

    def jump_to(self, until_ns: int) -> None:
        """Go on to `until_ns`, whatever the clock says; a market that moves by itself goes on from there."""
        self.move_to(until_ns)
        self._wall_ns, self._market_ns = self._clock.now_ns(), self.now_ns

    async def run(self) -> None:
        """Keep the market going for ever."""
        while True:
            wanted_ns = self._wanted_ns()
            self.move_to(min(wanted_ns, self.now_ns + STEP_MARKET_NS))
            await self._clock.sleep(STEP_SECONDS if self.now_ns >= wanted_ns else 0)

    def set_speed(self, speed: float | None) -> None:
        """From now on; None stops the market's time."""
        self.catch_up()
        self._wall_ns, self._market_ns = self._clock.now_ns(), self.now_ns
        self.speed = speed

    def _wanted_ns(self) -> int:
        if self.speed is None:
            return self.now_ns
        return self._market_ns + round((self._clock.now_ns() - self._wall_ns) * self.speed)

    def _tell(self) -> bool:
        for rows in self.tape.take(self.now_ns):
            trades = self.history.add(rows)
            for listener in self._listeners:
                listener.on_rows(rows, trades)
        self.venue.take_bars()
        found = self.venue.take_news()
        for news in found:
            for listener in self._listeners:
                listener.on_news(news)
        return bool(found)

    def _timer_due(self) -> bool:
        return bool(self._timers) and self._timers[0][0] <= self.now_ns

    def _run_timers(self) -> None:
        while self._timer_due():
            heapq.heappop(self._timers)[2]()
