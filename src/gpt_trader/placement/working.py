"""What does a working tactic know, and what may it do next?

A tactic decides and does nothing else: from its plan, the orders so far and the market of the moment it names the next
step. Plan and orders stand in the log, so that the same question gets the same answer after a change of engine and
after a restart; `tracker.py` asks it and acts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Number
from gpt_trader.core.events import TacticStarted
from gpt_trader.core.values import (
    ZERO,
    ApprovedOrder,
    OrderState,
    OrderTicket,
    PlacedOrder,
    ProductSpec,
    Purpose,
    Replaced,
    Side,
    TimeInForce,
    Value,
)
from gpt_trader.placement.pricer import worst_price
from gpt_trader.placement.tickets import arrival_mid

__all__ = [
    "Action",
    "Attempt",
    "End",
    "Moment",
    "Place",
    "Rests",
    "Tactic",
    "Takes",
    "Wait",
    "Withdraw",
    "Work",
    "Works",
    "begun",
    "look_again",
    "rest_until",
]

LOOK_AGAIN_NS: Final = NS
"""How long a tactic waits for a market that shows no prices."""

CANCEL_PROOF_NS: Final = 15 * NS
"""Room after the planned end of a tactic for the proof of its last cancel."""


class Sent(Protocol):
    """What an order was written down as."""

    @property
    def at_ns(self) -> int: ...

    @property
    def leg(self) -> str: ...

    @property
    def slice_number(self) -> int: ...

    @property
    def quantity(self) -> Decimal: ...

    @property
    def limit_price(self) -> Decimal | None: ...


class Attempt(Protocol):
    """One order of an intent, as a tactic sees it: at a venue or on paper, which is none of its business."""

    @property
    def submitted(self) -> Sent: ...

    @property
    def client_order_id(self) -> str: ...

    @property
    def venue_order_id(self) -> str: ...

    @property
    def state(self) -> OrderState: ...

    @property
    def filled(self) -> Decimal: ...

    @property
    def value(self) -> Decimal:
        """Sum of price times quantity of what was filled."""
        ...

    @property
    def may_still_fill(self) -> Decimal: ...

    @property
    def is_settled(self) -> bool: ...

    @property
    def cancel_requested(self) -> str: ...


class Moment(Value, frozen=True, kw_only=True):
    """What was known of the market when a tactic was asked. Prices are None while a side of the book is empty,
    and for an entry also while the book is stale."""

    now_ns: int
    product: ProductSpec
    bid: Decimal | None
    ask: Decimal | None

    @property
    def mid(self) -> Decimal | None:
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    def own_best(self, side: Side) -> Decimal | None:
        """Best price on the side where the order would rest."""
        return self.bid if side is Side.BUY else self.ask

    def opposite_best(self, side: Side) -> Decimal | None:
        """Best price that the order would take."""
        return self.ask if side is Side.BUY else self.bid


class Place(Value, frozen=True, kw_only=True):
    """One more order. It is never placed while another order of the tactic may still fill."""

    leg: str
    slice_number: int
    quantity: Decimal
    limit_price: Decimal
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    step: str = ""
    """What it is for, as told in the log; empty tells nothing beyond the order itself."""


class Withdraw(Value, frozen=True, kw_only=True):
    """Cancel the living order; the next step waits for the proof of what became of it."""

    reason: str


class Wait(Value, frozen=True, kw_only=True):
    """Nothing to do before then, unless the order changes."""

    until_ns: int


class End(Value, frozen=True, kw_only=True):
    """The tactic is over."""

    reason: str


Action = Place | Withdraw | Wait | End


class Work(msgspec.Struct, kw_only=True):
    """One worked intent: the plan as it was written down, and its orders, oldest first."""

    started: TacticStarted
    children: Sequence[Attempt] = msgspec.field(default_factory=list)

    @property
    def side(self) -> Side:
        return self.started.side

    @property
    def purpose(self) -> Purpose:
        return Purpose.EXIT if self.started.reduce_only else Purpose.ENTRY

    @property
    def until_ns(self) -> int:
        """The time at which the work itself is to be over; closing steps may follow."""
        return self.whole("until_ns")

    @property
    def filled(self) -> Decimal:
        """Confirmed, of all orders."""
        return sum((child.filled for child in self.children), start=ZERO)

    @property
    def may_still_fill(self) -> Decimal:
        return sum((child.may_still_fill for child in self.children), start=ZERO)

    @property
    def left(self) -> Decimal:
        """What a next order may ask for: the target less all that is filled or may still fill. Below zero after a
        late fill that the venue had not spoken of."""
        return self.started.quantity - self.filled - self.may_still_fill

    @property
    def living(self) -> Attempt | None:
        """The order that may still fill; there is never a second one."""
        return next((child for child in reversed(self.children) if not child.is_settled), None)

    @property
    def last(self) -> Attempt | None:
        return self.children[-1] if self.children else None

    def of_leg(self, leg: str) -> list[Attempt]:
        return [child for child in self.children if child.submitted.leg == leg]

    def number(self, name: str) -> Decimal:
        """A figure of the plan, as a Decimal."""
        return Decimal(self.started.plan[name])

    def whole(self, name: str) -> int:
        return int(self.started.plan[name])

    def slice_of(self, quantity: Decimal) -> Decimal:
        """`quantity`, but no more than one order of the plan may have."""
        if "slice_quantity_max" not in self.started.plan:
            return quantity
        return min(quantity, self.number("slice_quantity_max"))

    def capped(self, price: Decimal) -> Decimal:
        """`price`, but never worse than the plan allows."""
        worst = self.started.worst_price
        if worst is None:
            return price
        return min(price, worst) if self.side is Side.BUY else max(price, worst)


class Tactic(Protocol):
    """When, at what price, how often: a pure decision."""

    @property
    def name(self) -> str: ...

    def next(self, work: Work, moment: Moment) -> Action:
        """The next step. Either an order is living at the venue and no cancel is on its way, or none is living and
        `work.left` is at least the smallest size."""
        ...


class Works(Protocol):
    """Whoever brings a plan into the market: the order tracker, or a desk that does so on paper."""

    async def begin(
        self,
        tactic: Tactic,
        approved: ApprovedOrder,
        plan: Mapping[str, Number],
        *,
        closing_seconds: float = 0.0,
        quantity: Decimal | None = None,
    ) -> PlacedOrder:
        """Take the first steps of the plan; returns when the tactic waits or is over. `plan` names `until_ns`, and
        `closing_seconds` how long closing steps may take after it. Raises Refused when nothing was sent."""
        ...


class Takes(Protocol):
    """Whoever places one immediate order and sees to its end."""

    async def execute(self, ticket: OrderTicket) -> Attempt: ...


class Rests(Protocol):
    """Whoever places one order that may rest."""

    async def place(self, ticket: OrderTicket) -> Attempt: ...

    async def replace(self, replaced: Replaced, ticket: OrderTicket, product: ProductSpec) -> Attempt:
        """The same in the place of another, which is taken back first; what that one traded meanwhile is taken off.
        Raises Refused when nothing new was sent."""
        ...


def begun(
    tactic: Tactic,
    approved: ApprovedOrder,
    plan: Mapping[str, Number],
    *,
    now_ns: int,
    closing_seconds: float,
    quantity: Decimal | None,
) -> TacticStarted:
    """The plan as it is written down: with the orders of the intent all that is needed to go on."""
    order = approved.order
    ends_ns = int(plan["until_ns"]) + round(closing_seconds * NS) + CANCEL_PROOF_NS
    return TacticStarted(
        at_ns=now_ns,
        intent_id=order.intent_id,
        tactic=tactic.name,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity if quantity is None else quantity,
        plan=plan,
        strategy=order.strategy,
        reduce_only=order.reduce_only,
        valid_until_ns=max(order.valid_until_ns, ends_ns),
        arrival_mid=arrival_mid(approved),
        worst_price=worst_price(order, approved.snapshot.product),
    )


def look_again(moment: Moment) -> Wait:
    """No prices: see whether there are any a second later."""
    return Wait(until_ns=moment.now_ns + LOOK_AGAIN_NS)


def rest_until(work: Work, deadline_ns: int, moment: Moment, reason: str = "its time is over") -> Action:
    """Let the living order rest until then; without one there is nothing more to do."""
    if work.living is None:
        return End(reason=reason)
    return Wait(until_ns=deadline_ns) if moment.now_ns < deadline_ns else Withdraw(reason=reason)
