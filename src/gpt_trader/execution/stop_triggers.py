"""Who gets us out, and is exactly one doing so? Keeps every protective stop and target of the house.

Belongs to the house, so that stops outlive an engine. One net position has one leg: at most one stop and one target.
A stop is kept by the venue where it can (a reduce-only stop-limit), else by the bot itself; never by both. What the
bot keeps is compared with every trade where the exchange adapter tells them (`WatchesPrices`), else with the last one
every `watch_seconds`, and with the extremes of each closed bar. A stop that
fires leaves through the front door (`place_order`) as a clamped, reduce-only exit; if the position is still open
`escalate_seconds` later, that exit is cancelled, the cancel proven, and a new one sent at the price of then.

A strategy's own exit is let by: the venue's stop is first taken back (the bot keeps it meanwhile), so that there are
never two living closers of one position. All of it is in the log, and `restore` takes it from there after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock, until_woken
from gpt_trader.core.errors import ExchangeError
from gpt_trader.core.events import Event, OrderFilled, PositionClosed, StopKept
from gpt_trader.core.ids import client_order_id
from gpt_trader.core.values import (
    ApprovedOrder,
    Bar,
    ExecutionReport,
    Keeper,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    StopKind,
    TimeInForce,
)
from gpt_trader.exchange.base import ExchangeAdapter, WatchesPrices
from gpt_trader.execution.stop_record import Leg, StopRecord, StopsState
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.order_manager import ManagedOrder, OrderManager
from gpt_trader.placement.submitter import OrderSubmitter
from gpt_trader.placement.tracker import OrderTracker
from gpt_trader.risk.stops import TRAIL_STEP, StopTrigger, is_reached, stop_limit_price, trailed

__all__ = ["STOPS", "StopSettings", "StopTriggerManager"]

STOPS: Final = "stops"
"""Stands where a strategy's name would: orders of this house part are never made way for."""
VENUE_TRIES_MAX: Final = 3
"""So often a venue may refuse or drop a stop before the bot keeps it itself."""
CANCEL_PROOF_SECONDS: Final = 10.0
WAIT_SECONDS_MAX: Final = 60.0
"""Between attempts that were refused; the first waits are short."""
ALARM_ATTEMPT: Final = 3
FIRED: Final = "the stop fired"
IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
RESTS: Final = frozenset({"RESTING", "WORKING", "UNKNOWN", "FILLED", "PARTIALLY_FILLED"})
"""Answers after which the order's own events say more; all others call for another attempt."""


class StopSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What stops need to know of the configuration."""

    watch_seconds: float
    escalate_seconds: float
    limit_offset_bps: Decimal
    bar_seconds: int


class StopTriggerManager:
    """Built by the builder and shared by both engines. `failed` is told of a fault that leaves a leg unwatched."""

    def __init__(
        self,
        *,
        record: StopRecord,
        adapter: ExchangeAdapter,
        bus: EventBus,
        clock: Clock,
        orders: OrderManager,
        submitter: OrderSubmitter,
        tracker: OrderTracker,
        waiter: OrderConfirmationWaiter,
        place_order: Callable[[OrderRequest], Awaitable[ExecutionReport]],
        failed: Callable[[BaseException], None],
        run_tag: str,
        settings: StopSettings,
    ) -> None:
        self._record = record
        self._adapter = adapter
        self._bus = bus
        self._clock = clock
        self._orders = orders
        self._submitter = submitter
        self._tracker = tracker
        self._waiter = waiter
        self._place_order = place_order
        self._failed = failed
        self._run_tag = run_tag
        self._settings = settings
        self._legs = record.legs
        self._tasks: dict[Leg, asyncio.Task[None]] = {}
        self._closing = False
        self._resumed = True
        """False between the replay of a log and `resume`: fills are taken in, and nothing leaves."""
        bus.subscribe(OrderFilled, "stop keeper", self._on_fill)
        bus.subscribe(PositionClosed, "stop keeper", self._on_closed)

    # --- what others ask ------------------------------------------------------------------------------------------
    def kept(self) -> tuple[StopTrigger, ...]:
        """Every stop and target of an open position, for people."""
        return tuple(trigger for leg in self._legs.values() for trigger in leg.triggers())

    def pause_reason(self, symbol: str) -> str:
        """Why nothing may be added to the symbol's position: its stop is getting out. Empty mostly."""
        leg = self._legs.get(symbol)
        return "" if leg is None or leg.fired is None else f"{leg.fired.stop_id} fired and is getting out"

    def strategy_stop(self, symbol: str) -> StopKept | None:
        """The stop that the symbol's strategy trails by itself, as last written down."""
        return self._record.strategy_stops.get(symbol)

    def plan(self, approved: ApprovedOrder, *, targets: bool) -> None:
        """Write down how this entry will be protected, before it leaves. `targets`: the engine offers take profit."""
        self._record.plan(approved, targets=targets)

    def keep_for_strategy(self, strategy: str, symbol: str, trigger_price: Decimal, anchor: Decimal) -> None:
        """Write down the stop that a strategy trails on closed bars, so that it survives a restart."""
        self._record.keep_for_strategy(strategy, symbol, trigger_price, anchor)

    def strategy_fired(self, symbol: str, price: Decimal) -> None:
        """The strategy acts on its own stop."""
        self._record.strategy_fired(symbol, price)

    # --- fills and the end of a position --------------------------------------------------------------------------
    def _on_fill(self, event: OrderFilled) -> None:
        before = self._legs.get(event.symbol)
        self._record.cover(event)
        leg = self._legs.get(event.symbol)
        if before is not None and leg is not before:
            self._forget(before, "position turned")
        if leg is None:
            return
        if leg not in self._tasks and self._resumed:
            self._start(leg)
        stop = leg.stop
        if stop is not None and leg.fired is None and event.client_order_id == leg.at_venue:
            self._fire(leg, stop, event.price)
        leg.nudge()

    def _on_closed(self, event: PositionClosed) -> None:
        leg = self._legs.get(event.symbol)
        if leg is not None and not self._record.open_quantity(leg):
            del self._legs[event.symbol]
            self._forget(leg, "position closed")
        self._record.release_strategy_stop(event.symbol, "position closed")

    def _forget(self, leg: Leg, reason: str) -> None:
        """The leg is over; its task takes back what the venue may still hold."""
        leg.gone = True
        for trigger in leg.triggers():
            self._record.release(leg, trigger, reason)
        leg.nudge()

    # --- making way for other exits -------------------------------------------------------------------------------
    def in_the_way(self, order: OrderRequest) -> Leg | None:
        """The leg whose stop rests at the venue and would leave this exit nothing to close; None mostly."""
        leg = self._legs.get(order.symbol)
        if leg is None or not order.reduce_only or order.strategy == STOPS or leg.fired is not None:
            return None
        return leg if leg.stop is not None and leg.stop.keeper is Keeper.VENUE and leg.side is order.side else None

    async def make_way(self, leg: Leg, intent_id: str) -> None:
        """Take the stop back from the venue, proven, and keep it here until `way_is_free`."""
        leg.making_way += 1
        async with leg.venue_turn:
            await self._take_back(leg, f"makes way for {intent_id}")

    def way_is_free(self, leg: Leg) -> None:
        """The exit has passed; what is left of the position is protected as before."""
        leg.making_way -= 1
        leg.nudge()

    # --- the watch ------------------------------------------------------------------------------------------------
    def watches(self, symbol: str) -> bool:
        """A stop of the symbol may have to be looked at when its price moves."""
        return symbol in self._legs

    def tends(self, symbol: str) -> bool:
        """Somebody is at work for the stop of the symbol, wherever it is kept."""
        leg = self._legs.get(symbol)
        return leg is not None and leg in self._tasks

    def on_bar(self, bar: Bar) -> None:
        """Remember how far a bar that began after the fill has reached."""
        leg = self._legs.get(bar.symbol)
        if leg is None or bar.close_ns - self._settings.bar_seconds * NS < leg.since_ns:
            return
        leg.reach(Decimal(repr(bar.low)))
        leg.reach(Decimal(repr(bar.high)))

    def _start(self, leg: Leg) -> None:
        task = asyncio.get_running_loop().create_task(self._keep(leg), name=f"stops of {leg.symbol}")
        self._tasks[leg] = task
        task.add_done_callback(lambda done: self._ended(leg, done))

    def _ended(self, leg: Leg, task: asyncio.Task[None]) -> None:
        self._tasks.pop(leg, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    async def _keep(self, leg: Leg) -> None:
        """One leg, from its first fill to the end of its position, or of the bot."""
        while not (leg.gone or (self._closing and leg.fired is None)):
            leg.nudged = asyncio.get_running_loop().create_future()
            leg.wait_seconds = 0.0
            if self._record.open_quantity(leg):
                if leg.fired is None:
                    self._look(leg)
                if leg.fired is not None:
                    await self._get_out(leg)
                elif not leg.making_way:
                    async with leg.venue_turn:
                        await self._settle(leg)
            elif not self._entry_lives(leg):
                self._legs.pop(leg.symbol, None)
                self._forget(leg, "no position")
            self._watch_price(leg)
            await until_woken(leg.nudged, max(leg.wait_seconds, self._settings.watch_seconds))
        async with leg.venue_turn:
            if leg.gone:
                await self._cancel_at_venue(leg, "position closed")
            else:
                await self._hand_over(leg)

    async def _hand_over(self, leg: Leg) -> None:
        """The bot goes: what it kept itself rests at the venue meanwhile, where that can keep it. A trail stands still
        until somebody is back to take it from there."""
        stop, product = leg.stop, self._adapter.products()[leg.symbol]
        fits = product.min_quantity <= self._record.open_quantity(leg) <= product.max_quantity
        if stop is None or stop.keeper is Keeper.VENUE or not fits or not self._adapter.capabilities.venue_stops:
            return
        await self._give_to_venue(leg, stop)

    def _entry_lives(self, leg: Leg) -> bool:
        return any(order.submitted.intent_id in leg.intents for order in self._orders.living(leg.symbol))

    def _watch_price(self, leg: Leg) -> None:
        """Have the next trade told that would fire what is kept here, or let it trail."""
        if not isinstance(self._adapter, WatchesPrices) or leg.fired is not None or leg.gone:
            return
        stop, target = leg.stop, leg.target
        losing = stop.trigger_price if stop is not None and stop.keeper is Keeper.LOCAL else None
        winning = None if target is None else target.trigger_price
        if stop is not None and stop.distance:
            further = stop.anchor * (1 - leg.side.sign * TRAIL_STEP * stop.distance)
            winning = further if winning is None else min(winning, further, key=lambda each: abs(each - stop.anchor))
        low, high = (losing, winning) if leg.side is Side.SELL else (winning, losing)
        if (low, high) != (None, None):
            self._adapter.watch_price(leg.symbol, low, high, leg.reach)

    def _look(self, leg: Leg) -> None:
        """Compare with the last trade, and with the extremes of bars; of stop and target the stop fires first."""
        mark = self._adapter.market.mark(leg.symbol)
        last = self._adapter.market.last_price(leg.symbol) or (mark.price if mark is not None else None)
        if last is None:
            return
        low, high = min(last, leg.low or last), max(last, leg.high or last)
        worst, best = (low, high) if leg.side is Side.SELL else (high, low)
        leg.low = leg.high = None
        if leg.stop is not None and is_reached(leg.stop, worst):
            self._fire(leg, leg.stop, worst)
        elif leg.target is not None and is_reached(leg.target, best):
            self._fire(leg, leg.target, best)
        elif leg.stop is not None and leg.stop.distance:
            self._trail(leg, leg.stop, best)

    def _trail(self, leg: Leg, stop: StopTrigger, best: Decimal) -> None:
        leg.stop = moved = trailed(stop, best)
        if stop.keeper is Keeper.VENUE or leg.changed:
            return  # taken back and written down first
        if abs(moved.trigger_price - leg.told_price) >= TRAIL_STEP * moved.distance * moved.anchor and stop.revision:
            leg.stop = self._say_kept(leg, moved, Keeper.LOCAL, "trails")

    def _fire(self, leg: Leg, trigger: StopTrigger, price: Decimal) -> None:
        """From here on the leg has one aim: out. The other of the pair is released."""
        at_venue = trigger is leg.stop and self._living_at_venue(leg) is not None
        leg.fired, leg.attempt, leg.attempt_ns = trigger, int(at_venue), self._clock.now_ns()
        self._record.say_triggered(leg.symbol, trigger.stop_id, trigger.trigger_price, price)
        other = leg.target if trigger is leg.stop else leg.stop
        if other is not None:
            self._record.release(leg, other, "the other of the pair fired")
        if trigger is leg.stop:
            leg.target = None

    # --- keeping --------------------------------------------------------------------------------------------------
    async def _settle(self, leg: Leg) -> None:
        """See to it that stop and target are written down, and that the right one keeps the stop."""
        quantity = self._record.open_quantity(leg)
        resized, leg.covered = quantity != leg.covered, quantity
        changed, leg.changed = leg.changed, False
        if leg.target is not None and (changed or not leg.target.revision):
            leg.target = self._say_kept(leg, leg.target, Keeper.LOCAL)
        stop = leg.stop
        if stop is None:
            return
        order = self._living_at_venue(leg)
        if order is None:
            await self._settle_here(leg, stop, quantity, changed=changed)
        elif changed or not self._venue_can_keep(leg, stop, quantity):
            await self._take_back(leg, "changed" if changed else "the venue cannot keep it any more")
            leg.changed = changed and leg.stop is stop
        elif order.may_still_fill != quantity and not resized:  # the position stands still again
            await self._take_back(leg, "the position was resized")

    async def _settle_here(self, leg: Leg, stop: StopTrigger, quantity: Decimal, *, changed: bool) -> None:
        """Nothing rests at the venue: give it there, or keep it here and say so."""
        dropped = stop.keeper is Keeper.VENUE
        leg.venue_tries += int(dropped)  # it ended there, and the position is still open
        if self._venue_can_keep(leg, stop, quantity):
            await self._give_to_venue(leg, stop)
        elif changed or dropped or not stop.revision:
            leg.stop = self._say_kept(leg, stop, Keeper.LOCAL)

    def _say_kept(self, leg: Leg, trigger: StopTrigger, keeper: Keeper, reason: str = "") -> StopTrigger:
        return self._record.say_kept(leg, trigger, keeper, self._adapter.products()[leg.symbol].tick, reason)

    def _venue_can_keep(self, leg: Leg, stop: StopTrigger, quantity: Decimal) -> bool:
        product = self._adapter.products()[leg.symbol]
        return (
            self._adapter.capabilities.venue_stops
            and stop.kind in (StopKind.STOP, StopKind.STOP_LIMIT)
            and leg.venue_tries < VENUE_TRIES_MAX
            and product.min_quantity <= quantity <= product.max_quantity
            and not self._closers(leg, but=leg.at_venue)
            and not self._worked(leg)
        )

    async def _give_to_venue(self, leg: Leg, stop: StopTrigger) -> None:
        """Written down first, then sent; a venue that will not have it leaves it with the bot."""
        product = self._adapter.products()[leg.symbol]
        leg.stop = kept = self._say_kept(leg, stop, Keeper.VENUE)
        leg.at_venue = self._venue_name(kept)
        report = await self._place_order(
            self._exit(
                leg,
                kept.intent_id,
                order_type=OrderType.STOP_LIMIT,
                time_in_force=TimeInForce.GTC,
                stop_price=kept.trigger_price,
                limit_price=stop_limit_price(kept, self._settings.limit_offset_bps, product.tick),
                reason="protective stop",
            )
        )
        if report.outcome in RESTS or leg.fired is not None or leg.gone:
            return
        leg.venue_tries += 1
        order = self._orders.find(leg.at_venue)
        why = report.code or (order.reason if order is not None else "") or report.outcome
        leg.stop = self._say_kept(leg, kept, Keeper.LOCAL, f"the venue does not keep it: {why}")
        leg.nudge()

    async def _take_back(self, leg: Leg, reason: str) -> None:
        """From the venue to the bot, once the cancel is proven; else it stays where it is, and the next round, not this
        moment, tries again: a venue that turns cancels away does so at once."""
        stop = leg.stop
        if stop is None or leg.fired is not None or not await self._cancel_at_venue(leg, reason):
            return
        if leg.stop is stop and not leg.gone and self._record.open_quantity(leg):
            leg.stop = self._say_kept(leg, stop, Keeper.LOCAL, reason)
        leg.nudge()

    async def _cancel_at_venue(self, leg: Leg, reason: str) -> bool:
        """True once no order of the stop can fill any more."""
        order = self._living_at_venue(leg)
        return order is None or await self._cancel(order, reason)

    async def _cancel(self, order: ManagedOrder, reason: str) -> bool:
        try:
            await self._submitter.cancel(order, reason)
        except ExchangeError as error:
            self._bus.report("stop keeper", f"cancel of {order.client_order_id}: {error}", "tried again")
            return False
        return await self._waiter.until_settled(order, CANCEL_PROOF_SECONDS)

    def _venue_name(self, stop: StopTrigger) -> str:
        return client_order_id(self._run_tag, stop.intent_id)

    def _living_at_venue(self, leg: Leg) -> ManagedOrder | None:
        order = self._orders.find(leg.at_venue) if leg.at_venue else None
        return None if order is None or order.is_settled else order

    def _closers(self, leg: Leg, but: str = "") -> list[ManagedOrder]:
        """Living orders that would close the position, other than the named one."""
        return [
            order
            for order in self._orders.living(leg.symbol)
            if order.submitted.reduce_only and order.submitted.side is leg.side and order.client_order_id != but
        ]

    def _worked(self, leg: Leg) -> Decimal:
        """What working tactics may still send to close the position."""
        _, _, closing_buy, closing_sell = self._tracker.reserved(leg.symbol)
        return closing_buy if leg.side is Side.BUY else closing_sell

    # --- getting out ----------------------------------------------------------------------------------------------
    async def _get_out(self, leg: Leg) -> None:
        """One step: end what adds to the position, clear away other closers, then send the next exit."""
        await self._tracker.wind_down(FIRED, symbol=leg.symbol, exits=not leg.attempt or self._grace(leg) <= 0)
        for order in self._orders.living(leg.symbol):
            if not order.submitted.reduce_only and order.submitted.side is not leg.side:
                await self._cancel(order, FIRED)
        closers = self._closers(leg)
        for order in closers:
            await self._clear_away(leg, order)
        if not closers and self._worked(leg):
            await self._clock.sleep(max(self._settings.watch_seconds, self._grace(leg)))
        elif not closers and not leg.gone and self._record.open_quantity(leg):
            await self._send_exit(leg)
            return
        leg.nudge()

    def _grace(self, leg: Leg) -> float:
        """Seconds that the exit of this attempt still has."""
        return self._settings.escalate_seconds - (self._clock.now_ns() - leg.attempt_ns) / NS

    async def _clear_away(self, leg: Leg, order: ManagedOrder) -> None:
        """Immediate orders and our own exits get their time; whatever else rests there is cancelled at once."""
        assert leg.fired is not None
        of_the_stop = leg.fired is leg.stop and order.client_order_id == leg.at_venue
        ours = of_the_stop or order.submitted.intent_id == self._exit_id(leg)
        if ours or order.submitted.time_in_force in IMMEDIATE or order.state is OrderState.UNKNOWN:
            left = self._grace(leg)
            if left > 0 and await self._waiter.until_settled(order, left):
                return
        if not order.is_settled and not await self._cancel(order, FIRED):
            await self._clock.sleep(self._settings.watch_seconds)

    def _exit_id(self, leg: Leg) -> str:
        assert leg.fired is not None
        return f"{leg.fired.stop_id}:exit:{leg.attempt}"

    async def _send_exit(self, leg: Leg) -> None:
        fired = leg.fired
        assert fired is not None
        leg.attempt += 1
        leg.attempt_ns = self._clock.now_ns()
        if leg.attempt > 1:
            self._escalate(leg, fired)
        as_limit = leg.attempt == 1 and fired.limit_price is not None
        report = await self._place_order(
            self._exit(
                leg,
                self._exit_id(leg),
                order_type=OrderType.LIMIT if as_limit else OrderType.MARKET,
                time_in_force=TimeInForce.GTC if as_limit else TimeInForce.IOC,
                limit_price=fired.limit_price if as_limit else None,
                reason=f"{fired.kind.value.lower()} at {fired.trigger_price}",
            )
        )
        if report.outcome in RESTS:
            leg.nudge()
        else:
            leg.wait_seconds = min(WAIT_SECONDS_MAX, self._settings.watch_seconds * 2 ** min(leg.attempt, 8))

    def _escalate(self, leg: Leg, fired: StopTrigger) -> None:
        reason = f"still open after attempt {leg.attempt - 1}"
        self._record.say_escalated(leg, fired.stop_id, reason)
        if leg.attempt == ALARM_ATTEMPT:
            self._bus.report("stop keeper", f"{leg.symbol}: {reason} of {fired.stop_id}", "tried until it is closed")

    def _exit(
        self,
        leg: Leg,
        intent_id: str,
        *,
        order_type: OrderType,
        time_in_force: TimeInForce,
        reason: str,
        stop_price: Decimal | None = None,
        limit_price: Decimal | None = None,
    ) -> OrderRequest:
        """All that is open, reduce-only; whatever else may close it is clamped away by the risk stage."""
        now_ns = self._clock.now_ns()
        return OrderRequest(
            intent_id=intent_id,
            strategy=STOPS,
            symbol=leg.symbol,
            side=leg.side,
            quantity=self._record.open_quantity(leg),
            order_type=order_type,
            time_in_force=time_in_force,
            stop_price=stop_price,
            limit_price=limit_price,
            reduce_only=True,
            created_ns=now_ns,
            valid_until_ns=now_ns + round(WAIT_SECONDS_MAX * NS),
            reason=reason,
        )

    # --- restart and end ------------------------------------------------------------------------------------------
    def restore(self, event: Event) -> None:
        """Take one stored event back in, oldest first, before `resume`. Nothing is told."""
        self._resumed = False
        self._record.restore(event)
        if isinstance(event, StopKept) and event.keeper == Keeper.VENUE:
            leg = self._legs[event.symbol]
            assert leg.stop is not None, "a stop that was kept is in its leg"
            leg.at_venue = self._venue_name(leg.stop)

    def state(self) -> StopsState:
        """For a snapshot, of what a replay made."""
        return self._record.state()

    def load(self, state: StopsState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._resumed = False
        self._record.load(state)

    def resume(self) -> None:
        """After a restart, once orders and positions are those of the venue: watch again what is still open."""
        self._resumed = True
        for symbol, leg in tuple(self._legs.items()):
            if self._record.open_quantity(leg) or self._entry_lives(leg):
                self._start(leg)
            else:
                del self._legs[symbol]
                self._forget(leg, "closed while the bot was down")

    async def settle(self, timeout_seconds: float) -> None:
        """The bot stops: exits that were fired come to their end, stops of ours go to the venue, nobody watches on."""
        self._closing = True
        for leg in tuple(self._legs.values()):
            leg.nudge()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()), timeout=timeout_seconds)
        for task in tuple(self._tasks.values()):
            task.cancel()
