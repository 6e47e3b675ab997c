"""Rows that must not be traded on stop the market by name; bars unfold into their path."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from tests.builders import a_product

from gpt_trader.core.errors import MarketDataError
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import BAR, FUNDING, INDEX, LEVEL, QUOTE, ROW, STATUS, TRADE
from gpt_trader.venue.feed import MarketFeed
from gpt_trader.venue.layout import PATH

SECOND = 1_000_000_000
Row = tuple[int, ...]


def row(seconds: int, kind: int, *values: int, product: int = 0) -> Row:
    return (seconds * SECOND, seconds * SECOND, kind, 1, product, 0, *values, *[0] * (5 - len(values)))


def read(rows: Sequence[Row], chunk_rows: int = 100) -> list[Row]:
    """Everything the kernel would be given."""
    stream = ArrayStream([a_product()], np.array(list(rows), ROW), bar_seconds=60, chunk_rows=chunk_rows)
    feed = MarketFeed(stream, np.array([10**9]), Decimal("0.1"))
    found: list[Row] = []
    while (chunk := feed.next()) is not None:
        found += chunk.tolist()
    return found


FINE = row(1, TRADE, 100, 1)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row(0, TRADE, 100, 1), "times must not go backwards"),
        (row(2, 99), "unknown kind"),
        (row(2, TRADE, 100, 1, product=1), "product that the stream does not have"),
        (row(2, TRADE, 0, 1), "price that is not above zero"),
        (row(2, LEVEL, 10**10, 1), "too large for exact"),
        (row(2, LEVEL, 100, -1), "quantity below zero"),
        (row(2, QUOTE, 0, 1, 101, 1), "price that is not above zero"),
        (row(2, BAR, 100, 99, 98, 100, 1), "does not enclose"),
        (row(2, INDEX, 0), "price that is not above zero"),
        (row(2, STATUS, 5), "unknown trading status"),
    ],
)
def test_a_row_that_cannot_be_is_named(bad: Row, said: str) -> None:
    """The error says which row, when, and what is wrong with it."""
    with pytest.raises(MarketDataError, match=rf"array: row 1 at .*{said}"):
        read([FINE, bad])


def test_a_step_back_between_two_chunks_is_found() -> None:
    """The order of rows is checked across chunks as well."""
    with pytest.raises(MarketDataError, match="row 1 at"):
        read([row(5, TRADE, 100, 1), row(4, TRADE, 100, 1)], chunk_rows=1)


def test_an_empty_side_of_a_quote_has_no_price() -> None:
    """Quantity zero means that nobody stands there."""
    assert len(read([row(1, QUOTE, 0, 0, 101, 3)])) == 1


def test_a_bar_walks_open_nearer_extreme_farther_extreme_close() -> None:
    """The high is 5 away, the low 20: the high comes first, each point a third of the bar after the other."""
    told = [(ts / SECOND, kind, a) for ts, _, kind, _, _, _, a, *_ in read([row(60, BAR, 100, 105, 80, 90, 1000)])]
    assert told == [(1e-9, PATH, 100), (20, PATH, 105), (40, PATH, 80), (60, BAR, 100)]


def test_passive_room_is_a_tenth_of_the_volume() -> None:
    """The open of a bar carries what resting orders may get of it."""
    opening = read([row(60, BAR, 100, 105, 80, 90, 12_345)])[0]
    assert opening[8] == 1234


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 7])
def test_chunks_do_not_change_the_order(chunk_rows: int) -> None:
    """Bars and funding rows come out alike, however the stream is cut."""
    rows = []
    for minute in range(1, 9):
        rows.append(row(60 * minute, BAR, 100, 103, 98, 101, 5))
        if minute % 3 == 0:
            rows.append(row(60 * minute, FUNDING, 10**8))
            rows.append(row(60 * minute + 20, FUNDING, 10**8))
    assert read(rows, chunk_rows) == read(rows, 1000)
