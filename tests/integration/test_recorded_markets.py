"""Do the recordings of real markets trade from end to end under both engines, and balance to the last digit?

A raw capture of 345 s with a real book, and a month of 1-minute bars. Every run is the real command; what it says is
compared with the ledger that is rebuilt from its log.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from tests.command_line import Done, a_home, check_balance, check_ledger, ended, events_of, of_type, started

CAPTURE = "binance_usdm_btcusdt_20240808_raw.gz"
BARS = "btc_perp_1m_20211231_20220201.csv.gz"
ENGINES: Mapping[str, str] = {"live": "LiveExecutionEngine", "advanced": "AdvancedExecutionEngine"}
RUNS = [(market, engine) for market in (CAPTURE, BARS) for engine in ENGINES]

each_run = pytest.mark.parametrize(
    ("market", "engine"),
    RUNS,
    ids=[f"{'capture' if market == CAPTURE else 'bars'}-{engine}" for market, engine in RUNS],
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Done]:
    """Every market under every engine, two at a time."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the recorded markets in ../shared/data, which are not beside this checkout")
    home = {"GPT_TRADER_HOME": str(a_home(tmp_path_factory.mktemp("home")))}
    found: dict[tuple[str, str], Done] = {}
    for market in (CAPTURE, BARS):
        options = ("run", "--profile", "dev_entry", "--market", str(folder / market), "--json")
        pair = {engine: started(*options, "--engine", engine, env=home) for engine in ENGINES}
        found.update({(market, engine): ended(process) for engine, process in pair.items()})
    return found


@each_run
def test_a_recording_is_traded_to_its_end(runs: Mapping[tuple[str, str], Done], market: str, engine: str) -> None:
    """Exit 0, fills of both sides and fees, by the engine that was asked for."""
    done = runs[market, engine]
    assert done.code == 0, done.err

    summary = done.summary

    assert summary["engine"] == ENGINES[engine]
    assert summary["stopped_by"] == "end of market"
    assert min(summary["buys"], summary["sells"]) > 0
    assert Decimal(summary["fees"]) > 0
    assert summary["system_errors"] == 0


@each_run
def test_a_recording_balances(runs: Mapping[tuple[str, str], Done], market: str, engine: str) -> None:
    """To the last digit, and the log says the same."""
    summary = runs[market, engine].summary

    check_balance(summary)
    check_ledger(summary)


@each_run
def test_fills_alone_give_the_price_profit_and_the_fees(
    runs: Mapping[tuple[str, str], Done], market: str, engine: str
) -> None:
    """Reckoned by another way than the ledger's: cash that each fill moved, and what is still held at its last mark."""
    summary = runs[market, engine].summary
    cash = fees = held = Decimal(0)
    for fill in of_type(events_of(summary["store"]), "OrderFilled"):
        quantity = Decimal(fill["quantity"]) * (1 if fill["side"] == "BUY" else -1)
        cash -= quantity * Decimal(fill["price"])
        held += quantity
        fees += Decimal(fill["fee"])

    assert fees == Decimal(summary["fees"])
    assert held == Decimal(summary["positions"].get("BTC-PERP", 0))
    if not held:
        assert cash == Decimal(summary["price_pnl"])
    else:  # the mark that values the rest lies in the range that the market moved in
        mark = (Decimal(summary["price_pnl"]) - cash) / held
        assert Decimal(30_000) < mark < Decimal(70_000)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_capture_lacks_is_said(runs: Mapping[tuple[str, str], Done], engine: str) -> None:
    """Short bars, no mark, no funding, and diffs before the snapshot; a person must know what was assumed."""
    summary = runs[CAPTURE, engine].summary
    notes = " ".join(summary["market_notes"])

    assert "Bars of 5 s on a market of 344 s." in notes
    assert "The capture has no mark price and no index: mark = mid of the book." in notes
    assert "The capture has no funding: none is paid." in notes
    assert "4 depth diffs older than the snapshot were dropped by rule." in notes
    assert Decimal(summary["funding"]) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_book_made_from_bars_is_said_to_be_modelled(runs: Mapping[tuple[str, str], Done], engine: str) -> None:
    """In the notes of the run; bars have no book."""
    notes = " ".join(runs[BARS, engine].summary["market_notes"])

    assert "the venue models one and marks it MODELLED" in notes
