"""Is a file read as a person describes it, and a word taken for what is meant?"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.builders import a_product, some_bars

from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.catalog import CatalogStream, open_dataset
from gpt_trader.market.catalog_writer import import_market
from gpt_trader.market.importing import FileReading, check_market, dataset_name, open_file, open_files, open_named
from gpt_trader.market.memory import ArrayStream

HEADER = "timestamp,open,high,low,close,volume"
BARS = [f"2022-01-01 00:{minute:02d}:00,100,101,99,100.5,{minute * 1000}" for minute in range(10)]


def bars(folder: Path, name: str = "btc.csv", lines: list[str] | None = None) -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *(lines or BARS), ""]))
    return path


def capture(folder: Path) -> Path:
    book = {"lastUpdateId": 1, "bids": [["100.0", "1"]], "asks": [["100.1", "1"]]}
    trade = {"stream": "btcusdt@trade", "data": {"s": "BTCUSDT", "p": "100.1", "q": "1", "m": False}}
    path = folder / "capture"
    path.write_text(f"1700000000000000000 {json.dumps(book)}\n1700000001000000000 {json.dumps(trade)}\n")
    return path


def kept(home: Path, name: str = "mine") -> None:
    import_market(home, name, ArrayStream([a_product()], some_bars(10, 11)), now_ns=0)


def test_grid_may_be_given(tmp_path: Path) -> None:
    """Where the data shows too coarse a one."""
    (product,) = open_file(bars(tmp_path), FileReading(tick=Decimal("0.1"), lot=Decimal("0.001"))).products

    assert (product.tick, product.lot) == (Decimal("0.1"), Decimal("0.001"))


def test_price_off_the_given_grid_is_refused(tmp_path: Path) -> None:
    """With its line; rounding it would be a silent repair."""
    with pytest.raises(MarketDataError, match=r"btc\.csv, line 2: close = 100\.5: no multiple of 1\. Fix"):
        open_file(bars(tmp_path), FileReading(tick=Decimal(1)))


def test_volume_of_too_many_lots_is_refused(tmp_path: Path) -> None:
    """A grid too fine for the numbers of the kernel."""
    market = open_file(bars(tmp_path), FileReading(lot=Decimal("1e-14")))

    with pytest.raises(MarketDataError, match=r"line 3: volume = 1000\.0: more than .* lots of 1e-14"):
        list(market.chunks())


def test_close_stamps_come_with_a_warning(tmp_path: Path) -> None:
    """A wrong one is look-ahead, and the notes of every result say so."""
    close, opening = (open_file(bars(tmp_path), FileReading(stamp=stamp)) for stamp in ("close", "open"))

    assert any("one bar too early: that is look-ahead" in note for note in close.notes)
    assert not any("look-ahead" in note for note in opening.notes)


@pytest.mark.parametrize("option", ["stamp", "symbol", "tick", "lot"])
def test_options_of_bars_mean_nothing_to_a_capture(tmp_path: Path, option: str) -> None:
    """Passing them over in silence would let somebody believe in them."""
    value = {"stamp": "open", "symbol": "X-PERP"}.get(option, Decimal(1))

    with pytest.raises(ConfigError, match=rf"--{option}: capture is a raw capture"):
        open_file(capture(tmp_path), FileReading(**{option: value}))  # type: ignore[arg-type]


def test_several_files_become_one_market(tmp_path: Path) -> None:
    """By time, under the name that was chosen."""
    market, sources = open_files([bars(tmp_path), bars(tmp_path, "eth.csv")], FileReading(), "both")

    assert market.name == "both"
    assert [source.name for source in sources] == ["btc.csv", "eth.csv"]
    assert [product.symbol for product in market.products] == ["BTC-PERP", "ETH-PERP"]


def test_one_symbol_cannot_name_two_files(tmp_path: Path) -> None:
    """Said before anything is read."""
    with pytest.raises(ConfigError, match="--symbol names the product of one file"):
        open_files([Path("a"), Path("b")], FileReading(symbol="BTC-PERP"), "both")


def test_reading_tells_how_far_it_is(tmp_path: Path) -> None:
    """In shares of the file, upwards."""
    lines = [f"2022-01-{1 + n // 1440:02d} {n // 60 % 24:02d}:{n % 60:02d}:00,1,1,1,1,1" for n in range(9000)]
    told: list[float] = []
    open_file(bars(tmp_path, lines=lines), FileReading(), told.append)

    assert told == sorted(told)
    assert 0 < told[0] <= told[-1] <= 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("x/BTC_perp 1m.csv.gz", "btc_perp-1m"),
        ("capture.raw.gz", "capture"),
        ("BTCUSDT-1m-2024-01.csv", "btcusdt-1m-2024-01"),
        ("???.csv", "market"),
    ],
)
def test_dataset_is_called_after_its_file(path: str, name: str) -> None:
    """In the letters that a name may have."""
    assert dataset_name(Path(path)) == name


def test_word_means_the_dataset_first(tmp_path: Path) -> None:
    """And a path the file."""
    kept(tmp_path)

    assert open_named(tmp_path, "mine").name == "mine"
    assert open_named(tmp_path, str(bars(tmp_path))).name == "btc.csv"


def test_word_that_is_both_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is traded must not depend on the folder one stands in."""
    kept(tmp_path)
    (tmp_path / "mine").write_text("x")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=r"'mine' is a dataset and a file\. Fix: write \./mine for the file"):
        open_named(tmp_path, "mine")


def test_word_that_is_neither_names_the_datasets(tmp_path: Path) -> None:
    """A typing error is seen at once."""
    kept(tmp_path)

    with pytest.raises(ConfigError, match=r"no dataset 'mime' in the catalog \(mine\)"):
        open_named(tmp_path, "mime")


def test_dataset_is_read_as_it_was_imported(tmp_path: Path) -> None:
    """Another reading would be another dataset."""
    kept(tmp_path)

    with pytest.raises(ConfigError, match="mine is a dataset: how its file was to be read"):
        open_named(tmp_path, "mine", FileReading(stamp="open"))


def test_check_sees_that_a_dataset_was_changed(tmp_path: Path) -> None:
    """Files and manifest in agreement, but not what was imported."""
    kept(tmp_path)
    kept(tmp_path, "other")
    stream = open_dataset(tmp_path, "mine")
    assert isinstance(stream, CatalogStream)
    path = stream.folder / "manifest.json"
    path.write_text(path.read_text().replace(stream.digest, "0" * 64))

    with pytest.raises(MarketDataError, match="the manifest says 000000000000: it was changed after the import"):
        check_market(open_dataset(tmp_path, "mine"))
    assert check_market(open_dataset(tmp_path, "other")).rows == 2
