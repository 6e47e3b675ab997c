"""Does `gpt-trader backtest` report what its log says, a liquidation included, and put two engines side by side?"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import (
    BUSY_PROFILE,
    Done,
    a_busy_profile,
    a_home,
    check_balance,
    command,
    events_of,
    hashes_of,
    of_type,
    stores,
    verified,
)

from gpt_trader.cli.main import run_command_line

ZERO = Decimal(0)
START = dt.datetime(2025, 6, 16, tzinfo=dt.UTC)
BOLD_PROFILE = """\
symbols: [BTC-PERP]
strategy: {short_ma: 2, long_ma: 4, allow_shorts: false, position_fraction: 6, trailing_stop_pct: 0}
risk:
  enable_dynamic_position_sizing: false
  enable_market_impact_guard: false
  enable_volatility_circuit_breaker: false
  position_sizing_method: fixed
  max_leverage: 10
  max_position_pct_per_symbol: 10
  max_exposure_pct: 10
  max_position_size_pct: 10
  min_liquidation_buffer_pct: 0
  daily_loss_limit: 0
  daily_loss_limit_pct: 0
  slippage_guard_bps: 1000
"""
"""Six times the account on one cross, and nothing that holds it back."""


def crash_closes() -> list[int]:
    """Still, down a little, up (the cross), then a bar that loses a third."""
    return [30_000] * 10 + [29_900, 29_800, 29_700, 29_900, 30_100, 30_200, 30_250] + [20_000] + [20_000] * 10


def a_crash(folder: Path) -> Path:
    """Bars of a minute, each from the close before to its own."""
    closes = crash_closes()
    lines = ["timestamp,open,high,low,close,volume"]
    for minute, (before, close) in enumerate(zip([closes[0], *closes[:-1]], closes, strict=True)):
        at = (START + dt.timedelta(minutes=minute)).isoformat()
        lines.append(f"{at},{before},{max(before, close) + 1},{min(before, close) - 1},{close},900000000")
    path = folder / "btc_perp_crash.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@dataclass(frozen=True)
class Ran:
    done: Done
    folder: Path
    store: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        return events_of(self.store)

    @property
    def page(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf8")

    @property
    def charts(self) -> dict[str, dict[str, Any]]:
        return {chart["id"]: chart for chart in charts_of(self.page)}


def here(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """As `command`, within this process: a second instead of several."""
    code = run_command_line(arguments)
    said = capsys.readouterr()
    return Done(code, said.out, said.err)


def charts_of(page: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    charts: list[dict[str, Any]] = json.loads(found[1])
    return charts


def told(page: str) -> str:
    """What a person reads: the page without its scripts and its style."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A long position of six times the account, and a fall of a third."""
    pytest.importorskip("pyarrow", reason="the extra `research` is not installed")
    folder = tmp_path_factory.mktemp("crash")
    home = a_home(folder)
    profile = folder / "bold.yaml"
    profile.write_text(BOLD_PROFILE)
    market = a_crash(folder)
    done = command(
        *("backtest", "--profile", str(profile), "--market", str(market), "--json"),
        *("--report", str(folder / "report.html"), "--export", str(folder / "out")),
        env={"GPT_TRADER_HOME": str(home)},
    )
    assert done.code == 0, done.err
    (store,) = stores(home)
    return Ran(done, folder, store)


def fills_of(ran: Ran, cause: str) -> list[dict[str, Any]]:
    """An event without a cause is our own."""
    return [fill for fill in of_type(ran.events, "OrderFilled") if fill.get("cause", "OWN") == cause]  # type: ignore[misc]


def total(fills: Sequence[Mapping[str, Any]], what: str = "fee") -> Decimal:
    return sum((Decimal(fill[what]) for fill in fills), ZERO)


def value(fills: list[dict[str, Any]], side: str) -> Decimal:
    return sum((Decimal(f["price"]) * Decimal(f["quantity"]) for f in fills if f["side"] == side), ZERO)


def test_the_balance_is_exact(crashed: Ran) -> None:
    """Start, price, fees and funding make the end, to the last digit; the log is whole."""
    check_balance(crashed.done.summary)
    assert verified(crashed.store)["head"]["hash"] == crashed.done.summary["event_hash"]


def test_a_liquidation_appears_in_the_split(crashed: Ran) -> None:
    """Reckoned anew from the log: what was bought, what the exchange sold, and the fee that it took."""
    own, forced = fills_of(crashed, "OWN"), fills_of(crashed, "LIQUIDATION")
    assert forced
    assert crashed.done.summary["liquidations"] == len(forced)
    bought = value(own, "BUY") - value(own, "SELL")
    loss = value(forced, "SELL") - bought
    split = crashed.charts["split"]["data"][0]

    shown = dict(zip(split["x"], split["text"], strict=True))

    assert shown["liquidation, price"] == f"{loss:+,.2f}"
    assert shown["liquidation, fees"] == f"{-total(forced):+,.2f}"
    assert shown["fees"] == f"{-total(own):+,.2f}"
    assert shown["price"] == "+0.00"
    assert "The account was liquidated" in told(crashed.page)


def test_the_curve_ends_where_the_ledger_does(crashed: Ran) -> None:
    """And begins with the cash."""
    equity = crashed.charts["equity"]["data"][0]["y"]

    assert equity[0] == 100_000
    assert equity[-1] == pytest.approx(float(crashed.done.summary["equity_end"]), abs=0.01)


def test_the_deepest_drawdown_is_the_bots_own(crashed: Ran) -> None:
    """The bot measures at bar closes with the exchange's mark, the report with the last price: the same on bars."""
    drawdown = crashed.charts["drawdown"]["data"][0]["y"]

    assert -min(drawdown) / 100 == pytest.approx(float(crashed.done.summary["max_drawdown"]), abs=1e-4)


def test_every_fill_and_refusal_is_marked_on_the_price(crashed: Ran) -> None:
    """Entries, exits and liquidations add up to the fills of the log."""
    marks = {
        trace["name"].partition(" (")[0]: len(trace["x"])
        for trace in crashed.charts["price-BTC-PERP"]["data"]
        if trace["mode"] == "markers"
    }
    refused = sum(1 for _ in of_type(crashed.events, "OrderRefused"))

    assert marks.pop("refusals", 0) == refused
    assert sum(marks.values()) == sum(1 for _ in of_type(crashed.events, "OrderFilled"))
    assert marks["liquidations"] == len(fills_of(crashed, "LIQUIDATION"))


def test_the_page_needs_nothing_else(crashed: Ran) -> None:
    """No address is loaded, and the browser is told to load none."""
    page = told(crashed.page)

    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "{{" not in page
    assert "{%" not in page


def test_the_page_says_what_was_assumed_and_who_set_what(crashed: Ran) -> None:
    """Latency, the modelled book, the path inside a bar; the profile's own lines; hash and run."""
    page = told(crashed.page)

    for words in ("30 ms after it was sent", "Bars have no book", "walks from the open", "bold.yaml:"):
        assert words in page
    assert crashed.done.summary["event_hash"] in page
    assert crashed.done.summary["run"] in page
    assert "too short" in page


def test_the_export_is_the_log_in_columns(crashed: Ran) -> None:
    """Money exact; the last equity is that of the curve; every file knows its run."""
    from pyarrow import parquet

    tables = {path.stem: parquet.read_table(path) for path in (crashed.folder / "out").iterdir()}
    logged = list(of_type(crashed.events, "OrderFilled"))

    assert tables["fills"]["price"].to_pylist() == [Decimal(fill["price"]) for fill in logged]
    assert sum(tables["fills"]["fee"].to_pylist(), ZERO) == Decimal(crashed.done.summary["fees"])
    assert tables["round_trips"]["exit_reason"].to_pylist() == ["liquidation"]
    assert tables["equity"]["equity"].to_pylist()[-1] == pytest.approx(float(crashed.done.summary["equity_end"]))
    assert len(tables["equity"]) == len(crash_closes())
    assert tables["fills"].schema.metadata[b"event_hash"].decode() == crashed.done.summary["event_hash"]


def test_the_report_of_a_stored_run_is_the_same_page(
    crashed: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The market is read once more; the run is not made again."""
    monkeypatch.setenv("GPT_TRADER_HOME", str(crashed.store.parents[2]))
    again = crashed.folder / "again.html"

    done = here(capsys, "report", "last", "--out", str(again))

    assert done.code == 0, done.err
    assert again.read_text(encoding="utf8") == crashed.page


def test_a_market_that_was_changed_is_refused(
    crashed: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Curves of another market would be a lie."""
    monkeypatch.setenv("GPT_TRADER_HOME", str(crashed.store.parents[2]))
    other = tmp_path / "btc_perp_crash.csv"
    other.write_text((crashed.folder / "btc_perp_crash.csv").read_text().replace(",20000,", ",20001,"))

    done = here(capsys, "report", "last", "--market", str(other), "--out", str(tmp_path / "x.html"))

    assert (done.code, (tmp_path / "x.html").exists()) == (2, False)
    assert "is not the one that run" in done.err


def test_a_backtest_writes_the_log_that_run_writes(
    tmp_path: Path, state_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same bot on the same market: the same events, the same hashes, whoever runs it."""
    profile = a_busy_profile(tmp_path)

    tested = here(capsys, "backtest", "--profile", profile, "--no-report", "--json")
    traded = here(capsys, "run", "--profile", profile, "--json")

    assert tested.summary["event_hash"] == traded.summary["event_hash"]
    first, second = stores(state_home)
    assert hashes_of(first) == hashes_of(second)


def test_the_split_is_reckoned_anew_from_fills_and_funding(
    tmp_path: Path, state_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two symbols over funding hours: what was paid and got, and what is still held at the exchange's last mark."""
    page = tmp_path / "report.html"
    profile = tmp_path / "patient.yaml"
    profile.write_text(BUSY_PROFILE.replace("risk:\n", "risk:\n  daily_loss_limit: 0\n  daily_loss_limit_pct: 0\n"))
    chosen = ("--symbols", "BTC-PERP,ETH-PERP", "--duration", "150m", "--report", str(page))

    done = here(capsys, "backtest", "--profile", str(profile), *chosen, "--json")

    assert done.code == 0, done.err
    (store,) = stores(state_home)
    events, facts = events_of(store), json.loads(store.with_name("facts.json").read_bytes())
    fills, funding = list(of_type(events, "OrderFilled")), list(of_type(events, "FundingApplied"))
    held: dict[str, Decimal] = {}
    price = ZERO
    for fill in fills:
        signed = Decimal(fill["quantity"]) * (1 if fill["side"] == "BUY" else -1)
        held[fill["symbol"]] = held.get(fill["symbol"], ZERO) + signed
        price -= signed * Decimal(fill["price"])
    price += sum((each * Decimal(facts["marks"][symbol]) for symbol, each in held.items() if each), ZERO)
    parts = {"price": price, "fees": -total(fills), "funding": total(funding, "amount")}
    split = {chart["id"]: chart for chart in charts_of(page.read_text(encoding="utf8"))}["split"]["data"][0]
    assert len(held) == 2
    assert funding
    assert dict(zip(split["x"], split["text"], strict=True)) == {
        name: f"{amount:+,.2f}" for name, amount in {**parts, "net": sum(parts.values(), ZERO)}.items()
    }
    assert Decimal(done.summary["equity_end"]) == Decimal(done.summary["equity_start"]) + sum(parts.values(), ZERO)


def test_both_engines_are_put_side_by_side(
    tmp_path: Path, state_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two runs on one market, a page with both curves, a folder of tables each, and the first decision that parts."""
    from pyarrow import parquet

    profile = a_busy_profile(tmp_path)
    page = tmp_path / "both.html"

    both = ("--engine", "both", "--duration", "2h", "--report", str(page), "--export", str(tmp_path / "out"))

    done = here(capsys, "backtest", "--profile", profile, *both, "--json")

    assert done.code == 0, done.err
    found = done.summary
    assert (found["a"], found["b"]) == ("Live", "Advanced")
    assert (found["same_market"], found["same_log"]) == (True, False)
    assert found["divergence"]["what"] in {"decision", "fill"}
    assert [line["name"] for line in found["settings"]] == ["run.engine"]
    assert len(stores(state_home)) == 2
    for place, store in zip(("live", "advanced"), stores(state_home), strict=True):
        fills = parquet.read_table(tmp_path / "out" / place / "fills.parquet")
        assert fills.num_rows == len(list(of_type(events_of(store), "OrderFilled"))) > 0
        assert fills.schema.metadata[b"engine"].decode().lower() == f"{place}executionengine"
    curves = {chart["id"]: chart for chart in charts_of(page.read_text(encoding="utf8"))}
    ends = {line["name"]: line for line in found["lines"]}["Equity at end"]
    for trace, side in zip(curves["equity"]["data"], ("a", "b"), strict=True):
        assert trace["y"][-1] == pytest.approx(float(ends[side].replace(",", "")), abs=1.0)


def test_a_run_compared_with_itself_parts_nowhere(
    tmp_path: Path, state_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0: the same. Two different ones exit 1."""
    profile = a_busy_profile(tmp_path)
    for seed in ("1", "2"):
        assert here(capsys, "backtest", "--profile", profile, "--no-report", "--seed", seed, "--json").code == 0
    first, second = (str(store) for store in stores(state_home))

    alike = here(capsys, "backtest", "compare", first, first, "--json")
    apart = here(capsys, "backtest", "compare", first, second, "--json")

    assert (alike.code, alike.summary["same_log"], alike.summary["divergence"]) == (0, True, None)
    assert (apart.code, apart.summary["same_market"]) == (1, False)


def test_a_part_of_a_market_is_traded_alone(crashed: Ran, state_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Up to the minute before the fall, nothing is liquidated."""
    profile = crashed.folder / "bold.yaml"

    done = here(
        capsys,
        *("backtest", "--profile", str(profile), "--market", str(crashed.folder / "btc_perp_crash.csv")),
        *("--to", "2025-06-16T00:16", "--no-report", "--json"),
    )

    assert done.code == 0, done.err
    assert done.summary["liquidations"] == 0
    assert done.summary["end"].startswith("2025-06-16 00:16")
    assert len(stores(state_home)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--market", "nothing.csv"), "nothing.csv"),
        (("--from", "yesterday"), "'yesterday' is not a time"),
        (("--from", "2031-01-01"), "nothing lies between"),
        (("--report", "x.html", "--no-report"), "contradict one another"),
        (("--report", "."), "a folder"),
        (("--symbols", "DOGE-PERP"), "DOGE-PERP"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    arguments: tuple[str, ...], words: str, state_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, the value and the fix; no run is left behind."""
    done = here(capsys, "backtest", *arguments)

    assert (done.code, stores(state_home)) == (2, [])
    assert words in done.err


def test_a_profile_for_real_money_is_tried_on_the_simulated_exchange(
    crashed: Ran, state_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever venue it names: nothing can be sent from a backtest."""
    market = ("--market", str(crashed.folder / "btc_perp_crash.csv"))

    done = here(capsys, "backtest", "--profile", "prod", *market, "--no-report", "--json")

    assert done.code == 0, done.err
    assert done.summary["profile"] == "prod"
    (store,) = stores(state_home)
    assert next(of_type(events_of(store), "RunStarted"))["environment"] == "simulated"
