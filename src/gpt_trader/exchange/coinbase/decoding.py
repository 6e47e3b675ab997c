"""How is a message of Coinbase read? Strict about what is needed, tolerant of all else.

Unknown fields are passed over and unknown enums stay text. A number may come as text, as a number, or inside an amount;
`""` and null are no number. A message without what is needed raises WireError: it is never read as an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

import msgspec

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ExchangeError

__all__ = ["Amount", "WireError", "Written", "needed", "number", "read", "stamp_ns"]

T = TypeVar("T")
TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)")
DIGITS_MAX: Final = 40
WHOLE_DIGITS_MAX: Final = 18
DECIMALS_MAX: Final = 18
YEAR_NONE: Final = "0001-"
"""How the venue writes a time that is not set."""


class WireError(ExchangeError):
    """The venue answered something that cannot be read; says nothing about what it did."""


class Amount(msgspec.Struct, frozen=True):
    """Money with its currency; both may be missing in what the venue sends."""

    value: str | int | float | None = None
    currency: str | None = None


Written = str | int | float | Amount | None
"""A number in any of the forms that the venue writes it."""


def read(message: bytes | str | Mapping[str, object], shape: type[T]) -> T:
    """A message (JSON, or JSON already taken apart) in the given shape. Raises WireError naming the field."""
    try:
        if isinstance(message, bytes | str):
            return msgspec.json.decode(message, type=shape)
        return msgspec.convert(message, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"{shape.__name__.lstrip('_')} of Coinbase cannot be read: {error}") from error


def number(written: Written) -> Decimal | None:
    """The number, or None where there is none; beyond DECIMALS_MAX it is rounded, as averages come with any number of
    digits. Raises WireError for text that is no number anybody could mean."""
    value = written.value if isinstance(written, Amount) else written
    if value is None or value == "":
        return None
    text = str(value)
    try:
        found = Decimal(text) if len(text) <= DIGITS_MAX and not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or (found and not -DECIMALS_MAX <= found.adjusted() < WHOLE_DIGITS_MAX):
        raise WireError(f"{text[:DIGITS_MAX]!r} of Coinbase is no number")
    return round(found, DECIMALS_MAX) if _decimals(found) > DECIMALS_MAX else found


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def needed(written: Written, name: str) -> Decimal:
    """The number of a field that must have one. Raises WireError."""
    found = number(written)
    if found is None:
        raise WireError(f"{name} of Coinbase is empty")
    return found


def stamp_ns(written: str | None) -> int:
    """Nanoseconds since the epoch, UTC, of an RFC 3339 time; 0 where no time is set. Raises WireError."""
    if not written or written.startswith(YEAR_NONE):
        return 0
    match = TIME.fullmatch(written)
    if match is None:
        raise WireError(f"{written[:DIGITS_MAX]!r} of Coinbase is no time")
    try:
        moment = datetime.fromisoformat(match[1] + ("+00:00" if match[3] == "Z" else match[3]))
    except ValueError as error:
        raise WireError(f"{written!r} of Coinbase is no time: {error}") from error
    return int(moment.timestamp()) * NS + int((match[2] or "").ljust(9, "0"))
