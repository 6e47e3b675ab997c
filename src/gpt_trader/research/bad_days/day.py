"""How does the bot live through one bad day? Boots, trades, dies, comes back, and is judged at every step.

The real bot, engines, rules, tactics, stops and store on virtual time; only the wire, the disk and the power fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.bot.invariants.house import House
from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.config.bot import BotConfig
from gpt_trader.config.flags import FLAGS
from gpt_trader.core.clock import NS, Clock, VirtualClock, VirtualLoop
from gpt_trader.core.errors import ExchangeError, GptTraderError, StoreError
from gpt_trader.core.values import Value
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.stream import MarketStream
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.lease import HostLease
from gpt_trader.records.reader import last_boot, verify
from gpt_trader.research.bad_days.asking import Asking
from gpt_trader.research.bad_days.coinbase_wire import CoinbaseWire
from gpt_trader.research.bad_days.disk import DurableIds, MortalShelf, after_the_crash, looked_at_with_a_turned_bit
from gpt_trader.research.bad_days.drawing_coinbase import COINBASE
from gpt_trader.research.bad_days.judge import Judge, Violation
from gpt_trader.research.bad_days.market import BAR_SECONDS, a_market
from gpt_trader.research.bad_days.scenario import AccidentKind, Scenario
from gpt_trader.research.bad_days.truth import Hears, Wire
from gpt_trader.research.bad_days.wire import BadWire, Killed

__all__ = ["DayEnd", "live_through"]

ADVANCED_BY: Final = tuple(flag.name for flag in FLAGS if "impact" in flag.name)
"""The flag that makes the engine the advanced one and lets it keep the sizes that are asked for."""
RUN_ID: Final = "bad-day"
DIGEST: Final = "bad-day"
CASH: Final = Decimal(200_000)
ORDERS_MIN: Final = 200
MORE_SECONDS: Final = 300
"""A day with fewer orders goes on, in such steps, at most to twice its length."""
LAST_FRAME_SECONDS: Final = 0.5
"""What the market said at the last full second has been told by then."""
BOOTS_MAX: Final = 200
REBOOT_SECONDS: Final = 5
REBOOT_SECONDS_MAX: Final = 60
"""Whoever watches over a process waits longer with every one that ends by itself, up to so long."""
MS: Final = 1_000_000
EXPECTED_ENDS: Final = ("stopped by", "the event store failed", "the lease is lost")
FAST_DISK: Final = Path("/dev/shm")  # noqa: S108 - only a place that is quick; every day has a folder of its own


class DayEnd(Value, frozen=True, kw_only=True):
    """What came of a day."""

    seed: int
    violations: tuple[Violation, ...]
    orders: int
    events: int
    boots: int
    crashes: int
    effects: int
    """Of the first process: at each of them it might have died."""
    virtual_seconds: int
    fault_kinds: tuple[str, ...]
    """Those that came about."""
    digest: str
    """Head of the log: the same scenario gives the same."""


def live_through(scenario: Scenario) -> DayEnd:
    """Play the whole day, or up to the first broken promise."""
    place = FAST_DISK if FAST_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="bad-day-", dir=place) as folder:
        return _Day(scenario, Path(folder)).play()


def a_config(scenario: Scenario) -> BotConfig:
    """Limits wide enough to trade much, and near enough to be met."""
    return BotConfig.model_validate(
        {
            "profile": "bad-day",
            "symbols": tuple(f"{name}-PERP" for name in ("BTC", "ETH")[: scenario.products]),
            "guards": {"interval_seconds": 20, "account_sweep_seconds": 30},
            "strategy": {"short_ma": 2, "long_ma": 5, "allow_shorts": True, "trailing_stop_pct": 0.002},
            "risk": {
                "max_position_pct_per_symbol": 0.5,
                "max_exposure_pct": 0.8,
                "max_position_size_pct": 0.3,
                "max_leverage": 5,
                "min_liquidation_buffer_pct": 0,
                "daily_loss_limit": 0,
                "position_sizing_method": "fixed",
                "max_concurrent_positions": 0,
                "min_reward_risk": 0,
                "enable_volatility_circuit_breaker": False,
                "loss_streak_max": 0,
                "slippage_breaker_count": 0,
                "enable_protective_stops": scenario.protective_stops,
                "reject_breaker_count": 12 if scenario.reject_breaker else 0,
                "order_rate_per_minute_max": scenario.order_rate_per_minute_max,
                **dict.fromkeys(ADVANCED_BY, scenario.engine == "advanced"),
                "max_market_impact_bps": 100,
            },
        }
    )


class _Day:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario = scenario
        self._folder = folder
        market = a_market(scenario)
        self._clock = VirtualClock(market.start_ns)
        self._end_ns = market.start_ns + scenario.minutes * 60 * NS
        last_ms = scenario.steps[-1].at_ms if scenario.steps else 0
        self._last_ns = min(2 * self._end_ns - market.start_ns, market.start_ns + last_ms * MS)
        self._config = a_config(scenario)
        self._judge = Judge(scenario, self._config.risk, self._config.symbols, self._clock)
        self._lease: HostLease | None = None
        self._wire = self._judge.wire = self._a_wire(market)
        self._asking = Asking(scenario, self._clock, self._judge.note)
        self._disk_faults = {fault.number: fault for fault in scenario.disk}
        self._crashes = list(scenario.crashes)
        self._crashed = 0
        self._due_effects: int | None = None
        self._effects = 0
        self._path = folder / "0" / "events.sqlite"
        self._path.parent.mkdir()
        self._writes = 0
        self._failures = 0
        """Processes in a row that ended by themselves."""

    def _a_wire(self, market: MarketStream) -> Wire:
        hears = Hears(
            effect=self._effect,
            leaving=self._judge.leaving,
            cancelling=self._judge.cancelling,
            lose_lease=self._lose_lease,
        )
        if self._scenario.adapter == COINBASE:
            folder = self._folder / "keys"
            return CoinbaseWire(self._scenario, market, self._clock, cash=CASH, folder=folder, hears=hears)
        paper = PaperExchange(market, clock=self._clock, cash=CASH, entry_latency_ms=20, ack_latency_ms=15)
        return BadWire(self._scenario, paper, self._clock, hears=hears)

    @property
    def _needs_lease(self) -> bool:
        """To keep one costs a look a second."""
        lost = any(each.kind is AccidentKind.LEASE_LOST for each in self._scenario.accidents)
        return lost or self._scenario.adapter == COINBASE

    def _lose_lease(self) -> None:
        """Somebody put another file in its place."""
        for path in self._folder.glob("*.lease"):
            path.unlink()
            self._judge.lease_lost_ns = self._clock.now_ns()

    # --- the whole ------------------------------------------------------------------------------------------------
    def play(self) -> DayEnd:
        over = False
        while not over and not self._judge.violations:
            self._judge.boot += 1
            if self._judge.boot > BOOTS_MAX:
                self._judge.note(31, f"{BOOTS_MAX} boots and no rest")
                break
            over = self._boot()
        self._judge_log()
        verification = verify(self._path)
        return DayEnd(
            seed=self._scenario.seed,
            violations=tuple(self._judge.violations),
            orders=self._judge.orders,
            events=verification.events,
            boots=self._judge.boot,
            crashes=self._crashed,
            effects=self._effects,
            virtual_seconds=(self._clock.now_ns() - self._clock.start_ns) // NS,
            fault_kinds=tuple(sorted(self._wire.hit)),
            digest=verification.head.digest,
        )

    def _boot(self) -> bool:
        """One life of the process; True when the day has been lived to its end."""
        self._judge.recovered = lambda: False
        self._due_effects = None
        try:
            shelf = MortalShelf(
                self._path,
                RUN_ID,
                last_boot(self._path) + 1,
                effect=self._effect,
                stall=self._wire.stall,
                fault_of=lambda number: None if self._wire.at_peace else self._disk_faults.get(number),
                writes=self._writes,
            )
        except StoreError as error:
            self._judge.note(24, f"the store of a process that died cannot be opened: {error}")
            return True
        boot = last_boot(self._path)
        durable = DurableIds(self._path)
        store = EventStore(shelf, RUN_ID, boot, durable=True)
        self._lease = HostLease(self._folder, RUN_ID) if self._needs_lease else None
        try:
            return self._run(store, durable)
        except Killed:
            self._die(shelf)
            return False
        except (ExchangeError, StoreError):
            self._restart_later(shelf)
            return False
        except GptTraderError as error:
            self._judge.note(0, f"{type(error).__name__}: {error}")
            return True
        finally:
            self._writes = shelf.writes + 1
            if self._lease is not None:
                self._lease.release()
            durable.close()
            shelf.dead = True
            with contextlib.suppress(StoreError, Killed):
                store.close()

    def _run(self, store: EventStore, durable: DurableIds) -> bool:
        adapter, clock = self._wire.process(self._judge.boot)
        reason = _run_loop(self._clock, self._wire, lambda: self._life(store, durable, adapter, clock))
        return reason == "end of day"

    def _build(self, store: EventStore, durable: DurableIds, adapter: ExchangeAdapter, clock: Clock) -> PerpsBot:
        """As the builder makes it, with the judge watching."""
        built = PerpsBotBuilder(
            self._config,
            adapter=adapter,
            clock=clock,
            journal=store,
            identity=RunIdentity(
                run_id=RUN_ID,
                boot=store.boot,
                environment="simulated",
                config_digest=DIGEST,
                market=f"seed {self._scenario.seed}",
                seed=self._scenario.seed,
            ),
            bar_seconds=BAR_SECONDS,
            lease=self._lease,
            snapshot_events=self._scenario.snapshot_events,
        ).build()
        bot = built.bot
        house = House.of(built.parts, bot.ledger)
        self._judge.begin(house, durable, (recorded.event for recorded in store.read()))
        self._judge.recovered = lambda: bot.caught_up
        bot.bus.watch("judge", self._judge.on_event)
        bot.bus.watch("steps", lambda _: self._judge.look_soon())
        return bot

    async def _life(self, store: EventStore, durable: DurableIds, adapter: ExchangeAdapter, clock: Clock) -> str:
        await adapter.connect()
        bot = self._build(store, durable, adapter, clock)
        await bot.start(
            PreflightPassed(
                venue=adapter.name, config_digest=DIGEST, passed_ns=clock.now_ns(), checks=("of a simulated day",)
            )
        )
        ahead_ns = clock.now_ns() - self._clock.now_ns()
        asking = asyncio.get_running_loop().create_task(self._asking.ask_all(bot, self._effect))
        reason = await bot.run_until_stopped(ahead_ns + max(self._end_ns, self._clock.now_ns()), "end of day")
        while reason == "end of day" and self._goes_on():
            reason = await bot.run_until_stopped(clock.now_ns() + MORE_SECONDS * NS, "end of day")
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        if reason != "end of day":
            self._judge_reason(reason)
        else:
            self._wire.at_peace = True
            self._due_effects, self._crashes = None, []
            self._asking.open_again(bot)
            ended = await bot.run_until_stopped(clock.now_ns() + self._scenario.peace_seconds * NS, "peace")
            if ended != "peace":
                self._judge_reason(ended)
                return ended
            await clock.sleep(LAST_FRAME_SECONDS)
            self._judge.look_at_rest()
        self._judge.stopping = True
        await bot.stop(reason)
        return reason

    def _goes_on(self) -> bool:
        """Too little was ordered for a whole day, and there is more to ask."""
        few = self._judge.orders < ORDERS_MIN and not self._wire.at_peace
        return few and bool(self._scenario.steps) and self._clock.now_ns() < self._last_ns

    def _judge_reason(self, reason: str) -> None:
        if not reason.startswith(EXPECTED_ENDS):
            self._judge.note(0, f"the bot ended itself: {reason}")

    # --- effects and deaths ---------------------------------------------------------------------------------------
    def _effect(self, name: str) -> None:
        """Something reaches the outside, or comes from it: here a process may die."""
        if self._judge.violations:
            raise Killed(name)
        self._effects += self._judge.boot == 1 and not self._wire.at_peace
        if not self._crashes or self._clock.now_ns() < self._clock.start_ns + self._crashes[0].at_ms * MS:
            return
        if self._due_effects is None:
            self._due_effects = self._crashes[0].effects
        if self._due_effects <= 0 and (self._crashes[0].torn_percent < 0 or name == "after write"):
            raise Killed(name)
        self._due_effects -= 1

    def _die(self, shelf: MortalShelf) -> None:
        """Nothing of the process is left but what is on the disk; some time later another one starts."""
        self._wire.forget_client()
        if self._judge.violations:
            return
        self._failures = 0
        crash = self._crashes.pop(0)
        self._crashed += 1
        self._path = after_the_crash(shelf, self._folder / str(self._judge.boot), crash.torn_percent)
        if crash.flip_permille >= 0:
            self._judge_flip(crash.flip_permille)
        self._wire.move(self._clock.now_ns() + crash.down_ms * MS)

    def _judge_flip(self, permille: int) -> None:
        """A process that finds the store with a turned bit must say so, or find every event as it was."""
        self._wire.hit["disk FLIPPED"] += 1
        folder = self._folder / f"{self._judge.boot} with a turned bit"
        said = looked_at_with_a_turned_bit(self._path, folder, permille, RUN_ID)
        if said:
            self._judge.note(24, said)

    def _restart_later(self, shelf: MortalShelf) -> None:
        """The process ended by itself; whoever watches over it starts it again."""
        self._wire.forget_client()
        self._path = after_the_crash(shelf, self._folder / str(self._judge.boot), -1)
        self._failures += 1
        wait_seconds = min(REBOOT_SECONDS * 2 ** (self._failures - 1), REBOOT_SECONDS_MAX)
        self._wire.move(self._clock.now_ns() + wait_seconds * NS)

    # --- the log --------------------------------------------------------------------------------------------------
    def _judge_log(self) -> None:
        """The whole chain, and the ledger out of the log alone."""
        for found in verify(self._path).breaks:
            self._judge.note(24, str(found))


def _run_loop(clock: VirtualClock, wire: Wire, main: Callable[[], Coroutine[Any, Any, str]]) -> str:
    """One process: its loop ends with `main`, or with its death; then nothing of it runs any more."""
    loop = VirtualLoop(clock, wire)
    loop.set_exception_handler(lambda *_: None)  # what a dead process leaves unfinished is no news
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main())
    finally:
        wire.forget_client()
        for task in asyncio.all_tasks(loop):
            _bury(task)
        asyncio.set_event_loop(None)
        loop.close()


def _bury(task: asyncio.Task[Any]) -> None:
    """Its last blocks run against a dead store and a wire that nobody listens to."""
    work = task.get_coro()
    if isinstance(work, Coroutine):
        with contextlib.suppress(RuntimeError, SystemExit, GptTraderError):
            work.close()
