"""What happens when the account is not ours any more? Nothing leaves, at once; then the bot ends and says why."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest
from tests.builders import an_order
from tests.house_under_test import House, a_config
from tests.killed_house import a_market, a_venue

from gpt_trader.bot.builder import LEASE_NEEDED_SECONDS, PerpsBotBuilder, RunIdentity
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import LeaseError
from gpt_trader.core.events import OrderFailed, OrderRefused, OrderSubmitted, SystemError  # noqa: A004
from gpt_trader.records.event_store import EventStore


class FadingLease:
    """Ours until the test says otherwise."""

    account = "test"
    token = 1
    renew_seconds = 1.0

    def __init__(self) -> None:
        self.left = inf
        self.released = False

    def left_seconds(self) -> float:
        return self.left

    def renew(self) -> None:
        if self.left == 0:
            raise LeaseError("account test: somebody else has taken the lease")

    def release(self) -> None:
        self.released = True


def run(folder: Path, lease: FadingLease, scenario: Any) -> House:
    adapter, clock = a_venue(a_market("at the venue"))
    identity = RunIdentity(run_id="r", boot=1, environment="simulated", config_digest="", market="steady", seed=0)
    with EventStore.open(folder / "events.sqlite", "r", 1, durable=False) as store:
        built = PerpsBotBuilder(
            a_config(), adapter=adapter, clock=clock, journal=store, identity=identity, bar_seconds=60, lease=lease
        ).build()
        house = House(built, adapter, store, clock)

        async def play() -> None:
            await scenario(house)

        house.run(play)
        return house


def an_entry(house: House, name: str = "entry") -> Any:
    now_ns = house.clock.now_ns()
    return an_order(intent_id=name, created_ns=now_ns, valid_until_ns=now_ns + 60 * NS)


@pytest.mark.parametrize(("left", "sent"), [(LEASE_NEEDED_SECONDS + 0.1, 1), (LEASE_NEEDED_SECONDS, 0), (0.0, 0)])
def test_a_send_needs_a_lease_that_outlives_it(tmp_path: Path, left: float, sent: int) -> None:
    """Longer than the request's deadline and the difference of clocks; else it is refused by its name."""
    lease = FadingLease()

    async def scenario(house: House) -> None:
        lease.left = left
        await house.bot.engine.place_order(an_entry(house))

    house = run(tmp_path, lease, scenario)
    assert len(house.adapter.bodies) == sent
    if not sent:
        assert [event.code for event in house.of(OrderRefused)] == ["lease_too_short"]


def test_a_lease_that_fades_while_the_order_is_written_down(tmp_path: Path) -> None:
    """It is in the log, and surely not at the venue: FAILED, not unknown."""
    lease = FadingLease()

    async def scenario(house: House) -> None:
        house.bot.bus.subscribe(OrderSubmitted, "thief", lambda _: setattr(lease, "left", 0.0))
        await house.bot.engine.place_order(an_entry(house))

    house = run(tmp_path, lease, scenario)
    assert house.adapter.bodies == []
    assert [event.code for event in house.of(OrderFailed)] == ["lease_too_short"]


def test_a_lost_lease_ends_the_bot_within_one_tick(tmp_path: Path) -> None:
    """Neither entry nor exit nor cancel leaves; the reason names the lease; the end is not delayed by phases."""
    lease = FadingLease()

    async def scenario(house: House) -> None:
        await house.bot.engine.place_order(an_entry(house))
        sent = len(house.adapter.bodies)
        lease.left = 0.0
        began_ns = house.clock.now_ns()
        reason = await house.bot.run_until_stopped(began_ns + 30 * NS)
        assert (house.clock.now_ns() - began_ns) / NS <= 2 * lease.renew_seconds
        assert reason == "the lease is lost: account test: somebody else has taken the lease"
        await house.bot.stop(reason)
        assert len(house.adapter.bodies) == sent
        assert lease.released

    house = run(tmp_path, lease, scenario)
    assert any(event.source == "lease" for event in house.of(SystemError))
