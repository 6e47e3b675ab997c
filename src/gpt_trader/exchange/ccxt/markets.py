"""What can be traded there? CCXT's markets as products of ours, found by base and settle currency.

`BTC-PERP` is the one linear perpetual of BTC that settles in the configured currency; `BTC-SPOT` is BTC against it.
Margin rates are those of the account's leverage and of the exchange's first tier; what it does not say is taken as
fully paid. CCXT's fees are sometimes in another unit: what cannot be a share is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ZERO, MarginRates, ProductSpec, TradingStatus, Value
from gpt_trader.exchange.ccxt.reading import Market, ReplyError, needed, number

__all__ = ["Catalogue", "MarketKind", "Terms"]

FEE_RATE_MAX: Final = Decimal("0.02")
"""Two percent: more is a number in another unit."""
FUNDING_SECONDS: Final = 8 * 3600
LIMIT_NONE: Final = Decimal(10) ** 12
FULL: Final = Decimal(1)


class MarketKind(StrEnum):
    SPOT = "spot"
    FUTURES = "futures"
    """Linear perpetual swaps."""


SUFFIX: Final = {MarketKind.SPOT: "-SPOT", MarketKind.FUTURES: "-PERP"}


class Terms(Value, frozen=True, kw_only=True):
    """What an account is asked to pay and to hold for one product, as shares of notional."""

    maker: Decimal
    taker: Decimal
    initial: Decimal = FULL
    maintenance: Decimal = FULL
    funding_seconds: int = FUNDING_SECONDS


class Catalogue:
    """Products by our symbol and by CCXT's. A market that lacks what trading it needs is left out, and says why."""

    def __init__(self, markets: Iterable[Market], kind: MarketKind, settle: str) -> None:
        found: dict[str, list[Market]] = defaultdict(list)
        for market in markets:
            if _fits(market, kind, settle):
                found[market.base + SUFFIX[kind]].append(market)
        self._markets = {symbol: each[0] for symbol, each in sorted(found.items()) if len(each) == 1}
        self._ambiguous = {symbol: each for symbol, each in found.items() if len(each) > 1}
        self._kind, self._settle = kind, settle
        self._by_name = {market.symbol: symbol for symbol, market in self._markets.items()}
        self.products: dict[str, ProductSpec] = {}
        self._unfit: dict[str, str] = {}
        for symbol, market in self._markets.items():
            try:
                self.products[symbol] = _spec(symbol, market, _published(market))
            except ReplyError as error:
                self._unfit[symbol] = str(error)

    def resolve(self, symbol: str) -> Market:
        """Raises ConfigError for no market, and for more than one."""
        market = self._markets.get(symbol)
        if symbol in self._unfit:
            raise ConfigError(f"symbols: {symbol} cannot be traded there: {self._unfit[symbol]}")
        if market is not None:
            return market
        if symbol in self._ambiguous:
            names = ", ".join(each.symbol for each in self._ambiguous[symbol])
            raise ConfigError(f"symbols: {symbol} is more than one market: {names}. Fix: trade another symbol")
        raise ConfigError(
            f"symbols: no {self._kind} market of {symbol} settles in {self._settle} there; it has "
            f"{', '.join([*self._markets][:20]) or 'none'}. Fix: set venue.settle_currency, or trade another symbol"
        )

    def symbol_of(self, name: str | None) -> str | None:
        """Ours for CCXT's; None for what is not in this catalogue."""
        return self._by_name.get(name or "")

    def name_of(self, symbol: str) -> str:
        return self.resolve(symbol).symbol

    def learn(self, symbol: str, terms: Terms) -> None:
        """What the account pays and holds for one; the rest keeps what is published."""
        self.products[symbol] = _spec(symbol, self.resolve(symbol), terms)


def _fits(market: Market, kind: MarketKind, settle: str) -> bool:
    if kind is MarketKind.SPOT:
        return market.type == "spot" and market.quote == settle
    return market.type == "swap" and bool(market.linear) and market.settle == settle and market.quote == settle


def _published(market: Market) -> Terms:
    return Terms(
        maker=needed(market.maker, f"maker fee of {market.symbol}"),
        taker=needed(market.taker, f"taker fee of {market.symbol}"),
    )


def _spec(symbol: str, market: Market, terms: Terms) -> ProductSpec:
    size = number(market.contractSize) or Decimal(1)
    step = _above_zero(market.precision.amount, f"amount precision of {market.symbol}")
    rates = MarginRates(
        initial_long=terms.initial,
        initial_short=terms.initial,
        maintenance_long=terms.maintenance,
        maintenance_short=terms.maintenance,
    )
    for name, rate in (("maker", terms.maker), ("taker", terms.taker)):
        if not -FEE_RATE_MAX <= rate <= FEE_RATE_MAX:
            raise ReplyError(f"{name} fee of {market.symbol} is {rate}: not a share of the notional")
    return ProductSpec(
        symbol=symbol,
        venue_symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        tick=_above_zero(market.precision.price, f"price precision of {market.symbol}"),
        lot=size * step,
        contract_size=size,
        min_quantity=size * max(step, number(market.limits.amount.min) or ZERO),
        max_quantity=size * (number(market.limits.amount.max) or LIMIT_NONE),
        min_notional=number(market.limits.cost.min) or ZERO,
        maker_fee_rate=terms.maker,
        taker_fee_rate=terms.taker,
        margin_intraday=rates,
        margin_overnight=rates,
        funding_interval_seconds=terms.funding_seconds,
        status=TradingStatus.OPEN if market.active is not False else TradingStatus.HALTED,
    )


def _above_zero(written: str | float | None, name: str) -> Decimal:
    found = needed(written, name)
    if found <= ZERO:
        raise ReplyError(f"{name} is {found}, not above zero")
    return found
