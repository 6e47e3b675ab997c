"""When does a stop fire, and which of two is the tighter one? Pure rules of protective stops and targets.

`side` is always that of the exit: SELL protects a long, BUY a short. Stops are compared with the last trade, which is
what venues do; an owner of both a stop and a target gives up first and takes profit second.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.events import StopPlanned
from gpt_trader.core.order_rules import BPS, round_price, round_stop_price
from gpt_trader.core.values import ZERO, Keeper, Side, StopKind, Value

__all__ = [
    "TRAIL_STEP",
    "StopTrigger",
    "is_reached",
    "merged",
    "rounded",
    "stop_limit_price",
    "stop_of",
    "target_of",
    "trailed",
]

TRAIL_STEP: Final = Decimal("0.1")
"""A trailing stop is written down each time it has moved by so much of its distance; a restart loses no more."""


class StopTrigger(Value, frozen=True, kw_only=True):
    """One stop or target as it is kept."""

    stop_id: str
    symbol: str
    side: Side
    kind: StopKind
    trigger_price: Decimal
    limit_price: Decimal | None = None
    distance: Decimal = ZERO
    """Share of the anchor; zero where it does not trail."""
    anchor: Decimal = ZERO
    """Best price seen since the fill; zero where it does not trail."""
    keeper: Keeper = Keeper.LOCAL
    revision: int = 0
    """Zero until it was first written down."""

    @property
    def intent_id(self) -> str:
        """Of the order that keeps it at the venue; a new revision is a new order."""
        return f"{self.stop_id}:{self.revision}"

    @property
    def is_target(self) -> bool:
        return self.kind is StopKind.TAKE_PROFIT


def is_reached(trigger: StopTrigger, price: Decimal) -> bool:
    """A sell stop and a buy target fire at or below their price, a buy stop and a sell target at or above it."""
    falls = (trigger.side is Side.SELL) is not trigger.is_target
    return price <= trigger.trigger_price if falls else price >= trigger.trigger_price


def trailed(trigger: StopTrigger, price: Decimal) -> StopTrigger:
    """Moved after a better price; never back."""
    sign = -trigger.side.sign  # of the position
    if not trigger.distance or (trigger.anchor and (price - trigger.anchor) * sign <= 0):
        return trigger
    candidate = price * (1 - sign * trigger.distance)
    better = (candidate - trigger.trigger_price) * sign > 0
    moved = candidate if better else trigger.trigger_price
    return msgspec.structs.replace(trigger, anchor=price, trigger_price=moved)


def rounded(trigger: StopTrigger, tick: Decimal) -> StopTrigger:
    """On the tick: a stop fires no later than asked, a target no earlier."""
    if trigger.is_target:
        price = round_price(trigger.trigger_price, tick, trigger.side)
    else:
        price = round_stop_price(trigger.trigger_price, tick, trigger.side)
    limit = trigger.limit_price
    return msgspec.structs.replace(
        trigger, trigger_price=price, limit_price=None if limit is None else round_price(limit, tick, trigger.side)
    )


def stop_limit_price(trigger: StopTrigger, offset_bps: Decimal, tick: Decimal) -> Decimal:
    """Limit of the order that keeps a stop at the venue: its own, else `offset_bps` beyond the trigger, on the tick."""
    if trigger.limit_price is not None:
        return trigger.limit_price
    return round_price(trigger.trigger_price * (1 + trigger.side.sign * offset_bps / BPS), tick, trigger.side)


def stop_of(plan: StopPlanned, entry_price: Decimal) -> StopTrigger | None:
    """The stop that an entry asked for, once it filled at `entry_price`; of a fixed and a trailing one the tighter."""
    fixed, distance, sign = plan.stop_price, plan.distance, plan.side.opposite.sign
    if fixed is None and not distance:
        return None
    trigger = fixed if fixed is not None and not distance else entry_price * (1 - sign * distance)
    if fixed is not None and (fixed - trigger) * sign > 0:
        trigger = fixed
    return StopTrigger(
        stop_id=f"{plan.intent_id}:stop",
        symbol=plan.symbol,
        side=plan.side,
        kind=StopKind.TRAILING if distance else StopKind.STOP_LIMIT if plan.limit_price else StopKind.STOP,
        trigger_price=trigger,
        limit_price=plan.limit_price,
        distance=distance,
        anchor=entry_price if distance else ZERO,
    )


def target_of(plan: StopPlanned) -> StopTrigger | None:
    """The target that an entry asked for."""
    if plan.target_price is None:
        return None
    return StopTrigger(
        stop_id=f"{plan.intent_id}:target",
        symbol=plan.symbol,
        side=plan.side,
        kind=StopKind.TAKE_PROFIT,
        trigger_price=plan.target_price,
    )


def merged(held: StopTrigger | None, new: StopTrigger | None) -> StopTrigger | None:
    """One net position has one stop and one target: the tighter stop, the nearer target, under the id of the first."""
    if held is None or new is None:
        return new if held is None else held
    nearer = min if held.is_target is (held.side is Side.SELL) else max
    distances = [each.distance for each in (held, new) if each.distance]
    tightest = nearer((held, new), key=lambda each: each.trigger_price)
    anchor = new.anchor if tightest is new or not held.anchor else held.anchor
    return msgspec.structs.replace(
        held,
        kind=StopKind.TRAILING if distances else tightest.kind,
        trigger_price=tightest.trigger_price,
        limit_price=tightest.limit_price,
        distance=min(distances, default=ZERO),
        anchor=anchor if distances else ZERO,
    )
