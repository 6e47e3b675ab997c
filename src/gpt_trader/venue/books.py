"""What does the other side show? Two ring windows of quantities by tick, and the best prices, kept as rows arrive."""

from __future__ import annotations

from typing import Any

from gpt_trader.market.compiled import part
from gpt_trader.market.rows import MONEY_SCALE, RATE_SCALE
from gpt_trader.venue.arithmetic import multiply_divide
from gpt_trader.venue.layout import ASKS, BIDS, BOOK_TICKS, BY_BARS
from gpt_trader.venue.memory import books_of

__all__ = ["available", "clear_book", "consume", "feed_by", "mark_of", "model_book", "quote", "set_level", "shown"]

MASK = BOOK_TICKS - 1
EDGE = BOOK_TICKS // 8


@part
def _find_bid(levels: Any, p: Any, tick: int) -> None:
    """The best bid at or below `tick`, or none."""
    if p.bid_levels == 0:
        p.best_bid = 0
        p.kept = tick * p.tick_value
        return
    while levels[BIDS, tick & MASK] == 0:
        tick -= 1
    p.best_bid = tick


@part
def _find_ask(levels: Any, p: Any, tick: int) -> None:
    if p.ask_levels == 0:
        p.best_ask = 0
        p.kept = tick * p.tick_value
        return
    while levels[ASKS, tick & MASK] == 0:
        tick += 1
    p.best_ask = tick


@part
def _recenter(v: Any, levels: Any, p: Any, tick: int) -> None:
    """Move the window so that `tick` stands in its middle; levels that fall out are dropped and counted."""
    base = tick - BOOK_TICKS // 2
    old = p.base
    first = old if base > old else max(base + BOOK_TICKS, old)
    last = min(base, old + BOOK_TICKS) if base > old else old + BOOK_TICKS
    for gone in range(first, last):
        index = gone & MASK
        if levels[BIDS, index] != 0:
            levels[BIDS, index] = 0
            p.bid_levels -= 1
            v.levels_outside += 1
        if levels[ASKS, index] != 0:
            levels[ASKS, index] = 0
            p.ask_levels -= 1
            v.levels_outside += 1
    p.base = base
    if p.best_bid != 0 and not base <= p.best_bid < base + BOOK_TICKS:
        _find_bid(levels, p, base + BOOK_TICKS - 1)
    if p.best_ask != 0 and not base <= p.best_ask < base + BOOK_TICKS:
        _find_ask(levels, p, base)


@part
def _make_room(v: Any, levels: Any, p: Any, side: int, tick: int) -> bool:
    """Whether a price outside the window may come in; the window follows the market, not a stray far level."""
    if p.bid_levels == 0 and p.ask_levels == 0:
        p.base = tick - BOOK_TICKS // 2
        return True
    if (side == BIDS) == (tick >= p.base + BOOK_TICKS):
        _recenter(v, levels, p, tick)
        return True
    v.levels_outside += 1
    return False


@part
def set_level(v: Any, levels: Any, p: Any, side: int, tick: int, lots: int) -> None:
    """The level's quantity is now `lots`; 0 removes it."""
    if not p.base <= tick < p.base + BOOK_TICKS and (lots == 0 or not _make_room(v, levels, p, side, tick)):
        return
    index = tick & MASK
    before = levels[side, index]
    levels[side, index] = lots
    if side == BIDS:
        if lots != 0:
            if before == 0:
                p.bid_levels += 1
            if tick > p.best_bid:
                p.best_bid = tick
                if tick - p.base < EDGE or p.base + BOOK_TICKS - tick < EDGE:
                    _recenter(v, levels, p, tick)
        elif before != 0:
            p.bid_levels -= 1
            if tick == p.best_bid:
                _find_bid(levels, p, tick)
    elif lots != 0:
        if before == 0:
            p.ask_levels += 1
        if p.best_ask == 0 or tick < p.best_ask:
            p.best_ask = tick
            if tick - p.base < EDGE or p.base + BOOK_TICKS - tick < EDGE:
                _recenter(v, levels, p, tick)
    elif before != 0:
        p.ask_levels -= 1
        if tick == p.best_ask:
            _find_ask(levels, p, tick)


@part
def clear_book(levels: Any, p: Any) -> None:
    if p.bid_levels > 0 or p.ask_levels > 0:
        levels[:, :] = 0
        p.kept = middle_price(p)
    p.bid_levels = 0
    p.ask_levels = 0
    p.best_bid = 0
    p.best_ask = 0
    p.raw_bid = 0
    p.raw_ask = 0


@part
def quote(v: Any, levels: Any, p: Any, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
    """Top of book replaces the whole book. A side that repeats what the feed said last keeps what we took of it."""
    if bid != p.raw_bid or bid_lots != p.raw_bid_lots:
        p.raw_bid = bid
        p.raw_bid_lots = bid_lots
        if bid_lots > 0 and bid == p.best_bid:
            levels[BIDS, bid & MASK] = bid_lots
        else:
            if p.best_bid != 0:
                set_level(v, levels, p, BIDS, p.best_bid, 0)
            if bid_lots > 0:
                set_level(v, levels, p, BIDS, bid, bid_lots)
    if ask != p.raw_ask or ask_lots != p.raw_ask_lots:
        p.raw_ask = ask
        p.raw_ask_lots = ask_lots
        if ask_lots > 0 and ask == p.best_ask:
            levels[ASKS, ask & MASK] = ask_lots
        else:
            if p.best_ask != 0:
                set_level(v, levels, p, ASKS, p.best_ask, 0)
            if ask_lots > 0:
                set_level(v, levels, p, ASKS, ask, ask_lots)


@part
def feed_by(levels: Any, p: Any, source: int) -> None:
    """From now on rows of another kind make the book."""
    clear_book(levels, p)
    p.fed_by = source
    p.path_open = 0


@part
def shown(levels: Any, p: Any, side: int, tick: int) -> int:
    """Quantity that the book shows at a price."""
    if p.base <= tick < p.base + BOOK_TICKS:
        return levels[side, tick & MASK]
    return 0


@part
def consume(levels: Any, p: Any, side: int, tick: int, lots: int) -> None:
    """An order of ours took `lots` of a level; it stays taken until the feed changes the level."""
    index = tick & MASK
    levels[side, index] -= lots
    if levels[side, index] == 0:
        if side == BIDS:
            p.bid_levels -= 1
            if tick == p.best_bid:
                _find_bid(levels, p, tick)
        else:
            p.ask_levels -= 1
            if tick == p.best_ask:
                _find_ask(levels, p, tick)


@part
def available(levels: Any, p: Any, side: int, limit: int, lots: int) -> int:
    """How much of `lots` the book's `side` offers at `limit` or better."""
    found = 0
    if side == ASKS:
        tick = p.best_ask
        left = p.ask_levels
        while left > 0 and found < lots and tick <= limit:
            here = levels[ASKS, tick & MASK]
            if here != 0:
                left -= 1
                found += here
            tick += 1
    else:
        tick = p.best_bid
        left = p.bid_levels
        while left > 0 and found < lots and tick >= limit:
            here = levels[BIDS, tick & MASK]
            if here != 0:
                left -= 1
                found += here
            tick -= 1
    return min(found, lots)


@part
def model_book(v: Any, pi: int, p: Any) -> None:
    """Build the book that is modelled from bars around the price of the path, unless it stands there already.

    Half spread and level step are shares of the price, at least a tick; every level shows the same share of the
    average volume of the closed bars, at least a lot.
    """
    if p.fed_by != BY_BARS or p.stale == 0 or p.last == 0:
        return
    levels = books_of(v)[pi]
    for i in range(v.model_levels):
        set_level(v, levels, p, BIDS, p.center - p.half - i * p.step, 0)
        set_level(v, levels, p, ASKS, p.center + p.half + i * p.step, 0)
    p.stale = 0
    p.center = p.last
    p.half = max(1, multiply_divide(p.last, v.model_half_spread, RATE_SCALE))
    p.step = max(1, multiply_divide(p.last, v.model_step, RATE_SCALE))
    lots = max(1, multiply_divide(p.volume_average, v.model_share, RATE_SCALE))
    for i in range(v.model_levels):
        bid = p.center - p.half - i * p.step
        if bid > 0:
            set_level(v, levels, p, BIDS, bid, lots)
        set_level(v, levels, p, ASKS, p.center + p.half + i * p.step, lots)


@part
def middle_price(p: Any) -> int:
    """Half way between the best prices in 1e-8, half to even; the best price of the only side there is; else 0."""
    if p.fed_by == BY_BARS:
        return p.last * p.tick_value
    if p.best_bid == 0 or p.best_ask == 0:
        return max(p.best_bid, p.best_ask) * p.tick_value
    twice = (p.best_bid + p.best_ask) * p.tick_value
    half = twice // 2
    return half + (half & 1) if twice & 1 else half


@part
def mark_of(p: Any) -> int:
    """The venue's mark where it publishes one, else median(mid, last, index) when all three are known, else the
    first known of mid, last, index and the price that the book showed last; 0 when nothing was ever known."""
    if p.mark_row != 0:
        return p.mark_row
    middle = middle_price(p)
    last = p.last * p.tick_value
    if middle != 0 and last != 0 and p.index != 0:
        return max(min(middle, last), min(max(middle, last), p.index))
    if middle != 0:
        return middle
    if last != 0:
        return last
    return p.index if p.index != 0 else p.kept


@part
def value_at(lots: int, mark: int, p: Any) -> int:
    """Worth of `lots` >= 0 at a mark, in 1e-8, half to even."""
    return multiply_divide(lots * p.lot_e8, mark, MONEY_SCALE)
