"""How often may one ask? Requests per second by user and by address, and the headers that tell what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["RateLimits", "Verdict"]

WINDOW_SECONDS = 1.0


@dataclass(frozen=True)
class Verdict:
    """What the bucket says of one request."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: float

    def headers(self) -> dict[str, str]:
        """Names in lower case on the wire, as clients look them up."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(max(1, round(self.reset_seconds))),
        }


class RateLimits:
    """A fixed number of requests in each second of the wall clock. A limit of zero lets everything pass."""

    def __init__(self, now_seconds: Callable[[], float], private: int = 30, public: int = 10, sockets: int = 8) -> None:
        self._now_seconds = now_seconds
        self.private = private
        self.public = public
        self.sockets = sockets
        """New connections of an address."""
        self._seen: dict[str, tuple[float, int]] = {}

    def ask(self, who: str, *, private: bool) -> Verdict:
        return self._ask(who, self.private if private else self.public)

    def connects(self, address: str) -> bool:
        """Whether one more WebSocket may be opened now."""
        return self._ask(f"socket:{address}", self.sockets).allowed

    def _ask(self, who: str, limit: int) -> Verdict:
        if limit <= 0:
            return Verdict(True, 0, 0, 0.0)
        now = self._now_seconds()
        began, count = self._seen.get(who, (now, 0))
        if now - began >= WINDOW_SECONDS:
            began, count = now, 0
        count += 1
        self._seen[who] = (began, count)
        return Verdict(count <= limit, limit, max(0, limit - count), began + WINDOW_SECONDS - now)
