"""Tape, history and the venue's time: is every row told once, in order, and at its time?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np
import pytest
from tests.builders import MINUTE_NS, a_product, some_rows
from tests.venue_server import a_market

from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.errors import ConfigError, InvalidOrderError
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import LEVEL, STATUS, TRADE
from gpt_trader.market.stream import Rows
from gpt_trader.venue.news import News
from gpt_trader.venue.wire.formats import decimal_of, stamp, stamp_ns, text
from gpt_trader.venue.wire.history import MarketHistory, Trade
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.tape import MarketTape, rows_of

D = Decimal
HOUR_NS: Final = 3600 * NS


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.rows: list[Rows] = []
        self.times: list[int] = []

    def on_rows(self, rows: Rows, trades: dict[str, list[Trade]]) -> None:
        self.rows.append(rows)

    def on_news(self, news: News) -> None:
        """News are the desk's."""

    def on_time(self, now_ns: int) -> None:
        self.times.append(now_ns)


def a_running_venue(*, speed: float | None = None, clock: ManualClock | None = None, history: int = 0) -> RunningVenue:
    return RunningVenue(
        a_market(hours=4),
        cash=[D(10_000)],
        clock=clock or ManualClock(),
        speed=speed,
        history_seconds=history,
    )


def same(found: Sequence[Rows], expected: Rows) -> bool:
    return bool((np.concatenate(found) == expected).all())


def test_every_row_is_told_once_and_in_order() -> None:
    """What listeners get is what the kernel took, however time is moved."""
    venue, heard = a_running_venue(), Heard()
    venue.listen(heard)
    start = venue.now_ns
    for seconds in (0.3, 5, 61, 600, 601, 1200):
        venue.move_to(start + round(seconds * NS))
    whole = np.concatenate(list(a_market(hours=4).chunks()))
    expected = whole[(whole["ts"] <= venue.now_ns) & (whole["ts"] > start)]
    told = np.concatenate(heard.rows)
    assert same([told[told["ts"] > start]], expected)
    assert heard.times == sorted(heard.times)


def test_time_follows_the_clock_at_its_speed() -> None:
    """Ten seconds of the clock are a minute at sixfold speed."""
    clock = ManualClock(MINUTE_NS)
    venue = a_running_venue(speed=6.0, clock=clock)
    assert venue.now_ns == MINUTE_NS
    clock.advance(10)
    venue.catch_up()
    assert venue.now_ns == MINUTE_NS + 60 * NS


def test_a_market_that_goes_on_has_a_past() -> None:
    """Its own time is moved by whole hours, so that it is the clock's now."""
    venue = a_running_venue(speed=1.0, clock=ManualClock(MINUTE_NS + 1234), history=3600)
    assert venue.now_ns == MINUTE_NS + 1234
    assert 3600 <= (venue.now_ns - venue.tape.start_ns) / NS < 7200
    assert venue.history.candles("BTC-PERP", 3600, 0, venue.now_ns // NS, 10)


def test_a_past_longer_than_the_market_is_refused() -> None:
    """The option is named."""
    with pytest.raises(ConfigError, match="--history"):
        a_running_venue(history=5 * 3600)


def test_a_timer_is_called_at_its_time() -> None:
    """Before anything later happens, also in one long move."""
    venue = a_running_venue()
    called: list[int] = []
    venue.call_at(venue.now_ns + 7 * NS, lambda: called.append(venue.now_ns))
    start = venue.now_ns
    venue.move_to(start + 60 * NS)
    assert called == [start + 7 * NS]


def test_an_intervention_is_in_force_soon() -> None:
    """A halt that is asked for now stands at the venue behind the rows that it holds already."""
    venue = a_running_venue()
    venue.move_to(venue.now_ns + 10 * NS)
    venue.tape.interfere(lambda: rows_of((STATUS, 0, 0, 4, 0, 0, 0)))
    venue.move_to(venue.now_ns + 600_000_000)
    assert venue.venue.products()["BTC-PERP"].status == "HALTED"


def test_nothing_can_be_put_into_a_market_that_is_over() -> None:
    """It is said, not forgotten."""
    tape = MarketTape(ArrayStream([a_product()], some_rows((TRADE, 1, 0, 100, 1))))
    list(tape.chunks())
    with pytest.raises(InvalidOrderError, match="over"):
        tape.interfere(rows_of)


def test_moved_prices_move_every_price_that_comes() -> None:
    """Trades and levels alike, from the next slice on."""
    tape = MarketTape(ArrayStream([a_product()], some_rows((TRADE, 1, 0, 100, 1), (LEVEL, 1, 0, 99, 1), step_ns=NS)))
    chunks = tape.chunks()
    assert next(chunks)["a"].tolist() == [100]
    tape.move_prices(0, 7)
    assert next(chunks)["a"].tolist() == [106]


def trades(*prices: int, step_ns: int = 20 * NS) -> Rows:
    return some_rows(*[(TRADE, 1, 0, price, 2) for price in prices], step_ns=step_ns, start_ns=MINUTE_NS)


def test_candles_are_made_of_trades() -> None:
    """Three minutes, one of them in two parts; longer candles are made of minutes, newest first."""
    history = MarketHistory((a_product(),), 60)
    rows = trades(100, 130, 90, 110, 120, 80, 105)
    history.add(rows[:4])
    history.add(rows[4:])
    start = MINUTE_NS // NS
    minutes = history.candles("BTC-PERP", 60, start, start + 999, 10)
    assert [candle.start_seconds - start for candle in minutes] == [120, 60, 0]
    assert (minutes[2].open, minutes[2].high, minutes[2].low, minutes[2].close) == (D(500), D(650), D(450), D(450))
    assert (minutes[1].open, minutes[1].low, minutes[1].volume) == (D(550), D(400), D("0.06"))
    (whole,) = history.candles("BTC-PERP", 300, start, start + 999, 10)
    assert (whole.open, whole.high, whole.low, whole.close) == (D(500), D(650), D(400), D(525))


def test_the_last_trades_come_newest_first() -> None:
    """With numbers that never repeat."""
    history = MarketHistory((a_product(),), 60)
    history.add(trades(100, 101, 102))
    found = history.trades("BTC-PERP", 2)
    assert [trade.price for trade in found] == [D(510), D(505)]
    assert found[0].trade_id == found[1].trade_id + 1


@pytest.mark.parametrize(
    ("number", "written"), [("0", "0"), ("60000", "60000"), ("0.10", "0.1"), ("1E+3", "1000"), ("-0.00001", "-0.00001")]
)
def test_numbers_are_written_plainly(number: str, written: str) -> None:
    """No exponent and no trailing zeros."""
    assert text(D(number)) == written


def test_times_go_there_and_back() -> None:
    """Microseconds survive; what is no time is none."""
    at_ns = 1_795_273_211_851_301_000
    assert stamp(at_ns) == "2026-11-21T15:00:11.851301Z"
    assert stamp_ns(stamp(at_ns)) == at_ns
    assert stamp_ns("2026-11-21T16:00:11.851301+01:00") == at_ns
    assert [stamp_ns(value) for value in ("yesterday", 5, None, "2026-13-01T00:00:00Z")] == [None] * 4


@pytest.mark.parametrize("value", ["", "NaN", "Infinity", "1" * 50, True, None, [], "0x10", "1e15", "1e-13", "9" * 39])
def test_what_is_no_number_is_none(value: object) -> None:
    """A client's text cannot smuggle in what Decimal would take."""
    assert decimal_of(value) is None
