"""Are live bars whole, in order and by the clock, whatever the connection did?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.builders import MINUTE_NS, D, a_product

from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.errors import VenueUnavailableError
from gpt_trader.core.values import Bar, ProductSpec
from gpt_trader.exchange.coinbase.frames import TradesEvent
from gpt_trader.exchange.coinbase.live_bars import LiveBars
from gpt_trader.exchange.coinbase.replies import Trade
from gpt_trader.market.fetching import FetchedBar

PRODUCT = a_product()
BAR_NS = 60 * NS


class Candles:
    """What the venue keeps: a close for each minute that is named."""

    def __init__(self, **closes: str) -> None:
        self.closes = {int(name.removeprefix("m")): D(close) for name, close in closes.items()}
        self.broken = False

    async def bars(self, spec: ProductSpec, seconds: int, from_ns: int, to_ns: int) -> AsyncIterator[FetchedBar]:
        if self.broken:
            raise VenueUnavailableError("503")
        for minute, close in sorted(self.closes.items()):
            open_ns = MINUTE_NS + minute * BAR_NS
            if from_ns <= open_ns and open_ns + BAR_NS <= to_ns:
                yield FetchedBar(open_ns=open_ns, open=close, high=close, low=close, close=close, volume=D(1))


class Watch:
    """Bars of one product, begun 10 s into minute 0."""

    def __init__(self, candles: Candles, *, bar_seconds: int = 60) -> None:
        self.clock = ManualClock(MINUTE_NS + 10 * NS)
        self.told: list[Bar] = []
        history: Any = candles
        self.bars = LiveBars(clock=self.clock, bar_seconds=bar_seconds, history=history, tell=self.told.append)
        asyncio.run(self.bars.follow([PRODUCT]))
        self.told.clear()
        self.bars.up()

    def trade(self, number: int, at_seconds: float, price: int, kind: str = "update") -> None:
        trade = Trade(
            trade_id=str(number),
            product_id=PRODUCT.venue_symbol,
            price=str(price),
            size="2",
            time=_stamp(MINUTE_NS + round(at_seconds * NS)),
            side="SELL",
        )
        self.bars.hear(TradesEvent(type=kind, trades=[trade]))

    def at(self, seconds: float) -> list[tuple[int, float, float, bool]]:
        """Minute, close, volume and whether it is history, of the bars told by then."""
        self.clock.advance(seconds - (self.clock.now_ns() - MINUTE_NS) / NS)
        due_ns = (self.clock.now_ns() - NS // 2) // (self.bars._bar_ns) * self.bars._bar_ns
        asyncio.run(self.bars._close_up_to(due_ns))
        found = [((bar.close_ns - MINUTE_NS) // BAR_NS, bar.close, bar.volume, bar.history) for bar in self.told]
        self.told.clear()
        return found


def _stamp(at_ns: int) -> str:
    from gpt_trader.core.clock import iso

    return iso(at_ns)


def test_a_bar_closes_by_the_clock_with_what_was_traded() -> None:
    """Contracts are base units in it."""
    watch = Watch(Candles(m0="100"))
    assert watch.at(61) == [(1, 100.0, 1.0, True)], "the minute that had begun comes from the venue"
    watch.trade(1, 70, 200)
    watch.trade(2, 80, 210)
    assert watch.at(119) == []
    assert watch.at(121) == [(2, 210.0, 0.04, False)]


def test_a_minute_without_a_trade_carries_the_close() -> None:
    """With no volume."""
    watch = Watch(Candles(m0="100"))
    watch.at(61)
    assert watch.at(121) == [(2, 100.0, 0.0, False)]


def test_a_trade_that_is_told_twice_counts_once() -> None:
    """A new connection begins with trades of before."""
    watch = Watch(Candles(m0="100"))
    watch.at(61)
    for _ in range(3):
        watch.trade(1, 70, 200)
    assert watch.at(121) == [(2, 200.0, 0.02, False)]


def test_a_bar_with_a_hole_comes_from_the_venue_as_history() -> None:
    """Trades may have been missed: nothing is decided on it."""
    candles = Candles(m0="100")
    watch = Watch(candles)
    watch.at(61)
    watch.trade(1, 70, 200)
    watch.bars.lost()
    watch.clock.advance(30)
    watch.bars.up()
    candles.closes[1] = D(222)
    assert watch.at(121) == [(2, 222.0, 1.0, True)]
    watch.trade(2, 125, 230)
    assert watch.at(181) == [(3, 230.0, 0.02, False)], "the next one is whole again"


def test_without_candles_what_was_heard_is_told_as_history() -> None:
    """Late and perhaps not whole, but not forgotten."""
    candles = Candles(m0="100")
    watch = Watch(candles)
    watch.at(61)
    watch.trade(1, 70, 200)
    watch.bars.lost()
    watch.bars.up()
    candles.broken = True
    assert watch.at(121) == [(2, 200.0, 0.02, True)]


def test_a_bar_that_comes_late_is_history() -> None:
    """The loop was held up: state may learn from it, nothing may be traded."""
    watch = Watch(Candles(m0="100"))
    watch.at(61)
    watch.trade(1, 70, 200)
    assert watch.at(140) == [(2, 200.0, 0.02, True)]


def test_the_past_comes_first() -> None:
    """Closed candles before the start, empty ones carried."""
    candles: Any = Candles(m0="90")
    candles.closes = {-3: D(80), -1: D(90)}
    told: list[Bar] = []
    bars = LiveBars(clock=ManualClock(MINUTE_NS + NS), bar_seconds=60, history=candles, tell=told.append)
    asyncio.run(bars.follow([PRODUCT]))
    assert [((bar.close_ns - MINUTE_NS) // BAR_NS, bar.close) for bar in told] == [(-2, 80.0), (-1, 80.0), (0, 90.0)]
    assert all(bar.history for bar in told)


def test_a_length_the_venue_has_not_begins_with_live_bars() -> None:
    """Five seconds: no candles, no past, and nothing invented."""
    watch = Watch(Candles(), bar_seconds=5)
    watch.trade(1, 11, 200)
    watch.clock.advance(5.6)
    asyncio.run(watch.bars._close_up_to(MINUTE_NS + 15 * NS))
    assert [(bar.close, bar.history) for bar in watch.told] == [(200.0, False)]
