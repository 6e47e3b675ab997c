"""What the calendar does to a market stands in rows, sorted, between its start and its end."""

from __future__ import annotations

from tests.builders import a_product

from gpt_trader.core.schedule import parse_weekly_hours
from gpt_trader.market.rows import STATUS, STATUSES
from gpt_trader.venue import layout
from gpt_trader.venue.settings import FundingSource, MarginWindow, VenueSettings
from gpt_trader.venue.timetable import is_overnight, timetable_rows

MINUTE = 60 * 10**9
THURSDAY = 0
"""1 January 1970, in ns."""


def _rows(settings: VenueSettings, start_ns: int, end_ns: int, products: int = 1) -> list[tuple[int, int, int, int]]:
    """(minute, kind, product, value)"""
    listed = [a_product(symbol=f"P{number}-PERP") for number in range(products)]
    rows = timetable_rows(settings, listed, start_ns, end_ns)
    return [(ts // MINUTE, kind, product, a) for ts, _, kind, _, product, _, a, *_ in rows.tolist()]


def test_a_plain_venue_adds_nothing() -> None:
    """Margin at any hour, funding of the market, no break."""
    assert _rows(VenueSettings(), THURSDAY, 10**6 * MINUTE) == []


def test_windows_change_for_every_product() -> None:
    """Day from 00:10 to 00:20."""
    settings = VenueSettings(
        margin_window=MarginWindow.SCHEDULE, day_hours=parse_weekly_hours("Thu 00:10-00:20 UTC", "day_hours")
    )
    assert _rows(settings, THURSDAY, 30 * MINUTE, products=2) == [
        (10, layout.WINDOW, 0, layout.INTRADAY),
        (10, layout.WINDOW, 1, layout.INTRADAY),
        (20, layout.WINDOW, 0, layout.OVERNIGHT),
        (20, layout.WINDOW, 1, layout.OVERNIGHT),
    ]
    assert [is_overnight(settings, minute * MINUTE) for minute in (9, 10, 19, 20)] == [True, False, False, True]


def test_a_market_that_starts_within_a_break_starts_halted() -> None:
    """The break began before the first row."""
    settings = VenueSettings(session_break=parse_weekly_hours("Thu 00:10-00:20 UTC", "session_break"))
    assert _rows(settings, 15 * MINUTE, 30 * MINUTE) == [
        (15, STATUS, 0, STATUSES.index("HALTED")),
        (20, STATUS, 0, STATUSES.index("OPEN")),
    ]


def test_premium_is_sampled_by_the_clock_and_settled_on_the_hour() -> None:
    """Every three minutes; the sample on the hour belongs to the hour that ends."""
    rows = _rows(VenueSettings(funding=FundingSource.VENUE), 53 * MINUTE + 1, 63 * MINUTE)
    assert [(minute, kind) for minute, kind, _, _ in rows] == [
        (54, layout.SAMPLE),
        (57, layout.SAMPLE),
        (60, layout.SAMPLE),
        (60, layout.SETTLE),
        (63, layout.SAMPLE),
    ]
