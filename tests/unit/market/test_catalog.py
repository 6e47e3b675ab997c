"""Is a dataset what was imported, all of it and nothing else, and refused when it is not?"""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.builders import MINUTE_NS, a_product, some_bars, some_rows

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.catalog import (
    CatalogStream,
    ContentDigest,
    checked_name,
    dataset_names,
    hold,
    is_dataset,
    open_dataset,
    read_manifest,
    unfinished,
)
from gpt_trader.market.catalog_writer import import_market
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import CLEAR, LEVEL, TRADE
from gpt_trader.market.stream import MarketStream, Rows

DAY_NS = 86_400 * NS
BTC, ETH = a_product(), a_product(symbol="ETH-PERP", base="ETH")


def bars(*closes: int, start_ns: int = MINUTE_NS, **options: int) -> MarketStream:
    return ArrayStream([BTC], some_bars(*closes, start_ns=start_ns), notes=("made up",), **options)  # type: ignore[arg-type]


def two_days(chunk_rows: int = 5) -> MarketStream:
    """Two products over midnight, at the same times, with a book each."""
    book = some_rows((CLEAR, 0, 0), (LEVEL, 1, 0, 99, 5), (CLEAR, 0, 1), (LEVEL, 1, 1, 9, 1), (LEVEL, -1, 0, 101, 5))
    trades = some_rows(*((TRADE, 1, n % 2, 100 if n % 2 == 0 else 10, n + 1) for n in range(20)))
    rows = np.concatenate([book, trades])
    rows["ts"] = MINUTE_NS - 8 * NS + (np.arange(25) // 2) * NS
    rows["recv"] = rows["ts"] + 7
    return ArrayStream([BTC, ETH], rows, chunk_rows=chunk_rows)


def rows_of(stream: MarketStream) -> Rows:
    return np.concatenate(list(stream.chunks()))


def test_rows_come_out_as_they_went_in(tmp_path: Path) -> None:
    """Every byte of every row, in the same order, two products and two days."""
    import_market(tmp_path, "mine", two_days(), now_ns=0)

    assert rows_of(open_dataset(tmp_path, "mine")).tobytes() == rows_of(two_days()).tobytes()


def test_dataset_says_what_the_market_said(tmp_path: Path) -> None:
    """Products, times, bar length, notes; and where it came from."""
    market = bars(10, 11, 12)
    import_market(tmp_path, "mine", market, now_ns=0)
    stream = open_dataset(tmp_path, "mine")

    assert (stream.name, stream.products, stream.bar_seconds) == ("mine", market.products, 60)
    assert (stream.start_ns, stream.end_ns, stream.modelled_book) == (market.start_ns, market.end_ns, True)
    assert stream.notes[0] == "made up"
    assert stream.notes[-1] == f"Catalog dataset mine, imported from array sha256:{market.digest[:12]}."


def test_one_file_a_product_and_day(tmp_path: Path) -> None:
    """Days are UTC; a file lies where its product and day say."""
    manifest = import_market(tmp_path, "mine", two_days(), now_ns=0)
    places = [file.path.split("/")[1:] for file in manifest.files]

    assert places == [[symbol, f"2025-06-{day}.parquet"] for symbol in ("BTC-PERP", "ETH-PERP") for day in (15, 16)]
    assert sum(file.rows for file in manifest.files) == manifest.rows == 25


def test_bars_lie_by_month(tmp_path: Path) -> None:
    """A day of minutes is too little for a file."""
    manifest = import_market(tmp_path, "mine", bars(10, 11, start_ns=MINUTE_NS + 15 * DAY_NS - 60 * NS), now_ns=0)

    assert [file.path.split("/")[-1] for file in manifest.files] == ["2025-06.parquet", "2025-07.parquet"]


def test_digest_knows_content_only(tmp_path: Path) -> None:
    """Neither name nor pieces nor notes; one lot more is another content."""
    one = import_market(tmp_path, "one", two_days(chunk_rows=3), now_ns=0)
    two = import_market(tmp_path, "two", two_days(chunk_rows=100), now_ns=99)
    other = rows_of(two_days())
    other["b"][-1] += 1
    three = import_market(tmp_path, "three", ArrayStream([BTC, ETH], other), now_ns=0)

    assert one.digest == two.digest
    assert one.digest != three.digest


def test_digest_knows_the_product() -> None:
    """The same rows with another tick are another market."""
    rows = some_bars(10, 11)
    finer = msgspec.structs.replace(BTC, tick=BTC.tick / 2)

    assert ContentDigest(ArrayStream([BTC], rows)).hexdigest() != ContentDigest(ArrayStream([finer], rows)).hexdigest()


def test_a_name_is_not_taken_twice(tmp_path: Path) -> None:
    """Unless asked to; then the new rows are there and the old files gone."""
    import_market(tmp_path, "mine", bars(10, 11), now_ns=0)

    with pytest.raises(ConfigError, match=r"there is a dataset 'mine' already\. Fix: .*--replace"):
        import_market(tmp_path, "mine", bars(20, 21), now_ns=0)
    import_market(tmp_path, "mine", bars(20, 21), now_ns=0, replace=True)

    assert rows_of(open_dataset(tmp_path, "mine"))["d"].tolist() == [20, 21]
    assert len(list((tmp_path / "catalog" / "mine").glob("rows-*"))) == 1


class Breaks(Exception):
    """Somebody pulled the plug."""


class Breaking(ArrayStream):
    """Ends in the middle, as a full disk or Ctrl-C would."""

    def chunks(self):  # type: ignore[no-untyped-def]
        yield from super().chunks()
        raise Breaks


def test_broken_import_leaves_no_trace(tmp_path: Path) -> None:
    """The catalog is as it was: nothing, or the dataset before."""
    breaking = Breaking([BTC], some_bars(30, 31))

    with pytest.raises(Breaks):
        import_market(tmp_path, "new", breaking, now_ns=0)
    assert dataset_names(tmp_path) == []
    assert not (tmp_path / "catalog" / "new").exists()

    import_market(tmp_path, "old", bars(10, 11), now_ns=0)
    with pytest.raises(Breaks):
        import_market(tmp_path, "old", breaking, now_ns=0, replace=True)
    assert rows_of(open_dataset(tmp_path, "old"))["d"].tolist() == [10, 11]
    assert unfinished(tmp_path) == []


def test_import_that_was_killed_is_pointed_out(tmp_path: Path) -> None:
    """Its folder counts for nothing, is named, and goes with the next import."""
    import_market(tmp_path, "mine", bars(10, 11), now_ns=0)
    left = tmp_path / "catalog" / "mine" / "rows-left"
    left.mkdir()

    assert unfinished(tmp_path) == [left]
    import_market(tmp_path, "mine", bars(20, 21), now_ns=0, replace=True)
    assert unfinished(tmp_path) == []


def test_import_that_goes_on_elsewhere_is_left_alone(tmp_path: Path) -> None:
    """Two of one name: neither removes what the other is writing."""
    import_market(tmp_path, "mine", bars(10, 11), now_ns=0)
    other = tmp_path / "catalog" / "mine" / "rows-other"
    other.mkdir()
    holding = hold(other)

    assert unfinished(tmp_path) == []
    import_market(tmp_path, "mine", bars(20, 21), now_ns=0, replace=True)
    assert other.is_dir()
    os.close(holding)
    assert unfinished(tmp_path) == [other]


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "catalog").write_text("a file stands in the way")

    with pytest.raises(ConfigError, match=r"catalog/mine cannot be written: .*Fix: make room, or set GPT_TRADER_HOME"):
        import_market(tmp_path, "mine", bars(10, 11), now_ns=0)


def test_what_must_not_be_traded_on_is_not_kept(tmp_path: Path) -> None:
    """A finding that refuses says what, when and why; the name stays free."""
    backwards = some_bars(10, 11, 12)
    backwards["ts"][1] = MINUTE_NS - DAY_NS

    with pytest.raises(
        MarketDataError, match=r"array is refused, nothing was imported:\n  time_reversal \(1\), from 2025-06-15"
    ):
        import_market(tmp_path, "mine", ArrayStream([BTC], backwards), now_ns=0)
    assert not is_dataset(tmp_path, "mine")


def test_what_is_doubtful_is_in_the_notes(tmp_path: Path) -> None:
    """Whoever reads results of this market reads of its holes."""
    rows = some_bars(10, 11, 12, 13)
    rows["ts"][2:] += 120 * NS
    import_market(tmp_path, "mine", ArrayStream([BTC], rows), now_ns=0)

    assert any(
        note.startswith("Marked on import: BTC-PERP: missing_bars (2)") for note in open_dataset(tmp_path, "mine").notes
    )


@pytest.mark.parametrize("name", ["", "Big", "a/b", "../x", ".hidden", "-x", "synthetic", "x" * 65, "a b", "ü"])
def test_names_are_plain(name: str) -> None:
    """They become folders and stand beside paths."""
    with pytest.raises(ConfigError, match="dataset name"):
        checked_name(name)


def test_unknown_dataset_names_those_that_exist(tmp_path: Path) -> None:
    """And how to make it."""
    import_market(tmp_path, "mine", bars(10, 11), now_ns=0)

    with pytest.raises(
        ConfigError, match=r"no dataset 'yours' in the catalog \(mine\)\. Fix: gpt-trader data import FILE --name yours"
    ):
        open_dataset(tmp_path, "yours")


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "damaged"), ("{}", "damaged"), ('{"format": "x"}', "damaged"), ("\x00\x01", "damaged")],
)
def test_damaged_manifest_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """By place, with the fix."""
    import_market(tmp_path, "mine", bars(10, 11), now_ns=0)
    (tmp_path / "catalog" / "mine" / "manifest.json").write_text(text)

    with pytest.raises(MarketDataError, match=rf"mine/manifest\.json: {says}.*--replace"):
        read_manifest(tmp_path, "mine")


def test_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    """Rather than read as if it were ours."""
    import_market(tmp_path, "mine", bars(10, 11), now_ns=0)
    path = tmp_path / "catalog" / "mine" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))

    with pytest.raises(MarketDataError, match="format 99, this program reads 1"):
        read_manifest(tmp_path, "mine")


def test_changed_file_is_refused(tmp_path: Path) -> None:
    """Also when it is a sound Parquet file, of another import."""
    import_market(tmp_path, "mine", bars(10, 11), now_ns=0)
    import_market(tmp_path, "other", bars(10, 12), now_ns=0)
    mine, other = (
        (tmp_path / "catalog" / name) / read_manifest(tmp_path, name).files[0].path for name in ("mine", "other")
    )
    mine.write_bytes(other.read_bytes())

    with pytest.raises(MarketDataError, match="changed since it was written"):
        rows_of(open_dataset(tmp_path, "mine"))


def test_missing_file_is_found_on_opening(tmp_path: Path) -> None:
    """Before a bot has traded half of the market."""
    manifest = import_market(tmp_path, "mine", two_days(), now_ns=0)
    (tmp_path / "catalog" / "mine" / manifest.files[-1].path).unlink()

    with pytest.raises(MarketDataError, match=r"dataset mine: .*ETH-PERP/2025-06-16\.parquet is missing"):
        open_dataset(tmp_path, "mine")


def test_bars_have_their_own_length(tmp_path: Path) -> None:
    """No others can be made from them; from ticks any can."""
    import_market(tmp_path, "bars", bars(10, 11), now_ns=0)
    import_market(tmp_path, "ticks", two_days(), now_ns=0)

    with pytest.raises(ConfigError, match=r"run\.bar_seconds = 300: dataset bars holds bars of 60 s"):
        open_dataset(tmp_path, "bars", bar_seconds=300)
    assert open_dataset(tmp_path, "ticks", bar_seconds=300).bar_seconds == 300


def test_length_of_bars_is_no_content_of_ticks(tmp_path: Path) -> None:
    """The same rows read with other bars are still what was imported."""
    manifest = import_market(tmp_path, "ticks", two_days(), now_ns=0)
    stream = open_dataset(tmp_path, "ticks", bar_seconds=300)
    digest = ContentDigest(stream)
    digest.add(rows_of(stream))

    assert digest.hexdigest() == manifest.digest


def test_part_of_a_dataset(tmp_path: Path) -> None:
    """By time; what lies before is not handed out."""
    import_market(tmp_path, "mine", bars(*range(10, 110)), now_ns=0)
    part = open_dataset(tmp_path, "mine", from_ns=MINUTE_NS + 60 * 60 * NS, to_ns=MINUTE_NS + 63 * 60 * NS)

    assert rows_of(part)["d"].tolist() == [71, 72, 73]


def test_datasets_are_listed_by_name(tmp_path: Path) -> None:
    """None at first."""
    assert dataset_names(tmp_path) == []
    for name in ("b", "a"):
        import_market(tmp_path, name, bars(10, 11), now_ns=5)
    (tmp_path / "catalog" / "c").mkdir()

    assert dataset_names(tmp_path) == ["a", "b"]


def test_import_tells_how_far_it_is(tmp_path: Path) -> None:
    """In the market's time, chunk by chunk."""
    told: list[int] = []
    import_market(tmp_path, "mine", bars(10, 11, 12, chunk_rows=2), now_ns=0, tell=told.append)

    assert told == [MINUTE_NS + 60 * NS, MINUTE_NS + 120 * NS]


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    """A market is repeatable."""
    import_market(tmp_path, "mine", two_days(), now_ns=0)
    stream = open_dataset(tmp_path, "mine")

    assert isinstance(stream, CatalogStream)
    assert rows_of(stream).tobytes() == rows_of(stream).tobytes()
