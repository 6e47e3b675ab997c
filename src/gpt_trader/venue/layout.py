"""What does the kernel remember? Plain records of int64 in a handful of arrays, and the codes used in them.

Prices are in ticks, quantities in lots, money and marks in 1e-8 of the quote currency, rates in 1e-12, times in ns.
A price or mark of 0 means "none". One header record holds the addresses of all other arrays, so that a call into the
kernel passes one argument and an array can grow between two calls.
"""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = [
    "ACCOUNT",
    "BAR_OUT",
    "FILL",
    "HEADER",
    "NOTICE",
    "ORDER",
    "POSITION",
    "PRODUCT",
    "REASONS",
    "REQUEST",
    "TIER",
]

NEVER: Final = 2**63 - 1
"""A time that does not come."""
UNKNOWN: Final = -1
"""Queue ahead of a resting order whose level the feed has not shown yet."""
QUEUE_BITS: Final = 16
"""The queue ahead of an order is kept in parts of a lot, 2^16 of them."""
QUEUE_LOTS_MAX: Final = 1 << 46
"""A longer queue than this is kept as this."""
FEE_DAYS: Final = 31
"""Days of traded volume that are kept for fee tiers: 30 whole ones and today."""
DAY_NS: Final = 86_400 * 10**9
RESTING_MAX: Final = 512
"""Living orders of one product and list; one more is refused as too_many_open_orders."""
BOOK_TICKS: Final = 1 << 17
"""Prices that a book's ring window covers; a power of two. Levels further out are dropped and counted."""
ROOM: Final = 1 << 12
"""Free entries that the notice and fill arrays must have before the kernel goes on."""
PATH: Final = 10
"""Row kind made from BAR rows: a=price b=1 when the price jumps there (a bar's open), else the path moves to it,
c=passive room in lots (only with b=1)."""
WINDOW: Final = 11
"""Row kind made from the venue's schedule: the margin window changes to a."""
SAMPLE: Final = 12
"""Row kind made from the venue's schedule: look at the premium of the mark over the index."""
SETTLE: Final = 13
"""Row kind made from the venue's schedule: funding of the samples since the last one is due."""

# lists of living orders
BIDS: Final = 0
ASKS: Final = 1
WAITING: Final = 2  # stops not yet triggered, and orders that wait for the next bar to open
LISTS: Final = 3

# order types and times in force
MARKET: Final = 0
LIMIT: Final = 1
STOP_LIMIT: Final = 2
BRACKET: Final = 3
GTC: Final = 0
GTD: Final = 1
IOC: Final = 2
FOK: Final = 3

# order states
SENT: Final = 0
ACTIVE: Final = 1
PARTIAL: Final = 2
FILLED: Final = 3
CANCELLED: Final = 4
REJECTED: Final = 5
EXPIRED: Final = 6

# why an order ended, or was refused
NO_REASON: Final = 0
NOT_TRADING: Final = 1
BELOW_MIN: Final = 2
ABOVE_MAX: Final = 3
BAD_PRICE: Final = 4
PRICE_BAND: Final = 5
BAD_STOP: Final = 6
NOTHING_TO_REDUCE: Final = 7
POST_ONLY_CROSS: Final = 8
NO_MARGIN: Final = 9
TOO_MANY: Final = 10
NO_LIQUIDITY: Final = 11
REMAINDER: Final = 12
NOT_ALL: Final = 13
TIME_OVER: Final = 14
ASKED: Final = 15
LIQUIDATED: Final = 16
MARKET_OVER: Final = 17
POSITION_LIMIT: Final = 18
BELOW_NOTIONAL: Final = 19
NO_PRICE: Final = 20
BAD_EXPIRY: Final = 21
REASONS: Final = (
    "",
    "product_not_trading",
    "below_min_size",
    "above_max_size",
    "invalid_price",
    "outside_price_band",
    "invalid_stop",
    "nothing_to_reduce",
    "post_only_cross",
    "insufficient_margin",
    "too_many_open_orders",
    "no_liquidity",
    "immediate_or_cancel",
    "fill_or_kill",
    "expired",
    "cancelled_by_client",
    "liquidation",
    "market_over",
    "position_limit",
    "below_min_notional",
    "no_price",
    "invalid_expiry",
)

# who feeds a product's book
BY_NOBODY: Final = 0
BY_LEVELS: Final = 1
BY_QUOTES: Final = 2
BY_BARS: Final = 3

# trading status, as indexes into market.rows.STATUSES
OPEN: Final = 0
LIMIT_ONLY: Final = 1
POST_ONLY: Final = 2
CANCEL_ONLY: Final = 3
HALTED: Final = 4

# margin windows
INTRADAY: Final = 0
OVERNIGHT: Final = 1

# how the queue in front of a resting order shortens
QUEUE_BACK: Final = 0
QUEUE_PROPORTIONAL: Final = 1
QUEUE_TRADES: Final = 2

# whose funding is paid
FUNDING_OF_MARKET: Final = 0
FUNDING_OF_VENUE: Final = 1
FUNDING_NONE: Final = 2

# requests
NEW: Final = 0
CANCEL: Final = 1
ECHO: Final = 2

# notices
ACK: Final = 0
ORDER_CHANGED: Final = 1
FILLED_SOME: Final = 2
FUNDED: Final = 3
STATUS_CHANGED: Final = 4
CANCEL_REPLY: Final = 5
ECHO_REPLY: Final = 6
PRICE_REACHED: Final = 7

# what advance() answers: bits
WOKE_NOTICES: Final = 1
WOKE_BARS: Final = 2
NEED_ROWS: Final = 4
NEED_ROOM: Final = 8
OVER: Final = 16


def _ints(names: str) -> np.dtype[np.void]:
    return np.dtype([(name, "<i8") for name in names.split()])


def places(record: np.dtype[np.void]) -> dict[str, int]:
    """Where each number of a record stands, from 0."""
    return {name: place for place, name in enumerate(record.names or ())}


HEADER: Final = _ints(
    "now rows_address rows_count row_next final row_time row_product unsettled end_ns "
    "products_address products_count accounts_address accounts_count positions_address books_address lists_address "
    "orders_address orders_capacity orders_count "
    "requests_address requests_capacity requests_head requests_tail "
    "notices_address notices_capacity notices_head notices_tail "
    "fills_address fills_capacity fills_count "
    "bars_address bars_capacity bars_head bars_tail "
    "acks_address acks_count acks_next ack_at ack_due "
    "tiers_address tiers_count volumes_address "
    "queue_model funding_by bracket_slip rows_ignored "
    "bar_ns bar_next expire_next wake_on_bars filled liquidations levels_outside rows_done "
    "model_half_spread model_step model_share model_levels"
)
PRODUCT: Final = _ints(
    # specification
    "tick_value lot_e8 unit maker_fee taker_fee liquidation_fee "
    "initial_long initial_short maintenance_long maintenance_short price_band "
    "price_max position_max lots_min lots_max notional_min funding_divisor "
    "day_initial_long day_initial_short day_maintenance_long day_maintenance_short "
    "night_initial_long night_initial_short night_maintenance_long night_maintenance_short "
    # book
    "fed_by best_bid best_ask bid_levels ask_levels base raw_bid raw_bid_lots raw_ask raw_ask_lots "
    # prices
    "status last index mark_row mark kept funding_rate premium_sum premium_count window seen "
    # living orders and open positions
    "bids asks waiting interest "
    # trades at or beyond which the client is told, once; 0 where it does not wait for any
    "watch_low watch_high "
    # bar being built from trades
    "bar_whole bar_open bar_high bar_low bar_close bar_volume "
    # book modelled from bars
    "path_open stale center half step volume_average room"
)
ACCOUNT: Final = _ints("cash fees funding realised liquidating liquidations insurance last_fill tier_day tier")
POSITION: Final = _ints("lots cost opened_ns open_buy open_sell band_low band_high realised fees funding")
ORDER: Final = _ints(
    "account product side type tif post_only reduce_only limit stop lots expire "
    "filled value state reason ahead traded armed sent_ns arrived_ns done_ns takes liquidation fees"
)
REQUEST: Final = _ints("due kind order")
NOTICE: Final = _ints("due at kind account product order state filled value reason fill amount rate lots price")
FILL: Final = _ints("order account product side lots price fee maker at liquidation")
BAR_OUT: Final = _ints("product close_ns open high low close volume mark")
TIER: Final = _ints("volume maker taker")
