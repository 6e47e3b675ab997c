"""Do several markets become one, in the same order however their rows come in pieces?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import MINUTE_NS, a_product, some_bars, some_rows

from gpt_trader.core.errors import ConfigError
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.merging import merge_blocks, merge_markets
from gpt_trader.market.rows import TRADE
from gpt_trader.market.stream import MarketStream, Rows

KEYS = st.lists(st.integers(0, 12), max_size=30).map(sorted)


def ether(rows: Rows, **options: Any) -> MarketStream:
    return ArrayStream([a_product(symbol="ETH-PERP")], rows, name="ether", **options)


def bitcoin(rows: Rows, **options: Any) -> MarketStream:
    return ArrayStream([a_product()], rows, name="bitcoin", **options)


def rows_of(stream: MarketStream) -> Rows:
    return np.concatenate(list(stream.chunks()))


@given(lanes=st.lists(KEYS, min_size=1, max_size=4), size=st.integers(1, 7))
def test_merging_is_a_stable_sort(lanes: list[list[int]], size: int) -> None:
    """By key, equal keys in the order of the sources, for any keys and any length of block."""
    sources = []
    for number, keys in enumerate(lanes):
        rows = some_rows(*((TRADE, 1, number, at + 1) for at in range(len(keys))))
        blocks = [(rows[n : n + size], np.array(keys[n : n + size])) for n in range(0, len(keys), size)]
        sources.append(iter(blocks))
    expected = sorted(
        ((key, number, at + 1) for number, keys in enumerate(lanes) for at, key in enumerate(keys)),
        key=lambda item: item[:2],
    )

    merged = [(int(row["product"]), int(row["a"])) for rows in merge_blocks(sources) for row in rows]

    assert merged == [item[1:] for item in expected]


def test_products_are_numbered_anew() -> None:
    """The second market's product becomes product 1, and rows come by time, at one time in the order given."""
    merged = merge_markets("both", [bitcoin(some_bars(10, 11, 12)), ether(some_bars(5, 6, 7), chunk_rows=1)])
    rows = rows_of(merged)

    assert [product.symbol for product in merged.products] == ["BTC-PERP", "ETH-PERP"]
    assert rows["product"].tolist() == [0, 1] * 3
    assert rows["d"].tolist() == [10, 5, 11, 6, 12, 7]


def test_merged_market_spans_both() -> None:
    """From the first beginning to the last end; notes say of which product they speak."""
    later = ArrayStream([a_product(symbol="ETH-PERP")], some_bars(1, 2, start_ns=MINUTE_NS * 2), notes=("thin",))
    merged = merge_markets("both", [bitcoin(some_bars(10, 11)), later])

    assert (merged.start_ns, merged.end_ns) == (MINUTE_NS, later.end_ns)
    assert merged.notes == ("ETH-PERP: thin",)


def test_one_market_stays_as_it_is() -> None:
    """Nothing is wrapped without need."""
    alone = bitcoin(some_bars(1, 2))

    assert merge_markets("any", [alone]) is alone


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (bitcoin(some_bars(1, 2)), r"BTC-PERP is in bitcoin.*Fix: .*--symbol"),
        (ether(some_bars(1, 2), bar_seconds=300), "bitcoin has bars of 60 s, ether of 300 s"),
        (ether(some_rows((TRADE, 1, 0, 5, 1))), "one has bars, one a book"),
    ],
)
def test_what_cannot_stand_side_by_side_is_refused(other: MarketStream, says: str) -> None:
    """The same product twice, bars of other lengths, or bars beside a book."""
    with pytest.raises(ConfigError, match=says):
        merge_markets("both", [bitcoin(some_bars(1, 2)), other])
