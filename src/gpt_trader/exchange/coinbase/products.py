"""What can be traded, and how much is a contract? The catalogue: products by rule, contracts into base units and back.

A US perpetual-style future says `contract_expiry_type=EXPIRING`, as dated ones do; it is known by its funding. Its
ids and expiries change, so `BTC-PERP` is found by asset and kind. Two of one asset are refused, not guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ZERO, MarginRates, ProductSpec, TradingStatus, Value
from gpt_trader.exchange.coinbase.decoding import WireError, Written, needed, number
from gpt_trader.exchange.coinbase.replies import FutureDetails, MarginRate, Product
from gpt_trader.market.products import simulated_product

__all__ = ["Catalogue", "FeeRates", "contracts", "first_tier_fees", "is_perpetual", "quantity", "trading_status"]

MAINTENANCE_SHARE: Final = Decimal(2) / Decimal(3)
"""Maintenance margin as a share of the initial margin; only the initial rates are published per product."""
SUFFIX: Final = "-PERP"
FUNDING_SECONDS_MAX: Final = 86_400


class FeeRates(Value, frozen=True, kw_only=True):
    """Of the account's tier for futures, as shares of notional."""

    maker: Decimal
    taker: Decimal


def first_tier_fees() -> FeeRates:
    """What the simulated products charge: Coinbase's first tier for futures, as it was read."""
    product = simulated_product("BTC-PERP")
    return FeeRates(maker=product.maker_fee_rate, taker=product.taker_fee_rate)


class Catalogue:
    """Every perpetual future that the venue lists, as last refreshed."""

    def __init__(self, products: Iterable[Product], fees: FeeRates) -> None:
        """Raises WireError for a perpetual that lacks what trading it needs."""
        by_symbol: dict[str, list[ProductSpec]] = defaultdict(list)
        for product in products:
            if is_perpetual(product):
                spec = _spec(product, fees)
                by_symbol[spec.symbol].append(spec)
        self.products: Mapping[str, ProductSpec] = {
            symbol: specs[0] for symbol, specs in sorted(by_symbol.items()) if len(specs) == 1
        }
        self._ambiguous = {symbol: specs for symbol, specs in by_symbol.items() if len(specs) > 1}
        self._by_id = {spec.venue_symbol: spec for spec in self.products.values()}

    def resolve(self, symbol: str) -> ProductSpec:
        """The one product that a symbol means. Raises ConfigError for none, and for more than one."""
        spec = self.products.get(symbol)
        if spec is not None:
            return spec
        if symbol in self._ambiguous:
            ids = ", ".join(sorted(each.venue_symbol for each in self._ambiguous[symbol]))
            raise ConfigError(
                f"symbols: {symbol} is more than one product of Coinbase: {ids}. Fix: trade another symbol"
            )
        raise ConfigError(
            f"symbols: Coinbase lists no perpetual future {symbol}; it has {', '.join(self.products) or 'none'}"
        )

    def of_id(self, product_id: str) -> ProductSpec | None:
        """None for what is no perpetual future of this catalogue: spot, dated futures, other accounts' listings."""
        return self._by_id.get(product_id)


def contracts(spec: ProductSpec, quantity: Decimal) -> Decimal:
    """Base units as contracts; a quantity on the lot grid gives a multiple of the venue's increment."""
    return quantity / spec.contract_size


def quantity(spec: ProductSpec, size: Decimal) -> Decimal:
    """Contracts as base units."""
    return size * spec.contract_size


def is_perpetual(product: Product) -> bool:
    """A future of the FCM that pays funding; the display name decides where the venue leaves funding out."""
    details = product.future_product_details
    if product.product_type != "FUTURE" or product.product_venue != "FCM" or details is None:
        return False
    funded = bool(details.funding_interval) or number(details.funding_rate) is not None
    return bool(details.contract_root_unit) and (funded or (product.display_name or "").endswith("PERP"))


def trading_status(product: Product) -> TradingStatus:
    """The narrowest of what the flags and the session allow; a session nobody speaks of counts as closed."""
    session = product.fcm_trading_session_details
    if product.trading_disabled or product.is_disabled or product.view_only:
        return TradingStatus.HALTED
    if product.cancel_only:
        return TradingStatus.CANCEL_ONLY
    if session is None or not session.is_session_open:
        return TradingStatus.HALTED
    if product.post_only:
        return TradingStatus.POST_ONLY
    return TradingStatus.LIMIT_ONLY if product.limit_only or product.auction_mode else TradingStatus.OPEN


def _spec(product: Product, fees: FeeRates) -> ProductSpec:
    details = product.future_product_details
    assert details is not None
    name = product.product_id
    size = _above_zero(details.contract_size, f"contract_size of {name}")
    increment = _above_zero(product.base_increment, f"base_increment of {name}")
    return ProductSpec(
        symbol=f"{details.contract_root_unit}{SUFFIX}",
        venue_symbol=name,
        base=details.contract_root_unit or "",
        quote=product.quote_currency_id or "USD",
        tick=_above_zero(product.price_increment, f"price_increment of {name}"),
        lot=size * increment,
        contract_size=size,
        min_quantity=size * _above_zero(product.base_min_size, f"base_min_size of {name}"),
        max_quantity=size * _above_zero(product.base_max_size, f"base_max_size of {name}"),
        maker_fee_rate=fees.maker,
        taker_fee_rate=fees.taker,
        margin_intraday=_margin(details.intraday_margin_rate, f"intraday_margin_rate of {name}"),
        margin_overnight=_margin(details.overnight_margin_rate, f"overnight_margin_rate of {name}"),
        funding_interval_seconds=_seconds(details, name),
        status=trading_status(product),
    )


def _above_zero(written: Written, name: str) -> Decimal:
    found = needed(written, name)
    if found <= ZERO:
        raise WireError(f"{name} of Coinbase is {found}, not above zero")
    return found


def _margin(rates: MarginRate | None, name: str) -> MarginRates:
    if rates is None:
        raise WireError(f"{name} of Coinbase is missing")
    long = _above_zero(rates.long_margin_rate, name)
    short = _above_zero(rates.short_margin_rate, name)
    return MarginRates(
        initial_long=long,
        initial_short=short,
        maintenance_long=round(long * MAINTENANCE_SHARE, 8),
        maintenance_short=round(short * MAINTENANCE_SHARE, 8),
    )


def _seconds(details: FutureDetails, name: str) -> int:
    written = (details.funding_interval or "3600s").removesuffix("s")
    if not written.isdecimal() or not 0 < int(written) <= FUNDING_SECONDS_MAX:
        raise WireError(f"funding_interval of {name} is {details.funding_interval!r}, not a number of seconds")
    return int(written)
