"""What is this account asked to pay and to hold? Fees, margin and funding of one market, as the exchange says them.

What it does not say is taken on the careful side: fully paid, eight hours of funding.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec import structs

from gpt_trader.exchange.ccxt.client import Client
from gpt_trader.exchange.ccxt.markets import FULL, FUNDING_SECONDS, MarketKind, Terms
from gpt_trader.exchange.ccxt.reading import FeeRate, FundingState, Leverage, Market, Tier, needed, number

__all__ = ["terms_of"]

HOUR_SECONDS: Final = 3600


async def terms_of(client: Client, market: Market, kind: MarketKind) -> Terms:
    """Raises ExchangeError, and ReplyError where a fee is not said at all."""
    name, maker, taker = market.symbol, market.maker, market.taker
    if client.can("fetchTradingFee"):
        rates = await client.ask("fetch_trading_fee", FeeRate, name)
        maker, taker = rates.maker, rates.taker
    paid = Terms(maker=needed(maker, f"maker fee of {name}"), taker=needed(taker, f"taker fee of {name}"))
    if kind is MarketKind.SPOT:
        return paid
    initial = await _initial_margin(client, name)
    return structs.replace(
        paid,
        initial=initial,
        maintenance=await _maintenance_margin(client, name, initial),
        funding_seconds=await _funding_seconds(client, name),
    )


async def _initial_margin(client: Client, name: str) -> Decimal:
    """One over the leverage that the account has set."""
    found = None
    if client.can("fetchLeverages"):
        found = (await client.ask("fetch_leverages", dict[str, Leverage], [name])).get(name)
    elif client.can("fetchLeverage"):
        found = await client.ask("fetch_leverage", Leverage, name)
    leverage = number(found.longLeverage) if found is not None else None
    return FULL if not leverage else round(1 / leverage, 8)


async def _maintenance_margin(client: Client, name: str, initial: Decimal) -> Decimal:
    """Of the smallest tier; what is not said is as large as the initial margin."""
    if not client.can("fetchLeverageTiers"):
        return initial
    tiers = (await client.ask("fetch_leverage_tiers", dict[str, list[Tier]], [name])).get(name)
    rate = number(tiers[0].maintenanceMarginRate) if tiers else None
    return initial if rate is None else rate


async def _funding_seconds(client: Client, name: str) -> int:
    if not client.can("fetchFundingIntervals"):
        return FUNDING_SECONDS
    found = (await client.ask("fetch_funding_intervals", dict[str, FundingState], [name])).get(name)
    hours = (found.interval or "").removesuffix("h") if found is not None else ""
    return int(hours) * HOUR_SECONDS if hours.isdecimal() and int(hours) else FUNDING_SECONDS
