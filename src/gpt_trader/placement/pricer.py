"""What should the next attempt cost? Pure prices of working tactics, always on the tick, never worse than allowed."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.order_rules import BPS, is_positive, round_price
from gpt_trader.core.values import OrderRequest, ProductSpec, Side

__all__ = ["AggressiveLimitPricer", "QuoteStage", "break_even_price", "collar_at", "worst_price"]


class QuoteStage(StrEnum):
    """How far an aggressive limit order reaches."""

    TOUCH = "touch"
    """Joins its own best price."""
    INSIDE = "inside"
    """Half way into the spread, ahead of its own best price, never reaching the other side."""
    CROSS = "cross"
    """The opposite best price: takes what stands there and nothing beyond."""


class AggressiveLimitPricer:
    """The price ladder of AggressiveLimitExecutionStrategy."""

    @staticmethod
    def stage(quote: int, quotes: int) -> QuoteStage:
        """Stage of quote number `quote` (from 0) of `quotes`: the first third rests, the second steps inside, the
        last crosses. One quote alone crosses."""
        if 3 * (quote + 1) <= quotes:
            return QuoteStage.TOUCH
        if 3 * (quote + 1) <= 2 * quotes:
            return QuoteStage.INSIDE
        return QuoteStage.CROSS

    @staticmethod
    def calculate_price(
        stage: QuoteStage, side: Side, *, bid: Decimal, ask: Decimal, tick: Decimal, worst: Decimal | None = None
    ) -> Decimal:
        """Price of a quote, capped by `worst` (already on the tick) where there is one.

        Inside is the middle rounded away from the other side; a spread of one tick has no inside and gives the touch.
        """
        own, opposite = (bid, ask) if side is Side.BUY else (ask, bid)
        if stage is QuoteStage.TOUCH:
            price = own
        elif stage is QuoteStage.CROSS:
            price = opposite
        else:
            price = round_price((bid + ask) / 2, tick, side)
        if worst is None:
            return price
        return min(price, worst) if side is Side.BUY else max(price, worst)


def break_even_price(side: Side, trigger_fill_price: Decimal, fee_rate: Decimal, tick: Decimal) -> Decimal:
    """Worst price at which this order and the fill that caused it earn nothing and lose nothing, fees of both paid.

    Sold at T before, bought now at P: `T * (1 - f) = P * (1 + f)`; bought at T before, sold now:
    `P * (1 - f) = T * (1 + f)`. `f` is the taker fee as a share of notional. Rounded to the safe side of the tick.
    """
    less, more = 1 - fee_rate, 1 + fee_rate
    if side is Side.BUY:
        return (trigger_fill_price * less / more / tick).to_integral_value(ROUND_FLOOR) * tick
    return (trigger_fill_price * more / less / tick).to_integral_value(ROUND_CEILING) * tick


def worst_price(order: OrderRequest, product: ProductSpec) -> Decimal | None:
    """The nearer of the request's own limit and its break-even price; None when it names neither. Raises Refused."""
    bounds = [] if order.limit_price is None else [round_price(order.limit_price, product.tick, order.side)]
    if order.trigger_fill_price is not None:
        if not is_positive(order.trigger_fill_price):
            raise Refused(Stage.PLACEMENT, Refusal.INVALID_PRICE, trigger_fill_price=str(order.trigger_fill_price))
        bounds.append(break_even_price(order.side, order.trigger_fill_price, product.taker_fee_rate, product.tick))
    if not bounds:
        return None
    return min(bounds) if order.side is Side.BUY else max(bounds)


def collar_at(side: Side, bid: Decimal, ask: Decimal, collar_bps: Decimal, tick: Decimal) -> Decimal:
    """Worst price to take now: `collar_bps` beyond the middle, but at least the opposite best price when that lies
    within twice the collar (a wide spread is a price too)."""
    mid = (bid + ask) / 2
    opposite = ask if side is Side.BUY else bid
    plain = mid * (1 + side.sign * collar_bps / BPS)
    if abs(opposite - mid) * BPS <= 2 * collar_bps * mid:
        plain = max(plain, opposite) if side is Side.BUY else min(plain, opposite)
    return round_price(plain, tick, side)
