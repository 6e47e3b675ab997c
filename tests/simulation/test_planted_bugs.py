"""Is the simulator any good? Every planted bug must be found, each within 50 seeds."""

from __future__ import annotations

import pytest
from tests.simulation.planted import PLANTED, with_bug

from gpt_trader.research.bad_days.day import live_through
from gpt_trader.research.bad_days.drawing import draw_day

SEEDS_MAX = 50
QUICK = (
    "new_id_on_retry",
    "new_body_on_retry",
    "fill_counted_twice",
    "no_fsync",
    "flip_in_one_piece",
    "foreign_orders_cancelled",
    "timeout_is_reject",
)
"""Found on the first day already."""


def seed_that_finds(name: str) -> int | None:
    """The first seed on which something breaks; the bug is taken out again."""
    with with_bug(name):
        return next((seed for seed in range(SEEDS_MAX) if live_through(draw_day(seed)).violations), None)


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found_at_once(name: str) -> None:
    """A harness that misses these shows nothing."""
    assert seed_that_finds(name) is not None


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in PLANTED if name not in QUICK])
def test_a_planted_bug_is_found(name: str) -> None:
    """Each within 50 seeds: `pytest -m long tests/simulation/test_planted_bugs.py`, a minute at most for one."""
    assert seed_that_finds(name) is not None


def test_there_are_enough_planted_bugs() -> None:
    """At least twenty, each said in one sentence with the case it is of; each can still be planted."""
    for name in PLANTED:
        with with_bug(name):
            pass
    assert len(PLANTED) >= 20
    assert all((plant.__doc__ or "").strip() for plant in PLANTED.values())
