"""Does a bar hold what it should, and close when it should?"""

from __future__ import annotations

from decimal import Decimal

import pytest

from gpt_trader.core.clock import NS
from gpt_trader.core.values import Bar
from gpt_trader.market.bars import BarAggregator
from gpt_trader.market.rows import TRADE
from gpt_trader.market.synthetic import START_NS, SyntheticMarket
from gpt_trader.venue.exchange import SimulatedVenue

MINUTE = 60 * NS
START = 1_000_000 * MINUTE


def an_aggregator(start_ns: int = START, grace_seconds: float = 0.0) -> BarAggregator:
    return BarAggregator("BTC-PERP", 60, start_ns=start_ns, grace_seconds=grace_seconds)


def test_bar_holds_open_high_low_close_and_volume() -> None:
    """In the order of the trades."""
    bars = an_aggregator()
    for second, price in ((1, 100.0), (2, 105.0), (3, 95.0), (59, 101.0)):
        bars.trade(START + second * NS, price, 2.0)

    assert bars.advance(START + MINUTE) == [Bar("BTC-PERP", START + MINUTE, 100.0, 105.0, 95.0, 101.0, 8.0)]


def test_trade_on_the_boundary_opens_the_next_bar() -> None:
    """A bar ends before its close time."""
    bars = an_aggregator()
    bars.trade(START + MINUTE - 1, 100.0, 1.0)
    bars.trade(START + MINUTE, 200.0, 1.0)

    assert [bar.close for bar in bars.advance(START + 2 * MINUTE)] == [100.0, 200.0]


def test_bar_closes_by_the_clock_after_the_grace() -> None:
    """Not before, and without waiting for a trade."""
    bars = an_aggregator(grace_seconds=2.0)
    bars.trade(START, 100.0, 1.0)

    assert bars.due_ns == START + MINUTE + 2 * NS
    assert bars.advance(START + MINUTE + 2 * NS - 1) == []
    assert len(bars.advance(START + MINUTE + 2 * NS)) == 1


def test_trade_within_the_grace_belongs_where_its_time_says() -> None:
    """The next bar may already trade while the last one waits for stragglers."""
    bars = an_aggregator(grace_seconds=2.0)
    bars.trade(START + MINUTE + NS, 200.0, 1.0)
    bars.trade(START + MINUTE - NS, 100.0, 1.0)
    closed = bars.advance(START + 3 * MINUTE)

    assert [(bar.open, bar.volume) for bar in closed] == [(100.0, 1.0), (200.0, 1.0)]
    assert bars.late_trades == 0


def test_empty_minutes_carry_the_close() -> None:
    """Four equal prices and no volume."""
    bars = an_aggregator()
    bars.trade(START, 100.0, 1.0)

    closed = bars.advance(START + 3 * MINUTE)

    assert closed[1:] == [Bar("BTC-PERP", START + n * MINUTE, 100.0, 100.0, 100.0, 100.0, 0.0) for n in (2, 3)]


def test_nothing_is_carried_before_the_first_trade() -> None:
    """There is no price to carry."""
    bars = an_aggregator()

    assert bars.advance(START + 10**6 * MINUTE) == []
    bars.trade(START + 10**6 * MINUTE, 100.0, 1.0)
    assert [bar.close_ns for bar in bars.advance(START + (10**6 + 1) * MINUTE)] == [START + (10**6 + 1) * MINUTE]


def test_first_partial_bar_is_dropped_but_its_price_is_carried() -> None:
    """Whoever comes in the middle of a minute has not seen its open."""
    bars = an_aggregator(start_ns=START + NS)
    bars.trade(START + 2 * NS, 100.0, 1.0)

    assert bars.advance(START + 2 * MINUTE) == [Bar("BTC-PERP", START + 2 * MINUTE, 100.0, 100.0, 100.0, 100.0, 0.0)]


def test_first_whole_bar_is_kept() -> None:
    """Watching that begins on the boundary sees all of it."""
    bars = an_aggregator()
    bars.trade(START, 100.0, 1.0)

    assert len(bars.advance(START + MINUTE)) == 1


def test_late_trade_is_counted_and_changes_nothing() -> None:
    """A closed bar was acted upon; it stays."""
    bars = an_aggregator()
    bars.trade(START, 100.0, 1.0)
    bars.advance(START + MINUTE)
    bars.trade(START + 1, 500.0, 1.0)

    assert bars.late_trades == 1
    assert bars.advance(START + 2 * MINUTE)[0].high == 100.0


def test_trade_from_the_far_future_is_not_believed() -> None:
    """A wrong clock must not fill the memory with bars to come."""
    bars = an_aggregator()
    bars.trade(START + 60 * MINUTE, 100.0, 1.0)

    assert bars.early_trades == 1
    assert bars.advance(START + 61 * MINUTE) == []


@pytest.mark.parametrize(("bar_seconds", "grace"), [(0, 0.0), (-60, 0.0), (60, -1.0)])
def test_impossible_lengths_are_refused(bar_seconds: int, grace: float) -> None:
    """A bar has a length, and grace does not close it early."""
    with pytest.raises(ValueError, match="bar_seconds"):
        BarAggregator("BTC-PERP", bar_seconds, start_ns=START, grace_seconds=grace)


@pytest.mark.parametrize(("bar_seconds", "start_ns"), [(1, START_NS), (10, START_NS + 7 * NS), (60, START_NS)])
def test_the_simulated_venue_keeps_the_same_rules(bar_seconds: int, start_ns: int) -> None:
    """Whole, partial and empty bars made inside the kernel equal those made from the same trades outside it."""
    market = SyntheticMarket(["XRP-PERP"], seed=4, duration_seconds=2400, bar_seconds=bar_seconds, start_ns=start_ns)
    (product,) = market.products
    venue = SimulatedVenue(market, cash=[Decimal(1000)])
    theirs: list[Bar] = []
    while venue.now_ns < market.end_ns:
        venue.advance(market.end_ns)
        theirs += venue.take_bars()
    aggregator = BarAggregator(product.symbol, market.bar_seconds, start_ns=market.start_ns)
    ours: list[Bar] = []
    for rows in market.chunks():
        for trade in rows[rows["kind"] == TRADE]:
            ours += aggregator.advance(int(trade["ts"]))
            aggregator.trade(
                int(trade["ts"]), float(int(trade["a"]) * product.tick), float(int(trade["b"]) * product.lot)
            )
    ours += aggregator.advance(market.end_ns)

    assert len(ours) == (market.end_ns - START_NS) // (bar_seconds * NS) - (start_ns != START_NS)
    assert ours == theirs
