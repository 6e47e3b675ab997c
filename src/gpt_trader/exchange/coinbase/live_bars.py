"""When did a bar close, and is it whole? Live trades into bars by the clock, with holes mended from candles.

A bar during which the connection was down may lack trades: it is read from the venue's candles once it has closed, and
told as history, as is every bar that comes late. Where the venue has no candles of that length, what was heard is told.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ExchangeError, MarketDataError
from gpt_trader.core.values import Bar, ProductSpec
from gpt_trader.exchange.coinbase.decoding import needed, stamp_ns
from gpt_trader.exchange.coinbase.frames import TradesEvent
from gpt_trader.exchange.coinbase.history import GRANULARITIES, CoinbaseHistory
from gpt_trader.exchange.coinbase.products import quantity
from gpt_trader.market.bars import BarAggregator

__all__ = ["LiveBars"]

GRACE_SECONDS: Final = 0.5
"""Trades are told in batches of a quarter second."""
LATE_SECONDS: Final = 10.0
"""A bar told so long after its close may teach a strategy and not move it."""
PAST_BARS: Final = 1500
"""Told before the first live bar: more than a day of minutes."""
TRADES_KNOWN_MAX: Final = 5000
CANDLE_LAG_SECONDS: Final = 2.0
"""What a candle needs to be there after its close."""
NEVER_NS: Final = 1 << 62


class _Watched:
    """One product's bars."""

    def __init__(self, product: ProductSpec, bar_seconds: int, start_ns: int) -> None:
        self.product = product
        self.made = BarAggregator(product.symbol, bar_seconds, start_ns=start_ns)
        self.trades: OrderedDict[str, None] = OrderedDict()
        self.told_ns = start_ns // (bar_seconds * NS) * bar_seconds * NS
        """Close of the last bar that was told, or need not be."""
        self.last_close: float | None = None


class LiveBars:
    """Bars of some products, told in order of time."""

    def __init__(
        self, *, clock: Clock, bar_seconds: int, history: CoinbaseHistory, tell: Callable[[Bar], None]
    ) -> None:
        self._clock = clock
        self._bar_seconds = bar_seconds
        self._bar_ns = bar_seconds * NS
        self._history = history
        self._tell = tell
        self._watched: dict[str, _Watched] = {}
        self._unsure_from_ns = 0
        self._unsure_until_ns = NEVER_NS
        """Between these trades may have been missed."""

    async def follow(self, products: Iterable[ProductSpec]) -> None:
        """Begin with the bars that have closed, as history; there are none of a length that the venue does not have.

        Raises ExchangeError, MarketDataError.
        """
        now_ns = self._clock.now_ns()
        for product in products:
            watched = self._watched[product.venue_symbol] = _Watched(product, self._bar_seconds, now_ns)
            if self._bar_seconds in GRANULARITIES:
                watched.told_ns -= PAST_BARS * self._bar_ns
                await self._mend(watched, now_ns // self._bar_ns * self._bar_ns)

    def up(self) -> None:
        """Trades are heard from now on."""
        self._unsure_until_ns = self._clock.now_ns()

    def lost(self) -> None:
        """Trades may be missed from now on."""
        now_ns = self._clock.now_ns()
        if self._unsure_until_ns != NEVER_NS:
            # An older hole whose bars are not told yet stays part of the new one.
            oldest_ns = min((each.told_ns for each in self._watched.values()), default=now_ns)
            self._unsure_from_ns = self._unsure_from_ns if self._unsure_until_ns > oldest_ns else now_ns
            self._unsure_until_ns = NEVER_NS

    def hear(self, event: TradesEvent) -> None:
        """Trades, newest first, some of them perhaps heard before."""
        for trade in reversed(event.trades):
            watched = self._watched.get(trade.product_id)
            if watched is None or trade.trade_id in watched.trades:
                continue
            watched.trades[trade.trade_id] = None
            if len(watched.trades) > TRADES_KNOWN_MAX:
                watched.trades.popitem(last=False)
            size = quantity(watched.product, needed(trade.size, "size of a trade"))
            watched.made.trade(stamp_ns(trade.time), float(needed(trade.price, "price of a trade")), float(size))

    async def run(self) -> None:
        """Close bars by the clock until cancelled."""
        while True:
            now_ns = self._clock.now_ns()
            due_ns = (now_ns - round(GRACE_SECONDS * NS)) // self._bar_ns * self._bar_ns
            await self._close_up_to(due_ns)
            next_ns = due_ns + self._bar_ns + round(GRACE_SECONDS * NS)
            await self._clock.sleep(max(0.0, (next_ns - self._clock.now_ns()) / NS))

    async def _close_up_to(self, close_ns: int) -> None:
        mending = []
        for watched in self._watched.values():
            closed = {bar.close_ns: bar for bar in watched.made.advance(close_ns)}
            if self._unsure(watched.told_ns, close_ns):
                mending.append((watched, closed))
            else:
                self._tell_heard(watched, closed, close_ns)
        if mending and self._bar_seconds in GRANULARITIES:
            await self._clock.sleep(CANDLE_LAG_SECONDS)
        for watched, closed in mending:
            try:
                await self._mend(watched, close_ns)
            except (ExchangeError, MarketDataError):
                self._tell_heard(watched, closed, close_ns, history=True)

    def _unsure(self, from_ns: int, close_ns: int) -> bool:
        return from_ns < close_ns and self._unsure_from_ns < close_ns and self._unsure_until_ns > from_ns

    def _tell_heard(self, watched: _Watched, closed: dict[int, Bar], until_ns: int, *, history: bool = False) -> None:
        """What was heard, minute by minute; one without a trade carries the close."""
        for at_ns in range(watched.told_ns + self._bar_ns, until_ns + 1, self._bar_ns):
            bar = closed.get(at_ns)
            last = watched.last_close
            if bar is None and last is not None:
                bar = Bar(watched.product.symbol, at_ns, last, last, last, last, 0.0)
            self._say(watched, bar, history=history)
        watched.told_ns = max(watched.told_ns, until_ns)

    async def _mend(self, watched: _Watched, until_ns: int) -> None:
        """The venue's candles from the last bar told up to `until_ns`. Raises ExchangeError, MarketDataError."""
        if self._bar_seconds not in GRANULARITIES:
            raise MarketDataError(f"coinbase: no candles of {self._bar_seconds} s")
        self._tell_heard(watched, await self._candles(watched, until_ns), until_ns, history=True)

    async def _candles(self, watched: _Watched, until_ns: int) -> dict[int, Bar]:
        """The venue's candles from the last bar told, by their close."""
        found = {}
        async for each in self._history.bars(watched.product, self._bar_seconds, watched.told_ns, until_ns):
            close_ns = each.open_ns + self._bar_ns
            found[close_ns] = Bar(
                watched.product.symbol,
                close_ns,
                float(each.open),
                float(each.high),
                float(each.low),
                float(each.close),
                float(each.volume),
            )
        return found

    def _say(self, watched: _Watched, bar: Bar | None, *, history: bool) -> None:
        if bar is None:
            return
        watched.last_close = bar.close
        late = self._clock.now_ns() - bar.close_ns > LATE_SECONDS * NS
        if history or late:
            bar = Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, True)
        self._tell(bar)
