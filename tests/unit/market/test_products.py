"""Are the products of the simulated venue those of the venue they are modelled on?"""

from __future__ import annotations

from decimal import Decimal

import pytest

from gpt_trader.core.errors import ConfigError
from gpt_trader.market.products import SIMULATED_PRODUCTS, recorded_product, simulated_product


@pytest.mark.parametrize(
    ("symbol", "lot", "tick"),
    [("BTC-PERP", "0.01", "5"), ("ETH-PERP", "0.1", "0.5"), ("SOL-PERP", "5", "0.01"), ("XRP-PERP", "500", "0.0001")],
)
def test_sizes_are_whole_contracts(symbol: str, lot: str, tick: str) -> None:
    """One contract is the lot, the smallest order and the contract size."""
    product = simulated_product(symbol)

    assert (Decimal(lot),) * 3 == (product.lot, product.min_quantity, product.contract_size)
    assert Decimal(tick) == product.tick


def test_margin_differs_by_side_overnight() -> None:
    """Bitcoin overnight takes 24.6 % long and 30.6 % short, two thirds of it as maintenance."""
    margin = simulated_product("BTC-PERP").margin_overnight

    assert (Decimal("0.246"), Decimal("0.306")) == (margin.initial_long, margin.initial_short)
    assert (Decimal("0.164"), Decimal("0.204")) == (margin.maintenance_long, margin.maintenance_short)


def test_maintenance_is_rounded_up_to_a_millionth() -> None:
    """Two thirds of 10 % has no end; the kernel counts rates in whole units, and less margin is never assumed."""
    assert Decimal("0.066667") == simulated_product("ETH-PERP").margin_intraday.maintenance_long


def test_unknown_symbol_names_the_known_ones() -> None:
    """A typing error is answered with what can be typed instead."""
    with pytest.raises(ConfigError, match=r"'DOGE-PERP'.*BTC-PERP, ETH-PERP, SOL-PERP, XRP-PERP"):
        simulated_product("DOGE-PERP")


def test_symbols_are_their_own_keys() -> None:
    """The table is keyed by the symbol that the product itself names."""
    assert all(symbol == product.symbol for symbol, product in SIMULATED_PRODUCTS.items())


def test_recorded_product_is_named_by_base() -> None:
    """BTCUSDT becomes BTC-PERP, sized in base units."""
    product = recorded_product("BTC", "BTCUSDT", Decimal("0.1"), Decimal("0.001"))

    assert ("BTC-PERP", "BTCUSDT", Decimal(1)) == (product.symbol, product.venue_symbol, product.contract_size)
    assert (Decimal("0.0002"), Decimal("0.0005")) == (product.maker_fee_rate, product.taker_fee_rate)
