"""What if we traded the real market with made-up money? Live public data of an exchange, fills by the in-process venue.

The book, trades, mark and funding that the exchange tells become rows of the simulated venue, stamped when they were
received; orders meet them there with the configured latencies. While nothing is heard there is no book, and nothing
fills. What is decided is decided on the live market itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import NS, Clock, VirtualClock
from gpt_trader.core.values import (
    Account,
    Bar,
    OrderTicket,
    Position,
    ProductSpec,
    Side,
)
from gpt_trader.exchange.base import (
    AccountListener,
    Capabilities,
    FillPage,
    LiveFeed,
    MarketListener,
    OrderPreview,
    OrderUpdate,
    PreparedOrder,
    ProductChanged,
    StreamChanged,
)
from gpt_trader.exchange.paper import PaperExchange, venue_settings
from gpt_trader.exchange.tasks import Tasks
from gpt_trader.market.rows import CLEAR, FUNDING, LEVEL, MARK, MONEY_SCALE, RATE_SCALE, ROW, STATUS, STATUSES, TRADE
from gpt_trader.market.stream import Rows
from gpt_trader.market.view import MarketView

__all__ = ["LivePaperExchange", "LiveRows"]

PUMP_SECONDS: Final = 0.02
"""How often the simulated venue follows the live market."""
DEPTH: Final = 200
"""Levels a side that the simulated venue sees."""
FUNDING_LAG_NS: Final = 10 * NS
"""What the published rate of the hour needs to be there."""
HORIZON_NS: Final = 366 * 86_400 * NS
"""A paper run ends before this; only the venue's timetable asks."""


class LiveRows:
    """A MarketStream whose rows are still being made.

    Each batch ends with a row of the next nanosecond, so that the venue never asks for what has not happened yet.
    """

    bar_seconds = 60
    modelled_book = False

    def __init__(self, name: str, products: Sequence[ProductSpec], start_ns: int) -> None:
        self.name = name
        self.products = tuple(products)
        self.start_ns = start_ns
        self.end_ns = start_ns + HORIZON_NS
        self.digest = ""
        self.notes = (f"live market data of {name}; fills are simulated",)
        self._index = {product.symbol: index for index, product in enumerate(self.products)}
        self._pending: list[tuple[int, ...]] = []
        self._last_ns = start_ns

    def status(self, product: ProductSpec, at_ns: int) -> None:
        self._add(at_ns, STATUS, product.symbol, STATUSES.index(product.status.value))

    def clear(self, symbol: str, at_ns: int) -> None:
        """Nothing is known of the book any more."""
        self._add(at_ns, CLEAR, symbol, 0)

    def level(self, symbol: str, side: Side, price: Decimal, quantity: Decimal, at_ns: int) -> None:
        """The whole quantity of a level."""
        product = self.products[self._index[symbol]]
        self._add(at_ns, LEVEL, symbol, int(price / product.tick), side=side.sign, b=int(quantity / product.lot))

    def trade(self, symbol: str, taker_sign: int, price: Decimal, quantity: Decimal, at_ns: int) -> None:
        product = self.products[self._index[symbol]]
        lots = int(quantity / product.lot)
        if lots:
            self._add(at_ns, TRADE, symbol, int(price / product.tick), side=taker_sign, b=lots)

    def mark(self, symbol: str, price: Decimal, at_ns: int) -> None:
        self._add(at_ns, MARK, symbol, int(price * MONEY_SCALE))

    def funding(self, symbol: str, rate: Decimal, at_ns: int) -> None:
        self._add(at_ns, FUNDING, symbol, int(rate * RATE_SCALE))

    def _add(self, at_ns: int, kind: int, symbol: str, a: int, *, side: int = 0, b: int = 0) -> None:
        self._last_ns = at_ns = max(at_ns, self._last_ns)
        self._pending.append((at_ns, at_ns, kind, side, self._index[symbol], 0, a, b, 0, 0, 0))

    def due(self, now_ns: int) -> None:
        """Everything up to now has been told."""
        self.status(self.products[0], now_ns + 1)

    def keep(self, product: ProductSpec) -> None:
        """As the venue lists it now."""
        place = self._index[product.symbol]
        self.products = (*self.products[:place], product, *self.products[place + 1 :])

    def chunks(self) -> Iterator[Rows]:
        while True:
            rows, self._pending = self._pending, []
            assert rows, "the venue is moved to what was told, and no further"
            yield np.array(rows, dtype=ROW)


class LivePaperExchange:
    """ExchangeAdapter over a live feed and a simulated account. Each process begins with a new account."""

    def __init__(self, config: BotConfig, feed: LiveFeed, clock: Clock) -> None:
        self._config = config
        self._feed = feed
        self._clock = clock
        self._inner_clock: VirtualClock | None = None
        self._on_market: MarketListener | None = None
        self._tasks = Tasks("paper")
        self._funded_hours: dict[str, int] = {}

    # --- who it is ------------------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return "paper"

    @property
    def simulated(self) -> bool:
        return True

    @property
    def capabilities(self) -> Capabilities:
        return self._venue.capabilities

    @property
    def account_name(self) -> str:
        return ""

    @property
    def market(self) -> MarketView:
        return self._feed.market

    def products(self) -> Mapping[str, ProductSpec]:
        return self._feed.products

    def account(self) -> Account:
        return self._venue.account()

    # --- life -----------------------------------------------------------------------------------------------------
    async def connect(self) -> None:
        await self._feed.connect()
        now_ns = self._clock.now_ns()
        specs = [self._feed.resolve(symbol) for symbol in self._config.symbols]
        self._rows = LiveRows(self._feed.name, specs, now_ns)
        self._rows.due(now_ns)
        self._inner_clock = VirtualClock(now_ns)
        self._venue = PaperExchange(
            self._rows,
            clock=self._inner_clock,
            cash=self._config.venue.starting_cash,
            settings=venue_settings(self._config.venue, self._config.run.seed),
        )
        self._venue.venue.wake_on_bars(wanted=False)

    async def start(self, symbols: Sequence[str], on_market: MarketListener, on_account: AccountListener) -> None:
        self._on_market = on_market
        await self._feed.start(symbols, self._hear_market, self._rows)
        self._tasks.spawn("paper venue", self._pump(), self._failed)
        await self._venue.start(symbols, lambda _: None, on_account)

    def watch_price(
        self, symbol: str, low: Decimal | None, high: Decimal | None, reached: Callable[[Decimal], None]
    ) -> None:
        self._feed.watch_price(symbol, low, high, reached)

    async def close(self) -> None:
        """The simulated account ends with the process."""
        await self._feed.close()
        await self._tasks.close()
        await self._venue.close()

    def _failed(self, reason: str) -> None:
        if self._on_market is not None:
            self._on_market(StreamChanged(name="paper venue", up=False, reason=reason, final=True))

    def _hear_market(self, item: Bar | ProductChanged | StreamChanged) -> None:
        now_ns = self._clock.now_ns()
        if isinstance(item, ProductChanged):
            product = self._feed.products[item.symbol]
            self._rows.keep(product)
            self._rows.status(product, now_ns)
        elif isinstance(item, StreamChanged) and not item.up:
            for symbol in self._config.symbols:
                self._rows.clear(symbol, now_ns)
        if self._on_market is not None:
            self._on_market(item)

    async def _pump(self) -> None:
        """Let the simulated venue follow the clock, for ever."""
        while True:
            now_ns = self._clock.now_ns()
            for symbol in self._config.symbols:
                self._tell_mark(symbol, now_ns)
            self._rows.due(now_ns)
            while self._venue.advance(now_ns) < now_ns:
                pass
            await self._clock.sleep(PUMP_SECONDS)

    def _tell_mark(self, symbol: str, now_ns: int) -> None:
        mark = self._feed.market.mark(symbol)
        if mark is None:
            return
        self._rows.mark(symbol, mark.price, now_ns)
        interval_ns = self._feed.products[symbol].funding_interval_seconds * NS
        hour = (now_ns - FUNDING_LAG_NS) // interval_ns
        if hour > self._funded_hours.setdefault(symbol, hour):
            self._funded_hours[symbol] = hour
            self._rows.funding(symbol, self._feed.market.funding_rate(symbol), now_ns)

    # --- orders and questions: the simulated venue's ----------------------------------------------------------------
    def prepare(self, ticket: OrderTicket) -> PreparedOrder:
        return self._venue.prepare(ticket)

    async def preview(self, prepared: PreparedOrder) -> OrderPreview:
        return await self._venue.preview(prepared)

    async def send(self, prepared: PreparedOrder) -> OrderUpdate:
        return await self._venue.send(prepared)

    async def cancel(self, client_order_id: str, venue_order_id: str, symbol: str) -> None:
        await self._venue.cancel(client_order_id, venue_order_id, symbol)

    async def order(self, client_order_id: str, venue_order_id: str) -> OrderUpdate:
        return await self._venue.order(client_order_id, venue_order_id)

    async def open_orders(self) -> tuple[OrderUpdate, ...]:
        return await self._venue.open_orders()

    async def fills(self, cursor: str) -> FillPage:
        return await self._venue.fills(cursor)

    def fill_cursor(self, since_ns: int) -> str:
        return self._venue.fill_cursor(since_ns)

    async def balances(self) -> Account:
        return await self._venue.balances()

    async def positions(self) -> tuple[Position, ...]:
        return await self._venue.positions()
