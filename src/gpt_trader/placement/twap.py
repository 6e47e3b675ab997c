"""All of it, but evenly over time: equal slices, each resting first and taking what it did not get."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import Number
from gpt_trader.core.order_rules import ceil_divide
from gpt_trader.core.values import ApprovedOrder, PlacedOrder, TimeInForce
from gpt_trader.placement.closing import MARKET_LEG, MarketFinish
from gpt_trader.placement.working import Action, Attempt, Moment, Place, Wait, Withdraw, Work, Works, look_again

__all__ = ["TwapExecutionStrategy"]

REST_LEG: Final = "slice"
TAKE_LEG: Final = "take"
SLICES_MAX: Final = 200
"""More slices than this are fewer, larger ones."""


class TwapExecutionStrategy:
    """The time is cut into equal slots. In slot k the order may have filled `(k + 1) / slices` of its quantity: what
    is due and not filled rests at its own touch for `patience_share` of the slot, then is taken within the collar;
    what that left over is due in the next slot. After the last slot the rest goes to market within the collar."""

    name: Final = "twap"

    def __init__(
        self,
        *,
        works: Works,
        clock: Clock,
        finish: MarketFinish,
        duration_seconds: float,
        slices: int,
        patience_share: Decimal,
    ) -> None:
        self._works = works
        self._clock = clock
        self._finish = finish
        self._duration_seconds = duration_seconds
        self._slices = slices
        self._patience_share = patience_share

    @property
    def seconds_max(self) -> float:
        return self._duration_seconds + self._finish.seconds

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        order, product = approved.order, approved.snapshot.product
        largest = order.slice_quantity_max
        slices, slice_quantity = slice_up(
            order.quantity, self._slices, product.lot, max(product.lot, product.min_quantity), largest
        )
        slot_ns = round(self._duration_seconds * NS / slices)
        plan: dict[str, Number] = {
            "until_ns": self._clock.now_ns() + slices * slot_ns,
            "slices": slices,
            "slice_quantity": slice_quantity,
            "slot_ns": slot_ns,
            "patience_ns": int(slot_ns * self._patience_share),
        }
        if largest is not None:
            plan["slice_quantity_max"] = largest
        return await self._works.begin(self, approved, plan, closing_seconds=self._finish.seconds)

    def next(self, work: Work, moment: Moment) -> Action:
        if moment.now_ns >= work.until_ns or work.of_leg(MARKET_LEG):
            return self._finish.next(work, moment)
        slot_ns = work.whole("slot_ns")
        slot = (moment.now_ns - work.started.at_ns) // slot_ns
        slot_begin_ns = work.started.at_ns + slot * slot_ns
        patient_until_ns = slot_begin_ns + work.whole("patience_ns")
        if work.living is not None:
            return self._of_living(work.living, moment, slot, patient_until_ns)
        due = work.slice_of(due_quantity(work, slot))
        if due < moment.product.min_quantity or done(work, TAKE_LEG, slot):
            return Wait(until_ns=min(slot_begin_ns + slot_ns, work.until_ns))
        if moment.now_ns < patient_until_ns and done(work, REST_LEG, slot):
            return Wait(until_ns=patient_until_ns)
        own = moment.own_best(work.side)
        if own is None or moment.bid is None or moment.ask is None:
            return look_again(moment)
        if moment.now_ns < patient_until_ns:
            return Place(
                leg=REST_LEG, slice_number=slot, quantity=due, limit_price=work.capped(own), step="rest a slice"
            )
        return Place(
            leg=TAKE_LEG,
            slice_number=slot,
            quantity=due,
            limit_price=work.capped(self._finish.collar(work, moment.bid, moment.ask, moment.product.tick)),
            time_in_force=TimeInForce.IOC,
            step="take what the slice did not get",
        )

    @staticmethod
    def _of_living(living: Attempt, moment: Moment, slot: int, patient_until_ns: int) -> Action:
        if living.submitted.leg == TAKE_LEG:
            return Wait(until_ns=moment.now_ns + NS)  # immediate: its end is on its way
        if living.submitted.slice_number == slot and moment.now_ns < patient_until_ns:
            return Wait(until_ns=patient_until_ns)
        return Withdraw(reason="its patience is over")


def slice_up(
    quantity: Decimal, slices: int, lot: Decimal, smallest: Decimal, largest: Decimal | None
) -> tuple[int, Decimal]:
    """How many slices, and the size of every slice but the last, on the lot grid.

    As many as asked, but none smaller than `smallest` nor (where it is given) larger than `largest`, both on the grid.
    """
    count = max(1, min(slices, SLICES_MAX, int(quantity // smallest)))
    if largest is not None:
        count = max(count, ceil_divide(quantity, largest))
    even = max(ceil_divide(quantity, lot * count) * lot, smallest)
    return ceil_divide(quantity, even), even


def due_quantity(work: Work, slot: int) -> Decimal:
    """What the schedule wants filled by the end of the slot, less what is."""
    target = min(work.started.quantity, (slot + 1) * work.number("slice_quantity"))
    return target - work.filled


def done(work: Work, leg: str, slot: int) -> bool:
    """The order of this leg and slot was made already; there is never a second one."""
    return any(child.submitted.slice_number == slot for child in work.of_leg(leg))
