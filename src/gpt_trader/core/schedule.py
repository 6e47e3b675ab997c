"""When is what open, week by week? Margin windows, session breaks and trading hours in local time.

Hours are local: `Mon-Fri 08:00-16:00 America/New_York` begins an hour earlier in UTC while summer time holds.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value

__all__ = ["WeeklyHours", "parse_weekly_hours"]

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TEXT: Final = re.compile(r"(\w{3})(?:-(\w{3}))? (\d\d):(\d\d)-(\d\d):(\d\d) (\S+)")
MINUTE: Final = dt.timedelta(minutes=1)
DAY: Final = dt.timedelta(days=1)


class WeeklyHours(Value, frozen=True, kw_only=True):
    """The same hours on some days of every week; an end at or before the start lies on the next day."""

    days: tuple[int, ...]
    """0 is Monday."""
    start_minute: int
    """Of the local day."""
    end_minute: int
    zone: str

    def spans(self, start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
        """(open, close) in ns of every span that touches start..end, oldest first."""
        zone = ZoneInfo(self.zone)
        day = dt.datetime.fromtimestamp(start_ns // NS, zone).date() - 2 * DAY
        while (opens := self._at(day, self.start_minute, zone)) <= end_ns:
            later = self.end_minute if self.end_minute > self.start_minute else self.end_minute + 24 * 60
            closes = self._at(day, later, zone)
            if day.weekday() in self.days and closes > start_ns:
                yield opens, closes
            day += DAY

    @staticmethod
    def _at(day: dt.date, minute: int, zone: ZoneInfo) -> int:
        """Wall time; where the clocks are set it is what they show."""
        wall = dt.datetime.combine(day, dt.time()) + minute * MINUTE
        return round(wall.replace(tzinfo=zone).timestamp()) * NS

    def is_open(self, at_ns: int) -> bool:
        return any(opens <= at_ns < closes for opens, closes in self.spans(at_ns, at_ns))


def parse_weekly_hours(text: str, name: str) -> WeeklyHours | None:
    """`Mon-Fri 08:00-16:00 America/New_York`, or `Fri 17:00-18:00 ...`; empty is None. Raises ConfigError."""
    if not text:
        return None
    match = _TEXT.fullmatch(text.strip())
    form = "is not of the form `Mon-Fri 08:00-16:00 America/New_York`"
    if match is None:
        raise ConfigError(f"{name}: {text!r} {form}")
    first, last, *clock, zone = match.groups()
    if first not in DAYS or (last or first) not in DAYS:
        raise ConfigError(f"{name}: {text!r} {form}; days are {', '.join(DAYS)}")
    hours = [int(number) for number in clock]
    if max(hours[0], hours[2]) > 23 or max(hours[1], hours[3]) > 59:
        raise ConfigError(f"{name}: {text!r} has no such time of day")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"{name}: {zone!r} is no time zone of the IANA list, such as America/New_York") from error
    start, end = DAYS.index(first), DAYS.index(last or first)
    return WeeklyHours(
        days=tuple((start + number) % 7 for number in range((end - start) % 7 + 1)),
        start_minute=hours[0] * 60 + hours[1],
        end_minute=hours[2] * 60 + hours[3],
        zone=zone,
    )
