"""Engines are swapped while orders are in every stage: a market of many symbols, a slow disk, a bad wire, a busy hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import yaml
from tests.builders import START_NS, D, a_product
from tests.house_under_test import BadWire, House, a_config

from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.bot.steering import Steering
from gpt_trader.config.load import Loaded, load
from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.errors import ExchangeError
from gpt_trader.core.events import Event, OrderApproved, OrderRefused, OrderSubmitted
from gpt_trader.core.values import OrderRequest, OrderState, OrderType, ProductSpec, Side, TimeInForce
from gpt_trader.exchange.base import OrderUpdate, PreparedOrder
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import LEVEL, ROW, TRADE
from gpt_trader.records.event_store import EventStore

IMPACT: Final = "enable_market_impact_guard"
STAGES: Final = ("approved", "durable, not sent", "sent, no answer", "resting", "partly filled", "cancel pending")
TACTICS: Final = ("market", "simple_limit", "aggressive_limit", "post_only_chase", "twap", "iceberg", "")
"""The last one is an order with a price of its own, without a tactic."""
SWAP_SECONDS: Final = 0.2
ORDER_SECONDS: Final = 0.05
DISK_SECONDS: Final = 0.04
LEVELS: Final = 5
TICK: Final = 5
LOTS_PER_LEVEL: Final = 8
START_TICKS: Final = 12_000
NOT_SENT: Final = ("unavailable", "rate limited")
STRATEGIES: Final = 25
"""Each has a slot of its own in a symbol, so that one order does not shut out the next."""
SHORT: Final = {
    "twap_duration_seconds": 30,
    "iceberg_timeout_seconds": 40,
    "post_only_chase_timeout_seconds": 30,
    "unknown_settle_seconds": 60,
}
"""Tactics that end within the quiet after the storm."""
CALM_SECONDS: Final = 30
QUIET_SECONDS: Final = 200
"""After the storm: tactics end, and orders of unknown outcome are read to their end."""


def symbols_of(count: int) -> tuple[str, ...]:
    return tuple(f"S{number:02d}-PERP" for number in range(count))


def walking_market(symbols: Sequence[str], seconds: int, draw: Random) -> ArrayStream:
    """Each symbol's best price walks a tick or two a second; its thin book is quoted anew, and small trades on both
    sides reach into it."""
    products = [a_product(symbol=symbol, venue_symbol=symbol) for symbol in symbols]
    rows: list[tuple[Any, ...]] = []
    middle = dict.fromkeys(range(len(symbols)), START_TICKS)
    shown: dict[int, set[tuple[int, int]]] = {number: set() for number in middle}
    for second in range(seconds):
        for number in middle:
            at_ns = START_NS + second * NS + number * 1_000_000
            middle[number] += draw.choice((-2, -1, 0, 0, 1, 2))
            mid = middle[number]
            wanted = {(side, mid - side * level) for side in (1, -1) for level in range(1, LEVELS + 1)}
            rows += [(at_ns, at_ns, LEVEL, s, number, 0, tick, 0, 0, 0, 0) for s, tick in shown[number] - wanted]
            rows += [
                (at_ns, at_ns, LEVEL, s, number, 0, tick, LOTS_PER_LEVEL, 0, 0, 0)
                for s, tick in sorted(wanted - shown[number])
            ]
            shown[number] = wanted
            side = draw.choice((1, -1))
            reach = draw.choice((1, 1, 2, 3))
            rows.append((at_ns, at_ns, TRADE, side, number, 0, mid + side * reach, draw.randrange(1, 6), 0, 0, 0))
    return ArrayStream(products, np.array(rows, dtype=ROW), name="walking", bar_seconds=60)


class SlowStore(EventStore):
    """A store whose disk takes its time, so that an order stands between its decision and its first byte."""

    clock: VirtualClock

    async def commit(self) -> None:
        await self.clock.sleep(DISK_SECONDS)
        await super().commit()


class WatchedWire(BadWire):
    """The bad wire, and what of each order has left."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sends: Counter[str] = Counter()
        self.under_way: set[str] = set()
        self.not_left: set[str] = set()
        """Every attempt so far was turned away before it was looked at."""

    async def send(self, prepared: PreparedOrder) -> OrderUpdate:
        name = prepared.ticket.client_order_id
        fault = self._script[0] if self._script else "sound"
        self.sends[name] += 1
        self.under_way.add(name)
        self.not_left.discard(name)
        try:
            return await super().send(prepared)
        finally:
            self.under_way.discard(name)
            if fault in NOT_SENT:
                self.not_left.add(name)


class Storm:
    """A bot of its own on `symbols`, under `orders_seconds` of load and swaps. See `run`."""

    def __init__(self, folder: Path, *, symbols: int, seconds: int, seed: int) -> None:
        self.draw = Random(seed)
        self.seconds = seconds
        self.symbols = symbols_of(symbols)
        self.met: Counter[str] = Counter()
        self.swaps = 0
        self.expected: dict[str, str] = {}
        """Engine that was the bot's when the intent was handed in."""
        self.decided: dict[str, str] = {}
        self.naked: list[str] = []
        self.guard_gaps: list[float] = []
        self.approved: dict[str, str] = {}
        self._number = 0
        self._profile = folder / "storm.yaml"
        self._profile.write_text(
            yaml.safe_dump({"symbols": list(self.symbols), "risk": self._limits(), "execution": SHORT})
        )
        loaded = self.load()
        market = walking_market(self.symbols, seconds + QUIET_SECONDS + CALM_SECONDS + 120, Random(seed + 1))
        clock = VirtualClock(market.start_ns)
        adapter = WatchedWire(
            market, clock=clock, cash=D(1_000_000_000), entry_latency_ms=60, ack_latency_ms=60, script=self._faults()
        )
        adapter.cancel_script = self._cancel_faults()
        self.store = SlowStore.open(folder / "events.sqlite", "test-run", 1, durable=False)
        self.store.clock = clock
        identity = RunIdentity(
            run_id="test-run", boot=1, environment="simulated", config_digest="", market="walking", seed=seed
        )
        built = PerpsBotBuilder(
            loaded.config, adapter=adapter, clock=clock, journal=self.store, identity=identity, bar_seconds=60
        ).build()
        self.adapter = adapter
        self.clock = clock
        self.house = House(built, adapter, self.store, clock, folder)
        self.house.bot.bus.watch("storm", self._on_event)
        self.steering = Steering(built, loaded, self.load)
        self.products: dict[str, ProductSpec] = {product.symbol: product for product in market.products}

    def load(self) -> Loaded:
        return load(str(self._profile), env={})

    @staticmethod
    def _limits() -> dict[str, Any]:
        """The named test profile: caps and breakers are lifted, so that the load is a load."""
        lifted = a_config(
            enable_market_impact_guard=True,
            max_market_impact_bps=1000,
            max_concurrent_positions=0,
            reject_breaker_count=0,
            slippage_breaker_count=0,
            slippage_guard_bps=0,
            max_stop_distance_pct="0.9",
        )
        return lifted.risk.model_dump(mode="json", exclude_unset=True)

    def _faults(self) -> list[str]:
        words = ("request lost", "reply lost", "unavailable", "unavailable", "rate limited", "refused")
        return [self.draw.choice(words) if self.draw.random() < 0.15 else "sound" for _ in range(60_000)]

    def _cancel_faults(self) -> list[str]:
        words = ("unavailable", "request lost", "reply lost", "swallowed")
        return [self.draw.choice(words) if self.draw.random() < 0.1 else "sound" for _ in range(60_000)]

    # --- the storm ------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """Orders and swaps for the given time, then quiet until everything has come to its end."""

        async def main() -> None:
            bot = self.house.bot
            await bot.start()
            trading = asyncio.ensure_future(bot.run_until_stopped())
            tasks: set[asyncio.Task[Any]] = set()
            end_ns = self.clock.now_ns() + self.seconds * NS
            swapping = asyncio.ensure_future(self._swap_until(end_ns))
            while self.clock.now_ns() < end_ns:
                await self.clock.sleep(ORDER_SECONDS)
                task = asyncio.ensure_future(bot.engine.place_order(self._order()))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await swapping
            await asyncio.gather(*tasks)
            await self.clock.sleep(QUIET_SECONDS)
            while not await self._entries_are_gone():
                await self.clock.sleep(5)
            await self.clock.sleep(CALM_SECONDS)
            bot.request_stop("the storm is over")
            await trading

        run_virtual(self.clock, self.adapter, main)

    async def _entries_are_gone(self) -> bool:
        """What still rests is taken back, so that the end is one that can be compared."""
        try:
            return await self.house.bot.submitter.cancel_entries("the storm is over")
        except ExchangeError:
            return False

    async def _swap_until(self, end_ns: int) -> None:
        on = True
        while self.clock.now_ns() < end_ns:
            await self.clock.sleep(SWAP_SECONDS)
            on = not on
            self._look()
            self.steering.set_flag(IMPACT, value=on, who="storm", reason="swap")
            self.swaps += 1
            self._look_for_stops()

    def _order(self) -> OrderRequest:
        """An entry with a stop in the direction that is held, or now and then an exit."""
        draw, bot, now_ns = self.draw, self.house.bot, self.clock.now_ns()
        self._number += 1
        symbol, name = draw.choice(self.symbols), f"n{self._number}"
        position = bot.ledger.position(symbol).quantity
        tactic = draw.choice(TACTICS)
        side = Side.BUY if position > 0 else Side.SELL if position < 0 else draw.choice(list(Side))
        closing = position != 0 and draw.random() < 0.4
        if closing:
            side = Side.SELL if position > 0 else Side.BUY
        mark = bot.adapter.market.mark(symbol)
        price = mark.price if mark is not None else D(TICK * START_TICKS)
        quantity = abs(position) if closing else D(draw.randrange(1, 40)) / 100
        asked: dict[str, Any] = {"tactic": tactic}
        if not tactic and not closing:
            away = draw.choice((0, 1, 3)) * TICK
            asked |= {
                "order_type": OrderType.LIMIT,
                "time_in_force": TimeInForce.GTC,
                "limit_price": price - side.sign * away,
            }
        if not closing:
            asked["protective_stop"] = (price * (1 - side.sign * D("0.05")) / TICK).to_integral_value() * TICK
        self.expected[name] = bot.engine.name
        return OrderRequest(
            intent_id=name,
            strategy=f"s{self._number % STRATEGIES}",
            symbol=symbol,
            side=side,
            quantity=quantity,
            reduce_only=closing,
            created_ns=now_ns,
            valid_until_ns=now_ns + 30 * NS,
            **asked,
        )

    # --- what is seen ---------------------------------------------------------------------------------------------
    def _on_event(self, event: Event) -> None:
        if isinstance(event, OrderApproved | OrderRefused) and event.intent_id in self.expected:
            self.decided[event.intent_id] = event.engine
        if isinstance(event, OrderApproved):
            self.approved[event.intent_id] = ""
        if isinstance(event, OrderSubmitted):
            self.approved.pop(event.intent_id, None)

    def _look(self) -> None:
        """Which stages hold an order at this moment."""
        wire, found = self.adapter, set()
        for order in self.house.bot.orders.living():
            name = order.client_order_id
            if order.cancel_requested:
                found.add("cancel pending")
            elif order.state in (OrderState.SUBMITTED, OrderState.UNKNOWN):
                if not wire.sends[name]:
                    found.add("approved")
                elif name in wire.not_left and order.state is OrderState.SUBMITTED:
                    found.add("durable, not sent")
                else:
                    found.add("sent, no answer")
            else:
                found.add("partly filled" if order.filled else "resting")
        self.met.update(found)
        last_ns = self.house.bot.guards._figures.now_ns if self.house.bot.guards._figures else START_NS
        self.guard_gaps.append((self.clock.now_ns() - last_ns) / NS)

    def _look_for_stops(self) -> None:
        """Every position is protected, or its stop has fired and is getting out."""
        bot = self.house.bot
        protected = {trigger.symbol for trigger in bot.stops.kept() if not trigger.is_target}
        self.naked += [
            symbol
            for symbol, position in bot.ledger.positions().items()
            if position.quantity and symbol not in protected and not bot.stops.pause_reason(symbol)
        ]
