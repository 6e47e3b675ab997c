"""Which ways can it fail? The whole error tree, and the stable codes of every refusal.

GptTraderError
 |- ConfigError                 the user can mend it: names field, value, place and fix
 |- MarketDataError             a recording or stream that must not be traded on: names file, line and fix
 |- StoreError                  the event store cannot be trusted or written
 |- ResearchError               a search of many runs cannot go on; what it has found is kept
 |- Refused                     expected: a rule said no; told as the event OrderRefused
 `- ExchangeError               the venue, or the way to it
     |- RateLimitError          told to wait; nothing was placed
     |- InsufficientBalanceError
     |- OrderNotFoundError
     |- InvalidOrderError       the venue refused the order as such
     |- VenueUnavailableError   not sent, or refused before it was looked at; nothing was placed
     `- OutcomeUnknownError     bytes may have left and there is no proof: never read as "not placed"
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

__all__ = [
    "ConfigError",
    "ExchangeError",
    "GptTraderError",
    "InsufficientBalanceError",
    "InvalidOrderError",
    "MarketDataError",
    "Number",
    "OrderNotFoundError",
    "OutcomeUnknownError",
    "RateLimitError",
    "Refusal",
    "Refused",
    "ResearchError",
    "Stage",
    "StoreError",
    "VenueUnavailableError",
]

Number = Decimal | int | str
"""A value shown beside a decision. Never a float: it is stored."""


class Stage(StrEnum):
    """Where in the hallway a decision was taken."""

    SIGNAL = "signal"
    VALIDATION = "validation"
    RISK = "risk"
    PLACEMENT = "placement"
    SUBMISSION = "submission"


class Refusal(StrEnum):
    """Stable code of a refusal, and its meaning in one sentence.

    Codes are never reused for another meaning; the reference in the docs is made from this list.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Refusal:
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    # what was asked for is malformed
    INVALID_QUANTITY = "invalid_quantity", "The quantity is not a finite number above zero."
    INVALID_PRICE = "invalid_price", "A price is not a finite number above zero, or the order type needs one."
    INVALID_STOP = "invalid_stop", "A stop order has no stop price, or it lies on the wrong side of the market."
    INVALID_TRAIL = "invalid_trail", "The distance of a trailing stop is not a share above 0 and below 1."
    INVALID_TARGET = "invalid_target", "A target lies on the wrong side of the entry or inside the spread."
    UNKNOWN_SYMBOL = "unknown_symbol", "The venue lists no such product."
    UNKNOWN_EXCHANGE = "unknown_exchange", "The signal names an exchange that this bot does not trade on."
    INVALID_EXPIRY = "invalid_expiry", "A GTD order needs an expiry in the future; others take none."
    POST_ONLY_WITH_IMMEDIATE = "post_only_with_immediate", "Post-only cannot be combined with IOC, FOK or MARKET."
    DUPLICATE_INTENT = "duplicate_intent", "This intent was already decided; a decision taken twice has one id."
    # venue rules
    BELOW_MIN_SIZE = "below_min_size", "Less than the smallest size the venue accepts."
    ABOVE_MAX_SIZE = "above_max_size", "More than the largest size the venue accepts in one order."
    BELOW_MIN_NOTIONAL = "below_min_notional", "Worth less than the venue's minimum notional."
    BELOW_ONE_CONTRACT = "below_one_contract", "Less than one contract is affordable; names the equity it needs."
    OUTSIDE_PRICE_BAND = "outside_price_band", "The price is further from the mark than the venue allows."
    UNSUPPORTED_TIF = "unsupported_tif", "Engine or venue cannot do the time in force; never downgraded."
    UNSUPPORTED_ORDER_TYPE = "unsupported_order_type", "This engine or venue cannot do the order type."
    UNSUPPORTED_TACTIC = "unsupported_tactic", "This engine offers no placement tactic of that name."
    POST_ONLY_CROSS = "post_only_cross", "A post-only order would take liquidity at once."
    PRODUCT_NOT_TRADING = "product_not_trading", "The product is halted, out of session or restricted."
    # here and now
    STALE_MARK = "stale_mark", "The mark price is older than allowed; no entry on stale data."
    STALE_BOOK = "stale_book", "The book is missing or older than allowed, and the decision needs it."
    STALE_ACCOUNT = "stale_account", "Balances or positions are older than allowed."
    MODELLED_BOOK = "modelled_book", "The book is modelled from bars; live entries do not trade on it."
    SLIPPAGE_GUARD = "slippage_guard", "The expected slippage exceeds the guard."
    PREVIEW_REJECTED = "preview_rejected", "The venue's own preview says the order would fail."
    PREVIEW_UNAVAILABLE = "preview_unavailable", "The venue's preview did not answer in time."
    # signal quality
    WEAK_SIGNAL = "weak_signal", "The signal carries a strength below the minimum."
    LOW_CONFLUENCE = "low_confluence", "The signal carries a confluence score below the minimum."
    # how much
    KILL_SWITCH = "kill_switch", "The kill switch is on; only clamped closes pass."
    REDUCE_ONLY_MODE = "reduce_only_mode", "The bot is in reduce-only mode and the order would increase exposure."
    ENTRIES_PAUSED = "entries_paused", "Entries for this symbol are paused by a guard or an operator."
    NOTHING_TO_REDUCE = "nothing_to_reduce", "A reduce-only order met no position on the other side."
    SLOT_BUSY = "slot_busy", "An intent of the same strategy, symbol and direction is still in flight or unknown."
    NO_EQUITY = "no_equity", "Equity is zero or below."
    LEVERAGE_CAP = "leverage_cap", "Resulting leverage would exceed the cap."
    SYMBOL_NOTIONAL_CAP = "symbol_notional_cap", "Resulting notional would exceed the cap set for the symbol."
    SYMBOL_QUANTITY_CAP = "symbol_quantity_cap", "Resulting position would exceed the quantity set for the symbol."
    ORDER_NOTIONAL_CAP = "order_notional_cap", "One entry would be worth more than the amount set for an order."
    ORDER_SIZE_CAP = "order_size_cap", "One entry would be a larger share of equity than allowed."
    SYMBOL_EXPOSURE_CAP = "symbol_exposure_cap", "Resulting share of equity in one symbol would exceed the cap."
    TOTAL_EXPOSURE_CAP = "total_exposure_cap", "Resulting share of equity over all symbols would exceed the cap."
    NET_EXPOSURE_CAP = "net_exposure_cap", "Resulting longs less shorts over all symbols would exceed the cap."
    GROUP_EXPOSURE_CAP = "group_exposure_cap", "Resulting share of equity in one group of symbols would exceed the cap."
    LIQUIDATION_BUFFER = "liquidation_buffer", "The projected distance to liquidation is below the minimum."
    INSUFFICIENT_MARGIN = "insufficient_margin", "Available margin does not carry the order."
    POSITION_COUNT_CAP = "position_count_cap", "The allowed number of concurrent positions is reached."
    REWARD_TOO_SMALL = "reward_too_small", "Target and stop give less reward for the risk than required."
    STOP_TOO_FAR = "stop_too_far", "The stop lies further from the entry than allowed."
    MARKET_IMPACT = "market_impact", "No size, or not the full size in STRICT mode, stays under the impact cap."
    NO_EDGE = "no_edge", "Dynamic sizing finds no size worth taking."
    ORDER_RATE_CAP = "order_rate_cap", "More orders per minute than allowed."
    # at the door
    DRY_RUN = "dry_run", "Dry run: decided, not sent."
    SHUTTING_DOWN = "shutting_down", "The bot is stopping; no new intents."
    NOT_ALLOWED_BY_MODE = "not_allowed_by_mode", "The current mode lets no such order leave."
    STORE_FAILED = "store_failed", "The event store cannot be written; nothing may be sent."
    LEASE_TOO_SHORT = "lease_too_short", "The lease on the account may end before the venue has answered, or is lost."
    NOT_TAKEN_BACK = "not_taken_back", "The order to be replaced is not proven to be gone; nothing new was sent."
    INTENT_EXPIRED = "intent_expired", "The intent's validity passed before the order could be sent."


class GptTraderError(Exception):
    """Root of all errors raised on purpose."""


class ConfigError(GptTraderError):
    """One or more settings that the user can mend; the text names each field, value, place and fix."""


class MarketDataError(GptTraderError):
    """A recording or stream that must not be traded on."""


class ResearchError(GptTraderError):
    """A search of many runs cannot go on; what it has found so far is kept."""


class StoreError(GptTraderError):
    """The event store cannot be trusted or written."""


class LeaseError(GptTraderError):
    """Somebody else holds the account, or our hold on it is lost; nothing may be sent."""


class Refused(GptTraderError):
    """A rule said no. Expected; becomes the event OrderRefused with the same stage, code and numbers."""

    def __init__(self, stage: Stage, code: Refusal, **numbers: Number) -> None:
        detail = ", ".join(f"{name}={value}" for name, value in numbers.items())
        super().__init__(f"{stage}: {code}" + (f" ({detail})" if detail else ""))
        self.stage = stage
        self.code = code
        self.numbers: Mapping[str, Number] = numbers
        self.before: Mapping[str, Number] = {}
        """What the stage had found until then; filled in by whoever runs it."""


class ExchangeError(GptTraderError):
    """The venue said no, or could not be reached."""


class RateLimitError(ExchangeError):
    """The venue asks to wait; nothing was placed."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class InsufficientBalanceError(ExchangeError):
    """The venue refused the order for lack of funds or margin."""


class OrderNotFoundError(ExchangeError):
    """The venue knows no such order. Not proof that it never arrives."""


class InvalidOrderError(ExchangeError):
    """The venue looked at the order and refused it; `code` is the venue's own reason."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class VenueUnavailableError(ExchangeError):
    """The request did not leave, or was turned away unread; nothing was placed."""


class OutcomeUnknownError(ExchangeError):
    """The request may have arrived and nobody said what became of it."""
