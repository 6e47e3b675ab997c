"""Why was it refused, in Coinbase's words? Codes of the protocol, and what the kernel's reasons are called there."""

from __future__ import annotations

from typing import Final

from gpt_trader.core.values import Side, TradingStatus
from gpt_trader.venue.wire.formats import Json

__all__ = ["UNKNOWN_REASON", "Rejection", "rejection_of"]

UNKNOWN_REASON: Final = "UNKNOWN_FAILURE_REASON"
UNKNOWN_PREVIEW: Final = "UNKNOWN_PREVIEW_FAILURE_REASON"


class Rejection(Exception):
    """An order that is not taken. HTTP stays 200: the body says so."""

    def __init__(self, reason: str, details: str, preview: str = "") -> None:
        super().__init__(f"{reason}: {details}")
        self.reason = reason
        self.details = details
        self.preview = preview or (UNKNOWN_PREVIEW if reason == UNKNOWN_REASON else f"PREVIEW_{reason}")

    def body(self) -> Json:
        return {
            "error": self.reason,
            "message": self.details,
            "error_details": self.details,
            "preview_failure_reason": self.preview,
            "new_order_failure_reason": self.reason,
        }


REASONS: Final = {
    "below_min_size": (UNKNOWN_REASON, "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
    "above_max_size": (UNKNOWN_REASON, "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE"),
    "below_min_notional": (UNKNOWN_REASON, "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
    "invalid_price": ("INVALID_LIMIT_PRICE", ""),
    "nothing_to_reduce": ("REDUCE_ONLY_INCREASED_POSITION_SIZE", ""),
    "post_only_cross": ("INVALID_LIMIT_PRICE_POST_ONLY", ""),
    "insufficient_margin": ("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES"),
    "too_many_open_orders": ("COMMANDER_REJECTED_NEW_ORDER", UNKNOWN_PREVIEW),
    "position_limit": ("BREACHED_RISK_LIMIT", "PREVIEW_BREACHED_ACCOUNT_POSITION_LIMIT"),
    "no_price": ("INVALID_NO_LIQUIDITY", "PREVIEW_MISSING_PRODUCT_PRICE_BOOK"),
    "invalid_expiry": ("END_TIME_IS_IN_THE_PAST", ""),
    "market_over": ("INVALID_FCM_TRADING_SESSION", ""),
}
"""Reason of the kernel -> (reason of a new order, reason of a preview; empty is PREVIEW_ and the former)."""
STATUS_REASONS: Final = {
    TradingStatus.HALTED: ("PRODUCT_TRADING_HALTED", ""),
    TradingStatus.CANCEL_ONLY: ("ORDER_ENTRY_DISABLED", "PREVIEW_NOT_ALLOWED_BY_MARKET_STATE"),
}
NOT_THIS_ORDER: Final = ("UNTRADABLE_PRODUCT", "PREVIEW_NOT_ALLOWED_BY_MARKET_STATE")


def rejection_of(reason: str, side: Side, status: TradingStatus, *, session_open: bool = True) -> Rejection:
    """What a client is told of a kernel's refusal."""
    if reason == "product_not_trading":
        known = STATUS_REASONS.get(status, NOT_THIS_ORDER)
        if not session_open:
            known = ("INVALID_FCM_TRADING_SESSION", "")
    elif reason == "outside_price_band":
        known = (f"LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_{side}", "")
    elif reason == "invalid_stop":
        wrong = "BELOW" if side is Side.BUY else "ABOVE"
        known = ("STOP_ALREADY_TRIGGERED", f"PREVIEW_STOP_PRICE_{wrong}_LAST_TRADE_PRICE")
    else:
        known = REASONS.get(reason, (UNKNOWN_REASON, UNKNOWN_PREVIEW))
    return Rejection(known[0], reason.replace("_", " "), known[1])
