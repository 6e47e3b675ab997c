"""The compiled kernel and the plain reference model agree, news by news and to the last 1e-8."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.venue_runs import SPECS, START, Ask, House, Row, row, run_kernel, run_reference

from gpt_trader.market.rows import BAR, CLEAR, FUNDING, INDEX, LEVEL, MARK, QUOTE, STATUS, TRADE

QUEUES = ("back", "proportional", "trades")
HOUSES = st.builds(
    House,
    queue=st.sampled_from(QUEUES),
    funding=st.sampled_from(("market", "venue", "none")),
    calendar=st.booleans(),
    tiers=st.booleans(),
    entries_ms=st.sampled_from(((), (0, 900, 3))),
    feed_ms=st.sampled_from((0, 0, 40)),
)
SLOW = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
MIDDLE = (100, 2000)
"""Prices in ticks, around which the products trade."""
END_MS = 200_000


def _level_row(draw: Any, at: int, product: int) -> Row:
    side = draw(st.sampled_from((1, -1)))
    away = draw(st.integers(-1, 9))
    lots = draw(st.sampled_from((0, 1, 2, 5, 20)))
    return row(at, LEVEL, side=side, product=product, values=(MIDDLE[product] - side * away, lots))


def _quote_row(draw: Any, at: int, product: int) -> Row:
    bid = MIDDLE[product] + draw(st.integers(-9, 6))
    ask = bid + draw(st.integers(1, 3))
    sizes = st.sampled_from((0, 1, 3, 40))
    return row(at, QUOTE, product=product, values=(bid, draw(sizes), ask, draw(sizes)))


def _trade_row(draw: Any, at: int, product: int) -> Row:
    price = MIDDLE[product] + draw(st.integers(-12, 12))
    return row(
        at, TRADE, side=draw(st.sampled_from((1, -1, 0))), product=product, values=(price, draw(st.integers(1, 9)))
    )


def _other_row(draw: Any, at: int, product: int) -> Row:
    money = int(SPECS[product].tick * 10**8) * MIDDLE[product]
    kind = draw(st.sampled_from((FUNDING, FUNDING, INDEX, MARK, STATUS, CLEAR)))
    value = {
        FUNDING: st.integers(-(2 * 10**10), 2 * 10**10),
        INDEX: st.integers(money * 9 // 10, money * 11 // 10),
        MARK: st.integers(money * 8 // 10, money * 12 // 10),
        STATUS: st.sampled_from((0, 0, 0, 1, 2, 3, 4)),
        CLEAR: st.just(0),
    }[kind]
    return row(at, kind, product=product, values=(draw(value),))


def _opening_rows() -> list[Row]:
    """A book of five levels a side, a quote, and a trade of each product."""
    return [
        *(row(0, LEVEL, side=side, values=(MIDDLE[0] - side * away, 9)) for side in (1, -1) for away in range(1, 6)),
        row(0, TRADE, side=1, values=(MIDDLE[0], 1)),
        row(0, QUOTE, product=1, values=(MIDDLE[1] - 1, 500, MIDDLE[1] + 1, 500)),
        row(0, TRADE, side=-1, product=1, values=(MIDDLE[1], 1)),
    ]


@st.composite
def tick_markets(draw: Any) -> list[Row]:
    """Depth on the first product, quotes on the second, trades and the rest on both; or everything on both."""
    mixed = draw(st.booleans())
    rows = [each for each in _opening_rows() if each[2] != TRADE or draw(st.booleans())]
    at = 0
    for _ in range(draw(st.integers(5, 60))):
        at += draw(st.sampled_from((0, 0, 1, 7, 900, 4000, 20_000)))
        product = draw(st.sampled_from((0, 0, 1)))
        kind = draw(st.sampled_from("bbbbbtttto" if not mixed else "bbbqqltttto"))
        if kind in "bql":
            depth = kind == "l" or (kind == "b" and product == 0)
            rows.append(_level_row(draw, at, product) if depth else _quote_row(draw, at, product))
        else:
            rows.append(_trade_row(draw, at, product) if kind == "t" else _other_row(draw, at, product))
    return rows


@st.composite
def bar_markets(draw: Any) -> list[Row]:
    """One-second bars of both products, with gaps and jumps, and funding now and then; perhaps ticks among them."""
    mixed = draw(st.booleans())
    rows = []
    last = list(MIDDLE)
    at = 0
    for _ in range(draw(st.integers(3, 25))):
        at = at // 1000 * 1000 + draw(st.sampled_from((1000, 1000, 1000, 5000)))
        for product in (0, 1):
            opening = max(1, last[product] + draw(st.sampled_from((0, 0, 1, -1, 8, -8))))
            close = max(1, opening + draw(st.integers(-6, 6)))
            high = max(opening, close) + draw(st.integers(0, 4))
            low = max(1, min(opening, close) - draw(st.integers(0, 4)))
            volume = draw(st.sampled_from((0, 1, 30, 1000)))
            rows.append(row(at, BAR, product=product, values=(opening, high, low, close, volume)))
            last[product] = close
        if draw(st.integers(0, 5)) == 0:
            rows.append(_other_row(draw, at, draw(st.sampled_from((0, 1)))))
        if mixed and draw(st.integers(0, 3)) == 0:  # ticks begin, or come between the bars
            at += draw(st.sampled_from((0, 300)))
            make = draw(st.sampled_from((_trade_row, _trade_row, _quote_row, _level_row)))
            rows.append(make(draw, at, draw(st.sampled_from((0, 1)))))
    return sorted(rows, key=lambda each: each[0])


@st.composite
def requests(draw: Any, end_ms: int) -> list[Ask]:
    asks = []
    names = [f"order-{number}" for number in range(12)]
    for name in names[: draw(st.integers(1, 12))]:
        product = draw(st.sampled_from((0, 0, 1)))
        kind = draw(st.sampled_from(("MARKET", "LIMIT", "LIMIT", "STOP_LIMIT", "BRACKET")))
        tifs = {"MARKET": ("IOC", "FOK"), "LIMIT": ("GTC", "GTC", "GTD", "IOC", "FOK")}
        tif = draw(st.sampled_from(tifs.get(kind, ("GTC", "GTD"))))
        at = draw(st.integers(0, end_ms))
        asks.append(
            Ask(
                at,
                "NEW",
                name,
                account=draw(st.sampled_from((0, 0, 1))),
                product=product,
                side=draw(st.sampled_from((1, -1))),
                type=kind,
                tif=tif,
                lots=draw(st.sampled_from((1, 2, 3, 7, 20, 50, 51, 3000))),
                limit=MIDDLE[product] + draw(st.integers(-12, 12)),
                stop=MIDDLE[product] + draw(st.integers(-12, 12)),
                expire_ms=at + draw(st.integers(0, 50_000)),
                post_only=kind == "LIMIT" and tif in {"GTC", "GTD"} and draw(st.booleans()),
                reduce_only=draw(st.sampled_from((False, False, True))),
            )
        )
        if draw(st.integers(0, 3)) == 0:
            again = draw(st.sampled_from(("CANCEL", "CANCEL", "NEW")))
            asks.append(Ask(at + draw(st.integers(0, 30_000)), again, name, account=asks[-1].account))
    return asks


class Dense:
    """Long, busy markets from a seed: what short, shrinkable ones seldom reach, liquidations above all."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.middle = list(MIDDLE)
        self.cash = tuple(
            self.random.choice((20, 60, 150, 400)) * 10**8 + self.random.randrange(10**8) for _ in range(2)
        )
        self.how: dict[str, Any] = {
            "cash": self.cash,
            "entry_ms": self.random.choice((0, 1, 30)),
            "ack_ms": self.random.choice((0, 1, 30)),
            "chunk_rows": self.random.choice((1, 7, 1000)),
            "house": House(
                queue=self.random.choice(QUEUES),
                funding=self.random.choice(("market", "venue", "none")),
                calendar=self.random.random() < 0.5,
                tiers=self.random.random() < 0.3,
                entries_ms=self.random.choice(((), (), (1, 300, 0, 2))),
                feed_ms=self.random.choice((0, 0, 40)),
            ),
        }

    def _walk(self, product: int) -> int:
        step = self.random.choice((-1, 0, 0, 0, 1)) * (1 if product == 0 else 20)
        self.middle[product] = max(MIDDLE[product] // 2, self.middle[product] + step)  # prices stay above zero
        return self.middle[product]

    def ticks(self, count: int) -> list[Row]:
        pick = self.random
        rows = _opening_rows()
        at = 0
        while len(rows) < count:
            at += pick.choice((0, 1, 20, 150, 900))
            product = pick.choice((0, 0, 1))
            middle = self._walk(product)
            kind = pick.choice("llllqqqqttttttxfs" if product else "lllllllllttttttxfs")
            if kind in "lq" and product == 0:
                side = pick.choice((1, -1))
                lots = pick.choice((0, 0, 1, 4, 30))
                rows.append(row(at, LEVEL, side=side, values=(middle - side * pick.randrange(0, 8), lots)))
            elif kind in "lq":
                bid = middle - pick.randrange(0, 20)
                sizes = pick.choice(((0, 50), (50, 0), (100, 300), (1, 2000)))
                rows.append(row(at, QUOTE, product=1, values=(bid, sizes[0], bid + pick.randrange(1, 9), sizes[1])))
            elif kind == "t":
                price = middle + pick.randrange(-4, 5)
                lots = pick.choice((1, 3, 12)) * (1 if product == 0 else 60)
                rows.append(row(at, TRADE, side=pick.choice((1, -1)), product=product, values=(price, lots)))
            else:
                rows.append(self._other(at, product, middle, kind))
        return rows

    def _other(self, at: int, product: int, middle: int, kind: str) -> Row:
        money = int(SPECS[product].tick * 10**8) * middle
        if kind == "x":
            return row(at, INDEX, product=product, values=(money + self.random.randrange(-money // 50, money // 50),))
        if kind == "f":
            return row(at, FUNDING, product=product, values=(self.random.randrange(-(10**10), 10**10),))
        return row(at, STATUS, product=product, values=(self.random.choice((0, 0, 0, 0, 0, 1, 4)),))

    def bars(self, count: int) -> list[Row]:
        pick = self.random
        rows: list[Row] = []
        for number in range(1, count):
            for product in (0, 1):
                scale = 1 if product == 0 else 20
                opening = max(scale, self.middle[product] + pick.choice((0, 0, 0, 1, -1, 3, -3)) * scale)
                close = max(scale, opening + pick.randrange(-5, 6) * scale)
                high = max(opening, close) + pick.randrange(0, 4) * scale
                low = max(1, min(opening, close) - pick.randrange(0, 4) * scale)
                self.middle[product] = close
                values = (opening, high, low, close, pick.choice((0, 40, 300, 9000)))
                rows.append(row(number * 1000, BAR, product=product, values=values))
            if pick.random() < 0.1:
                rows.append(self._other(number * 1000, pick.choice((0, 1)), self.middle[0], pick.choice("fs")))
        return rows

    def asks(self, count: int, end_ms: int) -> list[Ask]:
        pick = self.random
        asks = []
        for number in range(count):
            product = pick.choice((0, 0, 0, 1))
            kind = pick.choice(("MARKET", "MARKET", "LIMIT", "LIMIT", "LIMIT", "STOP_LIMIT", "BRACKET", "BRACKET"))
            tif = "IOC" if kind == "MARKET" else pick.choice(("GTC", "GTC", "GTD", "GTC" if kind != "LIMIT" else "IOC"))
            at = pick.randrange(end_ms)
            scale = 1 if product == 0 else 20
            side = pick.choice((1, -1))
            limit, stop = (max(1, MIDDLE[product] + pick.randrange(-12, 13) * scale) for _ in range(2))
            if kind == "BRACKET":
                limit, stop = (MIDDLE[product] + way * side * pick.randrange(1, 9) * scale for way in (-1, 1))
            asks.append(
                Ask(
                    at,
                    "NEW",
                    f"order-{number}",
                    account=pick.choice((0, 1)),
                    product=product,
                    side=side,
                    type=kind,
                    tif=tif,
                    lots=pick.choice((1, 5, 17, 49)) * (1 if product == 0 else 60),
                    limit=limit,
                    stop=stop,
                    expire_ms=at + pick.randrange(1, 30_000),
                    post_only=kind == "LIMIT" and tif != "IOC" and pick.random() < 0.1,
                    reduce_only=pick.random() < 0.2,
                )
            )
            if pick.random() < 0.15:
                asks.append(Ask(at + pick.randrange(20_000), "CANCEL", f"order-{number}", account=asks[-1].account))
        return asks


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_kernel_and_reference_agree_on_long_busy_markets(seed: int) -> None:
    """Hundreds of rows and dozens of orders on thin margin give the same news and money."""
    made = Dense(seed)
    rows = made.ticks(300)
    end_ms = (rows[-1][0] - START) // 10**6
    asks = made.asks(40, end_ms)
    kernel = run_kernel(rows, asks, end_ms=end_ms + 40_000, **made.how)
    reference = run_reference(rows, asks, end_ms=end_ms + 40_000, **made.how)
    assert kernel.news == reference.news
    assert kernel.money == reference.money
    assert kernel.bars == reference.bars


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_kernel_and_reference_agree_on_long_busy_bars(seed: int) -> None:
    """The same for bars, where every price inside a bar may liquidate."""
    made = Dense(seed)
    rows = made.bars(60)
    asks = made.asks(40, 55_000)
    kernel = run_kernel(rows, asks, end_ms=90_000, bar_seconds=1, **made.how)
    reference = run_reference(rows, asks, end_ms=90_000, bar_seconds=1, **made.how)
    assert kernel.news == reference.news
    assert kernel.money == reference.money
    assert kernel.bars == reference.bars


MONEY = st.sampled_from((0, 3 * 10**8, 20 * 10**8, 55 * 10**8, 10_000 * 10**8))
MILLISECONDS = st.sampled_from((0, 1, 30, 700))


@SLOW
@given(
    rows=tick_markets(),
    asks=requests(END_MS),
    cash=st.tuples(MONEY, MONEY),
    entry_ms=MILLISECONDS,
    ack_ms=MILLISECONDS,
    chunk_rows=st.sampled_from((1, 3, 1000)),
    house=HOUSES,
)
def test_kernel_and_reference_agree_on_books_and_trades(rows: list[Row], asks: list[Ask], **how: Any) -> None:
    """Depth, quotes, trades, funding, marks, halts and orders of two accounts give the same news and money."""
    kernel = run_kernel(rows, asks, end_ms=END_MS + 60_000, **how)
    reference = run_reference(rows, asks, end_ms=END_MS + 60_000, **how)
    assert kernel.news == reference.news
    assert kernel.money == reference.money
    assert kernel.bars == reference.bars


@SLOW
@given(
    rows=bar_markets(),
    asks=requests(40_000),
    cash=st.tuples(MONEY, MONEY),
    entry_ms=MILLISECONDS,
    ack_ms=MILLISECONDS,
    chunk_rows=st.sampled_from((1, 3, 1000)),
    house=HOUSES,
)
def test_kernel_and_reference_agree_on_bars(rows: list[Row], asks: list[Ask], **how: Any) -> None:
    """The path inside bars and the modelled book give the same news and money as a walk tick by tick."""
    kernel = run_kernel(rows, asks, end_ms=END_MS + 60_000, bar_seconds=1, **how)
    reference = run_reference(rows, asks, end_ms=END_MS + 60_000, bar_seconds=1, **how)
    assert kernel.news == reference.news
    assert kernel.money == reference.money
    assert kernel.bars == reference.bars
