"""Is there a row that must not be traded on? One compiled pass over every chunk."""

from __future__ import annotations

from typing import Any, Final

from numba import types

from gpt_trader.market.compiled import EntryPoint, jit, part
from gpt_trader.market.rows import BAR, FUNDING, INDEX, LEVEL, MARK, QUOTE, ROW, STATUS, STATUSES, TRADE
from gpt_trader.venue.layout import WINDOW
from gpt_trader.venue.memory import carray, pointer

__all__ = ["ENTRY_POINTS", "FINDINGS", "inspect_rows"]

FINE: Final = 0
BACKWARDS: Final = 1
BAD_KIND: Final = 2
BAD_PRODUCT: Final = 3
BAD_PRICE: Final = 4
BAD_SIZE: Final = 5
BAD_BAR: Final = 6
BAD_STATUS: Final = 7
FINDINGS: Final = (
    "",
    "comes before the row in front of it; times must not go backwards",
    "has an unknown kind",
    "names a product that the stream does not have",
    "has a price that is not above zero, or too large for exact 64-bit money",
    "has a quantity below zero",
    "is a bar whose high or low does not enclose its open and close",
    "has an unknown trading status",
)
STATUS_COUNT: Final = len(STATUSES)


@part
def _judge_bar(r: Any, price_max: int) -> int:
    if r.c <= 0 or r.b > price_max:
        return BAD_PRICE
    if r.e < 0:
        return BAD_SIZE
    return FINE if r.c <= min(r.a, r.d) and max(r.a, r.d) <= r.b else BAD_BAR


@part
def _judge_quote(r: Any, price_max: int) -> int:
    """A side without quantity is empty; its price means nothing."""
    if r.b < 0 or r.d < 0:
        return BAD_SIZE
    bid_bad = r.b > 0 and not 0 < r.a <= price_max
    ask_bad = r.d > 0 and not 0 < r.c <= price_max
    return BAD_PRICE if bid_bad or ask_bad else FINE


@part
def _judge(r: Any, price_max: int) -> int:
    kind = r.kind
    if kind in (LEVEL, TRADE):
        if not 0 < r.a <= price_max:
            return BAD_PRICE
        return FINE if r.b >= 0 else BAD_SIZE
    if kind == QUOTE:
        return _judge_quote(r, price_max)
    if kind == BAR:
        return _judge_bar(r, price_max)
    if kind in (INDEX, MARK):
        return FINE if r.a > 0 else BAD_PRICE
    if kind == STATUS:
        return FINE if 0 <= r.a < STATUS_COUNT else BAD_STATUS
    if kind == WINDOW:  # put in by hand: margin windows usually come from the venue's own timetable
        return FINE if 0 <= r.a <= 1 else BAD_STATUS
    return FINE if LEVEL <= kind <= FUNDING else BAD_KIND


@jit
def inspect_rows(address: int, count: int, last_ns: int, price_max: Any, first: Any, out: Any) -> None:
    """Look at every row: out = place of the first bad one, what is wrong with it, whether there are bars.

    `first` keeps the first price of each product, in ticks.
    """
    rows = carray(pointer(address), count, ROW)
    products = len(price_max)
    out[1] = FINE
    out[2] = 0
    for i in range(count):
        r = rows[i]
        finding = FINE
        if r.ts < last_ns:
            finding = BACKWARDS
        elif not 0 <= r.product < products:
            finding = BAD_PRODUCT
        else:
            if first[r.product] == 0 and r.kind in (LEVEL, TRADE, QUOTE, BAR):
                first[r.product] = max(0, r.a)
            finding = _judge(r, price_max[r.product])
        if finding != FINE:
            out[0] = i
            out[1] = finding
            return
        last_ns = r.ts
        if r.kind == BAR:
            out[2] = 1


_INTS: Final = types.int64[::1]
ENTRY_POINTS: Final = (
    EntryPoint("venue_inspect", inspect_rows, (types.int64, types.int64, types.int64, _INTS, _INTS, _INTS)),
)
