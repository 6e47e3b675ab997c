"""What does a market look like from afar? Prices and volume in a bounded number of equal steps of time, for plots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.values import ProductSpec
from gpt_trader.market.rows import BAR, QUOTE, TRADE
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["STEPS", "ProductSketch", "sketch_market"]

STEPS: Final = 1200
"""More than a plot has pixels for."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64] | Floats


@dataclass(frozen=True)
class ProductSketch:
    """One product; steps without a price are NaN."""

    symbol: str
    times: NDArray[np.datetime64]
    """Beginning of each step, UTC."""
    low: Floats
    high: Floats
    last: Floats
    volume: Floats
    """Base units."""


def sketch_market(
    stream: MarketStream, *, steps: int = STEPS, tell: Callable[[int], None] | None = None
) -> tuple[ProductSketch, ...]:
    """Read the market once. Prices are those of bars and trades; of quotes their middle."""
    canvases = [_Canvas(product, stream.start_ns, stream.end_ns, steps) for product in stream.products]
    for chunk in stream.chunks():
        for number, canvas in enumerate(canvases):
            canvas.add(chunk if len(canvases) == 1 else chunk[chunk["product"] == number])
        if tell and len(chunk):
            tell(int(chunk["ts"][-1]))
    return tuple(canvas.sketch() for canvas in canvases)


class _Canvas:
    def __init__(self, product: ProductSpec, start_ns: int, end_ns: int, steps: int) -> None:
        self._product = product
        self._start_ns = start_ns
        self._step_ns = max(1, -(-(end_ns - start_ns + 1) // steps))
        self._low, self._high = np.full(steps, np.inf), np.full(steps, -np.inf)
        self._last, self._volume = np.full(steps, np.nan), np.zeros(steps)

    def add(self, rows: Rows) -> None:
        kind = rows["kind"]
        bars, trades, quotes = (rows[kind == each] for each in (BAR, TRADE, QUOTE))
        # a bar is stamped with its close, so it belongs to the step just before
        self._draw(bars["ts"] - 1, bars["c"], bars["b"], bars["d"], bars["e"])
        self._draw(trades["ts"], trades["a"], trades["a"], trades["a"], trades["b"])
        middle = (quotes["a"] + quotes["c"]) / 2
        self._draw(quotes["ts"], middle, middle, middle, np.zeros(len(quotes)))

    def _draw(self, times: NDArray[np.int64], low: Numbers, high: Numbers, last: Numbers, volume: Numbers) -> None:
        if not len(times):
            return
        at = np.clip((times - self._start_ns) // self._step_ns, 0, len(self._low) - 1)
        np.minimum.at(self._low, at, low)
        np.maximum.at(self._high, at, high)
        np.add.at(self._volume, at, volume)
        self._last[at] = last  # where a step has several, the last one stays

    def sketch(self) -> ProductSketch:
        known = np.isfinite(self._last)
        tick, lot = float(self._product.tick), float(self._product.lot)
        starts = self._start_ns + self._step_ns * np.arange(len(self._low), dtype=np.int64)
        return ProductSketch(
            symbol=self._product.symbol,
            times=starts.astype("M8[ns]"),
            low=np.where(known, self._low, np.nan) * tick,
            high=np.where(known, self._high, np.nan) * tick,
            last=self._last * tick,
            volume=self._volume * lot,
        )
