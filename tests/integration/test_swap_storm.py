"""Is anything lost when the engine is swapped five times a second under load? Orders in every stage, a bad wire.

The full storm: `pytest tests/integration/test_swap_storm.py -m long` (some minutes).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from tests.swap_storm import STAGES, Storm

from gpt_trader.core.events import (
    EngineSwapped,
    OrderApproved,
    OrderFilled,
    OrderReconciled,
    OrderRefused,
    OrderSubmitted,
    TacticStarted,
)
from gpt_trader.core.values import OPEN_OUTCOMES


def check(storm: Storm) -> None:
    """Nothing lost, nothing doubled, no position naked, ledger equal to venue."""
    house = storm.house
    check_nothing_is_doubled(storm)
    check_nothing_is_lost(storm)
    assert storm.naked == []
    house.check_invariants()
    assert max(storm.guard_gaps) <= house.bot.settings.guard_interval_seconds + 1
    assert {name: storm.decided[name] for name in storm.decided} == {
        name: storm.expected[name] for name in storm.decided
    }, "an intent was decided by another engine than the one that it was handed to"


def check_nothing_is_doubled(storm: Storm) -> None:
    """One durable fact for each order, and no intent gets more than was approved."""
    submitted = Counter(event.client_order_id for event in storm.house.of(OrderSubmitted))
    assert [name for name, count in submitted.items() if count > 1] == []
    approved = {event.intent_id: event.quantity for event in storm.house.of(OrderApproved)}
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for event in storm.house.of(OrderFilled):
        filled[event.intent_id] += event.quantity
    assert {name: quantity for name, quantity in filled.items() if quantity > approved.get(name, quantity)} == {}
    assert "" not in filled, "a fill that belongs to no intent"


def check_nothing_is_lost(storm: Storm) -> None:
    """Every intent that was handed in was decided, and every approved one has a last answer or an order that rests."""
    house = storm.house
    assert set(storm.expected) == set(storm.decided)
    answers: dict[str, str] = {}
    for event in house.of(OrderReconciled):
        answers[event.intent_id] = event.outcome
    for event in house.of(OrderRefused):
        answers.setdefault(event.intent_id, "REFUSED")
    resting = {order.submitted.intent_id for order in house.bot.orders.living()}
    open_ended = {
        event.intent_id
        for event in house.of(OrderApproved)
        if answers.get(event.intent_id, "") in {"", *OPEN_OUTCOMES} and event.intent_id not in resting
    }
    assert open_ended == set()
    at_venue = {order.client_order_id for order in storm.adapter.venue.open_orders()}
    assert {order.client_order_id for order in house.bot.orders.living()} == at_venue
    assert house.bot.tracker.working() == ()


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_in_a_small_storm(tmp_path: Path, seed: int) -> None:
    """Fifteen seconds on six symbols."""
    storm = Storm(tmp_path, symbols=6, seconds=15, seed=seed)
    storm.run()

    check(storm)
    assert len(storm.house.of(EngineSwapped)) == storm.swaps > 70
    assert {stage for stage in STAGES if storm.met[stage] == 0} == set()
    storm.store.close()


@pytest.mark.long
def test_nothing_is_lost_in_ten_minutes(tmp_path: Path) -> None:
    """20 orders a second over 40 symbols, a swap every 200 ms; at least 500 swaps meet an order in each stage.

    `pytest tests/integration/test_swap_storm.py -m long -s`.
    """
    storm = Storm(tmp_path, symbols=40, seconds=600, seed=7)
    storm.run()

    check(storm)
    met = ", ".join(f"{stage} {storm.met[stage]}" for stage in STAGES)
    print(f"{storm.swaps} swaps; met: {met}")  # noqa: T201 - the figures
    assert len(storm.house.of(EngineSwapped)) == storm.swaps > 2900
    assert min(storm.met[stage] for stage in STAGES) >= 500
    started = Counter(event.tactic for event in storm.house.of(TacticStarted))
    assert started.keys() >= {"simple_limit", "aggressive_limit", "post_only_chase", "twap", "iceberg"}
    storm.store.close()
