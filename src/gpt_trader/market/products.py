"""What does the venue say of a product? Specifications of the simulated perpetuals, and of recorded ones.

The simulated venue is modelled on the US perpetual-style futures of Coinbase as read in September 2026: whole
contracts, hourly funding, 0.095 % maker and 0.100 % taker, 10 % margin within the day, and overnight rates that
differ by side; maintenance is two thirds of the initial margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_UP, Decimal
from types import MappingProxyType
from typing import Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import MarginRates, ProductSpec

__all__ = ["LIQUIDATION_FEE_RATE", "RECORDED_GRIDS", "SIMULATED_PRODUCTS", "recorded_product", "simulated_product"]

RATE_STEP: Final = Decimal("0.000001")
LIQUIDATION_FEE_RATE: Final = Decimal("0.005")
"""Assumed: the venue publishes none. Half a percent is what other venues take."""
RECORDED_ORDER_LOTS_MAX: Final = 1_000_000


def _margin(initial_long: str, initial_short: str) -> MarginRates:
    """Maintenance is 2/3 of the initial rate, rounded up to 0.0001 %."""
    long, short = Decimal(initial_long), Decimal(initial_short)
    return MarginRates(
        initial_long=long,
        initial_short=short,
        maintenance_long=(long * 2 / 3).quantize(RATE_STEP, rounding=ROUND_UP),
        maintenance_short=(short * 2 / 3).quantize(RATE_STEP, rounding=ROUND_UP),
    )


def _contract(base: str, venue_symbol: str, size: str, tick: str, overnight: tuple[str, str]) -> ProductSpec:
    contract = Decimal(size)
    return ProductSpec(
        symbol=f"{base}-PERP",
        venue_symbol=venue_symbol,
        base=base,
        tick=Decimal(tick),
        lot=contract,
        contract_size=contract,
        min_quantity=contract,
        max_quantity=contract * 5000,
        maker_fee_rate=Decimal("0.00095"),
        taker_fee_rate=Decimal("0.00100"),
        liquidation_fee_rate=LIQUIDATION_FEE_RATE,
        margin_intraday=_margin("0.10", "0.10"),
        margin_overnight=_margin(*overnight),
    )


SIMULATED_PRODUCTS: Final[Mapping[str, ProductSpec]] = MappingProxyType(
    {
        product.symbol: product
        for product in (
            _contract("BTC", "BIP-20DEC30-CDE", "0.01", "5", ("0.246", "0.306")),
            _contract("ETH", "ETP-20DEC30-CDE", "0.1", "0.5", ("0.245", "0.335")),
            _contract("SOL", "SLP-20DEC30-CDE", "5", "0.01", ("0.366", "0.366")),
            # the overnight rate of XRP was not read anywhere; SOL's is taken
            _contract("XRP", "XPP-20DEC30-CDE", "500", "0.0001", ("0.366", "0.366")),
        )
    }
)
"""By symbol. Margin is in force as the venue's windows say."""


def simulated_product(symbol: str) -> ProductSpec:
    """Raises ConfigError naming the symbols that exist."""
    product = SIMULATED_PRODUCTS.get(symbol)
    if product is None:
        known = ", ".join(SIMULATED_PRODUCTS)
        raise ConfigError(f"symbols: {symbol!r} is not traded on the simulated venue; choose from {known}")
    return product


RECORDED_GRIDS: Final[Mapping[str, tuple[Decimal, Decimal]]] = MappingProxyType(
    {
        "BTCUSDT": (Decimal("0.1"), Decimal("0.001")),
        "ETHUSDT": (Decimal("0.01"), Decimal("0.001")),
        "SOLUSDT": (Decimal("0.01"), Decimal("0.01")),
        "XRPUSDT": (Decimal("0.0001"), Decimal("0.1")),
    }
)
"""(tick, lot) of USD-M perpetuals where the exchange publishes them; any other grid is read from the data."""


def recorded_product(base: str, venue_symbol: str, tick: Decimal, lot: Decimal) -> ProductSpec:
    """A perpetual that is known from a recording only.

    Fees are those of USD-M at the lowest tier (0.02 % maker, 0.05 % taker), margin is 10 % at any hour on either
    side, and the quote currency is counted one for one as USD; a source states all three in its notes.
    """
    return ProductSpec(
        symbol=f"{base}-PERP",
        venue_symbol=venue_symbol,
        base=base,
        tick=tick,
        lot=lot,
        contract_size=Decimal(1),
        min_quantity=lot,
        max_quantity=lot * RECORDED_ORDER_LOTS_MAX,
        maker_fee_rate=Decimal("0.0002"),
        taker_fee_rate=Decimal("0.0005"),
        liquidation_fee_rate=LIQUIDATION_FEE_RATE,
        margin_intraday=_margin("0.10", "0.10"),
        margin_overnight=_margin("0.10", "0.10"),
    )
