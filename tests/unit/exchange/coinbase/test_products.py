"""Is BTC-PERP the product that it should be, and is a contract the right amount?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import TradingStatus
from gpt_trader.exchange.coinbase.decoding import WireError, read
from gpt_trader.exchange.coinbase.products import Catalogue, FeeRates, contracts, is_perpetual, quantity, trading_status
from gpt_trader.exchange.coinbase.replies import Product, ProductsReply

D = Decimal
FEES = FeeRates(maker=D("0.00095"), taker=D("0.001"))


def a_product(details: dict[str, Any] | None = None, **changes: Any) -> Product:
    """A perpetual future as the venue lists it, with changes."""
    future: dict[str, Any] = {
        "contract_size": "0.01",
        "contract_root_unit": "BTC",
        "contract_expiry_type": "EXPIRING",
        "funding_interval": "3600s",
        "funding_rate": "0.000013",
        "intraday_margin_rate": {"long_margin_rate": "0.1", "short_margin_rate": "0.12"},
        "overnight_margin_rate": {"long_margin_rate": "0.24", "short_margin_rate": "0.3"},
    }
    return msgspec.convert(
        {
            "product_id": "BIP-20DEC30-CDE",
            "product_type": "FUTURE",
            "product_venue": "FCM",
            "display_name": "BTC PERP",
            "quote_currency_id": "USD",
            "base_increment": "1",
            "price_increment": "5",
            "base_min_size": "1",
            "base_max_size": "5000",
            "fcm_trading_session_details": {"is_session_open": True},
            "future_product_details": {**future, **(details or {})},
            **changes,
        },
        type=Product,
    )


def test_the_captured_perpetual_is_btc_perp(shared_data: Path) -> None:
    """The perpetual and not the dated future beside it, though both say EXPIRING."""
    body = (shared_data / "coinbase_wire" / "http_products_future.json").read_bytes()
    catalogue = Catalogue(read(body, ProductsReply).products, FEES)
    assert list(catalogue.products) == ["BTC-PERP"]
    spec = catalogue.resolve("BTC-PERP")
    assert spec.venue_symbol == "BIP-20DEC30-CDE"
    assert (spec.tick, spec.lot, spec.contract_size) == (D(5), D("0.01"), D("0.01"))
    assert (spec.min_quantity, spec.max_quantity) == (D("0.01"), D(50))
    assert (spec.margin_overnight.initial_long, spec.margin_overnight.initial_short) == (D("0.245625"), D("0.306375"))
    assert spec.margin_overnight.maintenance_long == D("0.16375")
    assert (spec.maker_fee_rate, spec.taker_fee_rate) == (D("0.00095"), D("0.001"))


def test_spot_is_no_perpetual(shared_data: Path) -> None:
    """Spot products are passed over."""
    body = (shared_data / "coinbase_wire" / "http_products.json").read_bytes()
    assert not Catalogue(read(body, ProductsReply).products, FEES).products


@pytest.mark.parametrize(
    ("product", "perpetual"),
    [
        (a_product(), True),
        (a_product({"funding_interval": None, "funding_rate": "0.00001"}), True),
        (a_product({"funding_interval": "", "funding_rate": ""}), True),
        (a_product({"funding_interval": "", "funding_rate": ""}, display_name="BTC 24 APR 26"), False),
        (a_product(product_venue="INTX"), False),
        (a_product(product_type="SPOT"), False),
        (a_product({"contract_root_unit": ""}), False),
        (a_product(future_product_details=None), False),
    ],
)
def test_a_perpetual_is_known_by_its_funding(product: Product, perpetual: bool) -> None:
    """Not by an id, an expiry or the expiry type."""
    assert is_perpetual(product) is perpetual


def test_two_perpetuals_of_one_asset_are_refused() -> None:
    """Guessing would trade the wrong contract; other symbols stay."""
    products = [
        a_product(),
        a_product(product_id="BTP-20DEC31-CDE"),
        a_product({"contract_root_unit": "ETH"}, product_id="E"),
    ]
    catalogue = Catalogue(products, FEES)
    assert list(catalogue.products) == ["ETH-PERP"]
    with pytest.raises(ConfigError, match="BIP-20DEC30-CDE, BTP-20DEC31-CDE"):
        catalogue.resolve("BTC-PERP")


def test_an_unlisted_symbol_names_what_there_is() -> None:
    """The reader sees what can be traded."""
    with pytest.raises(ConfigError, match=r"no perpetual future SOL-PERP; it has BTC-PERP"):
        Catalogue([a_product()], FEES).resolve("SOL-PERP")


def test_f52_ids_lead_back_to_symbols() -> None:
    """News of other products is known to be of others."""
    catalogue = Catalogue([a_product()], FEES)
    assert catalogue.of_id("BIP-20DEC30-CDE") == catalogue.resolve("BTC-PERP")
    assert catalogue.of_id("BTC-USD") is None


@pytest.mark.parametrize("size", ["0.01", "5", "10000"])
def test_contracts_and_units_are_inverse(size: str) -> None:
    """Any contract size, back and forth."""
    spec = Catalogue([a_product({"contract_size": size})], FEES).resolve("BTC-PERP")
    assert quantity(spec, D(7)) == 7 * D(size)
    assert contracts(spec, quantity(spec, D(7))) == D(7)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, TradingStatus.OPEN),
        ({"trading_disabled": True}, TradingStatus.HALTED),
        ({"is_disabled": True, "cancel_only": True}, TradingStatus.HALTED),
        ({"cancel_only": True}, TradingStatus.CANCEL_ONLY),
        ({"post_only": True, "limit_only": True}, TradingStatus.POST_ONLY),
        ({"limit_only": True}, TradingStatus.LIMIT_ONLY),
        ({"auction_mode": True}, TradingStatus.LIMIT_ONLY),
        ({"fcm_trading_session_details": {"is_session_open": False}}, TradingStatus.HALTED),
        ({"fcm_trading_session_details": None}, TradingStatus.HALTED),
    ],
)
def test_what_a_product_may_do(changes: dict[str, Any], status: TradingStatus) -> None:
    """The narrowest flag wins, and a closed session is a halt."""
    assert trading_status(a_product(**changes)) is status


@pytest.mark.parametrize(
    ("product", "name"),
    [
        (a_product(price_increment=""), "price_increment of BIP-20DEC30-CDE"),
        (a_product(base_increment="0"), "base_increment of BIP-20DEC30-CDE"),
        (a_product({"contract_size": None}), "contract_size of BIP-20DEC30-CDE"),
        (a_product({"overnight_margin_rate": None}), "overnight_margin_rate of BIP-20DEC30-CDE"),
        (
            a_product({"intraday_margin_rate": {"long_margin_rate": "", "short_margin_rate": "0.1"}}),
            "intraday_margin_rate",
        ),
        (a_product({"funding_interval": "1h"}), "funding_interval of BIP-20DEC30-CDE"),
    ],
)
def test_a_perpetual_without_what_trading_needs_is_told(product: Product, name: str) -> None:
    """No tick, size or margin is ever made up."""
    with pytest.raises(WireError, match=name):
        Catalogue([product], FEES)
