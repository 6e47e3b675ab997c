"""What stands in the workshop? Makes the tactics and what they share, from the configuration.

Everything here belongs to the house: an engine is only told which of the tactics it may offer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.config.bot import ExecutionConfig
from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.placement.aggressive_limit import AggressiveLimitExecutionStrategy
from gpt_trader.placement.base import ExecutionStrategy
from gpt_trader.placement.closing import MarketFinish
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.iceberg import IcebergExecutionStrategy
from gpt_trader.placement.market import MarketExecutionStrategy
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.post_only_chase import PostOnlyChaseExecutionStrategy
from gpt_trader.placement.pricer import AggressiveLimitPricer
from gpt_trader.placement.primitives import LimitOrderExecutor, MarketOrderExecutor
from gpt_trader.placement.reconcilers import EventBasedReconciler, OrderReconciler
from gpt_trader.placement.simple_limit import RestingExecutionStrategy, SimpleLimitExecutionStrategy
from gpt_trader.placement.submitter import OrderSubmitter
from gpt_trader.placement.tracker import OrderTracker
from gpt_trader.placement.twap import TwapExecutionStrategy

__all__ = ["Workshop", "furnish_workshop"]


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """The parts of placement that others need to know."""

    tactics: Mapping[str, ExecutionStrategy]
    resting: ExecutionStrategy
    tracker: OrderTracker
    waiter: OrderConfirmationWaiter
    reconciler: OrderReconciler


def furnish_workshop(
    *,
    execution: ExecutionConfig,
    risk: RiskConfig,
    submitter: OrderSubmitter,
    orders: OrderManager,
    adapter: ExchangeAdapter,
    bus: EventBus,
    clock: Clock,
    run_tag: str,
    holding: Callable[[str], Decimal],
    position: Callable[[str], Decimal],
    pause_reason: Callable[[str], str],
) -> Workshop:
    """Wire it. `holding` is what the account should hold of a symbol, signed, in base units, `position` our part of it;
    `pause_reason` why entries of it are paused."""
    stream = EventBasedReconciler(orders)
    reconciler = OrderReconciler(
        orders=orders,
        adapter=adapter,
        bus=bus,
        clock=clock,
        position=holding,
        unknown_settle_seconds=execution.unknown_settle_seconds,
        unknown_read_seconds=execution.unknown_read_seconds,
    )
    waiter = OrderConfirmationWaiter(stream, reconciler, clock, poll_seconds=execution.fill_poll_seconds)
    limit = LimitOrderExecutor(submitter)
    tracker = OrderTracker(
        executor=limit,
        orders=orders,
        stream=stream,
        poll=reconciler,
        adapter=adapter,
        bus=bus,
        clock=clock,
        run_tag=run_tag,
        poll_seconds=execution.fill_poll_seconds,
        book_age_seconds_max=risk.max_book_staleness_seconds,
        pause_reason=pause_reason,
        position=position,
    )
    simple_limit = SimpleLimitExecutionStrategy(
        tracker=tracker,
        clock=clock,
        timeout_seconds=execution.simple_limit_timeout_seconds,
        offset_share=execution.simple_limit_offset_bps / 10_000,
    )
    market = MarketExecutionStrategy(
        executor=MarketOrderExecutor(submitter, waiter, execution.fill_wait_seconds),
        fallback=simple_limit,
        run_tag=run_tag,
        entry_collar_bps=risk.market_collar_bps,
        exit_collar_bps=risk.exit_collar_bps,
    )
    worked = worked_tactics(execution, risk, tracker, clock)
    for tactic in (simple_limit, *worked):
        tracker.register(tactic)
    return Workshop(
        tactics={tactic.name: tactic for tactic in (market, simple_limit, *worked)},
        resting=RestingExecutionStrategy(limit, run_tag),
        tracker=tracker,
        waiter=waiter,
        reconciler=reconciler,
    )


def worked_tactics(
    execution: ExecutionConfig, risk: RiskConfig, tracker: OrderTracker, clock: Clock
) -> tuple[
    AggressiveLimitExecutionStrategy, PostOnlyChaseExecutionStrategy, TwapExecutionStrategy, IcebergExecutionStrategy
]:
    """Those of more than one order."""
    finish = MarketFinish(
        entry_collar_bps=risk.market_collar_bps,
        exit_collar_bps=risk.exit_collar_bps,
        rest_seconds=execution.simple_limit_timeout_seconds,
    )
    return (
        AggressiveLimitExecutionStrategy(
            tracker=tracker,
            clock=clock,
            pricer=AggressiveLimitPricer(),
            finish=finish,
            requotes_max=execution.aggressive_limit_requotes_max,
            timeout_seconds=execution.aggressive_limit_timeout_seconds,
        ),
        PostOnlyChaseExecutionStrategy(
            tracker=tracker,
            clock=clock,
            finish=finish,
            timeout_seconds=execution.post_only_chase_timeout_seconds,
            interval_seconds=execution.post_only_chase_interval_seconds,
            requotes_max=execution.post_only_chase_requotes_max,
            distance_max_bps=execution.post_only_chase_distance_max_bps,
        ),
        TwapExecutionStrategy(
            tracker=tracker,
            clock=clock,
            finish=finish,
            duration_seconds=execution.twap_duration_seconds,
            slices=execution.twap_slices,
            patience_share=execution.twap_patience_pct,
        ),
        IcebergExecutionStrategy(
            tracker=tracker,
            clock=clock,
            finish=finish,
            timeout_seconds=execution.iceberg_timeout_seconds,
            display_share=execution.iceberg_display_pct,
            interval_seconds=execution.iceberg_interval_seconds,
        ),
    )
