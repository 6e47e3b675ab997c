"""What is known of the market right now? MarketView over frames and products, with the age of every part.

The mark is the median of the parts that are fresh: mid, last trade and index; it is kept with its age when none is.
Books are known only while their connection stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ZERO, BookView, Mark, ProductSpec
from gpt_trader.exchange.coinbase.book import LevelBook
from gpt_trader.exchange.coinbase.decoding import number, stamp_ns
from gpt_trader.exchange.coinbase.frames import BookEvent, Frame, HeartbeatEvent, TickerEvent
from gpt_trader.exchange.coinbase.replies import Product

__all__ = ["LiveMarket"]

FRESH_NS: Final = 10 * NS
"""A part received longer ago says nothing about the mark."""


@dataclass
class _Part:
    """One price and when it was received."""

    price: Decimal | None = None
    received_ns: int = 0


class _Watched:
    """One product."""

    def __init__(self, product: ProductSpec) -> None:
        self.book = LevelBook(product)
        self.mid, self.last, self.index = _Part(), _Part(), _Part()
        self.funding_rate = ZERO
        self.mark: Mark | None = None
        self.awaited: tuple[Decimal | None, Decimal | None, Callable[[Decimal], None]] | None = None
        """Trades at or below the first, or at or above the second, are told to the third; once."""

    def trade(self, price: Decimal) -> None:
        if self.awaited is None:
            return
        low, high, reached = self.awaited
        if (low is not None and price <= low) or (high is not None and price >= high):
            self.awaited = None
            reached(price)

    def measure(self, venue_ns: int, received_ns: int) -> None:
        """The mark anew; the old one stays when no part is fresh."""
        fresh = [
            part.price
            for part in (self.mid, self.last, self.index)
            if part.price is not None and received_ns - part.received_ns <= FRESH_NS
        ]
        if fresh:
            self.mark = Mark(price=median(fresh), venue_ns=venue_ns, received_ns=received_ns)


class LiveMarket:
    """MarketView of some products. Frames must come in order, as CoinbaseSocket tells them."""

    def __init__(self, products: Iterable[ProductSpec] = ()) -> None:
        self._watched: dict[str, _Watched] = {}
        self._by_id: dict[str, _Watched] = {}
        self.follow(products)

    def follow(self, products: Iterable[ProductSpec]) -> None:
        """Begin to know these products; nothing is known of any other."""
        for product in products:
            self._watched[product.symbol] = self._by_id[product.venue_symbol] = _Watched(product)

    # what is told

    def hear(self, frame: Frame, received_ns: int) -> None:
        """One frame; other channels and products are passed over. Raises WireError for a book not to be believed."""
        venue_ns = stamp_ns(frame.timestamp)
        for event in frame.events:
            if isinstance(event, BookEvent):
                self._hear_book(event, venue_ns, received_ns)
            elif isinstance(event, TickerEvent):
                for ticker in event.tickers:
                    watched, price = self._by_id.get(ticker.product_id), number(ticker.price)
                    if watched is not None and price is not None:
                        watched.last = _Part(price, received_ns)
                        watched.measure(venue_ns, received_ns)
                        watched.trade(price)
            elif isinstance(event, HeartbeatEvent):
                self._hear_heartbeat(venue_ns, received_ns)

    def _hear_heartbeat(self, venue_ns: int, received_ns: int) -> None:
        """No frame was missed before it, so what stands in the books stands there now."""
        for watched in self._watched.values():
            if watched.mid.price is not None:
                watched.book.stands(received_ns)
                watched.mid = _Part(watched.mid.price, received_ns)
                watched.measure(venue_ns, received_ns)

    def _hear_book(self, event: BookEvent, venue_ns: int, received_ns: int) -> None:
        watched = self._by_id.get(event.product_id)
        if watched is None:
            return
        watched.mid = _Part()
        watched.book.apply(event, received_ns)
        touch = watched.book.touch()
        if touch is not None:
            watched.mid = _Part((touch[0] + touch[1]) / 2, received_ns)
            watched.measure(venue_ns, received_ns)

    def refresh(self, products: Iterable[Product], received_ns: int) -> None:
        """Index and funding, which no channel carries."""
        for product in products:
            watched, details = self._by_id.get(product.product_id), product.future_product_details
            if watched is not None and details is not None:
                watched.index = _Part(number(details.index_price), received_ns)
                watched.funding_rate = number(details.funding_rate) or ZERO

    def lost(self) -> None:
        """The connection ended: books are not known until the next snapshots; marks keep their age."""
        for watched in self._by_id.values():
            watched.book.clear()
            watched.mid = _Part()

    # what is asked

    def watch_price(
        self, symbol: str, low: Decimal | None, high: Decimal | None, reached: Callable[[Decimal], None]
    ) -> None:
        self._watched[symbol].awaited = (low, high, reached)

    def mark(self, symbol: str) -> Mark | None:
        watched = self._watched.get(symbol)
        return None if watched is None else watched.mark

    def book(self, symbol: str, depth: int) -> BookView | None:
        watched = self._watched.get(symbol)
        return None if watched is None else watched.book.view(depth)

    def touch(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        watched = self._watched.get(symbol)
        return None if watched is None else watched.book.touch()

    def last_price(self, symbol: str) -> Decimal | None:
        watched = self._watched.get(symbol)
        return None if watched is None else watched.last.price

    def index_price(self, symbol: str) -> Decimal | None:
        watched = self._watched.get(symbol)
        return None if watched is None else watched.index.price

    def funding_rate(self, symbol: str) -> Decimal:
        watched = self._watched.get(symbol)
        return watched.funding_rate if watched else ZERO
