"""Is the first difference of two runs found, and is agreement counted?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import START_NS, D, a_fill, a_product, a_run_started

from gpt_trader.core.events import Event, OrderApproved, OrderRefused, TradingSignalGenerated
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import OrderType, Purpose, Side
from gpt_trader.report.comparison import ComparedRun, Comparison, compare_runs, told
from gpt_trader.report.facts import RunFacts, SettingLine, read_facts, write_facts
from gpt_trader.report.run_story import tell_story
from gpt_trader.report.summary import RunSummary


def a_summary(**changes: Any) -> RunSummary:
    summary = RunSummary(
        run="sim-1",
        profile="test",
        engine="LiveExecutionEngine",
        engine_reason="a test",
        market="made",
        market_digest="m",
        market_notes=(),
        start="2025-06-16 00:00:00.000Z",
        end="2025-06-16 01:00:00.000Z",
        stopped_by="end of market",
        seed=1,
        dry_run=False,
        signals=0,
        orders=0,
        fills=0,
        buys=0,
        sells=0,
        refusals={},
        venue_rejects={},
        open_orders=(),
        positions={},
        equity_start=D(1000),
        equity_end=D(1000),
        price_pnl=D(0),
        fees=D(0),
        funding=D(0),
        transfers=D(0),
        liquidations=0,
        max_drawdown=D(0),
        arrival_cost=D(0),
        arrival_cost_bps=None,
        guards={},
        system_errors=0,
        event_count=0,
        event_hash="",
        store="",
    )
    return msgspec.structs.replace(summary, **changes)


def some_facts(engine: str = "live", **changes: Any) -> RunFacts:
    return RunFacts(
        summary=a_summary(**changes),
        code_version="0",
        market_place="synthetic",
        start_ns=START_NS,
        end_ns=START_NS,
        bar_seconds=60,
        modelled_book=True,
        products=(a_product(),),
        marks={"BTC-PERP": D(100)},
        settings=(SettingLine(path="run.engine", value=engine, unit="", source="command line", chosen=True),),
        overnight=((0, True),),
        assumptions=("Nothing is assumed.",),
        real_seconds=1.0,
    )


def wish(number: int, at_ns: int = START_NS) -> TradingSignalGenerated:
    return TradingSignalGenerated(
        at_ns=at_ns, intent_id=f"i{number}", strategy="s", symbol="BTC-PERP", action="LONG", bar_close_ns=at_ns
    )


def approved(number: int, quantity: str, at_ns: int = START_NS) -> OrderApproved:
    return OrderApproved(
        at_ns=at_ns,
        intent_id=f"i{number}:open",
        strategy="s",
        symbol="BTC-PERP",
        side=Side.BUY,
        asked=D(1),
        quantity=D(quantity),
        order_type=OrderType.MARKET,
        purpose=Purpose.ENTRY,
        engine="live",
        tactic="market",
        arrival_mid=D(100),
    )


def refused(number: int, code: str, at_ns: int = START_NS) -> OrderRefused:
    return OrderRefused(
        at_ns=at_ns,
        intent_id=f"i{number}:open",
        strategy="s",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D(1),
        stage="risk",
        code=code,
        purpose=Purpose.ENTRY,
        engine="live",
    )


def a_run(label: str, *events: Event, **changes: Any) -> ComparedRun:
    log = (a_run_started(cash=D(1000)), *events)
    story = tell_story(Recorded(number, 1, event, f"{label}{number}") for number, event in enumerate(log, 1))
    return ComparedRun(label, some_facts(label, **changes), story)


def compared(a: list[Event], b: list[Event]) -> Comparison:
    return compare_runs(a_run("a", *a), a_run("b", *b))


def test_the_first_difference_in_time_is_told() -> None:
    """The second intent came earlier than the first, and differs too."""
    found = compared(
        [wish(1), approved(1, "0.5", START_NS + 9), approved(2, "0.1", START_NS + 5)],
        [wish(1), refused(1, "no_edge", START_NS + 9), approved(2, "0.2", START_NS + 5)],
    ).divergence

    assert found is not None
    assert (found.what, found.intent_id, found.at_ns) == ("decision", "i2:open", START_NS + 5)
    assert (found.a, found.b) == ("BTC-PERP: buy 0.1 by market", "BTC-PERP: buy 0.2 by market")
    assert "the first decision that is not the same" in told(found)


def test_a_wish_comes_before_the_decision_on_it() -> None:
    """Of two differences at one moment the cause is named."""
    found = compared([wish(1), approved(1, "0.5")], []).divergence

    assert found is not None
    assert (found.what, found.b) == ("wish", "nothing")


def test_the_same_decisions_may_fill_at_other_prices() -> None:
    """Then they part at the fill."""
    fills = [a_fill(intent_id="i1:open", price=D(price), trade_id="1") for price in (100, 101)]

    found = compared([approved(1, "0.1"), fills[0]], [approved(1, "0.1"), fills[1]]).divergence

    assert found is not None
    assert (found.what, found.a, found.b) == ("fill", "BTC-PERP: 0.1 at 100", "BTC-PERP: 0.1 at 101")


def test_runs_that_did_the_same_part_nowhere() -> None:
    """Whatever their logs say beside it."""
    comparison = compared([wish(1), approved(1, "0.5")], [wish(1), approved(1, "0.5")])

    assert comparison.divergence is None
    assert comparison.same_log is False


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        (approved(1, "1"), approved(1, "1"), "approved alike"),
        (approved(1, "1"), approved(1, "2"), "approved at another size or by another tactic"),
        (approved(1, "1"), refused(1, "no_edge"), "approved by the first only"),
        (refused(1, "no_edge"), approved(1, "1"), "approved by the second only"),
        (refused(1, "no_edge"), refused(1, "no_edge"), "refused by both, same reason"),
        (refused(1, "no_edge"), refused(1, "market_impact"), "refused by both, other reasons"),
        (approved(1, "1"), wish(1), "wanted in the first only"),
        (wish(1), approved(1, "1"), "wanted in the second only"),
    ],
)
def test_every_pair_of_decisions_has_its_name(a: Event, b: Event, name: str) -> None:
    """Each intent is counted once."""
    agreement = compared([a], [b]).agreement

    assert {key: count for key, count in agreement.items() if count} == {name: 1}


def test_settings_that_differ_are_listed_and_the_rest_is_not() -> None:
    """The two runs here were made with another engine each."""
    comparison = compared([], [])

    assert [(line.name, line.a, line.b) for line in comparison.settings] == [("run.engine", "a", "b")]


def test_two_markets_are_not_one() -> None:
    """The reader is told before any figure."""
    comparison = compare_runs(a_run("a"), a_run("b", market_digest="other"))

    assert comparison.same_market is False


def test_facts_come_back_as_they_were_written(tmp_path: Path) -> None:
    """With every Decimal."""
    facts = some_facts(fees=D("0.00000001"))
    write_facts(tmp_path / "events.sqlite", facts)

    assert read_facts(tmp_path / "events.sqlite") == facts
