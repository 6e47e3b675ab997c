"""Does `gpt-trader run` trade a market from end to end, say what came of it, and leave a log that says the same?"""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import (
    Done,
    a_busy_profile,
    a_home,
    check_balance,
    check_ledger,
    command,
    events_of,
    of_type,
    stores,
)

KEYS = {
    "run",
    "engine",
    "engine_reason",
    "orders",
    "fills",
    "refusals",
    "equity_start",
    "equity_end",
    "price_pnl",
    "fees",
    "funding",
    "max_drawdown",
    "event_count",
    "event_hash",
    "store",
}
"""What the command promises at least."""
MONEY = ("equity_start", "equity_end", "price_pnl", "fees", "funding", "transfers", "arrival_cost")


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Three hours of the profile that newcomers get, as JSON."""
    home = a_home(tmp_path_factory.mktemp("home"))
    done = command("run", "--profile", "dev_entry", "--duration", "3h", "--json", env={"GPT_TRADER_HOME": str(home)})
    assert done.code == 0, done.err
    return done


def test_a_made_up_market_is_traded_from_end_to_end(morning: Done) -> None:
    """Fills of both sides, with fees and funding, by the engine that the profile's flags choose."""
    summary = morning.summary

    assert summary["engine"] == "AdvancedExecutionEngine"
    assert summary["stopped_by"] == "end of market"
    assert min(summary["buys"], summary["sells"]) > 0
    assert Decimal(summary["fees"]) > 0
    assert Decimal(summary["funding"]) != 0
    assert summary["system_errors"] == 0


def test_json_is_one_object_and_nothing_else(morning: Done) -> None:
    """A script reads stdout; one line, at least the promised keys."""
    assert morning.out.count("\n") == 1
    assert morning.summary.keys() >= KEYS


def test_json_money_is_decimal_text(morning: Done) -> None:
    """A float would have lost digits before anybody could look."""
    assert {name: type(morning.summary[name]) for name in MONEY} == dict.fromkeys(MONEY, str)


def test_the_figures_balance(morning: Done) -> None:
    """Start, price, fees and funding make the end, to the last digit."""
    check_balance(morning.summary)


def test_the_log_says_what_the_summary_says(morning: Done) -> None:
    """The ledger is rebuilt from the events alone."""
    check_ledger(morning.summary)


def test_every_order_follows_from_an_approved_signal(morning: Done) -> None:
    """No order without intent: signal, approval and order stand in the log in this order."""
    check_intents(events_of(morning.summary["store"]))


def check_intents(events: list[dict[str, Any]]) -> None:
    signals: set[str] = set()
    approved: set[str] = set()
    submitted: set[str] = set()
    for event in of_type(events, "TradingSignalGenerated", "OrderApproved", "OrderSubmitted", "OrderFilled"):
        match event["type"]:
            case "TradingSignalGenerated":
                signals.add(event["intent_id"])
            case "OrderApproved":
                assert event["intent_id"].rpartition(":")[0] in signals
                approved.add(event["intent_id"])
            case "OrderSubmitted":
                assert event["intent_id"] in approved
                assert event["client_order_id"] not in submitted
                submitted.add(event["client_order_id"])
            case _:
                assert event["client_order_id"] in submitted


def test_people_get_a_summary_and_no_panel_in_a_pipe(state_home: Path, tmp_path: Path) -> None:
    """Plain text: no control codes, and the path of the store whole on a line of its own."""
    done = command("run", "--profile", a_busy_profile(tmp_path))

    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert "Latest decisions" not in done.out
    assert f"Store   {stores(state_home)[0]}" in done.out.splitlines()
    assert "AdvancedExecutionEngine  by enable_dynamic_position_sizing=true" in done.out


def test_a_dry_run_decides_and_sends_nothing(state_home: Path, tmp_path: Path) -> None:
    """It keeps running to the end, and each order that would have left is refused by name."""
    done = command("run", "--profile", a_busy_profile(tmp_path), "--dry-run", "--json")
    summary = done.summary

    assert done.code == 0
    assert summary["stopped_by"] == "end of market"
    assert (summary["dry_run"], summary["orders"], summary["fills"]) == (True, 0, 0)
    assert summary["signals"] > 1
    assert set(summary["refusals"]) == {"dry_run"}
    assert summary["equity_end"] == summary["equity_start"]
    assert not list(of_type(events_of(summary["store"]), "OrderSubmitted", "OrderPlaced", "OrderFilled"))


def test_real_time_is_real_time(state_home: Path) -> None:
    """Two seconds of market take two seconds, and start-up."""
    begun = time.monotonic()
    done = command("run", "--pace", "realtime", "--duration", "2s", "--json")
    took = time.monotonic() - begun

    assert done.code == 0, done.err
    assert done.summary["end"] == "2026-01-05 00:00:02.000Z"
    assert 2.0 <= took < 60.0
