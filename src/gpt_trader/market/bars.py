"""When does a bar close, and what is in it? The rules of every bar in the house, and the aggregator of live feeds.

1. A bar of L seconds holds the trades of [k*L, (k+1)*L), counted from the epoch, UTC: a trade on the boundary opens the
   next bar. Its `close_ns` is (k+1)*L.
2. It closes by the clock, `grace_seconds` after `close_ns`, whether or not a trade follows. A simulated venue needs no
   grace, since nothing is late there.
3. A bar without trades carries the close: open, high, low and close are the close before, volume is zero. Nothing is
   made before the first trade ever seen.
4. The first bar is dropped when watching began after its open: it is partial. Its last price is still carried.
5. A trade for a bar that is already closed is late: it is counted and changes nothing.

The kernel of the simulated venue keeps the same rules inside (grace zero).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.values import Bar

__all__ = ["BarAggregator"]

AHEAD_BARS_MAX: Final = 3
"""A trade stamped further ahead of the bar that is open is not believed: the clocks disagree."""


@dataclass
class _Forming:
    open: float
    high: float
    low: float
    close: float
    volume: float

    def take(self, price: float, quantity: float) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += quantity


class BarAggregator:
    """Trades of one symbol in, closed bars out."""

    def __init__(self, symbol: str, bar_seconds: int, *, start_ns: int, grace_seconds: float = 0.0) -> None:
        """Watching begins at `start_ns`."""
        if bar_seconds <= 0 or grace_seconds < 0:
            raise ValueError(f"bar_seconds={bar_seconds} must be above zero, grace_seconds={grace_seconds} not below")
        self._symbol = symbol
        self._bar_ns = bar_seconds * NS
        self._grace_ns = round(grace_seconds * NS)
        self._number = start_ns // self._bar_ns  # of the bar that closes next
        self._partial = self._number if start_ns % self._bar_ns else None
        self._forming: dict[int, _Forming] = {}
        self._last_close: float | None = None
        self.late_trades = 0
        self.early_trades = 0
        """Stamped more than AHEAD_BARS_MAX bars ahead; left out."""

    @property
    def due_ns(self) -> int:
        """When the next bar is to be closed: set a timer for it."""
        return (self._number + 1) * self._bar_ns + self._grace_ns

    def trade(self, trade_ns: int, price: float, quantity: float) -> None:
        """One trade, at the venue's time. Price in the quote currency, quantity in base units."""
        number = trade_ns // self._bar_ns
        if number < self._number:
            self.late_trades += 1
        elif number > self._number + AHEAD_BARS_MAX:
            self.early_trades += 1
        elif number in self._forming:
            self._forming[number].take(price, quantity)
        else:
            self._forming[number] = _Forming(price, price, price, price, quantity)

    def advance(self, now_ns: int) -> list[Bar]:
        """The bars that are due by `now_ns`, oldest first."""
        closed = []
        while self.due_ns <= now_ns:
            if not self._forming and self._last_close is None:
                self._number = (now_ns - self._grace_ns) // self._bar_ns  # nothing traded yet: nothing to carry
                break
            bar = self._close()
            if bar is not None:
                closed.append(bar)
        return closed

    def _close(self) -> Bar | None:
        number, self._number = self._number, self._number + 1
        made = self._forming.pop(number, None)
        if made is None:
            if self._last_close is None:
                return None
            made = _Forming(self._last_close, self._last_close, self._last_close, self._last_close, 0.0)
        self._last_close = made.close
        if number == self._partial:
            return None
        return Bar(self._symbol, self._number * self._bar_ns, made.open, made.high, made.low, made.close, made.volume)
