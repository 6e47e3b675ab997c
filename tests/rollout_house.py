"""A house in which an engine is tried on a share of the orders: a walking market, random wishes, a dearer candidate."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import numpy as np
import yaml
from tests.builders import START_NS, D, a_product
from tests.house_under_test import BadWire, House, a_config
from tests.killed_house import send_again

from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.bot.rollout.share import Rollout
from gpt_trader.bot.steering import Steering
from gpt_trader.config.load import Loaded, load
from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.events import Event, IntentAssigned, OrderApproved, OrderReconciled, OrderSubmitted
from gpt_trader.core.values import Account
from gpt_trader.exchange.base import AccountListener, FillUpdate, FundingUpdate, MarketListener, OrderUpdate
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import LEVEL, ROW, TRADE
from gpt_trader.records.event_store import EventStore
from gpt_trader.strategies.base import Signal, Want

SYMBOLS: Final = tuple(f"S{number}-PERP" for number in range(6))
LEVELS: Final = 2
LOTS: Final = 1000
TICK: Final = 1
START_TICKS: Final = 20_000
"""Half a basis point a tick."""
TRADES_EVERY_SECONDS: Final = 15
STORM_SECONDS: Final = 120
PLAN: Final = {
    "to": "advanced:impact",
    "share": "25%",
    "then": "none",
    "hold": "365d",
    "min_orders": "60",
    "shortfall_sd": "10bps",
    "max_shortfall_delta": "9bps",
}
"""One share that never ends, so that what is found is found there."""


def restless_market(symbols: tuple[str, ...], seconds: int, seed: int, *, bps_a_second: float) -> ArrayStream:
    """Prices that walk every second by so many basis points: calm and stormy by turns, with jumps, partly together."""
    draw = np.random.default_rng(seed)
    count = len(symbols)
    storm = np.exp(np.repeat(draw.normal(0, 0.5, seconds // STORM_SECONDS + 1), STORM_SECONDS)[:seconds])[:, None]
    common = 0.5 * draw.normal(size=(seconds, 1))
    jumps = 4 * draw.normal(size=(seconds, count)) * (draw.random((seconds, count)) < 0.02)
    steps = bps_a_second * storm * (common + 0.87 * draw.normal(size=(seconds, count)) + jumps)
    ticks = np.rint(START_TICKS * np.exp(np.cumsum(steps, axis=0) / 10_000)).astype(np.int64)
    pieces = [_quotes(ticks[:, number], number) for number in range(count)]
    rows = np.concatenate(pieces)
    rows = rows[np.argsort(rows["ts"], kind="stable")]
    products = [a_product(symbol=symbol, venue_symbol=symbol, tick=D(TICK)) for symbol in symbols]
    return ArrayStream(products, rows, name="restless", bar_seconds=60)


def _quotes(ticks: np.ndarray[Any, Any], number: int) -> np.ndarray[Any, Any]:
    """The book of one symbol around each price, one tick from it on either side, and a small trade at the price; what
    stood there before is taken away first."""
    sides = [(side, level) for side in (1, -1) for level in range(1, LEVELS + 1)]
    per_second = 2 * len(sides) + 1
    rows = np.zeros((len(ticks), per_second), ROW)
    rows["ts"] = rows["recv"] = (START_NS + np.arange(len(ticks)) * NS + number * 1_000_000)[:, None]
    rows["product"] = number
    rows["kind"] = LEVEL
    before = np.concatenate([ticks[:1], ticks[:-1]])
    for place, (side, level) in enumerate(sides):
        rows["side"][:, place] = rows["side"][:, len(sides) + place] = side
        rows["a"][:, place] = before - side * level
        rows["a"][:, len(sides) + place] = ticks - side * level
        rows["b"][:, len(sides) + place] = LOTS
    rows["kind"][:, -1] = TRADE
    rows["side"][:, -1] = 1
    rows["a"][:, -1], rows["b"][:, -1] = ticks, 1
    moved = np.concatenate([[True], ticks[1:] != ticks[:-1]])
    told: np.ndarray[Any, Any] = rows[moved].reshape(-1)
    return told


class DearerForCandidates(BadWire):
    """The test's own means to make a candidate worse on purpose: its trades cost `surcharge_bps` more in fees.

    Ledger and account both know of it, so that nothing drifts."""

    surcharge_bps = Decimal(0)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, script=(), **options)
        self.candidates: set[str] = set()
        """Intents that were assigned to the candidate."""
        self.dear: set[str] = set()
        """Its orders."""
        self._paid = Decimal(0)

    def on_event(self, event: Event) -> None:
        if isinstance(event, IntentAssigned) and event.candidate:
            self.candidates.add(event.intent_id)
        if isinstance(event, OrderSubmitted) and event.intent_id in self.candidates:
            self.dear.add(event.client_order_id)

    async def start(self, symbols: Any, on_market: MarketListener, on_account: AccountListener) -> None:
        def told(update: OrderUpdate | FillUpdate | FundingUpdate | Account) -> None:
            if isinstance(update, FillUpdate) and update.client_order_id in self.dear:
                more = update.quantity * update.price * self.surcharge_bps / 10_000
                self._paid += more
                update = msgspec.structs.replace(update, fee=update.fee + more)
            elif isinstance(update, Account):
                update = self._less(update)
            on_account(update)

        await super().start(symbols, on_market, told)

    def account(self) -> Account:
        return self._less(super().account())

    def _less(self, account: Account) -> Account:
        return msgspec.structs.replace(account, cash=account.cash - self._paid, equity=account.equity - self._paid)


class RolloutHouse:
    """A bot on a restless market whose wishes come in bursts; `run` for so long, or until the rollout has ended."""

    symbols = SYMBOLS

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        seconds: int,
        surcharge_bps: int = 0,
        bps_a_second: float = 3.0,
        tactic: str = "",
        plan: dict[str, str] | None = None,
        killed: list[Event] | None = None,
        durable: bool = False,
        **risk: Any,
    ) -> None:
        """`killed` is the log of a boot that was killed: market and venue go on half a minute after its last event."""
        self.draw = Random(seed)
        self.seconds = seconds
        self._turn = 0 if killed is None else len(killed)
        self.plan = {**PLAN, **(plan or {})}
        self._tactic = tactic
        self._folder = folder
        self._seed = seed
        self._durable = durable
        self._write_profile(**risk)
        self.market = restless_market(SYMBOLS, seconds + 120, seed + 1, bps_a_second=bps_a_second)
        self.clock = VirtualClock(self.market.start_ns)
        self.adapter = DearerForCandidates(
            self.market, clock=self.clock, cash=D(1_000_000_000), entry_latency_ms=1200, ack_latency_ms=60
        )
        self.adapter.surcharge_bps = Decimal(surcharge_bps)
        if killed is not None:
            send_again(self.adapter, self.clock, killed, killed[-1].at_ns + 30 * NS)
        self._build(1 if killed is None else 2)

    def _write_profile(self, **risk: Any) -> None:
        """Room enough, and breakers that do not trip by chance: what is tried here is the rollout."""
        limits = a_config(
            max_concurrent_positions=0,
            max_market_impact_bps=1000,
            slippage_guard_bps=0,
            slippage_breaker_count=0,
            loss_streak_max=0,
            max_mark_staleness_seconds=600,
            **risk,
        )
        self._profile.write_text(
            yaml.safe_dump(
                {
                    "symbols": list(SYMBOLS),
                    "risk": limits.risk.model_dump(mode="json", exclude_unset=True),
                    "execution": {"simple_limit_timeout_seconds": 12},
                }
            )
        )

    def _build(self, boot: int) -> None:
        """The bot over market and store; a later boot takes its log back in."""
        loaded = self.load()
        self.store = EventStore.open(self._folder / "events.sqlite", "test-run", boot, durable=self._durable)
        identity = RunIdentity(
            run_id=f"test-run-{self._seed}",
            boot=boot,
            environment="simulated",
            config_digest="",
            market=self.market.name,
            seed=self._seed,
        )
        built = PerpsBotBuilder(
            loaded.config, adapter=self.adapter, clock=self.clock, journal=self.store, identity=identity, bar_seconds=60
        ).build()
        built.bot.bus.watch("dearer", self.adapter.on_event)
        self.house = House(built, self.adapter, self.store, self.clock, self._folder)
        self.steering = Steering(built, loaded, self.load)
        if built.replayed:
            self.steering.recall(built.recovery.flags)

    def restarted(self, **risk: Any) -> RolloutHouse:
        """The next boot over the same log; the one before is gone, as after a crash."""
        self.store.close()
        again = copy.copy(self)
        again._write_profile(**risk)
        again._build(2)
        self.store = again.store
        return again

    @property
    def _profile(self) -> Path:
        return self._folder / "rollout.yaml"

    @property
    def candidates(self) -> set[str]:
        """Intents that were assigned to the candidate."""
        return self.adapter.candidates

    @property
    def rollout(self) -> Rollout:
        return self.steering.rollout

    def load(self) -> Loaded:
        return load(str(self._profile), env={})

    @property
    def candidate_orders(self) -> int:
        """Orders of the candidate that were sent."""
        return len(self.adapter.dear)

    def longest_seconds(self) -> float:
        """The longest time from an approval to the last answer."""
        begun: dict[str, int] = {}
        longest_ns = 0
        for event in self.house.events:
            if isinstance(event, OrderApproved):
                begun[event.intent_id] = event.at_ns
            elif isinstance(event, OrderReconciled):
                longest_ns = max(longest_ns, event.at_ns - begun[event.intent_id])
        return longest_ns / NS

    def run(
        self,
        *,
        candidate_orders_max: int = 1_000_000,
        then: Callable[[], None] | None = None,
        then_seconds: int = 0,
        after_seconds: int = 0,
    ) -> None:
        """Wishes in bursts until the rollout has ended, so many orders were sent, or the time is over. `then` is done
        after so many seconds; wishes go on for `after_seconds` once the rollout has ended."""

        async def main() -> None:
            bot = self.house.bot
            await bot.start()
            trading = asyncio.ensure_future(bot.run_until_stopped())
            if not self.rollout.has_been:
                await self.rollout.start(self.plan, who="test", reason="a test")
            doing = asyncio.ensure_future(self._do(then, then_seconds))
            end_ns = self.clock.now_ns() + self.seconds * NS
            while self.clock.now_ns() < end_ns and self.candidate_orders < candidate_orders_max:
                ended = None if self.rollout.record is None else self.rollout.record.ended
                if ended is not None:
                    end_ns = min(end_ns, ended.at_ns + after_seconds * NS)
                self._turn += 1
                await self._burst(self._turn)
                await self.clock.sleep(self.draw.uniform(0.5, 1.5) * TRADES_EVERY_SECONDS)
            doing.cancel()
            bot.request_stop("the test is over")
            await trading

        run_virtual(self.clock, self.adapter, main)

    async def _do(self, then: Callable[[], None] | None, seconds: int) -> None:
        if then is not None:
            await self.clock.sleep(seconds)
            then()

    async def _burst(self, turn: int) -> None:
        """Several symbols at one time and in one direction, as a signal of the whole market would have it."""
        want = self.draw.choice((Want.LONG, Want.SHORT))
        chosen = self.draw.sample(SYMBOLS, self.draw.randint(1, len(SYMBOLS)))
        await asyncio.gather(*(self._wish(symbol, want, turn) for symbol in chosen))

    async def _wish(self, symbol: str, want: Want, turn: int) -> None:
        bot = self.house.bot
        held = bot.ledger.position(symbol).quantity
        wanted = Want.FLAT if held else want
        signal = Signal(want=wanted, fraction=D("0.0001"), reason="random")
        event = bot.as_event("random", symbol, str(turn), self.clock.now_ns(), signal)
        bot.bus.publish(event)
        await bot.on_trading_signal(event, tactic=self._tactic)
