"""Money is multiplied in 128 bits and rounded once, half to even."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gpt_trader.venue.arithmetic import scaled

AMOUNT = st.integers(-(2**62), 2**62)


@settings(deadline=None)  # the first call compiles
@given(value=AMOUNT, rate=AMOUNT, scale=st.integers(1, 2**62))
@example(value=5, rate=1, scale=2)
@example(value=7, rate=-1, scale=2)
@example(value=2**62, rate=2**62, scale=2**62)
@example(value=3 * 10**18, rate=10**12 + 1, scale=2 * 10**12)
def test_scaled_is_the_exact_fraction_rounded_half_to_even(value: int, rate: int, scale: int) -> None:
    """Against Python's fractions, which round half to even."""
    exact = round(Fraction(value * rate, scale))
    assume(abs(exact) < 2**63)
    assert scaled(value, rate, scale) == exact


@settings(deadline=None)
@given(half=st.integers(0, 2**60), sign=st.sampled_from((1, -1)))
def test_an_exact_half_goes_to_the_even_neighbour(half: int, sign: int) -> None:
    """(2n + 1) / 2 rounds to the even one of n and n + 1, whatever the sign."""
    assert scaled(sign * (2 * half + 1), 1, 2) == sign * (half + half % 2)


def test_a_result_beyond_64_bits_is_an_error() -> None:
    """Never wraps round."""
    with pytest.raises(OverflowError, match="64 bits"):
        scaled(2**62, 2**62, 3)
