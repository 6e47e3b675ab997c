"""Which rates hold at which hour. Day hours 08:00-16:00, a break on Friday 17:00-18:00, lead of 30 minutes, all UTC."""

from __future__ import annotations

import datetime as dt

import pytest
from tests.builders import D, a_product

from gpt_trader.core.clock import NS
from gpt_trader.core.schedule import parse_weekly_hours
from gpt_trader.core.values import MarginRates
from gpt_trader.risk.margin_windows import MarginWindows

DAY = MarginRates(
    initial_long=D("0.10"), initial_short=D("0.10"), maintenance_long=D("0.07"), maintenance_short=D("0.07")
)
NIGHT = MarginRates(
    initial_long=D("0.25"), initial_short=D("0.31"), maintenance_long=D("0.17"), maintenance_short=D("0.21")
)
PRODUCT = a_product(margin_intraday=DAY, margin_overnight=NIGHT)


def windows(session_break: str = "") -> MarginWindows:
    return MarginWindows(
        day_hours=parse_weekly_hours("Mon-Fri 08:00-16:00 UTC", "test"),
        session_break=parse_weekly_hours(session_break, "test"),
        lead_ns=30 * 60 * NS,
    )


def at(time: str, day: int = 16) -> int:
    """June 2025; the 16th is a Monday."""
    hour, minute = (int(part) for part in time.split(":"))
    return round(dt.datetime(2025, 6, day, hour, minute, tzinfo=dt.UTC).timestamp()) * NS


@pytest.mark.parametrize(
    ("time", "rates"), [("07:59", NIGHT), ("08:00", DAY), ("15:29", DAY), ("15:30", NIGHT), ("16:00", NIGHT)]
)
def test_the_next_window_s_rates_hold_in_its_lead(time: str, rates: MarginRates) -> None:
    """What is opened half an hour before the end must be carried after it."""
    assert windows().rates(PRODUCT, at(time)) == rates


@pytest.mark.parametrize(("time", "near"), [("07:59", False), ("12:00", False), ("15:29", False), ("15:30", True)])
def test_positions_are_measured_ahead_in_the_lead_only(time: str, near: bool) -> None:
    """Overnight itself is the venue's own measure already."""
    assert windows().is_near(at(time)) is near


def test_a_break_within_the_day_counts_as_a_change() -> None:
    """A break from 12:00 to 13:00: from 11:30 on the stricter rates."""
    broken = windows("Fri 12:00-13:00 UTC")
    assert [broken.rates(PRODUCT, at(time, 20)) for time in ("11:29", "11:30", "12:30", "13:00")] == [
        DAY,
        NIGHT,
        NIGHT,
        DAY,
    ]


def test_without_a_calendar_the_stricter_rates_hold_at_any_hour() -> None:
    """Not knowing is no reason to hope."""
    unknown = MarginWindows()
    assert unknown.rates(PRODUCT, at("12:00")) == NIGHT
    assert (unknown.is_near(at("15:45")), unknown.next_lead_ns(at("12:00")), unknown.known) == (False, None, False)


def test_the_next_lead_is_found_also_over_a_weekend() -> None:
    """On Friday evening it is Monday's."""
    assert windows().next_lead_ns(at("12:00")) == at("15:30")
    assert windows().next_lead_ns(at("17:00", 20)) == at("15:30", 23)
