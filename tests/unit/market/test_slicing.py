"""Does a part of a market begin with the state that the rows before it left?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders import MINUTE_NS, START_NS, a_product, some_bars, some_rows

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import CLEAR, INDEX, LEVEL, MARK, QUOTE, STATUS, TRADE
from gpt_trader.market.slicing import slice_market, utc_ns
from gpt_trader.market.stream import MarketStream, Rows

BOOK = some_rows(
    (CLEAR,),
    (LEVEL, 1, 0, 99, 5),
    (LEVEL, -1, 0, 101, 7),
    (LEVEL, 1, 0, 98, 4),
    (INDEX, 0, 0, 123),
    (LEVEL, 1, 0, 99, 0),
    (LEVEL, -1, 0, 101, 9),
    (TRADE, 1, 0, 101, 1),
    (LEVEL, -1, 0, 101, 8),
    (TRADE, -1, 0, 98, 2),
)


def market(rows: Rows, *, chunk_rows: int = 4) -> MarketStream:
    return ArrayStream([a_product()], rows, chunk_rows=chunk_rows, end_ns=int(rows["ts"][-1]) + NS)


def rows_of(stream: MarketStream) -> Rows:
    return np.concatenate(list(stream.chunks()))


def told(rows: Rows) -> list[tuple[int, ...]]:
    return [tuple(int(row[name]) for name in ("kind", "side", "a", "b")) for row in rows]


@pytest.mark.parametrize("chunk_rows", [1, 3, 4, 100])
def test_book_is_rebuilt_at_the_cut(chunk_rows: int) -> None:
    """The last word on every level, best first, behind a CLEAR, with the index that holds; then the rows as they are."""
    part = slice_market(market(BOOK, chunk_rows=chunk_rows), START_NS + 7 * NS, None)
    rows = rows_of(part)

    assert told(rows[:4]) == [(INDEX, 0, 123, 0), (CLEAR, 0, 0, 0), (LEVEL, 1, 98, 4), (LEVEL, -1, 101, 9)]
    assert (rows["ts"][:4] == START_NS + 7 * NS).all()
    assert rows[4:].tobytes() == BOOK[7:].tobytes()
    assert "The book at the start is rebuilt from the rows before it." in part.notes


def test_newer_snapshot_hides_the_older() -> None:
    """Nothing of a book before the last CLEAR is left."""
    rows = np.concatenate(
        [BOOK, some_rows((CLEAR,), (LEVEL, 1, 0, 50, 1), (TRADE, 1, 0, 51, 1), start_ns=START_NS + 20 * NS)]
    )
    part = rows_of(slice_market(market(rows), START_NS + 22 * NS, None))

    assert told(part) == [(INDEX, 0, 123, 0), (CLEAR, 0, 0, 0), (LEVEL, 1, 50, 1), (TRADE, 1, 51, 1)]


def test_quote_is_a_whole_book() -> None:
    """It stands for everything before it; a level that is taken from it stays taken."""
    rows = some_rows(
        (CLEAR,), (LEVEL, 1, 0, 90, 3), (QUOTE, 0, 0, 99, 5, 101, 7), (LEVEL, 1, 0, 99, 0), (TRADE, 1, 0, 101, 1)
    )
    part = rows_of(slice_market(market(rows), START_NS + 4 * NS, None))

    assert told(part) == [(QUOTE, 0, 99, 5), (LEVEL, 1, 99, 0), (TRADE, 1, 101, 1)]


def test_status_and_mark_hold_until_the_next() -> None:
    """A market that is halted before the cut is halted after it."""
    rows = some_rows((STATUS, 0, 0, 4), (MARK, 0, 0, 10), (MARK, 0, 0, 11), (TRADE, 1, 0, 5, 1))
    part = rows_of(slice_market(market(rows), START_NS + 3 * NS, None))

    assert told(part)[:2] == [(STATUS, 0, 4, 0), (MARK, 0, 11, 0)]


def test_books_of_two_products_are_kept_apart() -> None:
    """Levels at one price belong to their product."""
    rows = some_rows((CLEAR, 0, 0), (CLEAR, 0, 1), (LEVEL, 1, 0, 10, 1), (LEVEL, 1, 1, 10, 2), (TRADE, 1, 1, 11, 1))
    stream = ArrayStream([a_product(), a_product(symbol="ETH-PERP")], rows, end_ns=START_NS + 5 * NS)
    part = rows_of(slice_market(stream, START_NS + 4 * NS, None))

    assert [(int(row["product"]), int(row["kind"]), int(row["b"])) for row in part] == [
        (0, CLEAR, 0),
        (0, LEVEL, 1),
        (1, CLEAR, 0),
        (1, LEVEL, 2),
        (1, TRADE, 1),
    ]


def test_ticks_end_before_the_end() -> None:
    """A row stamped `to` belongs to the next part, so that two parts are the whole."""
    middle = START_NS + 8 * NS
    first, second = (slice_market(market(BOOK), *ends) for ends in ((None, middle), (middle, None)))

    assert rows_of(first).tobytes() == BOOK[:8].tobytes()
    assert rows_of(second)[-2:].tobytes() == BOOK[8:].tobytes()
    assert (first.end_ns, second.start_ns, second.end_ns) == (middle, middle, int(BOOK["ts"][-1]) + NS)


def test_bars_lie_wholly_inside() -> None:
    """A bar that closes at `from` is over by then; one that closes at `to` belongs to the part."""
    bars = some_bars(10, 11, 12, 13, 14)
    minute = 60 * NS
    part = slice_market(market(bars), MINUTE_NS + minute, MINUTE_NS + 3 * minute)

    assert rows_of(part)["d"].tolist() == [12, 13]
    assert not any("rebuilt" in note for note in part.notes)


def test_part_is_another_market() -> None:
    """Its digest names the whole and the times."""
    whole = market(BOOK)
    parts = [slice_market(whole, START_NS + n * NS, None) for n in (3, 4)]

    assert len({whole.digest, *(part.digest for part in parts)}) == 3
    assert slice_market(whole, None, None) is whole
    assert slice_market(whole, START_NS - NS, START_NS + 100 * NS) is whole


def test_empty_part_is_refused() -> None:
    """The answer says what the market has."""
    with pytest.raises(ConfigError, match=r"nothing lies between 2025-07-01.* and its end: array goes from 2025-06-15"):
        slice_market(market(BOOK), utc_ns("2025-07-01"), None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2022-01-05", 1_641_340_800),
        ("2022-01-05T13:30", 1_641_389_400),
        ("2022-01-05 13:30:00", 1_641_389_400),
        ("2022-01-05T13:30+02:00", 1_641_382_200),
        ("2022-01-05T13:30:00Z", 1_641_389_400),
    ],
)
def test_times_are_utc(text: str, seconds: int) -> None:
    """Unless they name a zone."""
    assert utc_ns(text) == seconds * NS


def test_time_that_is_none_is_refused() -> None:
    """With an example of one that is."""
    with pytest.raises(ConfigError, match=r"'yesterday' is not a time\. Fix: write 2022-01-05"):
        utc_ns("yesterday")
