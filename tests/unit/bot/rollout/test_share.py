"""Does a candidate get its share, keep what it holds, and lose it in time? A whole bot on a restless market."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.rollout_house import RolloutHouse

from gpt_trader.bot.rollout.plan import is_candidate
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    EngineSwapped,
    FlagSet,
    GuardTripped,
    IntentAssigned,
    OrderApproved,
    OrderFilled,
    RolloutCounted,
    RolloutEnded,
    RolloutPaused,
    RolloutStarted,
    RolloutStepped,
)

LIVE, ADVANCED = "LiveExecutionEngine", "AdvancedExecutionEngine"
IMPACT, SIZING = "enable_market_impact_guard", "enable_dynamic_position_sizing"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    made: list[RolloutHouse] = []

    def a_house(**given: Any) -> RolloutHouse:
        made.append(RolloutHouse(tmp_path, **{"seed": 3, "seconds": 240} | given))
        return made[-1]

    yield a_house
    for house in made:
        house.store.close()


def ended(house: RolloutHouse) -> RolloutEnded:
    found: list[RolloutEnded] = house.house.of(RolloutEnded)
    assert len(found) == 1
    return found[0]


def test_the_plan_comes_first_and_each_position_has_one_engine(make: Any) -> None:
    """The first intent is assigned after the plan; the hash decides for a free symbol, and who opened also closes."""
    house = make()
    house.run()

    kinds = house.house.kinds()
    assert kinds.index("RolloutStarted") < kinds.index("IntentAssigned") < kinds.index("OrderApproved")
    (plan,) = house.house.of(RolloutStarted)
    approved = {event.intent_id: event for event in house.house.of(OrderApproved)}
    held: dict[str, Decimal] = dict.fromkeys(house.symbols, Decimal(0))
    engines: dict[str, str] = {}
    decided = {True: 0, False: 0}
    for event in house.house.events:
        match event:
            case IntentAssigned():
                assert approved[event.intent_id].engine == event.engine
                if held[event.symbol]:
                    assert (event.why, event.engine) == ("held", engines[event.symbol])
                else:
                    assert event.why == "hash"
                    assert event.candidate is is_candidate(plan.rollout, event.intent_id, event.share)
                    decided[event.candidate] += 1
                engines[event.symbol] = event.engine
            case OrderFilled():
                held[event.symbol] += event.side.sign * event.quantity
    assert min(decided.values()) > 2
    house.house.check_invariants()


def test_a_dear_candidate_is_taken_back_and_latched_off(make: Any) -> None:
    """With the number that broke; what it holds is closed by the baseline, and nothing turns it on again."""
    house = make(seconds=900, surcharge_bps=60, plan={"share": "50%", "max_shortfall_delta": "10bps"})
    house.run(after_seconds=60)

    end = ended(house)
    assert (end.outcome, end.who) == ("ROLLED_BACK", "rollout")
    assert end.reason.startswith("shortfall: the candidate's orders")
    assert 40 < Decimal(end.numbers["delta_bps"]) < 80
    assert [(flag.flag, flag.value, flag.source) for flag in house.house.of(FlagSet)] == [(IMPACT, "false", "latch")]
    after = [event for event in house.house.of(OrderApproved) if event.at_ns > end.at_ns]
    assert {event.engine for event in after} == {LIVE}
    with pytest.raises(ConfigError, match=f"{IMPACT} is latched false by rollout"):
        house.steering.check_flags({IMPACT: True})
    house.house.check_invariants()


def test_a_good_candidate_takes_over_by_evidence_and_time(make: Any) -> None:
    """Step by step, never before its time; at the end the flags say so."""
    plan = {"share": "25%", "then": "50%,100%", "hold": "2m", "min_orders": "8", "max_shortfall_delta": "40bps"}
    house = make(seconds=1500, plan=plan)
    house.run(after_seconds=30)

    (started,), stepped = house.house.of(RolloutStarted), house.house.of(RolloutStepped)
    assert [event.share for event in stepped] == [Decimal("0.5"), Decimal(1)]
    times = [started.at_ns, *(event.at_ns for event in stepped), ended(house).at_ns]
    assert all(after - before >= 120 * 10**9 for before, after in itertools.pairwise(times))
    assert min(event.orders for event in stepped) >= 8
    assert ended(house).outcome == "COMPLETED"
    assert house.house.bot.engine.name == ADVANCED
    (swap,) = house.house.of(EngineSwapped)
    assert (swap.engine, swap.who) == (ADVANCED, "rollout")


def test_the_way_to_the_baseline_is_a_rollout_too(make: Any) -> None:
    """advanced -> live: a dear baseline engine loses its share; no flag is latched on, so that off always works."""
    house = make(
        seconds=900,
        surcharge_bps=60,
        plan={"to": "live", "share": "50%", "max_shortfall_delta": "10bps"},
        enable_market_impact_guard=True,
    )
    house.run(after_seconds=60)

    assert ended(house).outcome == "ROLLED_BACK"
    assert house.house.of(FlagSet) == []
    assert house.house.bot.engine.name == ADVANCED
    house.steering.latch_engine_off(who="ann", reason="a test")
    assert house.house.bot.engine.name == LIVE


def test_while_it_is_paused_new_positions_are_the_baselines(make: Any) -> None:
    """The candidate keeps what it holds; the pause is no time held; resumed, it goes on."""
    house = make(seconds=300)
    rollout = house.rollout

    def pause() -> None:
        rollout.pause(who="ann", reason="a test")
        with pytest.raises(ConfigError, match="paused already by ann"):
            rollout.pause(who="ann", reason="a test")

    house.run(then=pause, then_seconds=100)

    (paused,) = house.house.of(RolloutPaused)
    after = [event for event in house.house.of(IntentAssigned) if event.at_ns > paused.at_ns]
    assert {(event.why, event.candidate) for event in after if event.why != "held"} == {("paused", False)}
    assert rollout.record is not None
    assert rollout.record.held_seconds(house.clock.now_ns()) == (paused.at_ns - rollout.record.plan.at_ns) // 10**9


@pytest.mark.parametrize("how", ["abort", "rollback", "flag"])
def test_who_chooses_the_engine_by_hand_ends_it(make: Any, how: str) -> None:
    """Every intent from then on goes where it was chosen to go."""
    house = make()
    said: dict[str, Any] = {"who": "ann", "reason": "a test"}
    orders = {
        "abort": lambda: house.rollout.abort(**said),
        "rollback": lambda: house.steering.latch_engine_off(**said),
        "flag": lambda: house.steering.set_flag(SIZING, value=True, **said),
    }
    house.run(then=orders[how], then_seconds=100, after_seconds=60)

    end = ended(house)
    assert (end.outcome, end.who) == ("ABORTED", "ann")
    wanted = ADVANCED if how == "flag" else LIVE
    after = [event for event in house.house.of(OrderApproved) if event.at_ns > end.at_ns]
    assert {event.engine for event in after} == {wanted}
    assert [event for event in house.house.of(IntentAssigned) if event.at_ns > end.at_ns] == []


def test_a_guard_that_names_a_candidates_order_takes_it_back(make: Any) -> None:
    """Any other trip pauses: it says nothing of the candidate."""
    house = make()

    def trip(numbers: dict[str, Any]) -> None:
        house.house.bot.bus.publish(
            GuardTripped(
                at_ns=house.clock.now_ns(),
                guard="rejects",
                action="record",
                threshold=Decimal(3),
                unit="venue rejects",
                value=Decimal(3),
                way_back="operator only",
                numbers=numbers,
            )
        )

    def both() -> None:
        of_baseline = next(event for event in house.house.of(OrderFilled) if event.intent_id not in house.candidates)
        trip({"orders": of_baseline.client_order_id})
        assert house.rollout.is_active
        of_candidate = next(event for event in house.house.of(OrderFilled) if event.intent_id in house.candidates)
        trip({"orders": f"gt-other, {of_candidate.client_order_id}"})

    house.run(then=both, then_seconds=150)

    (paused,) = house.house.of(RolloutPaused)
    assert (paused.who, paused.reason) == (
        "rollout",
        "guard rejects: 3 venue rejects, threshold 3; nothing of the candidate is named",
    )
    assert ended(house).reason.startswith("guard rejects: 3 venue rejects, threshold 3, by gt-")


def test_a_restarted_bot_knows_all_of_it(make: Any) -> None:
    """Step, evidence to the last bit, and whose the open positions are."""
    house = make(seconds=400)
    house.run()
    record = house.rollout.record
    assert record is not None

    again = house.restarted()

    assert again.rollout.is_active
    found = again.rollout.record
    assert found is not None
    assert [bet.growth for bet in found.evidence.bets()] == [bet.growth for bet in record.evidence.bets()]
    assert found.evidence.not_worse == record.evidence.not_worse
    assert found.by_candidate == record.by_candidate
    assert again.rollout.holders() == house.rollout.holders() != {}


def test_a_restart_with_other_flags_ends_it(make: Any) -> None:
    """The baseline is not the one that was agreed on."""
    house = make(seconds=60)
    house.run()

    again = house.restarted(enable_dynamic_position_sizing=True)

    assert not again.rollout.is_active
    assert again.rollout.record is not None
    assert again.rollout.record.ended is not None
    assert again.rollout.record.ended.outcome == "ABORTED"
    assert "the engine flags were live" in again.rollout.record.ended.reason


def test_what_was_latched_off_stays_so_after_a_restart(make: Any) -> None:
    """A crash after the rollback does not give the candidate another chance."""
    house = make(seconds=900, surcharge_bps=60, plan={"share": "50%", "max_shortfall_delta": "10bps"})
    house.run()
    assert ended(house).outcome == "ROLLED_BACK"

    again = house.restarted(enable_market_impact_guard=True)

    assert not again.rollout.is_active
    assert again.house.bot.engine.name == LIVE


@pytest.mark.parametrize(
    ("plan", "risk", "problem"),
    [
        ({"to": "live"}, {}, "that is the engine that trades now"),
        ({"max_shortfall_delta": "1bps"}, {}, "can tell 8.03 bps from chance"),
        ({"shortfall_sd": ""}, {}, "nothing has been traded yet"),
    ],
)
def test_a_rollout_that_cannot_be_is_refused(
    make: Any, plan: dict[str, str], risk: dict[str, Any], problem: str
) -> None:
    """Before anything is written."""
    house = make(seconds=60, plan=plan, **risk)

    with pytest.raises(ConfigError, match=problem):
        house.run()
    assert house.house.of(RolloutStarted) == []


def test_costs_are_counted_once(make: Any) -> None:
    """Every position of the hash is told when it is opened and when it is closed, with the cost of each order."""
    house = make()
    house.run()

    counted = house.house.of(RolloutCounted)
    opened, closed = [e for e in counted if not e.closed], [e for e in counted if e.closed]
    assert len({event.intent_id for event in opened}) == len(opened) > 10
    assert len({event.intent_id for event in closed}) == len(closed) > 10
    assert {len(event.others_bps) for event in closed} == {1}
    record = house.rollout.record
    assert record is not None
    assert sum(tally.costs for tally in record.by_candidate.values()) == len(opened) + len(closed)
