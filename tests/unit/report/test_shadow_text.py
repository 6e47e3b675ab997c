"""How is a shadow told? Sentences that say no more than the figures."""

from __future__ import annotations

import json
from typing import Any

from tests.builders import D
from tests.unit.records.test_shadow import ADVANCED, analysed, decided, decision, only, priced

from gpt_trader.core.events import ShadowDecided, ShadowPriced
from gpt_trader.records.shadow import ORDERS_MIN
from gpt_trader.report.shadow_text import (
    as_object,
    cost_table,
    difference_table,
    sentences,
    tell_decided,
    tell_priced,
    verdict,
)


def many(bps: str, **changes: Any) -> list[ShadowDecided | ShadowPriced]:
    return [each for n in range(ORDERS_MIN) for each in (decided(str(n), **changes), priced(str(n), "10", bps))]


def test_the_verdict_says_cost_refusals_and_notional() -> None:
    """In that order, each as a sentence."""
    events = [*many("8", mine=decision(ADVANCED, "0.5")), decided("no", decision(ADVANCED, "0", code="no_edge"))]
    assert verdict(only(*events)) == (
        "AdvancedExecutionEngine would have been cheaper: 2.00 bps an order less, give or take 0.00. It would have "
        "refused 1 of 21 intents that LiveExecutionEngine let through. It would have traded 48% of the notional."
    )


def test_too_few_orders_say_nothing() -> None:
    """And the sentence names how many there are and how many it needs."""
    assert verdict(only(decided("a"), priced("a", "10", "5"))) == (
        "AdvancedExecutionEngine: too few to say what it would have cost: 1 orders were priced for both, 20 are needed."
    )


def test_what_was_not_priced_has_no_verdict_on_cost() -> None:
    """Nothing is made of nothing."""
    assert verdict(only(decided("a"))).startswith("AdvancedExecutionEngine: no order was priced on paper for both")


def test_the_sentences_name_who_and_what() -> None:
    """Traded, looked on, alike and not, sizes, tactics, the door."""
    mine = decision(ADVANCED, "0.5", tactic="twap")
    said = list(sentences(only(decided("a", mine, differs=("size", "tactic"), door="dry_run"), decided("b"))))
    assert said[0] == "LiveExecutionEngine traded, AdvancedExecutionEngine (dynamic sizing) looked on."
    assert said[1] == "2 intents decided by both: 1 alike, 1 not (size 1, tactic 1)."
    assert "Other tactics: 1 (market -> twap 1)." in said
    assert "Size of the median entry: 75% of the traded one (from 50% to 100%, 2 orders)." in said
    assert "Approved and not sent: 1 (dry_run 1)." in said


def test_the_tables_show_cost_by_purpose_and_what_differs_most() -> None:
    """With signs, and how many more there are."""
    events = many("8", differs=("cost",))
    table, rows = cost_table(only(*events)), difference_table(only(*events), 3)
    assert table.rows[-1] == ("all", "20", "10.00", "8.00", "-2.00", "0.00", "cheaper")
    assert len(rows.rows) == 3
    assert rows.notes == ("and 17 more: --limit",)


def test_an_intents_story_has_the_shadows_sentence() -> None:
    """In `gpt-trader explain`, beside what was sent and what came back."""
    event = decided("a", decision(ADVANCED, "0.5", limit_price=D(101)), differs=("size", "price"))
    assert tell_decided(event) == (
        "AdvancedExecutionEngine, looking on, would have decided another size and price: 0.5 by market at 101."
    )
    assert tell_priced(priced("a", "10", "8")) == (
        "On paper it cost, all in, 10.00 bps as traded and 8.00 bps as it would have been."
    )


def test_machines_get_the_same_as_text() -> None:
    """Decimals as text, so that nothing is rounded on the way."""
    found = as_object(analysed(*many("8")), 2)
    assert json.loads(json.dumps(found)) == found
    (compared,) = found["compared"]
    assert compared["paper"][-1]["difference_bps"] == str(D("-2.0000"))
