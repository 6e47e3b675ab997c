"""Which bars close next? Closed bars that the rows at hand already hold, from where the kernel stands.

A backtest on bars need not stop at each of them: while no order lives and nothing is under way, only what the bars
themselves say can matter, and that may be looked at many bars at a time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.market.rows import BAR
from gpt_trader.market.stream import Rows
from gpt_trader.market.view import BarsAhead, BarWindow
from gpt_trader.venue.face import ProductUnits
from gpt_trader.venue.layout import NEVER, PATH

__all__ = ["RowsAhead"]

WINDOW_BARS: Final = 2048
"""Bars made at once, and the rest of their moment; the ring in which the kernel keeps closed bars holds more."""
EXACT_MAX: Final = 1 << 53
"""Whole numbers up to here are floats without rounding, so that a quotient of two is the nearest to the exact one."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RowsAhead:
    """The bars of one array of rows."""

    def __init__(self, products: Sequence[ProductUnits]) -> None:
        self._products = products
        self._rows: Rows | None = None
        # lists, because a place in one is found in a fraction of the time that an array takes
        self._places: list[int] = []
        self._breaks: list[int] = []
        self._close_ns: list[int] = []
        self._break_ns: list[int] = []
        self._last_ns = 0
        self._start = self._end = 0
        self._window: BarWindow | None = None

    def give(self, rows: Rows) -> None:
        """The kernel goes on with these rows."""
        kinds, times = rows["kind"], rows["ts"]
        self._rows = rows
        places = np.flatnonzero(kinds == BAR)
        breaks = np.flatnonzero((kinds != BAR) & (kinds != PATH)) if len(places) else places
        self._places, self._close_ns = places.tolist(), times[places].tolist()
        self._breaks, self._break_ns = breaks.tolist(), times[breaks].tolist()
        # more of the last moment may come with the next rows
        self._last_ns = int(times[-1]) if len(rows) else 0
        self._start = self._end = 0

    def next_close_ns(self, row_next: int) -> int:
        """When the first bar from row number `row_next` on closes; NEVER without one among these rows."""
        place = bisect_left(self._places, row_next)
        return self._close_ns[place] if place < len(self._places) else NEVER

    def find(self, row_next: int, until_ns: int, *, marks_follow: bool) -> BarsAhead | None:
        """Bars from row number `row_next` on that close by `until_ns`, with no other kind of row among them or at the
        time of the last."""
        first = bisect_left(self._places, row_next)
        if first == len(self._places) or self._close_ns[first] > until_ns:
            return None
        before_ns = min(until_ns + 1, self._last_ns)
        following = bisect_left(self._breaks, row_next)
        if following < len(self._breaks):
            before_ns = min(before_ns, self._break_ns[following])
        stop = bisect_left(self._close_ns, before_ns, first)
        if first >= stop:
            return None
        if not self._start <= first < self._end or self._window is None:
            self._window = self._make(first, self._window_end(first))
            if self._window is None:
                return None
        return BarsAhead(self._window, first - self._start, min(stop, self._end) - self._start, marks_follow)

    def _window_end(self, first: int) -> int:
        """Bars of one moment lie in one window: the venue passes all of them or none."""
        end = min(len(self._places), first + WINDOW_BARS)
        return bisect_right(self._close_ns, self._close_ns[end - 1], end - 1)

    def _make(self, start: int, end: int) -> BarWindow | None:
        assert self._rows is not None, "there are bars, so there are rows"
        rows = self._rows[self._places[start:end]]
        columns = [self._floats(rows, name) for name in "abcde"]
        if any(column is None for column in columns):
            return None
        self._start, self._end = start, end
        opened, high, low, close, volume = (column for column in columns if column is not None)
        return BarWindow(
            symbols=[product.spec.symbol for product in self._products],
            ticks=[product.tick for product in self._products],
            products=rows["product"].astype(np.int64),
            close_ns=rows["ts"].copy(),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            close_ticks=rows["d"].copy(),
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
