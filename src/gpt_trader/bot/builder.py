"""Who puts it all together? One function's worth of wiring: read it and know the system.

Shared parts (store, order manager, submitter, tactics, guards, collector) are made here and never by an engine; the
engine is made last, from them, by the factory.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from gpt_trader import __version__
from gpt_trader.bot.account import AccountFeed, CashWatch
from gpt_trader.bot.bot import BotSettings, PerpsBot
from gpt_trader.bot.candidate import check_shadow
from gpt_trader.bot.figures import AccountFigures
from gpt_trader.bot.foreign import ForeignOrders
from gpt_trader.bot.inputs import DecisionInputs
from gpt_trader.bot.recovery import Recovery
from gpt_trader.bot.snapshots import Snapshots
from gpt_trader.bot.strategy_memory import StrategyMemory
from gpt_trader.config.bot import BotConfig, StrategyConfig, VenueKind
from gpt_trader.config.load import applied_settings
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    BootStarted,
    EngineSelected,
    FundingApplied,
    OrderFilled,
    OrderRejected,
    RunStarted,
    SettingsApplied,
    SlippageExceeded,
)
from gpt_trader.core.ids import run_tag
from gpt_trader.core.journal import SnapshotJournal
from gpt_trader.core.lease import Lease
from gpt_trader.core.schedule import parse_weekly_hours
from gpt_trader.core.values import Value
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.execution.deciding import Witness
from gpt_trader.execution.engine import BASELINE_TACTICS, SharedParts
from gpt_trader.execution.factory import EngineChoice, EngineSelection, ExecutionEngineFactory
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.handlers.reconciliation import LastAnswers, SlippageWatch
from gpt_trader.execution.pipeline import IntentRegister
from gpt_trader.execution.state_collector import StateCollector
from gpt_trader.execution.stop_record import StopRecord
from gpt_trader.execution.stop_triggers import StopSettings, StopTriggerManager
from gpt_trader.market.statistics import BarStatistics
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.submitter import OrderSubmitter, RetryPolicy
from gpt_trader.placement.tracker import OrderTracker
from gpt_trader.placement.workshop import furnish_workshop
from gpt_trader.records.ledger import EquityTracker, Ledger
from gpt_trader.records.mark_outs import MarkOutRecorder
from gpt_trader.records.metrics import OrderMetricsReporter
from gpt_trader.risk.breaker_counts import BreakerCounts
from gpt_trader.risk.edge import EdgeTracker
from gpt_trader.risk.manager import LiveRiskManager
from gpt_trader.risk.margin_windows import MarginWindows
from gpt_trader.strategies.base import Strategy
from gpt_trader.strategies.catalogue import make_strategy

__all__ = ["BuiltBot", "PerpsBotBuilder", "RunIdentity", "check_buildable"]

STOP_TIMEOUT_SECONDS: Final = 60.0
"""Longer than any tactic of this release works on its own."""


LEASE_NEEDED_SECONDS: Final = 12.0
"""Longest until the bytes of a request have left or never will (10: 2 for the limit of requests, 5 for a thread, 3 to
connect), and how far two clocks may differ (2)."""


def inf_seconds() -> float:
    """Nobody can take what nobody else can see."""
    return inf


class RunIdentity(Value, frozen=True, kw_only=True):
    """What makes this run this run. For a simulated one everything follows from configuration, seed and market."""

    run_id: str
    boot: int
    environment: str
    config_digest: str
    market: str
    seed: int


@dataclass(kw_only=True)
class BuiltBot:
    """The bot and the parts that people look at. Selection and parts are exchanged when the bot is steered."""

    bot: PerpsBot
    profile: str
    selection: EngineSelection
    figures: AccountFigures
    recovery: Recovery
    cash: CashWatch | None
    """Where the venue tells sums of money instead of payments."""
    metrics: OrderMetricsReporter
    parts: SharedParts
    """What an engine is furnished from; another one built from them takes over at once."""

    @property
    def replayed(self) -> int:
        """Events of earlier boots."""
        return self.recovery.replayed


class PerpsBotBuilder:
    """Composes a PerpsBot from its configuration, an exchange, a clock and a journal."""

    def __init__(
        self,
        config: BotConfig,
        *,
        adapter: ExchangeAdapter,
        clock: Clock,
        journal: SnapshotJournal,
        identity: RunIdentity,
        bar_seconds: int,
        strategy: Callable[[StrategyConfig], Strategy] | None = None,
        lease: Lease | None = None,
        snapshot_events: int = 0,
    ) -> None:
        """`strategy` makes the one of each symbol; None takes the one that the configuration names. `lease` keeps other
        bots off the account; a simulated one has no others. Every `snapshot_events` events the state is kept beside the
        log; zero keeps none, and looks at none."""
        self._config = config
        self._make_strategy = strategy or make_strategy
        self._journal = journal
        self._lease = lease
        self._bar_seconds = bar_seconds
        self._adapter = adapter
        self._clock = clock
        self._identity = identity
        self._run_tag = run_tag(identity.run_id)
        self._snapshot_events = snapshot_events
        # Seeded by the run, so that a simulated run draws the same jitter each time.
        self._random = random.Random(f"{identity.run_id}:{identity.boot}")

    def build(self) -> BuiltBot:
        """Wire everything. Raises ConfigError when the configuration asks for what is not there; nothing is sent."""
        selection = check_buildable(self._config, self._adapter, self._make_strategy)
        bus = EventBus(self._journal, self._clock)
        snapshots = Snapshots(
            self._journal,
            every=self._snapshot_events,
            again=self.remembering,
        )
        built = self._furnish(selection, bus, snapshots)
        recovery, cash = built.recovery, built.cash
        snapshots.begin(recovery)
        if cash is not None and not recovery.replayed:
            cash.begin(self._adapter.account().funding)
        is_new = not recovery.has_begun
        if is_new:
            recovery.begin(self._clock.now_ns())
        self._begin(bus, built, snapshots.began_from, is_new=is_new)
        return built

    def remembering(self) -> Recovery:
        """A second house that takes a log in and never acts: what a snapshot is made by."""
        selection = check_buildable(self._config, self._adapter, self._make_strategy)
        return self._furnish(selection, EventBus(self._journal, self._clock)).recovery

    def _furnish(self, selection: EngineSelection, bus: EventBus, snapshots: Snapshots | None = None) -> BuiltBot:
        """Every part, wired, before anything is known. On a bus that nobody publishes on it is a house that only
        remembers."""
        config, clock, adapter = self._config, self._clock, self._adapter
        ledger = Ledger(publish=bus.publish)
        ledger.follow(bus)
        metrics = OrderMetricsReporter()
        bus.watch("order metrics", metrics.on_event)
        orders = OrderManager(bus, clock)
        cash = None
        if not adapter.simulated:
            cash = CashWatch(bus=bus, clock=clock, adapter=adapter, ledger=ledger, orders=orders)
        account_feed = AccountFeed(bus, clock, orders, cash)
        equity = EquityTracker()
        statistics = {
            symbol: BarStatistics(self._bar_seconds, volatility_bars=config.risk.volatility_window_periods)
            for symbol in config.symbols
        }
        counts, windows = BreakerCounts(bus), self._margin_windows()
        figures = AccountFigures(
            adapter=adapter,
            ledger=ledger,
            orders=orders,
            clock=clock,
            symbols=config.symbols,
            statistics=statistics,
            config=config.risk,
            counts=counts,
            windows=windows,
            disk_free_bytes=self._journal.free_bytes,
            disk_free_gb_min=config.records.disk_free_gb_min,
            cash=cash,
        )

        async def sweep_account() -> None:
            foreign.swept(await workshop.reconciler.sweep())
            await figures.sweep()

        guards = GuardManager(
            config=config.risk,
            clock=clock,
            bus=bus,
            read=figures.read,
            cancel_entries=lambda: cancel_entries(workshop.tracker, submitter, "a guard tripped"),
            sweep=sweep_account,
            sweep_seconds=config.guards.account_sweep_seconds,
            reduce=lambda share, reason: bot.reduce_positions(share, reason),  # noqa: PLW0108 - there is no bot yet
        )
        submitter = OrderSubmitter(
            adapter=adapter,
            bus=bus,
            orders=orders,
            clock=clock,
            mode=lambda: guards.mode,
            position=lambda symbol: ledger.position(symbol).quantity,
            draw=self._random.random,
            policy=self._retry_policy(),
            dry_run=config.run.dry_run or config.venue.read_only,
            lease_left_seconds=inf_seconds if self._lease is None else self._lease.left_seconds,
            lease_needed_seconds=LEASE_NEEDED_SECONDS,
        )
        collector = StateCollector(
            adapter=adapter,
            ledger=ledger,
            orders=orders,
            clock=clock,
            mode=lambda: guards.mode,
            pause_reason=lambda symbol: guards.pause_reason(symbol) or stops.pause_reason(symbol),
            drawdown=lambda: equity.drawdown,
            statistics=lambda symbol: statistics[symbol].values(),
            windows=windows,
        )
        workshop = furnish_workshop(
            execution=config.execution,
            risk=config.risk,
            submitter=submitter,
            orders=orders,
            adapter=adapter,
            bus=bus,
            clock=clock,
            run_tag=self._run_tag,
            position=lambda symbol: ledger.position(symbol).quantity,
            holding=lambda symbol: ledger.position(symbol).quantity + ledger.external(symbol),
            pause_reason=lambda symbol: guards.pause_reason(symbol) or stops.pause_reason(symbol),
        )
        stops = StopTriggerManager(
            record=StopRecord(bus=bus, clock=clock, ledger=ledger),
            adapter=adapter,
            bus=bus,
            clock=clock,
            orders=orders,
            submitter=submitter,
            tracker=workshop.tracker,
            waiter=workshop.waiter,
            place_order=lambda order: bot.place_order(order),  # noqa: PLW0108 - whichever engine it is then
            failed=lambda error: bot.stops_failed(error),  # noqa: PLW0108 - there is no bot yet
            run_tag=self._run_tag,
            settings=StopSettings(
                watch_seconds=config.execution.stop_watch_seconds,
                escalate_seconds=config.execution.stop_escalate_seconds,
                limit_offset_bps=config.execution.stop_limit_offset_bps,
                bar_seconds=self._bar_seconds,
            ),
        )
        SlippageWatch(bus, clock, config.execution.max_slippage_pct)
        strategies = {symbol: self._make_strategy(config.strategy.of(symbol)) for symbol in config.symbols}
        risk = LiveRiskManager(config.risk)
        memory = StrategyMemory(bus, clock, strategies)
        intents, edge, answers = IntentRegister(orders), EdgeTracker(bus), LastAnswers(bus, clock, orders)
        foreign = ForeignOrders(bus=bus, clock=clock, guards=guards, orders=orders, run_tag=self._run_tag)
        recovery = Recovery(
            adapter=adapter,
            bus=bus,
            clock=clock,
            symbols=config.symbols,
            foreign=foreign,
            ledger=ledger,
            orders=orders,
            guards=guards,
            stops=stops,
            intents=intents,
            answers=answers,
            account_feed=account_feed,
            metrics=metrics,
            edge=edge,
            counts=counts,
            tracker=workshop.tracker,
            reconciler=workshop.reconciler,
            memory=memory,
            equity=equity,
            risk=risk,
            cash=cash,
        )
        parts = SharedParts(
            config=config.risk,
            adapter=adapter,
            bus=bus,
            clock=clock,
            collector=collector,
            risk=risk,
            guards=guards,
            intents=intents,
            stops=stops,
            tactics=workshop.tactics,
            resting=workshop.resting,
            orders=orders,
            waiter=workshop.waiter,
            verify_seconds=config.execution.fill_wait_seconds,
            edge=edge.edge,
            preview_enabled=config.execution.order_preview_enabled,
            slippage_multipliers=config.execution.slippage_multipliers,
            witnesses=self._recorders(bus),
        )
        engine = ExecutionEngineFactory.create_engine(selection, parts)
        bot = PerpsBot(
            settings=BotSettings(
                symbols=config.symbols,
                guard_interval_seconds=config.guards.interval_seconds,
                intent_valid_seconds=config.execution.intent_valid_seconds,
                stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
                default_fraction=config.risk.default_position_size_pct,
                entry_tactics={symbol: config.strategy.of(symbol).entry_tactic for symbol in config.symbols},
                config_digest=self._identity.config_digest,
                sends=not (config.run.dry_run or config.venue.read_only),
            ),
            adapter=adapter,
            journal=self._journal,
            lease=self._lease,
            bus=bus,
            clock=clock,
            engine=engine,
            guards=guards,
            stops=stops,
            orders=orders,
            submitter=submitter,
            tracker=workshop.tracker,
            account_feed=account_feed,
            recovery=recovery,
            ledger=ledger,
            equity=equity,
            strategies=strategies,
            memory=memory,
            statistics=statistics,
            snapshots=snapshots,
            mark_outs=MarkOutRecorder(bus, clock, adapter.market.touch) if config.run.mark_outs else None,
        )
        bus.subscribe(OrderFilled, "guards after fills", bot.on_money_moved)
        bus.subscribe(FundingApplied, "guards after funding", bot.on_money_moved)
        bus.subscribe(OrderRejected, "guards after rejects", bot.on_money_moved)
        bus.subscribe(SlippageExceeded, "guards after slippage", bot.on_money_moved)
        bus.subscribe(OrderFilled, "fills that are not ours", guards.on_fill)
        return BuiltBot(
            bot=bot,
            profile=config.profile,
            selection=selection,
            figures=figures,
            recovery=recovery,
            cash=cash,
            metrics=metrics,
            parts=parts,
        )

    def _recorders(self, bus: EventBus) -> tuple[Witness, ...]:
        """A market that is in no recording is written down as far as decisions were taken on it."""
        if self._config.venue.kind is VenueKind.SIMULATED:
            return ()
        adapter = self._adapter
        return (
            DecisionInputs(
                publish=bus.publish,
                report=bus.report,
                clock=self._clock,
                exchange=adapter.name,
                simulated=adapter.simulated,
                capabilities=lambda: adapter.capabilities,
                gb_max=float(self._config.records.record_gb_max),
            ),
        )

    def _margin_windows(self) -> MarginWindows:
        """The venue's calendar where it has one; without it the stricter rates are used at any hour."""
        venue = self._config.venue
        day_hours = venue.day_hours if venue.margin_window == "schedule" else ""
        return MarginWindows(
            day_hours=parse_weekly_hours(day_hours, "venue.day_hours"),
            session_break=parse_weekly_hours(venue.session_break, "venue.session_break"),
            lead_ns=self._config.risk.margin_window_lead_minutes * 60 * NS,
        )

    def _retry_policy(self) -> RetryPolicy:
        execution = self._config.execution
        return RetryPolicy(
            attempts_max=execution.retries_max + 1,
            base_seconds=execution.retry_base_seconds,
            factor=execution.retry_factor,
            cap_seconds=execution.retry_cap_seconds,
            jitter_share=float(execution.retry_jitter_pct),
        )

    def _begin(self, bus: EventBus, built: BuiltBot, from_snapshot: int, *, is_new: bool) -> None:
        """The first events of the run, or of another boot of it."""
        now_ns, identity, selection = self._clock.now_ns(), self._identity, built.selection
        if is_new:
            bus.publish(self._run_started(now_ns))
        bus.publish(
            BootStarted(at_ns=now_ns, boot=identity.boot, replayed_events=built.replayed, from_snapshot=from_snapshot)
        )
        bus.publish(SettingsApplied(at_ns=now_ns, values=applied_settings(self._config)))
        bus.publish(
            EngineSelected(
                at_ns=now_ns,
                engine=built.bot.engine.name,
                reason=selection.reason,
                dynamic_sizing=selection.dynamic_sizing,
                impact_guard=selection.impact_guard,
            )
        )

    def _run_started(self, now_ns: int) -> RunStarted:
        identity = self._identity
        return RunStarted(
            at_ns=now_ns,
            run_id=identity.run_id,
            profile=self._config.profile,
            environment=identity.environment,
            config_digest=identity.config_digest,
            code_version=__version__,
            market=identity.market,
            seed=identity.seed,
            cash=self._adapter.account().cash,
            funding=self._adapter.account().funding,
        )


def check_buildable(
    config: BotConfig, adapter: ExchangeAdapter, make: Callable[[StrategyConfig], Strategy] = make_strategy
) -> EngineSelection:
    """Which engine it would be. Raises ConfigError when the configuration asks for what is not there.

    Writes nothing and sends nothing, so that whoever opens a store can ask first.
    """
    selection = ExecutionEngineFactory.select(config.risk, EngineChoice(config.run.engine))
    check_shadow(config, selection)
    make(config.strategy)
    if config.execution.order_preview_enabled and not adapter.capabilities.preview:
        raise ConfigError(
            f"execution.order_preview_enabled = true: the venue {adapter.name} has no order preview. "
            "Fix: ORDER_PREVIEW_ENABLED=false for this run."
        )
    if config.venue.kind is VenueKind.CCXT and config.venue.market_kind == "spot":
        raise ConfigError("venue.market_kind = 'spot': the bot trades perpetuals. Fix: set it to futures")
    for symbol in config.symbols:
        tactic = config.strategy.of(symbol).entry_tactic
        if not selection.advanced and tactic not in BASELINE_TACTICS:
            raise ConfigError(
                f"strategy.entry_tactic = {tactic!r} ({symbol}): the baseline engine offers "
                f"{', '.join(BASELINE_TACTICS)} only. Fix: set one of these, or choose the advanced engine (--engine "
                "advanced, or one of its two flags)."
            )
    return selection


async def cancel_entries(tracker: OrderTracker, submitter: OrderSubmitter, reason: str) -> bool:
    """No entry may fill any more, and no tactic may place another; True once that is proven. Raises ExchangeError."""
    worked = tracker.tell_to_end(reason)
    return await submitter.cancel_entries(reason) and not worked
