"""Is this an order at all? What is looked at before the kernel is asked."""

from __future__ import annotations

import msgspec

from gpt_trader.core.values import Side
from gpt_trader.venue.wire.listing import Listing
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.reasons import Rejection
from gpt_trader.venue.wire.terms import Terms, read_terms

__all__ = ["Placed", "admit"]


class Placed(msgspec.Struct):
    """A request for a new order, as it came."""

    client_order_id: str
    product_id: str
    side: str
    configuration: object
    leverage: str = ""
    margin_type: str = ""
    reduce_only: bool = False
    attached: bool = False
    source: str = "create"


def admit(placed: Placed, listing: Listing, quirks: Quirks, now_ns: int) -> Terms:
    """The order's terms. Raises Rejection with the first reason against it."""
    listed = listing.get(placed.product_id)
    if listed is None:
        raise Rejection("INVALID_PRODUCT_ID", f"no product {placed.product_id}")
    if placed.side not in {"BUY", "SELL"}:
        raise Rejection("INVALID_SIDE", "side must be BUY or SELL")
    if placed.margin_type not in {"", "CROSS"}:
        raise Rejection("INVALID_MARGIN_TYPE", "futures are held on cross margin")
    if placed.reduce_only and placed.source == "create" and not quirks.live:
        raise Rejection("REDUCE_ONLY_NOT_ALLOWED_ON_VENUE", "reduce_only is no field of this venue")
    if placed.attached:
        raise Rejection("UNSUPPORTED_ORDER_CONFIGURATION", "attached orders are not offered; place a bracket")
    terms = read_terms(placed.configuration, listed, Side(placed.side), now_ns, quirks.increments.get(listed.symbol, 1))
    if listed.symbol in quirks.sessions_closed:
        raise Rejection("INVALID_FCM_TRADING_SESSION", "the trading session is closed")
    return terms
