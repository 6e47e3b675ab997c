"""Where do living orders stand? Lists by price and time, the exposure they could cause, and their end."""

from __future__ import annotations

from typing import Any

from gpt_trader.market.compiled import part
from gpt_trader.venue.accounts import notify
from gpt_trader.venue.layout import ASKS, BIDS, BRACKET, LISTS, ORDER_CHANGED, WAITING
from gpt_trader.venue.memory import lists_of, orders_of, positions_of, products_of

__all__ = ["add", "change_exposure", "count_of", "drop", "finish", "remove", "remove_at", "tell_order"]


@part
def count_of(p: Any, which: int) -> int:
    if which == BIDS:
        return p.bids
    return p.asks if which == ASKS else p.waiting


@part
def _set_count(p: Any, which: int, count: int) -> None:
    if which == BIDS:
        p.bids = count
    elif which == ASKS:
        p.asks = count
    else:
        p.waiting = count


@part
def add(v: Any, index: int, which: int) -> None:
    """Put an order into a list: better price first, then earlier; WAITING by time alone."""
    o = orders_of(v)[index]
    p = products_of(v)[o.product]
    line = lists_of(v)[o.product, which]
    orders = orders_of(v)
    i = count_of(p, which)
    _set_count(p, which, i + 1)
    if which != WAITING:
        while i > 0 and orders[line[i - 1]].limit * o.side < o.limit * o.side:
            line[i] = line[i - 1]
            i -= 1
    line[i] = index
    p.interest += 1


@part
def remove_at(v: Any, pi: int, which: int, place: int) -> None:
    p = products_of(v)[pi]
    line = lists_of(v)[pi, which]
    count = count_of(p, which) - 1
    for i in range(place, count):
        line[i] = line[i + 1]
    _set_count(p, which, count)
    p.interest -= 1


@part
def remove(v: Any, index: int) -> bool:
    """Take an order out of whichever list holds it, a bracket out of two; whether one did."""
    pi = orders_of(v)[index].product
    p = products_of(v)[pi]
    found = False
    for which in range(LISTS):
        line = lists_of(v)[pi, which]
        for i in range(count_of(p, which)):
            if line[i] == index:
                remove_at(v, pi, which, i)
                found = True
                break
        if found and orders_of(v)[index].type != BRACKET:
            return True
    return found


@part
def change_exposure(v: Any, o: Any, lots: int) -> None:
    """Count the unfilled part of an order that can increase a position."""
    if o.reduce_only == 1 or o.liquidation != 0:
        return
    h = positions_of(v)[o.account, o.product]
    if o.side > 0:
        h.open_buy += lots
    else:
        h.open_sell += lots


@part
def tell_order(v: Any, kind: int, index: int) -> None:
    """News of an order as it stands now."""
    o = orders_of(v)[index]
    n = notify(v, kind, o.account, o.product)
    n.order = index
    n.state = o.state
    n.filled = o.filled
    n.value = o.value
    n.reason = o.reason


@part
def finish(v: Any, index: int, state: int, reason: int) -> None:
    """The order is at its end; the caller has taken it out of its list and tells."""
    o = orders_of(v)[index]
    change_exposure(v, o, o.filled - o.lots)
    o.state = state
    o.reason = reason
    o.done_ns = v.now


@part
def drop(v: Any, pi: int, which: int, place: int, state: int, reason: int) -> None:
    """Take a living order out of its list, end it and tell."""
    index = lists_of(v)[pi, which, place]
    remove_at(v, pi, which, place)
    if orders_of(v)[index].type == BRACKET:
        remove(v, index)  # its other leg
    finish(v, index, state, reason)
    tell_order(v, ORDER_CHANGED, index)
