"""How is a number written for people? One way for money, prices and shares, wherever they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Final

__all__ = ["adding_up", "measured", "money", "moved", "price", "share"]

PRICE_PLACES_MIN: Final = 2
HUNDREDTH: Final = Decimal("0.01")


def adding_up(parts: Mapping[str, Decimal], total: Decimal) -> dict[str, Decimal]:
    """Parts in hundredths, so rounded that those who add them up get `total`, which is their sum in hundredths.

    Each part is rounded down; the hundredths that are then missing go to the parts that lost most (largest remainder).
    No part ends more than a hundredth off.
    """
    found = {name: amount.quantize(HUNDREDTH, ROUND_FLOOR) for name, amount in parts.items()}
    left = int((total - sum(found.values(), Decimal(0))) / HUNDREDTH)
    by_loss = sorted(parts, key=lambda name: found[name] - parts[name])
    for name in by_loss[:left] if left > 0 else by_loss[left:] if left < 0 else ():
        found[name] += HUNDREDTH if left > 0 else -HUNDREDTH
    return found


def money(value: Decimal) -> str:
    """Two places and separators: `99,956.13`."""
    return f"{value:,.2f}"


def moved(value: Decimal) -> str:
    """Money that came (+) or went (-); nothing has no sign."""
    return f"{value:+,.2f}" if round(value, 2) else "0.00"


def price(value: Decimal, tick: Decimal) -> str:
    """With the places of the product's tick, at least two: `59,297.50`, `0.5234`."""
    exponent = tick.normalize().as_tuple().exponent
    places = max(PRICE_PLACES_MIN, -exponent if isinstance(exponent, int) else 0)
    return f"{value:,.{places}f}"


def share(value: Decimal, places: int = 1) -> str:
    """A share of one as percent: `1.8%`."""
    return f"{value:.{places}%}"


def measured(value: Decimal, unit: str) -> str:
    """A reading of a guard with its unit, short: `43.94 USD`, `1.8%`, `0.1 s`, `5`."""
    if "share" in unit or "volatility" in unit:
        return share(value)
    if unit == "seconds":
        return f"{value:,.1f} s" if value < 10 else f"{value:,.0f} s"
    if unit.endswith(("rejects", "intents", "in a row")):  # a count: its guard's name says of what
        return f"{value:,.0f}"
    return f"{money(value)} {unit}"
