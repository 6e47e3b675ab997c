"""Is a number written one way, wherever it is shown, and never so that it could be read as another?"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import D

from gpt_trader.report.numbers import adding_up, measured, money, moved, price, share


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


def test_parts_by_hand() -> None:
    """-29.925, -31.2014 and -0.0033 make -61.13: rounded one by one they would make -61.12."""
    parts = {"price": D("-29.925"), "fees": D("-31.2014"), "funding": D("-0.00332297")}
    assert adding_up(parts, D("-61.13")) == {"price": D("-29.93"), "fees": D("-31.20"), "funding": D(0)}


@given(st.lists(st.decimals(-(10**6), 10**6, places=8), min_size=1, max_size=5), st.decimals(0, 10**6, places=8))
def test_what_is_shown_adds_up_to_the_difference(parts: list[Decimal], start: Decimal) -> None:
    """Between a rounded beginning and a rounded end, with no part more than a hundredth off."""
    named = {str(number): part for number, part in enumerate(parts)}
    total = round(start + sum(parts, D(0)), 2) - round(start, 2)
    shown = adding_up(named, total)
    assert sum(shown.values(), D(0)) == total
    assert all(abs(shown[name] - part) <= D("0.01") for name, part in named.items())
