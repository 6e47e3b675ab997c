"""What does size cost? Impact of an order on the price, and the largest size that stays under a cap.

Two pure models, both in basis points, both without an invented price:

- the book, for orders that execute at once: volume-weighted price of walking the levels, against the middle;
- the square-root law, for orders worked over time: `impact = Y * sigma_day * sqrt(q / V_day)`, with q and V_day in
  base units and sigma_day the standard deviation of one day's return (Almgren, Thum, Hauptmann, Li 2005, "Direct
  estimation of equity market impact"; Toth et al. 2011, "Anomalous price impact and the critical nature of liquidity
  in financial markets"; Y is of order one). The exponent 1/2 is Toth's; Almgren finds 3/5 for the temporary part.

Sizes are found exactly, on the lot grid, by solving and flooring; there is no search that ends a lot short.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal
from typing import Final

from gpt_trader.config.risk import SizingMode
from gpt_trader.core.order_rules import BPS, floor_to_lot
from gpt_trader.core.values import ZERO, BookView, Side, Value

__all__ = [
    "SLICES_MAX",
    "Fit",
    "Walk",
    "fit",
    "largest_under_square_root",
    "largest_within_book",
    "levels_taken",
    "square_root_impact_bps",
    "walk_book",
]

_DOWN: Final = Context(prec=28, rounding=ROUND_FLOOR)
"""Impacts are rounded once, downwards: a size found to fit is then never judged a hair above the cap."""
SLICES_MAX: Final = 20
"""AGGRESSIVE sizing gives up rather than cut an order into more slices."""


class Walk(Value, frozen=True, kw_only=True):
    """Taking `quantity` at once."""

    quantity: Decimal
    average_price: Decimal
    worst_price: Decimal
    impact_bps: Decimal
    """Average price against the middle of the book; above zero costs us. Half the spread is part of it."""
    levels: int


def walk_book(side: Side, quantity: Decimal, book: BookView) -> Walk | None:
    """Cost of an immediate order; None when the book has no middle or is too thin to fill it.

    A quantity of zero costs what the first unit would: half the spread.
    """
    mid = book.mid
    if mid is None:
        return None
    levels = book.asks if side is Side.BUY else book.bids
    left, paid = quantity, ZERO
    for count, (price, available) in enumerate(levels, start=1):
        taken = min(left, available)
        paid += taken * price
        left -= taken
        if left <= 0:
            cost, size = (paid, quantity) if quantity > 0 else (price, Decimal(1))
            average = cost / size
            impact_bps = _DOWN.divide((cost - size * mid) * side.sign * BPS, size * mid)
            return Walk(
                quantity=quantity, average_price=average, worst_price=price, impact_bps=impact_bps, levels=count
            )
    return None


def levels_taken(side: Side, quantity: Decimal, book: BookView) -> str:
    """The levels that `quantity` would take, as `price x size` from the best one on: what a walk was computed from."""
    found, left = [], quantity
    for price, available in book.asks if side is Side.BUY else book.bids:
        taken = min(left, available)
        found.append(f"{price} x {taken}")
        left -= taken
        if left <= 0:
            break
    return ", ".join(found)


def largest_within_book(side: Side, book: BookView, impact_bps_max: Decimal, lot: Decimal) -> Decimal:
    """Largest multiple of `lot` whose `walk_book` impact is at most `impact_bps_max`; zero when none is.

    Never more than the levels hold: what is not seen is not counted on. The average price only worsens with size, so
    on the first level beyond the allowed average the bound solves a linear equation:
    `cost + (q - filled) * price <= q * allowed`, with all prices taken times the sign of the side.
    """
    mid = book.mid
    if mid is None:
        return ZERO
    sign = side.sign
    allowed = sign * mid * (1 + sign * impact_bps_max / BPS)
    filled, cost = ZERO, ZERO
    for price, available in book.asks if side is Side.BUY else book.bids:
        excess = sign * price - allowed
        surplus = filled * sign * price - cost
        if excess > 0 and surplus < excess * (filled + available):
            return max(ZERO, floor_to_lot_ratio(surplus, excess, lot))  # a sale of nothing is not -0
        filled += available
        cost += available * sign * price
    return floor_to_lot(filled, lot)


def floor_to_lot_ratio(numerator: Decimal, denominator: Decimal, lot: Decimal) -> Decimal:
    """Largest multiple of `lot` not above the quotient, without rounding the quotient first."""
    return numerator // (denominator * lot) * lot


def square_root_impact_bps(
    quantity: Decimal, sigma_day: Decimal, volume_day: Decimal, coefficient: Decimal
) -> Decimal | None:
    """Impact of working `quantity` over a day or less; None when nothing trades in a day."""
    if volume_day <= 0:
        return None
    scale = coefficient * sigma_day * BPS
    return _DOWN.sqrt(_DOWN.divide(scale * scale * quantity, volume_day))


def largest_under_square_root(
    impact_bps_max: Decimal, sigma_day: Decimal, volume_day: Decimal, coefficient: Decimal, lot: Decimal
) -> Decimal | None:
    """Largest multiple of `lot` whose square-root impact is at most `impact_bps_max`; zero when nothing trades.

    None without volatility: then the law sets no bound.
    """
    if volume_day <= 0:
        return ZERO
    scale = coefficient * sigma_day * BPS
    if scale <= 0:
        return None
    return floor_to_lot_ratio(impact_bps_max * impact_bps_max * volume_day, scale * scale, lot)


class Fit(Value, frozen=True, kw_only=True):
    """How much to trade, and in how many orders; a quantity of zero means that the mode allows nothing."""

    quantity: Decimal
    slice_quantity: Decimal
    """Of every slice but the last, which takes the rest."""
    slices: int


def fit(target: Decimal, fitting: Decimal, mode: SizingMode, lot: Decimal) -> Fit:
    """What a mode makes of `target` base units when at most `fitting` (on the lot grid) stay under the impact cap.

    CONSERVATIVE trades the largest that fits. STRICT trades all, or nothing when not all fits. AGGRESSIVE trades all,
    in equal slices that each fit; nothing when not even one lot does or more than SLICES_MAX would be needed.
    """
    wanted = floor_to_lot(target, lot)
    if wanted <= fitting:
        return Fit(quantity=wanted, slice_quantity=wanted, slices=1 if wanted else 0)
    if mode is SizingMode.CONSERVATIVE and fitting > 0:
        return Fit(quantity=fitting, slice_quantity=fitting, slices=1)
    if mode is SizingMode.AGGRESSIVE and fitting > 0:
        slices = _ceil_divide(wanted, fitting)
        if slices <= SLICES_MAX:
            even = _ceil_divide(wanted, lot * slices) * lot
            return Fit(quantity=wanted, slice_quantity=even, slices=slices)
    return Fit(quantity=ZERO, slice_quantity=ZERO, slices=0)


def _ceil_divide(numerator: Decimal, denominator: Decimal) -> int:
    return int(numerator // denominator) + (1 if numerator % denominator else 0)
