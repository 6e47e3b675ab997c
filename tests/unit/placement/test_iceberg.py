"""How much is shown at one time?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import D, a_product

from gpt_trader.placement.iceberg import TIPS_MAX, tip


@pytest.mark.parametrize(
    ("quantity", "share", "minimum", "largest", "shown"),
    [
        ("1", "0.1", "0.01", None, "0.1"),
        ("0.25", "0.1", "0.01", None, "0.02"),  # 0.025 down to the lot
        ("0.05", "0.1", "0.01", None, "0.01"),  # at least the smallest size
        ("1", "0.1", "0.2", None, "0.2"),
        ("30", "0.001", "0.01", None, "0.3"),  # at least the hundredth part
        ("1", "0.5", "0.01", "0.06", "0.06"),  # at most what stays under the impact cap
        ("1", "1", "0.01", None, "1"),
    ],
)
def test_tips_computed_by_hand(quantity: str, share: str, minimum: str, largest: str | None, shown: str) -> None:
    """The share, between its bounds, on the lot grid of 0.01."""
    product = a_product(min_quantity=D(minimum))
    assert tip(D(quantity), D(share), product, None if largest is None else D(largest)) == D(shown)


@given(lots=st.integers(1, 1_000_000), share=st.integers(1, 100))
def test_a_tip_is_a_lot_and_no_row_of_orders_grows_long(lots: int, share: int) -> None:
    """On the grid, never more than the hundredth part too small."""
    quantity = lots * D("0.01")
    shown = tip(quantity, D(share) / 100, a_product(), None)
    assert shown % D("0.01") == 0
    assert shown * TIPS_MAX >= quantity
