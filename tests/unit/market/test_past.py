"""Which bars closed before now?"""

from __future__ import annotations

import itertools

import pytest
from tests.builders import D, a_product, some_bars

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
    return [as_history(bar) for bar in bars]


def as_history(bar: Bar) -> Bar:
    return Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, history=True)


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


def test_a_late_listener_is_told_the_past_first() -> None:
    """As history, and then goes on where it ends."""
    market = SyntheticMarket(["BTC-PERP"], seed=3, duration_seconds=1800, bar_seconds=60)
    clock = VirtualClock(market.start_ns)
    adapter = PaperExchange(market, clock=clock, cash=D(1000))
    bars: list[Bar] = []

    async def come_late() -> None:
        await clock.sleep(605)
        await adapter.start(["BTC-PERP"], lambda item: bars.append(item) if isinstance(item, Bar) else None, print)
        await clock.sleep(600)

    run_virtual(clock, adapter, come_late)
    assert [bar.history for bar in bars] == [True] * 10 + [False] * 10
    assert [after.close_ns - before.close_ns for before, after in itertools.pairwise(bars)] == [60 * NS] * 19
