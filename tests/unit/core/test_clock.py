"""What time is it?"""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from gpt_trader.core.clock import NS, ManualClock, SimulationOver, VirtualClock, iso, run_virtual, until, until_woken


class Nothing:
    """A world in which nothing happens by itself."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.asked: list[int | None] = []

    def advance(self, until_ns: int | None) -> int:
        self.asked.append(until_ns)
        if until_ns is None:
            raise SimulationOver
        return until_ns


class Bell:
    """A world that tells one listener something at one moment."""

    def __init__(self, clock: VirtualClock, at_ns: int) -> None:
        self.clock = clock
        self.at_ns = at_ns
        self.rung: asyncio.Future[int] | None = None

    def advance(self, until_ns: int | None) -> int:
        if self.rung is not None and not self.rung.done() and (until_ns is None or until_ns >= self.at_ns):
            self.clock.move_to(self.at_ns)
            self.rung.set_result(self.at_ns)
            return self.at_ns
        if until_ns is None:
            raise SimulationOver
        return until_ns


def test_an_hour_of_sleep_costs_no_real_time_and_ends_on_the_hour() -> None:
    """Sleeping moves the market's clock, and nothing else."""
    clock = VirtualClock(1_000 * NS)

    async def main() -> int:
        await clock.sleep(3600)
        return clock.now_ns()

    assert run_virtual(clock, Nothing(clock), main) == 4_600 * NS


def test_timers_wake_in_the_order_of_their_times() -> None:
    """Two sleepers interleave as their times say, whatever the order in which they lay down."""
    clock = VirtualClock(0)
    woken: list[tuple[str, int]] = []

    async def sleeper(name: str, seconds: float) -> None:
        for _ in range(2):
            await clock.sleep(seconds)
            woken.append((name, clock.now_ns() // NS))

    async def main() -> None:
        await asyncio.gather(sleeper("slow", 3), sleeper("quick", 2))

    run_virtual(clock, Nothing(clock), main)
    assert woken == [("quick", 2), ("slow", 3), ("quick", 4), ("slow", 6)]


def test_the_world_is_asked_only_as_far_as_the_next_timer() -> None:
    """It must not run past somebody who waits."""
    clock = VirtualClock(0)
    world = Nothing(clock)

    async def main() -> None:
        await clock.sleep(5)

    run_virtual(clock, world, main)
    assert world.asked == [5 * NS]


def test_an_event_of_the_world_wakes_its_waiter_at_its_own_time() -> None:
    """A fill at second 2 is seen at second 2, not at the next timer."""
    clock = VirtualClock(0)
    world = Bell(clock, 2 * NS)

    async def main() -> tuple[bool, int]:
        world.rung = asyncio.get_running_loop().create_future()
        return await until(world.rung, 10), clock.now_ns()

    assert run_virtual(clock, world, main) == (True, 2 * NS)


def test_until_gives_up_at_its_timeout() -> None:
    """Waiting has a named limit."""
    clock = VirtualClock(0)
    world = Bell(clock, 20 * NS)

    async def main() -> tuple[bool, int]:
        world.rung = asyncio.get_running_loop().create_future()
        return await until(world.rung, 10), clock.now_ns()

    assert run_virtual(clock, world, main) == (False, 10 * NS)


def test_a_waker_wakes_whoever_waits_or_the_end_of_the_time_does() -> None:
    """True at second 2 when it was woken, False at second 3 when nobody did."""
    clock = VirtualClock(0)

    async def main() -> list[tuple[bool, int]]:
        loop = asyncio.get_running_loop()
        woken, forgotten = loop.create_future(), loop.create_future()
        loop.call_later(2, woken.set_result, True)
        return [(await until_woken(each, 3), clock.now_ns() // NS) for each in (woken, forgotten)]

    assert run_virtual(clock, Nothing(clock), main) == [(True, 2), (False, 5)]


def test_timers_of_one_time_go_in_the_order_in_which_they_were_set() -> None:
    """However many there are, and whichever of them are stopped: one seed is one log."""
    clock = VirtualClock(0)
    gone: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(1, gone.append, number) for number in range(50)]
        for timer in timers[::3]:
            timer.cancel()
        await clock.sleep(2)

    run_virtual(clock, Nothing(clock), main)
    assert gone == [number for number in range(50) if number % 3]


def test_a_socket_is_served_while_the_market_runs() -> None:
    """Somebody who asks over a socket is answered, although most turns do not look there."""
    clock = VirtualClock(0)

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.send(b"how are you?")
            asking = loop.create_task(loop.sock_recv(ours, 100))
            while not asking.done():
                await clock.sleep(1)
            return asking.result()

    assert run_virtual(clock, Nothing(clock), main) == b"how are you?"


def test_waiting_for_what_can_never_come_is_an_error_not_a_hang() -> None:
    """With nothing left in the world and no timer, the loop stops with a name."""
    clock = VirtualClock(0)

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(SimulationOver):
        run_virtual(clock, Nothing(clock), main)


def test_a_clock_never_goes_back() -> None:
    """Time that was reached stays reached."""
    clock = VirtualClock(10)
    clock.move_to(5)
    assert clock.now_ns() == 10


def test_pending_tasks_are_cancelled_when_the_main_one_ends() -> None:
    """Nothing of a run lives on after it."""
    clock = VirtualClock(0)
    cancelled: list[bool] = []

    async def forever() -> None:
        try:
            await clock.sleep(1e9)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(forever())
        await clock.sleep(1)
        assert not task.done()

    run_virtual(clock, Nothing(clock), main)
    assert cancelled == [True]


def test_a_paced_run_takes_its_share_of_real_time() -> None:
    """At 10 seconds a second, two market seconds take 200 ms or more."""
    clock = VirtualClock(0)
    began = time.monotonic()

    async def main() -> float:
        await clock.sleep(2)
        return asyncio.get_running_loop().time()

    assert run_virtual(clock, Nothing(clock), main, pace=10) == pytest.approx(2, abs=1e-6)
    assert time.monotonic() - began >= 0.2


def test_a_paced_run_sleeps_while_nothing_is_due() -> None:
    """A bot that waits for the next bar in real time leaves the processor to others."""
    clock = VirtualClock(0)
    began = time.process_time()

    run_virtual(clock, Nothing(clock), lambda: clock.sleep(0.5), pace=1)

    assert time.process_time() - began < 0.25


def test_a_manual_clock_moves_by_hand() -> None:
    """Half a second is 500 million nanoseconds."""
    clock = ManualClock()
    clock.advance(0.5)
    assert clock.now_ns() == 500_000_000


def test_times_are_shown_in_utc_with_milliseconds() -> None:
    """For people, one format everywhere."""
    assert iso(1_750_000_000_123_456_789) == "2025-06-15 15:06:40.123Z"
