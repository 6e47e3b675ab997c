"""Hours of the week are local hours, through summer and winter."""

from __future__ import annotations

import datetime as dt

import pytest

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.schedule import WeeklyHours, parse_weekly_hours

NEW_YORK = "America/New_York"


def _ns(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp()) * 10**9


def _hours(text: str) -> WeeklyHours:
    hours = parse_weekly_hours(text, "day_hours")
    assert hours is not None
    return hours


def _spans(text: str, start: str, end: str) -> list[tuple[str, str]]:
    def said(at_ns: int) -> str:
        return dt.datetime.fromtimestamp(at_ns // 10**9, dt.UTC).strftime("%a %d %H:%M")

    return [(said(opens), said(closes)) for opens, closes in _hours(text).spans(_ns(start), _ns(end))]


def test_hours_move_with_summer_time() -> None:
    """08:00 in New York is 12:00 UTC until 1 November 2026 and 13:00 UTC after it."""
    assert _spans(f"Fri-Mon 08:00-16:00 {NEW_YORK}", "2026-10-30T00:00:00Z", "2026-11-03T00:00:00Z") == [
        ("Fri 30 12:00", "Fri 30 20:00"),
        ("Sat 31 12:00", "Sat 31 20:00"),
        ("Sun 01 13:00", "Sun 01 21:00"),
        ("Mon 02 13:00", "Mon 02 21:00"),
    ]


def test_hours_may_pass_midnight() -> None:
    """Friday 22:00 to Saturday 02:00; a start in the middle sees the span that is open."""
    assert _spans("Fri 22:00-02:00 UTC", "2026-10-31T01:00:00Z", "2026-11-01T00:00:00Z") == [
        ("Fri 30 22:00", "Sat 31 02:00")
    ]


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-09-18T16:59:59-04:00", False),
        ("2026-09-18T17:00:00-04:00", True),
        ("2026-09-18T17:59:59-04:00", True),
        ("2026-09-18T18:00:00-04:00", False),
        ("2026-09-17T17:30:00-04:00", False),
    ],
)
def test_start_belongs_to_the_span_and_end_does_not(at: str, is_open: bool) -> None:
    """The Friday break of Coinbase's futures."""
    assert _hours(f"Fri 17:00-18:00 {NEW_YORK}").is_open(_ns(at)) is is_open


def test_nothing_written_means_no_hours() -> None:
    """An empty setting."""
    assert parse_weekly_hours("", "session_break") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("always", "is not of the form"),
        (f"Fri 17-18 {NEW_YORK}", "is not of the form"),
        (f"Fry 17:00-18:00 {NEW_YORK}", "days are Mon, Tue"),
        (f"Fri 25:00-26:00 {NEW_YORK}", "no such time of day"),
        ("Fri 17:00-18:00 Amerika/Neujork", "no time zone of the IANA list"),
        ("Fri 17:00-18:00 ../etc", "no time zone"),
    ],
)
def test_what_is_not_understood_is_named(text: str, said: str) -> None:
    """The error names the setting and the form."""
    with pytest.raises(ConfigError, match=f"session_break: .*{said}"):
        parse_weekly_hours(text, "session_break")
