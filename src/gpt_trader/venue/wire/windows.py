"""Which margin rates hold now? The venue's two windows, by the clock of New York."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gpt_trader.core.clock import NS

__all__ = ["is_intraday", "window_end_ns"]

NEW_YORK: Final = ZoneInfo("America/New_York")
OPENS_HOUR: Final = 8
CLOSES_HOUR: Final = 16
SATURDAY: Final = 5


def is_intraday(now_ns: int) -> bool:
    """Weekdays from 8:00 to 16:00."""
    local = datetime.fromtimestamp(now_ns // NS, tz=NEW_YORK)
    return local.weekday() < SATURDAY and OPENS_HOUR <= local.hour < CLOSES_HOUR


def window_end_ns(now_ns: int) -> int:
    """When the window of this moment ends."""
    local = datetime.fromtimestamp(now_ns // NS, tz=NEW_YORK)
    if is_intraday(now_ns):
        end = local.replace(hour=CLOSES_HOUR, minute=0, second=0, microsecond=0)
    else:
        end = local.replace(hour=OPENS_HOUR, minute=0, second=0, microsecond=0)
        if end <= local:
            end += timedelta(days=1)
        while end.weekday() >= SATURDAY:
            end += timedelta(days=1)
    return int(end.astimezone(UTC).timestamp()) * NS
