"""Is the market known as it is, and does every part say how old it is?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from gpt_trader.core.clock import NS
from gpt_trader.exchange.coinbase.decoding import WireError
from gpt_trader.exchange.coinbase.frames import Frame, read_frame
from gpt_trader.exchange.coinbase.live_market import LiveMarket
from gpt_trader.exchange.coinbase.replies import Product
from gpt_trader.market.products import simulated_product
from gpt_trader.market.view import MarketView

D = Decimal
BTC = simulated_product("BTC-PERP")
SYMBOL = BTC.symbol


def a_frame(channel: str, event: dict[str, Any]) -> Frame:
    body = {"channel": channel, "sequence_num": 0, "timestamp": "1970-01-01T00:00:01Z", "events": [event]}
    return read_frame(msgspec.json.encode(body))


def levels(bid: int, ask: int, kind: str = "snapshot", product_id: str = BTC.venue_symbol) -> Frame:
    updates = [
        {"side": side, "price_level": str(price), "new_quantity": "1"} for side, price in (("bid", bid), ("offer", ask))
    ]
    return a_frame("l2_data", {"type": kind, "product_id": product_id, "updates": updates})


def a_ticker(price: str) -> Frame:
    ticker = {"product_id": BTC.venue_symbol, "price": price, "best_bid": "", "best_ask": ""}
    return a_frame("ticker", {"type": "update", "tickers": [ticker]})


def a_listing(index: str, rate: str = "0.00001") -> Product:
    details = {"index_price": index, "funding_rate": rate}
    return msgspec.convert({"product_id": BTC.venue_symbol, "future_product_details": details}, type=Product)


def test_nothing_is_known_at_first() -> None:
    """No price is made up."""
    market: MarketView = LiveMarket([BTC])
    assert market.mark(SYMBOL) is None
    assert market.book(SYMBOL, 1) is None
    assert market.last_price(SYMBOL) is None


def test_the_mark_is_the_median_of_three() -> None:
    """One part that is off does not move it."""
    market = LiveMarket([BTC])
    market.refresh([a_listing("900")], 1 * NS)
    market.hear(a_ticker("103"), 2 * NS)
    market.hear(levels(100, 102), 3 * NS)
    mark = market.mark(SYMBOL)
    assert mark is not None
    assert (mark.price, mark.venue_ns, mark.received_ns) == (D(103), NS, 3 * NS)


def test_a_stale_part_has_no_say() -> None:
    """The last trade of long ago is not the price of now."""
    market = LiveMarket([BTC])
    market.hear(a_ticker("500"), 0)
    market.hear(levels(100, 102), 11 * NS)
    mark = market.mark(SYMBOL)
    assert mark is not None
    assert mark.price == D(101)
    assert market.last_price(SYMBOL) == D(500)


def test_a_lost_connection_leaves_the_mark_with_its_age() -> None:
    """The book is gone, since it is not known any more."""
    market = LiveMarket([BTC])
    market.hear(levels(100, 102), 1 * NS)
    market.lost()
    mark = market.mark(SYMBOL)
    assert mark is not None
    assert mark.received_ns == 1 * NS
    assert market.touch(SYMBOL) is None
    market.hear(levels(110, 112), 2 * NS)
    assert market.touch(SYMBOL) == (D(110), D(112))


def test_a_book_that_cannot_be_believed_moves_no_mark() -> None:
    """It is told, and its mid is forgotten."""
    market = LiveMarket([BTC])
    market.hear(levels(100, 102), 1 * NS)
    with pytest.raises(WireError, match="crossed"):
        market.hear(levels(103, 104, kind="update"), 2 * NS)
    market.hear(a_ticker("90"), 3 * NS)
    mark = market.mark(SYMBOL)
    assert mark is not None
    assert mark.price == D(90)


def test_index_and_funding_come_from_the_listing() -> None:
    """Empty is no rate and no price."""
    market = LiveMarket([BTC])
    market.refresh([a_listing("68899.882564", "0.000013")], 1)
    assert (market.index_price(SYMBOL), market.funding_rate(SYMBOL)) == (D("68899.882564"), D("0.000013"))
    market.refresh([a_listing("", "")], 2)
    assert (market.index_price(SYMBOL), market.funding_rate(SYMBOL)) == (None, D(0))


def test_others_are_passed_over() -> None:
    """Products that nobody watches, and prices that are empty."""
    market = LiveMarket([BTC])
    market.hear(levels(1, 2, product_id="BTC-USD"), 1)
    market.hear(a_ticker(""), 1)
    assert market.mark(SYMBOL) is None


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [("99", None, ["98"]), (None, "105", ["105"]), ("99", "105", ["105"]), ("90", "120", [])],
)
def test_a_price_that_is_waited_for_is_told_once(low: str | None, high: str | None, told: list[str]) -> None:
    """By the first trade at it or beyond it."""
    market = LiveMarket([BTC])
    reached: list[Decimal] = []
    market.watch_price(SYMBOL, D(low) if low else None, D(high) if high else None, reached.append)
    for second, price in enumerate(["100", "105", "98", "106", "97"]):
        market.hear(a_ticker(price), second * NS)
    assert reached == [D(price) for price in told]
