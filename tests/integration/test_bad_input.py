"""Is what cannot be traded refused before anything is written, and does the refusal say what, where and how to mend it?

Exit 2, nothing on stdout, one sentence for each fault on stderr, and an untouched state folder.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from tests.command_line import command, left_behind

from gpt_trader.cli.main import run_command_line

START_NS: Final = 1_700_000_000_000_000_000
STEP_NS: Final = 1_000_000
BAR_HEADER: Final = "timestamp,open,high,low,close,volume"


def a_diff(first: int, last: int, previous: int) -> dict[str, Any]:
    data = {"e": "depthUpdate", "s": "BTCUSDT", "U": first, "u": last, "pu": previous, "b": [], "a": []}
    return {"stream": "btcusdt@depth@0ms", "data": data}


def a_trade(price: str) -> dict[str, Any]:
    data = {"e": "trade", "s": "BTCUSDT", "p": price, "q": "0.004", "X": "MARKET", "m": False}
    return {"stream": "btcusdt@trade", "data": data}


SNAPSHOT: Final = {"lastUpdateId": 100, "bids": [["60000.00", "1.000"]], "asks": [["60000.10", "1.500"]]}
SOUND: Final = (a_diff(80, 105, 79), SNAPSHOT, a_trade("60000.10"), a_diff(106, 110, 105), a_diff(111, 120, 110))


def capture(messages: Sequence[Mapping[str, Any]], *, backwards_at: int | None = None) -> str:
    """Raw USD-M lines a millisecond apart; the line of that index is as old as the first."""
    times = [START_NS + number * STEP_NS for number in range(len(messages))]
    if backwards_at is not None:
        times[backwards_at] = START_NS
    return "".join(f"{at_ns} {json.dumps(message)}\n" for at_ns, message in zip(times, messages, strict=True))


def bars(*rows: str) -> str:
    """A file of 1-minute bars, each row from its minute of 2022-01-01 00:00 on."""
    return "\n".join([BAR_HEADER, *(f"2022-01-01 00:{row}" for row in rows), ""])


SOUND_BARS: Final = ("01:00,100,101,99,100,5000", "02:00,100,101,99,100,5000")

MARKETS: Final[Mapping[str, tuple[str, str]]] = {
    "a gap in U/u/pu": (
        capture([*SOUND[:4], a_diff(112, 120, 111)]),
        "market.gz, line 5: gap in U/u/pu: expected pu = 110, found pu = 111 (U = 112, u = 120)",
    ),
    "a price of NaN": (capture([*SOUND, a_trade("NaN")]), "market.gz, line 6: trade price = nan"),
    "a price of zero": (capture([*SOUND, a_trade("0.00")]), "market.gz, line 6: trade price = 0.0"),
    "times going backwards": (
        capture(SOUND, backwards_at=4),
        f"market.gz, line 5: times going backwards: local time {START_NS} after {START_NS + 3 * STEP_NS}",
    ),
    "no snapshot": (capture([SOUND[0], *SOUND[3:]]), "market.gz: no depth snapshot"),
    "a bar with NaN": (bars(*SOUND_BARS, "03:00,100,nan,99,100,5000"), "market.gz, line 4: high = nan"),
    "a bar at zero": (bars(*SOUND_BARS, "03:00,100,101,0,100,5000"), "market.gz, line 4: low = 0.0"),
    "a bar with a negative price": (bars(*SOUND_BARS, "03:00,100,101,99,-1,5000"), "market.gz, line 4: close = -1.0"),
    "bars going backwards": (
        bars(*SOUND_BARS[::-1], "03:00,100,101,99,100,5000"),
        "market.gz, line 3: times going backwards: 2022-01-01 00:01:00 after 2022-01-01 00:02:00",
    ),
    "a bar that stands twice": (bars(*SOUND_BARS, SOUND_BARS[1]), "market.gz, line 4: "),
    "something else": ("dear diary\n", "market.gz, line 1: unknown format, it begins with 'dear diary'"),
    "nothing": ("", "market.gz: the file is empty"),
}
"""The text of a file that must not be traded on, and what is said of it."""


def refused(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> str:
    """What `run` says when it refuses, in one line; proves exit 2, an empty stdout, and that nothing was written."""
    assert run_command_line(["run", "--json", *arguments]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("error: ")
    assert "Fix: " in streams.err
    assert "Traceback" not in streams.err
    assert left_behind(home) == []
    return " ".join(streams.err.split())


@pytest.mark.parametrize("fault", MARKETS)
def test_a_damaged_market_is_refused(
    fault: str, capsys: pytest.CaptureFixture[str], state_home: Path, tmp_path: Path
) -> None:
    """With the file, the line, the value and what to do; although everything before that line was sound."""
    text, said = MARKETS[fault]
    path = tmp_path / "market.gz"
    path.write_bytes(gzip.compress(text.encode()))

    assert said in refused(capsys, state_home, "--market", str(path))


def test_a_missing_market_is_refused(capsys: pytest.CaptureFixture[str], state_home: Path, tmp_path: Path) -> None:
    """With the path as it was looked for."""
    path = tmp_path / "nowhere.csv.gz"

    said = refused(capsys, state_home, "--market", str(path))

    assert f"nowhere.csv.gz: cannot be read: No such file or directory ({path})" in said


def test_a_mistyped_market_is_refused(capsys: pytest.CaptureFixture[str], state_home: Path) -> None:
    """With the names that there are."""
    said = refused(capsys, state_home, "--market", "sinthetic")

    assert "venue.market = 'sinthetic': neither a file nor one of the markets there are (synthetic)." in said


def test_a_truncated_market_is_refused(capsys: pytest.CaptureFixture[str], state_home: Path, tmp_path: Path) -> None:
    """A download that broke off gives a shorter, sound beginning; it must not be traded as if it were the whole."""
    path = tmp_path / "market.gz"
    whole = gzip.compress(capture(SOUND).encode())
    path.write_bytes(whole[: len(whole) * 2 // 3])

    said = refused(capsys, state_home, "--market", str(path))

    assert "the compressed file ends here, in the middle: it is truncated" in said


def test_a_market_that_is_not_gzip_is_refused(
    capsys: pytest.CaptureFixture[str], state_home: Path, tmp_path: Path
) -> None:
    """The name promises gzip and the content is something else, so one of them is wrong."""
    path = tmp_path / "market.gz"
    path.write_text(capture(SOUND))

    assert "market.gz: the name ends with .gz, but this is not gzip" in refused(
        capsys, state_home, "--market", str(path)
    )


@pytest.mark.parametrize("name", ["binance_usdm_btcusdt_20240808_raw.gz", "btc_perp_1m_20211231_20220201.csv.gz"])
def test_a_real_recording_cut_short_is_refused(
    name: str, capsys: pytest.CaptureFixture[str], state_home: Path, tmp_path: Path, shared_data: Path
) -> None:
    """Far into the file: what is refused is the recording, not what was read of it so far."""
    path = tmp_path / name
    whole = (shared_data / name).read_bytes()
    path.write_bytes(whole[: len(whole) // 10])

    said = refused(capsys, state_home, "--market", str(path))

    assert "the compressed file ends here, in the middle: it is truncated" in said


def test_a_symbol_that_the_market_lacks_is_refused(
    capsys: pytest.CaptureFixture[str], state_home: Path, tmp_path: Path
) -> None:
    """The recording's own symbols are what can be asked for."""
    path = tmp_path / "market.gz"
    path.write_bytes(gzip.compress(capture(SOUND).encode()))

    said = refused(capsys, state_home, "--market", str(path), "--symbols", "ETH-PERP")

    assert "symbols = ETH-PERP: the market market.gz has only BTC-PERP. Fix: --symbols BTC-PERP" in said


ENVIRONMENT: Final[Mapping[str, tuple[str, str]]] = {
    "RISK_MAX_LEVERAGE": ("abc", "risk.max_leverage = 'abc' (environment RISK_MAX_LEVERAGE): not a whole number."),
    "RISK_DAILY_LOSS_LIMIT": ("-1", "risk.daily_loss_limit = '-1' (environment RISK_DAILY_LOSS_LIMIT): below"),
    "RISK_MAX_EXPOSURE_PCT": (
        "-0.5",
        "risk.max_exposure_pct = '-0.5' (environment RISK_MAX_EXPOSURE_PCT): not above 0.",
    ),
    "RISK_MAX_LEVERGE": ("3", "did you mean RISK_MAX_LEVERAGE."),
    "RISK_ENABLE_MARKET_IMPACT_GUARD": ("maybe", "risk.enable_market_impact_guard = 'maybe'"),
    "SLIPPAGE_MULTIPLIERS": ("BTC-PERP", "execution.slippage_multipliers"),
}
"""Name of a variable, a value that it cannot have, and what is said of it."""


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_bad_variable_is_refused(
    name: str, capsys: pytest.CaptureFixture[str], state_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting, the value and the name of the variable."""
    value, said = ENVIRONMENT[name]
    monkeypatch.setenv(name, value)

    assert said in refused(capsys, state_home)


def test_an_unknown_profile_is_refused(capsys: pytest.CaptureFixture[str], state_home: Path) -> None:
    """With the profiles that there are."""
    said = refused(capsys, state_home, "--profile", "dev_entri")

    assert "profile 'dev_entri': no such profile" in said
    assert "dev_entry" in said


def test_an_unknown_key_in_a_profile_is_refused(
    capsys: pytest.CaptureFixture[str], state_home: Path, tmp_path: Path
) -> None:
    """With file, line and the key that was probably meant."""
    profile = tmp_path / "mine.yaml"
    profile.write_text("symbols: [BTC-PERP]\nstrategy:\n  short_ma: 5\n  long_am: 20\n")

    said = refused(capsys, state_home, "--profile", str(profile))

    assert f"strategy.long_am ({profile}:4): no such setting. Fix: did you mean strategy.long_ma." in said


def test_a_negative_limit_in_a_risk_file_is_refused(
    capsys: pytest.CaptureFixture[str], state_home: Path, tmp_path: Path
) -> None:
    """A limit below zero would refuse everything or nothing, depending on who reads it."""
    limits = tmp_path / "limits.json"
    limits.write_text('{\n  "max_leverage": 3,\n  "max_position_pct_per_symbol": -0.2\n}\n')

    said = refused(capsys, state_home, "--risk-file", str(limits))

    assert f"risk.max_position_pct_per_symbol = '-0.2' (risk file {limits}:3): not above 0." in said


def test_all_faults_are_said_at_once(
    capsys: pytest.CaptureFixture[str], state_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wants to mend them one start at a time."""
    monkeypatch.setenv("RISK_MAX_LEVERAGE", "abc")
    monkeypatch.setenv("RISK_DAILY_LOSS_LIMIT", "-1")

    said = refused(capsys, state_home, "--pace", "fast", "--cash", "-5")

    for setting in ("risk.max_leverage", "risk.daily_loss_limit", "run.pace", "venue.starting_cash"):
        assert setting in said


def test_a_profile_of_real_money_is_refused_without_all_it_needs(
    capsys: pytest.CaptureFixture[str], state_home: Path
) -> None:
    """By name; it is never run on the simulated venue instead."""
    assert "profile canary" in refused(capsys, state_home, "--profile", "canary")


def test_the_real_command_refuses_alike(state_home: Path) -> None:
    """A process of its own, as a person or a script starts it."""
    done = command("run", "--profile", "dev_entry", env={"RISK_MAX_LEVERAGE": "abc"})

    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: risk.max_leverage = 'abc' (environment RISK_MAX_LEVERAGE): not a whole number.")
    assert left_behind(state_home) == []
