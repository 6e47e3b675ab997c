"""Every assumption about the exchange can be set, and one that cannot be is named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.venue_desk import BOOK, START, Desk, level

from gpt_trader.core.errors import ConfigError
from gpt_trader.venue.settings import BarModel, FeeTier, Latency, MarginWindow, parse_fee_tiers
from gpt_trader.venue.specification import tiers_record

D = Decimal


# --- latency ----------------------------------------------------------------------------------------------------------
def test_latency_without_a_distribution_is_constant() -> None:
    """Milliseconds may have a fraction."""
    assert Latency(milliseconds=D("1.5")).series_ns("entry_latency", 7).tolist() == [1_500_000]


def test_drawn_latency_has_its_median_and_its_99th_percentile() -> None:
    """Every quantile is drawn once, in an order that the seed gives."""
    latency = Latency(milliseconds=D(20), p99_milliseconds=D(200))
    drawn = latency.series_ns("entry_latency", 7)
    ordered = sorted(drawn.tolist())
    assert ordered[len(ordered) // 2] == pytest.approx(20e6, rel=0.01)
    assert ordered[len(ordered) * 99 // 100] == pytest.approx(200e6, rel=0.01)
    assert drawn.tolist() == latency.series_ns("entry_latency", 7).tolist()
    assert drawn.tolist() != latency.series_ns("entry_latency", 8).tolist()


def test_recorded_latencies_are_taken_one_after_the_other_and_never_overtake() -> None:
    """300 ms, then 10 ms: the second order waits for the first one; then 300 ms again."""
    recorded = Latency(recorded_milliseconds=(D(300), D(10)))
    desk = Desk(BOOK, entry_latency=recorded).at(1)
    names = [desk.send("BUY", "0.01", limit_price=59_900, name=f"order-{number}") for number in range(2)]
    desk.at(2)
    third = desk.send("BUY", "0.01", limit_price=59_900)
    desk.at(3)
    arrived = [desk.order(name).at_ns - START for name in (*names, third)]
    assert arrived == [1_300_000_000, 1_300_000_000, 2_300_000_000]


def test_news_of_one_moment_travel_together_and_in_order() -> None:
    """The acknowledgement takes 200 ms and the later fill 10 ms: it is told no earlier."""
    recorded = Latency(recorded_milliseconds=(D(200), D(10)))
    desk = Desk([*BOOK, level(1.05, "ask", 59_900, "1")], ack_latency=recorded).at(1)
    name = desk.send("BUY", "0.01", limit_price=59_900)
    assert desk.at(1.199).fills(name) == []
    assert desk.at(1.2).fills(name) == [(D(59_900), D("0.01"))]


@pytest.mark.parametrize(
    ("latency", "said"),
    [
        (Latency(milliseconds=D(-1)), "between 0 and"),
        (Latency(milliseconds=D(20), p99_milliseconds=D(10)), "must not lie below the median"),
        (Latency(p99_milliseconds=D(10)), "median above zero"),
        (Latency(recorded_milliseconds=(D(1), D("NaN"))), "between 0 and"),
    ],
)
def test_impossible_latency_is_refused_by_name(latency: Latency, said: str) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigError, match=f"entry_latency: .*{said}"):
        Desk(BOOK, entry_latency=latency)


# --- fees -------------------------------------------------------------------------------------------------------------
def test_fee_tiers_are_read_from_text() -> None:
    """Volume, maker and taker; a maker may be paid."""
    assert parse_fee_tiers("0:0.00095/0.001, 100000 : -0.0001/0.0005") == (
        FeeTier(volume_from=D(0), maker_rate=D("0.00095"), taker_rate=D("0.001")),
        FeeTier(volume_from=D(100_000), maker_rate=D("-0.0001"), taker_rate=D("0.0005")),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0:0.001", "'0:0.001' is not VOLUME:MAKER/TAKER"),
        ("0:a/b", "'0:a/b' is not"),
        ("5:0.001/0.001", "begin at 0"),
        ("0:0.001/0.001, 10:0/0, 10:0/0", "rise from tier to tier"),
        ("0:0.001/1.5", "is not below 1"),
    ],
)
def test_fee_tiers_that_cannot_be_are_named(text: str, said: str) -> None:
    """The error says which item, and how it should look."""
    with pytest.raises(ConfigError, match=f"fee_tiers: .*{said}"):
        tiers_record(parse_fee_tiers(text))


def test_tier_follows_the_volume_of_thirty_days_and_holds_for_a_day() -> None:
    """6,000 traded today lower the fee tomorrow, not yet today."""
    tiers = parse_fee_tiers("0:0.001/0.001, 5000:0.0001/0.0002")
    desk = Desk(BOOK, starts="2026-09-17T23:00:00+00:00", fee_tiers=tiers).at(1)
    first = desk.buy("0.10")
    again = desk.sell("0.10")
    desk.at(3700)
    tomorrow = desk.buy("0.10")
    rates = [fill.fee / (fill.price * fill.quantity) for fill in desk.fills_of(first, again, tomorrow)]
    assert rates == [D("0.001"), D("0.001"), D("0.0002")]


def test_volume_before_the_start_counts_for_thirty_days() -> None:
    """The account begins in the tier it had."""
    tiers = parse_fee_tiers("0:0.001/0.001, 5000:0.0001/0.0002")
    desk = Desk(BOOK, fee_tiers=tiers, volume_before=D(5_000)).at(1)
    assert [fill.fee for fill in desk.fills_of(desk.buy("0.10"))] == [D("6000.5") * D("0.0002")]


# --- the rest ---------------------------------------------------------------------------------------------------------
def test_schedule_of_margin_windows_needs_hours() -> None:
    """The error shows how they are written."""
    with pytest.raises(ConfigError, match="day_hours such as `Mon-Fri 08:00-16:00"):
        Desk(BOOK, margin_window=MarginWindow.SCHEDULE)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (BarModel(levels=0), "levels must lie between"),
        (BarModel(half_spread_bps=D(-1)), "half_spread_bps"),
        (BarModel(passive_share=D("-0.1")), "passive_share"),
    ],
)
def test_bar_model_that_cannot_be_is_refused_by_name(model: BarModel, said: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match=said):
        Desk(BOOK, bar_model=model)


def test_intraday_margin_can_hold_at_any_hour() -> None:
    """Half the overnight margin here."""
    night = Desk(BOOK).at(1)
    assert night.venue.settings.margin_window is MarginWindow.OVERNIGHT
    day = Desk(BOOK, margin_window=MarginWindow.INTRADAY).at(1)
    for desk in (night, day):
        desk.buy("0.10")
        assert desk.venue.account().initial_margin > 0
