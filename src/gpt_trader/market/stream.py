"""Where does the market come from? The one shape of every source of rows, and what it must say of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.values import ProductSpec

__all__ = ["MarketStream", "Rows"]

Rows = NDArray[np.void]
"""Array of market.rows.ROW."""


class MarketStream(Protocol):
    """A finite, repeatable market. Reading it twice gives the same rows."""

    @property
    def name(self) -> str:
        """For people and for the log: file name, or `synthetic`. Never a path."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of what determines the rows: file content, or generator version, seed and parameters."""
        ...

    @property
    def products(self) -> tuple[ProductSpec, ...]: ...

    @property
    def start_ns(self) -> int: ...

    @property
    def end_ns(self) -> int: ...

    @property
    def bar_seconds(self) -> int:
        """Length of the bars that strategies get from this market."""
        ...

    @property
    def modelled_book(self) -> bool:
        """Rows are bars; the venue models a book and marks it so."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of results must know: what is missing, assumed or shortened, one sentence each."""
        ...

    def chunks(self) -> Iterator[Rows]:
        """Rows in time order, in arrays of bounded length. Raises MarketDataError where the data is not to be used."""
        ...


def describe(stream: MarketStream) -> dict[str, Any]:
    """The facts of a stream as plain values, for logs and summaries."""
    return {
        "name": stream.name,
        "digest": stream.digest,
        "symbols": [product.symbol for product in stream.products],
        "start_ns": stream.start_ns,
        "end_ns": stream.end_ns,
        "bar_seconds": stream.bar_seconds,
        "modelled_book": stream.modelled_book,
        "notes": list(stream.notes),
    }
