"""Are these rows fit to trade on? Checks every chunk of a stream, and unfolds bars into the path inside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import NS, iso
from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.rows import BAR, LEVEL, QUOTE, ROW, STATUS, STATUSES, TRADE
from gpt_trader.market.stream import MarketStream, Rows
from gpt_trader.venue.layout import PATH

__all__ = ["MarketFeed"]

HEADROOM: Final = 4
"""The highest price that exact 64-bit money carries must be at least so many times the first one."""
Prices = NDArray[np.int64]


class MarketFeed:
    """Rows of one stream as the kernel takes them; read once, in order."""

    def __init__(self, stream: MarketStream, price_max: Prices, passive_share: Decimal) -> None:
        self._name = stream.name
        self._symbols = [product.symbol for product in stream.products]
        self._bar_ns = stream.bar_seconds * NS
        self._price_max = price_max
        self._passive_permille = int(passive_share * 1000)
        self._seen_price = [False] * len(self._symbols)
        self._last_ns = 0
        self._sequence = 0
        self._kept = np.zeros(0, ROW)
        self._kept_order: Prices = np.zeros(0, np.int64)
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
            if len(self._kept) == 0 and not (rows["kind"] == BAR).any():
                yield rows
            else:
                yield self._unfold(rows)
        if len(self._kept):
            yield self._kept

    def _unfold(self, rows: Rows) -> Rows:
        """Rows with the path of each bar in front of it. What a later chunk could still come before is kept back."""
        order = self._sequence + np.arange(len(rows), dtype=np.int64) * 4
        self._sequence += len(rows) * 4
        bars = rows[rows["kind"] == BAR]
        bars_order = order[rows["kind"] == BAR]
        parts: list[Rows] = [self._kept, rows]
        orders = [self._kept_order, order + 3]
        for step, path in enumerate(self._path(bars)):
            parts.append(path)
            orders.append(bars_order + step)
        merged = np.concatenate(parts)
        merged_order = np.concatenate(orders)
        sorting = np.lexsort((merged_order, merged["ts"]))
        merged = merged[sorting]
        merged_order = merged_order[sorting]
        safe = int(np.searchsorted(merged["ts"], rows["ts"][-1] - self._bar_ns, side="right"))
        self._kept = merged[safe:]
        self._kept_order = merged_order[safe:]
        return merged[:safe]

    def _path(self, bars: Rows) -> Iterator[Rows]:
        """Open, nearer extreme (the low where both are as near), farther extreme; each a third of the bar apart."""
        low_first = bars["a"] - bars["c"] <= bars["b"] - bars["a"]
        nearer = np.where(low_first, bars["c"], bars["b"])
        farther = np.where(low_first, bars["b"], bars["c"])
        for price, offset in ((bars["a"], 1), (nearer, self._bar_ns // 3), (farther, 2 * self._bar_ns // 3)):
            path = bars.copy()
            path["ts"] = bars["ts"] - self._bar_ns + offset
            path["kind"] = PATH
            path["a"] = price
            path["b"] = 1 if offset == 1 else 0
            path["c"] = bars["e"] // 1000 * self._passive_permille + bars["e"] % 1000 * self._passive_permille // 1000
            yield path

    def _check(self, rows: Rows) -> None:
        if rows.dtype != ROW:
            raise MarketDataError(f"{self._name}: rows have the type {rows.dtype}, not market.rows.ROW")
        ts = rows["ts"]
        if int(ts[0]) < self._last_ns or (len(ts) > 1 and bool((ts[1:] < ts[:-1]).any())):
            raise MarketDataError(f"{self._name}: times go backwards near {iso(int(ts[0]))}; sort or repair the data")
        self._last_ns = int(ts[-1])
        kind = rows["kind"]
        if int(kind.min()) < LEVEL or int(kind.max()) > STATUS:
            raise MarketDataError(f"{self._name}: a row has an unknown kind ({kind.min()} to {kind.max()})")
        product = rows["product"]
        if int(product.min()) < 0 or int(product.max()) >= len(self._symbols):
            raise MarketDataError(f"{self._name}: a row names product {product.max()} of {len(self._symbols)}")
        self._check_prices(rows)
        statuses = rows["a"][kind == STATUS]
        if len(statuses) and not 0 <= int(statuses.min()) <= int(statuses.max()) < len(STATUSES):
            raise MarketDataError(f"{self._name}: a status row holds a number outside 0 to {len(STATUSES) - 1}")

    def _check_prices(self, rows: Rows) -> None:
        kind = rows["kind"]
        columns: Sequence[tuple[Any, str, str]] = (
            ((kind == LEVEL) | (kind == TRADE), "a", "b"),
            (kind == QUOTE, "a", "b"),
            (kind == QUOTE, "c", "d"),
            (kind == BAR, "a", "e"),
            (kind == BAR, "b", "e"),
            (kind == BAR, "c", "e"),
            (kind == BAR, "d", "e"),
        )
        for chosen, price_column, size_column in columns:
            if not chosen.any():
                continue
            found = rows[chosen] if not chosen.all() else rows
            self._check_column(found, found[price_column], found[size_column])

    def _check_column(self, rows: Rows, prices: Prices, sizes: Prices) -> None:
        limits = self._price_max[rows["product"]]
        bad = (prices > limits) | (sizes < 0) | ((prices <= 0) & ((sizes > 0) | (rows["kind"] != QUOTE)))
        for index, symbol in enumerate(self._symbols):
            if not self._seen_price[index]:
                self._first_price(index, symbol, prices[(rows["product"] == index) & (prices > 0)])
        if bool(bad.any()):
            row = rows[bad][0]
            raise MarketDataError(
                f"{self._name}: {self._symbols[row['product']]} at {iso(int(row['ts']))} has a price or size that "
                f"cannot be ({prices[bad][0]} ticks, {sizes[bad][0]} lots; at most {limits[bad][0]} ticks)"
            )

    def _first_price(self, index: int, symbol: str, prices: Prices) -> None:
        if len(prices) == 0:
            return
        self._seen_price[index] = True
        if int(prices[0]) * HEADROOM > int(self._price_max[index]):
            raise ConfigError(
                f"{symbol}: max_quantity is too large for exact 64-bit money at a price of {prices[0]} ticks "
                f"(at most {int(self._price_max[index]) // HEADROOM}); lower max_quantity"
            )
