"""What did the market just say? A stream that keeps the rows it gave, moves them in time, and lets somebody interfere.

The kernel reads rows in machine code and tells nobody; a server must publish them. So the tape stands between a stream
and the venue and keeps a copy of what the venue took. It gives live rows in short slices, so that an intervention (a
halt, a jump of the price) is in force behind the few rows that the venue holds already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from gpt_trader.core.errors import InvalidOrderError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.rows import BAR, INDEX, LEVEL, MARK, MONEY_SCALE, QUOTE, ROW, TRADE
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["MarketTape", "rows_of"]

SLICE_NS: Final = 50_000_000
PRICES: Final = {LEVEL: "a", TRADE: "a", QUOTE: "ac", BAR: "abcd"}
"""Fields that hold a price in ticks, by kind of row."""
Intervention = Callable[[], Rows]


class MarketTape:
    """A market.stream.MarketStream over another one."""

    def __init__(self, stream: MarketStream, *, shift_ns: int = 0, live_from_ns: int | None = None) -> None:
        """Rows from `live_from_ns` on come in short slices, before it as the stream gives them."""
        self._stream = stream
        self._shift_ns = shift_ns
        self._live_from_ns = stream.start_ns + shift_ns if live_from_ns is None else live_from_ns
        self._given: deque[Rows] = deque()
        self._last_ns = stream.start_ns + shift_ns
        self._asked: list[Intervention] = []
        self._offsets = np.zeros(len(stream.products), np.int64)
        self._ended = False

    @property
    def name(self) -> str:
        return self._stream.name

    @property
    def digest(self) -> str:
        return self._stream.digest

    @property
    def products(self) -> tuple[ProductSpec, ...]:
        return self._stream.products

    @property
    def start_ns(self) -> int:
        return self._stream.start_ns + self._shift_ns

    @property
    def end_ns(self) -> int:
        return self._stream.end_ns + self._shift_ns

    @property
    def bar_seconds(self) -> int:
        return self._stream.bar_seconds

    @property
    def modelled_book(self) -> bool:
        return self._stream.modelled_book

    @property
    def notes(self) -> tuple[str, ...]:
        return self._stream.notes

    def take(self, until_ns: int) -> Iterator[Rows]:
        """Rows up to `until_ns` that were not taken yet, in order."""
        while self._given and self._given[0]["ts"][0] <= until_ns:
            rows = self._given.popleft()
            count = int(np.searchsorted(rows["ts"], until_ns, side="right"))
            if count < len(rows):
                self._given.appendleft(rows[count:])
            yield rows[:count]

    def interfere(self, make: Intervention) -> None:
        """Put rows into the market at the next slice; `make` is called when the venue has worked off all before it.

        Raises InvalidOrderError when the market is over.
        """
        if self._ended:
            raise InvalidOrderError("the market is over; nothing can be put into it", "market_over")
        self._asked.append(make)

    def move_prices(self, product: int, ticks: int) -> None:
        """All prices of a product that are still to come stand `ticks` higher."""
        self._offsets[product] += ticks

    def chunks(self) -> Iterator[Rows]:
        for chunk in self._stream.chunks():
            rows = chunk.copy()
            rows["ts"] += self._shift_ns
            rows["recv"] += self._shift_ns
            start = 0
            while start < len(rows):
                yield from self._interventions()
                stop = self._end_of_slice(rows, start)
                yield self._give(self._moved(rows[start:stop]))
                start = stop
        yield from self._interventions()
        self._ended = True

    def _end_of_slice(self, rows: Rows, start: int) -> int:
        first = int(rows["ts"][start])
        end = self._live_from_ns if first < self._live_from_ns else first // SLICE_NS * SLICE_NS + SLICE_NS
        return start + int(np.searchsorted(rows["ts"][start:], end, side="left"))

    def _interventions(self) -> Iterator[Rows]:
        while self._asked:
            rows = self._asked.pop(0)()
            if len(rows):
                rows["ts"] = rows["recv"] = self._last_ns
                yield self._give(rows)

    def _give(self, rows: Rows) -> Rows:
        self._last_ns = int(rows["ts"][-1])
        self._given.append(rows)
        return rows

    def _moved(self, rows: Rows) -> Rows:
        for product in np.flatnonzero(self._offsets).tolist():
            ticks = int(self._offsets[product])
            worth = int(ticks * self.products[product].tick * MONEY_SCALE)
            ours = rows["product"] == product
            for kind, fields in PRICES.items():
                mask = ours & (rows["kind"] == kind)
                for field in fields:
                    rows[field][mask] += ticks
            rows["a"][ours & ((rows["kind"] == INDEX) | (rows["kind"] == MARK))] += worth
        return rows


def rows_of(*rows: tuple[int, int, int, int, int, int, int]) -> Rows:
    """Rows from (kind, side, product, a, b, c, d); the tape stamps them."""
    made: Rows = np.zeros(len(rows), ROW)
    for place, (kind, side, product, a, b, c, d) in enumerate(rows):
        made[place] = (0, 0, kind, side, product, 0, a, b, c, d, 0)
    return made
