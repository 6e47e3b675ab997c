"""In soon, and cheaper than at market: a limit order that is quoted again, a little closer each time, then market."""

from __future__ import annotations

from typing import Final

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.values import ApprovedOrder, PlacedOrder
from gpt_trader.placement.closing import MARKET_LEG, MarketFinish
from gpt_trader.placement.pricer import AggressiveLimitPricer
from gpt_trader.placement.working import Action, Moment, Place, Wait, Withdraw, Work, Works, look_again

__all__ = ["AggressiveLimitExecutionStrategy"]

QUOTE_LEG: Final = "quote"


class AggressiveLimitExecutionStrategy:
    """The time is cut into one slot for the first quote and one for each re-quote. In the first third of the slots
    the order joins its own touch, in the second it steps inside the spread, in the last it crosses. At the beginning
    of a slot the price is computed from the book of that moment: where it differs from that of the living order, that
    one is cancelled, its fills are confirmed, and the rest is quoted anew; where it does not, the order keeps its
    place in the queue. When the time is over, what is left goes to market within the collar. No price is ever worse
    than the request's limit or the break-even price of its trigger fill, at market neither."""

    name: Final = "aggressive_limit"

    def __init__(
        self,
        *,
        works: Works,
        clock: Clock,
        pricer: AggressiveLimitPricer,
        finish: MarketFinish,
        requotes_max: int,
        timeout_seconds: float,
    ) -> None:
        self._works = works
        self._clock = clock
        self._pricer = pricer
        self._finish = finish
        self._requotes_max = requotes_max
        self._timeout_seconds = timeout_seconds

    @property
    def seconds_max(self) -> float:
        return self._timeout_seconds + self._finish.seconds

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        quotes = self._requotes_max + 1
        plan = {
            "until_ns": self._clock.now_ns() + round(self._timeout_seconds * NS),
            "quotes_max": quotes,
            "slot_ns": round(self._timeout_seconds * NS / quotes),
        }
        return await self._works.begin(self, approved, plan, closing_seconds=self._finish.seconds)

    def next(self, work: Work, moment: Moment) -> Action:
        if moment.now_ns >= work.until_ns or work.of_leg(MARKET_LEG):
            return self._finish.next(work, moment)
        if moment.bid is None or moment.ask is None:
            return look_again(moment)
        quotes_max, slot_ns = work.whole("quotes_max"), work.whole("slot_ns")
        slot = (moment.now_ns - work.started.at_ns) // slot_ns
        next_slot = Wait(until_ns=min(work.started.at_ns + (slot + 1) * slot_ns, work.until_ns))
        stage = self._pricer.stage(min(slot, quotes_max - 1), quotes_max)
        price = self._pricer.calculate_price(
            stage,
            work.side,
            bid=moment.bid,
            ask=moment.ask,
            tick=moment.product.tick,
            worst=work.started.worst_price,
        )
        quoted = work.of_leg(QUOTE_LEG)
        if work.living is not None:
            keep = price == work.living.submitted.limit_price or len(quoted) >= quotes_max
            return next_slot if keep else Withdraw(reason=f"quote anew: {stage.value}")
        if len(quoted) >= quotes_max:
            return next_slot
        return Place(
            leg=QUOTE_LEG,
            slice_number=len(quoted),
            quantity=work.left,
            limit_price=price,
            step=f"quote at {stage.value}",
        )
