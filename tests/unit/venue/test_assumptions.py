"""Do the assumptions in words follow the settings that are in force?"""

from __future__ import annotations

from typing import Any

import pytest
from tests.builders import MINUTE_NS, D, a_product, some_bars, some_rows

from gpt_trader.core.clock import NS
from gpt_trader.core.schedule import parse_weekly_hours
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import TRADE
from gpt_trader.venue.assumptions import assumptions_of, overnight_spans
from gpt_trader.venue.settings import BarModel, FeeTier, FundingSource, Latency, MarginWindow, QueueModel, VenueSettings

BARS = ArrayStream([a_product()], some_bars(100, 101))
TRADES = ArrayStream([a_product()], some_rows((TRADE, 1, 0, 100, 1), start_ns=MINUTE_NS))
HOURS = parse_weekly_hours("Mon-Fri 08:00-16:00 UTC", "day_hours")


def said(stream: ArrayStream, **settings: Any) -> str:
    return "\n".join(assumptions_of(VenueSettings(**settings), stream))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"entry_latency": Latency(milliseconds=D(30))}, "reaches the exchange 30 ms after it was sent"),
        (
            {"ack_latency": Latency(milliseconds=D(5), p99_milliseconds=D(40))},
            "5 ms in the median and 40 ms in the slowest hundredth",
        ),
        ({"feed_latency": Latency(milliseconds=D("1.5"))}, "The market is seen 1.5 ms after it happened"),
        ({"feed_latency_recorded": True}, "seen when the recording received it"),
        ({"queue_model": QueueModel.BACK}, "never longer than what the level shows"),
        ({"queue_model": QueueModel.PROPORTIONAL}, "our share of what leaves the level"),
        ({"queue_model": QueueModel.TRADES}, "by trades alone"),
        ({"funding": FundingSource.NONE}, "Nobody pays funding"),
        ({"funding": FundingSource.VENUE}, "by the exchange's own rule"),
        (
            {"fee_tiers": (FeeTier(volume_from=D(0), maker_rate=D("0.0006"), taker_rate=D("0.0012")),)},
            "from 0 0.06 % maker and 0.12 % taker",
        ),
    ],
)
def test_every_setting_has_its_sentence(settings: dict[str, Any], words: str) -> None:
    """A result is judged by what was assumed, so nothing in force may be left unsaid."""
    assert words in said(TRADES, **settings)


def test_bars_say_how_their_book_was_made_and_nothing_of_queues() -> None:
    """With every number of the model."""
    text = said(BARS, bar_model=BarModel(half_spread_bps=D("2.5"), levels=7, passive_share=D("0.2")))

    assert "2.5 bps (at least one tick)" in text
    assert "7 levels a side" in text
    assert "share 20 % of its volume" in text
    assert "queue" not in text


def test_fees_and_margin_are_those_of_the_product() -> None:
    """In percent, as the venue would state them."""
    assert "fees 0.095 % maker, 0.1 % taker" in said(BARS)
    assert "initial margin 10 %" in said(BARS)


def test_margin_windows_follow_the_schedule() -> None:
    """2025-06-16 is a Monday: intraday from 08:00 to 16:00."""
    stream = ArrayStream([a_product()], some_bars(100, 101), start_ns=MINUTE_NS, end_ns=MINUTE_NS + 86_400 * NS)
    settings = VenueSettings(margin_window=MarginWindow.SCHEDULE, day_hours=HOURS)

    hours = [((at_ns - MINUTE_NS) // (3600 * NS), night) for at_ns, night in overnight_spans(settings, stream)]

    assert hours[:3] == [(0, True), (8, False), (16, True)]


def test_one_window_holds_all_the_time_unless_there_is_a_schedule() -> None:
    """The stricter one by default."""
    assert overnight_spans(VenueSettings(), BARS) == ((BARS.start_ns, True),)
    assert overnight_spans(VenueSettings(margin_window=MarginWindow.INTRADAY), BARS) == ((BARS.start_ns, False),)
