"""Which bars close next? Closed bars that the rows at hand already hold, from where the kernel stands.

A backtest on bars need not stop at each of them: while no order lives and nothing is under way, only what the bars
themselves say can matter, and that may be looked at many bars at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.values import Bar
from gpt_trader.market.rows import BAR
from gpt_trader.market.stream import Rows
from gpt_trader.market.view import BarsAhead
from gpt_trader.venue.face import ProductUnits
from gpt_trader.venue.layout import PATH

__all__ = ["RowsAhead"]

WINDOW_BARS: Final = 2048
"""Bars made at once; the ring in which the kernel keeps closed bars holds more."""
EXACT_MAX: Final = 1 << 53
"""Whole numbers up to here are floats without rounding, so that a quotient of two is the nearest to the exact one."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RowsAhead:
    """The bars of one array of rows."""

    def __init__(self, products: Sequence[ProductUnits]) -> None:
        self._products = products
        self._rows: Rows | None = None
        self._places: Ints = np.zeros(0, np.int64)
        self._breaks: Ints = np.zeros(0, np.int64)
        self._close_ns: Ints = np.zeros(0, np.int64)
        self._break_ns: Ints = np.zeros(0, np.int64)
        self._last_ns = 0
        self._start = self._end = 0
        self._window: BarsAhead | None = None

    def give(self, rows: Rows) -> None:
        """The kernel goes on with these rows."""
        kinds = rows["kind"]
        self._rows = rows
        self._places = np.flatnonzero(kinds == BAR)
        self._breaks = np.flatnonzero((kinds != BAR) & (kinds != PATH)) if len(self._places) else self._places
        self._close_ns = rows["ts"][self._places]
        self._break_ns = rows["ts"][self._breaks]
        # more of the last moment may come with the next rows
        self._last_ns = int(rows["ts"][-1]) if len(rows) else 0
        self._start = self._end = 0

    def find(self, row_next: int, until_ns: int, *, marks_follow: bool) -> BarsAhead | None:
        """Bars from row number `row_next` on that close before `until_ns`, with no other kind of row among them."""
        if not len(self._places):
            return None
        first = int(np.searchsorted(self._places, row_next))
        following = int(np.searchsorted(self._breaks, row_next))
        if following < len(self._breaks):
            until_ns = min(until_ns, int(self._break_ns[following]))
        stop = int(np.searchsorted(self._close_ns, min(until_ns, self._last_ns)))
        if first >= stop:
            return None
        if not self._start <= first < self._end or self._window is None:
            self._window = self._make(first, min(len(self._places), first + WINDOW_BARS))
            if self._window is None:
                return None
        window, low, high = self._window, first - self._start, min(stop, self._end) - self._start
        return replace(
            window,
            bars=window.bars[low:high],
            products=window.products[low:high],
            close_ns=window.close_ns[low:high],
            low=window.low[low:high],
            high=window.high[low:high],
            close_ticks=window.close_ticks[low:high],
            marks_follow=marks_follow,
        )

    def _make(self, start: int, end: int) -> BarsAhead | None:
        assert self._rows is not None, "there are bars, so there are rows"
        rows = self._rows[self._places[start:end]]
        columns = [self._floats(rows, name) for name in "abcde"]
        if any(column is None for column in columns):
            return None
        self._start, self._end = start, end
        opened, high, low, close, volume = (column for column in columns if column is not None)
        products: Ints = rows["product"].astype(np.int64)
        symbols = [product.spec.symbol for product in self._products]
        names = repeat(symbols[0]) if len(symbols) == 1 else map(symbols.__getitem__, products.tolist())
        times: Ints = rows["ts"].copy()
        values = (column.tolist() for column in (opened, high, low, close, volume))
        return BarsAhead(
            symbols=symbols,
            ticks=[product.tick for product in self._products],
            bars=list(map(Bar, names, times.tolist(), *values)),
            products=products,
            close_ns=times,
            low=low,
            high=high,
            close_ticks=rows["d"].copy(),
            marks_follow=False,
        )

    def _floats(self, rows: Rows, name: str) -> Floats | None:
        """A column as the kernel's own bars show it; None where a float could not be the nearest."""
        units = [product.lot_ratio if name == "e" else product.tick_ratio for product in self._products]
        numbers: Ints = rows[name]
        above, below = (np.array([unit[part] for unit in units], np.int64) for part in (0, 1))
        products = rows["product"]
        most = int(numbers.max(initial=0)) * int(above.max())
        if max(most, int(below.max())) > EXACT_MAX:
            return None
        found: Floats = (numbers * above[products]).astype(np.float64) / below[products].astype(np.float64)
        return found
