"""Each lie is found, and the truth is not called one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.core.errors import Number
from gpt_trader.core.values import Bar
from gpt_trader.market.view import Ints
from gpt_trader.research.strategy_check import SeenBars, check_strategy
from gpt_trader.strategies.base import Signal, Strategy, Want
from gpt_trader.strategies.catalogue import make_strategy
from gpt_trader.strategies.vector_form import BarColumns

MINUTE_NS = 60_000_000_000


def seen(count: int = 1200, seed: int = 5) -> SeenBars:
    """A walk, with funding that comes and goes."""
    draw = np.random.default_rng(seed)
    closes = 60_000 + np.cumsum(draw.normal(0, 30, count))
    bars = [
        Bar("BTC-PERP", (place + 1) * MINUTE_NS, close, close + 10, close - 10, close, 1.0)
        for place, close in enumerate(closes.tolist())
    ]
    return SeenBars(bars, (np.sin(np.arange(count) / 150) * 1e-4).tolist())


class Follower:
    """Wants what the last move was; each defect is a subclass."""

    name = "follower"
    warmup_bars = 5

    def __init__(self) -> None:
        self.closes: list[float] = []

    def decide(self, bar: Bar, position: float) -> Signal | None:
        self.closes = [*self.closes, bar.close][-5:]
        if bar.history or len(self.closes) < 5:
            return None
        return self.want(bar, position, self.closes[-1] - self.closes[0])

    def want(self, bar: Bar, position: float, move: float) -> Signal | None:
        if abs(move) < 60 or move * position > 0:
            return None
        return Signal(want=Want.LONG if move > 0 else Want.SHORT, inputs={"close": int(bar.close)})

    def state(self) -> Mapping[str, Number]:
        return {}

    def restore(self, state: Mapping[str, Number]) -> None:
        """Nothing to take back."""


class Peeker(Follower):
    """Its vectorised form keeps the bars that it was shown, and decides by the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: BarColumns | None = None

    def foresee(self, bars: BarColumns) -> Ints | None:
        self.ahead = bars
        return np.arange(len(bars))

    def pass_over(self, start: int, end: int) -> None:
        raise AssertionError("every bar is named")

    def want(self, bar: Bar, position: float, move: float) -> Signal | None:
        if self.ahead is not None:
            place = int(np.searchsorted(self.ahead.close_ns, bar.close_ns)) + 1
            if place < len(self.ahead):
                move = (float(self.ahead.close[place]) - bar.close) * 10
        return super().want(bar, position, move)


class Forgetful(Follower):
    """Counts its signals, and does not save the count."""

    said = 0

    def want(self, bar: Bar, position: float, move: float) -> Signal | None:
        signal = super().want(bar, position, move)
        if signal is None:
            return None
        self.said += 1
        return signal if self.said % 2 else None


class Recursive(Follower):
    """An exponential average over everything, with five bars of warm-up."""

    average = 0.0

    def decide(self, bar: Bar, position: float) -> Signal | None:
        self.average += 0.01 * (bar.close - self.average)
        return super().decide(bar, position)

    def want(self, bar: Bar, position: float, move: float) -> Signal | None:
        return super().want(bar, position, move + (bar.close - self.average) / 10)


class Talkative(Follower):
    """Speaks at history."""

    def decide(self, bar: Bar, position: float) -> Signal | None:
        return super().decide(bar, position) or (Signal(want=Want.FLAT) if bar.history else None)


class Remembering(Follower):
    """Keeps what another instance saw, as a module with a global does."""

    memory: ClassVar[dict[int, float]] = {}

    def want(self, bar: Bar, position: float, move: float) -> Signal | None:
        known = self.memory.get(bar.close_ns + MINUTE_NS)
        self.memory[bar.close_ns] = bar.close
        return super().want(bar, position, move if known is None else known - bar.close)


class Silent(Follower):
    """Wants nothing."""

    def want(self, bar: Bar, position: float, move: float) -> Signal | None:
        return None


def failed(make: Callable[[], Strategy]) -> set[str]:
    return {check.name for check in check_strategy(make, seen()) if not check.passed}


@pytest.mark.parametrize("name", ["ma_crossover", "breakout", "mean_reversion", "funding_carry"])
def test_built_in_strategies_pass(name: str) -> None:
    """All of them, over more than a thousand bars."""
    parameters = {"average_hours": "3"} if name == "funding_carry" else {}
    config = StrategyConfig(name=name, parameters=parameters, allow_shorts=True)
    assert failed(lambda: make_strategy(config)) == set()


def test_an_honest_one_passes() -> None:
    """What the defects below are made of."""
    assert failed(Follower) == set()


@pytest.mark.parametrize(
    ("defect", "named"),
    [
        (Peeker, "look-ahead"),
        (Forgetful, "restart"),
        (Recursive, "recursion"),
        (Talkative, "warm-up"),
        (Remembering, "same again"),
        (Silent, "speaks"),
    ],
)
def test_each_defect_is_found_by_its_name(defect: type[Follower], named: str) -> None:
    """Whatever else it fails as well."""
    assert named in failed(defect)


def test_one_that_reads_a_file_is_found(tmp_path: Path) -> None:
    """Prices of tomorrow may lie in it."""
    tomorrow = tmp_path / "tomorrow.csv"
    tomorrow.write_text("1")

    class Reader(Follower):
        def want(self, bar: Bar, position: float, move: float) -> Signal | None:
            with tomorrow.open() as file:
                return super().want(bar, position, move * float(file.read()))

    (check,) = [each for each in check_strategy(Reader, seen()) if each.name == "bars only"]
    assert not check.passed
    assert "tomorrow.csv" in check.said


def test_too_few_bars_are_no_verdict() -> None:
    """Nothing passes because nothing was looked at."""
    (check,) = check_strategy(Follower, seen(20))
    assert not check.passed
    assert "20 bars" in check.said
