"""Where would the venue liquidate? The price of one symbol at which equity is no more than the maintenance margin."""

from __future__ import annotations

from decimal import Decimal

from gpt_trader.core.values import ZERO

__all__ = ["liquidation_price"]


def liquidation_price(
    quantity: Decimal, mark: Decimal, *, equity: Decimal, maintenance_margin: Decimal, rate: Decimal
) -> Decimal | None:
    """Price at which the account is liquidated if this price alone moves; None where no price does it.

    Cross margin: with the signed quantity q, mark m, rate r of this symbol, equity E and the account's maintenance
    margin M, the price p solves `E + q (p - m) = M + |q| r (p - m)`, so `p = m - (E - M) / (q - |q| r)`.
    """
    steepness = quantity - abs(quantity) * rate
    if not quantity or not steepness:
        return None
    found = mark - (equity - maintenance_margin) / steepness
    return found if found > ZERO else None
