"""How many stand in front of our resting order? Three ways in which the queue at its price shortens.

Behind the back: trades work it off, and no more can be ahead than the level shows. Proportional: of a decrease that no
trade explains, the part in front of us leaves as large as its share of the level. By trades: only trades count.
Kept in parts of a lot, so that many small decreases are not rounded away.
"""

from __future__ import annotations

from typing import Any

from gpt_trader.market.compiled import part
from gpt_trader.venue.arithmetic import multiply_divide
from gpt_trader.venue.books import shown
from gpt_trader.venue.layout import (
    ASKS,
    BIDS,
    BY_BARS,
    BY_QUOTES,
    QUEUE_BITS,
    QUEUE_LOTS_MAX,
    QUEUE_PROPORTIONAL,
    QUEUE_TRADES,
    UNKNOWN,
)
from gpt_trader.venue.memory import books_of, lists_of, orders_of, products_of

__all__ = ["change_queue", "join_queue", "usable"]


@part
def _parts(lots: int) -> int:
    return min(lots, QUEUE_LOTS_MAX) << QUEUE_BITS


@part
def join_queue(v: Any, o: Any, p: Any) -> None:
    """The order stands behind everything that its level shows."""
    side = BIDS if o.side > 0 else ASKS
    o.traded = 0
    o.ahead = 0
    if p.fed_by == BY_BARS:
        return
    best = p.best_bid if o.side > 0 else p.best_ask
    if p.fed_by == BY_QUOTES and best != 0 and (o.limit - best) * o.side < 0:
        o.ahead = UNKNOWN
    else:
        o.ahead = _parts(shown(books_of(v)[o.product], p, side, o.limit))


@part
def usable(o: Any, through: int, left: int, lots: int) -> int:
    """What of the `left` lots of a trade of `lots` reaches the order, after the queue in front of it."""
    if through > 0:
        o.ahead = 0
        return left
    o.traded += lots
    if o.ahead == UNKNOWN:
        return 0
    reached = max(0, _parts(left) - o.ahead) >> QUEUE_BITS
    o.ahead = max(0, o.ahead - _parts(left))
    return reached


@part
def _leave(o: Any, before: int, lots: int) -> None:
    """Of what left the level without a trade, our front's share left in front of us."""
    gone = before - lots - o.traded
    if gone > 0 and o.ahead > 0:
        front = min(o.ahead, _parts(before))
        o.ahead = front - multiply_divide(gone, front, before)


@part
def change_queue(v: Any, pi: int, which: int, tick: int, before: int, lots: int) -> None:
    """A level of ours that showed `before` shows `lots` now."""
    p = products_of(v)[pi]
    orders = orders_of(v)
    line = lists_of(v)[pi, which]
    for i in range(p.bids if which == BIDS else p.asks):
        o = orders[line[i]]
        better = p.fed_by == BY_QUOTES and (o.limit - tick) * o.side > 0
        if o.limit == tick:
            if o.ahead == UNKNOWN:
                o.ahead = _parts(lots)
            elif v.queue_model != QUEUE_TRADES:
                if v.queue_model == QUEUE_PROPORTIONAL:
                    _leave(o, before, lots)
                o.ahead = min(o.ahead, _parts(lots))
            o.traded = 0
        elif better and (v.queue_model != QUEUE_TRADES or o.ahead == UNKNOWN):
            o.ahead = 0  # better than the best: nobody is ahead
