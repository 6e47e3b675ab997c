"""Are bars, trades and quotes whole? Shape, order, completeness, numbers, repetitions, silence, and the price grid."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import NS, iso
from gpt_trader.market.quality_flaws import Flaws, Found, Limits
from gpt_trader.market.rows import BAR, CLEAR, INDEX, MARK, QUOTE, ROW, STATUS, STATUSES, TRADE
from gpt_trader.market.stream import Rows

__all__ = ["BarCheck", "GridCheck", "TickCheck"]

Integers = NDArray[np.int64]

STRAY_SHARE_MAX: Final = 0.01
GRID_PRICES_MIN: Final = 100
GRID_STEPS: Final = (2, 4, 5, 8, 10, 20, 25, 50, 100, 200, 250, 500, 1000)


class BarCheck:
    """Shape, order and completeness of bars, and stretches in which nothing was traded."""

    def __init__(self, bar_seconds: int, limits: Limits) -> None:
        self._step_ns = bar_seconds * NS
        self._quiet_bars_min = limits.no_volume_bars
        self._last: Rows = np.zeros(0, ROW)
        self._quiet = 0
        self._quiet_since_ns = 0
        self._flaws = Flaws()

    def add(self, rows: Rows) -> None:
        bars = rows[rows["kind"] == BAR]
        if not len(bars):
            return
        prices = np.stack([bars[name] for name in "abcd"])
        self._flaws.note_rows("bad_number", bars, (prices <= 0).any(axis=0) | (bars["e"] < 0), "abcde")
        top, bottom = np.maximum(bars["a"], bars["d"]), np.minimum(bars["a"], bars["d"])
        self._flaws.note_rows("bar_shape", bars, (bars["b"] < top) | (bars["c"] > bottom), "abcd")
        self._follow(np.concatenate([self._last, bars]))
        self._volume(bars)
        self._last = bars[-1:].copy()

    def _follow(self, bars: Rows) -> None:
        steps = np.diff(bars["ts"])
        for at in np.flatnonzero(steps != self._step_ns).tolist():
            before, after, step = int(bars["ts"][at]), int(bars["ts"][at + 1]), int(steps[at])
            if step == 0:
                self._flaws.note("duplicate_bar", 1, after, f"two bars close at {iso(after)}")
            elif step % self._step_ns:
                self._flaws.note("uneven_bar", 1, after, f"{step / NS:g} s after {iso(before)}")
            elif step > 0:
                missing = step // self._step_ns - 1
                text = f"the longest: {missing:,} after {iso(before)}"
                self._flaws.note("missing_bars", missing, after, text, worst=missing)

    def _volume(self, bars: Rows) -> None:
        """Runs of bars without volume, also across chunks."""
        quiet = bars["e"] == 0
        edges = np.flatnonzero(np.diff(quiet)) + 1
        for part, times in zip(np.split(quiet, edges), np.split(bars["ts"], edges), strict=True):
            if not part[0]:
                self._end_quiet()
                continue
            if not self._quiet:
                self._quiet_since_ns = int(times[0])
            self._quiet += len(part)

    def _end_quiet(self) -> None:
        if self._quiet >= self._quiet_bars_min:
            text = f"the longest: {self._quiet:,} bars from {iso(self._quiet_since_ns)}"
            self._flaws.note("no_volume", self._quiet, self._quiet_since_ns, text, worst=self._quiet)
        self._quiet = 0

    def found(self) -> dict[str, Found]:
        self._end_quiet()
        return self._flaws.found


class TickCheck:
    """Numbers, repeated trades and silence of everything that is no bar."""

    def __init__(self, limits: Limits) -> None:
        self._silence_ns = round(limits.silence_seconds * NS)
        self._last_ns = 0
        self._last_trade: Rows = np.zeros(0, ROW)
        self._flaws = Flaws()

    def add(self, rows: Rows) -> None:
        self._published(rows)
        ticks = rows[(rows["kind"] != BAR) & (rows["kind"] <= QUOTE) & (rows["kind"] != CLEAR)]
        if not len(ticks):
            return
        kind = ticks["kind"]
        bad = (ticks["a"] <= 0) | (ticks["b"] < 0) | ((kind == TRADE) & (ticks["b"] == 0))
        bad |= (kind == QUOTE) & ((ticks["c"] <= 0) | (ticks["d"] < 0))
        self._flaws.note_rows("bad_number", ticks, bad, "abcd")
        self._quiet(ticks["ts"])
        self._trades(ticks[kind == TRADE])

    def _published(self, rows: Rows) -> None:
        """Index and mark prices, and states of trading."""
        kind = rows["kind"]
        bad = ((kind == INDEX) | (kind == MARK)) & (rows["a"] <= 0)
        bad |= (kind == STATUS) & ((rows["a"] < 0) | (rows["a"] >= len(STATUSES)))
        self._flaws.note_rows("bad_number", rows, bad, "a")

    def _quiet(self, times: Integers) -> None:
        gaps = np.diff(times, prepend=self._last_ns or times[0])
        for at in np.flatnonzero(gaps > self._silence_ns).tolist():
            seconds, until = int(gaps[at]) / NS, int(times[at])
            text = f"the longest: {seconds:,.1f} s before {iso(until)}"
            self._flaws.note("silence", 1, until - int(gaps[at]), text, worst=seconds)
        self._last_ns = int(times[-1])

    def _trades(self, trades: Rows) -> None:
        known = np.concatenate([self._last_trade, trades])
        same = np.ones(max(0, len(known) - 1), np.bool_)
        for name in ("ts", "recv", "side", "a", "b"):
            same &= known[name][1:] == known[name][:-1]
        self._flaws.note_rows("duplicate_trade", known[1:], same, "ab")
        self._last_trade = known[-1:].copy()

    def found(self) -> dict[str, Found]:
        return self._flaws.found


class GridCheck:
    """Do nearly all prices lie on a coarser grid than the tick, and a few between its steps?"""

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._prices = 0
        self._off = dict.fromkeys(GRID_STEPS, 0)
        self._first: dict[int, tuple[int, int]] = {}

    def add(self, rows: Rows) -> None:
        kind = rows["kind"]
        traded = rows[(kind == BAR) | (kind == TRADE)]
        for name in "abcd":
            priced = traded if name == "a" else traded[traded["kind"] == BAR]
            self._count(priced[name], priced["ts"])

    def _count(self, prices: Integers, times: Integers) -> None:
        self._prices += len(prices)
        for step in GRID_STEPS:
            at = np.flatnonzero(prices % step)
            self._off[step] += len(at)
            if len(at):
                case = int(times[at[0]]), int(prices[at[0]])
                self._first[step] = min(self._first.get(step, case), case)

    def found(self) -> dict[str, Found]:
        if self._prices < GRID_PRICES_MIN:
            return {}
        for step in reversed(GRID_STEPS):
            if 0 < self._off[step] < STRAY_SHARE_MAX * self._prices:
                ts, price = self._first[step]
                text = f"{price * self._tick:,.10g} between steps of {step * self._tick:,.10g} at {iso(ts)}"
                return {"off_grid": Found(self._off[step], ts, text)}
        return {}
