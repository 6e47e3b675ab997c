"""How does Coinbase write a number, a time, an amount? Text forms of the wire, and back."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

import msgspec

from gpt_trader.core.clock import NS

__all__ = ["Json", "amount", "decimal_of", "encoded", "heartbeat_time", "identifier", "stamp", "stamp_ns", "text"]

Json = dict[str, object]
"""A JSON object on its way out."""
NAMESPACE: Final = uuid.UUID("6f1c3a53-3f0b-5c55-9d5a-0c1b6f3f7a11")
TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
DIGITS_MAX: Final = 40
WHOLE_DIGITS_MAX: Final = 15
DECIMALS_MAX: Final = 12
"""Together less than the 28 digits that decimal arithmetic carries."""


def text(number: Decimal) -> str:
    """Plain digits without an exponent and without trailing zeros."""
    if number == number.to_integral_value():
        return format(number.quantize(Decimal(1)), "f") if number else "0"
    return format(number.normalize(), "f")


def decimal_of(value: object) -> Decimal | None:
    """A decimal from a JSON string or number; None where there is none, or one that nobody could mean."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    written = str(value)
    if len(written) > DIGITS_MAX:
        return None
    try:
        number = Decimal(written)
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() >= WHOLE_DIGITS_MAX:
        return None
    exponent = number.normalize().as_tuple().exponent
    return number if isinstance(exponent, int) and exponent >= -DECIMALS_MAX else None


def amount(value: Decimal, currency: str = "USD") -> Json:
    return {"value": text(value), "currency": currency}


def stamp(at_ns: int) -> str:
    """RFC 3339 in UTC with microseconds."""
    return f"{_second(at_ns // NS)}.{at_ns % NS // 1000:06d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}"


def heartbeat_time(at_ns: int) -> str:
    """The server's own way of printing a time, which heartbeats carry."""
    moment = datetime.fromtimestamp(at_ns // NS, tz=UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_ns % NS:09d} +0000 UTC m=+{at_ns % (86_400 * NS) / NS:.9f}"


def stamp_ns(written: object) -> int | None:
    """Nanoseconds since the epoch of an RFC 3339 time; None where it is none."""
    match = TIME.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    try:
        moment = datetime.fromisoformat(match[1] + zone)
    except ValueError:
        return None
    return int(moment.timestamp()) * NS + int((match[2] or "").ljust(9, "0"))


def identifier(*parts: object) -> str:
    """A UUID that follows from its parts: the same venue gives the same ids."""
    return str(uuid.uuid5(NAMESPACE, "|".join(str(part) for part in parts)))


def encoded(body: Json) -> bytes:
    """Compact JSON, as Coinbase writes it."""
    return msgspec.json.encode(body)
