"""Does a raw capture become the exchange's own book, and is a damaged one refused with file, line and fix?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader.core.errors import MarketDataError
from gpt_trader.market.binance_raw import open_raw_capture
from gpt_trader.market.recorded import open_market
from gpt_trader.market.recording import RecordedMarket, SourceFile
from gpt_trader.market.rows import CLEAR, LEVEL, TRADE
from gpt_trader.market.stream import Rows

START = 1_700_000_000_000_000_000
SNAPSHOT_ID = 100
Levels = list[list[str]]


def a_diff(first: int, last: int, previous: int, bids: Levels | None = None, asks: Levels | None = None) -> Any:
    data = {"e": "depthUpdate", "s": "BTCUSDT", "U": first, "u": last, "pu": previous, "b": bids or [], "a": asks or []}
    return {"stream": "btcusdt@depth@0ms", "data": data}


def a_snapshot(update_id: int = SNAPSHOT_ID) -> Any:
    bids = [["60000.00", "1.000"], ["59999.90", "2.000"]]
    return {"lastUpdateId": update_id, "bids": bids, "asks": [["60000.10", "1.500"], ["60000.20", "2.500"]]}


def a_trade(price: str = "60000.10", quantity: str = "0.004", *, maker: bool = False, kind: str = "MARKET") -> Any:
    data = {"e": "trade", "s": "BTCUSDT", "p": price, "q": quantity, "X": kind, "m": maker}
    return {"stream": "btcusdt@trade", "data": data}


def a_ticker(bid: str = "60000.00", ask: str = "60000.10") -> Any:
    data = {"e": "bookTicker", "u": 1, "s": "BTCUSDT", "b": bid, "B": "1.000", "a": ask, "A": "1.000"}
    return {"stream": "btcusdt@bookTicker", "data": data}


GOOD = [
    a_diff(80, 90, 79),
    a_diff(91, 105, 90, bids=[["60000.00", "3.000"]]),
    a_snapshot(),
    a_trade(),
    a_diff(106, 110, 105, asks=[["60000.10", "0.000"], ["60000.30", "4.000"]]),
    a_ticker(),
    a_diff(111, 120, 110),
    a_trade("60000.20", maker=True),
]


def text_of(messages: list[Any], *, step_ns: int = 1_000_000) -> str:
    return "".join(f"{START + n * step_ns} {json.dumps(message)}\n" for n, message in enumerate(messages))


def opened(tmp_path: Path, text: str) -> RecordedMarket:
    path = tmp_path / "capture"
    path.write_text(text)
    return open_raw_capture(SourceFile(path))


def rows_of(market: RecordedMarket) -> Rows:
    return np.concatenate(list(market.chunks()))


def levels(rows: Rows) -> dict[int, dict[int, int]]:
    """The book that is left after all rows, by side."""
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    for kind, side, price, lots in zip(*(rows[name].tolist() for name in ("kind", "side", "a", "b")), strict=True):
        if kind == CLEAR:
            book = {1: {}, -1: {}}
        elif kind == LEVEL:
            book[side][price] = lots
    return {side: {price: lots for price, lots in half.items() if lots} for side, half in book.items()}


def test_book_is_snapshot_plus_newer_diffs(tmp_path: Path) -> None:
    """A diff that came before the snapshot's line but is newer than it is applied; an older one is not."""
    market = opened(tmp_path, text_of(GOOD))

    book = levels(rows_of(market))

    assert book[1] == {600_000: 3000, 599_999: 2000}
    assert book[-1] == {600_002: 2500, 600_003: 4000}
    assert "1 depth diffs older than the snapshot were dropped by rule." in market.notes


def test_market_begins_with_the_snapshot(tmp_path: Path) -> None:
    """Before it there is no book, so nothing can be traded."""
    market = opened(tmp_path, text_of(GOOD))

    assert START + 2_000_000 == market.start_ns == rows_of(market)["ts"][0]
    assert market.end_ns == START + 7_000_000


def test_trades_carry_the_aggressor(tmp_path: Path) -> None:
    """Where the buyer is the maker, the seller took."""
    rows = rows_of(opened(tmp_path, text_of(GOOD)))
    trades = rows[rows["kind"] == TRADE]

    assert [(int(t["a"]), int(t["b"]), int(t["side"])) for t in trades] == [(600_001, 4, 1), (600_002, 4, -1)]


def test_what_is_removed_goes_first(tmp_path: Path) -> None:
    """A book that moves up in one message is not crossed half way through it."""
    up = a_diff(106, 110, 105, bids=[["60000.10", "1.000"]], asks=[["60000.10", "0.000"]])
    rows = rows_of(opened(tmp_path, text_of([*GOOD[:3], up])))

    assert [(int(row["side"]), int(row["b"])) for row in rows[-2:]] == [(-1, 0), (1, 1000)]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """Mark, funding and bar length are assumptions that a reader must know."""
    notes = " ".join(opened(tmp_path, text_of(GOOD)).notes)

    assert "Bars of 5 s" in notes
    assert "mark = mid" in notes
    assert "no funding" in notes
    assert "BTCUSDT is called BTC-PERP" in notes


def test_market_of_an_hour_has_bars_of_a_minute(tmp_path: Path) -> None:
    """Short bars are for short markets."""
    assert opened(tmp_path, text_of(GOOD, step_ns=3_600_000_000_000)).bar_seconds == 60


def test_trades_off_the_book_are_left_out_and_counted(tmp_path: Path) -> None:
    """The exchange writes insurance fund and ADL into the trade stream, with zero prices."""
    market = opened(tmp_path, text_of([*GOOD, a_trade("0", "0", kind="NA")]))

    assert "1 trades off the book are not used." in market.notes


def test_unknown_streams_are_counted(tmp_path: Path) -> None:
    """What is read past is said."""
    other = {"stream": "btcusdt@forceOrder", "data": {"e": "forceOrder"}}

    assert "1 lines of forceOrder are not used." in opened(tmp_path, text_of([*GOOD, other])).notes


def test_old_snapshot_in_a_sound_stream_changes_nothing(tmp_path: Path) -> None:
    """A recorder that asks for a snapshot now and then gets one that is older than the diffs."""
    market = opened(tmp_path, text_of([*GOOD, a_snapshot(95)]))

    assert (rows_of(market)["kind"] == CLEAR).sum() == 1


def test_newer_snapshot_starts_the_book_again(tmp_path: Path) -> None:
    """It replaces every level, and the diffs go on from it."""
    market = opened(tmp_path, text_of([*GOOD, a_snapshot(125), a_diff(121, 130, 120, bids=[["59999.80", "1.000"]])]))

    assert levels(rows_of(market))[1] == {600_000: 1000, 599_999: 2000, 599_998: 1000}


def replaced(at: int, message: Any) -> str:
    return text_of([*GOOD[:at], message, *GOOD[at + 1 :]])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (replaced(6, a_diff(112, 120, 111)), r"line 7: gap in U/u/pu: expected pu = 110, found pu = 111"),
        (replaced(1, a_diff(91, 105, 91)), r"line 2: gap in U/u/pu: expected pu = 90"),
        (text_of([a_snapshot(), a_diff(120, 130, 119), a_trade()]), r"line 2: gap.*expected pu <= lastUpdateId = 100"),
        (replaced(6, a_diff(121, 120, 110)), "line 7: gap"),
        (replaced(4, a_diff(106, 110, 105, asks=[["NaN", "1"]])), r"line 5: ask price = nan"),
        (replaced(4, a_diff(106, 110, 105, asks=[["inf", "1"]])), r"line 5: ask price = inf"),
        (replaced(4, a_diff(106, 110, 105, bids=[["0.00", "1"]])), r"line 5: bid price = 0.0"),
        (replaced(4, a_diff(106, 110, 105, bids=[["-1.00", "1"]])), r"line 5: bid price = -1.0"),
        (replaced(4, a_diff(106, 110, 105, bids=[["60000", "-1"]])), r"line 5: bid quantity = -1.0"),
        (
            replaced(4, a_diff(106, 110, 105, bids=[["60000.05", "1"]])),
            r"line 5: bid price = 60000.05: not on the grid",
        ),
        (replaced(4, a_diff(106, 110, 105, bids=[["1e300", "1"]])), r"line 5: bid price = 1e\+300.*too large"),
        (replaced(4, a_diff(106, 110, 105, bids=[["60000", "1e30"]])), r"line 5: bid quantity = 1e\+30.*too large"),
        (replaced(4, a_diff(106, 110, 105, bids=[["100000000", "1"]])), r"line 5: bid price = 100000000.0.*too large"),
        (
            replaced(4, a_diff(106, 110, 105, bids=[["60000", "2e9"]])),
            r"line 5: bid quantity = 2000000000.0.*too large",
        ),
        (replaced(4, a_diff(106, 110, 105, bids=[["sixty", "1"]])), r"line 5: Expected `float`"),
        (replaced(0, a_diff(80, 90, 79, bids=[["NaN", "1"]])), r"line 1: bid price = nan"),
        (replaced(3, a_trade("0")), r"line 4: trade price = 0.0"),
        (replaced(3, a_trade(quantity="0")), r"line 4: trade quantity = 0.0"),
        (replaced(5, a_ticker("60000.10", "60000.10")), r"line 6: crossed: best bid 60000.1 >= best ask 60000.1"),
        (replaced(5, a_ticker("nan")), r"line 6: bid price = nan"),
        (replaced(3, {"stream": "x@trade", "data": {**a_trade()["data"], "s": "ETHUSDT"}}), r"line 4: s = ETHUSDT"),
        (text_of(GOOD)[:-40], r"line 8: .*(truncated|Input data)"),
        (text_of(GOOD) + "1700000000000000000 {}\n", r"line 9: times going backwards"),
        (text_of(GOOD) + "soon {}\n", r"line 9: local time = 'soon'"),
        (text_of(GOOD) + "\n", r"line 9: local time = ''"),
        (text_of([a_diff(80, 90, 79), a_trade()]), "no depth snapshot"),
        (text_of([a_snapshot()]), "nothing follows the depth snapshot"),
    ],
)
def test_damage_is_refused_with_file_line_and_fix(tmp_path: Path, text: str, says: str) -> None:
    """Whatever is wrong, opening says where and what to do, before a row is handed out."""
    with pytest.raises(MarketDataError, match=says) as caught:
        opened(tmp_path, text)
    assert str(caught.value).startswith("capture")
    assert "Fix: " in str(caught.value)


def test_grid_of_an_unknown_product_is_found_in_the_data(tmp_path: Path) -> None:
    """Tick and lot are the greatest steps that all prices and quantities lie on."""
    text = text_of(GOOD).replace("BTCUSDT", "ABCUSDT").replace("60000.10", "60000.50").replace("60000.20", "60001.00")
    text = text.replace("60000.30", "60001.50").replace("59999.90", "59999.50")
    (product,) = opened(tmp_path, text).products

    assert (product.symbol, f"{product.tick:f}", f"{product.lot:f}") == ("ABC-PERP", "0.5", "0.004")


def test_two_passes_give_the_same_rows(tmp_path: Path) -> None:
    """A market is repeatable."""
    market = opened(tmp_path, text_of(GOOD))

    assert rows_of(market).tobytes() == rows_of(market).tobytes()


def test_real_capture_becomes_a_sound_book(shared_data: Path) -> None:
    """Six minutes of BTCUSDT: never crossed at the end of a chunk, time in order, five-second bars."""
    path = shared_data / "binance_usdm_btcusdt_20240808_raw.gz"
    if not path.exists():
        pytest.skip("needs the raw BTCUSDT capture in ../shared/data")
    market = open_market(path)
    rows = rows_of(market)
    book = levels(rows)

    assert (market.products[0].symbol, market.bar_seconds, (rows["kind"] == TRADE).sum()) == ("BTC-PERP", 5, 21_308)
    assert (np.diff(rows["ts"]) >= 0).all()
    assert max(book[1]) < min(book[-1])
    assert "4 depth diffs older than the snapshot were dropped by rule." in market.notes
