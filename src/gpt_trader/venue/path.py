"""What happens inside a bar? The price walks open, nearer extreme, farther extreme, close, and meets our orders.

Conservative by rule: a resting limit fills only when the path trades through its price by at least a tick, at its own
price, and all such fills of one bar share a stated part of the bar's volume. Stops trigger on the path; an open that
jumps over a stop triggers it at the open. An account is liquidated at the first price of the path that its margin does
not carry.
"""

from __future__ import annotations

from typing import Any

from gpt_trader.market.compiled import part
from gpt_trader.venue.books import mark_of
from gpt_trader.venue.layout import ASKS, BIDS, CANCEL_ONLY, NEVER, WAITING
from gpt_trader.venue.liquidation import after_fills, check_margins
from gpt_trader.venue.matching import fill_resting, fire_stops, room
from gpt_trader.venue.memory import lists_of, orders_of, positions_of, products_of
from gpt_trader.venue.orders import count_of

__all__ = ["follow_path"]


@part
def _next_event(v: Any, pi: int, target: int) -> int:
    """The first price between here (excluded) and `target` at which an order of ours is reached; else `target`."""
    p = products_of(v)[pi]
    orders = orders_of(v)
    sign = 1 if target > p.last else -1
    best = target * sign
    nearest = (p.last + sign) * sign
    which = ASKS if sign > 0 else BIDS
    if p.room > 0 and count_of(p, which) > 0:
        first = orders[lists_of(v)[pi, which, 0]].limit + sign
        best = min(best, max(nearest, first * sign))
    line = lists_of(v)[pi, WAITING]
    for i in range(p.waiting):
        o = orders[line[i]]
        if o.takes == 0 and o.side == sign:
            best = min(best, max(nearest, o.stop * sign))
    return min(best, max(nearest, _margin_edge(v, pi, p, sign) * sign)) * sign


@part
def _margin_edge(v: Any, pi: int, p: Any, sign: int) -> int:
    """The first price in this direction at which an account's margin must be looked at again."""
    edge = p.price_max * sign
    if p.mark_row != 0:
        return edge  # the mark does not follow the path
    for account in range(v.accounts_count):
        h = positions_of(v)[account, pi]
        if h.lots == 0:
            continue
        if h.band_low == NEVER:
            return p.last
        low, high = h.band_low // p.tick_value, -(-h.band_high // p.tick_value)
        edge = max(edge, low) if sign < 0 else min(edge, high)
    return edge


@part
def _fill_passed(v: Any, pi: int, which: int) -> None:
    """Resting orders that the path is through by at least a tick trade at their own price."""
    p = products_of(v)[pi]
    orders = orders_of(v)
    line = lists_of(v)[pi, which]
    place = 0
    while place < count_of(p, which) and p.room > 0:
        o = orders[line[place]]
        if (o.limit - p.last) * o.side < 1:
            return
        lots = min(room(v, o), p.room)
        if lots == 0:
            place += 1
            continue
        p.room -= lots
        if not fill_resting(v, pi, which, place, lots):
            place += 1


@part
def _arrive_at(v: Any, pi: int, price: int) -> None:
    p = products_of(v)[pi]
    which = BIDS if price < p.last else ASKS
    moved = price != p.last
    p.last = price
    p.stale = 1
    if p.status >= CANCEL_ONLY:
        return
    if moved:
        _fill_passed(v, pi, which)
        fire_stops(v, pi)
    after_fills(v)
    check_margins(v, pi, mark_of(p))


@part
def follow_path(v: Any, pi: int, target: int, jump: bool) -> None:
    """Move the price to `target`: at once when it jumps, else along every price between."""
    p = products_of(v)[pi]
    if p.interest == 0 or p.last == 0:
        p.last = target
        p.stale = 1
        return
    if jump or p.last == target:
        _arrive_at(v, pi, target)
        return
    while p.last != target:
        _arrive_at(v, pi, target if p.interest == 0 else _next_event(v, pi, target))
