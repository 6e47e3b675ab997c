"""How does a tactic reach its end? At market within a collar, then a short rest for what is left."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.values import Purpose, TimeInForce
from gpt_trader.placement.pricer import collar_at
from gpt_trader.placement.working import Action, End, Moment, Place, Wait, Withdraw, Work, look_again, rest_until

__all__ = ["MARKET_LEG", "MarketFinish"]

MARKET_LEG: Final = "market"
REST_LEG: Final = "rest"
PRICES_WAIT_NS: Final = 60 * NS
"""How long after its planned end a tactic waits for a market without prices before it gives up."""


@dataclass(frozen=True, kw_only=True)
class MarketFinish:
    """The last steps of a working tactic: the same collars and the same fallback as MarketExecutionStrategy."""

    entry_collar_bps: Decimal
    exit_collar_bps: Decimal
    rest_seconds: float

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return self.rest_seconds + PRICES_WAIT_NS / NS

    def next(self, work: Work, moment: Moment) -> Action:
        living = work.living
        if living is None:
            return self._place(work, moment)
        if living.submitted.leg == MARKET_LEG:
            return Wait(until_ns=moment.now_ns + NS)  # immediate: its end is on its way
        if living.submitted.leg == REST_LEG:
            return rest_until(work, living.submitted.at_ns + round(self.rest_seconds * NS), moment)
        return Withdraw(reason="its time is over")

    def _place(self, work: Work, moment: Moment) -> Action:
        taken = work.of_leg(MARKET_LEG)
        if not taken:
            return self._take(work, moment)
        sliced = "slice_quantity_max" in work.started.plan
        if sliced or work.of_leg(REST_LEG):
            return End(reason="took what there was")
        price = taken[-1].submitted.limit_price
        assert price is not None, "the order within the collar has a price"
        return Place(leg=REST_LEG, slice_number=0, quantity=work.left, limit_price=price, step="rest at the collar")

    def _take(self, work: Work, moment: Moment) -> Action:
        if moment.bid is None or moment.ask is None:
            over = moment.now_ns >= work.until_ns + PRICES_WAIT_NS
            return End(reason="the market shows no prices") if over else look_again(moment)
        price = work.capped(self.collar(work, moment.bid, moment.ask, moment.product.tick))
        return Place(
            leg=MARKET_LEG,
            slice_number=0,
            quantity=work.slice_of(work.left),
            limit_price=price,
            time_in_force=TimeInForce.IOC,
            step="take within the collar",
        )

    def collar(self, work: Work, bid: Decimal, ask: Decimal, tick: Decimal) -> Decimal:
        """Worst price to take at, now."""
        bps = self.exit_collar_bps if work.purpose is Purpose.EXIT else self.entry_collar_bps
        return collar_at(work.side, bid, ask, bps, tick)
