"""`gpt-trader explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.builders import START_NS, D, a_fill, a_run_started, a_submitted

from gpt_trader.cli.main import run_command_line
from gpt_trader.core.clock import iso
from gpt_trader.core.events import BarsSeen, OrderApproved, ProductListed, RunEnded
from gpt_trader.core.values import OrderType, Purpose, Side
from gpt_trader.records.event_store import EventStore

HOUR_NS = 3600 * 1_000_000_000


def listed(symbol: str = "BTC-PERP") -> ProductListed:
    return ProductListed(
        at_ns=START_NS,
        symbol=symbol,
        venue_symbol="BIP-20DEC30-CDE",
        base=symbol.partition("-")[0],
        quote="USD",
        tick=D(5),
        lot=D("0.01"),
        contract_size=D("0.01"),
        min_quantity=D("0.01"),
        max_quantity=D(50),
        min_notional=D(0),
        maker_fee_rate=D("0.00095"),
        taker_fee_rate=D("0.001"),
    )


def approved() -> OrderApproved:
    return OrderApproved(
        at_ns=START_NS,
        intent_id=a_submitted().intent_id,
        strategy="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        asked=D("0.3"),
        quantity=D("0.3"),
        order_type=OrderType.LIMIT,
        purpose=Purpose.ENTRY,
        engine="LiveExecutionEngine",
        tactic="as_asked",
        arrival_mid=D(60_000),
    )


def bars() -> BarsSeen:
    return BarsSeen(
        at_ns=START_NS + HOUR_NS,
        symbol="BTC-PERP",
        strategy="test",
        bars=60,
        first_close_ns=START_NS,
        last_close_ns=START_NS + HOUR_NS,
        last_close=D(60_000),
    )


@pytest.fixture
def run(state_home: Path) -> Path:
    """One order with a fill, then an hour of bars without a wish."""
    path = state_home / "runs" / "test-run" / "events.sqlite"
    ended = RunEnded(at_ns=START_NS + 2 * HOUR_NS, reason="end of market")
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        for event in (a_run_started(), listed(), approved(), a_submitted(), a_fill(), bars(), ended):
            store.append(event)
    return path


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("reference", ["test:BTC-PERP:1:long", "gt-test-1", "v1"])
def test_an_intent_or_an_order_is_explained(reference: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the intent's id, by ours of the order, or by the venue's: the same story."""
    assert run_command_line(["explain", reference]) == 0
    said = capsys.readouterr().out
    assert "Intent test:BTC-PERP:1:long" in said
    assert "Bought 0.1 BTC at 60,000 as taker, fee 6 USD, " not in said
    assert "Bought 0.1 BTC at 60,000 as taker, fee 6 USD." in said


@pytest.mark.usefixtures("run")
def test_without_an_id_the_latest_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """With what became of them, and how to go on."""
    assert run_command_line(["explain", "--run", "test"]) == 0
    said = capsys.readouterr().out
    assert "test:BTC-PERP:1:long  buy 0.1 at 60000" in said
    assert "`gpt-trader explain test:BTC-PERP:1:long`" in said


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("since", ["90m", iso(START_NS + HOUR_NS // 2)[:16].replace(" ", "T")])
def test_a_quiet_time_is_explained(since: str, capsys: pytest.CaptureFixture[str]) -> None:
    """From a time, or from so long before the end of the run; the only symbol needs no name."""
    assert run_command_line(["explain", "--since", since]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "No trade." in said
    assert "wanted nothing new" in said
    assert "Held: 0.1 BTC." in said


@pytest.mark.usefixtures("run")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One object: sections of sentences, and sums."""
    assert run_command_line(["explain", "gt-test-1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"sections", "sums"} == set(found)
    assert run_command_line(["explain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["intent"] == "test:BTC-PERP:1:long"


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "no such intent or order"),
        (["--since", "yesterday"], "--since yesterday: no time. Fix: 2026-01-05T03:00"),
        (["--since", "1h", "--until", "2h"], "before --since"),
        (["--symbol", "ETH-PERP"], "--symbol ETH-PERP: not traded in this run. Fix: BTC-PERP"),
        (["gt-test-1", "--since", "1h"], "leave out --since"),
        (["--run", "nonsense"], "no such run or file"),
    ],
)
def test_bad_input_says_what_to_do(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, with the option, what is wrong and the fix."""
    assert run_command_line(["explain", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_several_symbols_need_a_name(state_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guessing which one is meant would explain the wrong silence."""
    path = state_home / "runs" / "test-run" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        for event in (a_run_started(), listed(), listed("ETH-PERP")):
            store.append(event)
    assert run_command_line(["explain", "--since", "1h"]) == 2
    assert "the run traded BTC-PERP, ETH-PERP" in capsys.readouterr().err


def test_a_run_without_intents(state_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list is empty and says how to ask why."""
    path = state_home / "runs" / "test-run" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        store.append(a_run_started())
    assert run_command_line(["explain"]) == 0
    assert "--since 1d" in capsys.readouterr().out
