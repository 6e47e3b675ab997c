"""How do many processes read one market? Its rows once, as an array in a file that each of them maps into memory.

The pages are the same for all processes, so a worker adds none. On another machine the same array comes from Ray's
object store, which maps it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gpt_trader.core.errors import StoreError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.recording import RecordedMarket
from gpt_trader.market.rows import ROW
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["MarketHead", "market_over", "read_rows", "share_market"]

CHUNK_ROWS: Final = 1 << 16
"""Rows that a trial takes at once: what it unfolds from them stays small beside the program itself."""


@dataclass(frozen=True)
class MarketHead:
    """What a market says of itself beside its rows."""

    name: str
    digest: str
    products: tuple[ProductSpec, ...]
    start_ns: int
    end_ns: int
    bar_seconds: int
    modelled_book: bool
    notes: tuple[str, ...]

    @classmethod
    def of(cls, stream: MarketStream) -> MarketHead:
        return cls(
            name=stream.name,
            digest=stream.digest,
            products=stream.products,
            start_ns=stream.start_ns,
            end_ns=stream.end_ns,
            bar_seconds=stream.bar_seconds,
            modelled_book=stream.modelled_book,
            notes=stream.notes,
        )


def share_market(stream: MarketStream, folder: Path) -> Path:
    """Write the rows of a market into a file named after its digest, unless it is there. Raises StoreError."""
    path = folder / f"{stream.digest[:32]}.rows"
    if path.exists():
        return path
    half = path.with_suffix(".half")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with half.open("wb") as file:
            for chunk in stream.chunks():
                file.write(np.ascontiguousarray(chunk).tobytes())
        half.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; check the disk, its free space, owner and mode") from error
    return path


def read_rows(path: Path) -> Rows:
    """Mapped, read-only. Raises StoreError."""
    try:
        rows: Rows = np.memmap(path, ROW, mode="r")
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be mapped ({error}); start the search again") from error
    return rows


def market_over(head: MarketHead, rows: Rows) -> RecordedMarket:
    """The same market again, over an array of its rows."""

    def read() -> Iterator[Rows]:
        for start in range(0, len(rows), CHUNK_ROWS):
            yield rows[start : start + CHUNK_ROWS]

    return RecordedMarket(
        name=head.name,
        digest=head.digest,
        products=head.products,
        start_ns=head.start_ns,
        end_ns=head.end_ns,
        bar_seconds=head.bar_seconds,
        modelled_book=head.modelled_book,
        notes=head.notes,
        read=read,
    )
