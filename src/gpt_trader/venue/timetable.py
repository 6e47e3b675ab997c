"""Which rows does the venue itself add to the market? What its calendar does, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ProductSpec, TradingStatus
from gpt_trader.market.rows import ROW, STATUS, STATUSES
from gpt_trader.market.stream import Rows
from gpt_trader.venue import layout
from gpt_trader.venue.settings import FundingSource, MarginWindow, VenueSettings

__all__ = ["FUNDING_SAMPLE_SECONDS", "is_overnight", "timetable_rows"]

FUNDING_SAMPLE_SECONDS: Final = 180
"""How often the premium of the mark over the index is looked at, where the venue sets funding itself."""
Event = tuple[int, int, int, int]
"""Time, kind, product, value."""


def timetable_rows(settings: VenueSettings, products: Sequence[ProductSpec], start_ns: int, end_ns: int) -> Rows:
    """Rows of start <= time <= end, sorted. Raises ConfigError for settings that contradict one another."""
    events = sorted(
        (event for index, spec in enumerate(products) for event in _events(settings, index, spec, start_ns, end_ns)),
        key=lambda event: (event[0], event[2]),
    )
    rows = np.zeros(len(events), ROW)
    for place, (at_ns, kind, product, value) in enumerate(events):
        rows[place] = (at_ns, at_ns, kind, 0, product, 0, value, 0, 0, 0, 0)
    return rows


def is_overnight(settings: VenueSettings, at_ns: int) -> bool:
    """Which margin window holds. Raises ConfigError for a schedule without hours."""
    if settings.margin_window is not MarginWindow.SCHEDULE:
        return settings.margin_window is MarginWindow.OVERNIGHT
    if settings.day_hours is None:
        raise ConfigError("margin_window: schedule needs day_hours such as `Mon-Fri 08:00-16:00 America/New_York`")
    return not settings.day_hours.is_open(at_ns)


def _events(settings: VenueSettings, index: int, spec: ProductSpec, start_ns: int, end_ns: int) -> Iterator[Event]:
    if settings.margin_window is MarginWindow.SCHEDULE and settings.day_hours is not None:
        for opens, closes in settings.day_hours.spans(start_ns, end_ns):
            yield from _within(start_ns, end_ns, (opens, layout.WINDOW, index, layout.INTRADAY))
            yield from _within(start_ns, end_ns, (closes, layout.WINDOW, index, layout.OVERNIGHT))
    if settings.session_break is not None:
        halted, usual = STATUSES.index(TradingStatus.HALTED.value), STATUSES.index(spec.status.value)
        for opens, closes in settings.session_break.spans(start_ns, end_ns):
            yield from _within(start_ns, end_ns, (max(start_ns, opens), STATUS, index, halted))
            yield from _within(start_ns, end_ns, (closes, STATUS, index, usual))
    if settings.funding is FundingSource.VENUE:
        yield from _funding(index, spec.funding_interval_seconds, start_ns, end_ns)


def _funding(index: int, interval_seconds: int, start_ns: int, end_ns: int) -> Iterator[Event]:
    """Samples by the clock, and after the one on the hour its settlement."""
    step = min(FUNDING_SAMPLE_SECONDS, interval_seconds)
    first = -(-start_ns // (step * NS)) * step
    for seconds in range(first, end_ns // NS + 1, step):
        yield seconds * NS, layout.SAMPLE, index, 0
        if seconds % interval_seconds == 0:
            yield seconds * NS, layout.SETTLE, index, 0


def _within(start_ns: int, end_ns: int, event: Event) -> Iterator[Event]:
    if start_ns <= event[0] <= end_ns:
        yield event
