"""What does it cost, and can it be carried? Fills, fees, funding and margin of every account, in exact integers."""

from __future__ import annotations

from typing import Any

from gpt_trader.market.compiled import part
from gpt_trader.market.rows import MONEY_SCALE, RATE_SCALE
from gpt_trader.venue.arithmetic import multiply_divide, scaled
from gpt_trader.venue.books import mark_of, value_at
from gpt_trader.venue.layout import DAY_NS, FEE_DAYS, FUNDED, NEVER, OVERNIGHT, POST_ONLY, ROOM
from gpt_trader.venue.memory import (
    accounts_of,
    acks_of,
    notices_of,
    positions_of,
    products_of,
    tiers_of,
    volumes_of,
)

__all__ = [
    "book_fill",
    "change_window",
    "equity_of",
    "fee_rate",
    "initial_margin",
    "maintenance_margin",
    "notify",
    "pay_funding",
    "sample_premium",
    "set_bands",
    "settle_premium",
]

FAR = 1 << 32
"""Money per 1e-8 of base above which no mark that the proof at product load lets in can use up the slack."""


@part
def _news_due(v: Any) -> int:
    """When news of this moment are told: they travel together, and never before older news."""
    if v.ack_at != v.now:
        v.ack_at = v.now
        v.ack_due = max(v.ack_due, v.now + acks_of(v)[v.acks_next])
        v.acks_next = (v.acks_next + 1) % v.acks_count
    return v.ack_due


@part
def notify(v: Any, kind: int, account: int, product: int) -> Any:
    """A new notice, due after the ack latency; the caller fills in the rest."""
    if v.notices_tail - v.notices_head >= v.notices_capacity:
        raise OverflowError("more news at once than the venue keeps room for")
    n = notices_of(v)[v.notices_tail % v.notices_capacity]
    v.notices_tail += 1
    n.due = _news_due(v)
    n.at = v.now
    n.kind = kind
    n.account = account
    n.product = product
    n.order = -1
    n.fill = -1
    n.reason = 0
    return n


@part
def has_room(v: Any) -> bool:
    return (
        v.notices_capacity - (v.notices_tail - v.notices_head) >= ROOM
        and v.fills_capacity - v.fills_count >= ROOM
        and v.orders_capacity - v.orders_count >= v.products_count
    )


@part
def _tier(v: Any, account: int) -> int:
    """Fee tier of today: by what was traded on the 30 UTC days before, fixed until the day ends."""
    a = accounts_of(v)[account]
    day = v.now // DAY_NS
    if a.tier_day != day:
        days = volumes_of(v)[account]
        for passed in range(max(a.tier_day + 1, day - FEE_DAYS + 1), day + 1):
            days[passed % FEE_DAYS] = 0
        a.tier_day = day
        total = 0
        for traded in days:
            total += traded
        a.tier = 0
        for i in range(v.tiers_count):
            if tiers_of(v)[i].volume <= total:
                a.tier = i
    return a.tier


@part
def fee_rate(v: Any, account: int, p: Any, maker: int) -> int:
    """Of the account's tier where the venue has tiers, else of the product."""
    if v.tiers_count == 0:
        return p.maker_fee if maker == 1 else p.taker_fee
    tier = tiers_of(v)[_tier(v, account)]
    return tier.maker if maker == 1 else tier.taker


@part
def book_fill(v: Any, account: int, pi: int, sign: int, lots: int, price: int, rate: int) -> int:
    """Apply a fill to cash and position at average cost; returns the fee.

    Closing q of Q lots moves round(cost * q / Q) out of the cost, half to even.
    """
    p = products_of(v)[pi]
    a = accounts_of(v)[account]
    h = positions_of(v)[account, pi]
    fee = scaled(lots * price * p.unit, rate, RATE_SCALE)
    if v.tiers_count != 0:
        volumes_of(v)[account, v.now // DAY_NS % FEE_DAYS] += lots * price * p.unit
    a.cash -= fee
    a.fees += fee
    h.fees += fee
    before = h.lots
    left = lots
    if before * sign < 0:
        size = abs(before)
        closing = min(lots, size)
        moved = multiply_divide(abs(h.cost), closing, size)
        gain = (moved - closing * price * p.unit) * sign
        a.cash += gain
        a.realised += gain
        h.realised += gain
        h.cost += moved * sign
        h.lots += closing * sign
        left = lots - closing
    if left > 0:
        if h.lots == 0:
            h.opened_ns = v.now
        h.lots += left * sign
        h.cost += left * price * p.unit * sign
    if before == 0:
        p.interest += 1
    elif h.lots == 0:
        p.interest -= 1
        h.opened_ns = 0
    h.band_low = NEVER  # the next look at the mark computes the margin anew
    v.filled = 1
    return fee


@part
def _mark(p: Any) -> int:
    p.mark = mark_of(p)
    return p.mark


@part
def equity_of(v: Any, account: int) -> int:
    """Cash and what open positions would gain at their marks."""
    products = products_of(v)
    positions = positions_of(v)
    equity = accounts_of(v)[account].cash
    for pi in range(v.products_count):
        lots = positions[account, pi].lots
        if lots != 0:
            worth = value_at(abs(lots), _mark(products[pi]), products[pi])
            equity += (worth if lots > 0 else -worth) - positions[account, pi].cost
    return equity


@part
def initial_margin(v: Any, account: int, product: int, extra_buy: int, extra_sell: int) -> int:
    """Margin of the worst exposure that open orders can lead to, with extra lots on one product."""
    products = products_of(v)
    positions = positions_of(v)
    total = 0
    for pi in range(v.products_count):
        h = positions[account, pi]
        p = products[pi]
        buy = h.open_buy + (extra_buy if pi == product else 0)
        sell = h.open_sell + (extra_sell if pi == product else 0)
        if h.lots == 0 and buy == 0 and sell == 0:
            continue
        mark = _mark(p)
        long_margin = multiply_divide(value_at(max(0, h.lots + buy), mark, p), p.initial_long, RATE_SCALE)
        short_margin = multiply_divide(value_at(max(0, sell - h.lots), mark, p), p.initial_short, RATE_SCALE)
        total += max(long_margin, short_margin)
    return total


@part
def maintenance_margin(v: Any, account: int) -> int:
    products = products_of(v)
    positions = positions_of(v)
    total = 0
    for pi in range(v.products_count):
        lots = positions[account, pi].lots
        if lots != 0:
            p = products[pi]
            rate = p.maintenance_long if lots > 0 else p.maintenance_short
            total += multiply_divide(value_at(abs(lots), _mark(p), p), rate, RATE_SCALE)
    return total


@part
def set_bands(v: Any, account: int, slack: int) -> None:
    """How far each mark may move before the margin must be looked at again.

    The slack is shared out evenly; a move inside every band cannot use it up, rounding included.
    """
    products = products_of(v)
    positions = positions_of(v)
    held = 0
    for pi in range(v.products_count):
        if positions[account, pi].lots != 0:
            held += 1
    for pi in range(v.products_count):
        h = positions[account, pi]
        if h.lots == 0:
            continue
        p = products[pi]
        share = max(0, slack // held - 4)
        rate = p.maintenance_long if h.lots > 0 else p.maintenance_short
        share = multiply_divide(share, RATE_SCALE, RATE_SCALE + rate)
        base = abs(h.lots) * p.lot_e8
        if share // base >= FAR:
            h.band_low = 0
            h.band_high = NEVER
            continue
        move = multiply_divide(share, MONEY_SCALE, base) - 1
        h.band_low = p.mark - move if h.lots > 0 else 0
        h.band_high = p.mark + move if h.lots < 0 else NEVER


@part
def pay_funding(v: Any, pi: int, rate: int) -> None:
    """Settle one funding interval: longs pay worth * rate when the rate is above zero, shorts get it."""
    p = products_of(v)[pi]
    p.funding_rate = rate
    mark = _mark(p)
    for account in range(v.accounts_count):
        h = positions_of(v)[account, pi]
        if h.lots == 0:
            continue
        amount = scaled(value_at(abs(h.lots), mark, p), rate, RATE_SCALE)
        amount = -amount if h.lots > 0 else amount
        a = accounts_of(v)[account]
        a.cash += amount
        a.funding += amount
        h.funding += amount
        h.band_low = NEVER
        v.filled = 1
        n = notify(v, FUNDED, account, pi)
        n.amount = amount
        n.rate = rate
        n.lots = h.lots
        n.price = mark


@part
def sample_premium(v: Any, pi: int) -> None:
    """Note how far the mark stands from the index, while the product trades and both are known."""
    p = products_of(v)[pi]
    mark = _mark(p)
    if p.index > 0 and mark > 0 and p.status <= POST_ONLY:
        p.premium_sum += scaled(mark - p.index, RATE_SCALE, p.index)
        p.premium_count += 1


@part
def settle_premium(v: Any, pi: int) -> None:
    """Pay funding of 3/4 of the mean premium, spread over a day's intervals, and 1/4 of the rate before.

    That is the rule of Coinbase's US perpetual-style futures. Without a sample there is no settlement.
    """
    p = products_of(v)[pi]
    if p.premium_count == 0:
        return
    parts = p.premium_count * p.funding_divisor
    rate = scaled(3 * p.premium_sum + p.funding_rate * parts, 1, 4 * parts)
    p.premium_sum = 0
    p.premium_count = 0
    pay_funding(v, pi, rate)


@part
def change_window(v: Any, pi: int, window: int) -> None:
    """From now on the margin rates of another window hold; every account that holds the product is looked at anew."""
    p = products_of(v)[pi]
    p.window = window
    night = window == OVERNIGHT
    p.initial_long = p.night_initial_long if night else p.day_initial_long
    p.initial_short = p.night_initial_short if night else p.day_initial_short
    p.maintenance_long = p.night_maintenance_long if night else p.day_maintenance_long
    p.maintenance_short = p.night_maintenance_short if night else p.day_maintenance_short
    for account in range(v.accounts_count):
        positions_of(v)[account, pi].band_low = NEVER
