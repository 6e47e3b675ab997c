"""How is one thing measured? Used by both sides, with nothing but the standard library."""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import sys
import time
from operator import ge
from typing import Any

FEE = 0.0005
QUANTITY = 0.1
CASH = 100_000_000


class Timer:
    """Wall and processor seconds (all threads) of a with-block. Garbage of the preparation is collected before."""

    def __enter__(self) -> Timer:
        gc.collect()
        self.wall = -time.perf_counter()
        self.processor = -time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.processor += time.process_time()


def calib_ms() -> float:
    """A fixed pure-Python loop, ms, best of 3: shows how disturbed the machine is, and how fast the interpreter."""
    best = 9e9
    for _ in range(3):
        began, total = time.perf_counter(), 0
        for number in range(300_000):
            total += number & 7
        best = min(best, time.perf_counter() - began)
    return best * 1e3


def peak_mib() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def tell(*, timer: Timer, units: int, version: str, **facts: Any) -> None:
    """One JSON line for the runner: `units` were done in the time of `timer`."""
    line = {
        "wall_s": round(timer.wall, 6),
        "processor_s": round(timer.processor, 6),
        "units": units,
        "version": version,
        "python": platform.python_version(),
        "peak_mib": peak_mib(),
        "load1": round(os.getloadavg()[0], 2),
        "calib_ms": round(calib_ms(), 2),
        **{name: value for name, value in facts.items() if value is not None},
    }
    sys.stdout.write(json.dumps(line, default=str) + "\n")
    sys.stdout.flush()


SWEEPS = {
    "busy": (range(10, 30, 2), range(40, 90, 5)),
    "rare": (range(1000, 2000, 100), range(5000, 10_000, 500)),
}
"""Lengths of the fast and of the slow average, a hundred pairs each."""


def sweep_pairs(kind: str, numbers: list[int]) -> list[tuple[int, int]]:
    """The pairs of a sweep; the first of `numbers` cuts them short, evenly."""
    fasts, slows = SWEEPS[kind]
    pairs = [(fast, slow) for fast in fasts for slow in slows]
    count = numbers[0] if numbers else len(pairs)
    return pairs[:: max(1, len(pairs) // count)][:count]


class EmaCross:
    """The strategy of every case, in plain floats: which side does EMA(20) over EMA(50) want? 0 while warming up."""

    __slots__ = ("fast", "fast_share", "seen", "slow", "slow_share", "warmup")

    def __init__(self, fast: int = 20, slow: int = 50) -> None:
        self.fast_share, self.slow_share, self.warmup = 2 / (fast + 1), 2 / (slow + 1), slow
        self.fast = self.slow = 0.0
        self.seen = 0

    def see(self, price: float) -> int:
        self.seen = seen = self.seen + 1
        if seen == 1:
            self.fast = self.slow = price
            return 0
        self.fast = fast = self.fast + (price - self.fast) * self.fast_share
        self.slow = slow = self.slow + (price - self.slow) * self.slow_share
        if seen < self.warmup:
            return 0
        return 1 if fast >= slow else -1

    def see_many(self, prices: list[float]) -> tuple[list[float], list[float], list[int]]:
        """Both averages and the side after each of the prices to come, to the last digit those of `see`."""
        fast, slow, fast_share, slow_share = self.fast, self.slow, self.fast_share, self.slow_share
        seen, fasts, slows = self.seen, [], []
        if not seen:
            fast = slow = prices[0]
        for price in prices:
            fast += (price - fast) * fast_share
            slow += (price - slow) * slow_share
            fasts.append(fast)
            slows.append(slow)
        sides = [1 if above else -1 for above in map(ge, fasts, slows)]
        early = max(0, self.warmup - 1 - seen)
        sides[:early] = [0] * len(sides[:early])
        return fasts, slows, sides
