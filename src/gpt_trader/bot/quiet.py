"""What if nothing happens for a while? Many closed bars at once, where only strategies and figures look at them.

A backtest on bars would spend most of its time on stopping at bars that change nothing. While the guards are quiet
between two marks, no order lives and no timer is due, the bars to come are shown to the strategies one after another;
the first of them that wants something, or leaves the quiet band, is told at its own time like any other. The log of the
run is the same, byte for byte, as that of stopping at each bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bot.bars_seen import BarCounter
from gpt_trader.core.values import ZERO, Bar
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.market.statistics import BarStatistics
from gpt_trader.market.view import BarsAhead, MarketView
from gpt_trader.records.ledger import GRAIN, EquityTracker, Ledger
from gpt_trader.strategies.base import Signal, StopMove, Strategy

__all__ = ["Band", "Decision", "NotAsked", "QuietStretch"]

Band = tuple[float, float]
"""Marks strictly between which the guards need not look."""
Decision = Signal | StopMove | Exception | None
"""What a strategy answered, or what it raised."""
EXACT_MAX: Final = 1 << 62


class NotAsked:
    """The strategy has not seen this bar."""


NOT_ASKED: Final = NotAsked()


class QuietStretch:
    """Asks strategies ahead of the clock, and remembers what they wanted until it is time."""

    def __init__(
        self,
        *,
        market: MarketView,
        ledger: Ledger,
        equity: EquityTracker,
        stops: StopTriggerManager,
        strategies: Mapping[str, Strategy],
        statistics: Mapping[str, BarStatistics],
        counters: Mapping[str, BarCounter],
        last_bars: dict[str, Bar],
    ) -> None:
        self._market = market
        self._ledger = ledger
        self._equity = equity
        self._stops = stops
        self._strategies = strategies
        self._statistics = statistics
        self._counters = counters
        self._last_bars = last_bars
        self._decided: dict[str, tuple[int, Decision]] = {}
        self._to_sample: BarsAhead | None = None

    def decision(self, bar: Bar) -> Decision | NotAsked:
        """What the strategy wanted at this bar, if it was asked ahead; taken once."""
        found = self._decided.pop(bar.symbol, None)
        if found is None:
            return NOT_ASKED
        assert found[0] == bar.close_ns, "the bar after a quiet stretch is the one that was looked at"
        return found[1]

    def look(self, ahead: BarsAhead, bands: Mapping[str, Band]) -> int:
        """How many of these bars change nothing but figures; these are taken in. Bars of one moment stay together."""
        if self._decided or not self._may_look(ahead, bands):
            return 0
        count = _within_bands(ahead, bands)
        if count == 0 or (ahead.marks_later and not self._whole_moments(ahead)):
            return 0
        change = self._equity_change(ahead)
        if change is None:
            return 0
        count = self._ask(ahead, count)
        if count:
            self._take_in(ahead, count, change)
        return count

    def _may_look(self, ahead: BarsAhead, bands: Mapping[str, Band]) -> bool:
        first_ns = int(ahead.close_ns[0])
        return all(
            symbol in bands
            and symbol in self._strategies
            and not self._stops.watches(symbol)
            and self._counters[symbol].hour_goes_on(first_ns)
            for symbol in ahead.symbols
        )

    def _ask(self, ahead: BarsAhead, count: int) -> int:
        """Show the bars to their strategies up to the first answer; returns how many come before its moment."""
        symbols, bars = ahead.symbols, ahead.bars
        positions = [float(self._ledger.position(symbol).quantity) for symbol in symbols]
        ask = [self._strategies[symbol].decide for symbol in symbols]
        answer: Decision = None
        place = 0
        try:
            if len(symbols) == 1:
                decide, position = ask[0], positions[0]
                for bar in bars[:count]:
                    answer = decide(bar, position)
                    if answer is not None:
                        break
                    place += 1
            else:
                for bar, product in zip(bars[:count], ahead.products.tolist(), strict=False):
                    answer = ask[product](bar, positions[product])
                    if answer is not None:
                        break
                    place += 1
        except Exception as error:  # noqa: BLE001 - the bot loop's place: told when the bar is
            answer = error
        if answer is None:
            return self._cut(ahead, count)
        start = int(np.searchsorted(ahead.close_ns, ahead.close_ns[place]))
        for bar in bars[start:place]:
            self._decided[bar.symbol] = (bar.close_ns, None)
        self._decided[bars[place].symbol] = (bars[place].close_ns, answer)
        return start

    def _cut(self, ahead: BarsAhead, count: int) -> int:
        """All of `count` bars wanted nothing; those of a moment that goes on after them wait for it."""
        if count == len(ahead.bars) or ahead.close_ns[count] != ahead.close_ns[count - 1]:
            return count
        start = int(np.searchsorted(ahead.close_ns, ahead.close_ns[count]))
        for bar in ahead.bars[start:count]:
            self._decided[bar.symbol] = (bar.close_ns, None)
        return start

    def _equity_change(self, ahead: BarsAhead) -> NDArray[np.int64] | None:
        """Value in GRAIN of one tick of each product for what is held; None where that is no whole number."""
        values = np.zeros(len(ahead.symbols), np.int64)
        for place, symbol in enumerate(ahead.symbols):
            quantity = self._ledger.position(symbol).quantity
            value = quantity * ahead.ticks[place] / GRAIN
            most = int(ahead.close_ticks.max()) * abs(value)
            if ahead.marks_later:
                continue
            if quantity and (not ahead.marks_follow or value != int(value) or most > EXACT_MAX):
                return None
            values[place] = int(value)
        return values

    def _take_in(self, ahead: BarsAhead, count: int, values: NDArray[np.int64]) -> None:
        bars, symbols = ahead.bars[:count], ahead.symbols
        if len(symbols) == 1:
            self._take_in_one(symbols[0], bars)
        else:
            for place, symbol in enumerate(symbols):
                own = [bars[each] for each in np.flatnonzero(ahead.products[:count] == place).tolist()]
                if own:
                    self._take_in_one(symbol, own)
        if ahead.marks_later:
            self._to_sample = ahead.part(0, count)
        else:
            self._sample(ahead, count, values)

    def _take_in_one(self, symbol: str, bars: Sequence[Bar]) -> None:
        self._last_bars[symbol] = bars[-1]
        self._statistics[symbol].add_many(bars)
        self._counters[symbol].add_many(bars)

    def _sample(self, ahead: BarsAhead, count: int, values: NDArray[np.int64]) -> None:
        """Equity at every moment at which bars closed: it moves by the ticks of what is held."""
        marks: dict[str, Decimal] = {}
        for symbol, position in self._ledger.positions().items():
            mark = self._market.mark(symbol)
            if mark is None:
                return  # without a mark for everything held there is no equity
            marks[symbol] = mark.price
            del position
        worth = int((self._ledger.equity(marks) - self._ledger.transfers) / GRAIN)
        moved = np.zeros(count, np.int64)
        for place, symbol in enumerate(ahead.symbols):
            if values[place]:
                own = np.flatnonzero(ahead.products[:count] == place)
                before = int(marks.get(symbol, ZERO) / ahead.ticks[place])
                moved[own] = np.diff(ahead.close_ticks[own], prepend=before) * values[place]
        ends = np.flatnonzero(np.diff(ahead.close_ns[:count], append=-1))
        self._equity.sample_many(int(ahead.close_ns[count - 1]), worth + np.cumsum(moved)[ends])

    # --- where marks are known when the bars have passed -----------------------------------------------------------
    def _whole_moments(self, ahead: BarsAhead) -> bool:
        """Everything that is held has a bar at every moment, and so a mark."""
        moments = np.count_nonzero(np.diff(ahead.close_ns, append=-1))
        return all(np.count_nonzero(ahead.products == place) == moments for place, _ in self._held(ahead))

    def _held(self, ahead: BarsAhead) -> list[tuple[int, Decimal]]:
        """Place and quantity of what is held."""
        quantities = [self._ledger.position(symbol).quantity for symbol in ahead.symbols]
        return [(place, quantity) for place, quantity in enumerate(quantities) if quantity]

    def passed(self, marks: NDArray[np.int64]) -> None:
        """Equity at every moment of the bars that have passed, by the marks of then."""
        ahead, self._to_sample = self._to_sample, None
        assert ahead is not None, "bars were looked at before they passed"
        held = self._held(ahead)
        paths = {ahead.symbols[place]: marks[ahead.products == place] for place, _ in held}
        changes = [_value_path(paths[ahead.symbols[place]], quantity) for place, quantity in held]
        now_ns = int(ahead.close_ns[-1])
        if any(change is None for change in changes):
            self._sample_each(ahead, paths)
            return
        first = self._ledger.equity({symbol: int(path[0]) * GRAIN for symbol, path in paths.items()})
        moments = np.count_nonzero(np.diff(ahead.close_ns, append=-1))
        worth = np.full(moments, int((first - self._ledger.transfers) / GRAIN), np.int64)
        for change in changes:
            if change is not None:
                worth += change - change[0]
        self._equity.sample_many(now_ns, worth)

    def _sample_each(self, ahead: BarsAhead, paths: Mapping[str, NDArray[np.int64]]) -> None:
        """One after another, in Decimal."""
        times = ahead.close_ns[np.flatnonzero(np.diff(ahead.close_ns, append=-1))]
        for moment, at_ns in enumerate(times.tolist()):
            marks = {symbol: int(path[moment]) * GRAIN for symbol, path in paths.items()}
            if all(marks.values()):  # without a mark for everything held there is no equity
                self._equity.sample(at_ns, self._ledger.equity(marks), self._ledger.transfers)


def _value_path(marks: NDArray[np.int64], quantity: Decimal) -> NDArray[np.int64] | None:
    """Value of a position in GRAIN along its marks; None where that is no whole number, or a mark is missing."""
    above, below = quantity.as_integer_ratio()
    if not marks.all() or int(marks.max()) * abs(above) > EXACT_MAX or (marks * above % below).any():
        return None
    return marks * above // below


def _within_bands(ahead: BarsAhead, bands: Mapping[str, Band]) -> int:
    """Bars before the first that leaves its band."""
    low = np.array([bands[symbol][0] for symbol in ahead.symbols])
    high = np.array([bands[symbol][1] for symbol in ahead.symbols])
    if len(ahead.symbols) > 1:
        low, high = low[ahead.products], high[ahead.products]
    leaves = (ahead.low <= low) | (ahead.high >= high)
    return int(leaves.argmax()) if leaves.any() else len(ahead.bars)
