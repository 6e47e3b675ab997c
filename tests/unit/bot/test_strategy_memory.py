"""What did a strategy know?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.builders import START_NS, Recorder

from gpt_trader.bot.strategy_memory import StrategyMemory
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Number
from gpt_trader.core.events import StrategyStateSaved
from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Signal, Want

SYMBOL = "BTC-PERP"


class Counting:
    """Knows how many bars it has seen, and writes down what it was shown."""

    name = "counting"
    warmup_bars = 0

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[str] = []

    def decide(self, bar: Bar, position: float) -> Signal | None:
        self.count += 1
        self.shown.append(f"{(bar.close_ns - START_NS) // (60 * NS)}{'h' if bar.history else ''}@{position:g}")
        return None if bar.history else Signal(want=Want.LONG)

    def state(self) -> Mapping[str, Number]:
        return {"count": self.count}

    def restore(self, state: Mapping[str, Number]) -> None:
        self.shown.append(f"restored {state['count']}")
        self.count = int(state["count"])


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path)
    yield made
    made.close()


def past(*minutes: int) -> list[Bar]:
    """As venues tell them: marked as history."""
    return [Bar(SYMBOL, START_NS + minute * 60 * NS, 1.0, 1.0, 1.0, 1.0, 1.0, history=True) for minute in minutes]


def saved(minute: int, strategy: str = "counting") -> StrategyStateSaved:
    at_ns = START_NS + minute * 60 * NS
    return StrategyStateSaved(at_ns=at_ns, strategy=strategy, symbol=SYMBOL, state='{"count":7}')


def recalled(recorder: Recorder, *before: StrategyStateSaved) -> Counting:
    strategy = Counting()
    memory = StrategyMemory(recorder.bus, recorder.clock, {SYMBOL: strategy})
    for event in before:
        memory.restore(event)
    memory.recall(SYMBOL, past(1, 2, 3, 4), 0.5)
    return strategy


def test_at_a_first_start_all_of_the_past_is_history(recorder: Recorder) -> None:
    """Known, and not acted upon."""
    assert recalled(recorder).shown == ["1h@0.5", "2h@0.5", "3h@0.5", "4h@0.5"]


def test_state_comes_back_between_the_bars_that_it_knew_and_those_since(recorder: Recorder) -> None:
    """The newest state; bars up to it are history, the others are shown as they came."""
    strategy = recalled(recorder, saved(1), saved(2))
    assert strategy.shown == ["1h@0.5", "2h@0.5", "restored 7", "3@0.5", "4@0.5"]
    assert strategy.count == 9


def test_state_of_another_strategy_is_left_alone(recorder: Recorder) -> None:
    """The profile names another one now: its figures would mean something else."""
    assert recalled(recorder, saved(2, "another")).shown == ["1h@0.5", "2h@0.5", "3h@0.5", "4h@0.5"]


def test_state_is_written_down_when_it_has_changed(recorder: Recorder) -> None:
    """Once for each change, also over a restart; what is written is read back."""
    strategy = Counting()
    memory = StrategyMemory(recorder.bus, recorder.clock, {SYMBOL: strategy})
    memory.restore(saved(1))
    strategy.count = 7
    memory.save(SYMBOL, strategy.state())
    assert recorder.events == []
    strategy.count = 8
    memory.save(SYMBOL, strategy.state())
    memory.save(SYMBOL, strategy.state())
    (event,) = recorder.events
    assert isinstance(event, StrategyStateSaved)
    assert (event.strategy, event.state) == ("counting", '{"count":8}')
