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

from gpt_trader.bot.bars_seen import BarCounter, hour_end_ns
from gpt_trader.bot.foresight import Foresight, foresee
from gpt_trader.core.values import ZERO, Bar
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.market.statistics import BarStatistics
from gpt_trader.market.view import BarsAhead, BarWindow, Ints, MarketView
from gpt_trader.records.ledger import GRAIN, EquityTracker, Ledger
from gpt_trader.risk.quiet_bands import Band
from gpt_trader.strategies.base import Signal, StopMove, Strategy

__all__ = ["Decision", "NotAsked", "QuietStretch"]

Decision = Signal | StopMove | Exception | None
"""What a strategy answered, or what it raised."""
EXACT_MAX: Final = 1 << 62
FEW: Final = 100
"""Fewer bars than this are added up faster one by one than by calling numpy."""


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
        self._window: BarWindow | None = None
        self._foresights: list[Foresight] | None = None
        """What the strategies foresee in that window; None where one of them must see every bar."""
        self._place = 0
        """Place in it of the bar that is asked about."""

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
        end = self._ask(ahead.window, ahead.start, _within_hour(ahead, ahead.start + count))
        passed = ahead.first(end - ahead.start)
        if len(passed):
            self._take_in(passed, change)
        return len(passed)

    def _may_look(self, ahead: BarsAhead, bands: Mapping[str, Band]) -> bool:
        return all(
            symbol in bands and symbol in self._strategies and not self._stops.watches(symbol)
            for symbol in ahead.symbols
        )

    # --- what strategies say ----------------------------------------------------------------------------------------
    def _ask(self, window: BarWindow, start: int, end: int) -> int:
        """Ask the strategies about bars up to the first answer; returns the place up to which there is none, where a
        moment ends."""
        self._place = start
        try:
            answer: Decision = self._first_answer(window, start, end)
        except Exception as error:  # noqa: BLE001 - the bot loop's place: told when the bar is
            answer = error
            self._foresights = None  # where the strategy stands now, nobody foresaw
        whole = _moment(window, start, self._place)
        for bar in map(window.bar, range(whole, self._place)):
            self._decided[bar.symbol] = (bar.close_ns, None)
        if answer is not None:
            bar = window.bar(self._place)
            self._decided[bar.symbol] = (bar.close_ns, answer)
        return whole

    def _first_answer(self, window: BarWindow, start: int, end: int) -> Signal | StopMove | None:
        """What the first strategy says that wants something, at `self._place`; all have then seen the bars before."""
        if window is not self._window:
            self._window, self._foresights = window, None
            self._foresights = foresee(window, start, self._strategies)
        if self._foresights is None:
            return self._ask_each(window, start, end)
        for each in self._foresights:
            each.goes_on(start)
        try:
            return self._ask_where_named(window, self._foresights, end)
        finally:
            for each in self._foresights:
                each.pass_to(self._place)

    def _ask_where_named(self, window: BarWindow, foresights: list[Foresight], end: int) -> Signal | StopMove | None:
        """Only at bars at which a strategy said that it may want something."""
        place = self._place
        while (named := min([each.next_asked(place, end) for each in foresights])) < end:
            self._place, place = named, named + 1
            bar, foresight = window.bar(named), foresights[window.products[named]]
            foresight.pass_to(named)
            foresight.goes_on(place)
            answer = self._strategies[bar.symbol].decide(bar, self._position(bar.symbol))
            if answer is not None:
                return answer
        self._place = end
        return None

    def _ask_each(self, window: BarWindow, start: int, end: int) -> Signal | StopMove | None:
        """One bar after another."""
        symbols, bars = window.symbols, window.bars[start:end]
        positions = [self._position(symbol) for symbol in symbols]
        ask = [self._strategies[symbol].decide for symbol in symbols]
        answer: Signal | StopMove | None = None
        place = start
        try:
            if len(symbols) == 1:  # spelled out: this loop is where a backtest on bars spends its time
                decide, position = ask[0], positions[0]
                for bar in bars:
                    answer = decide(bar, position)
                    if answer is not None:
                        break
                    place += 1
            else:
                for bar, product in zip(bars, window.products[start:end].tolist(), strict=True):
                    answer = ask[product](bar, positions[product])
                    if answer is not None:
                        break
                    place += 1
        finally:
            self._place = place
        return answer

    def _position(self, symbol: str) -> float:
        return float(self._ledger.position(symbol).quantity)

    # --- what the bars change ---------------------------------------------------------------------------------------
    def _equity_change(self, ahead: BarsAhead) -> list[int] | None:
        """Value in GRAIN of one tick of each product for what is held; None where that is no whole number."""
        values = [0] * len(ahead.symbols)
        if ahead.marks_later:
            return values
        for place, symbol in enumerate(ahead.symbols):
            quantity = self._ledger.position(symbol).quantity
            if not quantity:
                continue
            value = quantity * ahead.window.ticks[place] / GRAIN
            values[place] = int(value)
            most = ahead.window.close_ticks_max * abs(values[place])
            if not ahead.marks_follow or value != values[place] or most > EXACT_MAX:
                return None
        return values

    def _take_in(self, passed: BarsAhead, values: Sequence[int]) -> None:
        window = passed.window
        if len(window.symbols) == 1:
            self._take_in_one(window, slice(passed.start, passed.end), passed.start, passed.end - 1)
        else:
            for product in range(len(window.symbols)):
                own = np.flatnonzero(passed.products == product) + passed.start
                if len(own):
                    self._take_in_one(window, own, int(own[0]), int(own[-1]))
        if passed.marks_later:
            self._to_sample = passed
        else:
            self._sample(passed, values)

    def _take_in_one(self, window: BarWindow, own: slice | Ints, first: int, last: int) -> None:
        """The bars of one symbol, by their places in the window."""
        symbol = window.symbols[window.products[first]]
        times, closes, volumes = window.close_ns[own].tolist(), window.close[own].tolist(), window.volume[own].tolist()
        self._last_bars[symbol] = window.bar(last)
        self._statistics[symbol].add_many(times, closes, volumes)
        self._counters[symbol].add_many(window.bar(first), self._last_bars[symbol], len(times))

    def _sample(self, passed: BarsAhead, values: Sequence[int]) -> None:
        """Equity at every moment at which bars closed: it moves by the ticks of what is held."""
        marks: dict[str, Decimal] = {}
        for symbol in self._ledger.positions():
            mark = self._market.mark(symbol)
            if mark is None:
                return  # without a mark for everything held there is no equity
            marks[symbol] = mark.price
        worth = int((self._ledger.equity(marks) - self._ledger.transfers) / GRAIN)
        last_ns = int(passed.window.close_ns[passed.end - 1])
        before = [
            int(marks.get(symbol, ZERO) / tick) if value else 0
            for symbol, tick, value in zip(passed.symbols, passed.window.ticks, values, strict=True)
        ]
        if len(values) == 1 and len(passed) < FEW:
            value, base = values[0], worth - before[0] * values[0]
            self._equity.sample_few(last_ns, [base + ticks * value for ticks in passed.close_ticks.tolist()])
            return
        moved = np.zeros(len(passed), np.int64)
        for place, value in enumerate(values):
            if value:
                own = np.flatnonzero(passed.products == place)
                moved[own] = np.diff(passed.close_ticks[own], prepend=before[place]) * value
        ends = np.flatnonzero(np.diff(passed.close_ns, append=-1))
        self._equity.sample_many(last_ns, worth + np.cumsum(moved)[ends])

    # --- where marks are known when the bars have passed -----------------------------------------------------------
    def _whole_moments(self, ahead: BarsAhead) -> bool:
        """Everything that is held has a bar at every moment, and so a mark."""
        moments = np.count_nonzero(np.diff(ahead.close_ns, append=-1))
        return all(np.count_nonzero(ahead.products == place) == moments for place, _ in self._held(ahead))

    def _held(self, ahead: BarsAhead) -> list[tuple[int, Decimal]]:
        """Place and quantity of what is held."""
        quantities = [self._ledger.position(symbol).quantity for symbol in ahead.symbols]
        return [(place, quantity) for place, quantity in enumerate(quantities) if quantity]

    def passed(self, marks: Ints) -> None:
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

    def _sample_each(self, ahead: BarsAhead, paths: Mapping[str, Ints]) -> None:
        """One after another, in Decimal."""
        times = ahead.close_ns[np.flatnonzero(np.diff(ahead.close_ns, append=-1))]
        for moment, at_ns in enumerate(times.tolist()):
            marks = {symbol: int(path[moment]) * GRAIN for symbol, path in paths.items()}
            if all(marks.values()):  # without a mark for everything held there is no equity
                self._equity.sample(at_ns, self._ledger.equity(marks), self._ledger.transfers)


def _value_path(marks: Ints, quantity: Decimal) -> Ints | None:
    """Value of a position in GRAIN along its marks; None where that is no whole number, or a mark is missing."""
    above, below = quantity.as_integer_ratio()
    if not marks.all() or int(marks.max()) * abs(above) > EXACT_MAX or (marks * above % below).any():
        return None
    return marks * above // below


def _within_bands(ahead: BarsAhead, bands: Mapping[str, Band]) -> int:
    """Bars before the first that leaves its band."""
    window = ahead.window
    own = [bands[symbol] for symbol in window.symbols]
    if all(band[0] < low and high < band[1] for band, (low, high) in zip(own, window.ranges, strict=True)):
        return len(ahead)
    low, high = (np.array([band[side] for band in own]) for side in (0, 1))
    if len(own) > 1:
        low, high = low[ahead.products], high[ahead.products]
    part = slice(ahead.start, ahead.end)
    leaves = (window.low[part] <= low) | (window.high[part] >= high)
    return int(leaves.argmax()) if leaves.any() else len(ahead)


def _within_hour(ahead: BarsAhead, end: int) -> int:
    """The place at which the hour of the first bar is over, at most `end`; counted bars are told by the hour."""
    times = ahead.window.close_ns
    over_ns = hour_end_ns(int(times[ahead.start]))
    if times[end - 1] <= over_ns:
        return end
    return ahead.start + int(np.searchsorted(times[ahead.start : end], over_ns, side="right"))


def _moment(window: BarWindow, start: int, end: int) -> int:
    """`end`, or where its moment began, if there are bars of one moment on both sides of it; not before `start`."""
    times = window.close_ns
    if end in (start, len(times)) or times[end] != times[end - 1]:
        return end
    return start + int(np.searchsorted(times[start:end], times[end]))
