"""Which moves are far outside of what is usual? Judged by a robust deviation, which no outlier moves.

Prices are closes of bars, or the last trade of each second. The deviation is 1.4826 times the median of the absolute
returns that are not zero (the median absolute deviation about zero, in standard deviations of a normal distribution:
1 / Phi^-1(3/4); Hampel 1974), over the newest returns, found anew for each block of them.
"""

from __future__ import annotations

from math import exp, log
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import NS, iso
from gpt_trader.market.quality_flaws import Flaws, Found, Limits
from gpt_trader.market.rows import BAR, TRADE
from gpt_trader.market.stream import Rows

__all__ = ["JumpCheck"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAD_TO_SIGMA: Final = 1.4826
BLOCK_RETURNS: Final = 1024
WINDOW_RETURNS: Final = 4096
RETURNS_MIN: Final = 30
COMES_BACK_SHARE: Final = 0.2
"""What may be left of a jump after it came back."""


class _Step(NamedTuple):
    """Steps in order: a price each, and how far its bar went beyond open and close."""

    ts: Integers
    prices: Floats
    reach: Floats
    """Logarithm of high over the body, or of the body over low, whichever is more; zero of trades."""

    def part(self, where: slice | NDArray[np.bool_]) -> _Step:
        return _Step(self.ts[where], self.prices[where], self.reach[where])

    def then(self, other: _Step) -> _Step:
        return _Step(
            np.concatenate([self.ts, other.ts]),
            np.concatenate([self.prices, other.prices]),
            np.concatenate([self.reach, other.reach]),
        )


NO_STEPS: Final = _Step(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


class JumpCheck:
    """Moves far outside of what is usual: a robust deviation is not moved by the very outlier that it is to find."""

    def __init__(self, tick: float, limits: Limits) -> None:
        self._tick = tick
        self._limits = limits
        self._second = -1
        self._price = 0.0
        self._price_ns = 0
        self._waiting: list[_Step] = []
        self._waiting_steps = 0
        self._has_bars = False
        self._last = NO_STEPS
        self._returns: Floats = np.zeros(0)
        self._flaws = Flaws()

    def add(self, rows: Rows) -> None:
        kind = rows["kind"]
        bars = rows[kind == BAR]
        if len(bars):
            self._has_bars = True
            self._take(self._bars(bars))
        trades = rows[kind == TRADE]
        if len(trades) and not self._has_bars:
            self._take(self._seconds(trades))
        while self._waiting_steps >= BLOCK_RETURNS:
            self._judge(BLOCK_RETURNS)

    def _take(self, steps: _Step) -> None:
        sound = steps.part(steps.prices > 0)
        self._waiting.append(sound)
        self._waiting_steps += len(sound.ts)

    def _bars(self, bars: Rows) -> _Step:
        sound = bars[np.minimum.reduce([bars[name] for name in "abcd"]) > 0]
        top, bottom = np.maximum(sound["a"], sound["d"]), np.minimum(sound["a"], sound["d"])
        reach = np.maximum(np.log(sound["b"] / top), np.log(bottom / sound["c"]))
        return _Step(sound["ts"], sound["d"].astype(np.float64), reach)

    def _seconds(self, trades: Rows) -> _Step:
        """The last price of each second, known when the next second has one."""
        seconds = trades["ts"] // NS
        last = np.flatnonzero(np.append(seconds[1:] != seconds[:-1], True))
        ts, prices = trades["ts"][last], trades["a"][last].astype(np.float64)
        if self._second not in {-1, int(seconds[0])}:
            ts, prices = np.append(self._price_ns, ts), np.append(self._price, prices)
        self._second, self._price_ns, self._price = int(seconds[-1]), int(ts[-1]), float(prices[-1])
        return _Step(ts[:-1], prices[:-1], np.zeros(len(ts) - 1))

    def _judge(self, count: int) -> None:
        """Judge the next `count` steps by the newest returns, theirs among them.

        The two steps before them go first, so that a move over the edge between blocks is seen, and seen once.
        """
        waiting = NO_STEPS
        for part in self._waiting:
            waiting = waiting.then(part)
        self._waiting, self._waiting_steps = [waiting.part(slice(count, None))], len(waiting.ts) - count
        block = self._last.then(waiting.part(slice(count)))
        returns = np.diff(np.log(block.prices))
        self._returns = np.concatenate([self._returns, returns[max(0, len(self._last.ts) - 1) :]])[-WINDOW_RETURNS:]
        moved = np.abs(self._returns[self._returns != 0])
        if len(moved) >= RETURNS_MIN:
            self._jumps(block, returns, max(MAD_TO_SIGMA * float(np.median(moved)), 1.0 / float(block.prices[-1])))
        self._last = block.part(slice(-2, None))

    def _jumps(self, block: _Step, returns: Floats, deviation: float) -> None:
        edge = self._limits.jump_deviations * deviation
        fresh = max(0, len(self._last.ts) - 1)
        for at in np.flatnonzero(np.abs(returns) > edge).tolist():
            if at >= fresh:
                self._jump("jump", block, at, float(returns[at]), deviation)
            if at > 0 and at >= fresh and self._came_back(float(returns[at - 1]), float(returns[at])):
                self._jump("broken_print", block, at - 1, float(returns[at - 1]), deviation)
        for at in np.flatnonzero(block.reach > edge).tolist():
            if at >= len(self._last.ts):
                moved, price, ts = float(block.reach[at]), float(block.prices[at]), int(block.ts[at])
                close = f"{price * self._tick:,.10g}"
                text = f"the widest: {exp(moved) - 1:.2%} beyond its body, close {close}, at {iso(ts)}"
                self._flaws.note("spike", 1, ts, text, worst=moved)

    def _came_back(self, there: float, back: float) -> bool:
        far = abs(there) > log(1 + self._limits.broken_print_share)
        return far and there * back < 0 and abs(there + back) < COMES_BACK_SHARE * abs(there)

    def _jump(self, code: str, block: _Step, at: int, moved: float, deviation: float) -> None:
        before, after = (float(price) * self._tick for price in block.prices[at : at + 2])
        ts = int(block.ts[at + 1])
        text = (
            f"the largest: {before:,.10g} to {after:,.10g} ({exp(moved) - 1:+.2%}, {abs(moved) / deviation:,.0f} "
            f"deviations) at {iso(ts)}"
        )
        self._flaws.note(code, 1, ts, text, worst=abs(moved))

    def found(self) -> dict[str, Found]:
        if self._second >= 0 and not self._has_bars:
            self._take(_Step(np.array([self._price_ns]), np.array([self._price]), np.zeros(1)))
        if self._waiting_steps:
            self._judge(self._waiting_steps)
        return self._flaws.found
