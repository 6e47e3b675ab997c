"""Are tables with other columns read as what they are called, line by line?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.csv_columns import parse_columns
from gpt_trader.market.importing import FileReading, open_file
from gpt_trader.market.recording import RecordedMarket
from gpt_trader.market.stream import Rows

MAP = "ts=open_time,open=o,high=h,low=l,close=c,base_volume=vol"
HEADER = "id,open_time,o,h,l,c,vol,note"
TABLE = [
    "1,2022-01-01 00:00:00,100.0,103.0,99.0,102.0,300,a",
    "2,2022-01-01 00:01:00,102.0,104.5,102.0,104.0,0,b",
    "3,2022-01-01 00:02:00,104.0,104.0,101.0,101.0,10,c",
]
NEW_YEAR = 1_640_995_200 * NS


def opened(tmp_path: Path, lines: list[str], columns: str = MAP, **options: str) -> RecordedMarket:
    path = tmp_path / "btc.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf8")
    return open_file(path, FileReading(columns=parse_columns(columns), **options))  # type: ignore[arg-type]


def rows_of(market: RecordedMarket) -> Rows:
    return np.concatenate(list(market.chunks()))


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    """In any order, among others."""
    rows = rows_of(opened(tmp_path, [HEADER, *TABLE], stamp="close"))

    assert rows["ts"].tolist() == [NEW_YEAR, NEW_YEAR + 60 * NS, NEW_YEAR + 120 * NS]
    assert [rows[0][name] for name in "abcd"] == [200, 206, 198, 204]


def test_base_volume_is_taken_as_it_is(tmp_path: Path) -> None:
    """300 units are 300 units, whatever the price."""
    market = opened(tmp_path, [HEADER, *TABLE])
    lots = rows_of(market)["e"] * float(market.products[0].lot)

    assert lots.tolist() == pytest.approx([300, 0, 10])
    assert "Volume is in base units, rounded to lots." in market.notes


def test_quote_volume_is_turned_into_base_units(tmp_path: Path) -> None:
    """At the mean of high, low and close."""
    market = opened(tmp_path, [HEADER, *TABLE], MAP.replace("base_volume", "volume"))

    assert rows_of(market)["e"][0] * float(market.products[0].lot) == pytest.approx(300 * 3 / (103 + 99 + 102), abs=0.1)


@pytest.mark.parametrize("unit", [1, 1000, 1_000_000, 1_000_000_000])
def test_table_without_header_goes_by_numbers(tmp_path: Path, unit: int) -> None:
    """Columns from 1, as in the exchange's own archives, with times since the epoch in any unit."""
    lines = [f"{(1_640_995_200 + 60 * n) * unit},100,103,99,102,7,x" for n in range(3)]
    rows = rows_of(opened(tmp_path, lines, "ts=1,open=2,high=3,low=4,close=5,base_volume=6", stamp="open"))

    assert rows["ts"].tolist() == [NEW_YEAR + 60 * n * NS for n in (1, 2, 3)]


def test_numbers_skip_a_header_that_is_there(tmp_path: Path) -> None:
    """Newer archives have one; the first line is data only where it begins with a time."""
    rows = rows_of(opened(tmp_path, [HEADER, *TABLE], "ts=2,open=3,high=4,low=5,close=6,base_volume=7"))

    assert len(rows) == 3


def test_quoted_fields_may_hold_commas(tmp_path: Path) -> None:
    """As spreadsheets write them."""
    quoted = ['"1","2022-01-01 00:00:00","100","103","99","102","300","a, b"', *TABLE[1:]]

    assert len(rows_of(opened(tmp_path, [HEADER, *quoted]))) == 3


def test_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    """Spreadsheets put one at the front."""
    assert len(rows_of(opened(tmp_path, ["\ufeff" + HEADER.removeprefix("id,"), *(line[2:] for line in TABLE)]))) == 3


def test_map_is_part_of_the_market(tmp_path: Path) -> None:
    """Told in the notes, and another digest."""
    one = opened(tmp_path, [HEADER, *TABLE])

    assert "Columns: ts = open_time, open = o, high = h, low = l, close = c, base_volume = vol." in one.notes
    assert one.digest != opened(tmp_path, [HEADER, *TABLE], MAP.replace("base_volume", "volume")).digest


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            [HEADER, TABLE[0], "2,2022-01-01 00:01:00,102.0"],
            r"btc\.csv, line 3: 3 fields where ts = open_time.* needs 7",
        ),
        ([HEADER, TABLE[0], TABLE[1].replace("104.5", "x")], r"btc\.csv, line 3: high = 'x' is not a number"),
        ([HEADER, TABLE[0], TABLE[0]], r"btc\.csv, line 3: timestamp 2022-01-01 00:00:00 stands twice"),
        (
            [HEADER.replace("vol", "amount"), *TABLE],
            r"btc\.csv, line 1: column 'vol' is not in the header \(id, open_time, .*correct --columns",
        ),
        ([HEADER.replace("note", "vol"), *TABLE], "column 'vol' stands twice in the header"),
        ([HEADER], "there is a header but no bar"),
    ],
)
def test_damage_is_named_by_line(tmp_path: Path, lines: list[str], says: str) -> None:
    """The line of the file as it is."""
    with pytest.raises(MarketDataError, match=says):
        opened(tmp_path, lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ts", "'ts' is none of ts, open, high, low, close, volume, base_volume with =COLUMN"),
        ("time=t", "'time=t' is none of"),
        ("ts=", "'ts=' is none of"),
        ("ts=a,ts=b", "ts is named twice"),
        ("ts=a,open=b,close=c,volume=v", "high, low missing"),
        ("ts=a,open=b,high=b,low=b,close=c", "name one of volume"),
        ("ts=a,open=b,high=b,low=b,close=c,volume=v,base_volume=v", "wrong by a factor of the price"),
    ],
)
def test_wrong_map_is_refused_with_an_example(text: str, says: str) -> None:
    """What is missing is named."""
    with pytest.raises(ConfigError, match=says) as caught:
        parse_columns(text)
    assert "Fix: --columns ts=open_time," in str(caught.value)
