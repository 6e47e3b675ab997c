"""Who keeps it running? Bars in, signals out, orders through the engine; one program, whatever the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from gpt_trader.bot.account import AccountFeed
from gpt_trader.bot.bars_seen import BarCounter
from gpt_trader.bot.preflight import PreflightPassed, check_preflight
from gpt_trader.bot.quiet import Decision, NotAsked, QuietStretch
from gpt_trader.bot.recovery import Recovery
from gpt_trader.bot.shadow import Shadow
from gpt_trader.bot.snapshots import Snapshots
from gpt_trader.bot.strategy_memory import StrategyMemory
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock, until_woken
from gpt_trader.core.errors import ConfigError, LeaseError, StoreError
from gpt_trader.core.events import (
    EquityPeaked,
    FundingApplied,
    OrderFilled,
    OrderRejected,
    ProductListed,
    RunEnded,
    SlippageExceeded,
    TradingSignalGenerated,
)
from gpt_trader.core.ids import intent_id
from gpt_trader.core.journal import Journal
from gpt_trader.core.lease import Lease
from gpt_trader.core.values import ZERO, Bar, ExecutionReport, Mode, OrderRequest, Side
from gpt_trader.exchange.base import ExchangeAdapter, ProductChanged, ReadsAhead, StreamChanged
from gpt_trader.execution.engine import EngineShare, ExecutionEngine
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.market.statistics import BarStatistics
from gpt_trader.market.view import BarsAhead
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.submitter import OrderSubmitter
from gpt_trader.placement.tracker import OrderTracker
from gpt_trader.records.ledger import EquityTracker, Ledger
from gpt_trader.records.mark_outs import MarkOutRecorder
from gpt_trader.risk.quiet_bands import Band
from gpt_trader.strategies.base import FundingStrategy, Signal, StopMove, Strategy, Want

__all__ = ["BotSettings", "PerpsBot"]

MARKET: Final = "market"
T = TypeVar("T")
TRAILING_STOP: Final = "trailing_stop"
DAY_NS: Final = 86_400 * NS
PEAK_STEP: Final = Decimal("0.001")
"""Share by which the highest equity rises before it is told again, where nothing is decided by it."""
ANY_RISE: Final = ZERO
CANCEL_AGAIN_SECONDS: Final = 5.0
"""While entries are to be cancelled and one is not proven gone, the guards run this often."""


@dataclass(frozen=True, kw_only=True)
class BotSettings:
    """What the bot itself needs to know."""

    symbols: Sequence[str]
    guard_interval_seconds: float
    intent_valid_seconds: float
    """How long a signal may be acted upon."""
    stop_timeout_seconds: float
    """How long working tactics may take to end when the bot stops."""
    default_fraction: Decimal
    """Share of equity that an entry gets whose signal states no size."""
    entry_tactics: Mapping[str, str] = field(default_factory=dict)
    """By symbol: placement of entries whose signal names none."""
    config_digest: str = ""
    """What a preflight must have looked at."""
    sends: bool = True
    """Orders may leave; at a venue with real money that needs a preflight."""


class PerpsBot:
    """Built by PerpsBotBuilder. `start`, then `run_until_stopped`; `request_stop` may be called from anywhere."""

    def __init__(
        self,
        *,
        settings: BotSettings,
        adapter: ExchangeAdapter,
        journal: Journal,
        lease: Lease | None = None,
        bus: EventBus,
        clock: Clock,
        engine: ExecutionEngine,
        guards: GuardManager,
        stops: StopTriggerManager,
        orders: OrderManager,
        submitter: OrderSubmitter,
        tracker: OrderTracker,
        account_feed: AccountFeed,
        recovery: Recovery,
        ledger: Ledger,
        equity: EquityTracker,
        strategies: Mapping[str, Strategy],
        memory: StrategyMemory,
        statistics: Mapping[str, BarStatistics],
        snapshots: Snapshots | None = None,
        mark_outs: MarkOutRecorder | None = None,
    ) -> None:
        self.settings = settings
        self.adapter = adapter
        self.journal = journal
        self._lease = lease
        self._lease_kept: asyncio.Task[None] | None = None
        self.bus = bus
        self.clock = clock
        self.engine = engine
        self.share: EngineShare | None = None
        """While a candidate is tried on a share of the intents: who says which of them go to it."""
        self.guards = guards
        self.stops = stops
        self.orders = orders
        self.submitter = submitter
        self.tracker = tracker
        self.ledger = ledger
        self.equity = equity
        self._account_feed = account_feed
        self.recovery = recovery
        self._caught_up = False
        """Until then bars are history: they may be seen and not acted upon."""
        self._strategies = strategies
        self._funding_aware = {
            symbol: strategy for symbol, strategy in strategies.items() if isinstance(strategy, FundingStrategy)
        }
        self._memory = memory
        self._past: dict[str, list[Bar]] = {}
        """By symbol, while the bot starts: bars that had closed before."""
        self._peak_told = ZERO
        self._statistics = statistics
        self._snapshots = snapshots
        self._snapshot_taken: asyncio.Task[None] | None = None
        self._mark_outs = mark_outs
        self.shadow: Shadow | None = None
        """Who looks on; set by whoever steers the bot."""
        self._bars_seen = dict.fromkeys(strategies, 0)
        self._cold = list(strategies)
        """Symbols whose strategy still warms up."""
        self._counters = {symbol: BarCounter(bus, clock, strategy.name) for symbol, strategy in strategies.items()}
        self._turns = {symbol: asyncio.Lock() for symbol in strategies}
        self._intents: set[asyncio.Task[None]] = set()
        self._stop_reason: asyncio.Future[str] | None = None
        self._nudge: asyncio.Future[bool] | None = None
        self._end_ns: int | None = None
        """Where the run ends; what is decided there could not be carried out any more."""
        self._watch_due_ns = 0
        self._reads_ahead = False
        """The adapter shows bars before their time, as only a market that is computed can."""
        self._quiet: Mapping[str, Band] = {}
        """Marks between which the guards need not look, by symbol; empty when they must be run on their cadence."""
        self.last_bars: dict[str, Bar] = {}
        self.streams: dict[str, bool] = {}
        """Connections to the venue that have spoken of themselves: whether they stand."""
        self._stretch = QuietStretch(
            market=adapter.market,
            ledger=ledger,
            equity=equity,
            stops=stops,
            strategies=strategies,
            statistics=statistics,
            counters=self._counters,
            last_bars=self.last_bars,
        )

    # --- life -----------------------------------------------------------------------------------------------------
    async def start(self, preflight: PreflightPassed | None = None) -> None:
        """Connect, begin to listen, and catch up with what happened since an earlier boot.

        Raises ConfigError, before anything is connected, where real orders could leave without a preflight.
        """
        if self.settings.sends and not self.adapter.simulated:
            check_preflight(
                preflight,
                venue=self.adapter.name,
                config_digest=self.settings.config_digest,
                now_ns=self.clock.now_ns(),
            )
            if self._lease is None:
                raise ConfigError(f"venue {self.adapter.name}: real orders may leave only with a lease on the account")
        self._stop_reason = asyncio.get_running_loop().create_future()
        if self._lease is not None:
            self._lease_kept = asyncio.get_running_loop().create_task(self._keep_lease(self._lease), name="lease")
        self._peak_told = max(self.ledger.starting_cash, self.equity.high_water)
        self._past = {symbol: [] for symbol in self._strategies}
        await self.adapter.start(self.settings.symbols, self.on_market, self._account_feed.on_update)
        self._recall(self._past)
        if isinstance(self.adapter, ReadsAhead):  # asked once: looking a protocol up takes as long as a guard
            self._reads_ahead = True
            self.adapter.read_ahead(self._look_ahead, self._stretch.passed)
        for problem in self.unusable_snapshots:
            self.bus.report("snapshot", problem, "an older one is used, or the whole log is replayed")
        await self.recovery.catch_up()
        self._caught_up = True
        self._say_products()
        await self.bus.commit()

    def _recall(self, past: Mapping[str, Sequence[Bar]]) -> None:
        """Strategies and figures as if they had never stopped, as far as the log and the bars of the past can tell."""
        self._past = {}
        for symbol, strategy in self._strategies.items():
            for bar in past[symbol]:
                self._statistics[symbol].add(bar)
            self._bars_seen[symbol] += len(past[symbol])
            error = _answer(partial(self._recall_one, symbol, strategy, past[symbol]))
            if error is not None:
                self._strategy_failed(symbol, strategy, error)

    def _recall_one(self, symbol: str, strategy: Strategy, past: Sequence[Bar]) -> None:
        self._memory.recall(symbol, past, float(self._position(symbol)))
        kept = self.stops.strategy_stop(symbol)
        if kept is not None:
            strategy.restore({"anchor": kept.anchor})

    def _say_products(self) -> None:
        for symbol in self.settings.symbols:
            self._say_product(symbol)

    def _say_product(self, symbol: str) -> None:
        product = self.adapter.products()[symbol]
        self.bus.publish(
            ProductListed(
                at_ns=self.clock.now_ns(),
                symbol=symbol,
                venue_symbol=product.venue_symbol,
                base=product.base,
                quote=product.quote,
                tick=product.tick,
                lot=product.lot,
                contract_size=product.contract_size,
                min_quantity=product.min_quantity,
                max_quantity=product.max_quantity,
                min_notional=product.min_notional,
                maker_fee_rate=product.maker_fee_rate,
                taker_fee_rate=product.taker_fee_rate,
            )
        )

    @property
    def caught_up(self) -> bool:
        """What happened since an earlier boot is known; nothing leaves before."""
        return self._caught_up

    @property
    def is_stopping(self) -> bool:
        """The end was asked for, or has begun."""
        return self.submitter.closing or (self._stop_reason is not None and self._stop_reason.done())

    def request_stop(self, reason: str) -> None:
        """Ask for an orderly end; the first reason is kept."""
        if self._stop_reason is not None and not self._stop_reason.done():
            self._stop_reason.set_result(reason)
            self._wake()

    async def _keep_lease(self, lease: Lease) -> None:
        """Renewed in time, or nothing leaves any more: the door looks at the lease before each request."""
        while True:
            await self.clock.sleep(lease.renew_seconds)
            try:
                lease.renew()
            except LeaseError as error:
                self.request_stop(f"the lease is lost: {error}")
                self._report("lease", error)
                return

    def wait_at_end(self, work: asyncio.Task[Any]) -> None:
        """Let `stop` wait for this work too, as long as for an intent."""
        self._intents.add(work)
        work.add_done_callback(self._intents.discard)

    def _wake(self) -> None:
        if self._nudge is not None and not self._nudge.done():
            self._nudge.set_result(True)

    async def run_until_stopped(self, end_ns: int | None = None, at_end: str = "end of market") -> str:
        """Trade until `end_ns` or a request to stop, running the guards on their cadence.

        Returns the reason: `at_end`, or that of the request.
        """
        assert self._stop_reason is not None, "start() comes first"
        self._end_ns = end_ns
        while not self._stop_reason.done():
            now_ns = self.clock.now_ns()
            if end_ns is not None and now_ns >= end_ns:
                return at_end
            if now_ns >= self._watch_due_ns:
                try:
                    await self._watch()
                except StoreError as error:
                    self.request_stop(f"the event store failed: {error}")
                continue
            wake_ns = self._watch_due_ns if end_ns is None else min(self._watch_due_ns, end_ns)
            self._nudge = asyncio.get_running_loop().create_future()
            await until_woken(self._nudge, (wake_ns - now_ns) / NS)
        return self._stop_reason.result()

    async def stop(self, reason: str, within_seconds: float | None = None) -> None:
        """Stop in phases: no new entries, let tactics end, hand stops over, write down what stays open.

        All of it within so many seconds; None takes the configured time. Raises StoreError when the log cannot be
        written: then nothing is sent any more, and what is open stays with the venue.
        """
        self.submitter.closing = True
        try:
            if not self.bus.store_failed and self.submitter.may_ask:
                await self._end_in_phases(within_seconds or self.settings.stop_timeout_seconds)
            self._say_ended(reason)
            await self.bus.commit()
            await self._keep_last_snapshot()
        finally:
            await self.adapter.close()
            self._give_lease_back()

    def _give_lease_back(self) -> None:
        """After the last word to the venue."""
        if self._lease_kept is not None:
            self._lease_kept.cancel()
        if self._lease is not None:
            self._lease.release()

    async def _end_in_phases(self, seconds: float) -> None:
        """What is under way first, then tactics, then stops; each phase leaves time for the next."""
        began_ns = self.clock.now_ns()

        def left(share: float) -> float:
            """Until this share of the time is gone."""
            return max(0.0, share * seconds - (self.clock.now_ns() - began_ns) / NS)

        if self._intents:
            await asyncio.wait(self._intents, timeout=left(0.4))
        await self.tracker.finish(left(0.8))
        self._report_tactics()
        await self.stops.settle(left(1.0))

    def _say_ended(self, reason: str) -> None:
        for counter in self._counters.values():
            counter.tell()
        for symbol, strategy in self._strategies.items():
            self._save_state(symbol, strategy)
        self._tell_peak(ANY_RISE)
        if self._mark_outs is not None:
            self._mark_outs.finish()
        if self.shadow is not None:
            self.shadow.end(reason)
        self.bus.publish(
            RunEnded(
                at_ns=self.clock.now_ns(),
                reason=reason,
                open_orders=tuple(order.client_order_id for order in self.orders.living()),
                open_positions={
                    symbol: position.quantity
                    for symbol, position in self.ledger.positions().items()
                    if position.quantity
                },
            )
        )

    # --- snapshots ------------------------------------------------------------------------------------------------
    @property
    def unusable_snapshots(self) -> tuple[str, ...]:
        """Why some that lie beside the log were not used."""
        return () if self._snapshots is None else self._snapshots.unusable

    def _look_after_the_log(self) -> None:
        """Keep the next restart short, and go on verifying what this one did not read."""
        if self._snapshots is None or self._snapshot_taken is not None:
            return
        try:
            self._snapshots.look_back()
        except StoreError as error:
            self._log_damaged(error)
        else:
            if self._snapshots.is_due:
                self._snapshot_taken = asyncio.get_running_loop().create_task(self._snapshot(), name="snapshot")

    async def _snapshot(self) -> None:
        assert self._snapshots is not None, "only where snapshots are kept"
        try:
            if self.adapter.simulated:
                self._snapshots.take()  # virtual time would not wait for a thread
            else:
                await self._snapshots.take_beside()
        except StoreError as error:
            self._log_damaged(error)
        finally:
            self._snapshot_taken = None

    def _log_damaged(self, error: StoreError) -> None:
        """What lies on the disk is not what was written. Memory is still right: exits go on, and nothing is entered."""
        self._snapshots = None
        if self.bus.store_failed:
            return  # nothing is sent at all
        self._report("event store", error)
        self.guards.set_mode(
            max(self.guards.mode, Mode.REDUCE_ONLY, key=tuple(Mode).index),
            "event store",
            f"the log is damaged: {error}",
        )

    async def _keep_last_snapshot(self) -> None:
        """The next start reads nothing but this."""
        if self._snapshot_taken is not None:
            await asyncio.wait([self._snapshot_taken])
        if self._snapshots is not None and self._snapshots.wanted_at_end:
            self._snapshots.take()

    # --- what the market says -------------------------------------------------------------------------------------
    def on_market(self, item: Bar | ProductChanged | StreamChanged) -> None:
        """Called by the adapter for each closed bar, in order."""
        if isinstance(item, ProductChanged):
            self._product_changed(item)
            return
        if isinstance(item, StreamChanged):
            self._stream_changed(item)
            return
        if self._past and item.history and item.symbol in self._past:
            self._past[item.symbol].append(item)
            return
        self.last_bars[item.symbol] = item
        band = self._quiet.get(item.symbol)
        if band is not None and not (band[0] < item.low and item.high < band[1]):
            self.look_now()
        self._statistics[item.symbol].add(item)
        self._sample_equity()
        self.stops.on_bar(item)
        strategy = self._strategies.get(item.symbol)
        if strategy is None:
            return
        bar = self._with_warmup(item, strategy)
        self._counters[item.symbol].add(bar)
        if self._end_ns is not None and bar.close_ns >= self._end_ns:
            return
        decision = self._stretch.decision(item)
        if isinstance(decision, NotAsked):
            decision = self._ask(strategy, bar)
        if isinstance(decision, Exception):
            self._strategy_failed(item.symbol, strategy, decision)
        elif isinstance(decision, StopMove):
            self.stops.keep_for_strategy(strategy.name, item.symbol, decision.trigger_price, decision.anchor)
        elif decision is not None:
            self._spawn(self._act(item, strategy, decision))

    def _stream_changed(self, item: StreamChanged) -> None:
        source = f"{self.adapter.name} {item.name}"
        self.streams[item.name] = item.up
        if item.final:
            self.request_stop(f"{source} failed: {item.reason}")
        elif not item.up:
            self.bus.report(source, item.reason, "connecting again")

    def _product_changed(self, item: ProductChanged) -> None:
        """The adapter's products carry a new status already; other terms under what is open need a person's look."""
        if not item.reason:
            return
        if self._position(item.symbol) or any(self.orders.living(item.symbol)):
            self.guards.pause(item.symbol, item.reason)
        self._say_product(item.symbol)

    def _ask(self, strategy: Strategy, bar: Bar) -> Decision:
        position = float(self._position(bar.symbol))
        if bar.symbol in self._funding_aware:
            rate = float(self.adapter.market.funding_rate(bar.symbol))
            told = _answer(lambda: self._funding_aware[bar.symbol].see_funding(rate))
            if isinstance(told, Exception):
                return told
        return _answer(lambda: strategy.decide(bar, position))

    def _save_state(self, symbol: str, strategy: Strategy) -> None:
        """A strategy that cannot say what it knows is paused like one that cannot decide."""
        state = _answer(strategy.state)
        if isinstance(state, Exception):
            self._strategy_failed(symbol, strategy, state)
        else:
            self._memory.save(symbol, state)

    def _look_ahead(self, ahead: BarsAhead) -> int:
        """Bars to come that need not be told one by one."""
        if self._funding_aware or not self._quiet or not self._caught_up or not self._is_warm():
            return 0
        if self._end_ns is not None and int(ahead.window.close_ns[ahead.end - 1]) >= self._end_ns:
            ahead = ahead.first(int((ahead.close_ns < self._end_ns).sum()))  # nobody is asked at the end any more
        return self._stretch.look(ahead, self._quiet) if len(ahead) else 0

    def _is_warm(self) -> bool:
        """Every strategy has seen the bars that it needs; from then on it stays so."""
        if self._cold:
            self._cold = [
                symbol for symbol in self._cold if self._bars_seen[symbol] < self._strategies[symbol].warmup_bars
            ]
        return not self._cold

    def _with_warmup(self, bar: Bar, strategy: Strategy) -> Bar:
        """The first bars of a market without stored history are themselves the warm-up, marked as history."""
        seen = self._bars_seen[bar.symbol]
        if seen >= strategy.warmup_bars and self._caught_up:
            return bar
        self._bars_seen[bar.symbol] = seen + 1
        return Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, True)

    def _strategy_failed(self, symbol: str, strategy: Strategy, error: Exception) -> None:
        """Entries of the symbol are paused; exits and stops go on."""
        reason = f"strategy {strategy.name} raised {type(error).__name__}"
        self.bus.report(f"strategy {strategy.name}", f"{type(error).__name__}: {error}", f"entries of {symbol} paused")
        self.guards.pause(symbol, reason)

    # --- from a signal to orders ----------------------------------------------------------------------------------
    def as_event(
        self, strategy: str, symbol: str, key: str, bar_close_ns: int, signal: Signal
    ) -> TradingSignalGenerated:
        """A wish as it is written down and acted upon; `key` names what caused it."""
        mark = self.adapter.market.mark(symbol)
        return TradingSignalGenerated(
            at_ns=self.clock.now_ns(),
            intent_id=intent_id(strategy, symbol, key, signal.want.value.lower()),
            strategy=strategy,
            symbol=symbol,
            action=signal.want.value,
            bar_close_ns=bar_close_ns,
            reason=signal.reason,
            inputs=signal.inputs,
            fraction=signal.fraction,
            reference_price=mark.price if mark is not None else ZERO,
            strength="" if signal.strength is None else repr(signal.strength),
            confluence="" if signal.confluence is None else repr(signal.confluence),
            protective_stop=signal.protective_stop,
            target_price=signal.target_price,
            trailing_stop=signal.trailing_stop,
        )

    async def _act(self, bar: Bar, strategy: Strategy, signal: Signal) -> None:
        event = self.as_event(strategy.name, bar.symbol, str(bar.close_ns // NS), bar.close_ns, signal)
        self.bus.publish(event)
        self._save_state(bar.symbol, strategy)
        self._tell_peak(ANY_RISE)
        if signal.reason == TRAILING_STOP:
            self.stops.strategy_fired(bar.symbol, Decimal(repr(bar.close)))
        async with self._turns[bar.symbol]:
            await self.on_trading_signal(event, tactic=signal.tactic)

    async def on_trading_signal(self, signal: TradingSignalGenerated, *, tactic: str = "") -> None:
        """Bring the position to what is wanted: first close what stands against it, then open."""
        if signal.action == Want.FLAT or self._works_against(signal):
            # An entry that is still being worked would open again what is closed here.
            await self.tracker.wind_down("the strategy wants otherwise", symbol=signal.symbol, strategy=signal.strategy)
        position = self._position(signal.symbol)
        against = (
            (signal.action == Want.LONG and position < 0)
            or (signal.action == Want.SHORT and position > 0)
            or (signal.action == Want.FLAT and position != 0)
        )
        if against:
            report = await self.place_order(self._closing(signal, position))
            if self._position(signal.symbol) != 0 or signal.action == Want.FLAT:
                return  # not flat (yet): opening now would meet our own close
            del report
        if signal.action == Want.FLAT or self._position(signal.symbol) != 0:
            return
        opening = self._opening(signal, tactic)
        if opening is not None:
            engine = self.engine_for(opening)
            await engine.place_order(_offered(opening, engine))

    def engine_for(self, order: OrderRequest) -> ExecutionEngine:
        """The engine that the order goes to: the bot's, or during a rollout the one that it is assigned to."""
        return self.engine if self.share is None else self.share.engine_for(order)

    async def place_order(self, order: OrderRequest) -> ExecutionReport:
        """The front door, row 3: by whichever engine it is then."""
        return await self.engine_for(order).place_order(order)

    def _works_against(self, signal: TradingSignalGenerated) -> bool:
        """An entry of the other direction is being worked for the same strategy."""
        wanted = Side.BUY if signal.action == Want.LONG else Side.SELL
        return self.tracker.entry_side(signal.strategy, signal.symbol) not in (None, wanted)

    def _closing(self, signal: TradingSignalGenerated, position: Decimal) -> OrderRequest:
        return OrderRequest(
            intent_id=f"{signal.intent_id}:close",
            strategy=signal.strategy,
            symbol=signal.symbol,
            side=Side.SELL if position > 0 else Side.BUY,
            quantity=abs(position),
            reduce_only=True,
            created_ns=signal.at_ns,
            valid_until_ns=self._valid_until(signal),
            reason=signal.reason,
        )

    def _opening(self, signal: TradingSignalGenerated, tactic: str) -> OrderRequest | None:
        """Asked size: `fraction` of equity as notional at the mark. The engine and the rules decide the rest."""
        mark = self.adapter.market.mark(signal.symbol)
        price = mark.price if mark is not None else signal.reference_price
        equity = self.adapter.account().equity
        fraction = signal.fraction or self.settings.default_fraction
        quantity = equity * fraction / price if price > 0 and equity > 0 else fraction
        return OrderRequest(
            intent_id=f"{signal.intent_id}:open",
            strategy=signal.strategy,
            symbol=signal.symbol,
            side=Side.BUY if signal.action == Want.LONG else Side.SELL,
            quantity=quantity,
            protective_stop=signal.protective_stop,
            target_price=signal.target_price,
            trailing_stop=signal.trailing_stop,
            created_ns=signal.at_ns,
            valid_until_ns=self._valid_until(signal),
            strength=float(signal.strength) if signal.strength else None,
            confluence=float(signal.confluence) if signal.confluence else None,
            tactic=tactic or self.settings.entry_tactics.get(signal.symbol, ""),
            reason=signal.reason,
        )

    def _valid_until(self, signal: TradingSignalGenerated) -> int:
        return signal.at_ns + round(self.settings.intent_valid_seconds * NS)

    async def close_position(self, symbol: str, reason: str, key: str, *, tactic: str = "") -> ExecutionReport | None:
        """Close what is open in `symbol` through the front door. None when there is nothing to close."""
        position = self._position(symbol)
        if position == 0:
            return None
        return await self.place_order(
            OrderRequest(
                intent_id=intent_id("operator", symbol, key, "close"),
                strategy="operator",
                symbol=symbol,
                side=Side.SELL if position > 0 else Side.BUY,
                quantity=abs(position),
                reduce_only=True,
                tactic=tactic,
                created_ns=self.clock.now_ns(),
                valid_until_ns=self.clock.now_ns() + round(self.settings.intent_valid_seconds * NS),
                reason=reason,
            )
        )

    async def reduce_positions(self, share: Decimal, reason: str) -> None:
        """Cut every position by a share of it, rounded up to whole lots, through the front door."""
        for symbol, position in self.ledger.positions().items():
            lot = self.adapter.products()[symbol].lot
            lots = (abs(position.quantity) * share / lot).to_integral_value(ROUND_CEILING)
            if lots <= 0:
                continue
            now_ns = self.clock.now_ns()
            await self.place_order(
                OrderRequest(
                    intent_id=intent_id("guards", symbol, f"{reason}-{now_ns}", "reduce"),
                    strategy="guards",
                    symbol=symbol,
                    side=Side.SELL if position.quantity > 0 else Side.BUY,
                    quantity=lots * lot,
                    reduce_only=True,
                    created_ns=now_ns,
                    valid_until_ns=now_ns + round(self.settings.intent_valid_seconds * NS),
                    reason=reason,
                )
            )

    # --- watching -------------------------------------------------------------------------------------------------
    async def _watch(self) -> None:
        """Run the guards, and find out when they must look again."""
        await self.engine.run_runtime_guards()
        self._report_tactics()
        self._tell_peak(PEAK_STEP)
        now_ns, interval = self.clock.now_ns(), self.settings.guard_interval_seconds
        seconds = min(interval, CANCEL_AGAIN_SECONDS) if self.guards.is_cancelling else interval
        self._watch_due_ns = now_ns + round(seconds * NS)
        self._quiet = self._quiet_bands(now_ns) if self._reads_ahead else {}
        await self.bus.commit()
        self._look_after_the_log()

    def _tell_peak(self, step: Decimal) -> None:
        """The highest equity, once it has risen by this share since it was last told."""
        peak = self.equity.high_water
        if peak > self._peak_told * (1 + step):
            self._peak_told = peak
            self.bus.publish(EquityPeaked(at_ns=self.clock.now_ns(), high_water=peak))

    def _report_tactics(self) -> None:
        """Those that ended by an error of ours; their orders were taken back."""
        for intent, failure in self.tracker.failures:
            self._report(f"tactic of {intent}", failure)
        self.tracker.failures.clear()

    def _quiet_bands(self, now_ns: int) -> Mapping[str, Band]:
        """In a simulation the cadence is skipped while it is proven that a run would change nothing.

        Live it never is: there a run also notices that the market has fallen silent.
        """
        quiet = self.guards.quiet_bands()
        if quiet is None:
            return {}
        self._watch_due_ns = min(now_ns + DAY_NS, quiet.until_ns)
        return quiet.bands

    def on_money_moved(self, _: OrderFilled | FundingApplied | OrderRejected | SlippageExceeded) -> None:
        """After a fill, funding, a reject or a costly intent the guards look again, once for all of the moment."""
        self.look_now()

    def look_now(self) -> None:
        """When all that happens at this moment has happened: one look at the end of it, not one for each fill."""
        after_ns = self.clock.now_ns() + 1
        if self._watch_due_ns > after_ns:
            self._watch_due_ns = after_ns
            self._quiet = {}
            self._wake()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._intents.add(task)
        task.add_done_callback(self._intent_done)

    def _intent_done(self, task: asyncio.Task[None]) -> None:
        self._intents.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, StoreError):
            self.request_stop(f"the event store failed: {error}")
        elif error is not None:
            self._report("intent", error)
            self.request_stop(f"an intent failed unexpectedly: {type(error).__name__}: {error}")

    def stops_failed(self, error: BaseException) -> None:
        """Nobody watches a stop any more: the bot ends rather than trade on without it."""
        if isinstance(error, StoreError):
            self.request_stop(f"the event store failed: {error}")
            return
        self._report("stop keeper", error)
        self.request_stop(f"the stop keeper failed unexpectedly: {type(error).__name__}: {error}")

    def _report(self, source: str, error: BaseException) -> None:
        self.bus.report(source, f"{type(error).__name__}: {error}", "reported")

    def _position(self, symbol: str) -> Decimal:
        return self.ledger.position(symbol).quantity

    def marks(self) -> dict[str, Decimal]:
        """Latest mark of every symbol that is traded or held, and has one."""
        found = {}
        for symbol in dict.fromkeys((*self.settings.symbols, *self.ledger.positions())):
            mark = self.adapter.market.mark(symbol)
            if mark is not None:
                found[symbol] = mark.price
        return found

    def _sample_equity(self) -> None:
        """Without a mark for everything held there is no equity, not a smaller one; then there is no sample either."""
        marks = {}
        for symbol in self.ledger.positions():
            mark = self.adapter.market.mark(symbol)
            if mark is None:
                return
            marks[symbol] = mark.price
        self.equity.sample(self.clock.now_ns(), self.ledger.equity(marks), self.ledger.transfers)


def _offered(order: OrderRequest, engine: ExecutionEngine) -> OrderRequest:
    """At the start every configured tactic is offered; an engine that was swapped in may offer fewer, and then an entry
    goes by market within its collar. EngineSwapped names them."""
    if not order.tactic or order.tactic in engine.tactics:
        return order
    return msgspec.structs.replace(order, tactic=MARKET)


def _answer(ask: Callable[[], T]) -> T | Exception:
    """What a strategy answers, or what it raises."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - one of the two places: a strategy must not stop the bot
        return error
