"""How does Coinbase's past get into the catalog? Its public candles or trades as one market, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Final

from msgspec import Struct, structs

from gpt_trader.core.clock import NS, Clock, iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ProductSpec, TradingStatus
from gpt_trader.exchange.budget import RequestBudget
from gpt_trader.exchange.coinbase.history import GRANULARITIES, CoinbaseHistory
from gpt_trader.exchange.coinbase.products import Catalogue, FeeRates
from gpt_trader.exchange.coinbase.rest import CoinbaseRest
from gpt_trader.exchange.coinbase.transport import HOST, Transport
from gpt_trader.market.catalog import Source
from gpt_trader.market.fetching import RowSpool, fetch_bars, fetch_trades
from gpt_trader.market.importing import Opened
from gpt_trader.market.merging import merge_markets
from gpt_trader.market.products import LIQUIDATION_FEE_RATE
from gpt_trader.market.recording import RecordedMarket

__all__ = ["Wanted", "fetch_market"]

FEES: Final = FeeRates(maker=Decimal("0.00095"), taker=Decimal("0.00100"))
"""Of the lowest tier, as read in September 2026; the venue names fees to an account only."""
REQUESTS_PER_SECOND: Final = 8
"""Below the 10 a second of public endpoints."""
LATE_SECONDS: Final = 3600
"""A market that begins so much later than asked says so."""

Tell = Callable[[int], None]


class Wanted(Struct, frozen=True, kw_only=True):
    """What of the past shall be fetched."""

    products: tuple[str, ...]
    """`BTC-PERP`, or the venue's own ids."""
    from_ns: int
    to_ns: int | None = None
    """None is now."""
    bar_seconds: int | None = 60
    """None asks for single trades."""
    host: str = HOST
    ca_file: str | None = None
    """Authorities instead of the public ones, such as those of a served venue."""


def fetch_market(wanted: Wanted, name: str, clock: Clock, keep: ExitStack, tells: Sequence[Tell]) -> Opened:
    """One market of one or more products; its rows lie in files that `keep` owns.

    Raises ConfigError, MarketDataError, ExchangeError.
    """
    if wanted.bar_seconds is not None and wanted.bar_seconds not in GRANULARITIES:
        known = ", ".join(str(seconds) for seconds in GRANULARITIES)
        raise ConfigError(f"--bar-seconds {wanted.bar_seconds}: Coinbase has candles of {known} seconds")
    return asyncio.run(_fetch(wanted, name, clock, keep, tells))


async def _fetch(wanted: Wanted, name: str, clock: Clock, keep: ExitStack, tells: Sequence[Tell]) -> Opened:
    budget = RequestBudget(clock, per_second=REQUESTS_PER_SECOND, reserve=0)
    transport = Transport(None, budget, host=wanted.host, ca_file=wanted.ca_file)
    try:
        rest = CoinbaseRest(transport)
        catalogue = Catalogue(await rest.listed_futures(), FEES)
        specs = [_as_simulated(_resolve(catalogue, product)) for product in wanted.products]
        now_ns = await rest.time_ns()
        to_ns = now_ns if wanted.to_ns is None else min(wanted.to_ns, now_ns)
        if wanted.from_ns >= to_ns:
            raise ConfigError(
                f"--from {iso(wanted.from_ns)} is not before {iso(to_ns)}. Fix: ask for a time that has passed"
            )
        history = CoinbaseHistory(rest, clock)
        markets = [
            await _one(history, spec, structs.replace(wanted, to_ns=to_ns), keep.enter_context(RowSpool()), tell)
            for spec, tell in zip(specs, tells, strict=True)
        ]
    finally:
        transport.close()
    markets = [_dated(market, wanted.from_ns) for market in markets]
    sources = tuple(Source(name=market.name, digest=market.digest) for market in markets)
    return Opened(merge_markets(name, markets), sources)


async def _one(
    history: CoinbaseHistory, spec: ProductSpec, wanted: Wanted, spool: RowSpool, tell: Tell
) -> RecordedMarket:
    to_ns = wanted.to_ns
    assert to_ns is not None, "the end is settled before the first page"
    asked = f"Asked of {wanted.host} for {iso(wanted.from_ns)} to {iso(to_ns)}."
    notes, source = (asked, *_assumptions(spec)), f"coinbase {spec.venue_symbol}"
    if wanted.bar_seconds is None:
        trades = history.trades(spec, wanted.from_ns, to_ns)
        return await fetch_trades(trades, spec, spool, source=source, notes=notes, tell=tell)
    seconds = wanted.bar_seconds
    bars = history.bars(spec, seconds, wanted.from_ns, to_ns)
    return await fetch_bars(bars, spec, spool, source=source, bar_seconds=seconds, notes=notes, tell=tell)


def _dated(market: RecordedMarket, from_ns: int) -> RecordedMarket:
    """Says so where the venue's past does not go back as far as was asked."""
    if market.start_ns - from_ns <= LATE_SECONDS * NS:
        return market
    late = f"The venue handed out nothing before {iso(market.start_ns)}."
    return replace(market, notes=(*market.notes, late))


def _resolve(catalogue: Catalogue, product: str) -> ProductSpec:
    return catalogue.of_id(product) or catalogue.resolve(product)


def _as_simulated(spec: ProductSpec) -> ProductSpec:
    """Open, whatever the hour of the import is; with the fee of liquidations that the simulated venue assumes."""
    return structs.replace(spec, status=TradingStatus.OPEN, liquidation_fee_rate=LIQUIDATION_FEE_RATE)


def _assumptions(spec: ProductSpec) -> tuple[str, ...]:
    return (
        f"{spec.venue_symbol} is called {spec.symbol}; tick, lot and margin are those of the day of the import.",
        "Fees of 0.095 % maker and 0.100 % taker and 0.5 % for a liquidation are assumed.",
        "Coinbase publishes no history of index and funding: none is in the rows.",
    )
