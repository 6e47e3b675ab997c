"""Are these rows fit to trade on? Checks every chunk of a stream, and unfolds bars into the path inside them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import NS, iso
from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.rows import BAR, ROW
from gpt_trader.market.stream import MarketStream, Rows
from gpt_trader.venue.inspection import FINDINGS, inspect_rows
from gpt_trader.venue.layout import PATH

__all__ = ["MarketFeed"]

HEADROOM: Final = 4
"""The highest price that exact 64-bit money carries must be at least so many times the first one."""
Prices = NDArray[np.int64]


class MarketFeed:
    """Rows of one stream as the kernel takes them; read once, in order."""

    def __init__(
        self, stream: MarketStream, price_max: Prices, passive_share: Decimal, timetable: Rows | None = None
    ) -> None:
        """`timetable` holds sorted rows that the venue adds; at one time they come before those of the market."""
        self._name = stream.name
        self._symbols = [product.symbol for product in stream.products]
        self._bar_ns = stream.bar_seconds * NS
        self._price_max: Prices = np.ascontiguousarray(price_max)
        self._passive_permille = int(passive_share * 1000)
        self._first: Prices = np.zeros(len(self._symbols), np.int64)
        self._found: Prices = np.zeros(3, np.int64)
        self._timetable = np.zeros(0, ROW) if timetable is None else timetable
        self._rows_before = 0
        self._last_ns = 0
        self._kept = np.zeros(0, ROW)
        self._chunks = self._unfolded(stream.chunks())

    def next(self) -> Rows | None:
        """The next array of rows, or None at the end. Raises MarketDataError or ConfigError."""
        return next(self._chunks, None)

    def _unfolded(self, chunks: Iterator[Rows]) -> Iterator[Rows]:
        for chunk in chunks:
            if len(chunk) == 0:
                continue
            rows = np.ascontiguousarray(chunk)
            self._check(rows)
            rows = self._with_timetable(rows, int(rows["ts"][-1]))
            if len(self._kept) or self._found[2]:
                rows = self._unfold(rows)
            if len(rows):
                yield rows
        if len(self._kept):
            yield self._kept
        if len(self._timetable):
            yield self._timetable

    def _with_timetable(self, rows: Rows, last_ns: int) -> Rows:
        """Rows and what the venue adds up to the last of them."""
        count = int(np.searchsorted(self._timetable["ts"], last_ns, side="right"))
        if count == 0:
            return rows
        added, self._timetable = self._timetable[:count], self._timetable[count:]
        return np.insert(rows, np.searchsorted(rows["ts"], added["ts"], side="left"), added)

    def _unfold(self, rows: Rows) -> Rows:
        """Rows with the path of each bar in front of it. What a later chunk could still come before is kept back.

        What is kept comes before what is new, a path before its bar, and rows as they came; time decides first.
        """
        is_bar = rows["kind"] == BAR
        all_bars = bool(is_bar.all())
        bars = rows if all_bars else rows[is_bar]
        unfolded = np.repeat(rows, 4 if all_bars else np.where(is_bar, 4, 1))
        first = None if all_bars else np.cumsum(np.where(is_bar, 4, 1))[is_bar] - 4
        passive = self._passive(bars["e"])
        for step, (price, offset_ns) in enumerate(self._path(bars)):
            place = slice(step, None, 4) if first is None else first + step
            unfolded["ts"][place] = unfolded["recv"][place] = bars["ts"] - self._bar_ns + offset_ns
            unfolded["kind"][place] = PATH
            unfolded["a"][place], unfolded["b"][place] = price, 1 if step == 0 else 0
            unfolded["c"][place] = passive
        merged = np.concatenate((self._kept, unfolded)) if len(self._kept) else unfolded
        times = merged["ts"]
        if (times[1:] < times[:-1]).any():  # the bars of one product follow one another in time as they are
            merged = merged[np.argsort(times, kind="stable")]
        safe = int(np.searchsorted(merged["ts"], rows["ts"][-1] - self._bar_ns, side="right"))
        self._kept = merged[safe:]
        return merged[:safe]

    def _path(self, bars: Rows) -> Iterator[tuple[Prices, int]]:
        """Prices, and nanoseconds from where the bar begins: open, nearer extreme (the low where both are as near),
        farther extreme; each a third of the bar apart."""
        low_first = bars["a"] - bars["c"] <= bars["b"] - bars["a"]
        yield bars["a"], 1
        yield np.where(low_first, bars["c"], bars["b"]), self._bar_ns // 3
        yield np.where(low_first, bars["b"], bars["c"]), 2 * self._bar_ns // 3

    def _passive(self, volumes: Prices) -> Prices:
        """The share of what was traded that resting orders may get; exact, where the product of both would not fit."""
        return volumes // 1000 * self._passive_permille + volumes % 1000 * self._passive_permille // 1000

    def _check(self, rows: Rows) -> None:
        if rows.dtype != ROW:
            raise MarketDataError(f"{self._name}: rows have the type {rows.dtype}, not market.rows.ROW")
        out = self._found
        inspect_rows(rows.ctypes.data, len(rows), self._last_ns, self._price_max, self._first, out)
        self._check_room()
        place, finding = int(out[0]), int(out[1])
        if finding:
            raise MarketDataError(
                f"{self._name}: row {self._rows_before + place} at {iso(int(rows['ts'][place]))} {FINDINGS[finding]}: "
                f"{rows[place].item()}"
            )
        self._rows_before += len(rows)
        self._last_ns = int(rows["ts"][-1])

    def _check_room(self) -> None:
        """Prices may rise to a multiple of the first one before money no longer fits."""
        for symbol, first, most in zip(self._symbols, self._first.tolist(), self._price_max.tolist(), strict=True):
            if first * HEADROOM > most:
                raise ConfigError(
                    f"{symbol}: max_quantity is too large for exact 64-bit money at a price of {first} ticks "
                    f"(at most {most // HEADROOM}); lower max_quantity"
                )
