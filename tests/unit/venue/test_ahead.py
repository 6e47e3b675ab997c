"""Bars that come as rows, seen ahead."""

from __future__ import annotations

import numpy as np
from tests.builders import D, a_product

from gpt_trader.core.clock import NS
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import BAR, ROW
from gpt_trader.venue.ahead import WINDOW_BARS
from gpt_trader.venue.exchange import SimulatedVenue

START_NS = 1_704_067_200 * NS
MINUTE_NS = 60 * NS


def a_market(symbols: int, minutes: int) -> ArrayStream:
    """The same bar of every symbol, minute after minute."""
    rows = np.zeros(symbols * minutes, ROW)
    rows["ts"] = rows["recv"] = START_NS + (np.arange(len(rows)) // symbols + 1) * MINUTE_NS
    rows["kind"], rows["product"] = BAR, np.arange(len(rows)) % symbols
    for name in "abcd":
        rows[name] = 12_000
    rows["e"] = 1000
    products = [a_product(symbol=f"C{place}-PERP", venue_symbol=f"C{place}") for place in range(symbols)]
    return ArrayStream(products, rows, bar_seconds=60, start_ns=START_NS)


def test_bars_of_one_moment_are_never_parted() -> None:
    """Where the bars that are made at once come to their end, the whole last minute is among them."""
    minutes = WINDOW_BARS // 3 + 100
    ahead = SimulatedVenue(a_market(3, minutes), cash=[D(1000)]).bars_ahead(START_NS + minutes * MINUTE_NS)

    assert WINDOW_BARS % 3
    assert ahead is not None
    assert len(ahead) == (WINDOW_BARS // 3 + 1) * 3


def test_a_bar_that_closes_when_the_view_ends_is_seen() -> None:
    """Nothing else happens between its close and whatever is due then."""
    venue = SimulatedVenue(a_market(1, 20), cash=[D(1000)])
    seen = venue.bars_ahead(START_NS + 7 * MINUTE_NS)

    assert seen is not None
    assert seen.close_ns.tolist() == [START_NS + minute * MINUTE_NS for minute in range(1, 8)]
