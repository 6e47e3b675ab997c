"""Reversion to a moving mean: buy what fell unusually far below its mean, give it back when it has returned.

Source: the band of Bollinger (2001), "Bollinger on Bollinger Bands", read as a contrarian rule; that short-term moves
partly reverse is the finding of Lehmann (1990), "Fads, Martingales, and Market Efficiency". It wins often and little;
it fails in trends, where it stands against the move and the next fall is always cheaper still: hence the limit on how
long it may wait. On a fair market it loses just its costs, and there are many of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Self

import talib
from pydantic import Field, model_validator

from gpt_trader.config.risk import Amount, Count, Setting
from gpt_trader.core.errors import Number
from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Signal, Want
from gpt_trader.strategies.kind import StrategyKind
from gpt_trader.strategies.parameters import Search, StrategyParameters
from gpt_trader.strategies.window import Window

__all__ = ["STRATEGY", "MeanReversion", "MeanReversionParameters"]

NAME: Final = "mean_reversion"


class MeanReversionParameters(StrategyParameters):
    """The numbers of the band."""

    mean_bars: Annotated[Count, Setting("bars", NAME), Search(20, 300, 10)] = Field(default=60, ge=2, le=10_000)
    """Bars that mean and standard deviation are taken over."""
    entry_deviations: Annotated[
        Amount, Setting("standard deviations", NAME), Search(Decimal("1.5"), Decimal("3.5"), Decimal("0.25"))
    ] = Field(default=Decimal("2.5"), gt=0, le=20)
    """Distance of the close from the mean that opens a position."""
    exit_deviations: Annotated[
        Amount, Setting("standard deviations", NAME), Search(Decimal(0), Decimal(1), Decimal("0.25"))
    ] = Field(default=Decimal("0.25"), ge=0, le=20)
    """Distance that is near enough to the mean to close it."""
    hold_bars_max: Annotated[Count, Setting("bars", NAME), Search(30, 600, 30)] = Field(default=240, ge=1, le=100_000)
    """After so many bars it is given up, wherever the price stands."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.exit_deviations >= self.entry_deviations:
            raise ValueError("exit_deviations must be smaller than entry_deviations")
        return self


class MeanReversion:
    """Long when the close lies `entry_deviations` below its mean, until it is back within `exit_deviations`; short the
    other way round where shorts are allowed.

    After a wait that was too long, it stays out until the close has come back within `exit_deviations` by itself.
    """

    name: Final = NAME

    def __init__(self, parameters: MeanReversionParameters) -> None:
        self._parameters = parameters
        self._entry = float(parameters.entry_deviations)
        self._exit = float(parameters.exit_deviations)
        self._closes = Window(parameters.mean_bars)
        self._wanted = 0
        self._held_bars = 0
        self._given_up = False

    @property
    def warmup_bars(self) -> int:
        return self._parameters.mean_bars

    def decide(self, bar: Bar, position: float) -> Signal | None:  # noqa: ARG002 - every strategy is told
        self._closes.append(bar.close)
        if bar.history or not self._closes.full:
            return None
        closes, bars = self._closes.values, self._parameters.mean_bars
        deviation = float(talib.STDDEV(closes, timeperiod=bars)[-1])
        if deviation == 0.0:
            return self._wait(bar, 0.0, bar.close)
        mean = float(talib.SMA(closes, timeperiod=bars)[-1])
        distance = (bar.close - mean) / deviation
        return self._wait(bar, distance, mean) if self._wanted else self._look(bar, distance, mean)

    def _wait(self, bar: Bar, distance: float, mean: float) -> Signal | None:
        """Something is held: is it back, or has it taken too long?"""
        if not self._wanted:
            return None
        self._held_bars += 1
        if distance * self._wanted >= -self._exit:
            return self._leave("the close is back at its mean", bar, distance, mean)
        if self._held_bars >= self._parameters.hold_bars_max:
            self._given_up = True
            return self._leave(f"not back after {self._held_bars} bars", bar, distance, mean)
        return None

    def _look(self, bar: Bar, distance: float, mean: float) -> Signal | None:
        """Nothing is held: is it far enough away?"""
        if abs(distance) <= self._exit:
            self._given_up = False
        if self._given_up or abs(distance) < self._entry or (distance > 0 and not self._parameters.allow_shorts):
            return None
        self._wanted, self._held_bars = (-1 if distance > 0 else 1), 0
        return Signal(
            want=Want.LONG if self._wanted > 0 else Want.SHORT,
            fraction=self._parameters.position_fraction,
            reason=f"close {abs(distance):.2f} deviations {'above' if distance > 0 else 'below'} its mean",
            inputs=_inputs(bar, distance, mean),
            tactic=self._parameters.entry_tactic,
        )

    def _leave(self, reason: str, bar: Bar, distance: float, mean: float) -> Signal:
        self._wanted = 0
        return Signal(want=Want.FLAT, reason=reason, inputs=_inputs(bar, distance, mean))

    def state(self) -> Mapping[str, Number]:
        """The band is found again from the warm-up bars."""
        return {"wanted": self._wanted, "held_bars": self._held_bars, "given_up": int(self._given_up)}

    def restore(self, state: Mapping[str, Number]) -> None:
        self._wanted = int(state.get("wanted", self._wanted))
        self._held_bars = int(state.get("held_bars", self._held_bars))
        self._given_up = bool(int(state.get("given_up", self._given_up)))


def _inputs(bar: Bar, distance: float, mean: float) -> dict[str, Number]:
    return {
        "mean": Decimal(repr(mean)),
        "distance_deviations": Decimal(repr(distance)),
        "close": Decimal(repr(bar.close)),
    }


STRATEGY: Final = StrategyKind(name=NAME, parameters=MeanReversionParameters, make=MeanReversion)
