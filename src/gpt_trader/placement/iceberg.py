"""Without showing how much: one small order at a time, the next when the last is filled."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import Number
from gpt_trader.core.order_rules import ceil_divide, floor_to_lot
from gpt_trader.core.values import ApprovedOrder, OrderType, PlacedOrder, ProductSpec, Purpose
from gpt_trader.placement.closing import MARKET_LEG, MarketFinish
from gpt_trader.placement.working import Action, Moment, Place, Wait, Withdraw, Work, Works, look_again, rest_until

__all__ = ["IcebergExecutionStrategy"]

SLICE_LEG: Final = "slice"
TIPS_MAX: Final = 100
"""No tip is smaller than this part of the whole: a longer row of orders tells more than a large one."""


class IcebergExecutionStrategy:
    """Shows `display_share` of the quantity. With a limit price it rests there; without one it rests at its own touch
    and follows it, at most once in `interval_seconds`. When the time is over an entry keeps what it got; an exit must
    get out and goes to market within the collar."""

    name: Final = "iceberg"

    def __init__(
        self,
        *,
        works: Works,
        clock: Clock,
        finish: MarketFinish,
        timeout_seconds: float,
        display_share: Decimal,
        interval_seconds: float,
    ) -> None:
        self._works = works
        self._clock = clock
        self._finish = finish
        self._timeout_seconds = timeout_seconds
        self._display_share = display_share
        self._interval_seconds = interval_seconds

    @property
    def seconds_max(self) -> float:
        return self._timeout_seconds + self._finish.seconds

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        order, product = approved.order, approved.snapshot.product
        largest = order.slice_quantity_max
        plan: dict[str, Number] = {
            "until_ns": self._clock.now_ns() + round(self._timeout_seconds * NS),
            "interval_ns": round(self._interval_seconds * NS),
            "display_quantity": tip(order.quantity, self._display_share, product, largest),
            "fixed_price": int(order.order_type is OrderType.LIMIT),
        }
        if largest is not None:
            plan["slice_quantity_max"] = largest
        return await self._works.begin(self, approved, plan, closing_seconds=self._finish.seconds)

    def next(self, work: Work, moment: Moment) -> Action:
        if moment.now_ns >= work.until_ns or work.of_leg(MARKET_LEG):
            if work.purpose is Purpose.EXIT:
                return self._finish.next(work, moment)
            return rest_until(work, work.until_ns, moment)
        price = self._price(work, moment)
        if price is None:
            return look_again(moment)
        living = work.living
        if living is None:
            return self._place(work, moment, price)
        if price == living.submitted.limit_price:
            fixed = bool(work.whole("fixed_price"))
            return Wait(until_ns=work.until_ns if fixed else min(moment.now_ns + self._interval(work), work.until_ns))
        calm_ns = living.submitted.at_ns + self._interval(work)
        return Withdraw(reason="its own best price moved") if moment.now_ns >= calm_ns else Wait(until_ns=calm_ns)

    @staticmethod
    def _interval(work: Work) -> int:
        return work.whole("interval_ns")

    @staticmethod
    def _price(work: Work, moment: Moment) -> Decimal | None:
        if work.whole("fixed_price"):
            return work.started.worst_price
        own = moment.own_best(work.side)
        return None if own is None else work.capped(own)

    @staticmethod
    def _place(work: Work, moment: Moment, price: Decimal) -> Action:
        """The next tip, and with it a rest that would be too small to be an order of its own."""
        shown = min(work.left, work.number("display_quantity"))
        if work.left - shown < moment.product.min_quantity and work.slice_of(work.left) == work.left:
            shown = work.left
        tips = len(work.of_leg(SLICE_LEG))
        return Place(leg=SLICE_LEG, slice_number=tips, quantity=shown, limit_price=price, step="show the next part")


def tip(quantity: Decimal, display_share: Decimal, product: ProductSpec, largest: Decimal | None) -> Decimal:
    """What is shown at one time, on the lot grid: the share, at least the smallest size and the hundredth part."""
    smallest = max(product.min_quantity, ceil_divide(quantity, product.lot * TIPS_MAX) * product.lot)
    shown = max(floor_to_lot(quantity * display_share, product.lot), smallest)
    return shown if largest is None else min(shown, largest)
