"""How much does it move, and how much is traded? Rolling figures from closed bars, for sizing and guards.

Volatility is the sample standard deviation of close-to-close log returns (the estimator that the square-root law and
volatility targeting are stated for; range estimators would see the modelled path inside a bar). Returns are kept as
integers of 1e-12, so running sums are exact and a restarted bot that saw the same bars has the same figures.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice, pairwise
from math import isqrt, log
from typing import Final

import msgspec

from gpt_trader.core.clock import NS
from gpt_trader.core.values import Bar

__all__ = ["BARS_MIN", "BarStatistics", "SymbolStatistics"]

DAY_SECONDS: Final = 86_400
DAY_NS: Final = DAY_SECONDS * NS
BARS_MIN: Final = 30
"""Fewer returns say nothing about a day."""
WINDOW_BARS_MAX: Final = 1440
"""A day of minutes; with shorter bars the window is shorter than a day and scaled up."""
UNREAD_BARS_MAX: Final = 16_384
"""Bars that wait to be read; of so many most need not be."""
GRAIN: Final = 1_000_000_000_000
VOLUME_GRAIN: Final = 1_000_000
SIGMA_GRAIN: Final = Decimal("1e-9")
VOLUME_DAY_GRAIN: Final = Decimal("1e-6")


class SymbolStatistics(msgspec.Struct, frozen=True):
    """What closed bars say of a symbol; None until enough of them are seen."""

    sigma_day: Decimal | None
    """Standard deviation of one day's return."""
    volume_day: Decimal | None
    """Base units traded in a day."""


class _Window:
    """Exact sums over the newest values."""

    __slots__ = ("size", "squares", "total", "values")

    def __init__(self, size: int) -> None:
        self.size = size
        self.values: deque[int] = deque()
        self.total = 0
        self.squares = 0

    def extend(self, new: Sequence[int]) -> None:
        values = self.values
        values.extend(new)
        gone = [values.popleft() for _ in range(len(values) - self.size)]
        self.total += sum(new) - sum(gone)
        self.squares += _squares(new) - _squares(gone)

    def deviation(self) -> int:
        """Sample standard deviation in the values' own unit, rounded down; needs two values."""
        count = len(self.values)
        return isqrt((count * self.squares - self.total * self.total) // (count * (count - 1)))


def _squares(values: Sequence[int]) -> int:
    return sum([value * value for value in values])


class BarStatistics:
    """One symbol. Adding a bar costs next to nothing; bars are read, many at a time, when figures are asked for."""

    def __init__(self, bar_seconds: int, *, volatility_bars: int = 20) -> None:
        self.bar_seconds = bar_seconds
        window = max(BARS_MIN, volatility_bars, min(WINDOW_BARS_MAX, DAY_SECONDS // bar_seconds))
        self._returns = _Window(window)
        self._volumes = _Window(window)
        self._recent_bars = volatility_bars
        self._day_scale = (Decimal(DAY_SECONDS) / bar_seconds).sqrt()
        self._last_close = 0.0
        self._day = -1
        self._day_squares = 0
        self._times: list[int] = []
        self._closes: list[float] = []
        self._traded: list[float] = []
        """Bars that were added and not read yet: times, closes, volumes."""
        self._values: SymbolStatistics | None = None
        self._bar_sigma: Decimal | None = None

    def add(self, bar: Bar) -> None:
        self.add_many((bar.close_ns,), (bar.close,), (bar.volume,))

    def add_many(self, close_ns: Sequence[int], closes: Sequence[float], volumes: Sequence[float]) -> None:
        """The same, for many bars in order."""
        self._values = self._bar_sigma = None
        self._times += close_ns
        self._closes += closes
        self._traded += volumes
        if len(self._times) >= UNREAD_BARS_MAX:
            self._read()

    def _read(self) -> None:
        """Take in what was added. The figures do not depend on when this happens."""
        if not self._times:
            return
        # what has left the windows and is not of today's is never looked at
        day_start_ns = self._times[-1] // DAY_NS * DAY_NS
        gone = max(0, min(len(self._times) - self._returns.size, bisect_left(self._times, day_start_ns)))
        before = self._closes[gone - 1] if gone else self._last_close
        times, closes, volumes = self._times[gone:], [before, *self._closes[gone:]], self._traded[gone:]
        self._times, self._closes, self._traded = [], [], []
        known = closes if before > 0 else closes[1:]  # the first bar of all has no return
        returns = [round(log(after / before) * GRAIN) for before, after in pairwise(known)]
        self._returns.extend(returns)
        self._volumes.extend([round(volume * VOLUME_GRAIN) for volume in volumes])
        self._last_close = closes[-1]
        self._add_to_day(times, returns)

    def _add_to_day(self, times: Sequence[int], returns: Sequence[int]) -> None:
        """A return belongs to the day in which its bar closes."""
        day = times[-1] // DAY_NS
        if day != self._day:
            self._day, self._day_squares = day, 0
        today = bisect_left(times, day * DAY_NS)
        self._day_squares += _squares(returns[max(0, today - len(times) + len(returns)) :])

    def values(self) -> SymbolStatistics:
        """For a decision."""
        self._read()
        if self._values is None:
            self._values = SymbolStatistics(self._sigma_day(), self._volume_day())
        return self._values

    def _sigma_day(self) -> Decimal | None:
        if len(self._returns.values) < BARS_MIN:
            return None
        return (Decimal(self._returns.deviation()) / GRAIN * self._day_scale).quantize(SIGMA_GRAIN)

    def _volume_day(self) -> Decimal | None:
        count = len(self._volumes.values)
        if count < BARS_MIN:
            return None
        seen_seconds = count * self.bar_seconds
        return (Decimal(self._volumes.total) / VOLUME_GRAIN * DAY_SECONDS / seen_seconds).quantize(VOLUME_DAY_GRAIN)

    @property
    def bar_sigma(self) -> Decimal | None:
        """Standard deviation of one bar's return over the last `volatility_bars` bars; None until they are there."""
        self._read()
        count = self._recent_bars
        if self._bar_sigma is not None or len(self._returns.values) < count:
            return self._bar_sigma
        recent = list(islice(reversed(self._returns.values), count))
        total, squares = sum(recent), sum(value * value for value in recent)
        self._bar_sigma = Decimal(isqrt((count * squares - total * total) // (count * (count - 1)))) / GRAIN
        return self._bar_sigma

    @property
    def day_volatility(self) -> Decimal | None:
        """Root of the sum of squared bar returns since 00:00 UTC; None before the first."""
        self._read()
        return Decimal(isqrt(self._day_squares)) / GRAIN if self._last_close > 0 else None
