"""How is the cost of trading shown?"""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import D

from gpt_trader.records.tca import CostRow
from gpt_trader.report.tca_tables import whole_parts

amounts = st.decimals(min_value=-1000, max_value=1000, places=8)


def a_row(delay: Decimal, spread: Decimal, impact: Decimal, fees: Decimal, notional: Decimal = D(10_000)) -> CostRow:
    return CostRow(
        key=(),
        intents=1,
        fills=1,
        unquoted=0,
        notional=notional,
        delay=delay,
        spread=spread,
        impact=impact,
        fees=fees,
        shortfall=delay + spread + impact + fees,
        wanted=notional,
        missed=D(0),
        missed_intents=0,
        mark_outs={},
    )


def test_rounded_parts_by_hand() -> None:
    """0.333, 0.333 and 0.334 bps round to 0.33 each; the hundredth that is missing from 1.00 goes to the largest."""
    shown = whole_parts(a_row(D("0.333"), D("0.333"), D("0.334"), D(0)))
    assert shown == {"delay": D("0.33"), "spread": D("0.33"), "impact": D("0.34"), "fees": 0, "shortfall": 1}


@given(delay=amounts, spread=amounts, impact=amounts, fees=amounts, notional=st.decimals(1, 10**7, places=4))
def test_what_is_shown_adds_up(
    delay: Decimal, spread: Decimal, impact: Decimal, fees: Decimal, notional: Decimal
) -> None:
    """A reader who adds the printed parts gets the printed shortfall, and no part is more than a hundredth off."""
    row = a_row(delay, spread, impact, fees, notional)
    shown = whole_parts(row)
    total = shown.pop("shortfall")
    assert sum(shown.values()) == total
    for name, amount in row.parts.items():
        exact = row.bps(amount)
        assert exact is not None
        assert abs(shown[name] - exact) <= D("0.01")


def test_nothing_filled_has_no_parts() -> None:
    """A cost of nothing is not zero basis points; it is none."""
    assert whole_parts(a_row(D(0), D(0), D(0), D(0), D(0))) == {}
