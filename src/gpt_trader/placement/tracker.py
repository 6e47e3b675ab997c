"""What is being worked? Asks each tactic for its next step when its time comes or its order changes, and takes it.

Between two steps nothing of an intent lives in a coroutine: the plan is an event, the orders are the order manager's,
and the timer follows from both. So a tactic outlives the engine that started it, and a restart takes it up again:
feed every stored event to `restore`, after the order manager has had it, then call `resume`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock, call_after, until_woken
from gpt_trader.core.errors import ConfigError, ExchangeError, Number, Refusal, Refused, Stage
from gpt_trader.core.events import Event, OrderSubmitted, SymbolPaused, TacticEnded, TacticProgressed, TacticStarted
from gpt_trader.core.ids import client_order_id
from gpt_trader.core.values import (
    ZERO,
    ApprovedOrder,
    OrderState,
    OrderTicket,
    OrderType,
    PlacedOrder,
    Purpose,
    Side,
    TimeInForce,
)
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.placement.base import placed
from gpt_trader.placement.order_manager import ManagedOrder, OrderManager
from gpt_trader.placement.order_states import NEVER_PLACED
from gpt_trader.placement.primitives import LimitOrderExecutor
from gpt_trader.placement.reconcilers import EventBasedReconciler, OrderReconciler
from gpt_trader.placement.working import Action, End, Moment, Place, Tactic, Wait, Withdraw, Work, begun
from gpt_trader.records.schema import decode, encode

__all__ = ["OrderTracker", "WorkState"]

CANCEL_AGAIN_NS: Final = 10 * NS
"""How long a cancel may stay unproven before it is asked for again."""

WIND_DOWN_SECONDS: Final = 30.0
"""How long a tactic may take to end when it is told to."""

STEPS_MAX: Final = 1000
"""Orders and cancels of one tactic; more would be a tactic gone wild."""


class WorkState(msgspec.Struct, frozen=True, kw_only=True):
    """One tactic at work, as a snapshot keeps it."""

    started: bytes
    """Its TacticStarted, as it is stored."""
    orders: tuple[ManagedOrder, ...]


@dataclass(eq=False)
class Working:
    """One tactic at work."""

    tactic: Tactic
    work: Work
    orders: list[ManagedOrder]
    """The children of the work."""
    stopping: str = ""
    """Why it is to end before its time."""
    busy: bool = False
    asked_ns: int = 0
    steps: int = 0
    stop_timer: Callable[[], None] | None = None
    forget: list[Callable[[], None]] = field(default_factory=list)
    ended: list[asyncio.Future[bool]] = field(default_factory=list)

    @property
    def intent_id(self) -> str:
        return self.work.started.intent_id

    @property
    def cancel_prefix(self) -> str:
        """How a cancel of this tactic's own begins; any other was asked for by somebody else."""
        return f"tactic {self.tactic.name}: "

    @property
    def living(self) -> ManagedOrder | None:
        """The order of the work that may still fill; there is never a second one."""
        living = self.work.living
        return next((order for order in self.orders if order is living), None)

    @property
    def last(self) -> ManagedOrder | None:
        return self.orders[-1] if self.orders else None


def working_on(tactic: Tactic, started: TacticStarted) -> Working:
    """A tactic at the beginning of its work."""
    orders: list[ManagedOrder] = []
    return Working(tactic, Work(started=started, children=orders), orders)


class OrderTracker:
    """Every working tactic, by intent. It belongs to the house, so it outlives an engine."""

    def __init__(
        self,
        *,
        executor: LimitOrderExecutor,
        orders: OrderManager,
        stream: EventBasedReconciler,
        poll: OrderReconciler,
        adapter: ExchangeAdapter,
        bus: EventBus,
        clock: Clock,
        run_tag: str,
        poll_seconds: float,
        book_age_seconds_max: float,
        pause_reason: Callable[[str], str],
        position: Callable[[str], Decimal],
    ) -> None:
        """`pause_reason` says why entries of a symbol are paused, and nothing when they are not; `position` what is
        held of it, signed, in base units."""
        self._executor = executor
        self._orders = orders
        self._stream = stream
        self._poll = poll
        self._adapter = adapter
        self._bus = bus
        self._clock = clock
        self._run_tag = run_tag
        self._poll_ns = round(poll_seconds * NS)
        self._book_age_ns_max = round(book_age_seconds_max * NS)
        self._pause_reason = pause_reason
        self._position = position
        self._tactics: dict[str, Tactic] = {}
        self._working: dict[str, Working] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._resumed = True
        """False between the replay of a log and `resume`: nothing is asked, and nothing leaves."""
        self.failures: list[tuple[str, BaseException]] = []
        """Tactics that ended by an error, with the intent; the bot reports and clears them."""
        orders.count_in(self)
        bus.subscribe(OrderSubmitted, "order tracker", self._adopt)
        bus.subscribe(SymbolPaused, "order tracker", self._on_pause)

    def register(self, tactic: Tactic) -> None:
        """Make it known by name, so that its work can be taken up again."""
        self._tactics[tactic.name] = tactic

    # --- questions ------------------------------------------------------------------------------------------------
    def working(self) -> tuple[str, ...]:
        """Intents whose tactic is still at work."""
        return tuple(self._working)

    def work(self, intent_id: str) -> Work | None:
        """Plan and orders of an intent that is being worked."""
        working = self._working.get(intent_id)
        return None if working is None else working.work

    def reserved(self, symbol: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """What working tactics have not placed yet but still may: entry buys, entry sells, closing buys, closing
        sells. Base units; the order manager counts what they have placed."""
        buys = {Purpose.ENTRY: ZERO, Purpose.EXIT: ZERO}
        sells = dict(buys)
        for working in self._working.values():
            work = working.work
            if work.started.symbol == symbol and not working.stopping:
                side = buys if work.side is Side.BUY else sells
                side[work.purpose] += max(ZERO, work.left)
        return buys[Purpose.ENTRY], sells[Purpose.ENTRY], buys[Purpose.EXIT], sells[Purpose.EXIT]

    def symbols(self) -> tuple[str, ...]:
        """Symbols that are being worked."""
        return tuple(working.work.started.symbol for working in self._working.values()) if self._working else ()

    def slot_busy(self, strategy: str, symbol: str, purpose: Purpose) -> str:
        """Intent that is being worked in the slot; empty when it is free."""
        for working in self._working.values():
            work = working.work
            started = work.started
            if started.strategy == strategy and started.symbol == symbol and work.purpose is purpose:
                return started.intent_id
        return ""

    def entry_side(self, strategy: str, symbol: str) -> Side | None:
        """Side of the entry that is being worked for the strategy in the symbol; None when there is none."""
        working = self._working.get(self.slot_busy(strategy, symbol, Purpose.ENTRY))
        return None if working is None else working.work.side

    # --- beginning ------------------------------------------------------------------------------------------------
    async def begin(
        self,
        tactic: Tactic,
        approved: ApprovedOrder,
        plan: Mapping[str, Number],
        *,
        closing_seconds: float = 0.0,
        quantity: Decimal | None = None,
    ) -> PlacedOrder:
        """Write the plan down and take the first steps; returns when the tactic waits or is over.

        `plan` names `until_ns`, and `closing_seconds` how long closing steps may take after it: so long the intent
        lives. Raises Refused when nothing was sent, StoreError when nothing may be sent.
        """
        order = approved.order
        if order.intent_id in self._working:
            raise Refused(Stage.PLACEMENT, Refusal.DUPLICATE_INTENT, intent_id=order.intent_id)
        started = begun(
            tactic,
            approved,
            plan,
            now_ns=self._clock.now_ns(),
            closing_seconds=closing_seconds,
            quantity=quantity,
        )
        self._bus.publish(started)
        working = self._working[order.intent_id] = working_on(tactic, started)
        try:
            await self._drive(working, first=True)
        except asyncio.CancelledError:
            self._wake(working)  # whoever asked is gone; the plan is not
            raise
        return placed(approved, tuple(working.orders), working=order.intent_id in self._working)

    # --- the next step --------------------------------------------------------------------------------------------
    async def _drive(self, working: Working, *, first: bool = False) -> None:
        """Take steps until the tactic waits or is over. One at a time: whoever wakes it meanwhile need not."""
        if working.busy or working.intent_id not in self._working:
            return
        working.busy = True
        try:
            await self._ask_where_silent(working)
            while (wait := await self._step(working, first=first)) is None:
                pass
            self._arm(working, wait)
        finally:
            working.busy = False

    async def _step(self, working: Working, *, first: bool) -> Wait | None:
        """None when it acted and may be asked again."""
        action = self._decide(working)
        working.steps += not isinstance(action, Wait)
        match action:
            case Wait():
                return action
            case End(reason=reason):
                self._end(working, reason)
                return Wait(until_ns=0)
            case Withdraw(reason=reason):
                return await self._withdraw(working, reason)
            case Place():
                return await self._place(working, action, first=first)

    def _decide(self, working: Working) -> Action:
        """What holds for every tactic, then the tactic's own opinion."""
        work, moment, living = working.work, self._moment(working.work), working.living
        if work.purpose is Purpose.ENTRY and (why := self._pause_reason(work.started.symbol)):
            working.stopping = working.stopping or f"entries are paused: {why}"
        action = self._of_living(working, living, moment) if living is not None else self._of_settled(working, moment)
        return action or working.tactic.next(work, moment)

    def _of_living(self, working: Working, living: ManagedOrder, moment: Moment) -> Action | None:
        if living.cancel_requested:
            ours = living.cancel_requested.startswith(working.cancel_prefix)
            if ours and moment.now_ns - living.cancel_requested_ns >= CANCEL_AGAIN_NS:
                return Withdraw(reason="the cancel is not proven")
            return Wait(until_ns=moment.now_ns + self._poll_ns)
        if living.state in (OrderState.SUBMITTED, OrderState.UNKNOWN):
            return Wait(until_ns=moment.now_ns + CANCEL_AGAIN_NS)  # never a second order beside one that may exist
        if living.state.is_terminal:
            return Wait(until_ns=moment.now_ns + self._poll_ns)  # trades it spoke of are on their way
        if working.work.left < 0:
            return Withdraw(reason="a late fill left less to do")
        if working.stopping:
            return Withdraw(reason=working.stopping)
        if living.may_still_fill > self._closable(working.work, living.client_order_id, living.may_still_fill):
            return Withdraw(reason="more than is open")
        return None

    def _closable(self, work: Work, but: str, otherwise: Decimal) -> Decimal:
        """What an exit may still close beside other orders; `otherwise` for an entry."""
        started = work.started
        if not started.reduce_only:
            return otherwise
        return self._orders.closable(started.side, started.symbol, self._position(started.symbol), but)

    def _of_settled(self, working: Working, moment: Moment) -> Action | None:
        work, last = working.work, working.last
        if work.left <= 0:
            return End(reason="filled")
        if last is not None and last.cancel_requested and not last.cancel_requested.startswith(working.cancel_prefix):
            return End(reason=f"cancelled: {last.cancel_requested}")
        if working.stopping:
            return End(reason=working.stopping)
        if last is not None and last.state in NEVER_PLACED and not last.submitted.post_only:
            return End(reason=f"{last.state.value.lower()}: {last.reason}")
        if work.left < moment.product.min_quantity:
            return End(reason="the rest is below the smallest size")
        if self._closable(work, "", work.left) < moment.product.min_quantity:
            return End(reason="nothing is left to close")
        if working.steps >= STEPS_MAX:
            return End(reason=f"{STEPS_MAX} steps")
        return None

    def _moment(self, work: Work) -> Moment:
        """No entry is priced by a stale book; an exit goes on with the last one, since it must get out. A book that
        is modelled from bars is as old as its bar by nature, and is traded on in simulations only."""
        symbol, now_ns = work.started.symbol, self._clock.now_ns()
        book = self._adapter.market.book(symbol, 1)
        bid = ask = None
        if book is not None and book.bids and book.asks:
            fresh = book.modelled or now_ns - book.received_ns <= self._book_age_ns_max
            if fresh or work.purpose is Purpose.EXIT:
                bid, ask = book.bids[0][0], book.asks[0][0]
        return Moment(now_ns=now_ns, product=self._adapter.products()[symbol], bid=bid, ask=ask)

    async def _ask_where_silent(self, working: Working) -> None:
        """A cancel or a trade that the stream has not brought after one poll interval is asked for."""
        living, now_ns = working.living, self._clock.now_ns()
        if living is None or not (living.cancel_requested or living.state.is_terminal):
            return
        if now_ns - max(working.asked_ns, living.cancel_requested_ns) >= self._poll_ns:
            working.asked_ns = now_ns
            await self._poll.ask(living)

    async def _withdraw(self, working: Working, reason: str) -> Wait | None:
        living = working.living
        assert living is not None, "a tactic withdraws the order that is living"
        asked_before_ns = living.cancel_requested_ns
        self._progress(working, "cancel", {"client_order_id": living.client_order_id, "reason": reason})
        try:
            await self._executor.withdraw(living, working.cancel_prefix + reason)
        except ExchangeError:
            return Wait(until_ns=self._clock.now_ns() + self._poll_ns)  # asked again when it stays unproven
        if not living.is_settled and living.cancel_requested_ns == asked_before_ns:
            return Wait(until_ns=self._clock.now_ns() + CANCEL_AGAIN_NS)  # nothing may leave now, not even a cancel
        return None

    async def _place(self, working: Working, action: Place, *, first: bool) -> Wait | None:
        """Refused before the first order is the answer to the intent; later it is the end of the tactic."""
        work, moment = working.work, self._moment(working.work)
        assert work.living is None, "never two living orders of one tactic"
        assert ZERO < action.quantity <= work.left, "never more than is left to do"
        closable = self._closable(work, "", action.quantity)
        if closable < action.quantity:
            action = msgspec.structs.replace(action, quantity=closable)
        if action.step:
            numbers: dict[str, Number] = {"price": action.limit_price, "quantity": action.quantity, "leg": action.leg}
            if moment.bid is not None and moment.ask is not None:
                numbers |= {"bid": moment.bid, "ask": moment.ask}
            self._progress(working, action.step, numbers)
        try:
            order = await self._executor.place(self._ticket(work, action))
        except Refused as refused:
            nothing_sent = not work.children
            self._end(working, refused.code.value)
            if first and nothing_sent:
                raise
            return Wait(until_ns=0)
        self._follow(working, order)
        return None

    def _follow(self, working: Working, order: ManagedOrder) -> None:
        working.forget.append(self._stream.follow(order, lambda _: self._wake(working)))

    def _ticket(self, work: Work, action: Place) -> OrderTicket:
        """Resting entries die by themselves where the venue can do that; exits stay."""
        started = work.started
        time_in_force, expire_ns = action.time_in_force, None
        dies = TimeInForce.GTD in self._adapter.capabilities.limit_times_in_force
        if time_in_force is TimeInForce.GTC and work.purpose is Purpose.ENTRY and dies:
            time_in_force, expire_ns = TimeInForce.GTD, -(-started.valid_until_ns // NS) * NS
        return OrderTicket(
            client_order_id=client_order_id(self._run_tag, started.intent_id, action.leg, action.slice_number),
            intent_id=started.intent_id,
            symbol=started.symbol,
            side=started.side,
            quantity=action.quantity,
            order_type=OrderType.LIMIT,
            time_in_force=time_in_force,
            limit_price=action.limit_price,
            expire_ns=expire_ns,
            post_only=action.post_only,
            reduce_only=started.reduce_only,
            purpose=work.purpose,
            strategy=started.strategy,
            tactic=started.tactic,
            leg=action.leg,
            slice_number=action.slice_number,
            valid_until_ns=started.valid_until_ns,
            arrival_mid=started.arrival_mid,
        )

    def _progress(self, working: Working, step: str, numbers: dict[str, Number]) -> None:
        started = working.work.started
        self._bus.publish(
            TacticProgressed(
                at_ns=self._clock.now_ns(),
                intent_id=started.intent_id,
                tactic=started.tactic,
                symbol=started.symbol,
                step=step,
                filled=working.work.filled,
                numbers=numbers,
            )
        )

    def _end(self, working: Working, reason: str) -> None:
        started = working.work.started
        self._bus.publish(
            TacticEnded(
                at_ns=self._clock.now_ns(),
                intent_id=started.intent_id,
                tactic=started.tactic,
                symbol=started.symbol,
                filled=working.work.filled,
                reason=reason,
            )
        )
        self._drop(working)

    def _drop(self, working: Working) -> None:
        self._working.pop(working.intent_id, None)
        if working.stop_timer is not None:
            working.stop_timer()
        for forget in working.forget:
            forget()
        for ended in working.ended:
            if not ended.done():
                ended.set_result(True)

    # --- timers and news ------------------------------------------------------------------------------------------
    def _arm(self, working: Working, wait: Wait) -> None:
        if working.stop_timer is not None:
            working.stop_timer()
            working.stop_timer = None
        if working.intent_id in self._working:
            seconds = (wait.until_ns - self._clock.now_ns()) / NS
            working.stop_timer = call_after(seconds, lambda: self._wake(working))

    def _wake(self, working: Working) -> None:
        """Ask the tactic again. While it acts, it asks itself again when it is done."""
        if working.busy or not self._resumed or working.intent_id not in self._working:
            return
        task = asyncio.get_running_loop().create_task(self._drive(working), name=f"tactic {working.intent_id}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._driven(working, done))

    def _driven(self, working: Working, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        self.failures.append((working.intent_id, error))
        if working.stopping:
            self._drop(working)
        else:
            working.stopping = f"failed: {type(error).__name__}"
            self._wake(working)  # its order is taken back, if that still goes

    def _on_pause(self, event: SymbolPaused) -> None:
        for working in tuple(self._working.values()):
            if working.work.started.symbol == event.symbol:
                self._wake(working)

    def _adopt(self, event: OrderSubmitted) -> None:
        """An order of a worked intent, live or replayed."""
        working = self._working.get(event.intent_id)
        order = self._orders.find(event.client_order_id)
        if working is not None and order is not None:
            working.orders.append(order)

    # --- an end before its time -----------------------------------------------------------------------------------
    def tell_to_end(
        self, reason: str, *, symbol: str = "", strategy: str = "", exits: bool = False
    ) -> tuple[Working, ...]:
        """Let the entries that are being worked (of one symbol, of one strategy) end now with what they got; exits
        too where another exit takes their place."""
        chosen = tuple(
            working
            for working in self._working.values()
            if (exits or working.work.purpose is Purpose.ENTRY)
            and symbol in ("", working.work.started.symbol)
            and strategy in ("", working.work.started.strategy)
        )
        for working in chosen:
            working.stopping = working.stopping or reason
            self._wake(working)
        return chosen

    async def wind_down(self, reason: str, *, symbol: str = "", strategy: str = "", exits: bool = False) -> bool:
        """The same, and wait until their orders are cancelled and what was filled is confirmed. False when that took
        too long."""
        chosen = self.tell_to_end(reason, symbol=symbol, strategy=strategy, exits=exits)
        return await self._ended(chosen, WIND_DOWN_SECONDS)

    async def finish(self, within_seconds: float) -> bool:
        """Wait for every tactic to come to its end; entries that would take longer are wound down at once."""
        horizon_ns = self._clock.now_ns() + round(within_seconds * NS)
        for working in self._working.values():
            if working.work.purpose is Purpose.ENTRY and working.work.until_ns > horizon_ns:
                working.stopping = "the bot stops"
                self._wake(working)
        return await self._ended(tuple(self._working.values()), within_seconds)

    async def _ended(self, chosen: tuple[Working, ...], seconds: float) -> bool:
        deadline_ns = self._clock.now_ns() + round(seconds * NS)
        for working in chosen:
            if working.intent_id in self._working:
                ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                working.ended.append(ended)
                await until_woken(ended, max(0.0, (deadline_ns - self._clock.now_ns()) / NS))
        return not any(working.intent_id in self._working for working in chosen)

    # --- restart --------------------------------------------------------------------------------------------------
    def restore(self, event: Event) -> None:
        """Take one stored event back in, oldest first, after the order manager has had it. Raises ConfigError when
        the tactic is no longer there."""
        self._resumed = False
        match event:
            case TacticStarted():
                self._working[event.intent_id] = working_on(self._tactic_of(event), event)
            case TacticEnded():
                self._working.pop(event.intent_id, None)
            case OrderSubmitted():
                self._adopt(event)
            case _:
                return

    def _tactic_of(self, event: TacticStarted) -> Tactic:
        tactic = self._tactics.get(event.tactic)
        if tactic is None:
            raise ConfigError(
                f"tactic {event.tactic!r} of intent {event.intent_id} is being worked in this run, and this "
                f"version has no such tactic ({', '.join(sorted(self._tactics))}). Fix: use the version that "
                "started it until it has ended."
            )
        return tactic

    def state(self) -> tuple[WorkState, ...]:
        """For a snapshot."""
        return tuple(
            WorkState(started=encode(working.work.started), orders=tuple(working.orders))
            for working in self._working.values()
        )

    def load(self, state: tuple[WorkState, ...]) -> None:
        """Know what a snapshot kept, after the order manager does. Raises ConfigError like `restore`."""
        self._resumed = False
        for kept in state:
            started = decode(kept.started)
            assert isinstance(started, TacticStarted), "only what began is kept"
            working = self._working[started.intent_id] = working_on(self._tactic_of(started), started)
            working.orders.extend(self._orders.find(order.client_order_id) or order for order in kept.orders)

    def resume(self) -> None:
        """Go on with all that was being worked. Orders of theirs should have been read afresh before."""
        self._resumed = True
        for working in tuple(self._working.values()):
            living = working.living
            if living is not None:
                self._follow(working, living)
            self._wake(working)
