"""Did the strategy look at all? Counts closed bars and tells once an hour; a single bar is no event."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.events import BarsSeen
from gpt_trader.core.values import Bar

__all__ = ["BarCounter", "hour_end_ns"]

HOUR_NS: Final = 3600 * NS


def hour_end_ns(close_ns: int) -> int:
    """End of the UTC hour that a bar belongs to; one that closes with the hour belongs to it."""
    return -(-close_ns // HOUR_NS) * HOUR_NS


class BarCounter:
    """The bars of one symbol."""

    def __init__(self, bus: EventBus, clock: Clock, strategy: str) -> None:
        self._bus = bus
        self._clock = clock
        self._strategy = strategy
        self._bars = 0
        self._history = 0
        self._first: Bar | None = None
        self._last: Bar | None = None
        self._hour_end_ns = 0

    def add(self, bar: Bar) -> None:
        """Count a bar as the strategy got it; the first bar of a new UTC hour tells of those before."""
        if bar.close_ns > self._hour_end_ns:
            self._begin_hour(bar, self._clock.now_ns())
        self._last = bar
        self._bars += 1
        if bar.history:
            self._history += 1

    def add_many(self, first: Bar, last: Bar, count: int) -> None:
        """Count bars of one hour, none of them history, told of ahead of their time: the hour before ends with the
        close of the first."""
        if first.close_ns > self._hour_end_ns:
            self._begin_hour(first, first.close_ns)
        self._last = last
        self._bars += count

    def _begin_hour(self, bar: Bar, now_ns: int) -> None:
        self._tell(now_ns)
        self._first = bar
        self._hour_end_ns = hour_end_ns(bar.close_ns)

    def tell(self) -> None:
        """Write down what was counted since the last time; nothing when no bar closed."""
        self._tell(self._clock.now_ns())

    def _tell(self, now_ns: int) -> None:
        first, last = self._first, self._last
        if first is None or last is None:
            return
        self._bus.publish(
            BarsSeen(
                at_ns=now_ns,
                symbol=last.symbol,
                strategy=self._strategy,
                bars=self._bars,
                history=self._history,
                first_close_ns=first.close_ns,
                last_close_ns=last.close_ns,
                last_close=Decimal(repr(last.close)),
            )
        )
        self._bars = self._history = 0
        self._first = self._last = None
