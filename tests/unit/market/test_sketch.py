"""Is a market drawn in few steps, with nothing lost that a person would see?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders import MINUTE_NS, a_product, some_bars, some_rows

from gpt_trader.core.clock import NS
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import QUOTE, TRADE
from gpt_trader.market.sketch import sketch_market

BARS = some_bars(*range(100, 160))


@pytest.mark.parametrize("chunk_rows", [1, 7, 1000])
def test_extremes_and_volume_survive(chunk_rows: int) -> None:
    """However few the steps and however the rows come in pieces."""
    (sketch,) = sketch_market(
        ArrayStream([a_product()], BARS, chunk_rows=chunk_rows, start_ns=MINUTE_NS - 60 * NS), steps=7
    )

    assert len(sketch.times) == 7
    assert [np.nanmin(sketch.low), np.nanmax(sketch.high), sketch.last[-1]] == [500, 795, 795]
    assert sketch.volume.sum() == pytest.approx(60 * 10 * 0.01)


def test_bar_belongs_to_the_time_before_its_close() -> None:
    """A minute that closes at 00:01 was traded before it."""
    (sketch,) = sketch_market(ArrayStream([a_product()], BARS, start_ns=MINUTE_NS - 60 * NS), steps=60)

    assert not np.isnan(sketch.last).any()


def test_step_without_a_price_stays_empty() -> None:
    """Nothing is carried over a hole."""
    rows = some_rows((TRADE, 1, 0, 10, 1), (TRADE, 1, 0, 20, 1))
    rows["ts"][1] += 100 * NS
    (sketch,) = sketch_market(ArrayStream([a_product()], rows), steps=10)

    assert np.isnan(sketch.last[1:-1]).all()
    assert (sketch.last[0], sketch.last[-1]) == (50, 100)


def test_middle_of_quotes_is_drawn() -> None:
    """Where nothing was traded."""
    (sketch,) = sketch_market(
        ArrayStream([a_product()], some_rows((QUOTE, 0, 0, 10, 1, 20, 1), (QUOTE, 0, 0, 12, 1, 20, 1))), steps=2
    )

    assert sketch.last.tolist() == [75, 80]
    assert sketch.volume.sum() == 0


def test_each_product_has_a_sketch() -> None:
    """In the order of the market, telling how far it is."""
    rows = np.concatenate([some_bars(10, 11), some_bars(20, 21, product=1)])
    rows = rows[np.argsort(rows["ts"], kind="stable")]
    told: list[int] = []
    stream = ArrayStream([a_product(), a_product(symbol="ETH-PERP")], rows)
    sketches = sketch_market(stream, tell=told.append)

    assert [(sketch.symbol, float(np.nanmax(sketch.high))) for sketch in sketches] == [
        ("BTC-PERP", 55),
        ("ETH-PERP", 105),
    ]
    assert told == [stream.end_ns]
