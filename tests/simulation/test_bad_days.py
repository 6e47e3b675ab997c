"""Seeded bad days with the real bot, engines, rules, stops and store: no promise is broken, and a seed is one day."""

from __future__ import annotations

import msgspec
import pytest

from gpt_trader.research.bad_days.day import DayEnd, live_through
from gpt_trader.research.bad_days.drawing import FAULT_KINDS_MIN, draw_day
from gpt_trader.research.bad_days.many import die_everywhere
from gpt_trader.research.bad_days.scenario import Scenario

LIVE, ADVANCED = 4, 9
"""Seeds of the default run; `gpt-trader simulate` plays as many as one likes."""
LONG_SEEDS = 60
COINBASE_DAY = 14


def lived(seed: int, adapter: str = "") -> DayEnd:
    end = live_through(draw_day(seed, adapter=adapter))
    assert end.violations == ()
    return end


@pytest.mark.parametrize("seed", [LIVE, ADVANCED])
def test_a_bad_day_breaks_no_promise(seed: int) -> None:
    """One day of each engine: at least 200 orders, an hour, three kinds of fault and a crash."""
    end = lived(seed)

    assert end.orders >= 200
    assert end.virtual_seconds >= 3600
    assert len(end.fault_kinds) >= FAULT_KINDS_MIN
    assert end.crashes >= 1


@pytest.mark.long
@pytest.mark.parametrize("seed", range(LONG_SEEDS))
def test_bad_days_break_no_promise(seed: int) -> None:
    """The same for many seeds; `pytest -m long tests/simulation/test_bad_days.py`, about a second each."""
    lived(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(LONG_SEEDS))
def test_bad_days_of_the_coinbase_adapter_break_no_promise(seed: int) -> None:
    """Every seed through the adapter for real money; `pytest -m long tests/simulation/test_bad_days.py`, some four
    seconds each."""
    lived(seed, "coinbase")


def test_a_bad_day_of_the_coinbase_adapter_breaks_no_promise() -> None:
    """Its requests, frames and reconciliation, against the venue's own wire with faults of the protocol."""
    day = draw_day(COINBASE_DAY)
    assert day.adapter == "coinbase"

    end = live_through(msgspec.structs.replace(day, minutes=15, steps=day.steps[:200]))

    assert end.violations == ()
    assert end.orders >= 30
    assert any(kind.startswith("frame ") for kind in end.fault_kinds)


def a_short_day(adapter: str) -> Scenario:
    """Four minutes without a fault but that of dying."""
    day = msgspec.structs.replace(draw_day(3, adapter=adapter), minutes=4)
    steps = tuple(step for step in day.steps if step.at_ms < 4 * 60_000)
    plain = {"market": (), "wire": (), "stream": (), "frames": (), "accidents": (), "disk": (), "clock_ms": ()}
    return msgspec.structs.replace(day, **plain, steps=steps, peace_seconds=240)


@pytest.mark.parametrize(("adapter", "deaths"), [("paper", 8), ("coinbase", 3)])
def test_a_process_may_die_at_some_effects(adapter: str, deaths: int) -> None:
    """A few of them, spread over the day."""
    day = a_short_day(adapter)
    effects = live_through(msgspec.structs.replace(day, crashes=())).effects
    assert effects > 60

    for end in die_everywhere(day, every=effects // deaths):
        assert end.violations == ()
        assert end.crashes == 1


@pytest.mark.long
@pytest.mark.parametrize("recovery", [False, True], ids=["anywhere", "inside the recovery"])
@pytest.mark.parametrize("adapter", ["paper", "coinbase"])
def test_a_process_may_die_at_every_effect(adapter: str, *, recovery: bool) -> None:
    """At each write, send, cancel, read and message of a short day, and at each of a recovery.

    `pytest -m long tests/simulation/test_bad_days.py -k every_effect`, a minute or two each.
    """
    for end in die_everywhere(a_short_day(adapter), recovery=recovery):
        assert end.violations == ()


@pytest.mark.parametrize("adapter", ["paper", "coinbase"])
def test_a_scenario_is_one_day(adapter: str) -> None:
    """The same scenario gives the same log, byte for byte, also when it comes from a file."""
    scenario = msgspec.structs.replace(draw_day(LIVE, adapter=adapter), minutes=8)
    again = msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario)

    assert again == scenario
    assert live_through(again).digest == live_through(scenario).digest


def test_kinds_of_fault_are_missing_on_some_days() -> None:
    """Swarm: were every fault always there, some would hide others."""
    days = [draw_day(seed).fault_kinds for seed in range(40)]

    everything = frozenset().union(*days)
    assert all(len(kinds) > FAULT_KINDS_MIN for kinds in days)
    assert len(everything) > 40
    for kind in everything - {"crash"}:
        assert any(kind not in kinds for kinds in days), f"{kind} is never missing"


def test_every_day_has_a_crash_and_both_engines_have_days() -> None:
    """What a seed promises is in its scenario."""
    days = [draw_day(seed) for seed in range(20)]

    assert all(day.crashes for day in days)
    assert {day.engine for day in days} == {"live", "advanced"}
