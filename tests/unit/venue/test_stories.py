"""Five hours in the life of a perpetual position, to be read by a trader: liquidation, funding, halt, night, bracket."""

from __future__ import annotations

from decimal import Decimal

from tests.venue_desk import BOOK, Desk, a_perpetual, index_row, level, mark_row, trade

from gpt_trader.core.schedule import parse_weekly_hours
from gpt_trader.core.values import Liquidity, MarginRates, OrderState
from gpt_trader.venue.news import FillNews, OrderNews, StatusNews
from gpt_trader.venue.settings import FundingSource, MarginWindow

D = Decimal

NIGHT = a_perpetual(
    margin_intraday=MarginRates(
        initial_long=D("0.10"),
        initial_short=D("0.10"),
        maintenance_long=D("0.066667"),
        maintenance_short=D("0.066667"),
    ),
    margin_overnight=MarginRates(
        initial_long=D("0.246"), initial_short=D("0.306"), maintenance_long=D("0.164"), maintenance_short=D("0.204")
    ),
)
"""The margin rates of Coinbase's BTC contract as read in September 2026."""
DAY_HOURS = parse_weekly_hours("Mon-Fri 08:00-16:00 America/New_York", "day_hours")
FRIDAY_BREAK = parse_weekly_hours("Fri 17:00-18:00 America/New_York", "session_break")


# --- a liquidation ----------------------------------------------------------------------------------------------------
def test_liquidation_comes_when_equity_falls_below_maintenance_and_not_before() -> None:
    """Long 0.10 from 60,005 with 800 in the account; maintenance is 5 % of the position at the mark.

    At a mark of 55,000 equity is 800 - 6.0005 (fee) - 500.50 = 293.50 and 275 are needed: it holds.
    At 54,000 equity is 193.50 and 270 are needed: everything is sold into the bid of 54,000, for 0.1 % taker fee and
    1 % liquidation fee on 5,400.
    """
    fall = [
        *(level(2, "bid", price, "0") for price in (59_995, 59_990)),
        level(2, "bid", 54_000, "0.50"),
        mark_row(2, "55000"),
        mark_row(4, "54000"),
    ]
    desk = Desk([*BOOK, *fall], cash="800").at(1)
    desk.buy("0.10")
    resting = desk.send("BUY", "0.01", limit_price=59_900)

    desk.at(3)
    assert desk.position == D("0.10")
    assert desk.venue.account().equity == D("800") - D("6.0005") - D("500.50")

    desk.at(5)
    liquidation = [news for news in desk.news if isinstance(news, FillNews) and news.liquidation][-1]
    assert (liquidation.price, liquidation.quantity) == (D(54_000), D("0.10"))
    assert liquidation.fee == D(5_400) * D("0.011")
    assert desk.order(resting).reason == "liquidation"
    assert desk.position == 0
    assert desk.cash == D("800") - D("6.0005") - D("600.50") - D("59.40")


# --- a funding hour ---------------------------------------------------------------------------------------------------
def test_funding_hour_of_the_venue_follows_the_premium_of_the_mark_over_the_index() -> None:
    """Index 60,000, mark 60,060: a premium of 0.1 %, and an hour is a twenty-fourth of a day.

    The first hour's rate is 3/4 * 0.1 % / 24 = 0.003125 %, the second's adds a quarter of that. The long of 0.10 pays
    its worth at the mark, 6,006, times the rate. The market starts at 15:07, so the hours end after 53 and 113 min.
    """
    desk = Desk([*BOOK, index_row(0, "60000"), mark_row(0, "60060")], funding=FundingSource.VENUE).at(1)
    desk.buy("0.10")

    assert desk.at(53 * 60 - 1).funding == []
    assert desk.at(53 * 60).funding == [D("-6006") * D("0.00003125")]
    assert desk.venue.funding_rate("BTC-PERP") == D("0.00003125")

    desk.at(113 * 60)
    assert desk.venue.funding_rate("BTC-PERP") == D("0.0000390625")
    assert desk.funding[-1] == (D("-6006") * D("0.0000390625")).quantize(D("1e-8"))


def test_an_hour_without_an_index_has_no_funding() -> None:
    """What cannot be reckoned is not paid."""
    desk = Desk(BOOK, funding=FundingSource.VENUE).at(1)
    desk.buy("0.10")
    assert desk.at(2 * 3600).funding == []


# --- a halted session -------------------------------------------------------------------------------------------------
def test_friday_break_halts_the_product_and_keeps_the_orders() -> None:
    """17:00 to 18:00 in New York: nothing trades and nothing comes in, cancels work, and at 18:00 all goes on.

    The market of this test starts at 16:50 on a Friday of summer time.
    """
    stray = trade(15 * 60, 59_000, "1", "seller")
    later = trade(75 * 60, 59_800, "1", "seller")
    desk = Desk([*BOOK, stray, later], starts="2026-09-18T16:50:00-04:00", session_break=FRIDAY_BREAK).at(1)
    kept = desk.send("BUY", "0.01", limit_price=59_900)
    withdrawn = desk.send("BUY", "0.01", limit_price=59_905)

    desk.at(20 * 60)
    assert desk.fills(kept) == []
    assert desk.order(desk.buy("0.01")).reason == "product_not_trading"
    desk.cancel(withdrawn)
    assert desk.order(withdrawn).state is OrderState.CANCELLED

    desk.at(80 * 60)
    told = [((news.at_ns - desk.start_ns) // 60_000_000_000, news.status.value) for news in desk.news_of(StatusNews)]
    assert told == [(10, "HALTED"), (70, "OPEN")]
    assert desk.fills(kept) == [(D(59_900), D("0.01"))]


# --- an overnight margin change ---------------------------------------------------------------------------------------
def test_at_four_in_the_afternoon_the_position_needs_the_overnight_margin() -> None:
    """A long of 6,000 needs 600 by day and 1,476 (24.6 %) from 16:00 in New York on; 2,000 carry both."""
    desk = Desk(
        [*BOOK, mark_row(0, "60000")],
        cash="2000",
        product=NIGHT,
        starts="2026-09-17T15:59:00-04:00",
        margin_window=MarginWindow.SCHEDULE,
        day_hours=DAY_HOURS,
    ).at(1)
    desk.buy("0.10")

    assert desk.at(59).venue.account().initial_margin == D(600)
    account = desk.at(60).venue.account()
    assert (account.initial_margin, account.maintenance_margin) == (D(1_476), D(984))
    assert desk.position == D("0.10")


def test_who_cannot_carry_the_night_is_liquidated_when_it_begins() -> None:
    """800 are enough for the day's maintenance of 400 and not for the night's of 984."""
    desk = Desk(
        BOOK,
        cash="800",
        product=NIGHT,
        starts="2026-09-17T15:59:00-04:00",
        margin_window=MarginWindow.SCHEDULE,
        day_hours=DAY_HOURS,
    ).at(1)
    desk.buy("0.10")

    assert desk.at(59).position == D("0.10")
    assert desk.at(60).position == 0
    assert [news.at_ns - desk.start_ns for news in desk.news_of(FillNews) if news.liquidation] == [60_000_000_000]


def test_a_day_order_is_refused_at_night_for_lack_of_margin() -> None:
    """0.20 BTC are 12,000: 1,200 by day, 2,952 by night."""
    desk = Desk(
        BOOK,
        cash="2000",
        product=NIGHT,
        starts="2026-09-17T15:59:00-04:00",
        margin_window=MarginWindow.SCHEDULE,
        day_hours=DAY_HOURS,
    ).at(1)
    by_day = desk.send("BUY", "0.20", limit_price=59_900)
    assert desk.order(by_day).state is OrderState.ACTIVE
    desk.cancel(by_day)
    desk.at(61)
    assert desk.order(desk.send("BUY", "0.20", limit_price=59_900)).reason == "insufficient_margin"


# --- a bracket --------------------------------------------------------------------------------------------------------
def _long_with_a_bracket(*rows: tuple[int, ...]) -> tuple[Desk, str]:
    """0.10 BTC from 60,005, to be sold at 60,500 with profit or when 59,500 trades."""
    desk = Desk([*BOOK, *rows]).at(1)
    desk.buy("0.10")
    bracket = desk.send("SELL", "0.10", kind="BRACKET", limit_price=60_500, stop_price=59_500, reduce_only=True)
    return desk, bracket


def test_bracket_takes_its_profit_as_a_resting_order_and_its_stop_is_gone() -> None:
    """A trade through 60,500 fills it there as maker; a later fall sells nothing more."""
    desk, bracket = _long_with_a_bracket(trade(2, 60_505, "1", "buyer"), trade(3, 59_000, "1", "seller"))
    desk.at(4)
    assert desk.fills(bracket) == [(D(60_500), D("0.10"))]
    assert desk.news_of(FillNews)[-1].liquidity is Liquidity.MAKER
    assert desk.venue.open_orders() == ()
    assert desk.position == 0


def test_bracket_stops_the_loss_and_its_limit_is_gone() -> None:
    """A trade at 59,500 sends it into the bids at once; a later rise sells nothing more."""
    desk, bracket = _long_with_a_bracket(trade(2, 59_500, "0.01", "seller"), trade(3, 60_600, "1", "buyer"))
    desk.at(4)
    assert desk.fills(bracket) == [(D(59_995), D("0.10"))]
    assert desk.venue.open_orders() == ()


def test_what_the_profit_leg_filled_the_stop_does_not_sell_again() -> None:
    """0.04 go at 60,500; the stop then gets out of the other 0.06."""
    desk, bracket = _long_with_a_bracket(trade(2, 60_505, "0.04", "buyer"), trade(3, 59_500, "0.01", "seller"))
    desk.at(4)
    assert desk.fills(bracket) == [(D(60_500), D("0.04")), (D(59_995), D("0.06"))]
    assert desk.order(bracket).state is OrderState.FILLED


def test_triggered_bracket_sells_no_worse_than_its_collar() -> None:
    """The bids are gone but for one at 50,000: it waits at 56,525, five per cent behind the stop."""
    gone = [*(level(2, "bid", price, "0") for price in (59_995, 59_990)), level(2, "bid", 50_000, "1")]
    desk, bracket = _long_with_a_bracket(*gone, trade(3, 59_400, "0.01", "seller"), trade(5, 56_525, "1", "buyer"))
    assert desk.at(4).fills(bracket) == []
    assert desk.at(6).fills(bracket) == [(D(56_525), D("0.10"))]


def test_cancelled_bracket_leaves_no_leg_behind() -> None:
    """Neither its limit nor its stop fills afterwards."""
    desk, bracket = _long_with_a_bracket(trade(2, 60_600, "1", "buyer"), trade(3, 59_000, "1", "seller"))
    desk.cancel(bracket)
    desk.at(4)
    assert desk.fills(bracket) == []
    assert [news.state for news in desk.news_of(OrderNews)][-1] is OrderState.CANCELLED


def test_bracket_with_both_prices_on_one_side_is_refused() -> None:
    """A sell takes its profit above the stop."""
    desk = Desk(BOOK).at(1)
    desk.buy("0.10")
    name = desk.send("SELL", "0.10", kind="BRACKET", limit_price=59_400, stop_price=59_500)
    assert desk.order(name).reason == "invalid_stop"
