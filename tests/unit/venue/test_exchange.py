"""What a trader may rely on at the simulated exchange, one behaviour a test; the desk is in tests/venue_desk.py.

BTC-PERP here: tick 5, lot 0.01, taker 0.1 %, maker 0.05 %, initial margin 10 %, maintenance 5 %. Prices in the tests
are dollars, quantities BTC; time is seconds from the start.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.venue_desk import (
    BOOK,
    SECOND,
    START,
    Desk,
    a_perpetual,
    bar,
    clear,
    funding,
    index_row,
    level,
    mark_row,
    milliseconds,
    quote,
    status,
    trade,
)

from gpt_trader.core.errors import ConfigError, InvalidOrderError
from gpt_trader.core.values import Liquidity, OrderState
from gpt_trader.venue.news import FillNews, FundingNews, OrderNewsKind, StatusNews
from gpt_trader.venue.settings import BarModel

D = Decimal


# --- taking from the book ---------------------------------------------------------------------------------------------
def test_market_order_larger_than_level_one_pays_level_two() -> None:
    """0.25 against 0.10 at 60,005 takes the other 0.15 at 60,010, and pays the taker fee on both."""
    desk = Desk(BOOK).at(1)
    name = desk.buy("0.25")
    assert desk.fills(name) == [(D(60_005), D("0.10")), (D(60_010), D("0.15"))]
    assert desk.cash == D(100_000) - (D("6000.50") + D("9001.50")) * D("0.001")


def test_what_an_order_took_stays_taken_until_the_feed_changes_the_level() -> None:
    """A second order finds level one empty; once the feed repeats the level, it is there again."""
    desk = Desk([*BOOK, level(5, "ask", 60_005, "0.30")]).at(1)
    desk.buy("0.10")
    assert desk.fills(desk.buy("0.01")) == [(D(60_010), D("0.01"))]
    desk.at(6)
    assert desk.fills(desk.buy("0.01")) == [(D(60_005), D("0.01"))]


def test_a_quote_that_repeats_itself_does_not_refill_what_was_taken() -> None:
    """With top-of-book data the same quote again is no news; another size is."""
    same = quote(2, 59_995, "1", 60_005, "0.10")
    desk = Desk([quote(0, 59_995, "1", 60_005, "0.10"), same, quote(4, 59_995, "1", 60_005, "0.20")]).at(1)
    desk.buy("0.10")
    desk.at(3)
    assert desk.order(desk.buy("0.01")).reason == "no_liquidity"
    desk.at(5)
    assert desk.order(desk.buy("0.01")).state is OrderState.FILLED


def test_taking_a_whole_side_of_the_book_does_not_take_the_mark_away() -> None:
    """With quotes alone and the asks all bought, the position is still worth something."""
    desk = Desk([quote(0, 59_995, "1", 60_005, "0.10"), trade(9, 60_000, "1", "buyer")], cash="1000").at(1)
    desk.buy("0.10")
    mark = desk.at(2).venue.mark("BTC-PERP")
    assert mark is not None
    assert mark.price == D(59_995)
    assert desk.position == D("0.10")


def test_market_order_beyond_the_whole_book_ends_with_what_it_got() -> None:
    """0.70 against 0.60 fills 0.60; the remainder expires for want of liquidity."""
    desk = Desk(BOOK).at(1)
    told = desk.order(desk.buy("0.70"))
    assert (told.state, told.filled, told.reason) == (OrderState.EXPIRED, D("0.60"), "no_liquidity")


def test_ioc_remainder_expires() -> None:
    """An IOC limit takes what is there at its price and leaves nothing behind."""
    desk = Desk(BOOK).at(1)
    name = desk.send("BUY", "0.25", tif="IOC", limit_price=60_005)
    assert desk.fills(name) == [(D(60_005), D("0.10"))]
    assert (desk.order(name).state, desk.order(name).reason) == (OrderState.EXPIRED, "immediate_or_cancel")
    assert desk.venue.open_orders() == ()


@pytest.mark.parametrize(("quantity", "state", "filled"), [("0.61", "EXPIRED", "0"), ("0.60", "FILLED", "0.60")])
def test_fok_is_all_or_nothing(quantity: str, state: str, filled: str) -> None:
    """One lot more than the book offers at the limit, and nothing trades."""
    desk = Desk(BOOK).at(1)
    told = desk.order(desk.send("BUY", quantity, tif="FOK", limit_price=60_010))
    assert (told.state.value, told.filled) == (state, D(filled))


# --- resting ----------------------------------------------------------------------------------------------------------
def test_limit_order_rests_and_fills_as_maker_at_its_own_price() -> None:
    """A seller trading through 59,995 fills a bid there at 59,995, for the maker fee."""
    desk = Desk([*BOOK, trade(5, 59_990, "1", "seller")]).at(1)
    name = desk.send("BUY", "0.02", limit_price=59_995)
    desk.at(6)
    fill = next(news for news in desk.news if isinstance(news, FillNews))
    assert desk.fills(name) == [(D(59_995), D("0.02"))]
    assert (fill.liquidity, fill.fee) == (Liquidity.MAKER, D("0.02") * 59_995 * D("0.0005"))


def test_order_joins_the_back_of_the_queue() -> None:
    """0.10 stands in front: a trade of 0.10 at the price gives nothing, the next 0.03 are ours."""
    rows = [*BOOK, trade(5, 59_995, "0.10", "seller"), trade(6, 59_995, "0.03", "seller")]
    desk = Desk(rows).at(1)
    name = desk.send("BUY", "0.05", limit_price=59_995)
    assert desk.at(5.5).fills(name) == []
    assert desk.at(7).fills(name) == [(D(59_995), D("0.03"))]
    assert desk.order(name).state is OrderState.PARTIALLY_FILLED


def test_cancels_in_front_shorten_the_queue_but_never_below_what_is_shown() -> None:
    """The level shrinks to 0.04: so much at most is still ahead; a trade of 0.05 fills 0.01."""
    rows = [*BOOK, level(5, "bid", 59_995, "0.04"), trade(6, 59_995, "0.05", "seller")]
    desk = Desk(rows).at(1)
    name = desk.send("BUY", "0.05", limit_price=59_995)
    assert desk.at(7).fills(name) == [(D(59_995), D("0.01"))]


def test_growth_of_the_level_behind_us_does_not_push_us_back() -> None:
    """The level grows to 5 after we joined: still only 0.10 are ahead."""
    rows = [*BOOK, level(5, "bid", 59_995, "5"), trade(6, 59_995, "0.12", "seller")]
    desk = Desk(rows).at(1)
    name = desk.send("BUY", "0.05", limit_price=59_995)
    assert desk.at(7).fills(name) == [(D(59_995), D("0.02"))]


def test_better_price_first_then_earlier_order() -> None:
    """One trade through three bids of ours serves the best price first, then the older of two at one price."""
    desk = Desk([*BOOK, trade(5, 59_900, "0.05", "seller")]).at(1)
    desk.send("BUY", "0.02", limit_price=59_950, name="low and old")
    desk.send("BUY", "0.02", limit_price=59_980, name="high")
    desk.send("BUY", "0.02", limit_price=59_950, name="low and new")
    desk.at(6)
    fills = [(news.client_order_id, news.quantity) for news in desk.news if isinstance(news, FillNews)]
    assert fills == [("high", D("0.02")), ("low and old", D("0.02")), ("low and new", D("0.01"))]


def test_the_market_coming_to_a_resting_order_trades_with_it() -> None:
    """An ask of 0.03 appearing at our bid's price fills 0.03 of it, and is gone."""
    desk = Desk([*BOOK, level(5, "ask", 59_995, "0.03")]).at(1)
    name = desk.send("BUY", "0.05", limit_price=60_000)
    desk.at(6)
    assert desk.fills(name) == [(D(60_000), D("0.03"))]
    book = desk.venue.book("BTC-PERP", 1)
    assert book is not None
    assert book.asks[0] == (D(60_005), D("0.10"))


def test_behind_the_top_of_quotes_the_queue_is_unknown_until_the_quote_shows_it() -> None:
    """With top-of-book data an order below the best bid waits until the bid comes down to it, then at the back."""
    rows = [
        quote(0, 59_995, "1", 60_005, "1"),
        trade(5, 59_990, "1", "seller"),
        quote(6, 59_990, "0.20", 60_000, "1"),
        trade(7, 59_990, "0.25", "seller"),
    ]
    desk = Desk(rows).at(1)
    name = desk.send("BUY", "0.10", limit_price=59_990)
    assert desk.at(6.5).fills(name) == []
    assert desk.at(8).fills(name) == [(D(59_990), D("0.05"))]


def test_gtd_order_expires_at_its_time() -> None:
    """A bid good until second 10 is gone at second 10, and the news names that moment."""
    desk = Desk(BOOK).at(1)
    name = desk.send("BUY", "0.05", tif="GTD", limit_price=59_900, expire_ns=START + 10 * SECOND)
    assert desk.at(9.9).order(name).state is OrderState.ACTIVE
    told = desk.at(10).order(name)
    assert (told.state, told.at_ns) == (OrderState.EXPIRED, START + 10 * SECOND)


def test_cancelled_order_does_not_fill() -> None:
    """After the cancel a trade through the price changes nothing."""
    desk = Desk([*BOOK, trade(5, 59_900, "1", "seller")]).at(1)
    name = desk.send("BUY", "0.05", limit_price=59_995)
    desk.cancel(name)
    desk.at(6)
    assert desk.order(name).state is OrderState.CANCELLED
    assert desk.position == 0


# --- post-only, reduce-only, stops --------------------------------------------------------------------------------------
def test_post_only_is_rejected_when_it_would_take() -> None:
    """A post-only buy at the ask is refused; one tick below it rests."""
    desk = Desk(BOOK).at(1)
    crossing = desk.send("BUY", "0.05", limit_price=60_005, post_only=True)
    resting = desk.send("BUY", "0.05", limit_price=60_000, post_only=True)
    assert (desk.order(crossing).state, desk.order(crossing).reason) == (OrderState.REJECTED, "post_only_cross")
    assert desk.order(resting).state is OrderState.ACTIVE


def test_reduce_only_is_clamped_to_the_position() -> None:
    """Selling 0.30 reduce-only from a position of 0.10 sells 0.10; the rest is cancelled."""
    desk = Desk(BOOK).at(1)
    desk.buy("0.10")
    told = desk.order(desk.sell("0.30", reduce_only=True))
    assert (told.state, told.filled, told.reason) == (OrderState.CANCELLED, D("0.10"), "nothing_to_reduce")
    assert desk.position == 0


def test_reduce_only_is_clamped_again_when_it_trades() -> None:
    """A resting reduce-only sell of 0.10 sells 0.04 when only 0.04 are left by then."""
    desk = Desk([*BOOK, trade(5, 60_200, "1", "buyer")]).at(1)
    desk.buy("0.10")
    name = desk.send("SELL", "0.10", limit_price=60_100, reduce_only=True)
    desk.sell("0.06")
    assert desk.at(6).fills(name) == [(D(60_100), D("0.04"))]
    assert desk.order(name).state is OrderState.CANCELLED


def test_reduce_only_without_a_position_is_refused() -> None:
    """There is nothing to reduce when flat, and an order on the position's own side does not reduce."""
    desk = Desk(BOOK).at(1)
    assert desk.order(desk.sell("0.10", reduce_only=True)).reason == "nothing_to_reduce"
    desk.buy("0.10")
    assert desk.order(desk.send("BUY", "0.10", limit_price=59_900, reduce_only=True)).reason == "nothing_to_reduce"


def test_stop_limit_triggers_on_the_last_trade_price() -> None:
    """The bid falling to the stop does nothing; a trade at the stop arms the limit, which then takes the book."""
    rows = [*BOOK, level(5, "bid", 59_995, "0"), trade(6, 59_990, "0.01", "seller")]
    desk = Desk(rows).at(1)
    desk.buy("0.10")
    name = desk.send("SELL", "0.10", kind="STOP_LIMIT", stop_price=59_990, limit_price=59_950, reduce_only=True)
    assert desk.at(5.5).fills(name) == []
    assert desk.at(7).fills(name) == [(D(59_990), D("0.10"))]


def test_triggered_stop_limit_that_finds_no_buyer_rests_at_its_limit() -> None:
    """A stop-limit is no stop-market: below its limit it does not sell."""
    rows = [*BOOK, level(5, "bid", 59_995, "0"), level(5, "bid", 59_990, "0"), level(5, "bid", 59_900, "9")]
    desk = Desk([*rows, trade(6, 59_900, "0.01", "seller")]).at(1)
    desk.buy("0.10")
    name = desk.send("SELL", "0.10", kind="STOP_LIMIT", stop_price=59_990, limit_price=59_950)
    desk.at(7)
    assert desk.fills(name) == []
    assert [order.client_order_id for order in desk.venue.open_orders()] == [name]


def test_stop_on_the_wrong_side_is_refused() -> None:
    """A sell stop above the last trade would trigger at once."""
    desk = Desk(BOOK).at(1)
    told = desk.order(desk.send("SELL", "0.10", kind="STOP_LIMIT", stop_price=60_000, limit_price=59_000))
    assert told.reason == "invalid_stop"


# --- money ------------------------------------------------------------------------------------------------------------
def test_average_cost_rounds_half_to_even_and_nothing_is_lost() -> None:
    """Bought at two prices and sold in three parts: cash changes by exactly proceeds less cost less fees."""
    desk = Desk(BOOK).at(1)
    desk.buy("0.13")
    for part in ("0.01", "0.05", "0.07"):
        desk.sell(part)
    fills = [news for news in desk.news if isinstance(news, FillNews)]
    flow = sum((-fill.side.sign * fill.price * fill.quantity - fill.fee for fill in fills), D(0))
    assert desk.position == 0
    assert desk.cash == D(100_000) + flow


def test_funding_hour_is_paid_by_the_long_when_the_rate_is_positive() -> None:
    """0.10 BTC at a mark of 60,000 and 0.01 %: the long pays 0.60, and is told so."""
    desk = Desk([*BOOK, level(2, "ask", 60_005, "0.10"), funding(3600, "0.0001")]).at(1)
    desk.buy("0.10")
    before = desk.at(3).cash
    desk.at(3600)
    told = next(news for news in desk.news if isinstance(news, FundingNews))
    assert (told.amount, told.rate, told.position, told.price) == (D("-0.6"), D("0.0001"), D("0.10"), D(60_000))
    assert desk.cash == before - D("0.6")


def test_funding_is_received_by_the_short_and_turns_round_with_the_rate() -> None:
    """A short gets what the long pays, and pays when the rate is below zero."""
    desk = Desk([*BOOK, level(2, "bid", 59_995, "0.10"), funding(3600, "0.0001"), funding(7200, "-0.0003")]).at(1)
    desk.sell("0.10")
    before = desk.at(3).cash
    assert desk.at(3600).cash == before + D("0.6")
    assert desk.at(7200).cash == before + D("0.6") - D("1.8")


def test_mark_is_the_median_of_mid_last_and_index() -> None:
    """Mid 60,000, last 60,100: an index of 60,040 lies between and is the mark; without an index the mid is."""
    desk = Desk([*BOOK, trade(2, 60_100, "0.01", "buyer"), index_row(3, "60040")])
    told = [desk.at(seconds).venue.mark("BTC-PERP") for seconds in (2, 3)]
    assert [mark.price for mark in told if mark] == [D(60_000), D(60_040)]


def test_a_mark_that_the_venue_publishes_wins() -> None:
    """MARK rows replace the reckoned mark."""
    mark = Desk([*BOOK, mark_row(2, "60033.5")]).at(3).venue.mark("BTC-PERP")
    assert mark is not None
    assert mark.price == D("60033.5")


# --- margin -----------------------------------------------------------------------------------------------------------
def test_order_beyond_the_margin_is_refused() -> None:
    """1,000 of cash at 10 % initial margin carries 0.16 BTC with its fee, not 0.17."""
    desk = Desk(BOOK, cash="1000").at(1)
    assert desk.order(desk.send("BUY", "0.17", limit_price=59_990)).reason == "insufficient_margin"
    assert desk.order(desk.send("BUY", "0.16", limit_price=59_990)).state is OrderState.ACTIVE


def test_open_orders_count_towards_the_margin() -> None:
    """Two bids that could both fill need margin for both; a sell beside a bid needs none more."""
    desk = Desk(BOOK, cash="1000").at(1)
    desk.send("BUY", "0.10", limit_price=59_990)
    assert desk.order(desk.send("BUY", "0.10", limit_price=59_980)).reason == "insufficient_margin"
    assert desk.order(desk.send("SELL", "0.10", limit_price=60_020)).state is OrderState.ACTIVE


def test_account_shows_margin_and_what_is_left() -> None:
    """0.10 BTC at a mark of 60,000 binds 600 at entry and needs 300 to stay."""
    desk = Desk([*BOOK, level(2, "ask", 60_005, "0.10")]).at(1)
    desk.buy("0.10")
    account = desk.at(3).venue.account()
    assert (account.initial_margin, account.maintenance_margin) == (D(600), D(300))
    assert account.equity == D(100_000) - D("6.0005") - D("0.5")
    assert account.available_margin == account.equity - 600


def test_liquidation_closes_everything_for_a_fee() -> None:
    """Long 0.10 with 750: at a mark of 55,000 equity is below 5 %; orders go, the position is sold, for 1 % more."""
    crash = [
        level(5, "bid", 59_995, "0"),
        level(5, "bid", 59_990, "0"),
        level(5, "bid", 54_995, "1"),
        level(5, "ask", 55_005, "1"),
        trade(6, 55_000, "0.01", "seller"),
    ]
    desk = Desk([*BOOK, *crash], cash="750").at(1)
    desk.buy("0.10")
    resting = desk.send("BUY", "0.01", limit_price=54_500)
    desk.at(7)
    sold = next(news for news in desk.news if isinstance(news, FillNews) and news.liquidation)
    assert desk.order(resting).reason == "liquidation"
    assert (sold.client_order_id, sold.quantity, sold.price) == ("liquidation-1", D("0.10"), D(54_995))
    assert sold.fee == D("5499.50") * (D("0.001") + D("0.01"))
    assert desk.position == 0
    assert desk.cash == D(750) - D("6.0005") - (D("6000.50") - D("5499.50")) - sold.fee


def test_bankrupt_account_stops_at_zero_and_the_venue_says_what_it_paid() -> None:
    """A fall to 40,000 loses 2,000 of 800: cash ends at zero, the difference is told as a fee below zero."""
    crash = [
        level(5, "bid", 59_995, "0"),
        level(5, "bid", 59_990, "0"),
        level(5, "bid", 40_000, "1"),
        trade(5, 40_000, "0.01", "seller"),
    ]
    desk = Desk([*BOOK, *crash], cash="800").at(1)
    desk.buy("0.10")
    desk.at(7)
    fills = [news for news in desk.news if isinstance(news, FillNews)]
    flow = sum((-fill.side.sign * fill.price * fill.quantity - fill.fee for fill in fills), D(0))
    assert (desk.position, desk.cash) == (D(0), D(0))
    assert fills[-1].fee == D("4000") * D("0.011") - desk.venue.insurance_paid()
    assert fills[-1].fee < 0
    assert D(800) + flow == 0


# --- status -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "market", "limit", "post_only"),
    [
        ("OPEN", True, True, True),
        ("LIMIT_ONLY", False, True, True),
        ("POST_ONLY", False, False, True),
        ("CANCEL_ONLY", False, False, False),
        ("HALTED", False, False, False),
    ],
)
def test_status_lets_in_what_it_says(said: str, market: bool, limit: bool, post_only: bool) -> None:
    """OPEN, LIMIT_ONLY, POST_ONLY, CANCEL_ONLY and HALTED each let in their own kinds of order."""
    desk = Desk([*BOOK, status(1, said)]).at(2)
    names = (
        desk.buy("0.01"),
        desk.send("BUY", "0.01", limit_price=59_900),
        desk.send("BUY", "0.01", limit_price=59_900, post_only=True),
    )
    taken = tuple(desk.order(name).state is not OrderState.REJECTED for name in names)
    assert taken == (market, limit, post_only)


def test_halt_keeps_orders_and_fills_nothing() -> None:
    """A trade printed through our bid while halted does not fill it; cancelling still works."""
    desk = Desk([*BOOK, status(2, "HALTED"), trade(3, 59_000, "1", "seller")]).at(1)
    name = desk.send("BUY", "0.01", limit_price=59_900)
    desk.at(4)
    assert [news.status.value for news in desk.news if isinstance(news, StatusNews)] == ["HALTED"]
    assert desk.fills(name) == []
    desk.cancel(name)
    assert desk.order(name).state is OrderState.CANCELLED


def test_stops_wait_while_nobody_may_take() -> None:
    """POST_ONLY: the trade at 59,900 triggers nothing; the next trade after the opening does."""
    rows = [status(2, "POST_ONLY"), trade(3, 59_900, "0.01", "seller"), status(4, "OPEN")]
    desk = Desk([*BOOK, *rows, trade(5, 59_900, "0.01", "seller")]).at(1)
    desk.buy("0.10")
    name = desk.send("SELL", "0.10", kind="STOP_LIMIT", stop_price=59_900, limit_price=59_000)
    assert desk.at(4.5).fills(name) == []
    assert desk.at(6).fills(name) == [(D(59_995), D("0.10"))]


def test_nothing_trades_while_only_cancels_are_taken() -> None:
    """A print through our bid in CANCEL_ONLY leaves it alone."""
    desk = Desk([*BOOK, status(2, "CANCEL_ONLY"), trade(3, 59_000, "1", "seller")]).at(1)
    name = desk.send("BUY", "0.01", limit_price=59_900)
    assert desk.at(4).fills(name) == []


def test_price_far_from_the_mark_is_refused() -> None:
    """More than a tenth away from the mark is outside the band."""
    desk = Desk(BOOK).at(1)
    assert desk.order(desk.send("BUY", "0.01", limit_price=53_995)).reason == "outside_price_band"


def test_after_the_last_row_no_order_comes_in() -> None:
    """A recording that ended has no market to trade on, and the venue says so."""
    desk = Desk(BOOK, goes_on=False).at(20)
    assert desk.order(desk.buy("0.01")).reason == "market_over"


# --- time -------------------------------------------------------------------------------------------------------------
def test_latency_delays_the_order_and_the_news() -> None:
    """100 ms out, 50 ms back: the order meets the book of 1.1 s, and the client hears of it at 1.15 s."""
    rows = [*BOOK, level(1.05, "ask", 60_005, "0"), trade(9, 60_000, "0.01", "buyer")]
    desk = Desk(rows, entry_latency=milliseconds(100), ack_latency=milliseconds(50)).at(1)
    name = desk.buy("0.10")
    assert desk.at(1.149).news == []
    desk.at(1.15)
    assert desk.fills(name) == [(D(60_010), D("0.10"))]
    assert desk.order(name).at_ns == START + round(1.1 * SECOND)


def test_the_same_client_order_id_places_nothing_a_second_time() -> None:
    """Sent again after the fill, the order that exists is told again."""
    desk = Desk(BOOK).at(1)
    desk.send("BUY", "0.05", kind="MARKET", tif="IOC", name="mine")
    desk.send("BUY", "0.05", kind="MARKET", tif="IOC", name="mine")
    assert (desk.order("mine").kind, desk.order("mine").state) == (OrderNewsKind.REPEATED, OrderState.FILLED)
    assert desk.position == D("0.05")


def test_bars_close_by_the_clock_and_empty_minutes_carry_the_close() -> None:
    """Trades of a minute make its bar; the next minute without any is flat at the close; the rest is dropped."""
    rows = [
        trade(10, 60_000, "1", "buyer"),
        trade(50, 60_100, "2", "seller"),
        trade(60, 59_900, "1", "seller"),
        trade(190, 60_000, "1", "buyer"),
    ]
    desk = Desk(rows).at(185)
    told = [(one.close_ns - START, one.open, one.high, one.low, one.close, one.volume) for one in desk.bars]
    assert told == [
        (60 * SECOND, 60_000.0, 60_100.0, 60_000.0, 60_100.0, 3.0),
        (120 * SECOND, 59_900.0, 59_900.0, 59_900.0, 59_900.0, 1.0),
        (180 * SECOND, 59_900.0, 59_900.0, 59_900.0, 59_900.0, 0.0),
    ]


def test_advance_without_an_end_stops_when_the_rows_are_over() -> None:
    """Nobody waits for anything any more: it says so, once and for ever, and the clock stays at the last row."""
    desk = Desk([*BOOK, trade(130, 60_000, "0.01", "buyer")], goes_on=False)
    told = []
    while desk.venue.advance(None):
        told += desk.venue.take_bars()
        assert len(told) < 1000, "it must come to an end"
    assert len(told) == 166  # the market was said to last 10,000 s
    assert desk.venue.advance(None) is False
    assert desk.venue.is_over


def test_advance_without_an_end_tells_what_is_still_under_way() -> None:
    """An order on its way when the rows end is refused, and only then all is over."""
    desk = Desk(BOOK, goes_on=False, entry_latency=milliseconds(700), ack_latency=milliseconds(700)).at(9_999)
    desk.send("BUY", "0.01", limit_price=59_900, name="late")
    while desk.venue.advance(None):
        desk.news += desk.venue.take_news()
    assert desk.order("late").reason == "market_over"


# --- mixed input --------------------------------------------------------------------------------------------------------
def test_depth_says_it_better_than_quotes() -> None:
    """Where levels feed the book, top-of-book rows of the same product do not disturb it."""
    desk = Desk([*BOOK, quote(2, 59_000, "9", 61_000, "9")]).at(3)
    assert desk.venue.touch("BTC-PERP") == (D(59_995), D(60_005))
    assert desk.venue.rows_ignored == 1


def test_quotes_feed_the_book_again_after_it_was_cleared() -> None:
    """A clear ends the depth feed."""
    desk = Desk([*BOOK, clear(2), quote(3, 59_000, "9", 61_000, "9")]).at(4)
    assert desk.venue.touch("BTC-PERP") == (D(59_000), D(61_000))


def test_ticks_take_over_from_bars() -> None:
    """A minute bar, then depth and trades: the book is the real one, and the next bars are built from trades."""
    ticks = [level(70, "bid", 59_995, "1"), level(70, "ask", 60_005, "1"), trade(100, 60_005, "2", "buyer")]
    ends = [trade(185, 60_010, "1", "buyer")]
    desk = Desk([bar(60, 60_000, 60_100, 59_900, 60_000, "5"), *ticks, *ends]).at(65)
    waiting = desk.buy("0.10")
    desk.at(241)
    assert desk.fills(waiting) == [(D(60_005), D("0.10"))]
    told = [(one.close_ns - START, one.close, one.volume) for one in desk.bars]
    assert told == [(60 * SECOND, 60_000.0, 5.0), (180 * SECOND, 60_005.0, 0.0), (240 * SECOND, 60_010.0, 1.0)]


def test_bars_beside_depth_are_not_walked() -> None:
    """Nothing trades twice: a bar of a product that has depth fills nobody."""
    desk = Desk([*BOOK, bar(60, 60_000, 60_100, 59_000, 60_000, "5")]).at(1)
    name = desk.send("BUY", "0.10", limit_price=59_900)
    assert desk.at(70).fills(name) == []


# --- bars as input ----------------------------------------------------------------------------------------------------
FLAT_MODEL = BarModel(
    half_spread_bps=D(1), level_step_bps=D(1), levels=10, level_share=D("0.02"), passive_share=D("0.1")
)
BARS = (
    bar(60, 60_000, 60_000, 60_000, 60_000),
    bar(120, 60_100, 60_200, 59_800, 60_000),
    bar(180, 60_000, 60_300, 59_900, 60_000),
)


def test_market_order_after_a_bar_pays_the_next_open_and_half_the_spread() -> None:
    """Decided on the close of 60,000, filled at the next open of 60,100 plus 1 bp (6.01, two ticks at most one)."""
    desk = Desk(BARS, bar_model=FLAT_MODEL).at(60)
    name = desk.buy("0.50")
    assert desk.fills(name) == [(D(60_105), D("0.50"))]


def test_modelled_book_shows_a_share_of_the_volume_and_is_marked() -> None:
    """2 % of 100 BTC at each of ten levels a side, 1 bp apart, said to be modelled."""
    book = Desk(BARS, bar_model=FLAT_MODEL).at(60).venue.book("BTC-PERP", 20)
    assert book is not None
    assert book.modelled
    assert (len(book.bids), len(book.asks)) == (10, 10)
    assert book.asks[:2] == ((D(60_005), D("2.00")), (D(60_010), D("2.00")))


def test_market_order_walks_the_modelled_depth() -> None:
    """More than a level of 2 BTC pays the next one."""
    desk = Desk(BARS, cash="1000000", bar_model=FLAT_MODEL).at(60)
    name = desk.buy("3")
    assert desk.fills(name) == [(D(60_105), D("2.00")), (D(60_110), D("1.00"))]


@pytest.mark.parametrize(("limit", "filled"), [(59_800, "0"), (59_805, "0.50")])
def test_resting_limit_fills_only_when_the_path_trades_through_it(limit: int, filled: str) -> None:
    """The low of 59,800 touches a bid there without filling it; a bid one tick higher is filled at its own price."""
    desk = Desk(BARS, bar_model=FLAT_MODEL).at(61)
    name = desk.send("BUY", "0.50", limit_price=limit)
    desk.at(121)
    assert sum((quantity for _, quantity in desk.fills(name)), D(0)) == D(filled)
    assert all(price == limit for price, _ in desk.fills(name))


def test_resting_orders_get_no_more_than_a_tenth_of_the_volume() -> None:
    """A bar of 3 BTC fills at most 0.30 of a resting 0.50."""
    rows = [BARS[0], bar(120, 60_100, 60_200, 59_800, 60_000, "3"), bar(180, 60_000, 60_000, 60_000, 60_000, "3")]
    desk = Desk(rows, bar_model=FLAT_MODEL).at(61)
    name = desk.send("BUY", "0.50", limit_price=59_900)
    assert desk.at(121).order(name).filled == D("0.30")


def test_path_visits_the_nearer_extreme_first() -> None:
    """From 60,100 the high of 60,200 is nearer than the low: a buy stop above triggers before a bid below fills."""
    desk = Desk(BARS, bar_model=FLAT_MODEL).at(61)
    desk.send("BUY", "0.10", limit_price=59_900, name="bid")
    desk.send("BUY", "0.10", kind="STOP_LIMIT", stop_price=60_150, limit_price=60_200, name="stop")
    desk.at(121)
    order = [news.client_order_id for news in desk.news if isinstance(news, FillNews)]
    assert order == ["stop", "bid"]


def test_stop_inside_a_bar_pays_the_spread_at_its_trigger() -> None:
    """A sell stop at 59,900 is sold at the modelled bid there, not at the low and not at the stop."""
    desk = Desk(BARS, bar_model=FLAT_MODEL).at(61)
    desk.buy("0.10")
    name = desk.send("SELL", "0.10", kind="STOP_LIMIT", stop_price=59_900, limit_price=59_000)
    assert desk.at(121).fills(name) == [(D(59_895), D("0.10"))]


def test_open_that_jumps_over_a_stop_triggers_it_at_the_open() -> None:
    """The next bar opens at 59,000: a stop at 59,500 sells near 59,000."""
    rows = [BARS[0], BARS[1], bar(180, 59_000, 59_000, 59_000, 59_000)]
    desk = Desk(rows, bar_model=FLAT_MODEL).at(61)
    desk.buy("0.10")
    name = desk.send("SELL", "0.10", kind="STOP_LIMIT", stop_price=59_500, limit_price=58_000)
    assert desk.at(121).fills(name) == [(D(58_995), D("0.10"))]


# --- bad input --------------------------------------------------------------------------------------------------------
def test_product_too_large_for_exact_money_is_refused() -> None:
    """A largest order worth more than 64 bits can carry is an error that names the field."""
    with pytest.raises(ConfigError, match="max_quantity"):
        Desk(BOOK, product=a_perpetual(max_quantity=D(10_000_000))).at(1)


def test_product_whose_ticks_are_finer_than_money_is_refused() -> None:
    """tick * lot must be a whole number of 1e-8, or cost could not be exact."""
    with pytest.raises(ConfigError, match=r"tick \* lot"):
        Desk(BOOK, product=a_perpetual(tick=D("0.00001"), lot=D("0.0001")))


def test_order_off_the_grid_never_reaches_the_book() -> None:
    """Half a lot is an error of the caller, not something to round."""
    with pytest.raises(InvalidOrderError, match="quantity"):
        Desk(BOOK).at(1).buy("0.015")
