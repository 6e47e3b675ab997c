"""What stands in the book? One product's levels, kept from the level 2 channel.

A snapshot replaces everything; an update sets the whole quantity of a level, and zero takes it away. Quantities are in
base units. Before the first snapshot, and after a connection ended, there is no book.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import Final

from gpt_trader.core.values import ZERO, BookView, ProductSpec
from gpt_trader.exchange.coinbase.decoding import WireError, needed
from gpt_trader.exchange.coinbase.frames import BookEvent, BookLevel
from gpt_trader.exchange.coinbase.products import quantity

__all__ = ["LevelBook"]

LEVELS_MAX: Final = 200_000
"""Of both sides; the deepest snapshot seen had 44 thousand."""


class _Side:
    """Levels of one side, their prices sorted so that the best comes last."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._sizes: dict[Decimal, Decimal] = {}
        self._keys: list[Decimal] = []
        """Price times sign: bids ascend, asks descend."""

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, price: Decimal, size: Decimal) -> None:
        key = price * self._sign
        if size == ZERO:
            if self._sizes.pop(price, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
            return
        if price not in self._sizes:
            self._keys.insert(bisect_left(self._keys, key), key)
        self._sizes[price] = size

    def fill(self, levels: Sequence[tuple[Decimal, Decimal]]) -> None:
        """All levels at once: a snapshot is sorted once."""
        self._sizes = {price: size for price, size in levels if size > ZERO}
        self._keys = sorted(price * self._sign for price in self._sizes)

    @property
    def best(self) -> Decimal | None:
        return self._keys[-1] * self._sign if self._keys else None

    def top(self, depth: int) -> tuple[tuple[Decimal, Decimal], ...]:
        prices = (key * self._sign for key in islice(reversed(self._keys), depth))
        return tuple((price, self._sizes[price]) for price in prices)


class LevelBook:
    """The book of one product; events of others must not come here."""

    def __init__(self, product: ProductSpec) -> None:
        self._product = product
        self._bids, self._asks = _Side(1), _Side(-1)
        self._received_ns: int | None = None

    def clear(self) -> None:
        """What was known is not known any more."""
        self._received_ns = None

    def stands(self, received_ns: int) -> None:
        """The venue says, without another word on the book, that the connection lives: it is as it was."""
        if self._received_ns is not None:
            self._received_ns = received_ns

    def apply(self, event: BookEvent, received_ns: int) -> None:
        """One event. Raises WireError for what leaves no book that could be believed; then there is none."""
        assert event.product_id == self._product.venue_symbol
        begun, self._received_ns = self._received_ns is not None, None
        if event.type == "snapshot":
            self._replace(event.updates)
        elif event.type != "update":
            raise WireError(f"level 2 of {event.product_id} is neither snapshot nor update: {event.type!r}")
        elif not begun:
            return  # behind a lost snapshot; the next one begins
        else:
            for level in event.updates:
                side, price, size = self._level(level)
                side.put(price, size)
        self._check(event.product_id)
        self._received_ns = received_ns

    def _replace(self, levels: Sequence[BookLevel]) -> None:
        read = [self._level(level) for level in levels]
        for side in (self._bids, self._asks):
            side.fill([(price, size) for owner, price, size in read if owner is side])

    def _level(self, level: BookLevel) -> tuple[_Side, Decimal, Decimal]:
        sides = {"bid": self._bids, "offer": self._asks}
        price, size = needed(level.price_level, "price_level"), needed(level.new_quantity, "new_quantity")
        side = sides.get(level.side)
        if side is None or price <= ZERO or size < ZERO:
            raise WireError(f"level of Coinbase is {level.side} {price} {size}")
        return side, price, quantity(self._product, size)

    def _check(self, product_id: str) -> None:
        bid, ask = self._bids.best, self._asks.best
        if bid is not None and ask is not None and bid >= ask:
            raise WireError(f"book of {product_id} is crossed: bid {bid}, ask {ask}")
        if len(self._bids) + len(self._asks) > LEVELS_MAX:
            raise WireError(f"book of {product_id} has more than {LEVELS_MAX} levels")

    def touch(self) -> tuple[Decimal, Decimal] | None:
        """Best bid and best ask; None while a side is empty or nothing is known."""
        bid, ask = self._bids.best, self._asks.best
        if self._received_ns is None or bid is None or ask is None:
            return None
        return bid, ask

    def view(self, depth: int) -> BookView | None:
        """The best levels of each side; None while nothing is known."""
        if self._received_ns is None:
            return None
        return BookView(bids=self._bids.top(depth), asks=self._asks.top(depth), received_ns=self._received_ns)
