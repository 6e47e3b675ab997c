"""What would it have cost? Works one approved order on paper, beside the market, with nothing that reaches a venue.

A desk stands in where a tactic otherwise finds tracker and executors: the tactic decides as ever, and its orders live
here. They take what the book shows within their price, the book of the decision first; what rests fills when the other
side of the book reaches its price, whole, and never sooner (as if it stood last in its queue). Nothing is delayed, and
nothing of it moves the market or is taken away for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import Number
from gpt_trader.core.order_rules import BPS
from gpt_trader.core.values import (
    ZERO,
    ApprovedOrder,
    BookView,
    OrderState,
    OrderTicket,
    OrderType,
    PaperCost,
    PlacedOrder,
    ProductSpec,
    Purpose,
    Replaced,
    Side,
    TimeInForce,
    Value,
)
from gpt_trader.market.view import MarketView
from gpt_trader.placement.base import placed
from gpt_trader.placement.tickets import arrival_mid
from gpt_trader.placement.working import Action, End, Moment, Place, Tactic, Wait, Withdraw, Work, begun

__all__ = ["FOLLOWED_SECONDS_MAX", "PaperDesk", "follow"]

BOOK_DEPTH: Final = 20
"""Levels a side that are asked for."""
DEEP_LEVELS: Final = 500
"""The same where these do not suffice."""
LOOK_SECONDS: Final = 1.0
"""How often a resting order is held against the market."""
FOLLOWED_SECONDS_MAX: Final = 3600.0
"""An order that rests longer is priced as it stands then."""
STEPS_MAX: Final = 1000
"""Orders and cancels of one tactic; more would be a tactic gone wild."""
BPS_GRAIN: Final = Decimal("0.0001")
ON_PAPER: Final = "paper"
WAITS_FOR_TRIGGER: Final = (OrderType.STOP_LIMIT, OrderType.BRACKET)


class PaperTicket(Value, frozen=True, kw_only=True):
    """What an order on paper asks for."""

    at_ns: int
    leg: str
    slice_number: int
    quantity: Decimal
    limit_price: Decimal | None
    post_only: bool
    time_in_force: TimeInForce


class PaperOrder(msgspec.Struct, kw_only=True):
    """One order that exists nowhere else."""

    submitted: PaperTicket
    state: OrderState = OrderState.ACTIVE
    filled: Decimal = ZERO
    value: Decimal = ZERO
    taken_value: Decimal = ZERO
    """Of `value`, what took; the rest was provided."""
    cancel_requested: str = ""
    client_order_id: str = ON_PAPER
    venue_order_id: str = ON_PAPER

    @property
    def left(self) -> Decimal:
        return self.submitted.quantity - self.filled

    @property
    def may_still_fill(self) -> Decimal:
        return ZERO if self.is_settled else self.left

    @property
    def is_settled(self) -> bool:
        return self.state.is_terminal

    def fill(self, quantity: Decimal, price: Decimal, *, taking: bool) -> None:
        self.filled += quantity
        self.value += quantity * price
        self.taken_value += quantity * price if taking else ZERO
        self.state = OrderState.FILLED if self.left <= 0 else OrderState.PARTIALLY_FILLED


class PaperDesk:
    """For one intent. Keeps what `working.Works`, `Takes` and `Rests` ask for."""

    def __init__(
        self, symbol: str, market: MarketView, clock: Clock, book: BookView | None, book_age_seconds_max: float
    ) -> None:
        """`book` is that of the decision; it counts until the desk first waits."""
        self._symbol = symbol
        self._market = market
        self._clock = clock
        self._first_book = book
        self._first = True
        self._book_age_ns_max = round(book_age_seconds_max * NS)
        self.orders: list[PaperOrder] = []
        self._side = Side.BUY
        self._work: Work | None = None
        self._children: list[PaperOrder] = []
        self._tactic: Tactic | None = None
        self._approved: ApprovedOrder | None = None
        self._gone: dict[Decimal, Decimal] = {}
        """By price: what its orders have taken at this moment; no level is taken twice."""
        self._wait_ns = 0
        self._last_mid: Decimal | None = None
        self._steps = 0
        self.waits_for_trigger = False
        """An order of it waits for a trigger: nothing is followed."""

    # --- what tactics ask for -------------------------------------------------------------------------------------
    async def begin(
        self,
        tactic: Tactic,
        approved: ApprovedOrder,
        plan: Mapping[str, Number],
        *,
        closing_seconds: float = 0.0,
        quantity: Decimal | None = None,
    ) -> PlacedOrder:
        """Take the first steps of a plan; `follow` takes the others."""
        started = begun(
            tactic,
            approved,
            plan,
            now_ns=self._clock.now_ns(),
            closing_seconds=closing_seconds,
            quantity=quantity,
        )
        self._side, self._approved, self._tactic = approved.order.side, approved, tactic
        self._children = []
        self._work = Work(started=started, children=self._children)
        self._drive()
        return placed(approved, tuple(self._children), working=self._tactic is not None)

    async def execute(self, ticket: OrderTicket) -> PaperOrder:
        """One immediate order."""
        return self._write(ticket)

    async def place(self, ticket: OrderTicket) -> PaperOrder:
        """One order as it was asked for; what waits for a trigger is not followed."""
        if ticket.order_type in WAITS_FOR_TRIGGER:
            self.waits_for_trigger = True
        return self._write(ticket)

    async def replace(self, replaced: Replaced, ticket: OrderTicket, product: ProductSpec) -> PaperOrder:  # noqa: ARG002
        """What is to be replaced stands elsewhere, and the decision was taken as if it were gone."""
        return await self.place(ticket)

    def _write(self, ticket: OrderTicket) -> PaperOrder:
        self._side = ticket.side
        return self._put(
            PaperTicket(
                at_ns=self._clock.now_ns(),
                leg=ticket.leg,
                slice_number=ticket.slice_number,
                quantity=ticket.quantity,
                limit_price=ticket.limit_price,
                post_only=ticket.post_only,
                time_in_force=ticket.time_in_force,
            )
        )

    # --- orders on paper ------------------------------------------------------------------------------------------
    def _put(self, ticket: PaperTicket) -> PaperOrder:
        order = PaperOrder(submitted=ticket)
        self.orders.append(order)
        if self.waits_for_trigger:
            return order
        reachable = self._reachable(ticket.limit_price, ticket.quantity)
        if ticket.post_only:
            if reachable:
                order.state = OrderState.REJECTED
            return order
        whole = ticket.time_in_force is TimeInForce.FOK
        if not whole or sum((available for _, available in reachable), ZERO) >= ticket.quantity:
            for price, available in reachable:
                if order.left > 0:
                    taken = min(order.left, available)
                    order.fill(taken, price, taking=True)
                    self._gone[price] = self._gone.get(price, ZERO) + taken
        if order.left > 0 and ticket.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            order.state = OrderState.EXPIRED
        return order

    def _reachable(self, limit: Decimal | None, wanted: Decimal) -> list[tuple[Decimal, Decimal]]:
        """Levels of the other side that an order at this price may take, best first."""
        sign = self._side.sign
        return [
            (price, size - self._gone.get(price, ZERO))
            for price, size in self._opposite(wanted)
            if (limit is None or (price - limit) * sign <= 0) and size > self._gone.get(price, ZERO)
        ]

    def _opposite(self, wanted: Decimal) -> Sequence[tuple[Decimal, Decimal]]:
        """The other side of the book; where it does not show as much as is wanted, deeper levels of this moment."""
        shown, sign = self._side_of(self._book()), self._side.sign
        if sum((size for _, size in shown), ZERO) >= wanted:
            return shown
        deep = self._side_of(self._market.book(self._symbol, DEEP_LEVELS))
        worst = shown[-1][0] if shown and self._first else None
        return deep if worst is None else [*shown, *(level for level in deep if (level[0] - worst) * sign > 0)]

    def _side_of(self, book: BookView | None) -> Sequence[tuple[Decimal, Decimal]]:
        if book is None:
            return ()
        return book.asks if self._side is Side.BUY else book.bids

    def _book(self) -> BookView | None:
        return self._first_book if self._first else self._market.book(self._symbol, BOOK_DEPTH)

    def _fill_reached(self) -> None:
        """Whatever rests and is reached by the other side is filled, at its own price."""
        living = [order for order in self.orders if not order.is_settled]
        touch = self._market.touch(self._symbol) if living else None
        if touch is None:
            return
        opposite = touch[1] if self._side is Side.BUY else touch[0]
        for order in living:
            price = order.submitted.limit_price
            if price is not None and (opposite - price) * self._side.sign <= 0:
                order.fill(order.left, price, taking=False)

    # --- the tactic -----------------------------------------------------------------------------------------------
    def _drive(self) -> None:
        """Ask the tactic until it waits or is over."""
        while self._tactic is not None and self._work is not None:
            action = self._decide(self._tactic, self._work)
            self._steps += 1
            match action:
                case Wait(until_ns=until_ns):
                    self._wait_ns = until_ns
                    return
                case Withdraw(reason=reason):
                    self._withdraw(reason)
                case Place():
                    self._place(action)
                case End():
                    self._tactic = None

    def _decide(self, tactic: Tactic, work: Work) -> Action:
        moment = self._moment(work)
        if work.living is None:
            if work.left <= 0 or work.left < moment.product.min_quantity or self._steps >= STEPS_MAX:
                return End(reason="nothing is left to do")
            last = work.last
            if last is not None and last.state is OrderState.REJECTED and not self._children[-1].submitted.post_only:
                return End(reason="rejected")
        return tactic.next(work, moment)

    def _moment(self, work: Work) -> Moment:
        """As the tracker sees it: no entry by a stale book."""
        assert self._approved is not None
        now_ns, book = self._clock.now_ns(), self._book()
        bid = ask = None
        if book is not None and book.bids and book.asks:
            fresh = book.modelled or now_ns - book.received_ns <= self._book_age_ns_max
            if fresh or work.purpose is Purpose.EXIT:
                bid, ask = book.bids[0][0], book.asks[0][0]
        return Moment(now_ns=now_ns, product=self._approved.snapshot.product, bid=bid, ask=ask)

    def _place(self, action: Place) -> None:
        ticket = PaperTicket(
            at_ns=self._clock.now_ns(),
            leg=action.leg,
            slice_number=action.slice_number,
            quantity=action.quantity,
            limit_price=action.limit_price,
            post_only=action.post_only,
            time_in_force=action.time_in_force,
        )
        self._children.append(self._put(ticket))

    def _withdraw(self, reason: str) -> None:
        for order in self._children:
            if not order.is_settled:
                order.cancel_requested, order.state = reason, OrderState.CANCELLED

    # --- to its end -----------------------------------------------------------------------------------------------
    @property
    def is_over(self) -> bool:
        """Nothing of it can fill any more."""
        return self._tactic is None and all(order.is_settled for order in self.orders)

    @property
    def first_price(self) -> Decimal | None:
        """Limit price of the first order; None where none was made."""
        return self.orders[0].submitted.limit_price if self.orders else None

    def due_ns(self, now_ns: int) -> int:
        """When it wants to look again."""
        look_ns = now_ns + round(LOOK_SECONDS * NS)
        return look_ns if self._tactic is None else min(look_ns, max(self._wait_ns, now_ns + 1))

    def look(self) -> None:
        """Fill what the market has reached, and let the tactic go on."""
        self._first = False
        self._gone.clear()
        self._fill_reached()
        self._drive()
        self._last_mid = self._mid()

    def cost(self, approved: ApprovedOrder) -> PaperCost:
        """What it has cost by now: shortfall of what was filled, and the rest at the middle when it was last looked
        at, both against the arrival middle, in basis points of what was wanted. Above zero cost us."""
        wanted, product = approved.order.quantity, approved.snapshot.product
        arrival, sign = arrival_mid(approved), approved.order.side.sign
        filled = sum((order.filled for order in self.orders), ZERO)
        value = sum((order.value for order in self.orders), ZERO)
        taken = sum((order.taken_value for order in self.orders), ZERO)
        fees = taken * product.taker_fee_rate + (value - taken) * product.maker_fee_rate
        last_mid = arrival if self._last_mid is None else self._last_mid
        missed = sign * (last_mid - arrival) * max(ZERO, wanted - filled)
        amount = sign * (value - filled * arrival) + fees + missed
        return PaperCost(
            filled=filled,
            average_price=value / filled if filled else None,
            all_in_bps=(amount / (wanted * arrival) * BPS).quantize(BPS_GRAIN),
            is_over=self.is_over,
        )

    def _mid(self) -> Decimal | None:
        touch = self._market.touch(self._symbol)
        return self._last_mid if touch is None else (touch[0] + touch[1]) / 2


async def follow(clock: Clock, *desks: PaperDesk) -> None:
    """Go on with the market until all are over, at most `FOLLOWED_SECONDS_MAX`."""
    deadline_ns = clock.now_ns() + round(FOLLOWED_SECONDS_MAX * NS)
    while going := [desk for desk in desks if not (desk.is_over or desk.waits_for_trigger)]:
        now_ns = clock.now_ns()
        if now_ns >= deadline_ns:
            return
        due_ns = min(deadline_ns, *(desk.due_ns(now_ns) for desk in going))
        await clock.sleep((due_ns - now_ns) / NS)
        for desk in going:
            desk.look()
