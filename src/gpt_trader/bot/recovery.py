"""What do we know after a restart? Replays the log into the parts of the house, then catches up with the venue.

The log gives positions, orders, decided intents, guards and stops as they were; the venue gives what has happened
since. Only then are stops watched again, and the bot may trade. Missing is never zero: an order that the venue does
not find stays as the log has it, and counts.
"""

from __future__ import annotations

from gpt_trader.bot.account import AccountFeed, CashWatch
from gpt_trader.bot.strategy_memory import StrategyMemory
from gpt_trader.core.errors import ExchangeError
from gpt_trader.core.events import (
    EquityPeaked,
    Event,
    FundingApplied,
    OrderApproved,
    OrderFilled,
    OrderRefused,
    PositionClosed,
    PositionOpened,
    RunStarted,
)
from gpt_trader.core.journal import Journal
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.handlers.reconciliation import LastAnswers
from gpt_trader.execution.pipeline import IntentRegister
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.reconcilers import OrderReconciler
from gpt_trader.placement.tracker import OrderTracker
from gpt_trader.records.ledger import EquityTracker, Ledger
from gpt_trader.records.metrics import OrderMetricsReporter
from gpt_trader.risk.breaker_counts import BreakerCounts
from gpt_trader.risk.edge import EdgeTracker
from gpt_trader.risk.manager import LiveRiskManager

__all__ = ["Recovery"]


class Recovery:
    """One boot's way back into a run that exists already; does nothing in a new one."""

    def __init__(
        self,
        *,
        adapter: ExchangeAdapter,
        ledger: Ledger,
        orders: OrderManager,
        guards: GuardManager,
        stops: StopTriggerManager,
        intents: IntentRegister,
        answers: LastAnswers,
        account_feed: AccountFeed,
        metrics: OrderMetricsReporter,
        edge: EdgeTracker,
        counts: BreakerCounts,
        tracker: OrderTracker,
        reconciler: OrderReconciler,
        memory: StrategyMemory,
        equity: EquityTracker,
        risk: LiveRiskManager,
        cash: CashWatch | None = None,
    ) -> None:
        self._adapter = adapter
        self._ledger = ledger
        self._orders = orders
        self._guards = guards
        self._stops = stops
        self._intents = intents
        self._answers = answers
        self._account_feed = account_feed
        self._metrics = metrics
        self._edge = edge
        self._counts = counts
        self._tracker = tracker
        self._reconciler = reconciler
        self._memory = memory
        self._equity = equity
        self._risk = risk
        self._cash = cash
        self._began_ns = 0
        self._fills: set[tuple[str, str]] = set()
        self.replayed = 0
        """Events of earlier boots."""

    def replay(self, journal: Journal) -> int:
        """Take every stored event back in, in order; nothing is told. Returns how many there were."""
        if journal.head.sequence:
            self._ledger.replay(recorded.event for recorded in journal.read())
            for recorded in journal.read():
                self._take(recorded.event)
                self.replayed += 1
        return self.replayed

    def _take(self, event: Event) -> None:
        self._orders.on_event(event)
        self._tracker.restore(event)
        self._guards.restore(event)
        self._stops.restore(event)
        self._answers.restore(event)
        self._metrics.on_event(event)
        self._counts.take(event)
        self._memory.restore(event)
        self._risk.restore(event)
        if self._cash is not None:
            self._cash.restore(event)
        match event:
            case OrderFilled():
                self._fills.add((event.venue_order_id, event.trade_id))
            case OrderApproved() | OrderRefused():
                self._intents.remember(event.intent_id)
            case RunStarted():
                self._began_ns = self._began_ns or event.at_ns
                self._equity.restore(event.at_ns, event.cash)
            case EquityPeaked():
                self._equity.restore(event.at_ns, event.high_water)
            case FundingApplied():
                self._account_feed.restore(event)
            case PositionOpened():
                self._edge.on_opened(event)
            case PositionClosed():
                self._edge.on_closed(event)
            case _:
                pass

    async def catch_up(self) -> None:
        """What the venue knows and the log does not: trades first, then the state of every order that was alive.

        Raises ExchangeError when the trades cannot be read: without them nothing may be decided.
        """
        if not self.replayed:
            return
        page = await self._adapter.fills(self._adapter.fill_cursor(self._began_ns))
        for fill in page.fills:
            if (fill.venue_order_id, fill.trade_id) not in self._fills:
                self._account_feed.on_update(fill)
        for order in self._orders.living():
            try:
                self._account_feed.on_update(await self._adapter.order(order.client_order_id, order.venue_order_id))
            except ExchangeError:
                continue  # no answer is no news: it goes on counting
        self._reconciler.doubt_what_has_no_answer()
        self._answers.resume(self._tracker.working())
        self._stops.resume()
        self._tracker.resume()
