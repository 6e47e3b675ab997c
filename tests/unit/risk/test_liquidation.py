"""Where would the venue liquidate? The price at which equity is just the maintenance margin."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.builders import D

from gpt_trader.risk.liquidation import liquidation_price


@pytest.mark.parametrize(("quantity", "beyond"), [("2", -1), ("-2", 1)])
def test_at_the_price_found_equity_is_the_maintenance_margin(quantity: str, beyond: int) -> None:
    """Both sides: a long is liquidated below the mark, a short above it."""
    held, mark, equity, rate, others = D(quantity), D(60_000), D(30_000), D("0.05"), D(1_000)
    maintenance = others + abs(held) * mark * rate

    price = liquidation_price(held, mark, equity=equity, maintenance_margin=maintenance, rate=rate)

    assert price is not None
    assert (price - mark) * beyond > 0
    moved = held * (price - mark)
    assert abs(equity + moved - (others + abs(held) * price * rate)) < Decimal("1e-9")


def test_an_account_that_can_lose_it_all_is_never_liquidated() -> None:
    """A long of less than the equity: not even a price of zero does it."""
    price = liquidation_price(D(1), D(60_000), equity=D(100_000), maintenance_margin=D(3_000), rate=D("0.05"))

    assert price is None


def test_nothing_held_is_nothing_to_liquidate() -> None:
    """No price, rather than a division by zero."""
    assert liquidation_price(D(0), D(60_000), equity=D(1), maintenance_margin=D(0), rate=D("0.05")) is None
