"""`gpt-trader tca`."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.builders import D, a_fill, a_run_started, a_submitted

from gpt_trader.cli.main import run_command_line
from gpt_trader.core.events import Event, OrderApproved
from gpt_trader.core.values import OrderType, Purpose, Side
from gpt_trader.records.event_store import EventStore


def approval(order_id: str, tactic: str) -> OrderApproved:
    return OrderApproved(
        at_ns=a_submitted().at_ns,
        intent_id=order_id,
        strategy="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        asked=D("0.1"),
        quantity=D("0.1"),
        order_type=OrderType.MARKET,
        purpose=Purpose.ENTRY,
        engine="LiveExecutionEngine",
        tactic=tactic,
        arrival_mid=D(60_000),
    )


def walk(order_id: str, tactic: str, price: int) -> list[Event]:
    """One intent of 0.1, filled at a price, with a fee of 6 (10 bps)."""
    ids = {"intent_id": order_id, "client_order_id": order_id, "quantity": D("0.1")}
    order = a_submitted(**ids, bid=D(59_994), ask=D(60_006))
    return [approval(order_id, tactic), order, a_fill(**ids, price=D(price))]


@pytest.fixture
def run(state_home: Path) -> Path:
    """Market paid the ask of a spread of 12; a limit got the bid."""
    path = state_home / "runs" / "test-run" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        for event in (a_run_started(), *walk("a", "market", 60_006), *walk("b", "simple_limit", 60_000)):
            store.append(event)
    return path


@pytest.mark.usefixtures("run")
def test_of_two_keys_the_first_is_compared_within_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    """Tactics of entries with tactics of entries; an hour is no choice that anybody has."""
    assert run_command_line(["tca", "last", "--by", "tactic,purpose", "--by", "hour,tactic"]) == 0
    said = capsys.readouterr().out
    assert said.count("cost least") == 1
    assert "ENTRY: simple_limit cost least: 10.00 bps all in, 100.0% of what was wanted was filled." in said
    assert "ENTRY: market cost 1.00 bps more (11.00), 100.0% was filled." in said


@pytest.mark.usefixtures("run")
def test_a_table_says_by_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    """1 bps of spread and 10 of fees against 10: the difference stands in a sentence."""
    assert run_command_line(["tca", "last", "--by", "tactic"]) == 0
    said = capsys.readouterr().out
    assert "simple_limit cost least: 10.00 bps all in, 100.0% of what was wanted was filled." in said
    assert "market cost 1.00 bps more (11.00), 100.0% was filled." in said
    assert "above zero cost us" in said


@pytest.mark.usefixtures("run")
def test_without_keys_every_table_of_the_report_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Engine, tactic, symbol, hour, and order type with liquidity."""
    assert run_command_line(["tca", "test"]) == 0
    said = capsys.readouterr().out
    for title in ("engine", "tactic", "symbol", "hour", "order type and liquidity"):
        assert f"Cost by {title}" in said


@pytest.mark.usefixtures("run")
def test_json_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    """Amounts as decimal text that add up, for all and for each group."""
    assert run_command_line(["tca", "last", "--by", "tactic,engine", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (whole,) = found["all"]
    amounts = {name: Decimal(text) for name, text in whole["amounts"].items()}
    assert amounts == {"delay": 0, "spread": D("1.2"), "impact": D("-0.6"), "fees": 12, "shortfall": D("12.6")}
    assert [row["tactic"] for row in found["by"]["tactic,engine"]] == ["market", "simple_limit"]
    assert Decimal(found["by"]["tactic,engine"][0]["bps"]["spread"]) == 1


@pytest.mark.usefixtures("run")
def test_an_unknown_key_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and what there is."""
    assert run_command_line(["tca", "last", "--by", "colour"]) == 2
    assert "--by colour: no such grouping" in capsys.readouterr().err


def test_a_run_without_orders_says_so(state_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No table of zeros."""
    path = state_home / "runs" / "test-run" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        store.append(a_run_started())
    assert run_command_line(["tca", "last"]) == 0
    assert "nothing was approved" in capsys.readouterr().out
