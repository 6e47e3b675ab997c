"""Are the bars that trades will make seen before they close, and only where nothing else can happen first?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders import D, a_product

from gpt_trader.core.clock import NS
from gpt_trader.core.values import OrderType, Side, TimeInForce
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import FUNDING, QUOTE, ROW, TRADE
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.news import NewOrder

MINUTE = 60 * NS
START = 1_750_000_020 * NS
END = START + 10 * MINUTE
assert START % MINUTE == 0


def a_market(*, fall: int = 0, funding_second: int = 0, on_the_minute: bool = False) -> ArrayStream:
    """Ten minutes of a quote and a trade every six seconds; each minute the price is `fall` ticks lower."""
    rows = []
    for second in range(1, 600, 6):
        at_ns = START + second * NS
        middle = 12_000 - fall * (second // 60)
        rows.append((at_ns, at_ns, QUOTE, 0, 0, 0, middle - 1, 1_000_000, middle + 1, 1_000_000, 0))
        rows.append((at_ns, at_ns, TRADE, 1, 0, 0, middle, 5, 0, 0, 0))
    if funding_second:
        at_ns = START + funding_second * NS
        rows.append((at_ns, at_ns, FUNDING, 0, 0, 0, 1_000_000, 0, 0, 0, 0))
    if on_the_minute:
        at_ns = START + 3 * MINUTE
        rows.append((at_ns, at_ns, TRADE, 1, 0, 0, 12_000, 5, 0, 0, 0))
    return ArrayStream([a_product()], np.array(sorted(rows), dtype=ROW), start_ns=START, end_ns=END)


def bought(venue: SimulatedVenue, quantity: str) -> None:
    """A market order, filled, with all its news taken."""
    order = NewOrder(
        client_order_id="gt-1",
        symbol=a_product().symbol,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        quantity=D(quantity),
    )
    venue.advance(START + 2 * NS)
    venue.submit(order)
    while not venue.take_news():
        venue.advance(venue.now_ns + NS)
    venue.advance(venue.now_ns + NS)
    venue.take_news()


def test_bars_are_those_that_close() -> None:
    """What is seen ahead is what is told later, to the last digit."""
    ahead = SimulatedVenue(a_market(fall=3), cash=[D(1000)]).bars_ahead(END)
    venue, told = SimulatedVenue(a_market(fall=3), cash=[D(1000)]), []
    while venue.now_ns < END:
        venue.advance(END)
        told += venue.take_bars()

    assert ahead is not None
    assert list(ahead.bars) == told[: len(ahead.bars)]
    assert len(ahead.bars) == 9


@pytest.mark.parametrize(
    ("market", "bars"), [(a_market(funding_second=200), 3), (a_market(on_the_minute=True), 2), (a_market(), 9)]
)
def test_the_view_ends_before_anything_else(market: ArrayStream, bars: int) -> None:
    """Before funding, and before a bar after whose close more happens at the same moment."""
    ahead = SimulatedVenue(market, cash=[D(1000)]).bars_ahead(END)

    assert ahead is not None
    assert len(ahead.bars) == bars


def test_nothing_is_seen_where_an_account_could_be_liquidated() -> None:
    """A position that the coming prices may wipe out is taken bar by bar; a small one is not."""
    product, price = a_product(), 12_000 * a_product().tick
    for worth, seen in (("0.1", True), ("9", False)):
        cash = D(100_000)
        quantity = (cash * D(worth) / price // product.lot) * product.lot
        venue = SimulatedVenue(a_market(fall=100), cash=[cash])
        bought(venue, str(quantity))

        assert venue.positions()
        assert (venue.bars_ahead(END) is not None) is seen


def test_marks_of_what_is_held_are_told_when_the_bars_have_passed() -> None:
    """Middle of the quotes and last price, at each close."""
    venue = SimulatedVenue(a_market(fall=10), cash=[D(100_000)])
    bought(venue, str(a_product().lot * 10))
    ahead = venue.bars_ahead(END)
    assert ahead is not None

    marks = venue.pass_bars(int(ahead.close_ns[4]))

    price = [int((12_000 - 10 * minute) * a_product().tick * 100_000_000) for minute in range(5)]
    assert marks.tolist() == price
    assert venue.now_ns == START + 5 * MINUTE
