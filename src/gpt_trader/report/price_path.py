"""Where did the price go? High, low and last of every bar, gathered as the market is read, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.recording import RecordedMarket
from gpt_trader.market.rows import BAR, QUOTE, TRADE
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["POINTS_MAX", "PricePath", "SymbolPrices", "read_prices", "watched"]

POINTS_MAX: Final = 1 << 19
"""Longer markets are sampled every second, third, ... bar: a year of minutes fits."""

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True)
class SymbolPrices:
    """One product; NaN before its first price, carried where a bar has none."""

    symbol: str
    times_ns: Times
    """Close of each bar."""
    high: Floats
    low: Floats
    last: Floats


class PricePath:
    """Prices of every product on one grid of bar closes. Chunks may be added again: the result is the same."""

    def __init__(self, products: Sequence[ProductSpec], start_ns: int, end_ns: int, bar_seconds: int) -> None:
        bar_ns = bar_seconds * NS
        bars = max(1, -(-(end_ns - start_ns) // bar_ns))
        self.bars_a_step = -(-bars // POINTS_MAX)
        """Above 1 only where the market is longer than POINTS_MAX bars."""
        self._step_ns = bar_ns * self.bars_a_step
        self._first = start_ns // self._step_ns
        count = -(-end_ns // self._step_ns) - self._first
        self.times_ns: Times = (self._first + 1 + np.arange(count, dtype=np.int64)) * self._step_ns
        self.times_ns[-1] = min(int(self.times_ns[-1]), end_ns)
        self._ticks = {product.symbol: float(product.tick) for product in products}
        self._high = np.full((len(products), count), -np.inf)
        self._low = np.full((len(products), count), np.inf)
        self._last = np.full((len(products), count), np.nan)

    def add(self, rows: Rows) -> None:
        """The next rows of the market."""
        kind = rows["kind"]
        bars, trades, quotes = (rows[kind == each] for each in (BAR, TRADE, QUOTE))
        middle = (quotes["a"] + quotes["c"]) / 2
        self._take(quotes["product"], quotes["ts"], middle, middle, middle)
        self._take(trades["product"], trades["ts"], trades["a"], trades["a"], trades["a"])
        # a bar is stamped with its close, so it belongs to the step just before
        self._take(bars["product"], bars["ts"] - 1, bars["b"], bars["c"], bars["d"])

    def _take(
        self, product: Times, at_ns: Times, high: Times | Floats, low: Times | Floats, last: Times | Floats
    ) -> None:
        if not len(at_ns):
            return
        step = np.clip(at_ns // self._step_ns - self._first, 0, len(self.times_ns) - 1)
        np.maximum.at(self._high, (product, step), high)
        np.minimum.at(self._low, (product, step), low)
        self._last[product, step] = last  # where a step has several, the last one stays

    def symbols(self) -> list[SymbolPrices]:
        """In the order of the products."""
        return [self._symbol(number, symbol, tick) for number, (symbol, tick) in enumerate(self._ticks.items())]

    def _symbol(self, number: int, symbol: str, tick: float) -> SymbolPrices:
        last = self._last[number]
        known = np.isfinite(last)
        at = np.maximum.accumulate(np.where(known, np.arange(len(last)), 0))
        carried = last[at]
        return SymbolPrices(
            symbol=symbol,
            times_ns=self.times_ns,
            high=np.where(known, self._high[number], carried) * tick,
            low=np.where(known, self._low[number], carried) * tick,
            last=carried * tick,
        )


def watched(stream: MarketStream) -> tuple[MarketStream, PricePath]:
    """The same market, whose prices are noted down while somebody else reads it, a chunk at a time."""
    path = PricePath(stream.products, stream.start_ns, stream.end_ns, stream.bar_seconds)

    def read() -> Iterator[Rows]:
        for chunk in stream.chunks():
            path.add(chunk)
            yield chunk

    same = RecordedMarket(
        name=stream.name,
        digest=stream.digest,
        products=stream.products,
        start_ns=stream.start_ns,
        end_ns=stream.end_ns,
        bar_seconds=stream.bar_seconds,
        modelled_book=stream.modelled_book,
        notes=stream.notes,
        read=read,
    )
    return same, path


def read_prices(stream: MarketStream) -> PricePath:
    """Read the whole market for its prices alone."""
    same, path = watched(stream)
    for _ in same.chunks():
        pass
    return path
