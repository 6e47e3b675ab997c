"""What happens next? The loop over rows, requests, expiries and news, in order of time.

At one instant: rows of the market first, then what they mean for living orders and margins, then expiries, then
requests, then news. A bar built from trades closes by the clock, before the rows of its closing time.
"""

from __future__ import annotations

from typing import Any, Final

from numba import from_dtype, types

from gpt_trader.market.compiled import EntryPoint, jit, part
from gpt_trader.market.rows import BAR, CLEAR, FUNDING, INDEX, LEVEL, MARK, QUOTE, STATUS, TRADE
from gpt_trader.venue.accounts import (
    change_window,
    equity_of,
    has_room,
    initial_margin,
    maintenance_margin,
    notify,
    pay_funding,
    sample_premium,
    settle_premium,
)
from gpt_trader.venue.books import feed_by, mark_of, model_book, quote, set_level, shown
from gpt_trader.venue.entry import expire_orders, run_request
from gpt_trader.venue.inspection import ENTRY_POINTS as INSPECTION
from gpt_trader.venue.layout import (
    ASKS,
    BIDS,
    BOOK_TICKS,
    BY_BARS,
    BY_LEVELS,
    BY_NOBODY,
    BY_QUOTES,
    FUNDING_OF_MARKET,
    HEADER,
    NEED_ROOM,
    NEED_ROWS,
    NEVER,
    OVER,
    PATH,
    PRICE_REACHED,
    SAMPLE,
    SETTLE,
    STATUS_CHANGED,
    WINDOW,
    WOKE_BARS,
    WOKE_NOTICES,
)
from gpt_trader.venue.liquidation import after_fills, check_margins
from gpt_trader.venue.matching import cross, fire_stops, release_waiting, trade_meets
from gpt_trader.venue.memory import (
    bars_of,
    books_of,
    notices_of,
    products_of,
    requests_of,
    rows_of,
)
from gpt_trader.venue.path import follow_path
from gpt_trader.venue.queue import change_queue

__all__ = ["ENTRY_POINTS", "advance", "refresh", "top_levels"]


@part
def _put_bar(v: Any, pi: int, close_ns: int, o: int, high: int, low: int, close: int, volume: int) -> None:
    b = bars_of(v)[v.bars_tail % v.bars_capacity]
    v.bars_tail += 1
    b.product = pi
    b.close_ns = close_ns
    b.open = o
    b.high = high
    b.low = low
    b.close = close
    b.volume = volume
    b.mark = 0


@part
def _mark_bar(v: Any, pi: int, p: Any) -> None:
    """Nobody will ask at this moment for the mark of what is held: write it down beside the bar."""
    if v.wake_on_bars == 0 and p.interest > 0:
        model_book(v, pi, p)
        bars_of(v)[(v.bars_tail - 1) % v.bars_capacity].mark = mark_of(p)


@part
def _close_bars(v: Any) -> None:
    """The clock closes the bars built from trades; an empty one carries the close, the first partial one is dropped.

    A product whose bars come as rows gets them from there.
    """
    products = products_of(v)
    for pi in range(v.products_count):
        p = products[pi]
        if p.path_open == 1:
            p.bar_volume = 0
            continue
        if p.bar_whole == 1 and p.bar_volume > 0:
            _put_bar(v, pi, v.bar_next, p.bar_open, p.bar_high, p.bar_low, p.bar_close, p.bar_volume)
            _mark_bar(v, pi, p)
        elif p.bar_whole == 1 and p.last != 0 and p.fed_by != BY_BARS:
            _put_bar(v, pi, v.bar_next, p.last, p.last, p.last, p.last, 0)
            _mark_bar(v, pi, p)
        p.bar_whole = 1
        p.bar_volume = 0
    v.bar_next += v.bar_ns


@part
def _add_to_bar(p: Any, price: int, lots: int) -> None:
    if p.bar_volume == 0:
        p.bar_open = price
        p.bar_high = price
        p.bar_low = price
    elif price > p.bar_high:
        p.bar_high = price
    elif price < p.bar_low:
        p.bar_low = price
    p.bar_close = price
    p.bar_volume += lots


@part
def _settle(v: Any) -> None:
    """All rows of one product and time are in: what do they mean for living orders and margins?"""
    v.unsettled = 0
    pi = v.row_product
    p = products_of(v)[pi]
    v.now = v.row_time
    if p.fed_by != BY_BARS:
        if p.bids + p.asks > 0:
            cross(v, pi, BIDS)
            cross(v, pi, ASKS)
        if p.waiting > 0 and p.fed_by != BY_NOBODY:
            release_waiting(v, pi)  # bars ended here, and rows of another kind go on
    after_fills(v)
    check_margins(v, pi, mark_of(p))


@part
def _trade(v: Any, pi: int, p: Any, price: int, lots: int, side: int) -> None:
    if p.bids > 0:
        trade_meets(v, pi, BIDS, price, lots if side <= 0 else 0)
    if p.asks > 0:
        trade_meets(v, pi, ASKS, price, lots if side >= 0 else 0)
    if p.waiting > 0:
        fire_stops(v, pi)
    if price <= p.watch_low or (p.watch_high != 0 and price >= p.watch_high):
        p.watch_low = 0
        p.watch_high = 0
        n = notify(v, PRICE_REACHED, -1, pi)
        n.price = price


@part
def _has_ticks(v: Any, p: Any) -> bool:
    """Depth or quotes feed the product: its bars are counted and not walked, for nothing trades twice."""
    if p.fed_by in (BY_LEVELS, BY_QUOTES):
        v.rows_ignored += 1
        return True
    return False


@part
def _bar_row(v: Any, pi: int, p: Any, r: Any) -> None:
    """A bar closes: the path ends at its close, and the next model knows its volume."""
    if _has_ticks(v, p):
        return
    follow_path(v, pi, r.d, False)
    p.path_open = 0
    p.stale = 1
    p.volume_average += (r.e - p.volume_average) // 16 if p.volume_average != 0 else r.e
    _put_bar(v, pi, r.ts, r.a, r.b, r.c, r.d, r.e)


@part
def _path_row(v: Any, pi: int, p: Any, r: Any) -> None:
    if _has_ticks(v, p):
        return
    if p.fed_by != BY_BARS:
        feed_by(books_of(v)[pi], p, BY_BARS)
        p.step = 1
    if r.b == 1:
        p.room = r.c
    follow_path(v, pi, r.a, r.b == 1)
    if r.b == 1:
        p.path_open = 1
        release_waiting(v, pi)


@part
def _status_row(v: Any, pi: int, p: Any, status: int) -> None:
    p.status = status
    n = notify(v, STATUS_CHANGED, -1, pi)
    n.state = status


@part
def _seldom(v: Any, pi: int, p: Any, r: Any) -> None:
    """Row kinds that come seldom."""
    kind = r.kind
    if kind == BAR:
        _bar_row(v, pi, p, r)
    elif kind == PATH:
        _path_row(v, pi, p, r)
    elif kind == INDEX:
        p.index = r.a
    elif kind == MARK:
        p.mark_row = r.a
    elif kind == CLEAR:
        feed_by(books_of(v)[pi], p, BY_NOBODY)
    elif kind == FUNDING and v.funding_by == FUNDING_OF_MARKET:
        pay_funding(v, pi, r.a)
    elif kind == STATUS:
        _status_row(v, pi, p, r.a)
    elif kind == WINDOW:
        change_window(v, pi, r.a)
    elif kind == SAMPLE:
        sample_premium(v, pi)
    elif kind == SETTLE:
        settle_premium(v, pi)


@part
def _take_rows(v: Any, limit: int) -> int:
    """Work off rows up to `limit`, or to the first moment at which somebody must be told; returns that moment."""
    rows = rows_of(v)
    products = products_of(v)
    books = books_of(v)
    count = v.rows_count
    i = v.row_next
    while i < count:
        r = rows[i]
        ts = r.ts
        if v.unsettled == 1 and (ts != v.row_time or r.product != v.row_product):
            _settle(v)
            limit = min(limit, _news_due(v))
        if ts > limit:
            break
        pi = r.product
        p = products[pi]
        kind = r.kind
        v.row_time = ts
        v.row_product = pi
        p.seen = ts
        if p.interest > 0:
            if not has_room(v):
                break
            v.now = ts
            v.unsettled = 1
        if kind == LEVEL:
            side = BIDS if r.side > 0 else ASKS
            if p.fed_by != BY_LEVELS:
                feed_by(books[pi], p, BY_LEVELS)
            if p.interest > 0:
                before = shown(books[pi], p, side, r.a)
                set_level(v, books[pi], p, side, r.a, r.b)
                change_queue(v, pi, side, r.a, before, r.b)
            else:
                set_level(v, books[pi], p, side, r.a, r.b)
        elif kind == TRADE:
            if v.bar_next == NEVER and p.fed_by != BY_BARS:
                v.bar_next = (ts // v.bar_ns + 1) * v.bar_ns  # the market had bars only until now
                limit = min(limit, v.bar_next - 1)
            p.last = r.a
            _add_to_bar(p, r.a, r.b)
            if p.interest > 0:
                _trade(v, pi, p, r.a, r.b, r.side)
        elif kind == QUOTE:
            if p.fed_by == BY_LEVELS:
                v.rows_ignored += 1  # the depth feed says it better
            else:
                if p.fed_by != BY_QUOTES:
                    feed_by(books[pi], p, BY_QUOTES)
                bids = shown(books[pi], p, BIDS, r.a)
                asks = shown(books[pi], p, ASKS, r.c)
                quote(v, books[pi], p, r.a, r.b, r.c, r.d)
                if p.interest > 0:
                    change_queue(v, pi, BIDS, r.a, bids, r.b)
                    change_queue(v, pi, ASKS, r.c, asks, r.d)
        else:
            v.now = ts
            _seldom(v, pi, p, r)
            limit = min(limit, _news_due(v))
            if _bars_to_tell(v):
                limit = min(limit, ts)
        i += 1
        if p.interest > 0:
            limit = min(limit, _news_due(v))
    v.rows_done += i - v.row_next
    v.row_next = i
    return limit


@part
def _bars_to_tell(v: Any) -> bool:
    """A closed bar wakes the caller, or the room for bars runs out."""
    kept = v.bars_tail - v.bars_head
    return kept > 0 and (v.wake_on_bars == 1 or kept > v.bars_capacity - v.products_count)


@part
def _news_due(v: Any) -> int:
    if v.notices_head == v.notices_tail:
        return NEVER
    return notices_of(v)[v.notices_head % v.notices_capacity].due


@part
def _next_due(v: Any) -> int:
    due = min(_news_due(v), v.expire_next)
    if v.requests_head != v.requests_tail:
        due = min(due, requests_of(v)[v.requests_head % v.requests_capacity].due)
    return due


@part
def _do_what_is_due(v: Any) -> bool:
    """Expiries and requests of this moment; False when there is no room to go on."""
    if v.expire_next <= v.now:
        expire_orders(v)
    while v.requests_head != v.requests_tail:
        if requests_of(v)[v.requests_head % v.requests_capacity].due > v.now:
            return True
        if not has_room(v):
            return False
        run_request(v)
        after_fills(v)
    return True


@part
def _end_of_rows(v: Any) -> bool:
    """Whether the market has ended; bars that its end does not close are dropped."""
    if v.final == 0 or v.row_next < v.rows_count:
        return False
    if v.bar_next > v.end_ns:
        v.bar_next = NEVER
    return True


@jit
def advance(header: Any, until: int) -> int:
    """Move to `until`, or to the first moment at which there is something to tell; answers with bits of the layout.

    NEED_ROWS and NEED_ROOM ask the caller to give rows or room and call again with the same `until`.
    """
    v = header[0]
    if _bars_to_tell(v):  # closed before rows or room ran out: they are due now, not at `until`
        until = min(until, v.now)
    while True:
        if not has_room(v):
            return NEED_ROOM
        over = _end_of_rows(v)
        limit = min(until, _next_due(v))
        closing = v.bar_next <= limit and v.bar_next != NEVER
        limit = _take_rows(v, v.bar_next - 1 if closing else limit)
        if v.row_next == v.rows_count and not over:
            if not _end_of_rows(v):
                return NEED_ROWS
            continue
        if not has_room(v):
            return NEED_ROOM
        if v.unsettled == 1:
            _settle(v)
        now = min(limit, _next_due(v))
        if now == NEVER:
            return OVER
        if closing and now == v.bar_next - 1:
            v.now = v.bar_next
            _close_bars(v)
            if _bars_to_tell(v):
                until = min(until, v.now)
            continue
        v.now = max(v.now, now)
        if not _do_what_is_due(v):
            return NEED_ROOM
        woke = 0
        if _news_due(v) <= v.now:
            woke |= WOKE_NOTICES
        if _bars_to_tell(v):
            woke |= WOKE_BARS
        if woke != 0 or now >= until:
            return woke


@jit
def refresh(header: Any, product: int, account: int, out: Any) -> None:
    """Bring the modelled book and the mark up to date; out = mark, equity, initial and maintenance margin."""
    v = header[0]
    p = products_of(v)[product]
    model_book(v, product, p)
    p.mark = mark_of(p)
    out[0] = p.mark
    out[1] = equity_of(v, account)
    out[2] = initial_margin(v, account, product, 0, 0)
    out[3] = maintenance_margin(v, account)


@jit
def top_levels(header: Any, product: int, depth: int, out: Any) -> None:
    """The best `depth` levels of each side: out = count of bids, count of asks, then ticks and lots, bids first."""
    v = header[0]
    p = products_of(v)[product]
    model_book(v, product, p)
    levels = books_of(v)[product]
    out[0] = _copy_levels(levels, BIDS, p.best_bid, -1, min(depth, p.bid_levels), out, 2)
    out[1] = _copy_levels(levels, ASKS, p.best_ask, 1, min(depth, p.ask_levels), out, 2 + 2 * out[0])


@part
def _copy_levels(levels: Any, side: int, tick: int, step: int, count: int, out: Any, place: int) -> int:
    if tick == 0:
        return 0
    found = 0
    while found < count:
        lots = levels[side, tick & (BOOK_TICKS - 1)]
        if lots != 0:
            out[place + 2 * found] = tick
            out[place + 2 * found + 1] = lots
            found += 1
        tick += step
    return found


_HEADER_TYPE: Final = types.Array(from_dtype(HEADER), 1, "C")
ENTRY_POINTS: Final = (
    EntryPoint("venue_advance", advance, (_HEADER_TYPE, types.int64)),
    EntryPoint("venue_refresh", refresh, (_HEADER_TYPE, types.int64, types.int64, types.int64[::1])),
    EntryPoint("venue_levels", top_levels, (_HEADER_TYPE, types.int64, types.int64, types.int64[::1])),
    *INSPECTION,
)
