"""What must come out? The same trades reckoned by hand, to see that what was measured was also right."""

from __future__ import annotations

import numpy as np
from ruler import FEE, QUANTITY, EmaCross


def cross_sides(closes: np.ndarray, fast: int = 20, slow: int = 50) -> np.ndarray:
    """The side wanted after each bar."""
    see = EmaCross(fast, slow).see
    return np.array([see(price) for price in closes.tolist()])


def flip_sides(bars: int) -> np.ndarray:
    return np.where(np.arange(bars) % 2 == 0, 1, -1)


def reckon(sides: np.ndarray, closes: np.ndarray, half_spread: float = 0.0) -> dict[str, float]:
    """Always in the market with QUANTITY, bought and sold at the close plus or minus `half_spread`, valued at the
    last close. `orders` counts a turn as one, `orders_apart` as a close and an open."""
    change = np.diff(np.concatenate([[0], sides]))
    at = np.flatnonzero(change)
    traded = change[at] * QUANTITY
    price = closes[at] + half_spread * np.sign(traded)
    fees = float(np.sum(np.abs(traded) * price) * FEE)
    position = float(np.sum(traded))
    profit = float(-np.sum(traded * price) + position * closes[-1])
    return {
        "orders": len(at),
        "orders_apart": int(np.sum(np.abs(change[at]))),
        "position": round(position, 6),
        "profit": round(profit, 4),
        "fees": round(fees, 4),
        "profit_net": round(profit - fees, 4),
    }
