"""Moving-average crossover: the baseline, worth reading before trusting.

Source: the two-average rule of Brock, Lakonishok and LeBaron (1992), "Simple Technical Trading Rules and the
Stochastic Properties of Stock Returns". It follows trends late and on purpose; it fails in sideways markets, where
each false cross pays spread and fees twice. On a fair market it loses just its costs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Self

import numpy as np
from pydantic import Field, model_validator

from gpt_trader.config.risk import Amount, Count, Setting
from gpt_trader.core.errors import Number
from gpt_trader.core.values import Bar
from gpt_trader.market.view import Floats, Ints
from gpt_trader.strategies.base import Signal, StopMove, Want
from gpt_trader.strategies.kind import StrategyKind
from gpt_trader.strategies.parameters import Search, StrategyParameters
from gpt_trader.strategies.vector_form import BarColumns

__all__ = ["STRATEGY", "CrossoverParameters", "MovingAverageCrossover"]

NAME: Final = "ma_crossover"


class CrossoverParameters(StrategyParameters):
    """All of them have settings of their own in the section `strategy`."""

    short_ma: Annotated[Count, Setting("bars", NAME), Search(2, 60, 1)] = Field(default=5, ge=1, le=10_000)
    """Length of the fast moving average."""
    long_ma: Annotated[Count, Setting("bars", NAME), Search(10, 400, 5)] = Field(default=20, ge=2, le=10_000)
    """Length of the slow moving average."""
    confirmation_bars: Annotated[Count, Setting("bars", NAME), Search(0, 10, 1)] = Field(default=0, ge=0, le=1000)
    """How many further bars a cross must hold before it counts."""
    trailing_stop_pct: Annotated[
        Amount, Setting("share of the best price", NAME), Search(Decimal(0), Decimal("0.05"), Decimal("0.005"))
    ] = Field(default=Decimal("0.01"), ge=0, lt=1)
    """Distance of the trailing stop. 0 = none."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.short_ma >= self.long_ma:
            raise ValueError("short_ma must be shorter than long_ma")
        return self


class MovingAverageCrossover:
    """Long while the short average is above the long one, else short (or flat where shorts are not allowed).

    A cross counts once it has stood for `confirmation_bars` further bars. A trailing stop gives a position up when
    the close falls `trailing_stop_pct` below the best close since it was opened; the next cross opens again.
    """

    name: Final = NAME

    def __init__(self, parameters: CrossoverParameters) -> None:
        self._short: deque[float] = deque(maxlen=parameters.short_ma)
        self._long: deque[float] = deque(maxlen=parameters.long_ma)
        self._fraction = parameters.position_fraction
        self._confirmation_bars = parameters.confirmation_bars
        self._trailing_stop = float(parameters.trailing_stop_pct)
        self._trailing_stop_share = parameters.trailing_stop_pct
        self._allow_shorts = parameters.allow_shorts
        self._tactic = parameters.entry_tactic
        self._trend = 0
        self._standing_bars = 0
        self._acted = 0
        self._anchor: float | None = None
        self._foreseen: tuple[Floats, Ints, Ints] | None = None
        """Closes, trend and standing bars after each of the bars that were foreseen."""

    @property
    def warmup_bars(self) -> int:
        return (self._long.maxlen or 0) + self._confirmation_bars

    def decide(self, bar: Bar, position: float) -> Signal | StopMove | None:
        cross = self._see(bar.close)
        if bar.history:
            self._acted = self._trend  # a cross that happened before we came is not ours to chase
            return None
        stop = self._trail(bar, position)
        if cross:
            return self._signal(cross)
        return stop

    def _see(self, close: float) -> int:
        """Take the close in; returns the direction of a cross that has just been confirmed, else 0."""
        short, long = self._short, self._long
        short.append(close)
        long.append(close)
        if len(long) < (long.maxlen or 0):
            return 0
        # Summed anew: a running sum drifts, and a restarted strategy must equal an unbroken one.
        difference = sum(short) / len(short) - sum(long) / len(long)
        trend = (difference > 0) - (difference < 0)
        if trend in (0, self._trend):
            self._standing_bars += 1
        else:
            self._trend, self._standing_bars = trend, 0
        if self._standing_bars < self._confirmation_bars or self._trend == self._acted:
            return 0
        first_look = self._acted == 0
        self._acted = self._trend
        return 0 if first_look else self._trend

    def _signal(self, cross: int) -> Signal:
        side = "above" if cross > 0 else "below"
        reason = f"MA({self._short.maxlen}) crossed {side} MA({self._long.maxlen})"
        inputs: dict[str, Number] = {
            "short_average": Decimal(repr(sum(self._short) / len(self._short))),
            "long_average": Decimal(repr(sum(self._long) / len(self._long))),
            "close": Decimal(repr(self._long[-1])),
        }
        if cross < 0 and not self._allow_shorts:
            return Signal(want=Want.FLAT, reason=reason, inputs=inputs)
        want = Want.LONG if cross > 0 else Want.SHORT
        return Signal(want=want, fraction=self._fraction, reason=reason, inputs=inputs, tactic=self._tactic)

    def _trail(self, bar: Bar, position: float) -> Signal | StopMove | None:
        if position == 0 or self._trailing_stop == 0:
            self._anchor = None
            return None
        direction = 1.0 if position > 0 else -1.0
        anchor = self._anchor
        if anchor is None or (bar.close - anchor) * direction > 0:
            self._anchor = bar.close
            return StopMove(trigger_price=self._trigger(bar.close, direction), anchor=Decimal(repr(bar.close)))
        if (bar.close - anchor * (1 - direction * self._trailing_stop)) * direction <= 0:
            inputs: dict[str, Number] = {"best_close": Decimal(repr(anchor)), "close": Decimal(repr(bar.close))}
            return Signal(want=Want.FLAT, reason="trailing_stop", inputs=inputs)
        return None

    def _trigger(self, anchor: float, direction: float) -> Decimal:
        share = self._trailing_stop_share if direction > 0 else -self._trailing_stop_share
        return Decimal(repr(anchor)) * (1 - share)

    def state(self) -> Mapping[str, Number]:
        """The averages are found again from the warm-up bars; what was acted on and where the stop trails is not."""
        state: dict[str, Number] = {"trend": self._trend, "standing": self._standing_bars, "acted": self._acted}
        return state if self._anchor is None else state | {"anchor": Decimal(repr(self._anchor))}

    def restore(self, state: Mapping[str, Number]) -> None:
        self._trend = int(state.get("trend", self._trend))
        self._standing_bars = int(state.get("standing", self._standing_bars))
        self._acted = int(state.get("acted", self._acted))
        anchor = state.get("anchor")
        self._anchor = None if anchor is None else float(anchor)

    # --- the vectorised form ----------------------------------------------------------------------------------------
    def foresee(self, bars: BarColumns) -> Ints | None:
        """Where crosses will be confirmed. None while averages are not known, and where a stop trails: it may move
        at any bar."""
        if self._trailing_stop or len(self._long) < (self._long.maxlen or 0):
            return None
        signs, count = self._signs(bars.close), len(bars)
        places = np.arange(count)
        known = np.maximum.accumulate(np.where(signs != 0, places, -1))
        trends = np.where(known >= 0, signs[known], self._trend)
        turns = np.flatnonzero(np.diff(trends, prepend=self._trend))
        # the trend that stands now turned this many bars before the first of these
        since = np.full(count, -1 - self._standing_bars)
        since[turns] = turns
        self._foreseen = bars.close, trends, places - np.maximum.accumulate(since)
        return self._confirmed(trends, turns)

    def _signs(self, new: Floats) -> Ints:
        """Sign of short less long average at each of the new closes, as `_see` would find it.

        Differences of running sums drift, by less than `drift`; where that could change the sign, it is summed anew.
        """
        short, long = self._short.maxlen or 0, self._long.maxlen or 0
        closes = np.concatenate((np.array(self._long), new))
        sums = np.cumsum(closes)
        ends = np.arange(long, len(closes))
        difference = (sums[ends] - sums[ends - short]) / short - (sums[ends] - sums[ends - long]) / long
        drift = 4 * len(closes) ** 2 * np.finfo(np.float64).eps * float(closes.max())
        for place in np.flatnonzero(np.abs(difference) <= drift).tolist():
            window = closes[place + 1 : place + 1 + long].tolist()
            difference[place] = sum(window[-short:]) / short - sum(window) / long
        signs: Ints = np.sign(difference).astype(np.int64)
        return signs

    def _confirmed(self, trends: Ints, turns: Ints) -> Ints:
        """Places at which a trend has stood long enough, and is not the one acted on last."""
        found, acted = [], self._acted
        starts = [-1 - self._standing_bars, *turns.tolist()]
        ends = [*turns.tolist(), len(trends)]
        for start, end in zip(starts, ends, strict=True):
            place = max(0, start + self._confirmation_bars)
            if place < end and trends[place] != acted:
                found.append(place)
                acted = trends[place]
        return np.array(found, np.int64)

    def pass_over(self, start: int, end: int) -> None:
        assert self._foreseen is not None, "only what was foreseen is passed over"
        closes, trends, standing = self._foreseen
        known = closes[max(start, end - (self._long.maxlen or 0)) : end].tolist()
        self._short.extend(known)
        self._long.extend(known)
        self._trend, self._standing_bars = int(trends[end - 1]), int(standing[end - 1])
        self._anchor = None


STRATEGY: Final = StrategyKind(name=NAME, parameters=CrossoverParameters, make=MovingAverageCrossover)
