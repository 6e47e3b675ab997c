"""Do requests keep the venue's pace, and do exits always get through?"""

from __future__ import annotations

import asyncio

import pytest

from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.errors import RateLimitError
from gpt_trader.exchange.budget import CHANGE_WAIT_SECONDS_MAX, RequestBudget


def take(budget: RequestBudget, count: int = 1, *, urgent: bool = False) -> None:
    async def go() -> None:
        for _ in range(count):
            await budget.take(urgent=urgent)

    asyncio.run(go())


def test_ordinary_requests_leave_the_reserve() -> None:
    """Twenty of thirty go at once; the next waits until the first is a second old."""
    clock = ManualClock()
    budget = RequestBudget(clock, per_second=30, reserve=10)
    take(budget, 20)
    assert clock.now_ns() == 0
    take(budget)
    assert clock.now_ns() == NS


def test_no_second_has_more_than_its_share_wherever_it_begins() -> None:
    """Those that left at the end of one second count in the next."""
    clock = ManualClock()
    budget = RequestBudget(clock, per_second=30, reserve=0)
    clock.advance(0.9)
    take(budget, 30)
    clock.advance(0.5)
    take(budget)
    assert clock.now_ns() == round(1.9 * NS)


def test_urgent_requests_use_the_reserve() -> None:
    """Behind a flood of reads, ten cancels leave at once."""
    clock = ManualClock()
    budget = RequestBudget(clock, per_second=30, reserve=10)
    take(budget, 20)
    take(budget, 10, urgent=True)
    assert clock.now_ns() == 0


def test_a_second_gives_no_more_than_its_share() -> None:
    """However long nothing was asked, no more than one second's worth leaves at once."""
    clock = ManualClock()
    budget = RequestBudget(clock, per_second=30, reserve=0)
    clock.advance(3600)
    take(budget, 60, urgent=True)
    assert clock.now_ns() - 3600 * NS == pytest.approx(NS, rel=1e-6)


def test_a_429_shuts_the_door_for_all() -> None:
    """Even what is urgent waits as long as the venue asks."""
    clock = ManualClock()
    budget = RequestBudget(clock)
    budget.shut(2.0)
    take(budget, urgent=True)
    assert clock.now_ns() == 2 * NS


def test_a_long_wait_is_told_instead() -> None:
    """Who would wait a minute hears so at once."""
    clock = ManualClock()
    budget = RequestBudget(clock)
    budget.shut(60.0)
    with pytest.raises(RateLimitError) as told:
        take(budget)
    assert told.value.retry_after_seconds == pytest.approx(60.0)
    assert clock.now_ns() == 0


def test_a_change_does_not_wait_long_behind_the_limit() -> None:
    """What was looked at before it may no longer hold; its sender looks again instead."""
    clock = ManualClock()
    budget = RequestBudget(clock)
    budget.shut(CHANGE_WAIT_SECONDS_MAX + 1)
    with pytest.raises(RateLimitError):
        asyncio.run(budget.take(urgent=True, wait_seconds_max=CHANGE_WAIT_SECONDS_MAX))
    assert clock.now_ns() == 0


def test_a_reserve_of_everything_is_refused() -> None:
    """Ordinary requests would never leave."""
    with pytest.raises(ValueError, match="below 30"):
        RequestBudget(ManualClock(), per_second=30, reserve=30)
