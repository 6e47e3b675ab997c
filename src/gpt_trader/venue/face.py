"""What does the market look like? Reads of one kernel's memory in Decimal: mark, prices, book."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from gpt_trader.core.values import ZERO, BookView, Mark, ProductSpec
from gpt_trader.market.rows import MONEY_SCALE, RATE_SCALE
from gpt_trader.venue import layout
from gpt_trader.venue.kernel import refresh
from gpt_trader.venue.memory_map import VenueMemory

__all__ = ["E8", "E12", "MarketFace", "ProductUnits"]

E8: Final = Decimal(1) / MONEY_SCALE
E12: Final = Decimal(1) / RATE_SCALE


class ProductUnits:
    """One product's units, and floats for bars that are the nearest to the exact value."""

    def __init__(self, index: int, spec: ProductSpec) -> None:
        self.index = index
        self.spec = spec
        self.tick = spec.tick
        self.lot = spec.lot
        self._tick_ratio = spec.tick.as_integer_ratio()
        self._lot_ratio = spec.lot.as_integer_ratio()

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick

    def quantity(self, lots: int) -> Decimal:
        return lots * self.lot

    def price_float(self, ticks: int) -> float:
        return ticks * self._tick_ratio[0] / self._tick_ratio[1]

    def quantity_float(self, lots: int) -> float:
        return lots * self._lot_ratio[0] / self._lot_ratio[1]


class MarketFace:
    """A MarketView of the market as far as one kernel has read it."""

    def __init__(self, memory: VenueMemory, products: Sequence[ProductUnits]) -> None:
        self._memory = memory
        self._header = memory.header
        self._by_symbol = {product.spec.symbol: product for product in products}
        self._out = np.zeros(4, np.int64)

    def mark(self, symbol: str) -> Mark | None:
        """The venue's mark row, else median(mid, last, index), else the first known of mid, last, index."""
        product = self._by_symbol.get(symbol)
        if product is None:
            return None
        refresh(self._header, product.index, 0, self._out)
        mark = int(self._out[0])
        if mark == 0:
            return None
        seen = int(self._memory.products["seen"][product.index])
        return Mark(price=mark * E8, venue_ns=seen, received_ns=seen)

    def touch(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        """Best bid and best ask, less what orders of this venue took; None while a side is empty."""
        product = self._by_symbol.get(symbol)
        if product is None:
            return None
        refresh(self._header, product.index, 0, self._out)
        record = self._memory.products[product.index]
        bid, ask = int(record["best_bid"]), int(record["best_ask"])
        return (product.price(bid), product.price(ask)) if bid and ask else None

    def last_price(self, symbol: str) -> Decimal | None:
        product = self._by_symbol.get(symbol)
        last = int(self._memory.products["last"][product.index]) if product else 0
        return product.price(last) if product and last else None

    def index_price(self, symbol: str) -> Decimal | None:
        product = self._by_symbol.get(symbol)
        index = int(self._memory.products["index"][product.index]) if product else 0
        return index * E8 if index else None

    def funding_rate(self, symbol: str) -> Decimal:
        """Of the last settlement, per interval; zero before the first."""
        product = self._by_symbol.get(symbol)
        return int(self._memory.products["funding_rate"][product.index]) * E12 if product else ZERO

    def book(self, symbol: str, depth: int) -> BookView | None:
        """The best `depth` levels a side, less what orders of this venue took; None when both sides are empty."""
        product = self._by_symbol.get(symbol)
        if product is None:
            return None
        refresh(self._header, product.index, 0, self._out)
        record = self._memory.products[product.index]
        bids = self._levels(product, layout.BIDS, int(record["best_bid"]), int(record["bid_levels"]), depth)
        asks = self._levels(product, layout.ASKS, int(record["best_ask"]), int(record["ask_levels"]), depth)
        if not bids and not asks:
            return None
        modelled = int(record["fed_by"]) == layout.BY_BARS
        return BookView(bids=bids, asks=asks, received_ns=int(record["seen"]), modelled=modelled)

    def _levels(
        self, product: ProductUnits, side: int, best: int, count: int, depth: int
    ) -> tuple[tuple[Decimal, Decimal], ...]:
        if best == 0:
            return ()
        levels = self._memory.books[product.index, side]
        step = -1 if side == layout.BIDS else 1
        wanted = min(depth, count)
        reach = 64
        while True:
            reach = min(reach, layout.BOOK_TICKS)
            ticks = best + step * np.arange(reach)
            lots = levels[ticks & (layout.BOOK_TICKS - 1)]
            found = np.flatnonzero(lots)[:wanted]
            if len(found) == wanted or reach == layout.BOOK_TICKS:
                break
            reach *= 16
        return tuple(
            (product.price(tick), product.quantity(size))
            for tick, size in zip(ticks[found].tolist(), lots[found].tolist(), strict=True)
        )
