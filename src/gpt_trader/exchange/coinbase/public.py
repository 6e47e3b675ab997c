"""What does anybody see of Coinbase? Its live market without a key, for paper trading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import Clock
from gpt_trader.core.values import ProductSpec, Side
from gpt_trader.exchange.base import MarketListener, RowsListener
from gpt_trader.exchange.budget import RequestBudget
from gpt_trader.exchange.coinbase.decoding import needed
from gpt_trader.exchange.coinbase.endpoints import BAR_SECONDS, endpoints_of
from gpt_trader.exchange.coinbase.feed import CoinbaseFeed
from gpt_trader.exchange.coinbase.frames import BookEvent, Frame, TradesEvent
from gpt_trader.exchange.coinbase.history import TAKER_SIDES
from gpt_trader.exchange.coinbase.live_market import LiveMarket
from gpt_trader.exchange.coinbase.products import first_tier_fees, quantity
from gpt_trader.exchange.coinbase.rest import CoinbaseRest
from gpt_trader.exchange.coinbase.transport import Transport

__all__ = ["CoinbasePublic"]

REQUESTS_PER_SECOND = 8
"""Of ten that an address without a key has."""


class CoinbasePublic:
    """LiveFeed of Coinbase. Fees are those of the first tier, as the simulated products have them."""

    name = "coinbase"

    def __init__(self, config: BotConfig, clock: Clock, draw: Callable[[], float]) -> None:
        """Raises ConfigError for a served venue that is not there."""
        endpoints = endpoints_of(config)
        budget = RequestBudget(clock, per_second=REQUESTS_PER_SECOND, reserve=0)
        self._transport = Transport(None, budget, host=endpoints.rest, ca_file=endpoints.ca_file)
        self._feed = CoinbaseFeed(
            CoinbaseRest(self._transport),
            endpoints=endpoints,
            key=None,
            clock=clock,
            draw=draw,
            bar_seconds=config.run.bar_seconds or BAR_SECONDS,
        )
        self._rows: RowsListener | None = None

    @property
    def market(self) -> LiveMarket:
        return self._feed.market

    @property
    def products(self) -> Mapping[str, ProductSpec]:
        return self._feed.products

    async def connect(self) -> None:
        await self._feed.connect(first_tier_fees())

    def resolve(self, symbol: str) -> ProductSpec:
        return self._feed.resolve(symbol)

    async def start(self, symbols: Sequence[str], on_market: MarketListener, rows: RowsListener) -> None:
        self._rows = rows
        await self._feed.start(symbols, on_market, self._hear)

    def watch_price(
        self, symbol: str, low: Decimal | None, high: Decimal | None, reached: Callable[[Decimal], None]
    ) -> None:
        self._feed.market.watch_price(symbol, low, high, reached)

    async def close(self) -> None:
        await self._feed.close()
        self._transport.close()

    def _hear(self, frame: Frame, received_ns: int) -> None:
        assert self._rows is not None
        for event in frame.events:
            if isinstance(event, BookEvent):
                self._hear_book(self._rows, event, received_ns)
            elif isinstance(event, TradesEvent) and event.type != "snapshot":
                self._hear_trades(self._rows, event, received_ns)

    def _hear_book(self, rows: RowsListener, event: BookEvent, received_ns: int) -> None:
        product = self._feed.product_of(event.product_id)
        if product is None:
            return
        if event.type == "snapshot":
            rows.clear(product.symbol, received_ns)
        for level in event.updates:
            side = Side.BUY if level.side == "bid" else Side.SELL
            size = quantity(product, needed(level.new_quantity, "new_quantity"))
            rows.level(product.symbol, side, needed(level.price_level, "price_level"), size, received_ns)

    def _hear_trades(self, rows: RowsListener, event: TradesEvent, received_ns: int) -> None:
        for trade in reversed(event.trades):
            product = self._feed.product_of(trade.product_id)
            if product is not None:
                size = quantity(product, needed(trade.size, "size of a trade"))
                sign, price = TAKER_SIDES.get(trade.side, 0), needed(trade.price, "price of a trade")
                rows.trade(product.symbol, sign, price, size, received_ns)
