"""Which stops are there, and what has become of them? The legs of all positions, as the log has them.

Every fact about a stop is told from here and nowhere else, and `restore` takes the same facts back after a restart.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.events import (
    Event,
    OrderFilled,
    OrderReconciled,
    OrderRefused,
    PositionClosed,
    StopEscalated,
    StopKept,
    StopPlanned,
    StopReleased,
    StopTriggered,
)
from gpt_trader.core.values import OPEN_OUTCOMES, ZERO, ApprovedOrder, Keeper, Purpose, Side, StopKind
from gpt_trader.records.ledger import Ledger
from gpt_trader.risk.stops import StopTrigger, merged, rounded, stop_of, target_of

__all__ = ["Leg", "LegState", "StopRecord", "StopsState"]

PLANS_MAX: Final = 1000
"""Plans of entries that have had their last answer; the oldest makes room. Those of living ones are all kept."""


class Leg(msgspec.Struct, kw_only=True, eq=False):
    """The protection of one position: at most one stop and one target. A pair is one-cancels-the-other."""

    symbol: str
    side: Side
    """Of the exit."""
    since_ns: int
    stop: StopTrigger | None = None
    target: StopTrigger | None = None
    fired: StopTrigger | None = None
    attempt: int = 0
    attempt_ns: int = 0
    changed: bool = False
    """Stop or target are other ones than were written down."""
    gone: bool = False
    intents: set[str] = msgspec.field(default_factory=set)
    released: set[str] = msgspec.field(default_factory=set)
    told_price: Decimal = ZERO
    """Trigger price of the stop as last written down."""
    covered: Decimal = ZERO
    """Quantity that was open at the last look."""
    low: Decimal | None = None
    high: Decimal | None = None
    """Extremes since the last look, as far as they are known."""
    at_venue: str = ""
    """Client order id of the order that the venue was last given to keep the stop."""
    venue_tries: int = 0
    making_way: int = 0
    """Exits of others that are in the hallway now."""
    wait_seconds: float = 0.0
    venue_turn: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    nudged: asyncio.Future[bool] | None = None

    def triggers(self) -> tuple[StopTrigger, ...]:
        return tuple(each for each in (self.stop, self.target) if each is not None)

    def reach(self, price: Decimal) -> None:
        """The market was there: look again now."""
        self.low = price if self.low is None else min(price, self.low)
        self.high = price if self.high is None else max(price, self.high)
        self.nudge()

    def nudge(self) -> None:
        """Look again now."""
        if self.nudged is not None and not self.nudged.done():
            self.nudged.set_result(True)


class LegState(msgspec.Struct, frozen=True, kw_only=True):
    """One leg in a snapshot."""

    symbol: str
    side: Side
    since_ns: int
    stop: StopTrigger | None
    target: StopTrigger | None
    fired: StopTrigger | None
    fired_is: str
    """`stop` or `target` where the one that fired is still it; else empty."""
    attempt: int
    changed: bool
    intents: tuple[str, ...]
    released: tuple[str, ...]
    told_price: Decimal
    at_venue: str


class StopsState(msgspec.Struct, frozen=True, kw_only=True):
    """Legs, plans and trailed stops, as a snapshot keeps them."""

    plans: tuple[StopPlanned, ...]
    ended: tuple[str, ...]
    held: tuple[tuple[str, Decimal], ...]
    legs: tuple[LegState, ...]
    strategy_stops: tuple[StopKept, ...]


def _state_of(leg: Leg) -> LegState:
    fired_is = ""
    if leg.fired is not None:
        fired_is = "stop" if leg.fired is leg.stop else "target" if leg.fired is leg.target else ""
    return LegState(
        symbol=leg.symbol,
        side=leg.side,
        since_ns=leg.since_ns,
        stop=leg.stop,
        target=leg.target,
        fired=leg.fired,
        fired_is=fired_is,
        attempt=leg.attempt,
        changed=leg.changed,
        intents=tuple(sorted(leg.intents)),
        released=tuple(sorted(leg.released)),
        told_price=leg.told_price,
        at_venue=leg.at_venue,
    )


def _leg_of(kept: LegState) -> Leg:
    return Leg(
        symbol=kept.symbol,
        side=kept.side,
        since_ns=kept.since_ns,
        stop=kept.stop,
        target=kept.target,
        fired={"stop": kept.stop, "target": kept.target}.get(kept.fired_is, kept.fired),
        attempt=kept.attempt,
        changed=kept.changed,
        intents=set(kept.intents),
        released=set(kept.released),
        told_price=kept.told_price,
        at_venue=kept.at_venue,
    )


class StopRecord:
    """Legs by symbol, plans by intent, and the stops that strategies trail by themselves."""

    def __init__(self, *, bus: EventBus, clock: Clock, ledger: Ledger) -> None:
        self._bus = bus
        self._clock = clock
        self._ledger = ledger
        self._plans: OrderedDict[str, StopPlanned] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        """Planned intents that have had their last answer; only their plans may be forgotten."""
        self._held: dict[str, Decimal] = {}
        """Position by symbol as of the fill at hand; the ledger is ahead of it when the log is replayed."""
        self.legs: dict[str, Leg] = {}
        self.strategy_stops: dict[str, StopKept] = {}
        bus.subscribe(OrderReconciled, "stop record", self._answered)
        bus.subscribe(OrderRefused, "stop record", self._answered)

    def open_quantity(self, leg: Leg) -> Decimal:
        """What the leg protects; zero when there is no position or it has turned."""
        return max(ZERO, -leg.side.sign * self._ledger.position(leg.symbol).quantity)

    # --- plans ----------------------------------------------------------------------------------------------------
    def plan(self, approved: ApprovedOrder, *, targets: bool) -> None:
        """Write down how this entry will be protected, before it leaves. `targets`: the engine offers take profit."""
        order = approved.order
        target = order.target_price if targets else None
        if order.purpose is Purpose.EXIT or (
            order.protective_stop is None and order.trailing_stop is None and target is None
        ):
            return
        plan = StopPlanned(
            at_ns=self._clock.now_ns(),
            intent_id=order.intent_id,
            symbol=order.symbol,
            side=order.side.opposite,
            stop_price=order.protective_stop,
            limit_price=order.protective_limit,
            distance=order.trailing_stop or ZERO,
            target_price=target,
        )
        self._bus.publish(plan)
        self._remember(plan)

    def _remember(self, plan: StopPlanned) -> None:
        self._plans[plan.intent_id] = plan
        while len(self._ended) > PLANS_MAX:
            self._plans.pop(self._ended.popitem(last=False)[0], None)

    def _answered(self, event: OrderReconciled | OrderRefused) -> None:
        """An order that rests keeps its plan however many come after it; one that has ended may still fill late."""
        is_open = isinstance(event, OrderReconciled) and event.outcome in OPEN_OUTCOMES
        if event.intent_id in self._plans and not is_open:
            self._ended[event.intent_id] = None

    def cover(self, event: OrderFilled) -> None:
        """A fill: where its entry was planned to be protected, the position has a leg from now on. An entry that so far
        only made an opposite position smaller has none of its own to protect."""
        held = self._held[event.symbol] = self._held.get(event.symbol, ZERO) + event.side.sign * event.quantity
        plan = self._plans.get(event.intent_id)
        if plan is None or event.side is plan.side or held * plan.side.sign >= 0:
            return
        leg = self.legs.get(plan.symbol)
        if leg is None or leg.side is not plan.side:
            leg = self.legs[plan.symbol] = Leg(symbol=plan.symbol, side=plan.side, since_ns=event.at_ns)
        if plan.intent_id in leg.intents:
            return
        leg.intents.add(plan.intent_id)
        if leg.fired is None:
            stop, target = merged(leg.stop, stop_of(plan, event.price)), merged(leg.target, target_of(plan))
            leg.changed |= (stop, target) != (leg.stop, leg.target)
            leg.stop, leg.target = stop, target

    # --- what is told ---------------------------------------------------------------------------------------------
    def say_kept(self, leg: Leg, trigger: StopTrigger, keeper: Keeper, tick: Decimal, reason: str = "") -> StopTrigger:
        """The trigger as it is kept from now on, on the tick, written down under its next revision."""
        fresh = rounded(trigger, tick)
        kept = msgspec.structs.replace(fresh, keeper=keeper, revision=trigger.revision + 1)
        if not kept.is_target:
            leg.told_price = kept.trigger_price
        self._bus.publish(
            StopKept(
                at_ns=self._clock.now_ns(),
                symbol=kept.symbol,
                stop_id=kept.stop_id,
                side=kept.side,
                trigger_price=kept.trigger_price,
                quantity=self.open_quantity(leg),
                kind=kept.kind.value,
                anchor=kept.anchor,
                keeper=keeper.value,
                limit_price=kept.limit_price,
                distance=kept.distance,
                revision=kept.revision,
                reason=reason,
            )
        )
        return kept

    def keep_for_strategy(self, strategy: str, symbol: str, trigger_price: Decimal, anchor: Decimal) -> None:
        """Write down the stop that a strategy trails on closed bars, so that it survives a restart."""
        position = self._ledger.position(symbol).quantity
        if position == 0:
            return
        kept = StopKept(
            at_ns=self._clock.now_ns(),
            symbol=symbol,
            stop_id=f"{strategy}:{symbol}:trailing",
            side=Side.SELL if position > 0 else Side.BUY,
            trigger_price=trigger_price,
            quantity=abs(position),
            anchor=anchor,
        )
        self.strategy_stops[symbol] = kept
        self._bus.publish(kept)

    def strategy_fired(self, symbol: str, price: Decimal) -> None:
        """The strategy acts on its own stop; told once for each that was written down."""
        kept = self.strategy_stops.pop(symbol, None)
        if kept is not None:
            self.say_triggered(symbol, kept.stop_id, kept.trigger_price, price)

    def release_strategy_stop(self, symbol: str, reason: str) -> None:
        """What the strategy trailed is no longer needed."""
        kept = self.strategy_stops.pop(symbol, None)
        if kept is not None:
            self._say_released(symbol, kept.stop_id, reason)

    def say_triggered(self, symbol: str, stop_id: str, trigger_price: Decimal, price: Decimal) -> None:
        self._bus.publish(
            StopTriggered(
                at_ns=self._clock.now_ns(), symbol=symbol, stop_id=stop_id, trigger_price=trigger_price, price=price
            )
        )

    def say_escalated(self, leg: Leg, stop_id: str, reason: str) -> None:
        self._bus.publish(
            StopEscalated(
                at_ns=self._clock.now_ns(),
                symbol=leg.symbol,
                stop_id=stop_id,
                attempt=leg.attempt,
                open_quantity=self.open_quantity(leg),
                reason=reason,
            )
        )

    def release(self, leg: Leg, trigger: StopTrigger, reason: str) -> None:
        """Once for each that was written down."""
        if trigger.revision and trigger.stop_id not in leg.released:
            leg.released.add(trigger.stop_id)
            self._say_released(leg.symbol, trigger.stop_id, reason)

    def _say_released(self, symbol: str, stop_id: str, reason: str) -> None:
        self._bus.publish(StopReleased(at_ns=self._clock.now_ns(), symbol=symbol, stop_id=stop_id, reason=reason))

    # --- restart --------------------------------------------------------------------------------------------------
    def restore(self, event: Event) -> None:
        """Take one stored event back in, oldest first. Nothing is told."""
        match event:
            case StopPlanned():
                self._remember(event)
            case OrderReconciled() | OrderRefused():
                self._answered(event)
            case OrderFilled():
                self.cover(event)
            case StopKept():
                self._restore_kept(event)
            case StopTriggered():
                self._restore_fired(event)
            case StopEscalated() if (leg := self.legs.get(event.symbol)) is not None:
                leg.attempt = event.attempt
            case StopReleased():
                self._restore_released(event)
            case PositionClosed():
                self.legs.pop(event.symbol, None)
                self.strategy_stops.pop(event.symbol, None)
            case _:
                pass

    def state(self) -> StopsState:
        """For a snapshot, of what a replay made."""
        return StopsState(
            plans=tuple(self._plans.values()),
            ended=tuple(self._ended),
            held=tuple(self._held.items()),
            legs=tuple(_state_of(leg) for leg in self.legs.values()),
            strategy_stops=tuple(self.strategy_stops.values()),
        )

    def load(self, state: StopsState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._plans = OrderedDict((plan.intent_id, plan) for plan in state.plans)
        self._ended = OrderedDict.fromkeys(state.ended)
        self._held = dict(state.held)
        self.legs.update({kept.symbol: _leg_of(kept) for kept in state.legs})
        self.strategy_stops.update({kept.symbol: kept for kept in state.strategy_stops})

    def _restore_kept(self, event: StopKept) -> None:
        if event.keeper == Keeper.STRATEGY:
            self.strategy_stops[event.symbol] = event
            return
        leg = self.legs.get(event.symbol)
        if leg is None:
            leg = self.legs[event.symbol] = Leg(symbol=event.symbol, side=event.side, since_ns=event.at_ns)
        trigger = StopTrigger(
            stop_id=event.stop_id,
            symbol=event.symbol,
            side=event.side,
            kind=StopKind(event.kind),
            trigger_price=event.trigger_price,
            limit_price=event.limit_price,
            distance=event.distance,
            anchor=event.anchor,
            keeper=Keeper(event.keeper),
            revision=event.revision,
        )
        if trigger.is_target:
            leg.target = trigger
        else:
            leg.stop, leg.told_price = trigger, trigger.trigger_price
        leg.changed = False

    def _restore_fired(self, event: StopTriggered) -> None:
        kept = self.strategy_stops.get(event.symbol)
        if kept is not None and kept.stop_id == event.stop_id:
            del self.strategy_stops[event.symbol]
        leg = self.legs.get(event.symbol)
        if leg is None:
            return
        for trigger in leg.triggers():
            if trigger.stop_id == event.stop_id:
                leg.fired, leg.attempt = trigger, 1

    def _restore_released(self, event: StopReleased) -> None:
        kept = self.strategy_stops.get(event.symbol)
        if kept is not None and kept.stop_id == event.stop_id:
            del self.strategy_stops[event.symbol]
        leg = self.legs.get(event.symbol)
        if leg is not None:
            leg.released.add(event.stop_id)
            if leg.target is not None and leg.target is not leg.fired and leg.target.stop_id == event.stop_id:
                leg.target = None
