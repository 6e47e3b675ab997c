"""What does one line of market look like to the kernel? A fixed 64-byte row; prices in ticks, quantities in lots.

Every source (synthetic, recorded, catalog) yields arrays of ROW, sorted by `ts`; the kernel reads nothing else.
"""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = [
    "BAR",
    "CLEAR",
    "FUNDING",
    "INDEX",
    "LEVEL",
    "MARK",
    "MONEY_SCALE",
    "QUOTE",
    "RATE_SCALE",
    "ROW",
    "STATUS",
    "TRADE",
]

MONEY_SCALE: Final = 100_000_000
"""Money and index prices inside the kernel are int64 in units of 1e-8 of the quote currency."""
RATE_SCALE: Final = 1_000_000_000_000
"""Rates (fees, margin, funding) are int64 in units of 1e-12."""

ROW: Final = np.dtype(
    [
        ("ts", "<i8"),  # venue time, ns since the epoch
        ("recv", "<i8"),  # when it reached the recorder, ns; equal to ts where unknown
        ("kind", "u1"),
        ("side", "i1"),  # +1 bid or buyer-initiated, -1 ask or seller-initiated, 0 unknown
        ("product", "<i2"),  # index into the stream's products
        ("flags", "<u4"),
        ("a", "<i8"),
        ("b", "<i8"),
        ("c", "<i8"),
        ("d", "<i8"),
        ("e", "<i8"),
    ]
)
assert ROW.itemsize == 64

# kind            a              b            c          d        e
LEVEL: Final = 1  # price ticks    quantity lots (absolute; 0 removes), side = book side
CLEAR: Final = 2  # the product's book is empty from here: a snapshot follows
TRADE: Final = 3  # price ticks    quantity lots, side = aggressor
QUOTE: Final = 4  # bid ticks      bid lots     ask ticks  ask lots (top of book, replaces the whole book)
BAR: Final = 5  # open ticks     high         low        close    volume lots; ts = close of the bar
INDEX: Final = 6  # price in 1e-8
MARK: Final = 7  # price in 1e-8 (where the venue publishes one)
FUNDING: Final = 8  # rate in 1e-12 per interval, settled at ts from the position and the mark held then
STATUS: Final = 9  # index into STATUSES

STATUSES: Final = ("OPEN", "LIMIT_ONLY", "POST_ONLY", "CANCEL_ONLY", "HALTED")
