"""The queue between the bus and a thread beside the bot: in order, bounded, and no burden at the end."""

from __future__ import annotations

import threading

from gpt_trader.core.events import Event, SymbolPaused
from gpt_trader.ops.tap import EventTap, attended

EVENT = SymbolPaused(at_ns=1, symbol="BTC-PERP", reason="a test")
WAIT_SECONDS = 20.0


def test_everything_is_heard_in_order_before_the_end() -> None:
    """What was queued is dealt with when the block ends."""
    heard: list[int] = []

    with attended("test", lambda event: heard.append(event.at_ns)) as tap:
        for at_ns in range(1000):
            tap.on_event(SymbolPaused(at_ns=at_ns, symbol="", reason=""))

    assert heard == list(range(1000))
    assert tap.missed == 0


def test_a_listener_that_hangs_costs_events_and_not_the_bot() -> None:
    """A full queue counts what it misses; the end does not wait for ever."""
    hangs, free = threading.Event(), threading.Event()

    def hang(_: Event) -> None:
        hangs.set()
        free.wait(WAIT_SECONDS)

    with attended("test", hang, tap=EventTap(events_max=10), end_seconds=0.05) as tap:
        tap.on_event(EVENT)
        assert hangs.wait(WAIT_SECONDS)
        for _ in range(25):
            tap.on_event(EVENT)

    assert tap.missed == 15
    free.set()


def test_time_passes_without_events() -> None:
    """A tick comes by itself."""
    ticked = threading.Event()

    with attended("test", lambda _: None, tick=ticked.set, tick_seconds=0.01):
        assert ticked.wait(WAIT_SECONDS)
