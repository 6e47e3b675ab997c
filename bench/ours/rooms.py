"""Where does the time of one order go? The profile of the case orders, summed by room of the house. `rooms.py COUNT`.

The profiler slows everything down, Python more than C: the shares are its, the microseconds are those of an undisturbed
run of the same orders, divided by these shares.
"""

import cProfile
import pstats
import sys
from collections import Counter
from pathlib import Path

import house

count = int(sys.argv[1])
profile = cProfile.Profile()


class ProfilingTimer(house.Timer):
    def __enter__(self):
        super().__enter__()
        profile.enable()
        return self

    def __exit__(self, *_):
        profile.disable()
        super().__exit__()


def room_of(function: tuple[str, int, str]) -> str:
    path = Path(function[0])
    if "gpt_trader" not in path.parts:
        return "asyncio" if "asyncio" in path.parts else "other"
    inside = path.parts[path.parts.index("gpt_trader") + 1 :]
    return ".".join(inside).removesuffix(".py")


def shares() -> Counter[str]:
    """Own time by file; what runs in C belongs to the file that called it."""
    found: Counter[str] = Counter()
    for function, (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if function[0] != "~" or not callers:
            found[room_of(function)] += own
            continue
        for caller, (_, _, part, _) in callers.items():
            found[room_of(caller)] += part
    return found


told: list[dict[str, object]] = []
tell, house.tell = house.tell, lambda **facts: told.append(facts)
for timer in (house.Timer, ProfilingTimer):
    house.Timer = timer
    house.play(house.bar_stream((count + 1) // 2 + 1), house.Flip, units=0)
orders = told[0]["units"]
order_us = told[0]["timer"].processor / orders * 1e6
found = shares()
whole = sum(found.values())
tell(
    timer=told[0]["timer"],
    units=orders,
    version=house.__version__,
    order_us=round(order_us, 2),
    rooms={room: round(own / whole * order_us, 2) for room, own in found.most_common()},
)
