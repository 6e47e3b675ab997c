"""What is one request? Who asks, with which query and body, and how an endpoint refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gpt_trader.venue.wire.formats import Json, decimal_of
from gpt_trader.venue.wire.keys import ApiKey

__all__ = ["ApiError", "Call", "Endpoint", "Scope", "cursor_page"]

GRPC_CODES: Final = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "unknown": 2,
}
Scope = str
"""`public`, `view`, `trade` or `transfer`: what a key must be allowed to do."""


class ApiError(Exception):
    """A request that fails as such, with Coinbase's error body."""

    def __init__(self, status: int, error: str, details: str) -> None:
        super().__init__(f"{status} {error}: {details}")
        self.status = status
        self.error = error
        self.details = details

    def body(self) -> Json:
        return {
            "error": self.error,
            "code": GRPC_CODES.get(self.error, 2),
            "error_details": self.details,
            "message": self.details,
            "details": [],
        }


@dataclass(frozen=True)
class Call:
    """One request, read and verified. `owner` is None on public endpoints."""

    owner: ApiKey | None
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    heard: bool = True
    """Somebody waits for the answer."""
    lag_ns: int = 0
    """A read shows the account as it was so long ago."""

    @property
    def key(self) -> ApiKey:
        assert self.owner is not None
        return self.owner

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else default

    def many(self, name: str) -> list[str]:
        """All values of a repeated query parameter; commas separate too."""
        return [part for value in self.query.get(name, ()) for part in value.split(",") if part]

    def whole(self, name: str, default: int, most: int) -> int:
        """A number from 1 to `most`; larger ones count as `most`."""
        written = self.one(name)
        if not written:
            return default
        number = decimal_of(written)
        if number is None or number != int(number) or number < 0:
            raise ApiError(400, "INVALID_ARGUMENT", f"{name} must be a whole number")
        return min(int(number), most) or default

    def number(self, name: str) -> Decimal | None:
        """A number of the body."""
        return decimal_of(self.body.get(name))

    def text(self, name: str) -> str:
        value = self.body.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Endpoint:
    """One row of the table."""

    method: str
    path: str
    """Below the prefix, with `{name}` for parts that vary."""
    answer: Callable[[Call], Awaitable[Json]]
    scope: Scope = "view"


def cursor_page(count: int, cursor: str, limit: int) -> tuple[int, int, str]:
    """(first, last, next cursor) of a page; an empty cursor is the first page and, as the next one, the end."""
    number = decimal_of(cursor) if cursor else Decimal(0)
    if number is None or number < 0 or number != int(number):
        raise ApiError(400, "INVALID_ARGUMENT", "cursor is not one of this venue")
    first = min(int(number), count)
    last = min(first + limit, count)
    return first, last, str(last) if last < count else ""
