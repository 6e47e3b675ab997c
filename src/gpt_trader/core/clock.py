"""What time is it? The only module that reads a clock or sleeps.

Live runs use SystemClock on an ordinary event loop. Simulated runs use VirtualLoop: an event loop whose time is the
market's. When no callback is ready, the loop asks the injected world to move to the next timer or event, so an hour
of market costs only what it takes to compute it, and the same seed gives the same order of everything.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import UTC, date, datetime
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple

__all__ = [
    "NS",
    "Clock",
    "HeldClock",
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
    "until_woken",
]

NS: Final = 1_000_000_000
PACED_STEP_SECONDS: Final = 0.01
"""How long a paced loop sleeps at a time; a signal or a socket wakes it."""
LOOK_EVERY: Final = 256
"""One turn in so many of a run as fast as it computes looks at sockets; a look is a system call."""
WAIT_SECONDS_MAX: Final = 24 * 3600
"""The longest that the world is moved at a time."""
RESOLUTION_SECONDS: Final = 1e-9
"""A timer that is due within it is due now."""
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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

    @staticmethod
    def awake_ns() -> int:
        """Time since some moment, a suspended machine's included where the system counts it; never stepped."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic_ns()

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


class HeldClock:
    """A clock that stands where it was put: for whoever decides again as of a moment that has passed."""

    def __init__(self) -> None:
        self.at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody waits {seconds} s in a moment that has passed")


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


async def until_woken(waker: asyncio.Future[bool], seconds: float) -> bool:
    """The same for a future that nobody else waits for, and which is made for one wait: `waker.set_result(True)` wakes
    whoever waits here, and when the time is over it is done, too. Half the turns of the loop that `until` takes."""
    timer = waker.get_loop().call_later(seconds, _time_is_over, waker)
    try:
        return await waker
    finally:
        timer.cancel()


def _time_is_over(waker: asyncio.Future[bool]) -> None:
    if not waker.done():
        waker.set_result(False)


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
        self.reached_ns = start_ns
        """What `now_ns` answers; for the loop and the world, which ask at every turn."""

    def now_ns(self) -> int:
        return self.reached_ns

    def move_to(self, now_ns: int) -> None:
        """Never back."""
        if now_ns > self.reached_ns:  # noqa: PLR1730 - max() is a call, and this runs at every turn
            self.reached_ns = now_ns

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop on the market's time: where another loop would wait, this one moves the world.

    `pace` is market seconds per real second; None runs as fast as it computes.

    A simulation takes some ten turns an order, so the turn and the timers are written here, without what serves
    debugging, and with sockets (a control socket, the loop's own wake-up pipe) looked at now and then. What is used of
    asyncio's own loop, and overridden, is the same in Python 3.11 to 3.14: `_ready`, `_stopping`, `_selector`,
    `_process_events` and `_run_once`.
    """

    _ready: deque[asyncio.Handle]
    _stopping: bool
    _selector: selectors.BaseSelector
    _process_events: Callable[[list[tuple[selectors.SelectorKey, int]]], None]
    get_debug = staticmethod(bool)  # every handle and future asks: a "no" without a call of Python's

    def __init__(self, clock: VirtualClock, world: World, pace: float | None = None) -> None:
        self._virtual_clock = clock
        self._start_ns = clock.start_ns
        self._world = world
        self._pace = pace
        self._wall_start = time.monotonic()
        self._turns = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        """(time, number, handle), the next one first; of one time those first that were set first."""
        self._timers_set = 0
        super().__init__(selectors.DefaultSelector())

    def time(self) -> float:
        return (self._virtual_clock.reached_ns - self._start_ns) / NS

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        when = (self._virtual_clock.reached_ns - self._start_ns) / NS + delay  # `call_at`, without the calls
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers_set += 1
        heapq.heappush(self._timers, (when, self._timers_set, timer))
        return timer

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers_set += 1
        heapq.heappush(self._timers, (when, self._timers_set, timer))
        return timer

    def _run_once(self) -> None:
        """One turn in asyncio's own order: let time pass if nobody is ready, then what came in by sockets, then the
        timers that are due, then everybody who was ready before the turn's first ran."""
        self._turns += 1
        ready = self._ready
        if not ready and not self._stopping:
            self._pass_time()
        if self._turns % LOOK_EVERY == 0 or self._pace is not None:
            self._process_events(self._selector.select(0))
        if timers := self._timers:
            due = (self._virtual_clock.reached_ns - self._start_ns) / NS + RESOLUTION_SECONDS
            while timers and timers[0][0] < due:
                ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:  # noqa: SLF001 - the same
                handle._run()  # noqa: SLF001 - the same

    def _pass_time(self) -> None:
        """The world moves to the first living timer, or until it has something to tell."""
        timers, now_ns = self._timers, self._virtual_clock.reached_ns
        while timers and timers[0][2]._cancelled:  # noqa: SLF001 - asyncio's loop and its handles are one piece
            heapq.heappop(timers)
        until_ns = None
        if timers:
            seconds = timers[0][0] - (now_ns - self._start_ns) / NS
            if seconds <= 0:
                return
            until_ns = now_ns + (round(min(seconds, WAIT_SECONDS_MAX) * NS) or 1)
        if self._pace is not None:
            until_ns = self._paced(until_ns, self._pace)
            if until_ns <= now_ns:
                return
        reached_ns = self._world.advance(until_ns)
        if reached_ns > self._virtual_clock.reached_ns:
            self._virtual_clock.move_to(reached_ns)

    def _paced(self, until_ns: int | None, pace: float) -> int:
        """Market time passes no faster than `pace` seconds a second, in steps short enough to stay responsive."""
        allowed_ns = self._allowed_ns(pace)
        if until_ns is None or until_ns > allowed_ns:  # nothing is due; what came due meanwhile follows after the wait
            self._process_events(self._selector.select(PACED_STEP_SECONDS))
            allowed_ns = self._allowed_ns(pace)
        return allowed_ns if until_ns is None else min(until_ns, allowed_ns)

    def _allowed_ns(self, pace: float) -> int:
        return self._start_ns + round((time.monotonic() - self._wall_start) * pace * NS)


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
