"""Which orders trade, at what price? Taking from the book, resting in a queue, stops, and reduce-only clamps."""

from __future__ import annotations

from typing import Any

from gpt_trader.market.compiled import part
from gpt_trader.market.rows import RATE_SCALE
from gpt_trader.venue.accounts import book_fill, fee_rate, notify
from gpt_trader.venue.arithmetic import multiply_divide
from gpt_trader.venue.books import available, consume, model_book, shown
from gpt_trader.venue.layout import (
    ASKS,
    BIDS,
    BRACKET,
    CANCEL_ONLY,
    CANCELLED,
    EXPIRED,
    FILLED,
    FILLED_SOME,
    FOK,
    IOC,
    MARKET,
    NO_LIQUIDITY,
    NOT_ALL,
    NOTHING_TO_REDUCE,
    ORDER_CHANGED,
    PARTIAL,
    POST_ONLY,
    POST_ONLY_CROSS,
    REMAINDER,
    RESTING_MAX,
    TOO_MANY,
    WAITING,
)
from gpt_trader.venue.memory import accounts_of, books_of, fills_of, lists_of, orders_of, positions_of, products_of
from gpt_trader.venue.orders import add, change_exposure, count_of, finish, remove, remove_at, tell_order
from gpt_trader.venue.queue import join_queue, usable

__all__ = ["cross", "crosses", "enter", "fill", "fire_stops", "release_waiting", "room", "trade_meets", "walk"]


@part
def room(v: Any, o: Any) -> int:
    """What an order may still trade: its rest, and for reduce-only no more than the position it reduces."""
    left = o.lots - o.filled
    if o.reduce_only == 0:
        return left
    held = positions_of(v)[o.account, o.product].lots * o.side
    return min(left, -held) if held < 0 else 0


@part
def fill(v: Any, index: int, lots: int, price: int, maker: int) -> None:
    """One trade of one order."""
    o = orders_of(v)[index]
    p = products_of(v)[o.product]
    rate = fee_rate(v, o.account, p, maker)
    if o.liquidation != 0:
        rate += p.liquidation_fee
    fee = book_fill(v, o.account, o.product, o.side, lots, price, rate)
    change_exposure(v, o, -lots)
    o.filled += lots
    o.value += lots * price
    o.fees += fee
    o.state = PARTIAL
    if o.filled == o.lots:
        o.state = FILLED
        o.done_ns = v.now
    if v.fills_count >= v.fills_capacity:
        raise OverflowError("more fills at once than the venue keeps room for")
    f = fills_of(v)[v.fills_count]
    f.order = index
    f.account = o.account
    f.product = o.product
    f.side = o.side
    f.lots = lots
    f.price = price
    f.fee = fee
    f.maker = maker
    f.at = v.now
    f.liquidation = o.liquidation
    accounts_of(v)[o.account].last_fill = v.fills_count
    n = notify(v, FILLED_SOME, o.account, o.product)
    n.order = index
    n.fill = v.fills_count
    v.fills_count += 1


@part
def walk(v: Any, index: int, limit: int) -> None:
    """Take what the other side shows at `limit` or better, level by level."""
    o = orders_of(v)[index]
    p = products_of(v)[o.product]
    levels = books_of(v)[o.product]
    side = ASKS if o.side > 0 else BIDS
    left = room(v, o)
    while left > 0:
        best = p.best_ask if side == ASKS else p.best_bid
        if best == 0 or (best - limit) * o.side > 0:
            return
        lots = min(left, shown(levels, p, side, best))
        consume(levels, p, side, best, lots)
        fill(v, index, lots, best, 0)
        left -= lots


@part
def crosses(p: Any, o: Any) -> bool:
    """The order's limit meets or passes the other side."""
    best = p.best_ask if o.side > 0 else p.best_bid
    return best != 0 and (best - o.limit) * o.side <= 0


@part
def _end(v: Any, index: int, state: int, reason: int) -> None:
    finish(v, index, state, reason)
    tell_order(v, ORDER_CHANGED, index)


@part
def _rest(v: Any, index: int) -> None:
    o = orders_of(v)[index]
    p = products_of(v)[o.product]
    which = BIDS if o.side > 0 else ASKS
    if count_of(p, which) >= RESTING_MAX or (o.armed == 1 and p.waiting >= RESTING_MAX):
        _end(v, index, CANCELLED, TOO_MANY)
        return
    join_queue(v, o, p)
    add(v, index, which)
    if o.armed == 1:
        add(v, index, WAITING)


@part
def _trigger_bracket(v: Any, o: Any, p: Any) -> None:
    """The stop of a bracket was reached: what is left of it gets out at any price up to a collar behind the stop."""
    o.armed = 0
    collar = max(1, multiply_divide(o.stop, v.bracket_slip, RATE_SCALE))
    o.limit = min(p.price_max, max(1, o.stop + collar * o.side))


@part
def enter(v: Any, index: int) -> None:
    """An accepted order meets the book: take, then rest or end."""
    o = orders_of(v)[index]
    p = products_of(v)[o.product]
    model_book(v, o.product, p)
    if o.armed == 1 and (p.last - o.stop) * o.side >= 0:
        _trigger_bracket(v, o, p)
    wanted = room(v, o)
    if wanted == 0:
        _end(v, index, CANCELLED, NOTHING_TO_REDUCE)
        return
    if o.post_only == 1 and crosses(p, o):
        _end(v, index, CANCELLED, POST_ONLY_CROSS)
        return
    limit = o.limit
    if o.type == MARKET:
        limit = p.price_max if o.side > 0 else 1
    if o.tif == FOK:
        side = ASKS if o.side > 0 else BIDS
        if wanted < o.lots - o.filled or available(books_of(v)[o.product], p, side, limit, wanted) < wanted:
            _end(v, index, EXPIRED, NOT_ALL)
            return
    before = o.filled
    walk(v, index, limit)
    if o.state == FILLED:
        tell_order(v, ORDER_CHANGED, index)
    elif room(v, o) == 0:
        _end(v, index, CANCELLED, NOTHING_TO_REDUCE)
    elif o.type == MARKET:
        _end(v, index, EXPIRED, NO_LIQUIDITY)
    elif o.tif == IOC:
        _end(v, index, EXPIRED, REMAINDER)
    else:
        if o.filled > before:
            tell_order(v, ORDER_CHANGED, index)
        _rest(v, index)


@part
def fill_resting(v: Any, pi: int, which: int, place: int, lots: int) -> bool:
    """A resting order trades at its own price as maker; whether it is done and left the list."""
    index = lists_of(v)[pi, which, place]
    o = orders_of(v)[index]
    fill(v, index, lots, o.limit, 1)
    done = o.state == FILLED
    if done:
        remove_at(v, pi, which, place)
        if o.type == BRACKET:
            remove(v, index)  # its stop
    tell_order(v, ORDER_CHANGED, index)
    return done


@part
def trade_meets(v: Any, pi: int, which: int, price: int, lots: int) -> None:
    """A trade of the market reaches our resting orders of one side.

    Through an order's price it fills; at the price it works off the queue ahead first. One trade never fills more
    than its own quantity.
    """
    p = products_of(v)[pi]
    if p.status >= CANCEL_ONLY or lots == 0:
        return
    orders = orders_of(v)
    line = lists_of(v)[pi, which]
    sign = 1 if which == BIDS else -1
    left = lots
    place = 0
    while place < count_of(p, which):
        o = orders[line[place]]
        through = (o.limit - price) * sign
        if through < 0:
            return
        quantity = min(usable(o, through, left, lots), room(v, o))
        left -= max(0, quantity)
        if quantity <= 0 or not fill_resting(v, pi, which, place, quantity):
            place += 1


@part
def cross(v: Any, pi: int, which: int) -> None:
    """The other side of the market came to our resting orders: it trades with them, as far as it shows quantity."""
    p = products_of(v)[pi]
    if p.status >= CANCEL_ONLY:
        return
    orders = orders_of(v)
    line = lists_of(v)[pi, which]
    levels = books_of(v)[pi]
    side = ASKS if which == BIDS else BIDS
    place = 0
    while place < count_of(p, which):
        o = orders[line[place]]
        if not crosses(p, o):
            return
        best = p.best_ask if which == BIDS else p.best_bid
        lots = min(room(v, o), shown(levels, p, side, best))
        if lots == 0:
            place += 1
            continue
        consume(levels, p, side, best, lots)
        fill_resting(v, pi, which, place, lots)


@part
def fire_stops(v: Any, pi: int) -> None:
    """Stops that the last trade price has reached meet the book, where orders may take from it."""
    p = products_of(v)[pi]
    if p.status >= POST_ONLY:
        return
    orders = orders_of(v)
    line = lists_of(v)[pi, WAITING]
    place = 0
    while place < p.waiting:
        index = line[place]
        o = orders[index]
        if o.takes == 0 and (p.last - o.stop) * o.side >= 0:
            remove_at(v, pi, WAITING, place)
            if o.type == BRACKET:
                remove(v, index)  # its limit
            enter(v, index)
        else:
            place += 1


@part
def release_waiting(v: Any, pi: int) -> None:
    """The next bar has opened: orders that arrived since the last one closed meet the book, in order of arrival."""
    p = products_of(v)[pi]
    if p.status >= CANCEL_ONLY:
        return
    orders = orders_of(v)
    line = lists_of(v)[pi, WAITING]
    place = 0
    while place < p.waiting:
        index = line[place]
        if orders[index].takes == 1 and (p.status < POST_ONLY or orders[index].post_only == 1):
            orders[index].takes = 0
            remove_at(v, pi, WAITING, place)
            enter(v, index)
        else:
            place += 1
