"""A whole bot on the Coinbase adapter, against the served venue, in real time; and what must hold at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.exchange_places import CASH, SYMBOL, coinbase_adapter, market
from tests.house_under_test import a_config
from tests.venue_server import ServedVenue, served

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity
from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.events import Event
from gpt_trader.core.values import Bar, ExecutionReport, OrderRequest, OrderState, Side
from gpt_trader.exchange.coinbase.adapter import CoinbaseExchange
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.lease import HostLease
from gpt_trader.records.ledger import Ledger
from gpt_trader.records.reader import last_boot

D = Decimal
DIGEST = "live-house"
QUICK = {
    "retry_base_seconds": 0.2,
    "retry_cap_seconds": 1.0,
    "unknown_settle_seconds": 4.0,
    "unknown_read_seconds": 0.5,
    "fill_wait_seconds": 3.0,
    "fill_poll_seconds": 0.25,
    "intent_valid_seconds": 20.0,
}
"""Waits that a test can afford; their proportions are those of the defaults."""
STATUSES = {
    OrderState.FILLED: "FILLED",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.EXPIRED: "EXPIRED",
    OrderState.REJECTED: "FAILED",
}


class NoWish:
    """A strategy that wants nothing."""

    name = "no_wish"
    warmup_bars = 0

    def decide(self, bar: Bar, position: float) -> None:
        return None

    def state(self) -> Mapping[str, int | str]:
        return {}

    def restore(self, state: Mapping[str, Decimal | int | str]) -> None:
        return None


class LiveHouse:
    """The bot between `start` and `stop`."""

    def __init__(self, venue: ServedVenue, built: BuiltBot, adapter: CoinbaseExchange, store: EventStore) -> None:
        self.venue = venue
        self.built = built
        self.bot: PerpsBot = built.bot
        self.adapter = adapter
        self.store = store
        self.clock = SystemClock()
        self.events: list[Event] = []
        self.bot.bus.watch("test", self.events.append)
        self._count = 0

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    async def admin(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(self.venue.admin, path, body)

    async def place(self, side: Side, quantity: str, **changes: Any) -> ExecutionReport:
        """One order through the front door."""
        self._count += 1
        now_ns = self.clock.now_ns()
        fields: dict[str, Any] = {
            "intent_id": f"test:{self._count}",
            "strategy": f"test-{self._count}",
            "symbol": SYMBOL,
            "side": side,
            "quantity": D(quantity),
            "created_ns": now_ns,
            "valid_until_ns": now_ns + 20 * NS,
        }
        return await self.bot.engine.place_order(OrderRequest(**fields | changes))

    async def eventually(self, there: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        deadline_ns = self.clock.now_ns() + round(seconds * NS)
        while not there():
            assert self.clock.now_ns() < deadline_ns, f"never came: {what}; {self.living()}"
            await self.clock.sleep(0.05)

    def living(self) -> list[ManagedOrder]:
        return list(self.bot.orders.living())

    def held(self) -> Decimal:
        return self.bot.ledger.position(SYMBOL).quantity

    def venue_position(self) -> Decimal:
        held = {each.symbol: each.quantity for each in self.venue.server.running.venue.positions()}
        return held.get(SYMBOL, D(0))

    def venue_cash(self) -> Decimal:
        return self.venue.server.running.venue.account().cash

    async def settled(self) -> None:
        """Nothing is on its way any more."""
        await self.eventually(
            lambda: not self.living() and self.held() == self.venue_position(), "everything has settled"
        )
        await self.eventually(lambda: self.bot.ledger.cash == self.venue_cash(), "the same cash", 10.0)

    def check_invariants(self) -> None:
        """No order is lost or doubled, ledger equals venue, and the log says the same as the memory."""
        placed = [order for order in self.venue.server.desk.by_account[0] if not order.liquidation]
        names = [order.client_order_id for order in placed]
        assert len(set(names)) == len(names), "one order for one client_order_id"
        assert all(self.bot.orders.find(name) is not None for name in names), "the bot knows every order of the venue"
        for order in placed:
            known = self.bot.orders.find(order.client_order_id)
            assert known is not None
            assert known.filled == order.listed.quantity(order.filled)
            assert known.state.is_terminal
            assert STATUSES[known.state] == order.status or (known.filled and order.status == "FAILED")
        assert self.held() == self.venue_position()
        assert self.bot.ledger.cash == self.venue_cash()
        replayed = Ledger()
        replayed.replay(recorded.event for recorded in self.store.read())
        assert (replayed.cash, replayed.positions()) == (self.bot.ledger.cash, self.bot.ledger.positions())
        assert self.store.verify().breaks == ()


def a_live_config(**risk: Any) -> BotConfig:
    config = a_config(**risk)
    return config.model_copy(update={"execution": config.execution.model_copy(update=QUICK)})


@contextlib.asynccontextmanager
async def live_house(
    venue: ServedVenue, folder: Path, config: BotConfig, *, account: int = 0, bar_seconds: int = 60
) -> AsyncIterator[LiveHouse]:
    """A bot that has started; another one on the same folder goes on with its run."""
    adapter = coinbase_adapter(venue, account=account, bar_seconds=bar_seconds)
    path = folder / "events.sqlite"
    boot = last_boot(path) + 1 if path.exists() else 1
    identity = RunIdentity(
        run_id="live-run", boot=boot, environment="coinbase:test", config_digest=DIGEST, market="coinbase", seed=0
    )
    try:
        await adapter.connect()
        with EventStore.open(path, "live-run", boot, durable=False) as store:
            clock = SystemClock()
            built = PerpsBotBuilder(
                config,
                adapter=adapter,
                clock=clock,
                journal=store,
                identity=identity,
                bar_seconds=bar_seconds,
                strategy=lambda _: NoWish(),
                lease=HostLease(folder, "coinbase:test"),
            ).build()
            house = LiveHouse(venue, built, adapter, store)
            proof = PreflightPassed(
                venue="coinbase", config_digest=DIGEST, passed_ns=clock.now_ns(), checks=("by the test",)
            )
            await house.bot.start(proof)
            watching = asyncio.ensure_future(house.bot.run_until_stopped())
            try:
                yield house
            finally:
                house.bot.request_stop("end of test")
                await watching
                await house.bot.stop("end of test")
    finally:
        await adapter.close()


@contextlib.contextmanager
def live_venue(folder: Path, **options: Any) -> Iterator[ServedVenue]:
    """A steady market in real time."""
    with served(folder, market(3 * 3600), **{"speed": 1.0, "history_seconds": 3600, "cash": CASH, **options}) as venue:
        yield venue
