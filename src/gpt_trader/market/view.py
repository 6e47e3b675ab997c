"""What is known of the market right now? Synchronous reads of what streams keep current; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.values import Bar, BookView, Mark

__all__ = ["BarsAhead", "Floats", "Ints", "MarketView"]

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


@dataclass(frozen=True)
class BarsAhead:
    """Consecutive bars, oldest first; nothing but bars comes between them. Arrays are as long as `bars`."""

    symbols: Sequence[str]
    """Of all products."""
    ticks: Sequence[Decimal]
    """Price units of all products."""
    bars: Sequence[Bar]
    products: Ints
    """Place in `symbols`."""
    close_ns: Ints
    low: Floats
    high: Floats
    close_ticks: Ints
    marks_follow: bool
    """The mark of every product is the close of its last bar."""
    marks_later: bool = False
    """The marks of these moments are told when the bars have passed."""

    def part(self, start: int, end: int) -> BarsAhead:
        """Some of them."""
        return replace(
            self,
            bars=self.bars[start:end],
            products=self.products[start:end],
            close_ns=self.close_ns[start:end],
            low=self.low[start:end],
            high=self.high[start:end],
            close_ticks=self.close_ticks[start:end],
        )
