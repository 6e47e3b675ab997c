"""Which bars will the trades make that are already here? Seen without moving the venue.

Bars follow from the market alone. As long as nothing but bars is to come, they may be looked at many at a time, as
venue/ahead.py does with bars that come as rows; the mark beside each is written down by the kernel when it gets there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numba import from_dtype, types
from numpy.typing import NDArray

from gpt_trader.market.compiled import EntryPoint, jit, part
from gpt_trader.market.rows import BAR, FUNDING, INDEX, LEVEL, MARK, QUOTE, STATUS, TRADE
from gpt_trader.market.view import BarsAhead, BarWindow
from gpt_trader.venue.face import ProductUnits
from gpt_trader.venue.kernel import refresh
from gpt_trader.venue.layout import ASKS, BAR_OUT, BIDS, BOOK_TICKS, BY_BARS, BY_LEVELS, HEADER, PATH
from gpt_trader.venue.memory import books_of, products_of, rows_of
from gpt_trader.venue.memory_map import VenueMemory

__all__ = ["ENTRY_POINTS", "TradesAhead"]

WINDOW_BARS: Final = 1024
"""Bars made at once; the ring in which the kernel keeps closed bars holds more."""
EXACT_MAX: Final = 1 << 53
"""Whole numbers up to here are floats without rounding, so that a quotient of two is the nearest to the exact one."""
BEYOND: Final = 0.01
"""So much further than any price in sight may a mark lie, in the reckoning of what is safe."""

MASK: Final = BOOK_TICKS - 1

# what is kept of each product while looking
OPEN: Final = 0
HIGH: Final = 1
LOW: Final = 2
CLOSE: Final = 3
VOLUME: Final = 4
WHOLE: Final = 5
LAST: Final = 6
LOWEST: Final = 7
HIGHEST: Final = 8
KEPT: Final = 9


@jit
def trade_bars(header: Any, most: int, kept: Any, out: Any) -> int:
    """Write the bars that close next to `out`, up to `most` and the rest of their moment; returns how many.

    It ends before a moment at which anything else is told, and before one at which rows follow the close: the mark
    may move there after the bar.
    """
    v = header[0]
    products = products_of(v)
    for pi in range(v.products_count):
        p = products[pi]
        if p.path_open == 1 or p.fed_by == BY_BARS:
            return 0
        k = kept[pi]
        k[OPEN], k[HIGH], k[LOW], k[CLOSE] = p.bar_open, p.bar_high, p.bar_low, p.bar_close
        k[VOLUME], k[WHOLE], k[LAST], k[LOWEST], k[HIGHEST] = p.bar_volume, p.bar_whole, p.last, 0, 0
    rows = rows_of(v)
    found = 0
    bar_next = v.bar_next
    for i in range(v.row_next, v.rows_count):
        r = rows[i]
        if r.ts == bar_next:
            return found
        while r.ts > bar_next:
            if found >= most:
                return found
            found = _close(v, kept, out, found, bar_next)
            bar_next += v.bar_ns
            if r.ts == bar_next:
                return found
        kind = r.kind
        k = kept[r.product]
        if kind == TRADE:
            _trade(k, r.a, r.b)
        elif kind == QUOTE:
            _in_range(k, r.a, r.c)
        elif kind == LEVEL:
            _in_range(k, r.a, r.a)
        elif kind in (INDEX, MARK):
            price = r.a // products[r.product].tick_value
            _in_range(k, price, price)
        elif kind in (FUNDING, STATUS, BAR) or kind >= PATH:
            return found
    return found


@part
def _trade(k: Any, price: int, lots: int) -> None:
    if k[VOLUME] == 0:
        k[OPEN], k[HIGH], k[LOW] = price, price, price
    elif price > k[HIGH]:
        k[HIGH] = price
    elif price < k[LOW]:
        k[LOW] = price
    k[CLOSE] = price
    k[LAST] = price
    k[VOLUME] += lots
    _in_range(k, price, price)


@part
def _in_range(k: Any, low: int, high: int) -> None:
    k[LOWEST] = low if k[LOWEST] == 0 else min(k[LOWEST], low)
    k[HIGHEST] = max(k[HIGHEST], high)


@part
def _close(v: Any, kept: Any, out: Any, found: int, close_ns: int) -> int:
    """The bars that the clock closes, by the rules of the kernel."""
    for pi in range(v.products_count):
        k = kept[pi]
        if k[WHOLE] == 1 and (k[VOLUME] > 0 or k[LAST] != 0):
            b = out[found]
            found += 1
            b.product, b.close_ns, b.volume = pi, close_ns, k[VOLUME]
            if k[VOLUME] > 0:
                b.open, b.high, b.low, b.close = k[OPEN], k[HIGH], k[LOW], k[CLOSE]
            else:
                b.open, b.high, b.low, b.close = k[LAST], k[LAST], k[LAST], k[LAST]
        k[WHOLE] = 1
        k[VOLUME] = 0
    return found


@jit
def price_range(header: Any, kept: Any) -> None:
    """Widen the range of each product by the prices that its mark can have: those of now, and of any level that the
    book could fall back on."""
    v = header[0]
    products = products_of(v)
    for pi in range(v.products_count):
        p, k = products[pi], kept[pi]
        for price in (p.last, p.best_bid, p.best_ask, p.index // p.tick_value, p.mark_row // p.tick_value):
            if price != 0:
                _in_range(k, price, price)
        if p.fed_by == BY_LEVELS:
            bids, asks = books_of(v)[pi, BIDS], books_of(v)[pi, ASKS]
            for tick in range(p.base, p.base + BOOK_TICKS):
                if bids[tick & MASK] != 0 or asks[tick & MASK] != 0:
                    _in_range(k, tick, tick)


class TradesAhead:
    """The bars that the rows in a venue's memory make from trades."""

    def __init__(self, memory: VenueMemory, products: Sequence[ProductUnits]) -> None:
        self._memory = memory
        self._symbols = [product.spec.symbol for product in products]
        self._units = [product.tick for product in products]
        self._ticks = np.array([product.tick_ratio for product in products], np.int64)
        self._lots = np.array([product.lot_ratio for product in products], np.int64)
        self._kept = np.zeros((len(products), KEPT), np.int64)
        self._figures = np.zeros(4, np.int64)
        self._window: BarWindow | None = None

    def forget(self) -> None:
        """There are new rows."""
        self._window = None

    def find(self, now_ns: int, until_ns: int) -> BarsAhead | None:
        """Bars that close after `now_ns` and before `until_ns`, if no account can be liquidated before the last."""
        window = self._window
        low = 0 if window is None else int(np.searchsorted(window.close_ns, now_ns, side="right"))
        if window is None or low == len(window.close_ns):
            window, low = self._make(), 0
        if window is None:
            return None
        high = int(np.searchsorted(window.close_ns, until_ns))
        return BarsAhead(window, low, high) if low < high and self._safe() else None

    def _make(self) -> BarWindow | None:
        out: NDArray[np.void] = np.zeros(WINDOW_BARS + len(self._symbols), BAR_OUT)
        count = trade_bars(self._memory.header, WINDOW_BARS, self._kept, out)
        price_range(self._memory.header, self._kept)
        self._window = self._bars(out[:count]) if count else None
        return self._window

    def _bars(self, found: NDArray[np.void]) -> BarWindow | None:
        """With the floats nearest to the exact values; None where a float could not be."""
        products: NDArray[np.int64] = found["product"].copy()
        above, below = self._ticks[products].T
        names = ("open", "high", "low", "close")
        most = (found["high"].max() * float(above.max()), found["volume"].max() * float(self._lots.max()))
        if max(most) > EXACT_MAX:
            return None
        opened, high, low, close = (found[name] * above / below for name in names)
        volume = found["volume"] * self._lots[products, 0] / self._lots[products, 1]
        return BarWindow(
            symbols=self._symbols,
            ticks=self._units,
            products=products,
            close_ns=found["close_ns"].copy(),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            close_ticks=found["close"].copy(),
            marks_later=True,
        )

    def _safe(self) -> bool:
        """No account comes near its maintenance margin at any price in sight, and a little beyond."""
        header, positions = self._memory.header, self._memory.positions["lots"]
        for account in range(len(positions)):
            room = 0.0
            for product in np.flatnonzero(positions[account]).tolist():
                refresh(header, product, account, self._figures)
                mark, equity, _, maintenance = self._figures.tolist()
                unit = int(self._memory.products["tick_value"][product])
                fall = mark - self._kept[product, LOWEST] * unit * (1 - BEYOND)
                rise = self._kept[product, HIGHEST] * unit * (1 + BEYOND) - mark
                lots = abs(int(positions[account, product])) * self._lots[product, 0] / self._lots[product, 1]
                room += 2 * lots * max(fall, rise)  # once for the loss, once for the margin that may rise with it
                if equity - room < 2 * maintenance:
                    return False
        return True


ENTRY_POINTS: Final = (
    EntryPoint(
        "venue_trade_bars",
        trade_bars,
        (
            types.Array(from_dtype(HEADER), 1, "C"),
            types.int64,
            types.int64[:, ::1],
            types.Array(from_dtype(BAR_OUT), 1, "C"),
        ),
    ),
    EntryPoint("venue_price_range", price_range, (types.Array(from_dtype(HEADER), 1, "C"), types.int64[:, ::1])),
)
