"""What if the market is already an array? A stream over rows that a caller made, for research and for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from gpt_trader.core.errors import MarketDataError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.rows import BAR, ROW
from gpt_trader.market.stream import Rows

__all__ = ["ArrayStream"]


class ArrayStream:
    """A MarketStream over one array of market.rows.ROW, sorted by `ts`."""

    def __init__(
        self,
        products: Sequence[ProductSpec],
        rows: Rows,
        *,
        name: str = "array",
        bar_seconds: int = 60,
        start_ns: int | None = None,
        end_ns: int | None = None,
        chunk_rows: int = 1 << 20,
        notes: Sequence[str] = (),
    ) -> None:
        """Start and end default to the first and last row. Raises MarketDataError when there are no rows."""
        if rows.dtype != ROW or len(rows) == 0:
            raise MarketDataError(f"{name}: needs at least one row of the type market.rows.ROW")
        self._rows = rows
        self._name = name
        self._products = tuple(products)
        self._bar_seconds = bar_seconds
        self._start_ns = int(rows["ts"][0]) if start_ns is None else start_ns
        self._end_ns = int(rows["ts"][-1]) if end_ns is None else end_ns
        self._chunk_rows = chunk_rows
        self._notes = tuple(notes)

    @property
    def name(self) -> str:
        return self._name

    @property
    def digest(self) -> str:
        return hashlib.sha256(self._rows.tobytes()).hexdigest()

    @property
    def products(self) -> tuple[ProductSpec, ...]:
        return self._products

    @property
    def start_ns(self) -> int:
        return self._start_ns

    @property
    def end_ns(self) -> int:
        return self._end_ns

    @property
    def bar_seconds(self) -> int:
        return self._bar_seconds

    @property
    def modelled_book(self) -> bool:
        return bool((self._rows["kind"] == BAR).any())

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def chunks(self) -> Iterator[Rows]:
        for start in range(0, len(self._rows), self._chunk_rows):
            yield self._rows[start : start + self._chunk_rows]
