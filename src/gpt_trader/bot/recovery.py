"""What do we know after a restart? Replays the log into the parts of the house, then catches up with the venue.

The log gives positions, orders, decided intents, guards and stops as they were; the venue gives what has happened
since. Only then are stops watched again, and the bot may trade. Missing is never zero: an order that the venue does
not find stays as the log has it, and counts. What nobody here did is EXTERNAL: counted, shown, and left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from gpt_trader.bot.account import AccountFeed, CashWatch
from gpt_trader.bot.foreign import EXTERNAL, WHO, ForeignOrders
from gpt_trader.bot.invariants.log import LogWatch
from gpt_trader.bot.snapshots import HouseState, RolloutMark
from gpt_trader.bot.strategy_memory import StrategyMemory
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ExchangeError
from gpt_trader.core.events import (
    AccountReconciled,
    BootStarted,
    EquityBaselineSet,
    EquityPeaked,
    Event,
    ExternalClaimed,
    ExternalPositionSeen,
    FlagCleared,
    FlagSet,
    FundingApplied,
    GuardCleared,
    GuardTripped,
    LogRepaired,
    ModeChanged,
    OrderApproved,
    OrderCancelled,
    OrderCancelRequested,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderReconciled,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    PositionClosed,
    PositionOpened,
    RolloutEnded,
    RolloutStarted,
    RunStarted,
    SlippageExceeded,
    StopEscalated,
    StopKept,
    StopPlanned,
    StopReleased,
    StopTriggered,
    StrategyStateSaved,
    SymbolPaused,
    TacticEnded,
    TacticStarted,
)
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import ZERO, OrderState, Position
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

FILLS_OVERLAP_NS: Final = 24 * 3600 * NS
"""How far before the last known trade others are looked for that were late."""


HEARD_BY: Final[Mapping[str, frozenset[type[Event]]]] = {
    "OrderManager.on_event": frozenset(
        {
            OrderSubmitted,
            OrderPlaced,
            OrderFilled,
            OrderCancelled,
            OrderExpired,
            OrderRejected,
            OrderFailed,
            OrderOutcomeUnknown,
            OrderCancelRequested,
        }
    ),
    "OrderTracker.restore": frozenset({TacticStarted, TacticEnded, OrderSubmitted}),
    "GuardManager.restore": frozenset(
        {EquityBaselineSet, GuardTripped, GuardCleared, ModeChanged, SymbolPaused, ExternalClaimed}
    ),
    "StopRecord.restore": frozenset(
        {
            StopPlanned,
            OrderFilled,
            OrderReconciled,
            OrderRefused,
            StopKept,
            StopTriggered,
            StopEscalated,
            StopReleased,
            PositionClosed,
        }
    ),
    "BreakerCounts.take": frozenset({OrderRejected, SlippageExceeded, PositionClosed, GuardTripped}),
    "LiveRiskManager.restore": frozenset({OrderApproved}),
    "LastAnswers.restore": frozenset({OrderApproved, OrderSubmitted, OrderFilled, OrderReconciled, OrderRefused}),
    "StrategyMemory.restore": frozenset({StrategyStateSaved}),
    "CashWatch.restore": frozenset({RunStarted, FundingApplied}),
    "Recovery._note": frozenset(
        {
            FlagSet,
            FlagCleared,
            OrderFilled,
            OrderApproved,
            OrderRefused,
            RunStarted,
            EquityPeaked,
            FundingApplied,
            PositionOpened,
            PositionClosed,
            LogRepaired,
            BootStarted,
            RolloutStarted,
            RolloutEnded,
        }
    ),
}
"""The types that a part's way back looks at; a test holds it against the code of each. Other parts hear everything."""


class Recovery:
    """The one way to start: replay, ask the venue, adopt what is foreign, keep stops again."""

    def __init__(
        self,
        *,
        adapter: ExchangeAdapter,
        bus: EventBus,
        clock: Clock,
        symbols: Sequence[str],
        foreign: ForeignOrders,
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
        self._bus = bus
        self._clock = clock
        self._symbols = symbols
        self._foreign = foreign
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
        self._newest_fill_ns = 0
        self._repaired: LogRepaired | None = None
        """Set while no boot has asked the venue since."""
        self._flags: dict[str, FlagSet] = {}
        self.rollout = RolloutMark()
        """Where the last rollout began in the log."""
        self.log = LogWatch()
        """What the promises of the log look at."""
        self.replayed = 0
        """Events of earlier boots, read one by one or known from a snapshot."""

    @property
    def has_begun(self) -> bool:
        """The log knows when the run began, and with how much."""
        return self._began_ns > 0

    @property
    def began_ns(self) -> int:
        """When the run began; zero before that."""
        return self._began_ns

    def begin(self, now_ns: int) -> None:
        """A new run begins: what was traded before is nobody's of ours."""
        self._began_ns = now_ns

    @property
    def flags(self) -> tuple[FlagSet, ...]:
        """The newest word on each flag that was not taken back."""
        return tuple(self._flags.values())

    def replay(self, recorded: Iterable[Recorded]) -> None:
        """Take stored events back in, those after what is known already, in order; nothing is told."""
        told: dict[type[Event], tuple[Callable[[Any], None], ...]] = {}
        before = self.replayed
        with self._ledger.replaying() as counts:
            for each in recorded:
                event = each.event
                hearers = told.get(type(event))
                if hearers is None:
                    hearers = told[type(event)] = self._hearers(type(event), counts)
                for hear in hearers:
                    hear(event)
                self.replayed += 1
        self.log.looked_at(self.replayed - before)

    def _hearers(
        self, kind: type[Event], counts: Mapping[type[Event], Callable[[Any], None]]
    ) -> tuple[Callable[[Any], None], ...]:
        """Who takes events of this type back in, in the order in which they hear of it when it happens: the ledger
        (`counts`) first. A million events are not told to those who would ignore them."""
        parts: list[tuple[Callable[[Any], None], Container[type[Event]]]] = [
            (self._orders.on_event, HEARD_BY["OrderManager.on_event"]),
            (self._tracker.restore, HEARD_BY["OrderTracker.restore"]),
            (self._guards.restore, HEARD_BY["GuardManager.restore"]),
            (self._stops.restore, HEARD_BY["StopRecord.restore"]),
            (self._answers.restore, HEARD_BY["LastAnswers.restore"]),
            (self._metrics.handlers.get(kind, self._metrics.on_event), self._metrics.handlers),
            (self._counts.take, HEARD_BY["BreakerCounts.take"]),
            (self._memory.restore, HEARD_BY["StrategyMemory.restore"]),
            (self._risk.restore, HEARD_BY["LiveRiskManager.restore"]),
            (self._note, HEARD_BY["Recovery._note"]),
        ]
        if self._cash is not None:
            parts.append((self._cash.restore, HEARD_BY["CashWatch.restore"]))
        if kind in counts:
            parts.insert(0, (counts[kind], counts))
        if kind in self.log.handlers:
            parts.append((self.log.handlers[kind], self.log.handlers))
        return tuple(hear for hear, kinds in parts if kind in kinds)

    def _note(self, event: Event) -> None:
        """What follows from single events."""
        match event:
            case OrderFilled():
                self._newest_fill_ns = max(self._newest_fill_ns, event.trade_ns)
            case OrderApproved() | OrderRefused():
                self._intents.remember(event.intent_id)
            case RunStarted():
                self._began_ns = self._began_ns or event.at_ns
                self._equity.restore(event.at_ns, event.cash)
                self._account_feed.began(event)
            case EquityPeaked():
                self._equity.restore(event.at_ns, event.high_water)
            case FundingApplied():
                self._account_feed.restore(event)
            case PositionOpened():
                self._edge.on_opened(event)
            case PositionClosed():
                self._edge.on_closed(event)
            case LogRepaired():
                self._repaired = event
            case BootStarted():
                self._repaired = None
            case FlagSet():
                self._flags[event.flag] = event
            case FlagCleared():
                self._flags.pop(event.flag, None)
            case RolloutStarted():
                self.rollout = RolloutMark(count=self.rollout.count + 1, before=self.replayed, is_active=True)
            case RolloutEnded():
                self.rollout = msgspec.structs.replace(self.rollout, is_active=False)
            case _:
                pass

    # --- snapshots ------------------------------------------------------------------------------------------------
    def state(self) -> HouseState:
        """All that came of the replay; before anything else has happened."""
        return HouseState(
            replayed=self.replayed,
            began_ns=self._began_ns,
            newest_fill_ns=self._newest_fill_ns,
            repaired=self._repaired,
            flags=self.flags,
            rollout=self.rollout,
            ledger=self._ledger.state(),
            orders=self._orders.state(),
            works=self._tracker.state(),
            guards=self._guards.state(),
            stops=self._stops.state(),
            answers=self._answers.state(),
            metrics=self._metrics.state(),
            counts=self._counts.state(),
            strategies=self._memory.state(),
            entries_ns=self._risk.state(),
            intents=self._intents.state(),
            edge=self._edge.state(),
            equity=self._equity.state(),
            funding=self._account_feed.state(),
            cash=None if self._cash is None else self._cash.state(),
            log=self.log.state(),
        )

    def begin_from(self, state: HouseState) -> None:
        """Know this, instead of the events that it follows from; `replay` goes on from there. Raises ConfigError for a
        tactic that is being worked and is no longer there."""
        self.replayed, self._began_ns, self._newest_fill_ns = state.replayed, state.began_ns, state.newest_fill_ns
        self._repaired = state.repaired
        self._flags = {each.flag: each for each in state.flags}
        self.rollout = state.rollout
        self._ledger.load(state.ledger)
        self._orders.load(state.orders)
        self._tracker.load(state.works)
        self._guards.load(state.guards)
        self._stops.load(state.stops)
        self._answers.load(state.answers)
        self._metrics.load(state.metrics)
        self._counts.load(state.counts)
        self._memory.load(state.strategies)
        self._risk.load(state.entries_ns)
        self._intents.load(state.intents)
        self._edge.load(state.edge)
        self._equity.load(state.equity)
        self._account_feed.load(state.funding)
        if self._cash is not None and state.cash is not None:
            self._cash.load(state.cash)
        self.log.load(state.log)

    # --- the venue's word -----------------------------------------------------------------------------------------
    async def catch_up(self) -> None:
        """What the venue knows and the log does not: trades first, then orders, then positions. Then stops are kept
        again and tactics go on.

        Raises ExchangeError when trades, open orders or positions cannot be read: without them nothing may be decided.
        A new run over a simulated venue has an account of its own, and nothing to ask.
        """
        self._reconciler.begin(self._began_ns)
        if self.replayed or not self._adapter.simulated:
            fills = await self._read_fills() if self.replayed else 0
            await self._read_orders()
            self._reconciler.doubt_what_has_no_answer()
            await self._read_positions()
            self._resume_where_orders_are_gone()
            self._pause_after_repair()
            self._say_reconciled(fills)
        if self.replayed:
            self._answers.resume(self._tracker.working())
            self._stops.resume()
            self._tracker.resume()
        self._foreign.trading = True

    async def _read_fills(self) -> int:
        """Trades since the last that is known, with room for those that were late; each is counted once."""
        living_ns = min((order.submitted.at_ns for order in self._orders.living()), default=self._newest_fill_ns)
        since_ns = max(self._began_ns, min(living_ns, self._newest_fill_ns) - FILLS_OVERLAP_NS)
        page = await self._adapter.fills(self._adapter.fill_cursor(since_ns))
        new = [
            fill
            for fill in page.fills
            if fill.trade_ns >= self._began_ns
            and not self._ledger.counted(fill.symbol, fill.venue_order_id, fill.trade_id, fill.trade_ns)
        ]
        for fill in new:
            self._account_feed.on_update(fill)
        return len(new)

    async def _read_orders(self) -> None:
        """Each order that was alive, and whatever else rests there."""
        for order in tuple(self._orders.living()):
            try:
                self._account_feed.on_update(await self._adapter.order(order.client_order_id, order.venue_order_id))
            except ExchangeError:
                continue  # no answer is no news: it goes on counting
        for update in await self._adapter.open_orders():
            self._account_feed.on_update(update)

    async def _read_positions(self) -> None:
        """A difference must be there twice, with the trades read in between: one report proves nothing."""
        first = await self._unexplained()
        if not first and not self._ledger.externals():
            return
        if self.replayed:
            await self._read_fills()
        second = await self._unexplained()
        for symbol in sorted({*first, *second, *self._ledger.externals()}):
            found = second.get(symbol)
            if any(order.state is OrderState.UNKNOWN for order in self._orders.living(symbol)):
                self._guards.pause(symbol, f"{EXTERNAL} position or an order of unknown outcome", WHO)
            elif found == first.get(symbol):
                self._say_external(symbol, found)
            else:
                self._guards.pause(symbol, f"{EXTERNAL} position that moves while it is read", WHO)

    async def _unexplained(self) -> dict[str, Position]:
        """What the venue holds beyond the ledger's own, by symbol, at the venue's price."""
        told = {position.symbol: position for position in await self._adapter.positions()}
        beyond = {}
        for symbol in {*told, *self._ledger.positions()}:
            own, there = self._ledger.position(symbol), told.get(symbol)
            quantity = (there.quantity if there is not None else ZERO) - own.quantity
            if quantity:
                price = there.entry_price if there is not None and there.quantity else own.entry_price
                beyond[symbol] = Position(symbol=symbol, quantity=quantity, entry_price=price)
        return beyond

    def _say_external(self, symbol: str, found: Position | None) -> None:
        quantity, price = (found.quantity, found.entry_price) if found is not None else (ZERO, ZERO)
        if quantity != self._ledger.external(symbol):
            self._bus.publish(
                ExternalPositionSeen(
                    at_ns=self._clock.now_ns(),
                    symbol=symbol,
                    quantity=quantity,
                    entry_price=price,
                    own=self._ledger.position(symbol).quantity,
                )
            )
        if quantity:
            reason = f"{EXTERNAL} position {quantity}: claim it, or close it where it was opened"
            self._guards.pause(symbol, reason, WHO)
        elif self._guards.pause_reason(symbol).startswith(f"{WHO}: {EXTERNAL}"):
            self._guards.resume(symbol)

    @property
    def foreign(self) -> ForeignOrders:
        """Orders of others on the account."""
        return self._foreign

    def _resume_where_orders_are_gone(self) -> None:
        for symbol in self._symbols:
            paused = self._guards.pause_reason(symbol).startswith(f"{WHO}: {EXTERNAL} order")
            if paused and symbol not in self._foreign.symbols():
                self._guards.resume(symbol)

    def _pause_after_repair(self) -> None:
        """Orders, stops and limits may have been in what is lost: a person must look before more is entered."""
        if self._repaired is not None:
            lost = self._repaired.reached - self._repaired.kept
            for symbol in self._symbols:
                self._guards.pause(symbol, f"the log was repaired and {lost} events are lost", WHO)

    def _say_reconciled(self, fills: int) -> None:
        living = tuple(self._orders.living())
        self._bus.publish(
            AccountReconciled(
                at_ns=self._clock.now_ns(),
                fills=fills,
                orders_alive=len(living),
                orders_unknown=sum(order.state is OrderState.UNKNOWN for order in living),
                external_orders=len(self._foreign.living()),
                external_positions={symbol: each.quantity for symbol, each in self._ledger.externals().items()},
            )
        )
