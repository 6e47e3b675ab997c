"""What is known of the market right now? Synchronous reads of what streams keep current; no I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from gpt_trader.core.values import BookView, Mark

__all__ = ["MarketView"]


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
