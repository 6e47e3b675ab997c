"""Who is told?"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tests.builders import START_NS, Recorder

from gpt_trader.core.bus import LISTENER_FAILURES_MAX, EventBus
from gpt_trader.core.clock import ManualClock
from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import BootStarted, Event, OrderPlaced
from gpt_trader.core.journal import Head, Recorded


class FullDisk:
    """A journal that can take nothing."""

    head = Head(sequence=0, digest="")

    def append(self, event: Event) -> int:
        raise StoreError("no space left on device")

    async def commit(self) -> None:
        raise StoreError("no space left on device")

    def free_bytes(self) -> int | None:
        return 0

    def stored_bytes(self) -> int | None:
        return 0

    def read(self, after: int = 0, *, brief: bool = False) -> Generator[Recorded]:
        yield from ()


def a_boot(number: int = 1) -> BootStarted:
    return BootStarted(at_ns=START_NS, boot=number, replayed_events=0)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path)
    yield made
    made.close()


def test_the_store_has_the_event_before_any_listener(recorder: Recorder) -> None:
    """A listener that looks finds it written down."""
    seen: list[int] = []
    recorder.bus.subscribe(BootStarted, "look", lambda _: seen.append(recorder.store.head.sequence))
    recorder.bus.publish(a_boot())
    assert seen == [1]


def test_the_publishers_own_change_comes_before_the_listeners(recorder: Recorder) -> None:
    """Whoever is told may ask the publisher, and gets the new state."""
    order: list[str] = []
    recorder.bus.subscribe(BootStarted, "second", lambda _: order.append("listener"))
    recorder.bus.publish(a_boot(), first=lambda _: order.append("publisher"))
    assert order == ["publisher", "listener"]


def test_a_listener_hears_its_type_only(recorder: Recorder) -> None:
    """Subscriptions are by exact type."""
    seen: list[Event] = []
    recorder.bus.subscribe(OrderPlaced, "placed only", seen.append)
    recorder.bus.publish(a_boot())
    assert seen == []


def test_a_failing_listener_is_reported_and_the_others_are_told(recorder: Recorder) -> None:
    """A metrics bug must not stop the order path, nor go unseen."""
    told: list[Event] = []

    def broken(_: BootStarted) -> None:
        raise ZeroDivisionError("a bug")

    recorder.bus.subscribe(BootStarted, "broken", broken)
    recorder.bus.subscribe(BootStarted, "sound", told.append)
    recorder.bus.publish(a_boot())
    assert len(told) == 1
    assert recorder.kinds() == ["BootStarted", "SystemError"]


def test_listeners_hear_events_in_the_order_of_the_log(recorder: Recorder) -> None:
    """What one listener publishes is told after everybody has heard what it heard."""
    recorder.bus.subscribe(
        BootStarted,
        "answers",
        lambda event: recorder.bus.publish(OrderPlaced(at_ns=event.at_ns, venue_order_id="v")),
    )
    recorder.bus.publish(a_boot())
    assert recorder.kinds() == ["BootStarted", "OrderPlaced"]
    recorder.store.flush()
    assert [type(each.event).__name__ for each in recorder.store.read()] == ["BootStarted", "OrderPlaced"]


def test_a_listener_that_keeps_failing_is_taken_off(recorder: Recorder) -> None:
    """Reports are bounded."""

    def broken(_: BootStarted) -> None:
        raise ZeroDivisionError("a bug")

    recorder.bus.subscribe(BootStarted, "broken", broken)
    for number in range(LISTENER_FAILURES_MAX + 5):
        recorder.bus.publish(a_boot(number))
    assert recorder.kinds().count("SystemError") == LISTENER_FAILURES_MAX


def test_nobody_is_told_what_could_not_be_stored() -> None:
    """The store first; once it fails, nothing is published any more."""
    bus = EventBus(FullDisk(), ManualClock(START_NS))
    told: list[Event] = []
    bus.watch("anybody", told.append)
    with pytest.raises(StoreError):
        bus.publish(a_boot())
    with pytest.raises(StoreError, match="no space"):
        bus.publish(a_boot())
    assert told == []
    assert bus.store_failed == "no space left on device"


def test_a_failed_commit_shuts_the_bus() -> None:
    """What is not durable must not be acted upon."""
    bus = EventBus(FullDisk(), ManualClock(START_NS))
    with pytest.raises(StoreError):
        asyncio.run(bus.commit())
    assert bus.store_failed
