"""Did the strategy look at all?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders import MINUTE_NS, D, Recorder

from gpt_trader.bot.bars_seen import BarCounter
from gpt_trader.core.events import BarsSeen
from gpt_trader.core.values import Bar

MINUTE = 60_000_000_000


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path)
    yield made
    made.close()


def closed(minute: int, *, history: bool = False) -> Bar:
    """The bar that closes so many minutes after a whole hour."""
    return Bar("BTC-PERP", MINUTE_NS + minute * MINUTE, 1.0, 1.0, 1.0, 60_000.5, 1.0, history)


def told(recorder: Recorder) -> list[BarsSeen]:
    return [event for event in recorder.events if isinstance(event, BarsSeen)]


def test_an_hour_is_told_by_the_first_bar_of_the_next(recorder: Recorder) -> None:
    """60 bars, the one that closes at the full hour among them; nothing is told before."""
    counter = BarCounter(recorder.bus, recorder.clock, "ma_crossover")
    for minute in range(1, 61):
        counter.add(closed(minute, history=minute <= 20))
    assert told(recorder) == []
    counter.add(closed(61))
    (event,) = told(recorder)
    assert (event.bars, event.history, event.last_close) == (60, 20, D("60000.5"))
    assert (event.first_close_ns, event.last_close_ns) == (MINUTE_NS + MINUTE, MINUTE_NS + 60 * MINUTE)


def test_the_end_tells_what_was_counted(recorder: Recorder) -> None:
    """An orderly stop leaves no bar uncounted, and tells nothing twice."""
    counter = BarCounter(recorder.bus, recorder.clock, "ma_crossover")
    counter.tell()
    counter.add(closed(1))
    counter.add(closed(2))
    counter.tell()
    counter.tell()
    assert [event.bars for event in told(recorder)] == [2]


def test_a_silent_hour_is_not_told(recorder: Recorder) -> None:
    """Hours without a bar have no event: their absence is what `explain` goes by."""
    counter = BarCounter(recorder.bus, recorder.clock, "ma_crossover")
    counter.add(closed(1))
    counter.add(closed(200))
    counter.tell()
    assert [(event.bars, event.first_close_ns) for event in told(recorder)] == [
        (1, MINUTE_NS + MINUTE),
        (1, MINUTE_NS + 200 * MINUTE),
    ]
