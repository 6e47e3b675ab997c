"""How is an answer of CCXT read? Its unified structures as typed values, numbers as text until they are Decimal.

CCXT is told to leave numbers as text. Only order books come as floats, whose shortest text is what the exchange wrote.
An answer without what is needed raises ReplyError: it is never read as an empty answer.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

import msgspec

from gpt_trader.core.errors import ExchangeError

__all__ = [
    "Balance",
    "Book",
    "Candle",
    "Fee",
    "FeeRate",
    "FundingPayment",
    "FundingState",
    "Leverage",
    "Market",
    "Order",
    "PositionMode",
    "PositionState",
    "ReplyError",
    "Tier",
    "Trade",
    "needed",
    "number",
    "read",
]

T = TypeVar("T")
Written = str | int | float | None
DIGITS_MAX: Final = 40
WHOLE_DIGITS_MAX: Final = 18


class ReplyError(ExchangeError):
    """The exchange answered something that cannot be read; says nothing about what it did."""


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown fields are passed over."""


class Precision(_Shape, frozen=True, kw_only=True):
    amount: Written = None
    price: Written = None


class Range(_Shape, frozen=True, kw_only=True):
    min: Written = None
    max: Written = None


class Limits(_Shape, frozen=True, kw_only=True):
    amount: Range = Range()
    cost: Range = Range()


class Market(_Shape, frozen=True, kw_only=True):
    """Sizes are in contracts where there is a `contractSize`."""

    id: str
    symbol: str
    base: str
    quote: str
    settle: str | None = None
    type: str
    linear: bool | None = None
    active: bool | None = None
    contractSize: Written = None  # noqa: N815 - CCXT's name
    maker: Written = None
    taker: Written = None
    precision: Precision = Precision()
    limits: Limits = Limits()


class Fee(_Shape, frozen=True, kw_only=True):
    currency: str | None = None
    cost: Written = None


class FeeRate(_Shape, frozen=True, kw_only=True):
    maker: Written = None
    taker: Written = None


class Tier(_Shape, frozen=True, kw_only=True):
    maintenanceMarginRate: Written = None  # noqa: N815 - CCXT's name


class Leverage(_Shape, frozen=True, kw_only=True):
    longLeverage: Written = None  # noqa: N815 - CCXT's name
    shortLeverage: Written = None  # noqa: N815 - CCXT's name


class Order(_Shape, frozen=True, kw_only=True):
    id: str | None
    clientOrderId: str | None = None  # noqa: N815 - CCXT's name
    symbol: str | None = None
    status: str | None = None
    filled: Written = None
    amount: Written = None
    average: Written = None
    side: str | None = None
    timestamp: int | None = None
    lastUpdateTimestamp: int | None = None  # noqa: N815 - CCXT's name


class Trade(_Shape, frozen=True, kw_only=True):
    id: str
    order: str | None
    symbol: str
    side: str
    price: Written
    amount: Written
    timestamp: int
    takerOrMaker: str | None = None  # noqa: N815 - CCXT's name
    fee: Fee | None = None


class Balance(_Shape, frozen=True, kw_only=True):
    free: dict[str, Written]
    used: dict[str, Written]
    total: dict[str, Written]


class PositionState(_Shape, frozen=True, kw_only=True):
    symbol: str
    contracts: Written
    side: str | None = None
    hedged: bool | None = None
    entryPrice: Written = None  # noqa: N815 - CCXT's name
    unrealizedPnl: Written = None  # noqa: N815 - CCXT's name
    initialMargin: Written = None  # noqa: N815 - CCXT's name
    maintenanceMargin: Written = None  # noqa: N815 - CCXT's name


class PositionMode(_Shape, frozen=True, kw_only=True):
    hedged: bool


class FundingState(_Shape, frozen=True, kw_only=True):
    """Mark and index come with it."""

    symbol: str
    markPrice: Written = None  # noqa: N815 - CCXT's name
    indexPrice: Written = None  # noqa: N815 - CCXT's name
    fundingRate: Written = None  # noqa: N815 - CCXT's name
    timestamp: int | None = None
    interval: str | None = None


class FundingPayment(_Shape, frozen=True, kw_only=True):
    symbol: str
    timestamp: int
    amount: Written
    code: str | None = None


class Book(_Shape, frozen=True, kw_only=True):
    bids: list[list[Written]]
    asks: list[list[Written]]
    timestamp: int | None = None


class Candle(msgspec.Struct, frozen=True, array_like=True):
    """`start` in milliseconds; volume in contracts."""

    start: int
    open: Written
    high: Written
    low: Written
    close: Written
    volume: Written


def read(answer: object, shape: type[T]) -> T:
    """A structure of CCXT in the given shape. Raises ReplyError naming the field."""
    try:
        return msgspec.convert(answer, type=shape)
    except msgspec.ValidationError as error:
        name = shape.__name__ if isinstance(shape, type) else str(shape)
        raise ReplyError(f"{name} of CCXT cannot be read: {error}") from error


def number(written: Written) -> Decimal | None:
    """The number, or None where there is none. Raises ReplyError for text that is no number anybody could mean."""
    if written is None or written == "":
        return None
    text = repr(written) if isinstance(written, float) else str(written)
    try:
        found = Decimal(text) if len(text) <= DIGITS_MAX and not isinstance(written, bool) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found.adjusted() >= WHOLE_DIGITS_MAX:
        raise ReplyError(f"{text[:DIGITS_MAX]!r} of CCXT is no number")
    return found


def needed(written: Written, name: str) -> Decimal:
    """The number of a field that must have one. Raises ReplyError."""
    found = number(written)
    if found is None:
        raise ReplyError(f"{name} of CCXT is empty")
    return found
