"""What is known of the market right now? Synchronous reads of what streams keep current; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import repeat
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.values import Bar, BookView, Mark

__all__ = ["BarWindow", "BarsAhead", "Floats", "Ints", "MarketView"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class MarketView(Protocol):
    """Kept by an exchange adapter. Every part says when it was received; None means not known (yet, or any more)."""

    def mark(self, symbol: str) -> Mark | None: ...

    def book(self, symbol: str, depth: int) -> BookView | None: ...

    def touch(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        """Best bid and best ask, cheaper than a book; None while a side is empty."""
        ...

    def last_price(self, symbol: str) -> Decimal | None: ...

    def index_price(self, symbol: str) -> Decimal | None: ...

    def funding_rate(self, symbol: str) -> Decimal: ...


@dataclass(frozen=True, eq=False)
class BarWindow:
    """Consecutive bars, oldest first; nothing but bars comes between them. Arrays are all of one length."""

    symbols: Sequence[str]
    """Of all products."""
    ticks: Sequence[Decimal]
    """Price units of all products."""
    products: Ints
    """Place in `symbols`."""
    close_ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    close_ticks: Ints
    marks_later: bool = False
    """The marks of these moments are told when the bars have passed."""

    @cached_property
    def bars(self) -> list[Bar]:
        """As strategies get them."""
        one = len(self.symbols) == 1
        names = repeat(self.symbols[0]) if one else map(self.symbols.__getitem__, self.products.tolist())
        values = (column.tolist() for column in (self.open, self.high, self.low, self.close, self.volume))
        return list(map(Bar, names, self.close_ns.tolist(), *values))

    def bar(self, place: int) -> Bar:
        """One of them; the others need not be made for it."""
        made: list[Bar] | None = self.__dict__.get("bars")
        if made is not None:
            return made[place]
        return Bar(
            self.symbols[self.products[place]],
            int(self.close_ns[place]),
            float(self.open[place]),
            float(self.high[place]),
            float(self.low[place]),
            float(self.close[place]),
            float(self.volume[place]),
        )

    @cached_property
    def ranges(self) -> list[tuple[float, float]]:
        """Lowest and highest price of each product over the window; (inf, -inf) where it has no bar."""
        own = [self.products == place for place in range(len(self.symbols))]
        return [(float(self.low[each].min(initial=inf)), float(self.high[each].max(initial=-inf))) for each in own]

    @cached_property
    def close_ticks_max(self) -> int:
        return int(self.close_ticks.max())


@dataclass(frozen=True, eq=False)
class BarsAhead:
    """The bars of a window from place `start` to before `end`: those that may come next."""

    window: BarWindow
    start: int
    end: int
    marks_follow: bool = False
    """The mark of every product is the close of its last bar."""

    def __len__(self) -> int:
        return self.end - self.start

    def first(self, count: int) -> BarsAhead:
        """Only so many of them."""
        return BarsAhead(self.window, self.start, self.start + count, self.marks_follow)

    @property
    def symbols(self) -> Sequence[str]:
        return self.window.symbols

    @property
    def marks_later(self) -> bool:
        return self.window.marks_later

    @property
    def bars(self) -> Sequence[Bar]:
        return self.window.bars[self.start : self.end]

    @property
    def products(self) -> Ints:
        return self.window.products[self.start : self.end]

    @property
    def close_ns(self) -> Ints:
        return self.window.close_ns[self.start : self.end]

    @property
    def close_ticks(self) -> Ints:
        return self.window.close_ticks[self.start : self.end]
