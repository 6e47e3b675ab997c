"""Who hears of events without holding the bot up? A bounded queue between the bus and one thread beside it.

What the thread does with an event, and how long it takes, is no business of the order path: the bus pays for one
append. When the thread is too slow events are missed and counted; the event store has them all.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from gpt_trader.core.events import Event

__all__ = ["EVENTS_MAX", "EventTap", "ask", "attended"]

T = TypeVar("T")
EVENTS_MAX: Final = 100_000
ANSWER_SECONDS: Final = 2.0
END_SECONDS: Final = 10.0
"""How long an end is waited for; what is not dealt with by then is lost to this listener."""
TICK_SECONDS: Final = 1.0


class EventTap:
    """Between the thread of the bot and one other."""

    def __init__(self, events_max: int = EVENTS_MAX) -> None:
        self._events_max = events_max
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.missed = 0
        """Events that came while the queue was full."""

    def on_event(self, event: Event) -> None:
        """Listener of the bus; never waits."""
        if self._queue.qsize() >= self._events_max:
            self.missed += 1
        else:
            self._queue.put(event)

    def serve(self, hear: Callable[[Event], None], tick: Callable[[], None], tick_seconds: float) -> None:
        """In the other thread: every event in its order, and a tick when none came for a while, until `close`."""
        while True:
            try:
                event = self._queue.get(timeout=tick_seconds)
            except queue.Empty:
                tick()
                continue
            if event is None:
                return
            hear(event)
            if self._queue.empty():
                tick()

    def close(self) -> None:
        """Let `serve` end after all that is queued."""
        self._queue.put(None)


@contextlib.contextmanager
def attended(
    name: str,
    hear: Callable[[Event], None],
    *,
    tick: Callable[[], None] = lambda: None,
    tick_seconds: float = TICK_SECONDS,
    end_seconds: float = END_SECONDS,
    tap: EventTap | None = None,
) -> Iterator[EventTap]:
    """A tap (a new one, or the given) and the thread that empties it.

    At the end what is queued is dealt with, for at most `end_seconds`; a thread that hangs does not keep the process.
    """
    tap = tap or EventTap()
    thread = threading.Thread(target=tap.serve, args=(hear, tick, tick_seconds), name=name, daemon=True)
    thread.start()
    try:
        yield tap
    finally:
        tap.close()
        thread.join(end_seconds)


def ask(loop: asyncio.AbstractEventLoop, question: Callable[[], T]) -> T | None:
    """From another thread: what is answered on the bot's loop, or None when that takes too long or has ended."""
    answer: concurrent.futures.Future[T] = concurrent.futures.Future()
    try:
        loop.call_soon_threadsafe(lambda: answer.set_result(question()))
        return answer.result(ANSWER_SECONDS)
    except (concurrent.futures.TimeoutError, RuntimeError):  # RuntimeError: the loop is closed
        return None
