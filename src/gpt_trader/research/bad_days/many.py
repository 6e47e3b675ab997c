"""How many bad days does the bot live through? Seeds one after another on two processes, with what was broken."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Final

import msgspec

from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.values import Value
from gpt_trader.research.bad_days.day import DayEnd, live_through
from gpt_trader.research.bad_days.drawing import draw_day
from gpt_trader.research.bad_days.scenario import Crash, Scenario

__all__ = ["PROCESSES", "Tally", "die_everywhere", "live_through_many"]

PROCESSES: Final = 2
RECOVERY_EFFECTS: Final = 30
"""More than the effects of a recovery of a short day."""
YEAR_SECONDS: Final = 365.25 * 86_400
HOUR_SECONDS: Final = 3600


class Tally(Value, frozen=True, kw_only=True):
    """What came of many days."""

    first: int
    """Seed."""
    seeds: int
    violations: tuple[DayEnd, ...]
    """The days on which something broke."""
    orders: int
    events: int
    crashes: int
    fault_kinds: tuple[tuple[str, int], ...]
    """Kinds of fault that came about, and on how many days."""
    virtual_seconds: int
    real_seconds: float

    @property
    def seeds_per_hour(self) -> float:
        return self.seeds * HOUR_SECONDS / max(self.real_seconds, 1e-9)

    @property
    def virtual_years_per_hour(self) -> float:
        return self.virtual_seconds / YEAR_SECONDS * HOUR_SECONDS / max(self.real_seconds, 1e-9)


def live_through_seed(seed: int, adapter: str = "") -> DayEnd:
    """Draw the day of a seed, and play it."""
    return live_through(draw_day(seed, adapter=adapter))


def die_everywhere(scenario: Scenario, *, recovery: bool = False, every: int = 1) -> Iterator[DayEnd]:
    """The same day again and again: each time the process dies at a later effect, from its first to its last.

    With `recovery` it dies once in the midst, and the next process dies at each effect of its recovery. Only one in
    `every` of the deaths is played. Crashes of the scenario itself are left out.
    """
    sound = msgspec.structs.replace(scenario, crashes=())
    effects = live_through(sound).effects
    first = Crash(at_ms=0, effects=effects // 2)
    last = RECOVERY_EFFECTS if recovery else effects
    for number in range(0, last, every):
        again = Crash(at_ms=0, effects=number)
        yield live_through(msgspec.structs.replace(sound, crashes=(first, again) if recovery else (again,)))


def live_through_many(
    first: int,
    *,
    seeds: int | None = None,
    minutes: float | None = None,
    adapter: str = "",
    processes: int = PROCESSES,
    tell: Callable[[DayEnd], None] = lambda _: None,
) -> Tally:
    """So many seeds from `first` on, or as many as begin within `minutes` of real time; `tell` hears of each end."""
    clock, ends = SystemClock(), list[DayEnd]()
    began_ns = clock.now_ns()
    until_ns = None if minutes is None else began_ns + round(minutes * 60 * NS)
    more = iter(range(first, first + seeds) if seeds is not None else iter_from(first))
    for end in _ends(more, adapter, processes, lambda: until_ns is None or clock.now_ns() < until_ns):
        ends.append(end)
        tell(end)
    return _tally(first, ends, (clock.now_ns() - began_ns) / NS)


def iter_from(first: int) -> Iterator[int]:
    """Seeds without end."""
    seed = first
    while True:
        yield seed
        seed += 1


def _ends(seeds: Iterator[int], adapter: str, processes: int, go_on: Callable[[], bool]) -> Iterator[DayEnd]:
    if processes == 1:
        for seed in seeds:
            if not go_on():
                return
            yield live_through_seed(seed, adapter)
        return
    # A fresh interpreter for each: a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running: set[Future[DayEnd]] = set()
        while True:
            while go_on() and len(running) < processes * 2:
                more = next(seeds, None)
                if more is None:
                    break
                running.add(pool.submit(live_through_seed, more, adapter))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()


def _tally(first: int, ends: list[DayEnd], real_seconds: float) -> Tally:
    kinds = Counter(kind for end in ends for kind in end.fault_kinds)
    return Tally(
        first=first,
        seeds=len(ends),
        violations=tuple(sorted((end for end in ends if end.violations), key=lambda end: end.seed)),
        orders=sum(end.orders for end in ends),
        events=sum(end.events for end in ends),
        crashes=sum(end.crashes for end in ends),
        fault_kinds=tuple(sorted(kinds.items())),
        virtual_seconds=sum(end.virtual_seconds for end in ends),
        real_seconds=real_seconds,
    )
