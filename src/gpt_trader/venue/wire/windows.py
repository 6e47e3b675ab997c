"""Which margin window is it by the clock, and until when? The venue's day on weekdays in New York."""

from __future__ import annotations

from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.schedule import WeeklyHours

__all__ = ["DAY_HOURS", "SESSION_BREAK", "is_intraday", "window_end_ns"]

DAY_HOURS: Final = WeeklyHours(days=(0, 1, 2, 3, 4), start_minute=8 * 60, end_minute=16 * 60, zone="America/New_York")
SESSION_BREAK: Final = WeeklyHours(days=(4,), start_minute=17 * 60, end_minute=18 * 60, zone="America/New_York")
"""Fridays; the product's one weekly break."""
WEEK_NS: Final = 7 * 86_400 * NS


def is_intraday(now_ns: int) -> bool:
    return DAY_HOURS.is_open(now_ns)


def window_end_ns(now_ns: int) -> int:
    """When the window of this moment ends."""
    for opens, closes in DAY_HOURS.spans(now_ns, now_ns + WEEK_NS):
        if opens <= now_ns < closes:
            return closes
        if opens > now_ns:
            return opens
    return now_ns + WEEK_NS
