# ruff: noqa: PLR0917 - compiled functions hand their state on by position
"""How does the synthetic market move? Compiled steps from random words to prices, basis, funding and rows.

Every step lasts STEP_NS. Only +, -, *, / and square roots are used, all of which IEEE 754 defines to the last bit, so
the same words give the same rows on any machine. Numbers are drawn by rules whose mean is exactly zero where
fairness needs it; each says so.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import float64, from_dtype, int64, uint64

from gpt_trader.market.compiled import EntryPoint, jit, part
from gpt_trader.market.rows import CLEAR, FUNDING, INDEX, LEVEL, ROW, TRADE

__all__ = [
    "ENTRY_POINTS",
    "LEVELS",
    "PARAMETERS",
    "ROWS_A_STEP_MAX",
    "STEP_NS",
    "WORLD_STATE",
    "basis_path",
    "make_rows",
    "open_book",
    "price_path",
    "world_path",
]

STEP_NS: Final = 250_000_000
STEPS_A_SECOND: Final = 4
STEPS_A_DAY: Final = 345_600
LEVELS: Final = 16
"""Price levels on each side after every requote."""
WALK_LEVELS: Final = 6
"""Trades of one step consume at most so many levels, so that ten are left."""
ROWS_A_STEP_MAX: Final = 4 * LEVELS + 4 * WALK_LEVELS + 5
PREMIUM_SAMPLE_NS: Final = 180_000_000_000
HOUR_NS: Final = 3_600_000_000_000

# --- random numbers ---------------------------------------------------------------------------------------------
GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
MIX_A: Final = np.uint64(0xBF58476D1CE4E5B9)
MIX_B: Final = np.uint64(0x94D049BB133111EB)
FIELD: Final = np.uint64(0xFFFF)
S11: Final = np.uint64(11)
S16: Final = np.uint64(16)
S27: Final = np.uint64(27)
S30: Final = np.uint64(30)
S31: Final = np.uint64(31)
S32: Final = np.uint64(32)
S48: Final = np.uint64(48)
UNIT: Final = 1.0 / 9007199254740992.0
BELL: Final = 1.0 / math.sqrt(4.0 * (65536.0 * 65536.0 - 1.0) / 12.0)


@part
def _draw(word: Any, number: Any) -> Any:
    """The `number`-th word that follows from `word`: splitmix64 (Steele, Lea and Flood 2014)."""
    z = word + np.uint64(number + 1) * GOLDEN
    z = (z ^ (z >> S30)) * MIX_A
    z = (z ^ (z >> S27)) * MIX_B
    return z ^ (z >> S31)


@part
def _uniform(word: Any) -> Any:
    """In (0, 1), 53 bits, symmetric about one half."""
    return (np.float64(word >> S11) + 0.5) * UNIT


@part
def _bell(word: Any) -> Any:
    """Sum of four 16-bit numbers, centred and scaled to variance 1: mean exactly zero, symmetric, no long tail."""
    total = (word & FIELD) + ((word >> S16) & FIELD) + ((word >> S32) & FIELD) + (word >> S48)
    return (np.float64(total) - 131070.0) * BELL


@part
def _heavy(word: Any, most: Any) -> Any:
    """1/sqrt(u) - 1 with u uniform: mean 1 and a Pareto tail of exponent 2, cut at `most`."""
    return min(1.0 / math.sqrt(_uniform(word)) - 1.0, most)


# --- the world: what all products share -------------------------------------------------------------------------
WORLD_STATE: Final = 2
"""Volatility regime (0 calm, 1 normal, 2 wild) and trend (-1, 0, +1)."""
CALM, NORMAL, WILD = 0.5, 1.0, 2.6
LEAVE_CALM: Final = 1.0 / (3.0 * 14400.0)
"""Mean stays: calm 3 hours, normal 2 hours, wild half an hour."""
LEAVE_NORMAL: Final = 1.0 / (2.0 * 14400.0)
LEAVE_WILD: Final = 1.0 / (0.5 * 14400.0)
CALM_AFTER_NORMAL: Final = 0.6
TREND_BEGIN: Final = 1.0 / (4.0 * 14400.0)
"""A trend begins after 4 hours and lasts 2 in the mean."""
TREND_END: Final = 1.0 / (2.0 * 14400.0)
TREND_STEP: Final = 0.0035
"""Drift of a trend in step deviations: half a deviation of two hours' return over its mean life."""
JUMP: Final = 2.0 / 345600.0
"""Two a day, up or down alike."""
JUMP_SIZE: Final = 60.0
"""In step deviations, times 1 plus a heavy tail cut at 3."""


@jit
def world_path(words: Any, season: Any, state: Any, volatility: Any, shock: Any) -> None:
    """Fill `volatility` (times the step's usual deviation) and `shock` (common return in step deviations).

    Given everything before it, a shock has mean zero: the bell and the jump are symmetric, and a trend is paid for by
    the move that ends it. A trend drifts TREND_STEP a step and ends with probability TREND_END in each step by a
    move of TREND_STEP / TREND_END against it (a rational bubble: Blanchard and Watson 1982).
    """
    regime, trend = state[0], state[1]
    for step in range(len(words)):
        word = words[step]
        regime = _next_regime(regime, _draw(word, 0))
        sigma = (CALM if regime == 0 else NORMAL if regime == 1 else WILD) * season[step]
        value = sigma * _bell(word)
        fate = _draw(word, 1)
        if trend != 0:
            value += trend * TREND_STEP
            if _uniform(fate) < TREND_END:
                value -= trend * TREND_STEP / TREND_END
                trend = 0
        elif _uniform(fate) < TREND_BEGIN:
            trend = 1 if _uniform(_draw(word, 2)) < 0.5 else -1
        if _uniform(_draw(word, 3)) < JUMP:
            sign = 1.0 if _uniform(_draw(word, 4)) < 0.5 else -1.0
            value += sign * JUMP_SIZE * (1.0 + _heavy(_draw(word, 5), 3.0))
        volatility[step] = sigma
        shock[step] = value
    state[0], state[1] = regime, trend


@part
def _next_regime(regime: Any, word: Any) -> Any:
    u = _uniform(word)
    if regime == 0:
        return 1 if u < LEAVE_CALM else 0
    if regime == 1:
        if u >= LEAVE_NORMAL:
            return 1
        return 0 if u < LEAVE_NORMAL * CALM_AFTER_NORMAL else 2
    return 1 if u < LEAVE_WILD else 2


@jit
def price_path(price: Any, words: Any, volatility: Any, shock: Any, sigma_step: Any, loading: Any, prices: Any) -> Any:
    """Fill `prices` with the fair price after each step, in ticks, and return the last one.

    Price times one plus a return of mean zero: a martingale in price, not only in its logarithm. The largest return
    that the rules allow is some 400 step deviations, a few percent, so a price stays above zero.
    """
    own = math.sqrt(1.0 - loading * loading)
    for step in range(len(words)):
        move = loading * shock[step] + own * volatility[step] * _bell(words[step])
        price = price * (1.0 + sigma_step * move)
        prices[step] = price
    return price


BASIS_BACK: Final = 1.0 / 2400.0
"""Share of the basis that is lost in a second: a memory of 40 minutes."""
BASIS_DEVIATION: Final = 0.0004
BASIS_MEAN: Final = 0.0001


@jit
def basis_path(basis: Any, words: Any, bases: Any) -> Any:
    """Fill `bases` with perpetual over index minus one, by the second, and return the last one. Mean reverting."""
    kick = BASIS_DEVIATION * math.sqrt(2.0 * BASIS_BACK)
    for second in range(len(words)):
        basis += BASIS_BACK * (BASIS_MEAN - basis) + kick * _bell(words[second])
        bases[second] = basis
    return basis


# --- one product: book, flow, index, funding --------------------------------------------------------------------
PARAMETERS: Final = np.dtype(
    [
        ("product", "i8"),
        ("tick_e8", "f8"),  # tick in 1e-8 of the quote currency
        ("spread", "i8"),  # usual spread in ticks
        ("level_lots", "f8"),  # mean quantity of the best level
        ("trade_lots", "f8"),  # mean quantity of a trade
        ("trades_a_step", "f8"),
        # state, carried from chunk to chunk
        ("bid", "i8"),
        ("ask", "i8"),
        ("width", "i8"),
        ("last_side", "i8"),
        ("premium_sum", "f8"),
        ("premium_samples", "i8"),
        ("funding", "f8"),
    ]
)


@part
def _put(rows: Any, n: Any, ts: Any, kind: Any, side: Any, product: Any, a: Any, b: Any) -> Any:
    row = rows[n]
    row.ts = ts
    row.recv = ts
    row.kind = kind
    row.side = side
    row.product = product
    row.flags = 0
    row.a = a
    row.b = b
    row.c = 0
    row.d = 0
    row.e = 0
    return n + 1


@part
def _fresh(p: Any, level: Any, volatility: Any, word: Any) -> Any:
    """Quantity of a level that is quoted anew: more behind the best, less when it is wild, heavy tailed."""
    mean = p.level_lots * (1.0 + 0.2 * level) / (0.5 + 0.5 * volatility)
    return max(1, int(mean * (0.3 + 0.7 * _heavy(word, 8.0))))


@part
def _side_quote(
    rows: Any, n: Any, ts: Any, p: Any, side: Any, book: Any, best: Any, spare: Any, volatility: Any, word: Any
) -> Any:
    """Move one side of the book to a new best price: first what is new, then what is left behind.

    So a side is never empty, and as the side that makes room goes first the book is never crossed.
    """
    old = p.bid if side > 0 else p.ask
    for level in range(LEVELS):
        price = best - side * level
        was = side * (old - price)  # its level in the old book
        if 0 <= was < LEVELS and book[was] > 0:
            spare[level] = book[was]
        else:
            spare[level] = _fresh(p, level, volatility, _draw(word, side * (level + 1) + 100))
            n = _put(rows, n, ts, LEVEL, side, p.product, price, spare[level])
    for was in range(LEVELS):
        price = old - side * was
        level = side * (best - price)
        if book[was] > 0 and not 0 <= level < LEVELS:
            n = _put(rows, n, ts, LEVEL, side, p.product, price, 0)
    book[:] = spare
    if side > 0:
        p.bid = best
    else:
        p.ask = best
    return n


@part
def _requote(
    rows: Any, n: Any, ts: Any, p: Any, bids: Any, asks: Any, spare: Any, price: Any, volatility: Any, word: Any
) -> Any:
    """Put the book around the fair price. The mid differs from it by at most half a tick, evenly on both sides."""
    if _uniform(_draw(word, 0)) < 0.02:
        u = _uniform(_draw(word, 1))
        p.width = p.spread + (1 if u < 0.15 * volatility else 0) + (1 if u < 0.05 * volatility else 0)
    bid = math.floor(price - 0.5 * (p.width - 1))
    bid = max(bid, LEVELS)
    ask = bid + p.width
    first = -1 if bid >= p.bid else 1
    for side in (first, -first):
        book, best = (bids, bid) if side > 0 else (asks, ask)
        n = _side_quote(rows, n, ts, p, side, book, best, spare, volatility, word)
    return n


@jit
def open_book(rows: Any, ts: Any, parameters: Any, bids: Any, asks: Any, price: Any, words: Any) -> Any:
    """The first rows of a product: CLEAR and a full book. Returns how many."""
    p, word = parameters[0], words[0]
    p.width = p.spread
    p.bid = math.floor(price - 0.5 * (p.width - 1))
    p.ask = p.bid + p.width
    n = _put(rows, 0, ts, CLEAR, 0, p.product, 0, 0)
    for level in range(LEVELS):
        bids[level] = _fresh(p, level, 1.0, _draw(word, level))
        n = _put(rows, n, ts, LEVEL, 1, p.product, p.bid - level, bids[level])
    for level in range(LEVELS):
        asks[level] = _fresh(p, level, 1.0, _draw(word, LEVELS + level))
        n = _put(rows, n, ts, LEVEL, -1, p.product, p.ask + level, asks[level])
    return n


@part
def _aggressor(p: Any, move: Any, word: Any) -> Any:
    """Some know the next move (adverse selection), some follow the last trade (split orders), some are noise."""
    u = _uniform(_draw(word, 0))
    if u < 0.25 and move != 0.0:
        side = 1 if move > 0.0 else -1
    elif u < 0.60 and p.last_side != 0:
        side = p.last_side
    else:
        side = 1 if _uniform(_draw(word, 1)) < 0.5 else -1
    p.last_side = side
    return side


@part
def _trade(rows: Any, n: Any, ts: Any, p: Any, bids: Any, asks: Any, move: Any, word: Any) -> Any:
    """One order that takes liquidity: a TRADE and a LEVEL for each price it reaches."""
    side = _aggressor(p, move, word)
    left = 1 + int(p.trade_lots * _heavy(_draw(word, 2), 30.0))
    book = asks if side > 0 else bids
    best = p.ask if side > 0 else p.bid
    for level in range(WALK_LEVELS):
        if left == 0:
            break
        if book[level] == 0:
            continue
        taken = min(left, book[level])
        left -= taken
        book[level] -= taken
        price = best + side * level
        n = _put(rows, n, ts, TRADE, side, p.product, price, taken)
        n = _put(rows, n, ts, LEVEL, -side, p.product, price, book[level])
    return n


@part
def _refresh(rows: Any, n: Any, ts: Any, p: Any, bids: Any, asks: Any, volatility: Any, word: Any) -> Any:
    """One maker changes one quantity, mostly near the best price."""
    side = 1 if _uniform(_draw(word, 20)) < 0.5 else -1
    level = min(LEVELS - 1, int(2.0 * _heavy(_draw(word, 21), 10.0)))
    book = bids if side > 0 else asks
    quantity = _fresh(p, level, volatility, _draw(word, 22))
    if quantity == book[level]:
        return n
    book[level] = quantity
    best = p.bid if side > 0 else p.ask
    return _put(rows, n, ts, LEVEL, side, p.product, best - side * level, quantity)


@part
def _settle(rows: Any, n: Any, ts: Any, p: Any, index: Any) -> Any:
    """Sample the premium every three minutes; on the hour pay funding.

    funding = 0.75 * premium + 0.25 * previous, premium = mean((mark - index) / index) / 24, the rule of the venue,
    with the mid as mark. The rate is in 1e-12.
    """
    mark = 0.5 * (p.bid + p.ask)
    p.premium_sum += (mark - index) / index
    p.premium_samples += 1
    if ts % HOUR_NS != 0:
        return n
    p.funding = 0.75 * (p.premium_sum / p.premium_samples / 24.0) + 0.25 * p.funding
    p.premium_sum, p.premium_samples = 0.0, 0
    return _put(rows, n, ts, FUNDING, 0, p.product, math.floor(p.funding * 1e12 + 0.5), 0)


@jit
def make_rows(
    rows: Any,
    start_ns: Any,
    previous: Any,
    prices: Any,
    volatility: Any,
    activity: Any,
    bases: Any,
    flow_words: Any,
    book_words: Any,
    parameters: Any,
    bids: Any,
    asks: Any,
) -> Any:
    """Write the rows of one product for `len(prices)` steps that begin at `start_ns`, and return how many.

    Within a step: up to two orders take liquidity at the old quotes, then the makers move to the new fair price, then
    one of them changes a quantity. On whole seconds the index follows, every three minutes the premium is sampled,
    on the hour funding is due.
    """
    p = parameters[0]
    spare = np.zeros(LEVELS, np.int64)
    n = 0
    for step in range(len(prices)):
        ts = start_ns + step * STEP_NS
        flow, word, sigma = flow_words[step], book_words[step], volatility[step]
        chance = min(1.0, 0.5 * p.trades_a_step * activity[step] * (0.5 + 0.5 * sigma))
        jitter = int(flow & FIELD) * 1000  # up to 65 ms
        for order in range(2):
            flow_word = _draw(flow, order)
            if _uniform(flow_word) < chance:
                at = ts + 5_000_000 + jitter + order * 70_000_000
                n = _trade(rows, n, at, p, bids, asks, prices[step] - previous, flow_word)
        jitter = int(word & FIELD) * 1000
        n = _requote(rows, n, ts + 150_000_000 + jitter, p, bids, asks, spare, prices[step], sigma, word)
        if _uniform(_draw(word, 2)) < 0.4 + 0.4 * activity[step]:
            n = _refresh(rows, n, ts + 220_000_000 + jitter // 3, p, bids, asks, sigma, word)
        previous = prices[step]
        if (step + 1) % STEPS_A_SECOND == 0:
            n = _second(rows, n, ts + STEP_NS, p, previous / (1.0 + bases[step // STEPS_A_SECOND]))
    return n


@part
def _second(rows: Any, n: Any, ts: Any, p: Any, index: Any) -> Any:
    """What happens on a whole second: the index is published, and funding looked at. `index` is in ticks."""
    n = _put(rows, n, ts, INDEX, 0, p.product, math.floor(index * p.tick_e8 + 0.5), 0)
    if ts % PREMIUM_SAMPLE_NS == 0:
        n = _settle(rows, n, ts, p, index)
    return n


_FLOATS: Final = float64[::1]
_INTEGERS: Final = int64[::1]
_WORDS: Final = uint64[::1]
_ROWS: Final = from_dtype(ROW)[::1]
_STATE: Final = from_dtype(PARAMETERS)[::1]

ENTRY_POINTS: Final = (
    EntryPoint("world_path", world_path, (_WORDS, _FLOATS, _INTEGERS, _FLOATS, _FLOATS)),
    EntryPoint("price_path", price_path, (float64, _WORDS, _FLOATS, _FLOATS, float64, float64, _FLOATS)),
    EntryPoint("basis_path", basis_path, (float64, _WORDS, _FLOATS)),
    EntryPoint("open_book", open_book, (_ROWS, int64, _STATE, _INTEGERS, _INTEGERS, float64, _WORDS)),
    EntryPoint(
        "make_rows",
        make_rows,
        (_ROWS, int64, float64, *[_FLOATS] * 4, _WORDS, _WORDS, _STATE, _INTEGERS, _INTEGERS),
    ),
)
"""What Python calls, with the signatures it calls with, so that all is compiled once in a set-up step.

Types of the arguments alone: with a type of the result, the stored code would not be found by a call.
"""
