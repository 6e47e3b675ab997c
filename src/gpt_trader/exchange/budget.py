"""May a request leave now? So many in any second, with a reserve that only cancels and exits may use."""

from __future__ import annotations

from collections import deque
from typing import Final

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import RateLimitError

__all__ = ["CHANGE_WAIT_SECONDS_MAX", "RequestBudget"]

WAIT_SECONDS_MAX: Final = 10.0
"""Who would wait longer is told so instead."""
CHANGE_WAIT_SECONDS_MAX: Final = 2.0
"""The same for what changes something. Mode, lease and the life of the intent were looked at before this wait and are
looked at again only before the next attempt, so it is short."""
WINDOW_NS: Final = NS


class RequestBudget:
    """No second, wherever it begins, has more than `per_second` requests; the last `reserve` of them are urgent ones.

    A bucket that fills while others leave would let nearly twice as many into one second of the venue's.
    """

    def __init__(self, clock: Clock, *, per_second: int = 30, reserve: int = 10) -> None:
        if not 0 <= reserve < per_second:
            raise ValueError(f"reserve must be at least 0 and below {per_second}, not {reserve}")
        self._clock = clock
        self._reserve = reserve
        self._left_ns: deque[int] = deque(maxlen=per_second)
        """When the last ones left."""
        self._shut_until_ns = 0

    def shut(self, seconds: float) -> None:
        """The venue asked to wait: nothing leaves before."""
        self._shut_until_ns = max(self._shut_until_ns, self._clock.now_ns() + round(seconds * NS))

    async def take(self, *, urgent: bool = False, wait_seconds_max: float = WAIT_SECONDS_MAX) -> None:
        """Wait for one request's worth. Raises RateLimitError when that would take too long."""
        deadline_ns = self._clock.now_ns() + round(wait_seconds_max * NS)
        while (seconds := self._wait_seconds(urgent=urgent)) > 0:
            if self._clock.now_ns() + seconds * NS > deadline_ns:
                raise RateLimitError(f"no request may leave for {seconds:.1f} s", seconds)
            await self._clock.sleep(seconds)
        self._left_ns.append(self._clock.now_ns())

    def _wait_seconds(self, *, urgent: bool) -> float:
        """How long until this one may leave; zero when it may now."""
        now_ns, most = self._clock.now_ns(), len(self._left_ns)
        wanted = (self._left_ns.maxlen or 0) - (0 if urgent else self._reserve)
        free_ns = self._left_ns[most - wanted] + WINDOW_NS if most >= wanted else 0
        return max(0, self._shut_until_ns - now_ns, free_ns - now_ns) / NS
