"""Is the past of Coinbase read whole, page by page? Against the served venue, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import TypeVar

import pytest
from tests.venue_server import ServedVenue, served

from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.errors import MarketDataError, RateLimitError, VenueUnavailableError
from gpt_trader.core.values import ProductSpec
from gpt_trader.exchange.budget import RequestBudget
from gpt_trader.exchange.coinbase.history import CoinbaseHistory
from gpt_trader.exchange.coinbase.products import Catalogue, FeeRates
from gpt_trader.exchange.coinbase.rest import CoinbaseRest
from gpt_trader.exchange.coinbase.transport import Transport
from gpt_trader.market.products import SIMULATED_PRODUCTS

T = TypeVar("T")
FEES = FeeRates(maker=Decimal(0), taker=Decimal(0))
HOURS = 6


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    with served(tmp_path_factory.mktemp("venue"), history_seconds=HOURS * 3600) as running:
        yield running


def ask(venue: ServedVenue, items: Callable[[CoinbaseHistory, ProductSpec, int], AsyncIterator[T]]) -> list[T]:
    """Everything of one question; the third argument is the venue's time."""

    async def go() -> list[T]:
        clock = ManualClock()
        transport = Transport(None, RequestBudget(clock), host=venue.ready["rest"], ca_file=venue.ready["ca"])
        try:
            rest = CoinbaseRest(transport)
            spec = Catalogue(await rest.listed_futures(), FEES).resolve("BTC-PERP")
            now_ns = await rest.time_ns()
            return [item async for item in items(CoinbaseHistory(rest, clock), spec, now_ns)]
        finally:
            transport.close()

    return asyncio.run(go())


def test_candles_of_several_pages_follow_each_other(venue: ServedVenue) -> None:
    """Six hours of minutes are more than a page holds; each minute comes once, oldest first, in base units."""
    bars = ask(venue, lambda history, spec, now: history.bars(spec, 60, now - HOURS * 3600 * NS, now))

    opens = [bar.open_ns // NS for bar in bars]
    assert len(bars) > 350
    assert opens == sorted(set(opens))
    assert all(bar.low <= bar.open <= bar.high and bar.low <= bar.close <= bar.high for bar in bars)
    assert all(bar.volume % Decimal("0.01") == 0 for bar in bars)


def test_only_candles_that_lie_wholly_inside(venue: ServedVenue) -> None:
    """One that began before, or has not closed, says another thing than it will."""
    bars = ask(venue, lambda history, spec, now: history.bars(spec, 300, now - 3590 * NS, now - 10 * NS))
    now_ns = venue.server.running.now_ns

    assert len(bars) == 10
    assert bars[0].open_ns >= now_ns - 3590 * NS
    assert bars[-1].open_ns + 300 * NS <= now_ns - 10 * NS


def test_trades_of_several_pages_come_once(venue: ServedVenue) -> None:
    """A page that is full may lack the oldest, so shorter times are asked; what two pages share is told once."""
    trades = ask(venue, lambda history, spec, now: history.trades(spec, now - 3600 * NS, now))
    kept = venue.server.running.history.trades("BTC-PERP", 1000)

    assert [trade.at_ns for trade in trades] == sorted(trade.at_ns for trade in trades)
    told = [(trade.at_ns, trade.price, trade.quantity, trade.side) for trade in trades]
    assert sorted(told) == sorted((trade.at_ns, trade.price, trade.quantity, trade.side) for trade in kept)


class Scripted(CoinbaseRest):
    """Answers of a venue that no served one gives."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []

    async def trades(self, product_id: str, start: int, end: int) -> tuple:  # type: ignore[type-arg]
        self.asked.append((start, end))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, tuple)
        return answer


def read_trades(rest: Scripted, clock: ManualClock) -> None:
    async def go() -> None:
        async for _ in CoinbaseHistory(rest, clock).trades(SIMULATED_PRODUCTS["BTC-PERP"], 0, 2 * NS):
            pass

    asyncio.run(go())


def test_reading_is_tried_again_and_the_venue_names_the_wait() -> None:
    """A question that failed is asked once more, as it was."""
    clock, rest = ManualClock(), Scripted(RateLimitError("slow", 30.0), VenueUnavailableError("gone"), ())

    read_trades(rest, clock)

    assert rest.asked == [(0, 2)] * 3
    assert clock.now_ns() >= 30 * NS


def test_a_venue_that_stays_away_is_said() -> None:
    """After five attempts nothing is kept, rather than a market with a hole."""
    rest = Scripted(*[VenueUnavailableError("gone")] * 5)

    with pytest.raises(VenueUnavailableError, match="gone"):
        read_trades(rest, ManualClock())


def test_more_trades_in_a_second_than_a_page_holds_are_refused() -> None:
    """The rest of them cannot be had, and a market that lacks them is not made."""
    page = tuple(range(1000))
    rest = Scripted(page, page)

    with pytest.raises(MarketDataError, match="1,000 trades or more in one second"):
        read_trades(rest, ManualClock())
    assert rest.asked == [(0, 2), (0, 1)]
