"""Does what an exchange hands out become a market, and is what is unsound refused by name?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
import pytest

from gpt_trader.core.errors import MarketDataError
from gpt_trader.market.fetching import FetchedBar, FetchedTrade, RowSpool, fetch_bars, fetch_trades
from gpt_trader.market.products import SIMULATED_PRODUCTS
from gpt_trader.market.rows import BAR, TRADE

D = Decimal
T = TypeVar("T")
PRODUCT = SIMULATED_PRODUCTS["BTC-PERP"]
MINUTE = 60 * 10**9
START = 1_750_000_020_000_000_000


async def given(items: Sequence[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


def a_bar(minute: int, close: str = "60000", volume: str = "0.02") -> FetchedBar:
    prices = (D(60_000), max(D(60_010), D(close)), min(D(59_990), D(close)), D(close))
    return FetchedBar(START + minute * MINUTE, *prices, D(volume))


def a_trade(second: int, price: str = "60000", size: str = "0.01", side: int = 1) -> FetchedTrade:
    return FetchedTrade(START + second * 10**9, D(price), D(size), side)


def bars(spool: RowSpool, *given_bars: FetchedBar) -> Any:
    return asyncio.run(fetch_bars(given(given_bars), PRODUCT, spool, source="there", bar_seconds=60))


def trades(spool: RowSpool, *given_trades: FetchedTrade) -> Any:
    return asyncio.run(fetch_trades(given(given_trades), PRODUCT, spool, source="there"))


def test_a_bar_closes_when_it_is_known() -> None:
    """The row of a bar that opens at 12:00 is stamped 12:01; ticks and lots are whole."""
    with RowSpool() as spool:
        market = bars(spool, a_bar(0), a_bar(1, "60005"))
        rows = np.concatenate(list(market.chunks()))

    assert (rows["kind"] == BAR).all()
    assert rows["ts"].tolist() == [START + MINUTE, START + 2 * MINUTE]
    assert rows["d"].tolist() == [12_000, 12_001]
    assert rows["e"].tolist() == [2, 2]
    assert (market.start_ns, market.end_ns) == (START, START + 2 * MINUTE)


def test_minutes_without_a_trade_are_carried_and_counted() -> None:
    """An exchange leaves them out; a strategy sees every minute."""
    with RowSpool() as spool:
        market = bars(spool, a_bar(0, "60005"), a_bar(3))
        rows = np.concatenate(list(market.chunks()))

    assert rows["d"].tolist() == [12_001, 12_001, 12_001, 12_000]
    assert rows["e"].tolist() == [2, 0, 0, 2]
    assert any(note.startswith("2 bars that the exchange left out") for note in market.notes)


def test_a_market_can_be_read_twice() -> None:
    """The same rows each time."""
    with RowSpool() as spool:
        market = bars(spool, a_bar(0), a_bar(1))
        first, second = (np.concatenate(list(market.chunks())) for _ in range(2))

    assert (first == second).all()


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (a_bar(1, "60001"), "close = 60001 is no multiple of 5"),
        (a_bar(1, "-5"), "no price"),
        (a_bar(1, volume="0.015"), "volume = 0.015 is no multiple of 0.01"),
        (a_bar(1, volume="-1"), "volume = -1 is no quantity"),
        (a_bar(0), "does not follow"),
        (a_bar(-1), "does not follow"),
        (a_bar(20_000), "19,999 bars are missing"),
    ],
)
def test_an_unsound_bar_is_refused(second: FetchedBar, said: str) -> None:
    """With source, time and value; nothing is rounded or sorted."""
    with RowSpool() as spool, pytest.raises(MarketDataError, match=rf"there, 2025-06-.*{said}.*Fix"):
        bars(spool, a_bar(0), second)


def test_trades_say_who_was_the_taker() -> None:
    """In order, with side, ticks and lots; several may fall in one moment."""
    with RowSpool() as spool:
        market = trades(spool, a_trade(0), a_trade(1, side=-1), a_trade(1, "60005", "0.5"))
        rows = np.concatenate(list(market.chunks()))

    assert (rows["kind"] == TRADE).all()
    assert rows["side"].tolist() == [1, -1, 1]
    assert rows["a"].tolist() == [12_000, 12_000, 12_001]
    assert rows["b"].tolist() == [1, 1, 50]
    assert not market.modelled_book


def test_trades_that_go_back_in_time_are_refused() -> None:
    """They are not sorted in silence."""
    with RowSpool() as spool, pytest.raises(MarketDataError, match="times going backwards"):
        trades(spool, a_trade(1), a_trade(0))


def test_nothing_is_no_market() -> None:
    """Said, instead of an empty dataset."""
    with RowSpool() as spool, pytest.raises(MarketDataError, match="there: no bars"):
        bars(spool)
    with RowSpool() as spool, pytest.raises(MarketDataError, match="fewer than two trades"):
        trades(spool, a_trade(0))
