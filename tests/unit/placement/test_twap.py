"""Into how many slices, and how large?"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import D

from gpt_trader.placement.twap import SLICES_MAX, slice_up

LOT = D("0.01")


@pytest.mark.parametrize(
    ("quantity", "slices", "smallest", "largest", "count", "each"),
    [
        ("1", 10, "0.01", None, 10, "0.1"),
        ("0.05", 10, "0.01", None, 5, "0.01"),  # no slice below the smallest size
        ("0.05", 4, "0.01", None, 3, "0.02"),  # 0.02 + 0.02 + 0.01
        ("0.07", 10, "0.03", None, 2, "0.04"),
        ("1", 10, "0.01", "0.06", 17, "0.06"),  # the impact cap asks for more
        ("0.4", 10, "0.01", "0.06", 10, "0.04"),
        ("0.01", 10, "0.01", None, 1, "0.01"),
        ("1", 10, "1", None, 1, "1"),
    ],
)
def test_slices_computed_by_hand(  # noqa: PLR0917 - a row of the table
    quantity: str, slices: int, smallest: str, largest: str | None, count: int, each: str
) -> None:
    """Equal but for the last, on the lot grid, within both bounds."""
    bound = None if largest is None else D(largest)
    assert slice_up(D(quantity), slices, LOT, D(smallest), bound) == (count, D(each))


@given(
    lots=st.integers(1, 100_000),
    slices=st.integers(1, 500),
    smallest=st.integers(1, 50),
    largest=st.integers(50, 500) | st.none(),
)
def test_slices_make_up_the_whole_within_their_bounds(
    lots: int, slices: int, smallest: int, largest: int | None
) -> None:
    """Nothing is lost or added, whatever the numbers."""
    quantity, bound = lots * LOT, None if largest is None else largest * LOT
    count, each = slice_up(quantity, slices, LOT, smallest * LOT, bound)
    assert (count - 1) * each < quantity <= count * each
    assert each % LOT == Decimal(0)
    assert each >= smallest * LOT or quantity < smallest * LOT
    assert bound is None or each <= bound
    assert bound is not None or count <= min(slices, SLICES_MAX)
