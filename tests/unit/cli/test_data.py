"""Can a person import market data, see it, check it, and tell two markets apart?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gpt_trader.cli.main import run_command_line
from gpt_trader.market import parquet

HEADER = "timestamp,open,high,low,close,volume"
BARS = [f"2022-01-01 {n // 60:02d}:{n % 60:02d}:00,100,101,99,{100 + n % 2 * 0.5},{1000 + n}" for n in range(120)]

Said = pytest.CaptureFixture[str]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Two hours of minutes."""
    return written(tmp_path / "btc_1m.csv", BARS)


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *lines, ""]))
    return path


def data(*arguments: object) -> int:
    return run_command_line(["data", *map(str, arguments)])


def test_import_then_list(state_home: Path, bars: Path, capsys: Said) -> None:
    """The dataset is called after its file; rows, digest and notes are told."""
    assert data("import", bars, "--stamp", "open") == 0
    said = capsys.readouterr().out
    assert "imported btc_1m: 120 rows" in said
    assert "note: A stamp is read as the open of its bar: as asked." in said
    assert "No findings" in said

    assert data("list") == 0
    said = capsys.readouterr().out
    assert "btc_1m" in said
    assert "bars of 60 s" in said
    assert (state_home / "catalog" / "btc_1m" / "manifest.json").is_file()


def test_list_without_datasets(state_home: Path, capsys: Said) -> None:
    """Says where it looked and how to begin."""
    assert data("list") == 0
    assert f"no datasets yet in {state_home}" in capsys.readouterr().out


def test_list_as_json(state_home: Path, bars: Path, capsys: Said) -> None:
    """Whole manifests, and nothing else on stdout."""
    data("import", bars, "--name", "mine")
    capsys.readouterr()

    assert data("list", "--json") == 0
    (manifest,) = json.loads(capsys.readouterr().out)
    assert (manifest["name"], manifest["quality"]["rows"], manifest["products"][0]["symbol"]) == (
        "mine",
        120,
        "BTC-PERP",
    )


def test_list_names_what_cannot_be_read(state_home: Path, bars: Path, capsys: Said) -> None:
    """The others are listed all the same; exit 2."""
    for name in ("good", "bad"):
        data("import", bars, "--name", name)
    (state_home / "catalog" / "bad" / "manifest.json").write_text("{")
    capsys.readouterr()

    assert data("list") == 2
    streams = capsys.readouterr()
    assert "good" in streams.out
    assert "error: catalog, bad/manifest.json: damaged" in streams.err


def test_import_twice_needs_replace(state_home: Path, bars: Path, capsys: Said) -> None:
    """Exit 2 and what to do."""
    assert data("import", bars) == 0
    assert data("import", bars) == 2
    assert "error: there is a dataset 'btc_1m' already. Fix:" in capsys.readouterr().err
    assert data("import", bars, "--replace") == 0


def test_import_of_other_columns(state_home: Path, tmp_path: Path, capsys: Said) -> None:
    """With grid, symbol and stamp said."""
    path = tmp_path / "klines.csv"
    path.write_text("".join(f"{1_640_995_200_000 + n * 60_000},100,101,99,100.5,7\n" for n in range(10)))
    columns = "ts=1,open=2,high=3,low=4,close=5,base_volume=6"
    options = ["--stamp", "open", "--symbol", "ETH-PERP", "--tick", "0.01", "--lot", "0.001"]

    assert data("import", path, "--columns", columns, *options) == 0
    capsys.readouterr()
    assert data("show", "klines", "--rows", 1) == 0
    said = capsys.readouterr().out
    assert "ETH-PERP (ETH-PERP), tick 0.01, lot 0.001" in said
    assert "2022-01-01 00:01:00.000Z  ETH-PERP  BAR  open 100  high 101  low 99  close 100.5  volume 7" in said


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--stamp=middle", "'middle' is not one of 'open', 'close'"),
        ("--tick=0", "'0' is not a decimal above zero"),
        ("--lot=x", "'x' is not a decimal above zero"),
        ("--lot=NaN", "'NaN' is not a decimal above zero"),
        ("--columns=ts=a", "open, high, low, close missing"),
        ("--name=Big", "dataset name 'Big'"),
    ],
)
def test_wrong_options_are_refused(state_home: Path, bars: Path, capsys: Said, option: str, says: str) -> None:
    """Exit 2, the value and the fix; nothing is written."""
    assert data("import", bars, option) == 2
    assert says in capsys.readouterr().err
    assert not (state_home / "catalog").exists()


def test_help_warns_of_look_ahead(capsys: Said) -> None:
    """The one option with which results can be made up."""
    assert data("import", "--help") == 0
    assert "WRONG IS ONE BAR OF LOOK-AHEAD" in " ".join(capsys.readouterr().out.split())


def test_check_of_a_damaged_file(state_home: Path, tmp_path: Path, capsys: Said) -> None:
    """Line, reason and fix; exit 2."""
    path = written(tmp_path / "btc.csv", [*BARS[:5], BARS[5].replace("101", "90"), *BARS[6:]])

    assert data("check", path) == 2
    assert "error: btc.csv, line 7: high = 90.0: below open or close. Fix: " in capsys.readouterr().err


def test_check_of_a_damaged_dataset(state_home: Path, bars: Path, capsys: Said) -> None:
    """Place, reason and fix; exit 2."""
    data("import", bars, "--name", "mine")
    (file,) = state_home.glob("catalog/mine/rows-*/BTC-PERP/*.parquet")
    file.write_bytes(file.read_bytes()[:-7])

    assert data("check", "mine") == 2
    assert "BTC-PERP/2022-01.parquet: changed since it was written. Fix: import it again" in capsys.readouterr().err


def test_check_marks_what_is_doubtful(state_home: Path, tmp_path: Path, capsys: Said) -> None:
    """Exit 0: marked is not refused."""
    path = written(tmp_path / "btc.csv", [*BARS[:40], *BARS[100:]])

    assert data("check", path) == 0
    said = capsys.readouterr().out
    assert "missing_bars" in said
    assert "the longest: 60 after" in said
    assert "fit to trade on, 1 finding marked" in said


def test_check_refuses_what_must_not_be_traded_on(state_home: Path, tmp_path: Path, capsys: Said) -> None:
    """A price with a digit too many in an otherwise sound file: exit 2, and no import."""
    lines = [line.replace("101", "103") for line in BARS]
    lines[50] = "2022-01-01 00:50:00,100,1001,99,1000,1050"
    path = written(tmp_path / "btc.csv", lines)

    assert data("check", path) == 2
    assert "broken_print" in capsys.readouterr().out
    assert data("import", path) == 2
    assert "btc.csv is refused, nothing was imported" in capsys.readouterr().err


def test_check_as_json(state_home: Path, bars: Path, capsys: Said) -> None:
    """One object with all findings."""
    assert data("check", bars, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["kinds"], found["findings"]) == (120, {"BAR": 120}, [])
    assert found["limits"]["jump_deviations"] == 30


def test_limits_may_be_set(state_home: Path, tmp_path: Path, capsys: Said) -> None:
    """Fewer deviations, more marks."""
    lines = [f"2022-01-01 {n // 60:02d}:{n % 60:02d}:00,100,120,99,{100 + n % 2 + 10 * (n > 60)},9" for n in range(120)]
    path = written(tmp_path / "btc.csv", lines)

    data("check", path, "--json", "--jump", 5)
    assert [each["code"] for each in json.loads(capsys.readouterr().out)["findings"]].count("jump") == 1
    data("check", path, "--json", "--jump", 1000)
    assert json.loads(capsys.readouterr().out)["findings"] == []


@pytest.mark.parametrize("name", ["x.png", "x.html"])
def test_show_draws(state_home: Path, bars: Path, tmp_path: Path, capsys: Said, name: str) -> None:
    """A picture beside the facts."""
    assert data("show", bars, "--plot", tmp_path / name) == 0
    assert f"drawn: {tmp_path / name}" in capsys.readouterr().out
    assert (tmp_path / name).stat().st_size > 1000


def test_show_a_part(state_home: Path, bars: Path, capsys: Said) -> None:
    """From a time, up to another."""
    data("import", bars, "--stamp", "close", "--name", "mine")
    capsys.readouterr()

    assert data("show", "mine", "--from", "2022-01-01T00:10", "--to", "2022-01-01T00:20", "--rows", 1) == 0
    said = capsys.readouterr().out
    assert "10 (10 BAR)" in said
    assert "2022-01-01 00:11:00.000Z  BTC-PERP  BAR" in said


def test_diff_of_file_and_dataset(state_home: Path, bars: Path, capsys: Said) -> None:
    """The same: exit 0."""
    data("import", bars, "--stamp", "open")
    capsys.readouterr()

    assert data("diff", "btc_1m", bars, "--stamp", "open") == 0
    assert "The same: 120 rows." in capsys.readouterr().out


def test_diff_shows_the_first_difference(state_home: Path, bars: Path, tmp_path: Path, capsys: Said) -> None:
    """Exit 1, row, both sides."""
    other = written(tmp_path / "btc_2m.csv", [*BARS[:30], BARS[30].replace("101", "102"), *BARS[31:]])

    assert data("diff", bars, other) == 1
    said = capsys.readouterr().out
    assert "The first difference is row 31 in b." in said
    assert "high 101" in said
    assert "high 102" in said
    assert data("diff", bars, other, "--tolerance", 0.01) == 0


def test_diff_as_json(state_home: Path, bars: Path, tmp_path: Path, capsys: Said) -> None:
    """For scripts."""
    other = written(tmp_path / "btc_2m.csv", BARS[:60])

    assert data("diff", bars, other, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["rows_a"], found["rows_b"], found["first"]["row"]) == (120, 60, 61)


def test_wrong_stamp_is_a_difference_of_one_bar(state_home: Path, bars: Path, capsys: Said) -> None:
    """What look-ahead looks like: the same bars, each known a minute earlier."""
    data("import", bars, "--stamp", "open", "--name", "right")
    data("import", bars, "--stamp", "close", "--name", "wrong")
    capsys.readouterr()

    assert data("diff", "right", "wrong") == 1
    said = capsys.readouterr().out
    assert "in ts, recv." in said
    assert "120 rows differ" in said


def test_unknown_dataset(state_home: Path, capsys: Said) -> None:
    """Exit 2 with the way to make it."""
    assert data("show", "mine") == 2
    assert "no dataset 'mine' in the catalog (none yet)" in capsys.readouterr().err


def test_without_the_extra_files_are_checked_and_imports_refused(
    state_home: Path, bars: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core has no PyArrow; only the catalog needs it, and says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    parquet._arrow.cache_clear()

    assert data("check", bars) == 0
    assert data("list") == 0
    assert data("import", bars) == 2
    assert "pip install 'gpt-trader[research]'" in capsys.readouterr().err
    assert not (state_home / "catalog").exists()


@pytest.mark.parametrize("name", ["btc_perp_1m_20211231_20220201.csv.gz", "binance_usdm_btcusdt_20240808_raw.gz"])
def test_real_data_survives_the_catalog(state_home: Path, shared_data: Path, capsys: Said, name: str) -> None:
    """Both kinds of recordings: what comes out is what is in the file."""
    if not (shared_data / name).exists():
        pytest.skip(f"needs {name} in ../shared/data")
    assert data("import", shared_data / name, "--name", "real") == 0
    assert data("diff", "real", shared_data / name) == 0
    assert data("check", "real") == 0
    assert "fit to trade on" in capsys.readouterr().out


def test_calibration_needs_trades(state_home: Path, bars: Path, capsys: Said) -> None:
    """Bars have no takers: bad input, and what to take instead."""
    assert data("calibrate-impact", bars, "--stamp", "open") == 2
    assert "take a market with trades" in capsys.readouterr().err


def test_calibration_of_a_recording(state_home: Path, shared_data: Path, capsys: Said) -> None:
    """The coefficient with its interval, and how to use it."""
    assert data("calibrate-impact", shared_data / "binance_usdm_btcusdt_20240808_raw.gz", "--seconds", 5) == 0
    said = capsys.readouterr().out
    assert "95 % from" in said
    assert "RISK_IMPACT_COEFFICIENT=1." in said
