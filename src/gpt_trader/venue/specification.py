"""Does the product fit into 64 bits? Decimal specifications as integers, with the proof made when they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import MarginRates, ProductSpec, TradingStatus
from gpt_trader.market.rows import MONEY_SCALE, RATE_SCALE, STATUSES
from gpt_trader.venue.layout import INTRADAY, OVERNIGHT, PRODUCT, TIER
from gpt_trader.venue.settings import FeeTier

__all__ = ["POSITION_ORDERS", "products_record", "tiers_record", "whole"]

BOUND: Final = 2**62
DAY_SECONDS: Final = 86_400
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


def tiers_record(tiers: Sequence[FeeTier]) -> NDArray[np.void]:
    """The kernel's fee tiers. Raises ConfigError unless volumes rise from zero."""
    record = np.zeros(len(tiers), TIER)
    volumes = [whole(tier.volume_from, Decimal(1) / MONEY_SCALE, "fee_tiers: volume") for tier in tiers]
    if tiers and (volumes[0] != 0 or sorted(set(volumes)) != volumes):
        raise ConfigError("fee_tiers: volumes must begin at 0 and rise from tier to tier")
    if volumes and volumes[-1] >= BOUND:
        raise ConfigError("fee_tiers: a volume is too large for exact 64-bit money")
    for index, tier in enumerate(tiers):
        if max(abs(tier.maker_rate), abs(tier.taker_rate)) >= 1:
            raise ConfigError(f"fee_tiers: rates are shares of the traded value; {tier.taker_rate} is not below 1")
        record["volume"][index] = volumes[index]
        record["maker"][index] = _rate(tier.maker_rate, "fee_tiers: maker rate")
        record["taker"][index] = _rate(tier.taker_rate, "fee_tiers: taker rate")
    return record


def _margin(rates: MarginRates, window: str, symbol: str) -> dict[str, int]:
    names = ("initial_long", "initial_short", "maintenance_long", "maintenance_short")
    values = (rates.initial_long, rates.initial_short, rates.maintenance_long, rates.maintenance_short)
    return {f"{window}{name}": _rate(value, f"{symbol}: {name}") for name, value in zip(names, values, strict=True)}


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
    if spec.funding_interval_seconds < 1 or DAY_SECONDS % spec.funding_interval_seconds:
        raise ConfigError(f"{spec.symbol}: funding_interval_seconds must divide a day")
    rates = spec.margin_overnight if overnight else spec.margin_intraday
    return {
        "tick_value": whole(spec.tick, money, f"{spec.symbol}: tick"),
        "lot_e8": lot_e8,
        "unit": unit,
        "maker_fee": _rate(spec.maker_fee_rate, f"{spec.symbol}: maker_fee_rate"),
        "taker_fee": _rate(spec.taker_fee_rate, f"{spec.symbol}: taker_fee_rate"),
        "liquidation_fee": _rate(spec.liquidation_fee_rate, f"{spec.symbol}: liquidation_fee_rate"),
        **_margin(rates, "", spec.symbol),
        **_margin(spec.margin_intraday, "day_", spec.symbol),
        **_margin(spec.margin_overnight, "night_", spec.symbol),
        "window": OVERNIGHT if overnight else INTRADAY,
        "funding_divisor": DAY_SECONDS // spec.funding_interval_seconds,
        "price_band": _rate(spec.price_band, f"{spec.symbol}: price_band"),
        "price_max": min(price_max, 2**40, BOUND // whole(spec.tick, money, f"{spec.symbol}: tick")),
        "position_max": position_max,
        "lots_min": whole(spec.min_quantity, spec.lot, f"{spec.symbol}: min_quantity"),
        "lots_max": position_max // POSITION_ORDERS,
        "notional_min": whole(spec.min_notional, money, f"{spec.symbol}: min_notional"),
        "status": STATUSES.index(TradingStatus(spec.status).value),
    }
