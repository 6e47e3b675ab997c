"""What time is it? The only module that reads a clock or sleeps.

Live runs use SystemClock on an ordinary event loop. Simulated runs use VirtualLoop: an event loop whose time is the
market's. When no callback is ready, the loop asks the injected world to move to the next timer or event, so an hour
of market costs only what it takes to compute it, and the same seed gives the same order of everything.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, Protocol, TypeVar

__all__ = [
    "NS",
    "Clock",
    "ManualClock",
    "SystemClock",
    "VirtualClock",
    "VirtualLoop",
    "World",
    "call_after",
    "iso",
    "run_virtual",
    "today_utc",
    "until",
]

NS: Final = 1_000_000_000
PACED_STEP_SECONDS: Final = 0.01
"""How long a paced loop sleeps at a time; a signal or a socket wakes it."""
T = TypeVar("T")


def iso(at_ns: int) -> str:
    """UTC time as text with milliseconds, for people."""
    moment = datetime.fromtimestamp(at_ns // NS, tz=UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_ns % NS // 1_000_000:03d}Z"


def today_utc() -> date:
    """The machine's day, for review dates; nothing that trades asks for it."""
    return datetime.now(tz=UTC).date()


class Clock(Protocol):
    """Injected everywhere."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock. Wall time is anchored to the monotonic clock, so that a step of the wall clock is seen
    as a difference (`skew_ns`) and never moves a timer."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns

    def skew_ns(self) -> int:
        """How far the wall clock was moved (or the machine suspended) since the clock was made."""
        return time.time_ns() - self.now_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that a test moves by hand."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        self._now_ns += round(seconds * NS)

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


def call_after(seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
    """Call back on the running loop's time; returns how to stop that."""
    return asyncio.get_running_loop().call_later(max(0.0, seconds), callback).cancel


async def until(future: asyncio.Future[Any], seconds: float) -> bool:
    """Wait for `future` at most so long; True when it is done. Cheaper than a task for each wait."""
    if future.done():
        return True
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = loop.call_later(seconds, wake)
    future.add_done_callback(wake)
    try:
        await waiter
    finally:
        timer.cancel()
        future.remove_done_callback(wake)
    return future.done()


class World(Protocol):
    """What moves while nobody computes: the simulated venue and its market."""

    def advance(self, until_ns: int | None) -> int:
        """Move to the first moment at which somebody must be told something, at most to `until_ns`, tell them, and
        return the time reached. With None: to the next event, wherever it is. Returning a time before `until_ns`
        means that callbacks may have become ready. Raises SimulationOver when None is given and nothing is left."""
        ...


class SimulationOver(Exception):
    """The world has nothing left to happen and nobody waits for a timer."""


class VirtualClock:
    """The market's time. Moved by the loop and, within one advance, by the world itself."""

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def move_to(self, now_ns: int) -> None:
        """Never back."""
        self._now_ns = max(self._now_ns, now_ns)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _WorldSelector(selectors.BaseSelector):
    """Stands where the loop waits for the network, and moves the world instead.

    Descriptors (the loop's own wake-up pipe, a control socket) are kept in a real selector and polled now and then.
    """

    POLL_EVERY: Final = 256
    """Looks at real descriptors once in so many waits; a poll is a system call."""

    def __init__(self, clock: VirtualClock, world: World, pace: float | None) -> None:
        self._real = selectors.DefaultSelector()
        self._clock = clock
        self._world = world
        self._pace = pace
        self._waits = 0
        self._wall_start = time.monotonic()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._waits += 1
        if timeout is not None and timeout <= 0:
            return self._real.select(0) if self._waits % self.POLL_EVERY == 0 else []
        until_ns = None if timeout is None else self._clock.now_ns() + max(1, round(timeout * NS))
        if self._pace is not None:
            return self._select_paced(until_ns, self._pace)
        self._clock.move_to(self._world.advance(until_ns))
        return self._real.select(0) if self._waits % self.POLL_EVERY == 0 else []

    def _allowed_ns(self, pace: float) -> int:
        return self._clock.start_ns + round((time.monotonic() - self._wall_start) * pace * NS)

    def _select_paced(self, until_ns: int | None, pace: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Let market time pass no faster than `pace` seconds a second, in steps short enough to stay responsive."""
        allowed_ns = self._allowed_ns(pace)
        ready: list[tuple[selectors.SelectorKey, int]] = []
        if until_ns is None or until_ns > allowed_ns:  # nothing is due; what came due meanwhile follows after the wait
            ready = self._real.select(PACED_STEP_SECONDS)
            allowed_ns = self._allowed_ns(pace)
        target_ns = allowed_ns if until_ns is None else min(until_ns, allowed_ns)
        if target_ns > self._clock.now_ns():
            self._clock.move_to(self._world.advance(target_ns))
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop on the market's time.

    `pace` is market seconds per real second; None runs as fast as it computes.
    """

    def __init__(self, clock: VirtualClock, world: World, pace: float | None = None) -> None:
        self._virtual_clock = clock
        super().__init__(_WorldSelector(clock, world, pace))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return (self._virtual_clock.now_ns() - self._virtual_clock.start_ns) / NS


def run_virtual(
    clock: VirtualClock, world: World, main: Callable[[], Coroutine[Any, Any, T]], pace: float | None = None
) -> T:
    """Run `main` to its end on market time and return what it returned."""
    loop = VirtualLoop(clock, world, pace)
    try:
        asyncio.set_event_loop(loop)
        task = loop.create_task(main())
        try:
            return loop.run_until_complete(task)
        finally:
            for pending in asyncio.all_tasks(loop):
                pending.cancel()
            if not task.done() or not task.cancelled():
                loop.run_until_complete(_settle(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _settle(loop: asyncio.AbstractEventLoop) -> None:
    me = asyncio.current_task()
    others = [task for task in asyncio.all_tasks(loop) if task is not me]
    await asyncio.gather(*others, return_exceptions=True)
