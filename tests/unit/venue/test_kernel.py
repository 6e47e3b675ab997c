"""The compiled kernel and the plain reference model agree, news by news and to the last 1e-8."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_trader.market.rows import BAR, CLEAR, FUNDING, INDEX, LEVEL, MARK, QUOTE, STATUS, TRADE
from tests.venue_runs import SPECS, Ask, Row, row, run_kernel, run_reference

SLOW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
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
    return row(at, TRADE, side=draw(st.sampled_from((1, -1, 0))), product=product, values=(price, draw(st.integers(1, 9))))


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


@st.composite
def tick_markets(draw: Any) -> list[Row]:
    """Depth on the first product, quotes on the second, trades and the rest on both."""
    rows = []
    at = 0
    for _ in range(draw(st.integers(5, 60))):
        at += draw(st.sampled_from((0, 0, 1, 7, 900, 4000, 20_000)))
        product = draw(st.sampled_from((0, 0, 1)))
        kind = draw(st.sampled_from("bbbbbtttto"))
        if kind == "b":
            rows.append(_level_row(draw, at, product) if product == 0 else _quote_row(draw, at, product))
        else:
            rows.append(_trade_row(draw, at, product) if kind == "t" else _other_row(draw, at, product))
    return rows


@st.composite
def bar_markets(draw: Any) -> list[Row]:
    """One-second bars of both products, with gaps and jumps, and funding now and then."""
    rows = []
    last = list(MIDDLE)
    at = 0
    for _ in range(draw(st.integers(3, 25))):
        at += draw(st.sampled_from((1000, 1000, 1000, 5000)))
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
    return rows


@st.composite
def requests(draw: Any, end_ms: int) -> list[Ask]:
    asks = []
    names = [f"order-{number}" for number in range(12)]
    for name in names[: draw(st.integers(1, 12))]:
        product = draw(st.sampled_from((0, 0, 1)))
        kind = draw(st.sampled_from(("MARKET", "LIMIT", "LIMIT", "STOP_LIMIT")))
        tifs = {"MARKET": ("IOC", "FOK"), "LIMIT": ("GTC", "GTC", "GTD", "IOC", "FOK"), "STOP_LIMIT": ("GTC", "GTD")}
        tif = draw(st.sampled_from(tifs[kind]))
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
)
def test_kernel_and_reference_agree_on_books_and_trades(rows: list[Row], asks: list[Ask], **how: Any) -> None:
    """Depth, quotes, trades, funding, marks, halts and orders of two accounts give the same news and money."""
    kernel = run_kernel(rows, asks, end_ms=END_MS, **how)
    reference = run_reference(rows, asks, end_ms=END_MS, **how)
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
)
def test_kernel_and_reference_agree_on_bars(rows: list[Row], asks: list[Ask], **how: Any) -> None:
    """The path inside bars and the modelled book give the same news and money as a walk tick by tick."""
    kernel = run_kernel(rows, asks, end_ms=END_MS, bar_seconds=1, **how)
    reference = run_reference(rows, asks, end_ms=END_MS, bar_seconds=1, **how)
    assert kernel.news == reference.news
    assert kernel.money == reference.money
    assert kernel.bars == reference.bars
