"""A client who sees the market late trades on what is there, not on what it sees."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from tests.venue_desk import BOOK, START, Desk, a_perpetual, bar, level, milliseconds, trade

from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import ROW, TRADE
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.settings import VenueSettings

D = Decimal
MOVE = [level(2, "ask", 60_005, "0"), level(2, "ask", 60_010, "0.30"), trade(2, 60_010, "0.01", "buyer")]


def test_book_and_prices_are_seen_when_they_arrive() -> None:
    """The ask moves at 2 s and is seen 50 ms later."""
    desk = Desk([*BOOK, *MOVE], feed_latency=milliseconds(50))
    assert desk.at(2.049).venue.touch("BTC-PERP") == (D(59_995), D(60_005))
    assert desk.venue.last_price("BTC-PERP") == D(60_000)
    assert desk.at(2.05).venue.touch("BTC-PERP") == (D(59_995), D(60_010))
    assert desk.venue.last_price("BTC-PERP") == D(60_010)


def test_a_mark_says_when_it_was_received() -> None:
    """Its age counts from the arrival."""
    mark = Desk([*BOOK, *MOVE], feed_latency=milliseconds(50)).at(3).venue.mark("BTC-PERP")
    assert mark is not None
    assert mark.received_ns == START + 2_050_000_000


def test_an_order_meets_the_market_that_is_there() -> None:
    """Sent at 2.01 s on a seen ask of 60,005, it pays 60,010."""
    desk = Desk([*BOOK, *MOVE], feed_latency=milliseconds(50)).at(2.01)
    assert desk.venue.touch("BTC-PERP") == (D(59_995), D(60_005))
    assert desk.fills(desk.buy("0.10")) == [(D(60_010), D("0.10"))]


def test_bars_are_told_when_their_last_row_has_arrived() -> None:
    """The bar of the first minute closes at 60 s and is told at 60.05 s, with its own closing time."""
    desk = Desk([bar(60, 60_000, 60_000, 60_000, 60_000), bar(120, 60_000, 60_000, 60_000, 60_000)])
    late = Desk(
        [bar(60, 60_000, 60_000, 60_000, 60_000), bar(120, 60_000, 60_000, 60_000, 60_000)],
        feed_latency=milliseconds(50),
    )
    assert len(desk.at(60).bars) == 1
    assert len(late.at(60).bars) == 0
    assert late.at(60.05).bars == desk.bars


def test_advance_stops_at_the_moment_a_bar_arrives() -> None:
    """The caller is woken at 60.05 s, not at the bar's close and not later."""
    desk = Desk([bar(60, 60_000, 60_000, 60_000, 60_000)], feed_latency=milliseconds(50))
    assert desk.venue.advance(START + 100_000_000_000)
    assert desk.venue.now_ns == START + 60_050_000_000
    assert len(desk.venue.take_bars()) == 1


def test_recorded_receive_times_can_be_taken() -> None:
    """Each row arrives when the recording says, and never before one in front of it."""
    times = [(0, 0), (1_000, 1_900), (1_500, 1_600), (3_000, 3_001)]
    rows = [
        (START + ts * 10**6, START + recv * 10**6, TRADE, 1, 0, 0, 12_000 + number, 1, 0, 0, 0)
        for number, (ts, recv) in enumerate(times)
    ]
    stream = ArrayStream([a_perpetual()], np.array(rows, ROW), chunk_rows=1)
    venue = SimulatedVenue(stream, cash=[D(1000)], settings=VenueSettings(feed_latency_recorded=True))
    venue.wake_on_bars(False)

    def seen_at(at_ms: int) -> Decimal | None:
        venue.advance(START + at_ms * 10**6)
        return venue.last_price("BTC-PERP")

    assert [seen_at(at_ms) for at_ms in (1_000, 1_700, 1_900, 3_000)] == [D(60_000), D(60_000), D(60_010), D(60_010)]


def test_many_chunks_of_late_rows_are_all_shown() -> None:
    """A latency longer than many chunks loses nothing."""
    rows = [
        (START + ms * 10**6, START + ms * 10**6, TRADE, 1, 0, 0, 12_000 + ms, 1, 0, 0, 0) for ms in range(0, 2_000, 10)
    ]
    stream = ArrayStream([a_perpetual()], np.array(rows, ROW), chunk_rows=7)
    venue = SimulatedVenue(stream, cash=[D(1000)], settings=VenueSettings(feed_latency=milliseconds(500)))
    for at_ms in range(0, 2_600, 130):
        venue.advance(START + at_ms * 10**6)
        arrived = max((ms for ms in range(0, 2_000, 10) if ms + 500 <= at_ms), default=None)
        expected = None if arrived is None else (12_000 + arrived) * D(5)
        assert venue.last_price("BTC-PERP") == expected
