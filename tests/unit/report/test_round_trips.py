"""Is every position told from flat to flat, with its prices, its reasons, and the ledger's money?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.builders import START_NS, D, a_fill, a_run_started

from gpt_trader.core.events import Event, OrderFilled, TradingSignalGenerated
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import Side
from gpt_trader.report.round_trips import RoundTrip
from gpt_trader.report.run_story import RunStory, tell_story


def story_of(*events: Event) -> RunStory:
    """A log of these events after RunStarted."""
    log = (a_run_started(cash=D(10_000)), *events)
    return tell_story(Recorded(number, 1, event, f"{number}") for number, event in enumerate(log, 1))


def fill(number: int, side: Side, quantity: str, price: int, **changes: Any) -> OrderFilled:
    return a_fill(
        trade_id=str(number),
        side=side,
        quantity=D(quantity),
        price=D(price),
        fee=D(1),
        at_ns=START_NS + number * 10**9,
        arrival_mid=D(price),
        **changes,
    )


def check_ledger(story: RunStory) -> None:
    """What the trips say of money is what the ledger realised, once everything is flat."""
    assert story.ledger.positions() == {}
    assert sum((trip.price_pnl for trip in story.trips), Decimal(0)) == story.ledger.realised
    assert sum((trip.fees for trip in story.trips), Decimal(0)) == story.ledger.fees


def only(story: RunStory) -> RoundTrip:
    (trip,) = story.trips
    return trip


def test_a_position_is_one_trip_however_many_fills_it_took() -> None:
    """Entry and exit are averages over the fills; the quantity is the largest that was held."""
    story = story_of(
        fill(1, Side.BUY, "1", 100),
        fill(2, Side.BUY, "1", 110),
        fill(3, Side.SELL, "0.5", 120),
        fill(4, Side.SELL, "1.5", 124),
    )

    trip = only(story)
    assert (trip.entry_price, trip.exit_price, trip.quantity, trip.fills) == (D(105), D(123), D(2), 4)
    assert (trip.price_pnl, trip.fees, trip.net) == (D(36), D(4), D(32))
    assert trip.seconds == 3
    check_ledger(story)


def test_a_fill_that_turns_a_position_ends_one_trip_and_begins_another() -> None:
    """Its fee is shared by quantity, as the ledger shares it."""
    story = story_of(fill(1, Side.BUY, "1", 100), fill(2, Side.SELL, "4", 90), fill(3, Side.BUY, "3", 80))

    long, short = story.trips
    assert (long.side, long.price_pnl, long.fees) == (Side.BUY, D(-10), D("1.25"))
    assert (short.side, short.quantity, short.price_pnl, short.fees) == (Side.SELL, D(3), D(30), D("1.75"))
    assert short.opened_ns == long.closed_ns
    check_ledger(story)


def test_a_trip_knows_why_it_began_and_ended() -> None:
    """The reasons are those of the signals."""
    wishes = [
        TradingSignalGenerated(
            at_ns=START_NS,
            intent_id=f"s:BTC-PERP:{number}:x",
            strategy="s",
            symbol="BTC-PERP",
            action="LONG",
            bar_close_ns=START_NS,
            reason=reason,
        )
        for number, reason in enumerate(("crossed above", "trailing_stop"))
    ]
    story = story_of(
        *wishes,
        fill(1, Side.BUY, "1", 100, intent_id="s:BTC-PERP:0:x:open"),
        fill(2, Side.SELL, "1", 90, intent_id="s:BTC-PERP:1:x:close"),
    )

    assert (only(story).entry_reason, only(story).exit_reason) == ("crossed above", "trailing_stop")


def test_a_liquidation_is_the_reason_whatever_was_wanted() -> None:
    """The exchange closed it."""
    story = story_of(fill(1, Side.BUY, "1", 100), fill(2, Side.SELL, "1", 50, cause="LIQUIDATION"))

    assert only(story).exit_reason == "liquidation"


def test_an_open_position_is_no_trip() -> None:
    """It has no exit yet."""
    assert story_of(fill(1, Side.BUY, "1", 100)).trips == []


def test_cost_against_arrival_is_above_zero_where_it_cost_us() -> None:
    """Bought above the middle, sold below it."""
    bought = a_fill(trade_id="1", quantity=D(2), price=D(101), arrival_mid=D(100), fee=D(0))
    sold = a_fill(trade_id="2", side=Side.SELL, quantity=D(2), price=D(98), arrival_mid=D(99), fee=D(0))

    assert only(story_of(bought, sold)).arrival_cost == D(4)
