"""Does a row read like what it says?"""

from __future__ import annotations

import pytest
from tests.builders import a_product, some_rows

from gpt_trader.market.decoding import FIELDS, KIND_NAMES, first_rows, row_text
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import BAR, CLEAR, FUNDING, INDEX, LEVEL, QUOTE, STATUS, TRADE


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ((LEVEL, 1, 0, 12000, 3), "LEVEL  bid  price 60000  quantity 0.03"),
        ((LEVEL, -1, 0, 12001, 0), "LEVEL  ask  price 60005  quantity 0"),
        ((CLEAR,), "CLEAR"),
        ((TRADE, -1, 0, 12000, 100), "TRADE  sold  price 60000  quantity 1"),
        ((TRADE, 0, 0, 12000, 100), "TRADE  price 60000  quantity 1"),
        ((QUOTE, 0, 0, 1, 2, 3, 4), "QUOTE  bid 5  bid_quantity 0.02  ask 15  ask_quantity 0.04"),
        ((BAR, 0, 0, 1, 2, 3, 4, 5), "BAR  open 5  high 10  low 15  close 20  volume 0.05"),
        ((INDEX, 0, 0, 6_000_012_345_678), "INDEX  price 60000.12345678"),
        ((FUNDING, 0, 0, -12_500_000), "FUNDING  rate -0.0000125"),
        ((STATUS, 0, 0, 4), "STATUS  status HALTED"),
        ((STATUS, 0, 0, 77), "STATUS  status 77"),
        ((99,), "OTHER"),
    ],
)
def test_row_is_told_in_the_products_units(row: tuple[int, ...], text: str) -> None:
    """Ticks of 5 and lots of 0.01 become prices and quantities."""
    (only,) = some_rows(row)

    assert row_text(only, [a_product()]) == f"2025-06-15 15:06:40.000Z  BTC-PERP  {text}"


def test_product_that_is_not_there_is_said() -> None:
    """Damaged rows are shown, too."""
    (only,) = some_rows((TRADE, 1, 7, 1, 1))

    assert "product 7  TRADE" in row_text(only, [a_product()])


def test_every_kind_has_fields_and_a_name() -> None:
    """A new kind must be told, too."""
    assert [KIND_NAMES[kind] for kind in FIELDS] == [*KIND_NAMES[1:-1]]


def test_first_rows_read_no_further() -> None:
    """As many as there are, at most as many as asked."""
    stream = ArrayStream([a_product()], some_rows(*((TRADE, 1, 0, 1, n + 1) for n in range(5))), chunk_rows=2)

    assert len(first_rows(stream, 3)) == 3
    assert len(first_rows(stream, 9)) == 5
