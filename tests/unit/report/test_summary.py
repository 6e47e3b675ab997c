"""Does the end of a run say everything that a person, or a script, must know?"""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import pytest
from rich.console import Console
from tests.builders import D

from gpt_trader.core.errors import Refusal
from gpt_trader.report.summary import RunSummary, meaning_of, print_summary, to_json

STORE = "state/runs/20260105000000000-dev_entry-sim-0123456789abcdef/events.sqlite"


def a_summary(**changes: Any) -> RunSummary:
    """A run that lost a little, with nothing special about it."""
    summary = RunSummary(
        run="sim-0123456789abcdef",
        profile="dev_entry",
        engine="AdvancedExecutionEngine",
        engine_reason="enable_dynamic_position_sizing=true, enable_market_impact_guard=true",
        market="synthetic",
        market_digest="a" * 64,
        market_notes=("Made from a seed.",),
        start="2026-01-05 00:00:00.000Z",
        end="2026-01-06 00:00:00.000Z",
        stopped_by="end of market",
        seed=7,
        dry_run=False,
        signals=73,
        orders=1145,
        fills=1146,
        buys=573,
        sells=573,
        refusals={},
        venue_rejects={},
        open_orders=(),
        positions={},
        equity_start=D("100000.00000000"),
        equity_end=D("99750.69"),
        price_pnl=D("-24.32"),
        fees=D("224.90"),
        funding=D("-0.09"),
        transfers=D(0),
        liquidations=0,
        max_drawdown=D("0.0025"),
        arrival_cost=D("10.42"),
        arrival_cost_bps=D("0.464"),
        guards={},
        system_errors=0,
        event_count=1437,
        event_hash="b" * 64,
        store=STORE,
    )
    return msgspec.structs.replace(summary, **changes)


def printed(summary: RunSummary, width: int = 100) -> list[str]:
    """As a terminal of this width shows it, without colours and the space at line ends."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    print_summary(console, summary)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def row(lines: list[str], name: str) -> list[str]:
    """The words of the row of that name."""
    (found,) = (line for line in lines if line.strip().startswith(f"{name} "))
    return found.strip().removeprefix(name).split(maxsplit=1)


# --- for machines -----------------------------------------------------------------------------------------------------
def test_json_keeps_every_digit() -> None:
    """Decimals are text, also those that end in zeros."""
    told = json.loads(to_json(a_summary(price_pnl=D("-24.32000001"))))

    assert (told["equity_start"], told["price_pnl"], told["arrival_cost_bps"]) == (
        "100000.00000000",
        "-24.32000001",
        "0.464",
    )


def test_json_is_one_line() -> None:
    """A log of runs is a file of such lines."""
    assert "\n" not in to_json(a_summary(market_notes=("two\nlines",)))


def test_json_says_null_for_what_is_not_known() -> None:
    """Without a fill there is no cost against arrival, which is not a cost of zero."""
    assert json.loads(to_json(a_summary(arrival_cost_bps=None)))["arrival_cost_bps"] is None


# --- for people -------------------------------------------------------------------------------------------------------
def test_money_adds_up_line_by_line() -> None:
    """Start, price, fees, funding, end: each with the sign with which it counts."""
    lines = printed(a_summary())

    assert row(lines, "Equity at start") == ["100,000.00"]
    assert row(lines, "price PnL")[0] == "-24.32"
    assert row(lines, "fees") == ["-224.90"]
    assert row(lines, "funding")[0] == "-0.09"
    assert row(lines, "Equity at end") == ["99,750.69", "-0.249%"]
    assert row(lines, "Maximum drawdown")[0] == "0.250%"


def test_the_heading_names_engine_reason_market_and_time() -> None:
    """Who reads an old terminal must know what was run."""
    text = " ".join(printed(a_summary()))

    assert "AdvancedExecutionEngine by enable_dynamic_position_sizing=true" in " ".join(text.split())
    assert "dev_entry on synthetic, 2026-01-05 00:00:00Z to 2026-01-06 00:00:00Z, end of market" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_may_be_copied_stands_whole_on_a_line(width: int) -> None:
    """The path of the store and the hash, however narrow the terminal."""
    lines = printed(a_summary(), width)

    assert f"Store   {STORE}" in lines
    assert f"Events  1437, hash {'b' * 64}" in lines


def test_refusals_stand_under_their_sum_with_their_meaning() -> None:
    """By code, sorted, so that two runs can be compared by eye."""
    lines = printed(a_summary(refusals={"stale_mark": 1200, "dry_run": 3}), 200)

    at = next(number for number, line in enumerate(lines) if line.startswith("Refused"))
    assert lines[at].split() == ["Refused", "1,203"]
    assert lines[at + 1].split()[:2] == ["dry_run", "3"]
    assert lines[at + 2].split()[:2] == ["stale_mark", "1,200"]
    assert lines[at + 1].endswith(meaning_of("dry_run"))


def test_what_the_venue_rejected_is_told_apart_from_what_we_refused() -> None:
    """Orders that were sent and not taken are another kind of trouble."""
    assert row(printed(a_summary(venue_rejects={"POST_ONLY": 2})), "rejected: POST_ONLY") == ["2", "by the venue"]


def test_what_stays_open_is_said() -> None:
    """Positions with their sign, and orders by their id."""
    lines = printed(a_summary(positions={"BTC-PERP": D("-0.03")}, open_orders=("gt-1",)))

    assert "Still open: -0.03 BTC-PERP" in lines
    assert "Still working: order gt-1" in lines
    assert "Stopping closes no position." not in lines


def test_who_stopped_a_run_is_told_that_positions_stay() -> None:
    """Somebody who presses Ctrl-C may believe that he is out of the market."""
    lines = printed(a_summary(positions={"BTC-PERP": D("0.03")}, stopped_by="stopped by SIGINT"))

    assert "Stopping closes no position." in lines


def test_trouble_is_not_hidden() -> None:
    """System errors, guards and liquidations are named where there are some, and only there."""
    quiet = "\n".join(printed(a_summary()))
    lines = printed(a_summary(system_errors=2, guards={"daily_loss": 1}, liquidations=4))

    assert not [word for word in ("System errors", "liquidations", "transfers") if word in quiet]
    assert any(line.startswith("System errors: 2; see `gpt-trader events show last") for line in lines)
    assert row(lines, "daily_loss") == ["1"]
    assert row(lines, "liquidations")[0] == "4"


def test_a_dry_run_says_that_nothing_was_sent() -> None:
    """Its profit of zero is no result."""
    assert "Dry run: everything was decided, nothing was sent." in printed(a_summary(dry_run=True))


def test_cost_is_left_out_without_fills() -> None:
    """Rather than shown as zero."""
    assert "Cost against arrival" not in "\n".join(printed(a_summary(arrival_cost_bps=None)))


def test_an_account_of_nothing_has_no_change_in_percent() -> None:
    """There is no share of zero."""
    assert row(printed(a_summary(equity_start=D(0), equity_end=D(5))), "Equity at end") == ["5.00", "+0.000%"]


def test_every_code_has_a_meaning_and_others_none() -> None:
    """A log of another release may hold codes that this one does not know."""
    assert all(meaning_of(refusal.value) for refusal in Refusal)
    assert meaning_of("no_such_code") == ""
