"""Does a closed bar wake whoever waits, at its close, wherever the rows come from?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders import D, a_product

from gpt_trader.core.clock import NS
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import LEVEL, ROW, TRADE
from gpt_trader.venue.exchange import SimulatedVenue

MINUTE = 60 * NS
START = 1_750_000_020 * NS
assert START % MINUTE == 0


def a_market(chunk_rows: int) -> ArrayStream:
    """Three minutes with a book and a trade every ten seconds, also on the minute."""
    rows = [(START, START, LEVEL, side, 0, 0, tick, 100, 0, 0, 0) for side, tick in ((1, 11_999), (-1, 12_001))]
    for second in range(0, 181, 10):
        at_ns = START + second * NS
        rows.append((at_ns, at_ns, TRADE, 1, 0, 0, 12_000, 1, 0, 0, 0))
    return ArrayStream([a_product()], np.array(rows, dtype=ROW), chunk_rows=chunk_rows, end_ns=START + 200 * NS)


@pytest.mark.parametrize("chunk_rows", [1, 3, 9, 1000])
def test_a_bar_is_told_at_its_close(chunk_rows: int) -> None:
    """Also where a chunk of rows ends at that moment: how rows are cut must not move what a strategy sees."""
    venue = SimulatedVenue(a_market(chunk_rows), cash=[D(1000)])
    told = []

    while venue.now_ns < START + 200 * NS:
        venue.advance(START + 200 * NS)
        told += [(bar.close_ns, venue.now_ns) for bar in venue.take_bars()]

    assert told == [(START + n * MINUTE, START + n * MINUTE) for n in (1, 2, 3)]
