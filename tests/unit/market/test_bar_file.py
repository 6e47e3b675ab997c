"""Are bars read as they were, at the time they were known, and refused where they are damaged?"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.bar_file import BATCH_BARS, CARRIED_BARS_MAX
from gpt_trader.market.quality import inspect
from gpt_trader.market.recorded import open_market
from gpt_trader.market.recording import RecordedMarket
from gpt_trader.market.rows import BAR
from gpt_trader.market.stream import Rows

HEADER = "timestamp,open,high,low,close,volume"
NEW_YEAR = 1_640_995_200 * NS
"""2022-01-01 00:00 UTC."""
GOOD = [
    "2022-01-01 00:00:00.000000,100.0,103.0,99.0,102.0,30400.0",
    "2022-01-01 00:01:00.000000,102.0,104.5,102.0,104.0,0.0",
    "2022-01-01 00:02:00.000000,104.0,104.0,101.0,101.0,1020.0",
]


def opened(tmp_path: Path, lines: list[str], *, name: str = "btc_perp_1m.csv", **options: Any) -> RecordedMarket:
    path = tmp_path / name
    path.write_text("\n".join([HEADER, *lines, ""]))
    return open_market(path, **options)


def rows_of(market: RecordedMarket) -> Rows:
    return np.concatenate(list(market.chunks()))


def test_prices_are_ticks(tmp_path: Path) -> None:
    """The tick is found in the data, and every price is a whole number of it."""
    market = opened(tmp_path, GOOD)
    rows = rows_of(market)

    assert f"{market.products[0].tick:f}" == "0.5"
    assert (rows["kind"] == BAR).all()
    assert [int(rows[0][name]) for name in "abcd"] == [200, 206, 198, 204]


def test_volume_becomes_base_units(tmp_path: Path) -> None:
    """30,400 of quote at a mean of (103 + 99 + 102) / 3 are 300 base units."""
    market = opened(tmp_path, GOOD)
    lot = float(market.products[0].lot)

    assert rows_of(market)["e"][0] * lot == pytest.approx(300.0)
    assert rows_of(market)["e"][1] == 0


def test_stamp_is_the_open_where_the_data_does_not_tell(tmp_path: Path) -> None:
    """A bar is then known a bar after its stamp: late at worst, never early."""
    market = opened(tmp_path, GOOD)

    assert rows_of(market)["ts"][0] == NEW_YEAR + 60 * NS
    assert (market.start_ns, market.end_ns) == (NEW_YEAR, NEW_YEAR + 180 * NS)
    assert any("read as the open" in note for note in market.notes)


def test_stamp_is_what_the_user_says(tmp_path: Path) -> None:
    """With close, a bar is known at its stamp, and the market is another one."""
    market = opened(tmp_path, GOOD, stamp="close")

    assert rows_of(market)["ts"][0] == NEW_YEAR
    assert market.digest != opened(tmp_path, GOOD).digest


def many_days(busy_minute: int, days: int = 4) -> list[str]:
    """Days of minutes, with three times the volume in one minute of each quarter hour."""
    lines = []
    for minute in range(days * 1440):
        stamp = f"2022-01-{1 + minute // 1440:02d} {minute // 60 % 24:02d}:{minute % 60:02d}:00"
        lines.append(f"{stamp},100,101,99,100,{3000 if minute % 15 == busy_minute else 1000}")
    return lines


@pytest.mark.parametrize(("busy_minute", "reading"), [(1, "close"), (0, "open"), (7, "open")])
def test_stamp_follows_the_evidence(tmp_path: Path, busy_minute: int, reading: str) -> None:
    """Trading is busiest in the first minute of a quarter hour; a close stamp calls that minute :01."""
    notes = " ".join(opened(tmp_path, many_days(busy_minute)).notes)

    assert f"A stamp is read as the {reading} of its bar" in notes


def test_missing_minutes_carry_the_close(tmp_path: Path) -> None:
    """A hole is filled with bars that do not move and have no volume, and is counted."""
    market = opened(
        tmp_path, [GOOD[0], "2022-01-01 00:03:00,104,105,103,105,1000", "2022-01-01 00:04:00,105,105,105,105,1"]
    )
    rows = rows_of(market)

    assert rows["ts"].tolist() == [NEW_YEAR + 60 * NS * n for n in range(1, 6)]
    assert rows["d"].tolist() == [102, 102, 102, 105, 105]
    assert rows["a"].tolist() == [100, 102, 102, 104, 105]
    assert rows["e"].tolist()[1:3] == [0, 0]
    assert any(note.startswith("2 bars that the file does not have") for note in market.notes)


def test_a_hole_between_two_chunks_is_carried_too(tmp_path: Path) -> None:
    """Chunks end anywhere; the close before is remembered."""
    lines = many_days(1, days=6)
    market = opened(tmp_path, [*lines[:BATCH_BARS], *lines[BATCH_BARS + CARRIED_BARS_MAX :]])
    rows = rows_of(market)

    assert [len(chunk) for chunk in market.chunks()] == [BATCH_BARS, 6 * 1440 - BATCH_BARS]
    assert (np.diff(rows["ts"]) == 60 * NS).all()
    assert (rows["e"][BATCH_BARS : BATCH_BARS + CARRIED_BARS_MAX] == 0).all()


@pytest.mark.parametrize("hole", [CARRIED_BARS_MAX + 1, 499])
def test_a_long_hole_stays_a_hole(tmp_path: Path, hole: int) -> None:
    """No price is invented for it: it is marked, with its place, and the notes count it."""
    lines = many_days(1, days=2)
    market = opened(tmp_path, [*lines[:1000], *lines[1000 + hole :]])
    rows = rows_of(market)
    found = {finding.code: finding for finding in inspect(market).findings}

    assert len(rows) == 2 * 1440 - hole
    assert found["missing_bars"].count == hole
    assert found["missing_bars"].first_ns == rows["ts"][1000]
    assert any(note.startswith(f"{hole} bars that the file does not have") for note in market.notes)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("btc_perp_1m_20211231.csv", "BTC-PERP"),
        ("ETHUSDT-1m-2024.csv", "ETH-PERP"),
        ("kraken.SOLUSD.csv", "SOL-PERP"),
        ("data.csv", "MARKET-PERP"),
    ],
)
def test_product_is_called_after_the_file(tmp_path: Path, name: str, symbol: str) -> None:
    """The file itself does not say; where its name does not either, nothing is invented."""
    assert opened(tmp_path, GOOD, name=name).products[0].symbol == symbol


def test_bars_of_another_length_are_refused(tmp_path: Path) -> None:
    """Bars are not made from bars here; the setting is named."""
    with pytest.raises(ConfigError, match=r"run\.bar_seconds = 300.*bars of 60 s"):
        opened(tmp_path, GOOD, bar_seconds=300)


def test_bars_of_five_minutes_are_read_as_such(tmp_path: Path) -> None:
    """The length of a bar is the smallest distance between two."""
    five = [line.replace(":01:", ":05:").replace(":02:", ":10:") for line in GOOD]

    assert opened(tmp_path, five).bar_seconds == 300


def test_prices_between_ticks_are_pointed_out(tmp_path: Path) -> None:
    """A few prices between the steps of all others were not traded but computed."""
    lines = many_days(1)
    lines[77] = lines[77].replace(",100,101,99,100,", ",100.25,101,99,100.125,")

    assert any(note.startswith("2 of 23,040 prices lie between steps of 1:") for note in opened(tmp_path, lines).notes)


def test_a_file_that_may_be_cut_says_so(tmp_path: Path) -> None:
    """A last line without its end may have lost digits."""
    path = tmp_path / "btc.csv"
    path.write_text("\n".join([HEADER, *GOOD]))

    assert any("may be cut" in note for note in open_market(path).notes)


def changed(at: int, line: str) -> list[str]:
    return [*GOOD[:at], line, *GOOD[at + 1 :]]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (changed(1, "2022-01-01 00:01:00,NaN,104,102,104,1"), "line 3: open = nan"),
        (changed(1, "2022-01-01 00:01:00,102,inf,102,104,1"), "line 3: high = inf"),
        (changed(1, "2022-01-01 00:01:00,102,104,0,104,1"), r"line 3: low = 0\.0"),
        (changed(1, "2022-01-01 00:01:00,102,104,102,-104,1"), r"line 3: close = -104\.0"),
        (changed(1, "2022-01-01 00:01:00,102,104,102,104,-1"), r"line 3: volume = -1\.0"),
        (changed(1, "2022-01-01 00:01:00,102,103,102,104,1"), r"line 3: high = 103\.0: below open or close"),
        (changed(1, "2022-01-01 00:01:00,102,104,103,104,1"), r"line 3: low = 103\.0: above open or close"),
        (changed(1, "2022-01-01 00:01:00,102,1e300,102,104,1"), r"line 3: high = 1e\+300.*too large"),
        (changed(1, "2022-01-01 00:01:00,102,104.123456789,102,104,1"), r"line 3: high = 104\.123456789: finer than"),
        (changed(1, "2022-01-01 00:01:00,102,104,102,104,1e300"), r"line 3: volume = 1e\+300.*too large"),
        (changed(1, "2022-01-01 00:01:00,102,abc,102,104,1"), "line 3: high = 'abc' is not a number"),
        (changed(1, "yesterday,102,104,102,104,1"), "line 3: timestamp = 'yesterday' is not a time"),
        (changed(1, "2022-01-01 00:01:00,102,104,102"), "line 3: 4 fields"),
        (changed(1, ""), "line 3: 1 fields"),
        (changed(1, GOOD[0]), "line 3: timestamp 2022-01-01 00:00:00 stands twice"),
        ([GOOD[0], GOOD[2], GOOD[1]], "line 4: times going backwards: 2022-01-01 00:01:00 after 2022-01-01 00:02:00"),
        (changed(2, "2022-01-01 00:02:30,104,104,101,101,1"), "line 4: 90 s after"),
        (changed(2, "2022-03-01 00:02:00,104,104,101,101,1"), "line 4: .* bars are missing"),
        (GOOD[:1], "one bar only"),
        ([], "no bar"),
    ],
)
def test_damage_is_refused_with_file_line_and_fix(tmp_path: Path, lines: list[str], says: str) -> None:
    """Whatever is wrong, opening says where and what to do, before a row is handed out."""
    with pytest.raises(MarketDataError, match=says) as caught:
        opened(tmp_path, lines)
    assert str(caught.value).startswith("btc_perp_1m.csv")
    assert "Fix: " in str(caught.value)


def test_real_bars_are_read_with_close_stamps(shared_data: Path) -> None:
    """A month of BTC-PERP: the inflation figures of 12 January 2022, 13:30 UTC, move the bar stamped 13:31."""
    path = shared_data / "btc_perp_1m_20211231_20220201.csv.gz"
    if not path.exists():
        pytest.skip("needs the BTC-PERP bars in ../shared/data")
    market = open_market(path)
    rows = rows_of(market)

    assert (market.products[0].symbol, market.bar_seconds, len(rows)) == ("BTC-PERP", 60, 45_031)
    assert any("read as the close" in note for note in market.notes)
    assert rows["ts"][0] == 1_640_991_660 * NS
    assert b"2022-01-12 13:31:00" in gzip.decompress(path.read_bytes())
