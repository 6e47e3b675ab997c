"""A desk at the simulated exchange: rows of a market in dollars and seconds, and orders in plain words.

BTC-PERP here: tick 5, lot 0.01, taker 0.1 %, maker 0.05 %, initial margin 10 %, maintenance 5 %. Prices are dollars,
quantities BTC; time is seconds from the start.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from gpt_trader.core.values import MarginRates, OrderType, ProductSpec, Side, TimeInForce
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import BAR, CLEAR, FUNDING, INDEX, LEVEL, MARK, QUOTE, ROW, STATUS, STATUSES, TRADE
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.news import FillNews, FundingNews, NewOrder, News, OrderNews
from gpt_trader.venue.settings import Latency, VenueSettings

D = Decimal
SECOND = 1_000_000_000
START = 1_750_000_020_000_000_000  # on a minute
END = 10_000.0
Row = tuple[int, ...]
T = TypeVar("T", bound=News)


def a_perpetual(**changes: Any) -> ProductSpec:
    rates = MarginRates(
        initial_long=D("0.1"), initial_short=D("0.1"), maintenance_long=D("0.05"), maintenance_short=D("0.05")
    )
    fields: dict[str, Any] = {
        "symbol": "BTC-PERP",
        "venue_symbol": "BIP-20DEC30-CDE",
        "base": "BTC",
        "tick": D(5),
        "lot": D("0.01"),
        "contract_size": D("0.01"),
        "min_quantity": D("0.01"),
        "max_quantity": D(10),
        "maker_fee_rate": D("0.0005"),
        "taker_fee_rate": D("0.001"),
        "liquidation_fee_rate": D("0.01"),
        "margin_intraday": rates,
        "margin_overnight": rates,
    }
    return ProductSpec(**{**fields, **changes})


def _row(seconds: float, kind: int, side: int, *values: int) -> Row:
    ts = START + round(seconds * SECOND)
    return (ts, ts, kind, side, 0, 0, *values, *[0] * (5 - len(values)))


def level(seconds: float, side: str, price: int, quantity: str) -> Row:
    return _row(seconds, LEVEL, 1 if side == "bid" else -1, price // 5, int(D(quantity) * 100))


def trade(seconds: float, price: int, quantity: str, aggressor: str) -> Row:
    return _row(seconds, TRADE, 1 if aggressor == "buyer" else -1, price // 5, int(D(quantity) * 100))


def quote(seconds: float, bid: int, bid_quantity: str, ask: int, ask_quantity: str) -> Row:
    return _row(seconds, QUOTE, 0, bid // 5, int(D(bid_quantity) * 100), ask // 5, int(D(ask_quantity) * 100))


def bar(close_seconds: float, o: int, high: int, low: int, close: int, volume: str = "100") -> Row:  # noqa: PLR0917
    return _row(close_seconds, BAR, 0, o // 5, high // 5, low // 5, close // 5, int(D(volume) * 100))


def funding(seconds: float, rate: str) -> Row:
    return _row(seconds, FUNDING, 0, int(D(rate) * 10**12))


def mark_row(seconds: float, price: str) -> Row:
    return _row(seconds, MARK, 0, int(D(price) * 10**8))


def index_row(seconds: float, price: str) -> Row:
    return _row(seconds, INDEX, 0, int(D(price) * 10**8))


def status(seconds: float, name: str) -> Row:
    return _row(seconds, STATUS, 0, STATUSES.index(name))


def clear(seconds: float) -> Row:
    return _row(seconds, CLEAR, 0)


def milliseconds(number: int) -> Latency:
    return Latency(milliseconds=D(number))


BOOK = (
    level(0, "bid", 59_995, "0.10"),
    level(0, "bid", 59_990, "0.50"),
    level(0, "ask", 60_005, "0.10"),
    level(0, "ask", 60_010, "0.50"),
    trade(0, 60_000, "0.01", "buyer"),
)
"""0.10 at the best prices, 0.50 a tick behind, 10 apart; last trade in the middle."""


class Desk:
    """A venue and everything it told, in order."""

    def __init__(self, rows: Sequence[Row], *, cash: str = "100000", starts: str = "", **how: Any) -> None:
        """`starts` is an ISO time for those whose hour matters; `how` are settings of the venue."""
        self.start_ns = round(dt.datetime.fromisoformat(starts).timestamp()) * SECOND if starts else START
        product = how.pop("product", a_perpetual())
        last = [funding(END, "0")] if how.pop("goes_on", True) else []
        made = np.array([*sorted(rows, key=lambda row: row[0]), *last], ROW)
        made["ts"] += self.start_ns - START
        made["recv"] += self.start_ns - START
        stream = ArrayStream([product], made, start_ns=self.start_ns, end_ns=self.start_ns + round(END * SECOND))
        self.venue = SimulatedVenue(stream, cash=[D(cash)], settings=VenueSettings(**how))
        self.news: list[News] = []
        self.bars: list[Any] = []
        self._orders = 0

    def at(self, seconds: float) -> Desk:
        """Let the market run up to this time, its rows included."""
        until = self.start_ns + round(seconds * SECOND)
        while self.venue.now_ns < until:
            self.venue.advance(until)
            self.news += self.venue.take_news()
            self.bars += self.venue.take_bars()
        return self

    def send(self, side: str, quantity: str, *, kind: str = "LIMIT", tif: str = "GTC", **fields: Any) -> str:
        """Send an order at this moment and let the venue work at it for a millisecond."""
        self._orders += 1
        name: str = fields.pop("name", f"order-{self._orders}")
        for price in ("limit_price", "stop_price"):
            if price in fields:
                fields[price] = D(fields[price])
        order = NewOrder(
            client_order_id=name,
            symbol="BTC-PERP",
            side=Side(side),
            order_type=OrderType(kind),
            time_in_force=TimeInForce(tif),
            quantity=D(quantity),
            **fields,
        )
        self.venue.submit(order)
        self._settle()
        return name

    def buy(self, quantity: str) -> str:
        return self.send("BUY", quantity, kind="MARKET", tif="IOC")

    def sell(self, quantity: str, **fields: Any) -> str:
        return self.send("SELL", quantity, kind="MARKET", tif="IOC", **fields)

    def cancel(self, name: str) -> None:
        number = self.venue.number_of(name)
        assert number is not None
        self.venue.cancel(number)
        self._settle()

    def _settle(self) -> None:
        self.at((self.venue.now_ns - self.start_ns) / SECOND + 0.001)

    def fills(self, name: str) -> list[tuple[Decimal, Decimal]]:
        """(price, quantity) of each trade of an order."""
        return [
            (news.price, news.quantity)
            for news in self.news
            if isinstance(news, FillNews) and news.client_order_id == name
        ]

    def fills_of(self, *names: str) -> list[FillNews]:
        """Every trade of these orders, in the order of time."""
        return [news for news in self.news_of(FillNews) if news.client_order_id in names]

    def order(self, name: str) -> OrderNews:
        """The last that was told of an order."""
        return [news for news in self.news if isinstance(news, OrderNews) and news.client_order_id == name][-1]

    def news_of(self, kind: type[T]) -> list[T]:
        return [news for news in self.news if isinstance(news, kind)]

    @property
    def position(self) -> Decimal:
        return sum((position.quantity for position in self.venue.positions()), D(0))

    @property
    def cash(self) -> Decimal:
        return self.venue.account().cash

    @property
    def funding(self) -> list[Decimal]:
        """Every payment, above zero where we got it."""
        return [news.amount for news in self.news if isinstance(news, FundingNews)]
