"""One patient attempt: a limit near the touch, cancelled when its time is over; or an order exactly as it was asked."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Final

import msgspec

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import Number
from gpt_trader.core.values import ApprovedOrder, PlacedOrder
from gpt_trader.placement.base import placed
from gpt_trader.placement.tickets import make_ticket, touch_price
from gpt_trader.placement.working import Action, Moment, Place, Rests, Work, Works, rest_until

__all__ = ["AS_ASKED", "RestingExecutionStrategy", "SimpleLimitExecutionStrategy"]


class SimpleLimitExecutionStrategy:
    """Rests `offset_share` inside its own touch for `timeout_seconds`, then takes what it got."""

    name: Final = "simple_limit"

    def __init__(self, *, works: Works, clock: Clock, timeout_seconds: float, offset_share: Decimal) -> None:
        self._works = works
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._offset_share = offset_share

    @property
    def seconds_max(self) -> float:
        return self._timeout_seconds

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        own = approved.order.limit_price
        return await self.work(approved, touch_price(approved, self._offset_share) if own is None else own)

    async def work(
        self, approved: ApprovedOrder, limit_price: Decimal, *, quantity: Decimal | None = None, leg: str = ""
    ) -> PlacedOrder:
        """Rest at a given price for the timeout; also the fallback of the market tactic."""
        plan: dict[str, Number] = {
            "limit_price": limit_price,
            "until_ns": self._clock.now_ns() + round(self._timeout_seconds * NS),
            "leg": leg,
        }
        return await self._works.begin(self, approved, plan, quantity=quantity)

    def next(self, work: Work, moment: Moment) -> Action:
        if not work.children:
            price = work.capped(work.number("limit_price"))
            leg = str(work.started.plan["leg"])
            return Place(leg=leg, slice_number=0, quantity=work.left, limit_price=price)
        return rest_until(work, work.until_ns, moment)


AS_ASKED: Final = "as_asked"


class RestingExecutionStrategy:
    """Places the order exactly as asked and leaves it at the venue: resting limits, stops, IOC and FOK with a price.
    One that is to stand in the place of another leaves when that one is proven to be gone."""

    name: Final = AS_ASKED

    def __init__(self, rests: Rests, run_tag: str) -> None:
        self._rests = rests
        self._run_tag = run_tag

    @property
    def seconds_max(self) -> float:
        return inf

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        order = approved.order
        ticket = make_ticket(
            approved,
            self._run_tag,
            tactic=self.name,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            limit_price=order.limit_price,
        )
        if order.replaces is None:
            return placed(approved, (await self._rests.place(ticket),))
        made = await self._rests.replace(order.replaces, ticket, approved.snapshot.product)
        left = msgspec.structs.replace(order, quantity=made.submitted.quantity)
        return placed(msgspec.structs.replace(approved, order=left), (made,))
