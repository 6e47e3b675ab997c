"""Which bars closed before now?"""

from __future__ import annotations

import pytest
from tests.builders import D, a_product, some_bars
from tests.house_under_test import steady_market

from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.values import Bar
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.past import past_bars
from gpt_trader.market.stream import MarketStream
from gpt_trader.market.synthetic import SyntheticMarket


def told(market: MarketStream, until_ns: int) -> list[Bar]:
    """What a bot that listens from the start is told."""
    clock = VirtualClock(market.start_ns)
    adapter = PaperExchange(market, clock=clock, cash=D(1000))
    bars: list[Bar] = []

    async def listen() -> None:
        await adapter.start(
            [market.products[0].symbol], lambda item: bars.append(item) if isinstance(item, Bar) else None, print
        )
        await clock.sleep((until_ns - clock.now_ns()) / NS)

    run_virtual(clock, adapter, listen)
    return bars


@pytest.mark.parametrize("seconds", [59, 600, 601, 1799])
def test_they_are_the_bars_that_a_listener_was_told(seconds: int) -> None:
    """Made of trades, by the same rules; none that has not closed."""
    market = SyntheticMarket(["BTC-PERP"], seed=3, duration_seconds=1800, bar_seconds=60)
    until_ns = market.start_ns + seconds * NS
    assert list(past_bars(market, "BTC-PERP", until_ns, 1000)) == told(market, until_ns)


def test_only_the_last_ones_are_given() -> None:
    """As many as are wanted."""
    market = SyntheticMarket(["BTC-PERP"], seed=3, duration_seconds=1800, bar_seconds=60)
    every = past_bars(market, "BTC-PERP", market.end_ns, 1000)
    assert past_bars(market, "BTC-PERP", market.end_ns, 7) == every[-7:]


def test_where_there_are_only_bars_they_are_taken() -> None:
    """Those that closed by then."""
    market = ArrayStream([a_product()], some_bars(*range(11_900, 11_930)), name="bars")
    until_ns = market.start_ns + 600 * NS
    assert list(past_bars(market, "BTC-PERP", until_ns, 1000)) == told(market, until_ns)


def test_a_venue_keeps_no_bars_of_another_length() -> None:
    """Nothing is better than bars that look alike."""
    market = steady_market([60_000] * 300)
    clock = VirtualClock(market.start_ns)
    adapter = PaperExchange(market, clock=clock, cash=D(1000))

    async def ask() -> list[int]:
        found = [len(await adapter.past_bars("BTC-PERP", 60, 10))]
        await clock.sleep(200)
        found.append(len(await adapter.past_bars("BTC-PERP", 60, 10)))
        return [*found, len(await adapter.past_bars("BTC-PERP", 300, 10))]

    assert run_virtual(clock, adapter, ask) == [0, 3, 0]
