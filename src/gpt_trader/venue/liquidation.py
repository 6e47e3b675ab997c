"""What if an account cannot carry its positions any more? Everything is cancelled and sold into the book, for a fee."""

from __future__ import annotations

from typing import Any

from gpt_trader.market.compiled import part
from gpt_trader.venue.accounts import equity_of, maintenance_margin, set_bands
from gpt_trader.venue.books import model_book
from gpt_trader.venue.layout import (
    ACTIVE,
    CANCELLED,
    EXPIRED,
    FILLED,
    IOC,
    LIQUIDATED,
    LISTS,
    MARKET,
    NEVER,
    NO_LIQUIDITY,
    NO_REASON,
    NOTHING_TO_REDUCE,
    POST_ONLY,
)
from gpt_trader.venue.matching import room, walk
from gpt_trader.venue.memory import accounts_of, fills_of, lists_of, orders_of, positions_of, products_of
from gpt_trader.venue.orders import count_of, drop, finish

__all__ = ["after_fills", "check_margins"]


@part
def _cancel_all(v: Any, account: int) -> None:
    orders = orders_of(v)
    for pi in range(v.products_count):
        p = products_of(v)[pi]
        for which in range(LISTS):
            line = lists_of(v)[pi, which]
            place = 0
            while place < count_of(p, which):
                if orders[line[place]].account == account:
                    drop(v, pi, which, place, CANCELLED, LIQUIDATED)
                else:
                    place += 1


@part
def _new_liquidation_order(v: Any, account: int, pi: int, lots: int) -> int:
    """The venue's own market order; its number stands in `liquidation`."""
    if v.orders_count >= v.orders_capacity:
        raise OverflowError("more liquidations at once than the venue keeps room for")
    index = v.orders_count
    v.orders_count += 1
    v.liquidations += 1
    o = orders_of(v)[index]
    o.account = account
    o.product = pi
    o.side = -1 if lots > 0 else 1
    o.type = MARKET
    o.tif = IOC
    o.post_only = 0
    o.reduce_only = 0
    o.limit = 0
    o.stop = 0
    o.lots = abs(lots)
    o.expire = 0
    o.filled = 0
    o.value = 0
    o.state = ACTIVE
    o.reason = NO_REASON
    o.ahead = 0
    o.traded = 0
    o.armed = 0
    o.sent_ns = v.now
    o.arrived_ns = v.now
    o.done_ns = 0
    o.takes = 0
    o.liquidation = v.liquidations
    o.fees = 0
    return index


@part
def _close_out(v: Any, account: int, pi: int) -> None:
    """Sell or buy back one position at whatever the book shows."""
    p = products_of(v)[pi]
    h = positions_of(v)[account, pi]
    h.band_low = NEVER  # what is left is tried again at the next look at the mark
    model_book(v, pi, p)
    best = p.best_bid if h.lots > 0 else p.best_ask
    if p.status >= POST_ONLY or best == 0:
        return
    index = _new_liquidation_order(v, account, pi, h.lots)
    o = orders_of(v)[index]
    walk(v, index, 1 if o.side < 0 else p.price_max)
    if o.state != FILLED:
        finish(v, index, EXPIRED, NO_LIQUIDITY)


@part
def _bound_at_zero(v: Any, account: int) -> None:
    """A flat account below zero is made good by the venue: told as a lower, even negative, fee of its last fill."""
    a = accounts_of(v)[account]
    if a.cash >= 0 or a.last_fill < 0:
        return
    f = fills_of(v)[a.last_fill]
    f.fee += a.cash
    orders_of(v)[f.order].fees += a.cash
    positions_of(v)[account, f.product].fees += a.cash
    a.fees += a.cash
    a.insurance -= a.cash
    a.cash = 0


@part
def _is_flat(v: Any, account: int) -> bool:
    held = 0
    for pi in range(v.products_count):
        held += abs(positions_of(v)[account, pi].lots)
    return held == 0


@part
def _check_margin(v: Any, account: int) -> None:
    a = accounts_of(v)[account]
    if _is_flat(v, account):
        a.liquidating = 0
        _bound_at_zero(v, account)
        return
    equity = equity_of(v, account)
    needed = maintenance_margin(v, account)
    if equity >= needed:
        a.liquidating = 0
        set_bands(v, account, equity - needed)
        return
    if a.liquidating == 0:
        a.liquidating = 1
        a.liquidations += 1
        _cancel_all(v, account)
    for pi in range(v.products_count):
        if positions_of(v)[account, pi].lots != 0:
            _close_out(v, account, pi)


@part
def _cancel_pointless(v: Any) -> None:
    """Reduce-only orders that have no position left to reduce are cancelled by the venue."""
    orders = orders_of(v)
    for pi in range(v.products_count):
        p = products_of(v)[pi]
        for which in range(LISTS):
            line = lists_of(v)[pi, which]
            place = 0
            while place < count_of(p, which):
                o = orders[line[place]]
                if o.reduce_only == 1 and room(v, o) == 0:
                    drop(v, pi, which, place, CANCELLED, NOTHING_TO_REDUCE)
                else:
                    place += 1


@part
def after_fills(v: Any) -> None:
    """Cash or positions changed: drop pointless orders and look at every account's margin."""
    while v.filled == 1:
        v.filled = 0
        _cancel_pointless(v)
        for account in range(v.accounts_count):
            _check_margin(v, account)


@part
def check_margins(v: Any, pi: int, mark: int) -> None:
    """A mark moved: look at the accounts for which it left the band in which the margin surely suffices."""
    products_of(v)[pi].mark = mark
    for account in range(v.accounts_count):
        h = positions_of(v)[account, pi]
        if h.lots != 0 and not h.band_low < mark < h.band_high:
            _check_margin(v, account)
    after_fills(v)
