"""Is a number written one way, wherever it is shown, and never so that it could be read as another?"""

from __future__ import annotations

import pytest
from tests.builders import D

from gpt_trader.report.numbers import measured, money, moved, price, share


@pytest.mark.parametrize(
    ("value", "text"),
    [("99956.125", "99,956.12"), ("-1234567.8", "-1,234,567.80"), ("0", "0.00"), ("0.004", "0.00")],
)
def test_money_has_two_places_and_separators(value: str, text: str) -> None:
    """Half cents go to the even cent, as everywhere in the house."""
    assert money(D(value)) == text


@pytest.mark.parametrize(
    ("value", "text"), [("12.5", "+12.50"), ("-12.5", "-12.50"), ("0", "0.00"), ("-0.001", "0.00"), ("0.001", "0.00")]
)
def test_what_moved_has_a_sign_and_nothing_has_none(value: str, text: str) -> None:
    """`-0.00` would be read as a loss."""
    assert moved(D(value)) == text


@pytest.mark.parametrize(
    ("value", "tick", "text"),
    [
        ("59297.5", "0.5", "59,297.50"),
        ("59297.5", "5", "59,297.50"),
        ("0.5234", "0.0001", "0.5234"),
        ("0.5", "0.0001", "0.5000"),
        ("1234", "1E+1", "1,234.00"),
    ],
)
def test_a_price_has_the_places_of_its_tick(value: str, tick: str, text: str) -> None:
    """At least two, so that columns stand still."""
    assert price(D(value), D(tick)) == text


def test_a_share_is_shown_in_percent() -> None:
    """With one place, or as many as asked."""
    assert (share(D("0.0178")), share(D("0.0178"), 3)) == ("1.8%", "1.780%")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("43.937", "USD", "43.94 USD"),
        ("0.0178", "share of equity", "1.8%"),
        ("0.65", "annual volatility", "65.0%"),
        ("0.06", "seconds", "0.1 s"),
        ("120", "seconds", "120 s"),
        ("5", "venue rejects", "5"),
    ],
)
def test_a_reading_carries_its_unit(value: str, unit: str, text: str) -> None:
    """A limit without a unit cannot be compared with anything."""
    assert measured(D(value), unit) == text
