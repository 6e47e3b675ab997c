"""Which tactic costs less, and which fills more? The same entries by three tactics, compared by `gpt-trader tca`.

Over the real command: the synthetic market, and a raw capture of a real one. On a market of 1-minute bars nothing
happens within 13 s, so there aggressive limit gets the time of a bar.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import a_home, ended, started

TACTICS = ("market", "simple_limit", "aggressive_limit")
BUSY = {
    "GPT_TRADER_STRATEGY__SHORT_MA": "1",
    "GPT_TRADER_STRATEGY__LONG_MA": "2",
    "GPT_TRADER_STRATEGY__CONFIRMATION_BARS": "0",
}
"""Wants something at almost every turn, so that a short market shows many entries."""
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def entries(home: Path, market: tuple[str, ...], env: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    """What the entries of one market cost by each tactic, as the command prints it."""
    found = {}
    for tactic in TACTICS:
        surroundings = {"GPT_TRADER_HOME": str(home), "GPT_TRADER_STRATEGY__ENTRY_TACTIC": tactic, **BUSY, **env}
        done = ended(started("run", "--engine", "advanced", "--json", *market, env=surroundings))
        assert done.code == 0, done.err
        assert done.summary["system_errors"] == 0
        table = ended(started("tca", done.summary["store"], "--by", "tactic,purpose", "--json", env=surroundings))
        assert table.code == 0, table.err
        (row,) = (row for row in table.summary["by"]["tactic,purpose"] if row["purpose"] == "ENTRY")
        assert row["tactic"] == tactic
        assert row["intents"] > 20
        found[tactic] = row
    return found


def check(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Aggressive limit costs less than market and fills more than simple limit."""
    shortfall = {tactic: Decimal(row["bps"]["shortfall"]) for tactic, row in rows.items()}
    filled = {tactic: Decimal(row["fill_rate"]) for tactic, row in rows.items()}
    assert shortfall["aggressive_limit"] < shortfall["market"]
    assert filled["aggressive_limit"] > filled["simple_limit"]
    assert filled["aggressive_limit"] == filled["market"] == 1


def test_on_the_synthetic_market(tmp_path: Path) -> None:
    """Three hours of it: half a spread and the maker's fee are kept, most of the time."""
    check(entries(a_home(tmp_path), ("--duration", "3h"), {}))


@pytest.mark.long
def test_on_a_recorded_book(tmp_path: Path) -> None:
    """345 s of a real market that jumps."""
    capture = DATA / "binance_usdm_btcusdt_20240808_raw.gz"
    if not capture.is_file():
        pytest.skip("needs the recorded markets in ../shared/data, which are not beside this checkout")
    check(entries(a_home(tmp_path), ("--market", str(capture)), {}))


@pytest.mark.long
def test_on_recorded_bars_with_the_time_of_a_bar(tmp_path: Path) -> None:
    """Half a day of 1-minute bars; 60 s instead of 13 to be met in."""
    bars = DATA / "btc_perp_1m_20211231_20220201.csv.gz"
    if not bars.is_file():
        pytest.skip("needs the recorded markets in ../shared/data, which are not beside this checkout")
    a_minute = {"GPT_TRADER_EXECUTION__AGGRESSIVE_LIMIT_TIMEOUT_SECONDS": "60"}
    check(entries(a_home(tmp_path), ("--market", str(bars), "--duration", "12h"), a_minute))
