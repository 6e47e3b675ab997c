"""Does the product fit into 64 bits? Decimal specifications as integers, with the proof made when they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ProductSpec, TradingStatus
from gpt_trader.market.rows import MONEY_SCALE, RATE_SCALE, STATUSES
from gpt_trader.venue.layout import PRODUCT

__all__ = ["POSITION_ORDERS", "products_record", "whole"]

BOUND: Final = 2**62
POSITION_ORDERS: Final = 4
"""A position may hold so many orders of the largest size; more is refused as position_limit."""


def whole(value: Decimal, unit: Decimal, name: str) -> int:
    """`value` as a whole number of `unit`. Raises ConfigError naming the field when it is not one."""
    scaled = value / unit
    number = int(scaled)
    if number != scaled:
        raise ConfigError(f"{name}: {value} is not a multiple of {unit}; the simulated venue reckons in whole units")
    return number


def _rate(value: Decimal, name: str) -> int:
    return whole(value, Decimal(1) / RATE_SCALE, name)


def products_record(specs: Sequence[ProductSpec], overnight: bool) -> NDArray[np.void]:
    """The kernel's record of each product. Raises ConfigError for a product that integers cannot carry exactly."""
    record = np.zeros(len(specs), PRODUCT)
    for index, spec in enumerate(specs):
        for field, value in _fields(spec, len(specs), overnight).items():
            record[field][index] = value
    return record


def _fields(spec: ProductSpec, count: int, overnight: bool) -> dict[str, int]:
    money = Decimal(1) / MONEY_SCALE
    unit = whole(spec.tick * spec.lot, money, f"{spec.symbol}: tick * lot")
    lot_e8 = whole(spec.lot, money, f"{spec.symbol}: lot")
    position_max = POSITION_ORDERS * whole(spec.max_quantity, spec.lot, f"{spec.symbol}: max_quantity")
    if min(unit, lot_e8, position_max) < 1:
        raise ConfigError(f"{spec.symbol}: tick, lot and max_quantity must be above zero")
    price_max = BOUND // count // (unit * position_max)
    if price_max < 1 or position_max * lot_e8 >= BOUND:
        raise ConfigError(
            f"{spec.symbol}: max_quantity {spec.max_quantity} is too large for exact 64-bit money; lower max_quantity"
        )
    rates = spec.margin_overnight if overnight else spec.margin_intraday
    return {
        "tick_value": whole(spec.tick, money, f"{spec.symbol}: tick"),
        "lot_e8": lot_e8,
        "unit": unit,
        "maker_fee": _rate(spec.maker_fee_rate, f"{spec.symbol}: maker_fee_rate"),
        "taker_fee": _rate(spec.taker_fee_rate, f"{spec.symbol}: taker_fee_rate"),
        "liquidation_fee": _rate(spec.liquidation_fee_rate, f"{spec.symbol}: liquidation_fee_rate"),
        "initial_long": _rate(rates.initial_long, f"{spec.symbol}: initial_long"),
        "initial_short": _rate(rates.initial_short, f"{spec.symbol}: initial_short"),
        "maintenance_long": _rate(rates.maintenance_long, f"{spec.symbol}: maintenance_long"),
        "maintenance_short": _rate(rates.maintenance_short, f"{spec.symbol}: maintenance_short"),
        "price_band": _rate(spec.price_band, f"{spec.symbol}: price_band"),
        "price_max": min(price_max, 2**40, BOUND // whole(spec.tick, money, f"{spec.symbol}: tick")),
        "position_max": position_max,
        "lots_min": whole(spec.min_quantity, spec.lot, f"{spec.symbol}: min_quantity"),
        "lots_max": position_max // POSITION_ORDERS,
        "notional_min": whole(spec.min_notional, money, f"{spec.symbol}: min_notional"),
        "status": STATUSES.index(TradingStatus(spec.status).value),
    }
