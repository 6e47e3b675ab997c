"""How do several markets become one? Rows put together by time, in the same order however they come in pieces."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.errors import ConfigError
from gpt_trader.market.recording import RecordedMarket
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["merge_blocks", "merge_markets"]

Block = tuple[Rows, NDArray[np.int64]]
"""Rows, and the key of each by which they are put in order; keys never fall."""


class _Lane:
    """One source that is being merged: what was read of it and is not handed on yet."""

    def __init__(self, source: Iterator[Block]) -> None:
        self._source = source
        self.rows: Rows
        self.keys: NDArray[np.int64]
        self.ended = False
        first = next(source, None)
        if first is None:
            self.ended = True
            return
        self.rows, self.keys = first

    def take(self, limit: int | None) -> Block:
        """What lies below `limit`; everything for None."""
        count = len(self.keys) if limit is None else int(np.searchsorted(self.keys, limit))
        taken = self.rows[:count], self.keys[:count]
        self.rows, self.keys = self.rows[count:], self.keys[count:]
        return taken

    def read_on(self) -> None:
        block = next(self._source, None)
        if block is None:
            self.ended = True
        else:
            self.rows = np.concatenate([self.rows, block[0]])
            self.keys = np.concatenate([self.keys, block[1]])


def merge_blocks(sources: Sequence[Iterator[Block]]) -> Iterator[Rows]:
    """Rows by key; equal keys in the order of `sources`. Holds a few blocks of each source."""
    lanes = [lane for lane in map(_Lane, sources) if not lane.ended]
    while lanes:
        open_lanes = [lane for lane in lanes if not lane.ended]
        # a key that is the last one read may come again in the next block, so only what lies below it is complete
        limit = min(int(lane.keys[-1]) for lane in open_lanes) if open_lanes else None
        rows, keys = zip(*(lane.take(limit) for lane in lanes), strict=True)
        merged: Rows = np.concatenate(rows)
        if len(merged):
            yield merged[np.argsort(np.concatenate(keys), kind="stable")]
        if limit is None:
            return
        for lane in open_lanes:
            if int(lane.keys[-1]) == limit:
                lane.read_on()


def merge_markets(name: str, markets: Sequence[MarketStream]) -> MarketStream:
    """One market of several, by venue time; at one moment, in the order of `markets`.

    Raises ConfigError where they cannot stand side by side: a symbol twice, bars of different length, or bars beside
    a book.
    """
    if len(markets) == 1:
        return markets[0]
    symbols = Counter(product.symbol for market in markets for product in market.products)
    for symbol, count in symbols.items():
        if count > 1:
            owners = ", ".join(market.name for market in markets if symbol in _symbols(market))
            raise ConfigError(f"{symbol} is in {owners}. Fix: join them in one file, or name one with --symbol")
    for one, other in pairwise(markets):
        if one.modelled_book is not other.modelled_book:
            raise ConfigError(f"{one.name} and {other.name}: one has bars, one a book. Fix: import each by itself")
        if one.bar_seconds != other.bar_seconds:
            raise ConfigError(
                f"{one.name} has bars of {one.bar_seconds} s, {other.name} of {other.bar_seconds} s. "
                "Fix: import each by itself"
            )
    parts = "|".join(market.digest for market in markets)
    return RecordedMarket(
        name=name,
        digest=hashlib.sha256(f"merged|{parts}".encode()).hexdigest(),
        products=tuple(product for market in markets for product in market.products),
        start_ns=min(market.start_ns for market in markets),
        end_ns=max(market.end_ns for market in markets),
        bar_seconds=markets[0].bar_seconds,
        modelled_book=markets[0].modelled_book,
        notes=tuple(f"{', '.join(_symbols(market))}: {note}" for market in markets for note in market.notes),
        read=_reader(markets),
    )


def _symbols(market: MarketStream) -> list[str]:
    return [product.symbol for product in market.products]


def _reader(markets: Sequence[MarketStream]) -> Callable[[], Iterator[Rows]]:
    offsets = [sum(len(market.products) for market in markets[:nth]) for nth in range(len(markets))]

    def blocks(market: MarketStream, offset: int) -> Iterator[Block]:
        for chunk in market.chunks():
            if len(chunk):
                rows = chunk.copy()
                rows["product"] += offset
                yield rows, rows["ts"]

    def read() -> Iterator[Rows]:
        return merge_blocks([blocks(market, offset) for market, offset in zip(markets, offsets, strict=True)])

    return read
