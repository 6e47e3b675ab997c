"""What is known of the market right now? MarketView over what was last asked for, with the age of every part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gpt_trader.core.values import ZERO, BookView, Mark, ProductSpec
from gpt_trader.exchange.ccxt.reading import Book, FundingState, needed, number

__all__ = ["PolledMarket"]

MS: Final = 1_000_000
Level = tuple[Decimal, Decimal]


@dataclass
class _Known:
    """One product."""

    mark: Mark | None = None
    book: BookView | None = None
    last: Decimal | None = None
    index: Decimal | None = None
    funding_rate: Decimal = ZERO


class PolledMarket:
    """A part that was not heard of for long keeps its age; nothing is renewed that was not received."""

    def __init__(self, products: Mapping[str, ProductSpec]) -> None:
        self._products = products
        self._known = {symbol: _Known() for symbol in products}

    # what is told

    def hear_book(self, symbol: str, book: Book, received_ns: int, *, marks: bool) -> None:
        """`marks`: the exchange publishes no mark, so the middle of the book is it."""
        size = self._products[symbol].contract_size
        view = BookView(bids=_levels(book.bids, size), asks=_levels(book.asks, size), received_ns=received_ns)
        known = self._known[symbol]
        known.book = view if view.bids or view.asks else None
        if marks and view.mid is not None:
            venue_ns = (book.timestamp or received_ns // MS) * MS
            known.mark = Mark(price=view.mid, venue_ns=venue_ns, received_ns=received_ns)

    def hear_funding(self, symbol: str, state: FundingState, received_ns: int) -> None:
        known = self._known[symbol]
        price = number(state.markPrice)
        if price:
            venue_ns = (state.timestamp or received_ns // MS) * MS
            known.mark = Mark(price=price, venue_ns=venue_ns, received_ns=received_ns)
        known.index = number(state.indexPrice) or None
        known.funding_rate = number(state.fundingRate) or ZERO

    def hear_last(self, symbol: str, price: Decimal) -> None:
        self._known[symbol].last = price

    def lost(self) -> None:
        """Nothing was heard: books are not known until the next; marks keep their age."""
        for known in self._known.values():
            known.book = None

    # what is asked

    def mark(self, symbol: str) -> Mark | None:
        known = self._known.get(symbol)
        return known.mark if known else None

    def book(self, symbol: str, depth: int) -> BookView | None:
        known = self._known.get(symbol)
        view = known.book if known else None
        if view is None:
            return None
        return BookView(bids=view.bids[:depth], asks=view.asks[:depth], received_ns=view.received_ns)

    def touch(self, symbol: str) -> Level | None:
        known = self._known.get(symbol)
        view = known.book if known else None
        if view is None or not view.bids or not view.asks:
            return None
        return view.bids[0][0], view.asks[0][0]

    def last_price(self, symbol: str) -> Decimal | None:
        known = self._known.get(symbol)
        return known.last if known else None

    def index_price(self, symbol: str) -> Decimal | None:
        known = self._known.get(symbol)
        return known.index if known else None

    def funding_rate(self, symbol: str) -> Decimal:
        known = self._known.get(symbol)
        return known.funding_rate if known else ZERO


def _levels(levels: list[list[str | int | float | None]], size: Decimal) -> tuple[Level, ...]:
    return tuple((needed(level[0], "price of a level"), needed(level[1], "size of a level") * size) for level in levels)
