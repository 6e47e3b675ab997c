"""Where an exchange adapter is tried: a small steady market behind the adapter, and a loop to run it on.

A place for another adapter gives `adapter`, `run` and `stop`; all else of `Place` follows from the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
from tests.binance_venue import KEY, SECRET, ServedBinance, binance
from tests.house_under_test import steady_market
from tests.venue_server import ServedVenue, served

from gpt_trader.config.bot import BotConfig, CredentialsConfig
from gpt_trader.core.clock import NS, Clock, SystemClock, VirtualClock, run_virtual
from gpt_trader.core.values import Account, Bar, OrderState, OrderTicket, OrderType, Side, TimeInForce
from gpt_trader.exchange.base import (
    ExchangeAdapter,
    FillUpdate,
    FundingUpdate,
    OrderUpdate,
    PreparedOrder,
    ProductChanged,
    StreamChanged,
)
from gpt_trader.exchange.ccxt.adapter import CcxtAdapter
from gpt_trader.exchange.ccxt.binance import BinanceCCXTAdapter, binance_client
from gpt_trader.exchange.ccxt.markets import MarketKind
from gpt_trader.exchange.coinbase.adapter import CoinbaseExchange
from gpt_trader.exchange.coinbase.credentials import key_of
from gpt_trader.exchange.coinbase.endpoints import Endpoints
from gpt_trader.exchange.coinbase.public import CoinbasePublic
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.exchange.paper_live import LivePaperExchange
from gpt_trader.market.memory import ArrayStream

D = Decimal
SYMBOL = "BTC-PERP"
PRICE = D(60_000)
"""Of the steady market; its best prices are 5 away, each of ten levels has one unit."""
CASH = D(100_000)
WAIT_SECONDS = 15.0
Scenario = Callable[["Place"], Coroutine[Any, Any, Any]]
_NUMBERS = itertools.count(1)


WHOLE: Final = tuple((PRICE + off, D(1)) for off in (-5, -10, 5, 10))
"""Two levels a side of the steady market: price and quantity."""


class Place(ABC):
    """One adapter, started on SYMBOL, and what it told."""

    adapter: ExchangeAdapter
    clock: Clock
    bar_seconds: int

    def __init__(self) -> None:
        self.bars: list[Bar] = []
        self.streams: list[StreamChanged] = []
        self.updates: list[OrderUpdate] = []
        self.fills: list[FillUpdate] = []
        self.accounts: list[Account] = []

    @abstractmethod
    def run(self, scenario: Scenario) -> Any:
        """Play a scenario with the adapter started; its result."""

    def on_market(self, item: Bar | ProductChanged | StreamChanged) -> None:
        if isinstance(item, Bar):
            self.bars.append(item)
        elif isinstance(item, StreamChanged):
            self.streams.append(item)

    def on_account(self, update: OrderUpdate | FillUpdate | FundingUpdate | Account) -> None:
        if isinstance(update, OrderUpdate):
            self.updates.append(update)
        elif isinstance(update, FillUpdate):
            self.fills.append(update)
        elif isinstance(update, Account):
            self.accounts.append(update)

    async def eventually(self, there: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
        deadline_ns = self.clock.now_ns() + round(seconds * NS)
        while not there():
            assert self.clock.now_ns() < deadline_ns, f"never came: {what}; told {self.updates[-3:]}"
            await self.clock.sleep(0.02)

    def book_is_whole(self) -> bool:
        """Nobody has taken of the best levels, or they are full again: one unit each."""
        book = self.adapter.market.book(SYMBOL, 2)
        return book is not None and (*book.bids, *book.asks) == WHOLE

    # orders

    def ticket(self, **changes: Any) -> OrderTicket:
        """A resting buy of one contract, a little below the market."""
        fields: dict[str, Any] = {
            "client_order_id": f"gt-test-{next(_NUMBERS)}",
            "intent_id": "i",
            "symbol": SYMBOL,
            "side": Side.BUY,
            "quantity": D("0.01"),
            "order_type": OrderType.LIMIT,
            "time_in_force": TimeInForce.GTC,
            "limit_price": PRICE - 600,
            "valid_until_ns": self.clock.now_ns() + 60 * NS,
        }
        return OrderTicket(**fields | changes)

    def market_ticket(self, side: Side, quantity: str) -> OrderTicket:
        return self.ticket(
            side=side,
            quantity=D(quantity),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.IOC,
            limit_price=None,
        )

    async def send(self, **changes: Any) -> tuple[PreparedOrder, OrderUpdate]:
        prepared = self.adapter.prepare(self.ticket(**changes))
        return prepared, await self.adapter.send(prepared)

    async def trade(self, side: Side, quantity: str) -> list[FillUpdate]:
        """Buy or sell at the market; returns the trades that were told."""
        prepared = self.adapter.prepare(self.market_ticket(side, quantity))
        await self.adapter.send(prepared)
        name = prepared.ticket.client_order_id
        await self.eventually(lambda: self.filled(name) >= D(quantity), f"{quantity} filled")
        return self.fills_of(name)

    async def flat(self) -> None:
        """Close what is open and cancel what rests."""
        for order in await self.adapter.open_orders():
            await self.adapter.cancel(order.client_order_id, order.venue_order_id, order.symbol)
        for position in await self.adapter.positions():
            if position.quantity:
                side = Side.SELL if position.quantity > 0 else Side.BUY
                await self.trade(side, str(abs(position.quantity)))

    def fills_of(self, client_order_id: str) -> list[FillUpdate]:
        return [fill for fill in self.fills if fill.client_order_id == client_order_id]

    def filled(self, client_order_id: str) -> Decimal:
        return sum((fill.quantity for fill in self.fills_of(client_order_id)), D(0))

    def states(self, client_order_id: str) -> list[OrderState]:
        return [update.state for update in self.updates if update.client_order_id == client_order_id]

    async def told(self, client_order_id: str, *states: OrderState) -> None:
        """One of the states was told of the order."""
        await self.eventually(lambda: bool(set(states) & set(self.states(client_order_id))), f"{states}")

    async def position(self) -> Decimal:
        held = {position.symbol: position.quantity for position in await self.adapter.positions()}
        return held.get(SYMBOL, D(0))


def market(seconds: int) -> ArrayStream:
    """One price for so long; twice a second there is a trade, and the levels that were taken from are full again."""
    first = steady_market([int(PRICE)])
    opening = next(first.chunks())
    again = np.tile(opening, 2 * seconds)
    again["ts"] += np.repeat(np.arange(2 * seconds, dtype=np.int64) * (NS // 2), len(opening))
    again["recv"] = again["ts"]
    return ArrayStream(first.products, again, name="steady", bar_seconds=60)


class PaperPlace(Place):
    """The in-process exchange on virtual time."""

    def __init__(self) -> None:
        super().__init__()
        stream = market(600)
        self._virtual = VirtualClock(stream.start_ns)
        self.clock = self._virtual
        self.bar_seconds = stream.bar_seconds
        self._world = PaperExchange(stream, clock=self._virtual, cash=CASH, entry_latency_ms=10, ack_latency_ms=10)
        self.adapter = self._world

    def run(self, scenario: Scenario) -> Any:
        async def main() -> Any:
            await self.adapter.connect()
            await self.adapter.start([SYMBOL], self.on_market, self.on_account)
            return await scenario(self)

        return run_virtual(self._virtual, self._world, main)


class CoinbasePlace(Place):
    """The Coinbase adapter against the served venue, over TLS, in real time; one loop for all scenarios."""

    def __init__(self, venue: ServedVenue, *, account: int = 0, bar_seconds: int = 1) -> None:
        super().__init__()
        self.venue = venue
        self.clock = SystemClock()
        self.bar_seconds = bar_seconds
        self._account = account
        self._runner = asyncio.Runner()
        self._runner.run(self._start())

    def _made(self) -> ExchangeAdapter:
        return coinbase_adapter(self.venue, account=self._account, bar_seconds=self.bar_seconds)

    async def _start(self) -> None:
        self.adapter = self._made()
        await self.adapter.connect()
        await self.adapter.start([SYMBOL], self.on_market, self.on_account)

    def run(self, scenario: Scenario) -> Any:
        async def main() -> Any:
            await self.flat()
            await self.eventually(self.book_is_whole, "a whole book")
            return await scenario(self)

        return self._runner.run(main())

    def stop(self) -> None:
        self._runner.run(self.adapter.close())
        self._runner.close()


def coinbase_adapter(venue: ServedVenue, *, account: int = 0, **options: Any) -> CoinbaseExchange:
    """The adapter with a key of the served venue."""
    ready = venue.ready
    endpoints = Endpoints(rest=ready["rest"], ws=ready["ws"], ws_user=ready["ws_user"], ca_file=ready["ca"])
    key = key_of(CredentialsConfig(coinbase_api_key_file=ready["keys"][account]))
    chosen: dict[str, Any] = {"bar_seconds": 60, "draw": lambda: 0.0, "clock": SystemClock(), **options}
    return CoinbaseExchange(key=key, endpoints=endpoints, **chosen)


class LivePaperPlace(CoinbasePlace):
    """Paper trading on the live public market of the served venue, without a key."""

    def _made(self) -> ExchangeAdapter:
        path = self.venue.server.options.folder / "ready.json"
        path.write_text(json.dumps(self.venue.ready))
        wanted = {"kind": "paper", "exchange": "coinbase", "served": str(path), "starting_cash": str(CASH)}
        latencies = {"entry_latency_ms": 10, "ack_latency_ms": 10}
        config = BotConfig.model_validate({"venue": wanted | latencies, "run": {"bar_seconds": self.bar_seconds}})
        return LivePaperExchange(config, CoinbasePublic(config, self.clock, lambda: 0.0), self.clock)

    async def flat(self) -> None:
        """What our own orders took from the simulated book is there again with the market's next word."""
        seen, self._seen = self._seen, len(self.fills)
        await super().flat()
        if len(self.fills) > seen:
            self._seen = len(self.fills)
            await self.clock.sleep(0.6)

    _seen = 0


@contextlib.contextmanager
def paper_place(_: Path) -> Iterator[Place]:
    yield PaperPlace()


@contextlib.contextmanager
def coinbase_place(folder: Path, made: type[CoinbasePlace] = CoinbasePlace) -> Iterator[Place]:
    with served(folder, market(3 * 3600), speed=1.0, history_seconds=3600, cash=CASH) as venue:
        place = made(venue)
        try:
            yield place
        finally:
            place.stop()


class FastClock(SystemClock):
    """The machine's clock, faster: candles are a minute long there, and nobody waits for two minutes."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed
        self._began_ns = super().now_ns()

    def now_ns(self) -> int:
        return self._began_ns + round((super().now_ns() - self._began_ns) * self._speed)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self._speed)


class CcxtPlace(Place):
    """An adapter over CCXT against Binance on loopback, faster than real time."""

    SPEED = 20.0

    def __init__(self, venue: ServedBinance, made: type[CcxtAdapter]) -> None:
        super().__init__()
        self.clock = FastClock(self.SPEED)
        self.bar_seconds = 60
        self._venue = venue
        self._made = made
        self._runner = asyncio.Runner()
        self._runner.run(self._start())

    async def _start(self) -> None:
        keys = {"apiKey": KEY, "secret": SECRET}
        client = binance_client(MarketKind.FUTURES, self.clock, keys, url=self._venue.url)
        options: dict[str, Any] = {"kind": MarketKind.FUTURES, "settle": "USDT", "symbols": [SYMBOL]}
        self.adapter = self._made(client, self.clock, poll_seconds=2.0, **options)
        await self.adapter.connect()
        await self.adapter.start([SYMBOL], self.on_market, self.on_account)

    async def eventually(self, there: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
        await super().eventually(there, what, seconds * self.SPEED)

    def run(self, scenario: Scenario) -> Any:
        async def main() -> Any:
            await self.flat()
            await self.eventually(self.book_is_whole, "a whole book")
            return await scenario(self)

        return self._runner.run(main())

    def stop(self) -> None:
        self._runner.run(self.adapter.close())
        self._runner.close()


@contextlib.contextmanager
def ccxt_place(_: Path, made: type[CcxtAdapter] = CcxtAdapter) -> Iterator[Place]:
    with binance(market(6 * 3600), speed=CcxtPlace.SPEED, cash=CASH) as venue:
        place = CcxtPlace(venue, made)
        try:
            yield place
        finally:
            place.stop()


def binance_place(folder: Path) -> contextlib.AbstractContextManager[Place]:
    return ccxt_place(folder, BinanceCCXTAdapter)


def live_paper_place(folder: Path) -> contextlib.AbstractContextManager[Place]:
    return coinbase_place(folder, LivePaperPlace)


PLACES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Place]]] = {
    "paper": paper_place,
    "coinbase": coinbase_place,
    "live paper": live_paper_place,
    "binance": binance_place,
    "ccxt": ccxt_place,
}
"""One line for each adapter; the contract suite runs over all of them."""
