"""What do the figures of a shadow say? From events alone, each number by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.builders import START_NS, D, a_fill, a_submitted

from gpt_trader.core.events import (
    OrderApproved,
    ShadowDecided,
    ShadowEnded,
    ShadowPriced,
    ShadowStarted,
)
from gpt_trader.core.values import EngineDecision, OrderType, PaperCost, Purpose, Side
from gpt_trader.records.shadow import ORDERS_MIN, Compared, ShadowAnalysis

LIVE, ADVANCED = "LiveExecutionEngine", "AdvancedExecutionEngine"
STARTED = ShadowStarted(at_ns=START_NS, candidate=ADVANCED, features="dynamic sizing", source="command line --shadow")


def decision(engine: str, quantity: str = "1", **changes: Any) -> EngineDecision:
    return EngineDecision(**{"engine": engine, "quantity": D(quantity), "tactic": "market", **changes})


def decided(name: str, mine: EngineDecision | None = None, **changes: Any) -> ShadowDecided:
    given: dict[str, Any] = {
        "at_ns": START_NS,
        "intent_id": name,
        "strategy": "s",
        "symbol": "BTC-PERP",
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "asked": D(1),
        "taken_ns": START_NS,
        "arrival_mid": D(100),
        "traded": decision(LIVE),
        "candidate": mine or decision(ADVANCED),
    }
    return ShadowDecided(**(given | changes))


def paper(bps: str, *, is_over: bool = True, filled: str = "1") -> PaperCost:
    return PaperCost(filled=D(filled), all_in_bps=D(bps), is_over=is_over)


def priced(name: str, traded: str, mine: str, **changes: Any) -> ShadowPriced:
    return ShadowPriced(
        at_ns=START_NS,
        intent_id=name,
        symbol="BTC-PERP",
        traded=paper(traded, **changes),
        candidate=paper(mine, **changes),
    )


def analysed(*events: Any) -> ShadowAnalysis:
    analysis = ShadowAnalysis()
    for event in (STARTED, *events):
        analysis.take(event)
    return analysis


def only(*events: Any) -> Compared:
    (compared,) = analysed(*events).compared()
    return compared


def test_refusals_of_one_and_of_both_are_counted_by_code() -> None:
    """One that only the candidate refuses is not one that only the other does."""
    no = {"code": "market_impact", "quantity": "0"}
    compared = only(
        decided("a", decision(ADVANCED, **no)),
        decided("b", traded=decision(LIVE, code="slippage_guard", quantity="0")),
        decided("c", decision(ADVANCED, **no), traded=decision(LIVE, **no)),
    )
    assert compared.refused_by_one(candidate=True) == {"market_impact": 1}
    assert compared.refused_by_one(candidate=False) == {"slippage_guard": 1}
    assert compared.refused_by_both == 1


def test_sizes_are_shares_of_the_traded_ones() -> None:
    """By purpose; the share of the notional counts refusals as nothing."""
    compared = only(
        decided("a", decision(ADVANCED, "0.5")),
        decided("b", decision(ADVANCED, "0.25")),
        decided("c", decision(ADVANCED, "1"), purpose=Purpose.EXIT),
        decided("d", decision(ADVANCED, "0", code="no_edge")),
    )
    assert compared.sizes(Purpose.ENTRY) == [D("0.25"), D("0.5")]
    assert compared.sizes(Purpose.EXIT) == [D(1)]
    assert compared.notional_share == D("1.75") / 4


def test_a_difference_is_candidate_less_traded_with_its_95_percent() -> None:
    """1, 2, 3 less: mean -2, deviation 1, error 1.96 / sqrt(3)."""
    events = [each for n in (1, 2, 3) for each in (decided(str(n)), priced(str(n), "10", str(10 - n)))]
    row = only(*events).rows()[-1]
    assert (row.orders, row.traded_bps, row.candidate_bps, row.difference_bps) == (3, D(10), D(8), D(-2))
    assert row.error_bps == (D("1.96") / D(3).sqrt()).quantize(D("0.0001"))
    assert row.verdict == "too few"


@pytest.mark.parametrize(("mine", "verdict"), [("8", "cheaper"), ("12", "dearer"), ("10.04", "alike"), ("10", "alike")])
def test_enough_orders_have_a_verdict(mine: str, verdict: str) -> None:
    """A sure difference of less than a twentieth of a basis point is none."""
    events = [each for n in range(ORDERS_MIN) for each in (decided(str(n)), priced(str(n), "10", mine))]
    assert only(*events).rows()[-1].verdict == verdict


def test_a_difference_within_its_error_is_none() -> None:
    """Half of the orders a bps more, half a bps less."""
    events = [
        each for n in range(ORDERS_MIN) for each in (decided(str(n)), priced(str(n), "10", "11" if n % 2 else "9"))
    ]
    assert only(*events).rows()[-1].verdict == "alike"


def test_what_had_not_come_to_its_end_is_not_compared() -> None:
    """It is counted apart."""
    compared = only(decided("a"), priced("a", "10", "9", is_over=False), decided("b"))
    assert compared.rows() == ()
    assert compared.unpriced == 2


def test_what_was_really_paid_stands_beside_the_paper() -> None:
    """Bought 1 at 101 with a fee of 0.1 against 100: 110 bps, and 100 on paper."""
    compared = only(
        OrderApproved(
            at_ns=START_NS,
            intent_id="a",
            strategy="s",
            symbol="BTC-PERP",
            side=Side.BUY,
            asked=D(1),
            quantity=D(1),
            order_type=OrderType.MARKET,
            purpose=Purpose.ENTRY,
            engine=LIVE,
            tactic="market",
            arrival_mid=D(100),
        ),
        a_submitted(intent_id="a", client_order_id="gt-1", quantity=D(1), arrival_mid=D(100)),
        a_fill(intent_id="a", client_order_id="gt-1", quantity=D(1), price=D(101), fee=D("0.1"), cumulative=D(1)),
        decided("a"),
        priced("a", "100", "100"),
    )
    assert compared.paper_error == (1, D("110.0000"), D("100.0000"))


def test_pairs_of_engines_are_told_apart() -> None:
    """After a swap the roles are others."""
    analysis = analysed(
        decided("a"),
        ShadowEnded(at_ns=START_NS, candidate=ADVANCED, reason="swapped", decided=1, priced=0),
        ShadowStarted(at_ns=START_NS, candidate=LIVE, source="runtime control"),
        decided("b", decision(LIVE), traded=decision(ADVANCED)),
    )
    assert [(each.traded, each.candidate) for each in analysis.compared()] == [(LIVE, ADVANCED), (ADVANCED, LIVE)]


def test_the_largest_differences_come_first() -> None:
    """By cost; what is alike is not shown."""
    events: list[Any] = []
    for name, mine in (("a", "10"), ("b", "13"), ("c", "6")):
        differs: tuple[str, ...] = () if name == "a" else ("cost",)
        events += [decided(name, differs=differs), priced(name, "10", mine)]
    found = only(*events).largest(5)
    assert [each.decided.intent_id for each in found] == ["c", "b"]
    assert found[0].difference_bps == Decimal(-4)
