"""What lies between two times? A part of any market, beginning with the state that the rows before it left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from gpt_trader.core.clock import iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.recording import RecordedMarket
from gpt_trader.market.rows import CLEAR, INDEX, LEVEL, MARK, QUOTE, ROW, STATUS
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["slice_market", "utc_ns"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
STANDING: Final = (STATUS, INDEX, MARK)
"""Kinds of which the last row holds until the next."""


def utc_ns(text: str) -> int:
    """Nanoseconds of `2022-01-05`, `2022-01-05T13:30` or with a zone; UTC where none is named. Raises ConfigError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not a time. Fix: write 2022-01-05, or 2022-01-05T13:30 (UTC)") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def slice_market(
    stream: MarketStream,
    from_ns: int | None,
    to_ns: int | None,
    *,
    read_since: Callable[[int], Iterator[Rows]] | None = None,
) -> MarketStream:
    """The part of `stream` from `from_ns` up to `to_ns`; None leaves that end as it is. Raises ConfigError if empty.

    Of bars those that lie wholly inside, so a row stamped `from_ns` (it closed then) is out and one stamped `to_ns`
    is in. Of everything else rows from `from_ns`, before `to_ns`. A book is rebuilt from the rows before the part.
    `read_since` may hand out rows from about a time on, where a source of bars need not be read from its beginning.
    """
    start = max(stream.start_ns, from_ns if from_ns is not None else stream.start_ns)
    end = min(stream.end_ns, to_ns if to_ns is not None else stream.end_ns)
    if (start, end) == (stream.start_ns, stream.end_ns):
        return stream
    if start >= end:
        raise ConfigError(
            f"nothing lies between {_or_end(from_ns)} and {_or_end(to_ns)}: {stream.name} goes from "
            f"{iso(stream.start_ns)} to {iso(stream.end_ns)}. Fix: choose times within it"
        )
    rebuilt = start > stream.start_ns and not stream.modelled_book
    said = [f"Only {iso(start)} to {iso(end)} of {iso(stream.start_ns)} to {iso(stream.end_ns)}."]
    said += ["The book at the start is rebuilt from the rows before it."] if rebuilt else []

    def read() -> Iterator[Rows]:
        if stream.modelled_book:
            return _bars(read_since(start) if read_since else stream.chunks(), start, end)
        # where the end is the stream's own, its last row belongs to the part
        before = end if end < stream.end_ns else end + 1
        return _ticks(stream.chunks(), start, before) if rebuilt else _until(stream.chunks(), before)

    return RecordedMarket(
        name=stream.name,
        digest=hashlib.sha256(f"{stream.digest}|{start}|{end}".encode()).hexdigest(),
        products=stream.products,
        start_ns=start,
        end_ns=end,
        bar_seconds=stream.bar_seconds,
        modelled_book=stream.modelled_book,
        notes=(*stream.notes, *said),
        read=read,
    )


def _or_end(at_ns: int | None) -> str:
    return "its end" if at_ns is None else iso(at_ns)


def _bars(chunks: Iterator[Rows], start_ns: int, end_ns: int) -> Iterator[Rows]:
    return _until((rows for rows in (chunk[chunk["ts"] > start_ns] for chunk in chunks) if len(rows)), end_ns + 1)


def _until(chunks: Iterator[Rows], before_ns: int) -> Iterator[Rows]:
    for chunk in chunks:
        if chunk["ts"][-1] < before_ns:
            yield chunk
            continue
        inside = chunk[chunk["ts"] < before_ns]
        if len(inside):
            yield inside
        return


def _ticks(chunks: Iterator[Rows], start_ns: int, before_ns: int) -> Iterator[Rows]:
    state = _State()
    later = _after(chunks, start_ns, state)
    first = next(later, None)
    known = state.rows(start_ns)
    if len(known):
        yield known
    if first is not None:
        yield from _until(_chain(first, later), before_ns)


def _after(chunks: Iterator[Rows], start_ns: int, state: _State) -> Iterator[Rows]:
    """Rows from `start_ns`; those before change the state."""
    for chunk in chunks:
        split = int(np.searchsorted(chunk["ts"], start_ns))
        if split:
            state.apply(chunk[:split])
        if split < len(chunk):
            yield chunk[split:]


def _chain(first: Rows, later: Iterator[Rows]) -> Iterator[Rows]:
    yield first
    yield from later


@dataclass
class _Book:
    """What stands of one product: the row it began with (CLEAR or QUOTE), and the levels since."""

    base: Rows | None = None
    levels: dict[tuple[int, int], int] = field(default_factory=dict)
    """(side, price in ticks) -> lots."""
    standing: dict[int, Rows] = field(default_factory=dict)
    """Kind -> its last row."""


class _State:
    """What the rows so far left standing."""

    def __init__(self) -> None:
        self._books: dict[int, _Book] = {}

    def apply(self, rows: Rows) -> None:
        for product in np.unique(rows["product"]).tolist():
            self._apply(self._books.setdefault(product, _Book()), rows[rows["product"] == product])

    def _apply(self, book: _Book, rows: Rows) -> None:
        kinds = rows["kind"]
        for kind in STANDING:
            at = np.flatnonzero(kinds == kind)
            if len(at):
                book.standing[kind] = rows[at[-1:]].copy()
        begins = np.flatnonzero((kinds == CLEAR) | (kinds == QUOTE))
        if len(begins):
            book.base, book.levels = rows[begins[-1:]].copy(), {}
            rows = rows[begins[-1] :]
        levels = rows[rows["kind"] == LEVEL][::-1]
        # the last word on each level counts
        _, last = np.unique(np.stack([levels["side"].astype(np.int64), levels["a"]]), axis=1, return_index=True)
        found = levels[last]
        for side, price, lots in zip(found["side"].tolist(), found["a"].tolist(), found["b"].tolist(), strict=True):
            book.levels[side, price] = lots

    def rows(self, at_ns: int) -> Rows:
        """The state as rows at one time, products in order, the best prices first."""
        parts = [part for product, book in sorted(self._books.items()) for part in _standing(product, book)]
        rows: Rows = np.concatenate(parts) if parts else np.zeros(0, ROW)
        rows["ts"] = rows["recv"] = at_ns
        return rows


def _standing(product: int, book: _Book) -> Iterator[Rows]:
    for kind in STANDING:
        if kind in book.standing:
            yield book.standing[kind]
    if book.base is not None:
        yield book.base
    cleared = book.base is not None and book.base["kind"][0] == CLEAR
    full = [(side, price, lots) for (side, price), lots in book.levels.items() if lots or not cleared]
    full.sort(key=lambda level: (-level[0], -level[0] * level[1]))
    rows: Rows = np.zeros(len(full), ROW)
    rows["kind"], rows["product"] = LEVEL, product
    for column, values in zip(("side", "a", "b"), zip(*full, strict=True), strict=False):
        rows[column] = values
    yield rows
