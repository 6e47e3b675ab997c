"""What has been traded? Candles, the last trades and the last day of every product, kept as rows come by."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ZERO, ProductSpec
from gpt_trader.market.rows import BAR, TRADE
from gpt_trader.market.stream import Rows

__all__ = ["Candle", "Day", "MarketHistory", "Trade"]

MINUTE_NS: Final = 60 * NS
TRADES_MAX: Final = 1000
MINUTES_MAX: Final = 31 * 1440
"""Candles are kept for so many minutes in which something was traded."""
DAY_MINUTES: Final = 1440
FIRST_TRADE_ID: Final = 1_000_000


class Trade(NamedTuple):
    """One trade of the market; `side` is the aggressor's: above zero a buy, below zero a sell, 0 unknown."""

    trade_id: int
    at_ns: int
    price: Decimal
    quantity: Decimal
    side: int


class Candle(NamedTuple):
    """Prices in the quote currency, volume in base units."""

    start_seconds: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Day(NamedTuple):
    """The last 24 hours."""

    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal


class _Tape:
    """One product, in ticks and lots: minute -> [open, high, low, close, volume]."""

    def __init__(self, spec: ProductSpec) -> None:
        self.spec = spec
        self.minutes: dict[int, list[int]] = {}
        self.trades: deque[Trade] = deque(maxlen=TRADES_MAX)
        self.trade_id = FIRST_TRADE_ID
        self.day_of = -1
        self.day: list[int] | None = None
        """Sum of the closed minutes of the day before `day_of`."""

    def add_trades(self, rows: Rows) -> list[Trade]:
        minutes = rows["ts"] // MINUTE_NS
        starts = np.concatenate(([0], np.flatnonzero(np.diff(minutes)) + 1))
        highs, lows = np.maximum.reduceat(rows["a"], starts), np.minimum.reduceat(rows["a"], starts)
        volumes = np.add.reduceat(rows["b"], starts)
        ends = np.append(starts[1:], len(rows)) - 1
        for place, start in enumerate(starts.tolist()):
            first, last = int(rows["a"][start]), int(rows["a"][ends[place]])
            self._add(int(minutes[start]), first, int(highs[place]), int(lows[place]), last, int(volumes[place]))
        self.trade_id += max(0, len(rows) - TRADES_MAX)
        found = [self._trade(row) for row in rows[-TRADES_MAX:]]
        self.trades.extend(found)
        return found

    def add_bar(self, row: np.void, bar_ns: int) -> None:
        """A bar of a recording; longer than a minute it stands in its first one."""
        minute = (int(row["ts"]) - bar_ns) // MINUTE_NS
        self._add(minute, int(row["a"]), int(row["b"]), int(row["c"]), int(row["d"]), int(row["e"]))

    def _trade(self, row: np.void) -> Trade:
        self.trade_id += 1
        price, quantity = int(row["a"]) * self.spec.tick, int(row["b"]) * self.spec.lot
        return Trade(self.trade_id, int(row["ts"]), price, quantity, int(row["side"]))

    def _add(self, minute: int, o: int, high: int, low: int, close: int, volume: int) -> None:
        known = self.minutes.get(minute)
        if known is None:
            self.minutes[minute] = [o, high, low, close, volume]
            if len(self.minutes) > MINUTES_MAX:
                del self.minutes[next(iter(self.minutes))]
            return
        known[1] = max(known[1], high)
        known[2] = min(known[2], low)
        known[3] = close
        known[4] += volume

    def sum_of(self, after: int, before: int) -> list[int] | None:
        """All minutes between the two as one; None when there are none."""
        found: list[list[int]] = []
        for minute, values in reversed(self.minutes.items()):
            if minute <= after:
                break
            if minute < before:
                found.append(values)
        if not found:
            return None
        highest, lowest = max(values[1] for values in found), min(values[2] for values in found)
        return [found[-1][0], highest, lowest, found[0][3], sum(values[4] for values in found)]

    def candle(self, start_seconds: int, minutes: list[list[int]]) -> Candle:
        tick, lot = self.spec.tick, self.spec.lot
        return Candle(
            start_seconds,
            minutes[0][0] * tick,
            max(minute[1] for minute in minutes) * tick,
            min(minute[2] for minute in minutes) * tick,
            minutes[-1][3] * tick,
            sum(minute[4] for minute in minutes) * lot,
        )


class MarketHistory:
    """By symbol. Times are the market's."""

    def __init__(self, products: tuple[ProductSpec, ...], bar_seconds: int) -> None:
        self._tapes = [_Tape(spec) for spec in products]
        self._by_symbol = {tape.spec.symbol: tape for tape in self._tapes}
        self._bar_ns = bar_seconds * NS

    def add(self, rows: Rows) -> dict[str, list[Trade]]:
        """Take rows in; returns the trades among them by symbol (at most the last thousand of each)."""
        found: dict[str, list[Trade]] = {}
        traded = rows[rows["kind"] == TRADE]
        for product in np.unique(traded["product"]).tolist():
            tape = self._tapes[product]
            found[tape.spec.symbol] = tape.add_trades(traded[traded["product"] == product])
        for row in rows[rows["kind"] == BAR]:
            self._tapes[int(row["product"])].add_bar(row, self._bar_ns)
        return found

    def trades(self, symbol: str, limit: int) -> list[Trade]:
        """The last trades, newest first."""
        tape = self._by_symbol[symbol]
        return [tape.trades[-place] for place in range(1, min(limit, len(tape.trades)) + 1)]

    def candles(self, symbol: str, seconds: int, start_seconds: int, end_seconds: int, limit: int) -> list[Candle]:
        """Candles whose start lies from `start_seconds` to `end_seconds`, newest first; empty ones are left out."""
        tape = self._by_symbol[symbol]
        step = seconds // 60
        groups: dict[int, list[list[int]]] = {}
        for minute, values in reversed(tape.minutes.items()):
            start = minute // step * seconds
            if start < start_seconds or len(groups) > limit:
                break
            if start <= end_seconds:
                groups.setdefault(start, []).append(values)
        return [tape.candle(start, found[::-1]) for start, found in list(groups.items())[:limit]]

    def day(self, symbol: str, now_ns: int) -> Day | None:
        """The 24 hours before `now_ns`; None when nothing was traded in them."""
        tape = self._by_symbol[symbol]
        minute = now_ns // MINUTE_NS
        if tape.day_of != minute:  # what is closed is added up once a minute
            tape.day_of = minute
            tape.day = tape.sum_of(minute - DAY_MINUTES, minute)
        forming = tape.minutes.get(minute)
        parts = [part for part in (tape.day, forming) if part is not None]
        if not parts:
            return None
        whole = tape.candle(0, parts)
        return Day(whole.open, whole.high, whole.low, whole.volume or ZERO)
