"""May it come in? What the venue checks when an order, a cancel or an expiry is due."""

from __future__ import annotations

from typing import Any

from gpt_trader.market.compiled import part
from gpt_trader.market.rows import RATE_SCALE
from gpt_trader.venue.accounts import equity_of, fee_rate, initial_margin
from gpt_trader.venue.arithmetic import multiply_divide
from gpt_trader.venue.books import mark_of, model_book, value_at
from gpt_trader.venue.layout import (
    ABOVE_MAX,
    ACK,
    ACTIVE,
    ASKED,
    ASKS,
    BAD_EXPIRY,
    BAD_PRICE,
    BAD_STOP,
    BELOW_MIN,
    BELOW_NOTIONAL,
    BIDS,
    BRACKET,
    BY_BARS,
    CANCEL,
    CANCEL_REPLY,
    CANCELLED,
    ECHO_REPLY,
    EXPIRED,
    GTD,
    LIMIT_ONLY,
    LISTS,
    MARKET,
    MARKET_OVER,
    NEVER,
    NEW,
    NO_MARGIN,
    NO_PRICE,
    NO_REASON,
    NOT_TRADING,
    NOTHING_TO_REDUCE,
    OPEN,
    ORDER_CHANGED,
    POSITION_LIMIT,
    POST_ONLY,
    POST_ONLY_CROSS,
    PRICE_BAND,
    REJECTED,
    RESTING_MAX,
    STOP_LIMIT,
    TIME_OVER,
    TOO_MANY,
    WAITING,
)
from gpt_trader.venue.matching import crosses, enter
from gpt_trader.venue.memory import lists_of, orders_of, positions_of, products_of, requests_of
from gpt_trader.venue.orders import add, change_exposure, count_of, drop, finish, remove, tell_order

__all__ = ["expire_orders", "run_request"]


@part
def _refuse_status(v: Any, o: Any, p: Any) -> int:
    if v.final == 1 and v.row_next == v.rows_count:
        return MARKET_OVER
    allowed = (
        p.status == OPEN
        or (p.status == LIMIT_ONLY and o.type != MARKET)
        or (p.status == POST_ONLY and o.post_only == 1)
    )
    return NO_REASON if allowed else NOT_TRADING


@part
def _refuse_price(v: Any, o: Any, p: Any, mark: int) -> int:
    if o.type == MARKET:
        return NO_REASON
    if o.limit <= 0 or o.limit > p.price_max:
        return BAD_PRICE
    if abs(o.limit * p.tick_value - mark) > multiply_divide(mark, p.price_band, RATE_SCALE):
        return PRICE_BAND
    if o.tif == GTD and o.expire <= v.now:
        return BAD_EXPIRY
    if o.type in (STOP_LIMIT, BRACKET):
        if p.last == 0:
            return NO_PRICE
        if o.stop <= 0 or o.stop > p.price_max or (o.stop - p.last) * o.side <= 0:
            return BAD_STOP
        if o.type == BRACKET and (o.stop - o.limit) * o.side <= 0:
            return BAD_STOP  # the limit is where the profit is, on the other side of the market
    return NO_REASON


@part
def _refuse_size(o: Any, p: Any, mark: int) -> int:
    if o.lots < p.lots_min:
        return BELOW_MIN
    if o.lots > p.lots_max:
        return ABOVE_MAX
    worth = value_at(o.lots, mark, p) if o.type == MARKET else o.lots * o.limit * p.unit
    return BELOW_NOTIONAL if o.reduce_only == 0 and worth < p.notional_min else NO_REASON


@part
def _refuse_exposure(v: Any, o: Any, p: Any, mark: int) -> int:
    """Initial margin of the resulting exposure, open orders and the taker fee included."""
    h = positions_of(v)[o.account, o.product]
    if o.reduce_only == 1:
        return NO_REASON if h.lots * o.side < 0 else NOTHING_TO_REDUCE
    resting = h.open_buy if o.side > 0 else h.open_sell
    if h.lots * o.side + resting + o.lots > p.position_max:
        return POSITION_LIMIT
    before = initial_margin(v, o.account, o.product, 0, 0)
    after = initial_margin(v, o.account, o.product, o.lots if o.side > 0 else 0, o.lots if o.side < 0 else 0)
    if after > before:
        fee = multiply_divide(value_at(o.lots, mark, p), max(0, fee_rate(v, o.account, p, 0)), RATE_SCALE)
        if equity_of(v, o.account) < after + fee:
            return NO_MARGIN
    return NO_REASON


@part
def _refuse(v: Any, o: Any, p: Any) -> int:
    """The first reason against the order, in a fixed order; 0 when it may come in."""
    reason = _refuse_status(v, o, p)
    if reason != NO_REASON:
        return reason
    mark = mark_of(p)
    if mark == 0:
        return NO_PRICE
    reason = _refuse_price(v, o, p, mark)
    if reason == NO_REASON:
        reason = _refuse_size(o, p, mark)
    if reason == NO_REASON:
        reason = _refuse_exposure(v, o, p, mark)
    if reason == NO_REASON and o.post_only == 1 and crosses(p, o):
        return POST_ONLY_CROSS
    if reason == NO_REASON and (p.waiting >= RESTING_MAX or count_of(p, BIDS if o.side > 0 else ASKS) >= RESTING_MAX):
        return TOO_MANY
    return reason


@part
def _arrive(v: Any, index: int) -> None:
    o = orders_of(v)[index]
    p = products_of(v)[o.product]
    o.arrived_ns = v.now
    model_book(v, o.product, p)
    reason = _refuse(v, o, p)
    if reason != NO_REASON:
        o.state = REJECTED
        o.reason = reason
        o.done_ns = v.now
        tell_order(v, ACK, index)
        return
    o.state = ACTIVE
    o.armed = 1 if o.type == BRACKET else 0
    change_exposure(v, o, o.lots)
    if o.tif == GTD:
        v.expire_next = min(v.expire_next, o.expire)
    tell_order(v, ACK, index)
    if o.type == STOP_LIMIT:
        add(v, index, WAITING)
    elif p.fed_by == BY_BARS and p.path_open == 0:
        o.takes = 1  # between two bars: meets the book when the next one opens
        add(v, index, WAITING)
    else:
        enter(v, index)


@part
def _cancel(v: Any, index: int) -> None:
    if remove(v, index):
        finish(v, index, CANCELLED, ASKED)
        tell_order(v, ORDER_CHANGED, index)
    tell_order(v, CANCEL_REPLY, index)


@part
def run_request(v: Any) -> None:
    """Do the request at the head of the queue."""
    request = requests_of(v)[v.requests_head % v.requests_capacity]
    v.requests_head += 1
    if request.kind == NEW:
        _arrive(v, request.order)
    elif request.kind == CANCEL:
        _cancel(v, request.order)
    else:
        tell_order(v, ECHO_REPLY, request.order)


@part
def expire_orders(v: Any) -> None:
    """End the GTD orders whose time is over, and find the next one."""
    v.expire_next = NEVER
    orders = orders_of(v)
    for pi in range(v.products_count):
        p = products_of(v)[pi]
        for which in range(LISTS):
            line = lists_of(v)[pi, which]
            place = 0
            while place < count_of(p, which):
                o = orders[line[place]]
                if o.tif == GTD and o.expire <= v.now:
                    drop(v, pi, which, place, EXPIRED, TIME_OVER)
                    continue
                if o.tif == GTD:
                    v.expire_next = min(v.expire_next, o.expire)
                place += 1
