"""Which margin rates hold, and which will hold in a moment? Pure rules over the venue's weekly hours."""

from __future__ import annotations

from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.schedule import WeeklyHours
from gpt_trader.core.values import MarginRates, ProductSpec, Value

__all__ = ["MarginWindows", "stricter"]

WEEK_NS: Final = 7 * 86_400 * NS


class MarginWindows(Value, frozen=True, kw_only=True):
    """When the lower rates of the day hold, and when the venue is shut. None where the venue does not say."""

    day_hours: WeeklyHours | None = None
    session_break: WeeklyHours | None = None
    lead_ns: int = 0
    """So long before a change to stricter rates, or before a break, those rates are used already."""

    @property
    def known(self) -> bool:
        return self.day_hours is not None

    def rates(self, product: ProductSpec, now_ns: int) -> MarginRates:
        """The strictest rates that hold until a position could be closed: those of both windows, part by part, unless
        the day's hold now and for the lead to come."""
        if self.day_hours is None or not self._is_calm(now_ns):
            return stricter(product.margin_intraday, product.margin_overnight)
        return product.margin_intraday

    def is_near(self, now_ns: int) -> bool:
        """Within the lead of the end of the day's hours, or of a break: positions are measured by the rates to come."""
        return self.day_hours is not None and self.day_hours.is_open(now_ns) and not self._is_calm(now_ns)

    def next_lead_ns(self, now_ns: int) -> int | None:
        """When the lead of the next end of the day's hours or of the next break begins; None where none is known."""
        starts = [
            *(closes for hours in _given(self.day_hours) for _, closes in hours.spans(now_ns, now_ns + WEEK_NS)),
            *(opens for hours in _given(self.session_break) for opens, _ in hours.spans(now_ns, now_ns + WEEK_NS)),
        ]
        return min((start - self.lead_ns for start in starts if start - self.lead_ns > now_ns), default=None)

    def _is_calm(self, now_ns: int) -> bool:
        """The day's hours hold now and to the end of the lead, and no break lies between."""
        until_ns = now_ns + self.lead_ns
        day = self.day_hours is not None and any(
            opens <= now_ns and until_ns < closes for opens, closes in self.day_hours.spans(now_ns, until_ns)
        )
        shut = self.session_break is not None and any(
            opens <= until_ns and now_ns < closes for opens, closes in self.session_break.spans(now_ns, until_ns)
        )
        return day and not shut


def stricter(one: MarginRates, other: MarginRates) -> MarginRates:
    """The larger of both, part by part."""
    return MarginRates(
        initial_long=max(one.initial_long, other.initial_long),
        initial_short=max(one.initial_short, other.initial_short),
        maintenance_long=max(one.maintenance_long, other.maintenance_long),
        maintenance_short=max(one.maintenance_short, other.maintenance_short),
    )


def _given(hours: WeeklyHours | None) -> tuple[WeeklyHours, ...]:
    return () if hours is None else (hours,)
