"""The promise of every strategy that offers its signal in vectorised form: what `decide` says, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
import pytest

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.core.errors import Number
from gpt_trader.core.values import Bar
from gpt_trader.market.view import Floats, Ints
from gpt_trader.strategies.base import Signal, StopMove, Strategy, Want
from gpt_trader.strategies.breakout import Breakout, BreakoutParameters
from gpt_trader.strategies.catalogue import BUILT_IN, make_strategy
from gpt_trader.strategies.ma_crossover import CrossoverParameters, MovingAverageCrossover
from gpt_trader.strategies.vector_form import BarColumns, VectorStrategy, find_disagreement

COUNT = 800
VECTORISED = [name for name in BUILT_IN if isinstance(make_strategy(StrategyConfig(name=name)), VectorStrategy)]


def columns(seed: int, *, flat: bool, tick: float = 0.1) -> BarColumns:
    """A walk on a grid of ticks; with `flat` it stands still for long, so that averages are often equal."""
    draw = np.random.default_rng(seed)
    steps = draw.integers(-3, 4, COUNT)
    if flat:
        steps *= draw.random(COUNT) < 0.05
    close: Floats = (12_000 + np.cumsum(steps)).astype(np.float64) * tick
    return BarColumns(
        close_ns=np.arange(1, COUNT + 1) * 60_000_000_000,
        open=close,
        high=np.add(close, tick),
        low=np.subtract(close, tick),
        close=close,
        volume=np.ones(COUNT),
    )


def crossover(**changes: object) -> MovingAverageCrossover:
    settings: dict[str, object] = {
        "short_ma": 5,
        "long_ma": 20,
        "position_fraction": Decimal("0.1"),
        "allow_shorts": True,
        "trailing_stop_pct": 0,
    }
    return MovingAverageCrossover(CrossoverParameters.model_validate(settings | changes))


MAKERS: dict[str, Callable[[], Strategy]] = {
    **{name: lambda name=name: make_strategy(StrategyConfig(name=name)) for name in VECTORISED},  # type: ignore[misc]
    "breakout both ways": lambda: Breakout(BreakoutParameters(entry_bars=9, exit_bars=4, allow_shorts=True)),
    "quick": lambda: crossover(short_ma=1, long_ma=2),
    "confirmed": lambda: crossover(confirmation_bars=3),
    "no shorts": lambda: crossover(allow_shorts=False),
    "trailing": lambda: crossover(trailing_stop_pct=Decimal("0.01")),
}


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("position", [0.0, -1.5])
def test_both_forms_say_the_same(name: str, seed: int, flat: bool, position: float) -> None:
    """Every answer, and the state at the end, whatever lies between."""
    by_steps, vector = MAKERS[name](), MAKERS[name]()
    assert isinstance(vector, VectorStrategy)
    assert not find_disagreement(by_steps, vector, columns(seed, flat=flat), position)


def test_most_bars_are_foreseen_to_be_silent() -> None:
    """Naming every bar would be true and of no use."""
    strategy, bars = crossover(), columns(1, flat=False)
    for place in range(strategy.warmup_bars):
        strategy.decide(bars.bar("CHECK-PERP", place), 0.0)
    foreseen = strategy.foresee(bars)
    assert foreseen is not None
    assert 10 < len(foreseen) < COUNT / 5


class Talker:
    """Speaks at every tenth bar; its vectorised form may be wrong in two ways."""

    name = "talker"
    warmup_bars = 0

    def __init__(self, every: int, *, forgets: bool = False) -> None:
        self._seen = 0
        self._every = every
        self._forgets = forgets

    def decide(self, bar: Bar, position: float) -> Signal | StopMove | None:
        self._seen += 1
        return Signal(want=Want.FLAT) if self._seen % 10 == 0 else None

    def foresee(self, bars: BarColumns) -> Ints | None:
        places = np.arange(len(bars)) + self._seen + 1
        return np.flatnonzero(places % self._every == 0)

    def pass_over(self, start: int, end: int) -> None:
        if not self._forgets:
            self._seen += end - start

    def state(self) -> Mapping[str, Number]:
        return {"seen": self._seen}

    def restore(self, state: Mapping[str, Number]) -> None: ...


def test_a_wrong_form_is_found() -> None:
    """A bar that was not named, and bars that were passed and not taken in."""
    bars = columns(1, flat=False)
    assert not find_disagreement(Talker(10), Talker(10), bars)
    assert not find_disagreement(Talker(10), Talker(5), bars)
    assert find_disagreement(Talker(10), Talker(20), bars).startswith("bar 9: decide says Signal(")
    assert find_disagreement(Talker(10), Talker(10, forgets=True), bars).startswith("bar 9: decide says None")
