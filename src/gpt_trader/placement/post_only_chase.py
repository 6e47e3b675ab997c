"""In as a maker or not at all: a post-only order that follows its own best price."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import Number
from gpt_trader.core.order_rules import BPS, round_price
from gpt_trader.core.values import ApprovedOrder, PlacedOrder, Purpose, Side
from gpt_trader.placement.closing import MARKET_LEG, MarketFinish
from gpt_trader.placement.tickets import arrival_mid
from gpt_trader.placement.working import Action, End, Moment, Place, Wait, Withdraw, Work, Works, look_again, rest_until

__all__ = ["PostOnlyChaseExecutionStrategy"]

QUOTE_LEG: Final = "quote"


class PostOnlyChaseExecutionStrategy:
    """Joins its own best price and follows it, at most once in `interval_seconds`, never further than
    `distance_max_bps` from the arrival mid. A quote that the venue refuses because it would take is quoted again. When
    time or re-quotes are over an entry keeps what it got; an exit must get out and goes to market within the collar."""

    name: Final = "post_only_chase"

    def __init__(
        self,
        *,
        works: Works,
        clock: Clock,
        finish: MarketFinish,
        timeout_seconds: float,
        interval_seconds: float,
        requotes_max: int,
        distance_max_bps: Decimal,
    ) -> None:
        self._works = works
        self._clock = clock
        self._finish = finish
        self._timeout_seconds = timeout_seconds
        self._interval_seconds = interval_seconds
        self._requotes_max = requotes_max
        self._distance_max_bps = distance_max_bps

    @property
    def seconds_max(self) -> float:
        return self._timeout_seconds + self._finish.seconds

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        side = approved.order.side
        furthest = arrival_mid(approved) * (1 + side.sign * self._distance_max_bps / BPS)
        plan: dict[str, Number] = {
            "until_ns": self._clock.now_ns() + round(self._timeout_seconds * NS),
            "interval_ns": round(self._interval_seconds * NS),
            "quotes_max": self._requotes_max + 1,
            "furthest_price": round_price(furthest, approved.snapshot.product.tick, side),
        }
        return await self._works.begin(self, approved, plan, closing_seconds=self._finish.seconds)

    def next(self, work: Work, moment: Moment) -> Action:
        if moment.now_ns >= work.until_ns or work.of_leg(MARKET_LEG):
            return self._close(work, moment)
        own = moment.own_best(work.side)
        if own is None:
            return look_again(moment)
        price = self._price(work, own)
        interval_ns, living = work.whole("interval_ns"), work.living
        last = work.last
        calm_ns = moment.now_ns if last is None else last.submitted.at_ns + interval_ns
        exhausted = len(work.of_leg(QUOTE_LEG)) >= work.whole("quotes_max")
        if living is not None:
            if exhausted:
                return Wait(until_ns=work.until_ns)
            if price == living.submitted.limit_price:
                return Wait(until_ns=min(moment.now_ns + interval_ns, work.until_ns))
            return Withdraw(reason="its own best price moved") if moment.now_ns >= calm_ns else Wait(until_ns=calm_ns)
        if exhausted:
            return self._close(work, moment)
        # A quote that was cancelled to be moved is replaced at once; one that the venue refused waits its interval.
        if last is not None and not last.cancel_requested and not last.filled and moment.now_ns < calm_ns:
            return Wait(until_ns=calm_ns)
        return Place(
            leg=QUOTE_LEG,
            slice_number=len(work.of_leg(QUOTE_LEG)),
            quantity=work.left,
            limit_price=price,
            post_only=True,
            step="quote post-only",
        )

    @staticmethod
    def _price(work: Work, own: Decimal) -> Decimal:
        furthest = work.number("furthest_price")
        return work.capped(min(own, furthest) if work.side is Side.BUY else max(own, furthest))

    def _close(self, work: Work, moment: Moment) -> Action:
        if work.purpose is Purpose.EXIT:
            return self._finish.next(work, moment)
        if work.living is None and moment.now_ns < work.until_ns:
            return End(reason="no more re-quotes")
        return rest_until(work, work.until_ns, moment)
