"""Are prices noted down as the market is read, on one grid, whatever its chunks?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders import MINUTE_NS, START_NS, a_product, some_bars, some_rows

from gpt_trader.core.clock import NS
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import TRADE
from gpt_trader.report import price_path
from gpt_trader.report.price_path import read_prices, watched


def a_bar_market(chunk_rows: int = 1 << 20) -> ArrayStream:
    return ArrayStream([a_product()], some_bars(100, 120, 90, 95), chunk_rows=chunk_rows, start_ns=MINUTE_NS - 60 * NS)


def test_each_bar_stands_at_its_close() -> None:
    """A row stamped with its close belongs to the minute before it."""
    (prices,) = read_prices(a_bar_market()).symbols()

    assert prices.times_ns.tolist() == [MINUTE_NS + minute * 60 * NS for minute in range(4)]
    assert prices.last.tolist() == [500, 600, 450, 475]
    assert prices.high.tolist() == [500, 600, 600, 475]
    assert prices.low.tolist() == [500, 500, 450, 450]


@pytest.mark.parametrize("chunk_rows", [1, 3])
def test_chunks_do_not_matter(chunk_rows: int) -> None:
    """Nor does reading them twice."""
    stream, path = watched(a_bar_market(chunk_rows))
    for _ in (1, 2):
        assert sum(len(chunk) for chunk in stream.chunks()) == 4

    assert path.symbols()[0].last.tolist() == [500, 600, 450, 475]


def test_a_watched_market_says_what_the_market_says() -> None:
    """It is the same market, with the same digest."""
    market = a_bar_market()
    same, _ = watched(market)

    assert (same.name, same.digest, same.notes, same.modelled_book) == ("array", market.digest, (), True)


def test_a_step_without_a_trade_carries_the_last_price_and_has_none_before_the_first() -> None:
    """A price is never made up."""
    rows = some_rows((TRADE, 1, 0, 100, 1), step_ns=NS, start_ns=START_NS + 70 * NS)
    stream = ArrayStream([a_product()], rows, start_ns=START_NS, end_ns=START_NS + 240 * NS, bar_seconds=60)

    (prices,) = read_prices(stream).symbols()

    known = np.flatnonzero(np.isfinite(prices.last))
    assert known[0] > 0
    assert prices.last[known].tolist() == [500.0] * len(known)


def test_a_long_market_is_sampled_at_fewer_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said how many lie between two points."""
    monkeypatch.setattr(price_path, "POINTS_MAX", 2)

    path = read_prices(a_bar_market())

    assert path.bars_a_step == 2
    assert path.symbols()[0].last[-1] == 475
