"""Which order follows from an approved intent? Builds tickets; ids follow from intent, leg and slice."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.ids import client_order_id
from gpt_trader.core.order_rules import round_price
from gpt_trader.core.values import ApprovedOrder, OrderTicket, OrderType, Side, TimeInForce

__all__ = ["arrival_mid", "collar_price", "make_ticket", "touch_price"]

BPS: Final = Decimal(10_000)


def arrival_mid(approved: ApprovedOrder) -> Decimal:
    """Middle of the book when the decision was taken, else the mark: what costs are measured against."""
    market = approved.snapshot.market
    if market.book is not None and (mid := market.book.mid) is not None:
        return mid
    assert market.mark is not None, "an order without book and mark is refused before this"
    return market.mark.price


def collar_price(approved: ApprovedOrder, collar_bps: Decimal) -> Decimal:
    """Worst price we accept at once: `collar_bps` beyond the arrival mid, on the tick, never wider than asked.

    At least the best opposite price, as long as that lies within twice the collar: a wide spread is a price too.
    """
    order = approved.order
    mid = arrival_mid(approved)
    plain = mid * (1 + order.side.sign * collar_bps / BPS)
    book = approved.snapshot.market.book
    opposite = (book.asks if order.side is Side.BUY else book.bids) if book is not None else ()
    if opposite and abs(opposite[0][0] - mid) * BPS <= 2 * collar_bps * mid:
        plain = max(plain, opposite[0][0]) if order.side is Side.BUY else min(plain, opposite[0][0])
    return round_price(plain, approved.snapshot.product.tick, order.side)


def touch_price(approved: ApprovedOrder, offset_share: Decimal) -> Decimal:
    """A passive price: own best price moved by `offset_share` towards the market, never reaching the other side."""
    order, product = approved.order, approved.snapshot.product
    book = approved.snapshot.market.book
    if book is None or not book.bids or not book.asks:
        mid = arrival_mid(approved)
        return round_price(mid * (1 - order.side.sign * offset_share), product.tick, order.side)
    bid, ask = book.bids[0][0], book.asks[0][0]
    if order.side is Side.BUY:
        return max(bid, min(round_price(bid * (1 + offset_share), product.tick, order.side), ask - product.tick))
    return min(ask, max(round_price(ask * (1 - offset_share), product.tick, order.side), bid + product.tick))


def _arrival(approved: ApprovedOrder, stop_price: Decimal | None) -> Decimal:
    """Nobody could have had the price of the time at which a stop began to wait: its cost counts from its trigger."""
    if approved.order.order_type is OrderType.STOP_LIMIT and stop_price is not None:
        return stop_price
    return arrival_mid(approved)


def make_ticket(
    approved: ApprovedOrder,
    run_tag: str,
    *,
    tactic: str,
    order_type: OrderType,
    time_in_force: TimeInForce,
    limit_price: Decimal | None,
    quantity: Decimal | None = None,
    leg: str = "",
    slice_number: int = 0,
) -> OrderTicket:
    """One order of the intent. Never two living children of the same leg and slice: they would share an id."""
    order = approved.order
    stop_price = order.stop_price if order_type in (OrderType.STOP_LIMIT, OrderType.BRACKET) else None
    return OrderTicket(
        client_order_id=client_order_id(run_tag, order.intent_id, leg, slice_number),
        intent_id=order.intent_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity if quantity is None else quantity,
        order_type=order_type,
        time_in_force=time_in_force,
        limit_price=limit_price,
        stop_price=stop_price,
        expire_ns=order.expire_ns if time_in_force is TimeInForce.GTD else None,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        purpose=order.purpose,
        strategy=order.strategy,
        tactic=tactic,
        leg=leg,
        slice_number=slice_number,
        valid_until_ns=order.valid_until_ns,
        arrival_mid=_arrival(approved, stop_price),
    )
