"""Do faults strike where and when a plan says, and nowhere else?"""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.core.errors import ConfigError
from gpt_trader.venue.wire.faults import MESSAGES, REQUESTS, VENUE, Fault, FaultKind, FaultPlan, PlanFile, read_plan

PLAN = """\
seed: 7
faults:
  - {fault: lost_reply, method: POST, path: /orders, nth: [2, 3]}
  - {fault: drop, channel: user, probability: 0.5}
  - {fault: halt, product: BTC-PERP, at_seconds: 30, seconds: 5}
"""


def plan_of(*faults: Fault, seed: int = 0) -> FaultPlan:
    return FaultPlan(PlanFile(seed=seed, faults=faults))


def strikes(plan: FaultPlan, count: int, method: str = "POST", path: str = "/orders") -> list[int]:
    """Which of so many like requests are hit, from 1."""
    return [number for number in range(1, count + 1) if plan.for_request(method, path, 0) is not None]


def test_every_kind_has_a_place() -> None:
    """A fault belongs to requests, to messages or to the venue, and to one of them only."""
    assert frozenset(FaultKind) == REQUESTS | MESSAGES | VENUE
    assert len(REQUESTS) + len(MESSAGES) + len(VENUE) == len(FaultKind)


def test_a_plan_file_is_read(tmp_path: Path) -> None:
    """YAML, with defaults for what is not said."""
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    plan = read_plan(path)
    assert (plan.seed, [fault.fault for fault in plan.faults]) == (7, ["lost_reply", "drop", "halt"])
    assert plan.faults[2].seconds == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("faults: [{fault: lost_replies}]", "lost_replies"),
        ("faults: [{fault: drop, chanel: user}]", "chanel"),
        ("faults: [{fault: halt}]", "at_seconds"),
        ("faults: [{fault: drop, probability: 2}]", "probability"),
        ("faults: {", "plan.yaml"),
    ],
)
def test_a_plan_that_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """File, field and fix."""
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="Fix") as caught:
        read_plan(path)
    assert said in str(caught.value)


def test_nth_every_and_times_count_what_passes_the_filter() -> None:
    """Requests that a fault does not mean are not counted."""
    plan = plan_of(Fault(fault=FaultKind.LOST_REPLY, method="POST", path="/orders", nth=(2, 3)))
    assert plan.for_request("GET", "/orders", 0) is None
    assert plan.for_request("POST", "/orders/preview", 0) is None
    assert strikes(plan, 4) == [2, 3]
    assert strikes(plan_of(Fault(fault=FaultKind.LATE_REPLY, every=3)), 7) == [3, 6]
    assert strikes(plan_of(Fault(fault=FaultKind.LATE_REPLY, times=2)), 7) == [1, 2]


def test_chance_is_seeded() -> None:
    """The same plan hits the same requests; another seed hits others."""
    fault = Fault(fault=FaultKind.SERVER_ERROR, probability=0.3)
    first = strikes(plan_of(fault, seed=1), 200)
    assert first == strikes(plan_of(fault, seed=1), 200)
    assert first != strikes(plan_of(fault, seed=2), 200)
    assert 30 < len(first) < 90


def test_an_account_may_be_meant() -> None:
    """The other accounts trade on undisturbed."""
    plan = plan_of(Fault(fault=FaultKind.UNAUTHORIZED, account=1))
    assert plan.for_request("GET", "/accounts", 0) is None
    assert plan.for_request("GET", "/accounts", 1) is not None


def test_subscriptions_and_frames_are_told_apart() -> None:
    """A refused subscription does not use up a dropped frame."""
    plan = plan_of(Fault(fault=FaultKind.SUBSCRIBE_REFUSED), Fault(fault=FaultKind.DROP, nth=(1,)))
    refused = plan.for_message("user", 0, subscribing=True)
    dropped = plan.for_message("user", 0)
    assert refused is not None
    assert dropped is not None
    assert (refused.fault, dropped.fault) == (FaultKind.SUBSCRIBE_REFUSED, FaultKind.DROP)
    assert plan.for_message("user", 0) is None
    assert [hit["fault"] for hit in plan.struck] == ["subscribe_refused", "drop"]
