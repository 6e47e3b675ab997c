"""Profit and loss of thousands of orders on a month of minute bars, reckoned a second time from the file alone."""

from __future__ import annotations

import csv
import gzip
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from gpt_trader.core.values import OrderType, Side, TimeInForce
from gpt_trader.market.recorded import open_market
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.news import FillNews, NewOrder

D = Decimal
BARS = "btc_perp_1m_20211231_20220201.csv.gz"
TICK, TAKER_FEE, HALF_SPREAD = D("0.125"), D("0.0005"), D("0.0001")
CASH = D(10_000)
QUANTITY = D("0.001")
EVERY = 13
"""Bars between two orders; each one turns the position round."""


@pytest.fixture
def bars_file() -> Path:
    path = Path(__file__).resolve().parents[3] / "shared" / "data" / BARS
    if not path.exists():
        pytest.skip("needs the recorded bars in ../shared/data, which are not beside this checkout")
    return path


def _traded(path: Path) -> tuple[Decimal, list[tuple[Decimal, Decimal]]]:
    """Equity at the end and every (price, signed quantity), by the venue."""
    venue = SimulatedVenue(open_market(path), cash=[CASH])
    trades = []
    closed = orders = 0
    while venue.advance(None):
        trades += [
            (news.price, news.quantity * news.side.sign) for news in venue.take_news() if isinstance(news, FillNews)
        ]
        closed += len(venue.take_bars())
        if closed // EVERY > orders:
            orders += 1
            order = NewOrder(
                client_order_id=f"order-{orders}",
                symbol="BTC-PERP",
                side=Side.BUY if orders % 2 else Side.SELL,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.IOC,
                quantity=QUANTITY if orders == 1 else 2 * QUANTITY,
            )
            venue.submit(order)
    return venue.account().equity, trades


def _reckoned(path: Path) -> tuple[Decimal, list[tuple[Decimal, Decimal]]]:
    """The same from the prices in the file: each order pays the next open, half the spread and the taker fee."""
    with gzip.open(path, "rt", encoding="utf8") as file:
        bars = [(D(line["open"]), D(line["close"])) for line in csv.DictReader(file)]
    cash, position = CASH, D(0)
    trades = []
    for order, place in enumerate(range(EVERY, len(bars), EVERY), start=1):
        opening = bars[place][0]
        half = max(TICK, (opening * HALF_SPREAD / TICK).to_integral_value(ROUND_HALF_EVEN) * TICK)
        sign = 1 if order % 2 else -1
        price = opening + sign * half
        quantity = sign * (QUANTITY if order == 1 else 2 * QUANTITY)
        cash -= price * quantity + abs(price * quantity) * TAKER_FEE
        position += quantity
        trades.append((price, quantity))
    return cash + position * bars[-1][1], trades


def test_pnl_on_minute_bars_agrees_with_an_independent_computation_to_the_cent(bars_file: Path) -> None:
    """Over 3,400 orders in 31 days: every price and quantity, and the equity at the end."""
    equity, trades = _traded(bars_file)
    expected, reckoned = _reckoned(bars_file)
    assert len(trades) > 3_400
    assert trades == reckoned
    assert abs(equity - expected) < D("0.01")
