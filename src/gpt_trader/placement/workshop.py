"""What stands in the workshop? The tactics, and what brings their orders to the venue.

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
from gpt_trader.placement.base import ExecutionStrategy
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.primitives import LimitOrderExecutor, MarketOrderExecutor
from gpt_trader.placement.reconcilers import EventBasedReconciler, OrderReconciler
from gpt_trader.placement.submitter import OrderSubmitter
from gpt_trader.placement.tactics import make_tactics
from gpt_trader.placement.tracker import OrderTracker

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
    limit = LimitOrderExecutor(submitter, orders, waiter)
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
    tactics = make_tactics(
        execution,
        risk,
        works=tracker,
        takes=MarketOrderExecutor(submitter, waiter, execution.fill_wait_seconds),
        rests=limit,
        clock=clock,
        run_tag=run_tag,
    )
    for tactic in tactics.worked:
        tracker.register(tactic)
    return Workshop(
        tactics=tactics.by_name, resting=tactics.resting, tracker=tracker, waiter=waiter, reconciler=reconciler
    )
