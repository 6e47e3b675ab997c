"""The cross of two exponential averages, as the benchmark of searches takes it: with its signal in vectorised form.

Always in the market once the longer average has seen its length. Written out here because peers are given the same:
an average begins with the first price.
"""

from decimal import Decimal
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from scipy.signal import lfilter

from gpt_trader.config.risk import Setting
from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Signal, Want
from gpt_trader.strategies.kind import StrategyKind
from gpt_trader.strategies.parameters import StrategyParameters
from gpt_trader.strategies.vector_form import BarColumns

NAME = "ema_cross"


class Parameters(StrategyParameters):
    fast: Annotated[int, Setting("bars", NAME)] = Field(default=20, ge=2, le=100_000)
    """Length of the fast average."""
    slow: Annotated[int, Setting("bars", NAME)] = Field(default=50, ge=2, le=100_000)
    """Length of the slow average."""


class EmaCross:
    """Long while the fast average is not below the slow one, else short."""

    name = NAME
    warmup_bars = 0

    def __init__(self, parameters: Parameters) -> None:
        self.fraction: Decimal = parameters.position_fraction
        self.shares = 2 / (parameters.fast + 1), 2 / (parameters.slow + 1)
        self.length = parameters.slow
        self.averages = [0.0, 0.0]
        self.seen = 0
        self.side = 0

    def decide(self, bar: Bar, position: float) -> Signal | None:
        close = bar.close
        if not self.seen:
            self.averages = [close, close]
        else:
            self.averages = [
                share * close + (1 - share) * before for share, before in zip(self.shares, self.averages, strict=True)
            ]
        self.seen += 1
        side = 0 if self.seen < self.length else 1 if self.averages[0] >= self.averages[1] else -1
        if side in (self.side, 0):
            return None
        self.side = side
        return Signal(want=Want.LONG if side > 0 else Want.SHORT, fraction=self.fraction)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None: ...

    def foresee(self, bars: BarColumns) -> np.ndarray:
        """Where the side changes; the same products and sums as in `decide`, so the same to the last digit."""
        close = bars.close
        before = self.averages if self.seen else [close[0], close[0]]
        self.foreseen = [
            lfilter([share], [1.0, share - 1.0], close, zi=[(1 - share) * start])[0]
            for share, start in zip(self.shares, before, strict=True)
        ]
        if not self.seen:  # the first price is the average, and not one rounded from it
            self.foreseen = [lfilter([s], [1.0, s - 1.0], close[1:], zi=[(1 - s) * close[0]])[0] for s in self.shares]
            self.foreseen = [np.concatenate([close[:1], each]) for each in self.foreseen]
        sides = np.where(self.foreseen[0] >= self.foreseen[1], 1, -1)
        sides[: max(0, self.length - 1 - self.seen)] = 0
        standing = np.where(sides != 0, sides, self.side)
        return np.flatnonzero(np.diff(standing, prepend=self.side))

    def pass_over(self, start: int, end: int) -> None:
        self.averages = [float(each[end - 1]) for each in self.foreseen]
        self.seen += end - start


STRATEGY = StrategyKind(name=NAME, parameters=Parameters, make=EmaCross)
