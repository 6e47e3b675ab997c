"""Breakout of a price channel: follow what leaves its range, until it falls back into a shorter one.

Source: the trading-range break of Brock, Lakonishok and LeBaron (1992), "Simple Technical Trading Rules and the
Stochastic Properties of Stock Returns", with the shorter channel for the way out that Faith (2007), "Way of the
Turtle", describes. It lives from few long moves; it fails in ranges, where most breaks are false and each costs
spread, fees and the way back to the other end of the exit channel. On a fair market it loses just its costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Self

import numpy as np
import talib
from pydantic import Field, model_validator

from gpt_trader.config.risk import Count, Setting
from gpt_trader.core.errors import Number
from gpt_trader.core.values import Bar
from gpt_trader.market.view import Ints
from gpt_trader.strategies.base import Signal, Want
from gpt_trader.strategies.kind import StrategyKind
from gpt_trader.strategies.parameters import Search, StrategyParameters
from gpt_trader.strategies.vector_form import BarColumns
from gpt_trader.strategies.window import Window

__all__ = ["STRATEGY", "Breakout", "BreakoutParameters"]

NAME: Final = "breakout"
LONG, FLAT, SHORT = 1, 0, -1


class BreakoutParameters(StrategyParameters):
    """The numbers of the channel."""

    entry_bars: Annotated[Count, Setting("bars", NAME), Search(20, 400, 10)] = Field(default=55, ge=2, le=10_000)
    """Length of the channel whose break opens a position."""
    exit_bars: Annotated[Count, Setting("bars", NAME), Search(5, 200, 5)] = Field(default=20, ge=2, le=10_000)
    """Length of the channel whose opposite break closes it."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.exit_bars > self.entry_bars:
            raise ValueError("exit_bars must not be longer than entry_bars")
        return self


class Breakout:
    """Long once the close is above the highest high of the `entry_bars` before it, until the close is below the lowest
    low of the `exit_bars` before it; short the other way round where shorts are allowed.
    """

    name: Final = NAME

    def __init__(self, parameters: BreakoutParameters) -> None:
        self._entry_bars = parameters.entry_bars
        self._exit_bars = parameters.exit_bars
        self._fraction = parameters.position_fraction
        self._allow_shorts = parameters.allow_shorts
        self._tactic = parameters.entry_tactic
        self._highs = Window(parameters.entry_bars)
        self._lows = Window(parameters.entry_bars)
        self._wanted = FLAT
        self._foreseen: BarColumns | None = None

    @property
    def warmup_bars(self) -> int:
        return self._entry_bars

    def decide(self, bar: Bar, position: float) -> Signal | None:  # noqa: ARG002 - every strategy is told
        signal = self._judge(bar) if self._highs.full and not bar.history else None
        self._highs.append(bar.high)
        self._lows.append(bar.low)
        return signal

    def _judge(self, bar: Bar) -> Signal | None:
        highs, lows = self._highs.values, self._lows.values
        if self._wanted != LONG and bar.close > (top := float(highs.max())):
            return self._enter(LONG, bar, "highest_high", top)
        if self._wanted != SHORT and bar.close < (bottom := float(lows.min())) and (self._allow_shorts or self._wanted):
            return self._enter(SHORT, bar, "lowest_low", bottom)
        if self._wanted == LONG and bar.close < (bottom := float(lows[-self._exit_bars :].min())):
            return self._leave(bar, "exit_low", bottom)
        if self._wanted == SHORT and bar.close > (top := float(highs[-self._exit_bars :].max())):
            return self._leave(bar, "exit_high", top)
        return None

    def _enter(self, direction: int, bar: Bar, name: str, level: float) -> Signal:
        if direction == SHORT and not self._allow_shorts:
            return self._leave(bar, name, level)
        self._wanted = direction
        return Signal(
            want=Want.LONG if direction == LONG else Want.SHORT,
            fraction=self._fraction,
            reason=f"close left the range of {self._entry_bars} bars",
            inputs=_inputs(bar, name, level),
            tactic=self._tactic,
        )

    def _leave(self, bar: Bar, name: str, level: float) -> Signal:
        self._wanted = FLAT
        reason = f"close fell back through the range of {self._exit_bars} bars"
        return Signal(want=Want.FLAT, reason=reason, inputs=_inputs(bar, name, level))

    def state(self) -> Mapping[str, Number]:
        """The channels are found again from the warm-up bars."""
        return {"wanted": self._wanted}

    def restore(self, state: Mapping[str, Number]) -> None:
        self._wanted = int(state.get("wanted", self._wanted))

    # --- the vectorised form ----------------------------------------------------------------------------------------
    def foresee(self, bars: BarColumns) -> Ints | None:
        """Every bar that closes outside the shorter channel, which lies inside the longer; which of them matter depends
        on what is wanted by then."""
        if not self._highs.full:
            return None
        self._foreseen = bars
        highs = np.concatenate((self._highs.values, bars.high))
        lows = np.concatenate((self._lows.values, bars.low))
        before = slice(self._entry_bars - 1, -1)
        top = talib.MAX(highs, timeperiod=self._exit_bars)[before]
        bottom = talib.MIN(lows, timeperiod=self._exit_bars)[before]
        return np.flatnonzero((bars.close > top) | (bars.close < bottom))

    def pass_over(self, start: int, end: int) -> None:
        assert self._foreseen is not None, "only what was foreseen is passed over"
        self._highs.extend(self._foreseen.high[start:end])
        self._lows.extend(self._foreseen.low[start:end])


def _inputs(bar: Bar, name: str, level: float) -> dict[str, Number]:
    return {name: Decimal(repr(level)), "close": Decimal(repr(bar.close))}


STRATEGY: Final = StrategyKind(name=NAME, parameters=BreakoutParameters, make=Breakout)
