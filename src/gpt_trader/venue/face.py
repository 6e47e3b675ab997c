"""What does the market look like? Reads of one kernel's memory in Decimal: mark, prices, book."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from gpt_trader.core.values import ZERO, BookView, Mark, ProductSpec
from gpt_trader.market.rows import MONEY_SCALE, RATE_SCALE
from gpt_trader.venue import layout
from gpt_trader.venue.kernel import refresh, top_levels
from gpt_trader.venue.levels import Levels
from gpt_trader.venue.memory_map import VenueMemory

__all__ = ["E8", "E12", "LIVING", "MARK_ROW", "STATUS", "WATCH_HIGH", "WATCH_LOW", "MarketFace", "ProductUnits"]

E8: Final = Decimal(1) / MONEY_SCALE
E12: Final = Decimal(1) / RATE_SCALE

# where the numbers of a product's record stand
_AT: Final = layout.places(layout.PRODUCT)
WIDTH: Final = len(_AT)
STATUS: Final = _AT["status"]
SEEN: Final = _AT["seen"]
LAST: Final = _AT["last"]
INDEX: Final = _AT["index"]
FED_BY: Final = _AT["fed_by"]
FUNDING_RATE: Final = _AT["funding_rate"]
MARK_ROW: Final = _AT["mark_row"]
WATCH_LOW: Final = _AT["watch_low"]
WATCH_HIGH: Final = _AT["watch_high"]
LIVING: Final = (_AT["bids"], _AT["asks"], _AT["waiting"])
"""Counts of living orders."""
BEST_BID: Final = _AT["best_bid"]
BEST_ASK: Final = _AT["best_ask"]


class ProductUnits:
    """One product's units, and floats for bars that are the nearest to the exact value."""

    def __init__(self, index: int, spec: ProductSpec) -> None:
        self.index = index
        self.place = index * WIDTH
        self.spec = spec
        self.symbol = spec.symbol
        self.tick = spec.tick
        self.lot = spec.lot
        self.tick_ratio = spec.tick.as_integer_ratio()
        self.lot_ratio = spec.lot.as_integer_ratio()

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick

    def quantity(self, lots: int) -> Decimal:
        return lots * self.lot

    def price_float(self, ticks: int) -> float:
        return ticks * self.tick_ratio[0] / self.tick_ratio[1]

    def quantity_float(self, lots: int) -> float:
        return lots * self.lot_ratio[0] / self.lot_ratio[1]


class MarketFace:
    """A MarketView of the market as far as one kernel has read it."""

    def __init__(self, memory: VenueMemory, products: Sequence[ProductUnits]) -> None:
        self._header = memory.header
        self._numbers = memory.ints["products"]
        self._by_symbol = {product.spec.symbol: product for product in products}
        self._out = np.zeros(4, np.int64)
        self._marks: dict[str, Mark | None] = {}
        """Worked out since the kernel last moved."""
        self._touches: dict[str, tuple[Decimal, Decimal] | None] = {}

    def forget(self) -> None:
        """The kernel moves: what was worked out before holds no more."""
        self._marks.clear()
        self._touches.clear()

    def mark(self, symbol: str) -> Mark | None:
        """The venue's mark row, else median(mid, last, index), else the first known of mid, last, index."""
        if symbol in self._marks:
            return self._marks[symbol]
        product = self._by_symbol.get(symbol)
        if product is None:
            return None
        refresh(self._header, product.index, 0, self._out)
        mark = int(self._out[0])
        seen = self._numbers[product.place + SEEN]
        found = Mark(price=mark * E8, venue_ns=seen, received_ns=seen) if mark else None
        self._marks[symbol] = found
        return found

    def touch(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        """Best bid and best ask, less what orders of this venue took; None while a side is empty."""
        if symbol in self._touches:
            return self._touches[symbol]
        product = self._by_symbol.get(symbol)
        if product is None:
            return None
        refresh(self._header, product.index, 0, self._out)
        bid, ask = self._numbers[product.place + BEST_BID], self._numbers[product.place + BEST_ASK]
        found = (bid * product.tick, ask * product.tick) if bid and ask else None
        self._touches[symbol] = found
        return found

    def last_price(self, symbol: str) -> Decimal | None:
        product = self._by_symbol.get(symbol)
        last = self._numbers[product.place + LAST] if product else 0
        return product.price(last) if product and last else None

    def index_price(self, symbol: str) -> Decimal | None:
        product = self._by_symbol.get(symbol)
        index = self._numbers[product.place + INDEX] if product else 0
        return index * E8 if index else None

    def funding_rate(self, symbol: str) -> Decimal:
        """Of the last settlement, per interval; zero before the first."""
        product = self._by_symbol.get(symbol)
        return self._numbers[product.place + FUNDING_RATE] * E12 if product else ZERO

    def book(self, symbol: str, depth: int) -> BookView | None:
        """The best `depth` levels a side, less what orders of this venue took; None when both sides are empty."""
        product = self._by_symbol.get(symbol)
        if product is None:
            return None
        out = np.empty(2 + 4 * depth, np.int64)
        top_levels(self._header, product.index, depth, out)
        bids, asks, *numbers = out.tolist()
        if not bids and not asks:
            return None
        middle, end = 2 * bids, 2 * (bids + asks)
        tick = product.tick
        return BookView(
            bids=Levels(numbers[0:middle:2], numbers[1:middle:2], tick, product.lot),
            asks=Levels(numbers[middle:end:2], numbers[middle + 1 : end : 2], tick, product.lot),
            received_ns=self._numbers[product.place + SEEN],
            modelled=self._numbers[product.place + FED_BY] == layout.BY_BARS,
            known_mid=(numbers[0] * tick + numbers[middle] * tick) / 2 if bids and asks else None,
        )
