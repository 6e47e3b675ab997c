"""What was traded on Coinbase? Candles and trades of the past, page by page, oldest first, without a key.

A page that cannot be known to be whole raises: two pages that do not meet would leave a hole that nobody sees.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import tenacity

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import MarketDataError, RateLimitError, VenueUnavailableError
from gpt_trader.core.values import ProductSpec
from gpt_trader.exchange.coinbase.decoding import needed, stamp_ns
from gpt_trader.exchange.coinbase.products import quantity
from gpt_trader.exchange.coinbase.replies import Candle, Trade
from gpt_trader.exchange.coinbase.rest import CANDLES_MAX, TRADES_MAX, CoinbaseRest
from gpt_trader.market.fetching import FetchedBar, FetchedTrade

__all__ = ["GRANULARITIES", "TAKER_SIDES", "CoinbaseHistory"]

GRANULARITIES: Final = {
    60: "ONE_MINUTE",
    300: "FIVE_MINUTE",
    900: "FIFTEEN_MINUTE",
    1800: "THIRTY_MINUTE",
    3600: "ONE_HOUR",
    7200: "TWO_HOUR",
    14_400: "FOUR_HOUR",
    21_600: "SIX_HOUR",
    86_400: "ONE_DAY",
}
"""Length of a candle in seconds, and the venue's name for it."""
PAGE_CANDLES: Final = CANDLES_MAX - 50
"""Fewer than a page may hold: one that is full could have been cut."""
ATTEMPTS_MAX: Final = 5
WAIT_SECONDS: Final = 2.0
TRADES_SECONDS_FIRST: Final = 600
TRADES_SECONDS_MAX: Final = 6 * 3600
TAKER_SIDES: Final = {"SELL": 1, "BUY": -1}
"""The venue names the maker's side; its opposite took."""
T = TypeVar("T")


class CoinbaseHistory:
    """Raises ExchangeError when the venue does not answer after several attempts, MarketDataError where it says what
    cannot be."""

    def __init__(self, rest: CoinbaseRest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock

    async def bars(self, spec: ProductSpec, seconds: int, from_ns: int, to_ns: int) -> AsyncIterator[FetchedBar]:
        """Closed candles that lie wholly between the two times."""
        start, end = -(-from_ns // (seconds * NS)) * seconds, to_ns // NS - seconds
        while start <= end:
            last = min(start + (PAGE_CANDLES - 1) * seconds, end)
            page = partial(self._rest.candles, spec.venue_symbol, GRANULARITIES[seconds], start, last)
            for candle in await self._again(page):
                open_seconds = int(candle.start)
                if not start <= open_seconds <= last:
                    raise MarketDataError(f"coinbase: a candle of {open_seconds} s, where {start} to {last} were asked")
                yield _bar(spec, candle)
            start = last + seconds

    async def trades(self, spec: ProductSpec, from_ns: int, to_ns: int) -> AsyncIterator[FetchedTrade]:
        """Single trades from the one time up to, and without, the other."""
        start, end, step = from_ns // NS, -(-to_ns // NS), TRADES_SECONDS_FIRST
        seen: set[str] = set()
        while start < end:
            last = min(start + step, end)
            page = await self._again(partial(self._rest.trades, spec.venue_symbol, start, last))
            if len(page) >= TRADES_MAX:  # the oldest of them may be missing
                if last - start <= 1:
                    raise MarketDataError(
                        f"coinbase {spec.symbol}: {TRADES_MAX:,} trades or more in one second ({start} s), the venue "
                        "hands out no more. Fix: leave this time out with --from and --to"
                    )
                step = max(1, (last - start) // 2)
                continue
            fresh = [trade for trade in reversed(page) if trade.trade_id not in seen]
            seen = {trade.trade_id for trade in page}
            for trade in sorted(fresh, key=lambda trade: stamp_ns(trade.time)):
                if from_ns <= stamp_ns(trade.time) < to_ns:
                    yield _trade(spec, trade)
            start, step = last, min(TRADES_SECONDS_MAX, step * 2 if len(page) < TRADES_MAX // 4 else step)

    async def _again(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Reading may be tried again: a wait that the venue names is kept to."""

        def seconds(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            named = error.retry_after_seconds if isinstance(error, RateLimitError) else None
            return max(WAIT_SECONDS * state.attempt_number, named or 0.0)

        retrying = tenacity.AsyncRetrying(
            sleep=self._clock.sleep,
            stop=tenacity.stop_after_attempt(ATTEMPTS_MAX),
            wait=seconds,
            retry=tenacity.retry_if_exception_type((RateLimitError, VenueUnavailableError)),
            reraise=True,
        )
        return await retrying(ask)


def _bar(spec: ProductSpec, candle: Candle) -> FetchedBar:
    return FetchedBar(
        open_ns=int(candle.start) * NS,
        open=needed(candle.open, "open"),
        high=needed(candle.high, "high"),
        low=needed(candle.low, "low"),
        close=needed(candle.close, "close"),
        volume=quantity(spec, needed(candle.volume, "volume")),
    )


def _trade(spec: ProductSpec, trade: Trade) -> FetchedTrade:
    return FetchedTrade(
        at_ns=stamp_ns(trade.time),
        price=needed(trade.price, "price"),
        quantity=quantity(spec, needed(trade.size, "size")),
        side=TAKER_SIDES.get(trade.side, 0),
    )
