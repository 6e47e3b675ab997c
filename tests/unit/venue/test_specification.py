"""A product is taken only when 64-bit integers carry it exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.builders import a_product

from gpt_trader.core.errors import ConfigError
from gpt_trader.venue.specification import products_record

D = Decimal


def test_units_are_exact() -> None:
    """Tick 5 and lot 0.01: a tick is 5e8 units of 1e-8, a lot-tick 0.05 dollars."""
    record = products_record([a_product()], overnight=True)[0]
    assert (record["tick_value"], record["lot_e8"], record["unit"]) == (5 * 10**8, 10**6, 5 * 10**6)
    assert record["taker_fee"] == 10**9


def test_largest_position_at_the_highest_price_fits() -> None:
    """The proof of the load: price_max * position_max * unit stays below 2^62, shared by all products."""
    for record in products_record([a_product(), a_product(symbol="ETH-PERP")], overnight=True):
        assert int(record["price_max"]) * int(record["position_max"]) * int(record["unit"]) * 2 <= 2**62


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tick": D("0.000001"), "lot": D("0.001")}, r"tick \* lot"),
        ({"max_quantity": D("0.015")}, "max_quantity"),
        ({"taker_fee_rate": D("0.0000000000001")}, "taker_fee_rate"),
        ({"max_quantity": D(10) ** 13}, "max_quantity"),
        ({"tick": D(0)}, "above zero"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, Decimal], field: str) -> None:
    """The error names product and field."""
    with pytest.raises(ConfigError, match=rf"BTC-PERP: .*{field}"):
        products_record([a_product(**changes)], overnight=True)
