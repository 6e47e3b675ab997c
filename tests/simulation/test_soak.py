"""Does the memory of a bot grow with its age? Days of trading on virtual time, and nothing that is kept gets longer."""

from __future__ import annotations

import gc
import resource
import sys
from collections import Counter, deque
from collections.abc import Sized
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import D, an_order

from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity
from gpt_trader.bot.watching import watch_over
from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.values import Side
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.statistics import UNREAD_BARS_MAX
from gpt_trader.records.event_store import EventStore
from gpt_trader.research.bad_days.day import a_config
from gpt_trader.research.bad_days.market import BAR_SECONDS, a_market
from gpt_trader.research.bad_days.scenario import Scenario
from gpt_trader.venue.exchange import SimulatedVenue

DAYS = 7
PAIRS_PER_MINUTE = 25
"""An entry and an exit each: 50 orders a minute."""
GROWN_BY = 1.05
SMALL = 200
"""Collections below that size may come and go."""
UNREAD = dict.fromkeys((f"bot.bot._statistics[].{name}" for name in ("_times", "_closes", "_traded")), UNREAD_BARS_MAX)
"""Bars that nobody has asked about yet: they grow up to a limit with a name, which seven days do not reach."""


def sizes(root: Any) -> Counter[str]:
    """Length of every collection that can be reached from the bot, by the way to it."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    ahead: deque[tuple[str, Any]] = deque([("bot", root)])
    while ahead:
        way, thing = ahead.popleft()
        if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type)):
            continue
        seen.add(id(thing))
        if isinstance(thing, (dict, list, set, frozenset, deque, tuple)):
            if isinstance(thing, Sized):
                found[way] = max(found[way], len(thing))
            inside = list(thing.values()) if isinstance(thing, dict) else list(thing)
            ahead.extend((f"{way}[]", each) for each in inside[:50])
        elif type(thing).__module__.startswith("gpt_trader") and "venue" not in type(thing).__module__:
            ahead.extend((f"{way}.{name}", value) for name, value in attributes(thing))
    return found


def attributes(thing: Any) -> list[tuple[str, Any]]:
    names = [*getattr(thing, "__dict__", {}), *getattr(type(thing), "__slots__", ())]
    return [(name, getattr(thing, name)) for name in names if isinstance(name, str) and hasattr(thing, name)]


def soak(folder: Path, minutes: int, warm_minutes: int) -> tuple[Counter[str], Counter[str], int, int]:
    """Sizes after the warm-up and at the end; resident memory then but for the venue's, in kilobytes."""
    scenario = Scenario(seed=1, minutes=minutes // 2, volatility_bps=1)
    market = a_market(scenario)
    clock = VirtualClock(market.start_ns)
    adapter = PaperExchange(market, clock=clock, cash=D(10_000_000), entry_latency_ms=10, ack_latency_ms=10)
    identity = RunIdentity(run_id="soak", boot=1, environment="simulated", config_digest="", market=market.name, seed=1)
    with EventStore.open(folder / "events.sqlite", "soak", 1, durable=False) as store:
        built = PerpsBotBuilder(
            a_config(scenario), adapter=adapter, clock=clock, journal=store, identity=identity, bar_seconds=BAR_SECONDS
        ).build()
        watch_over(built.bot, built.parts)
        found: list[tuple[Counter[str], int]] = []

        async def main() -> None:
            await built.bot.start()
            await trade(built, clock, warm_minutes)
            found.append((measured(built), resident_kilobytes() - venue_kilobytes(adapter.venue)))
            await trade(built, clock, minutes - warm_minutes)
            found.append((measured(built), resident_kilobytes() - venue_kilobytes(adapter.venue)))

        run_virtual(clock, adapter, main)
    (before, kilobytes_before), (after, kilobytes_after) = found
    return before, after, kilobytes_before, kilobytes_after


def measured(built: BuiltBot) -> Counter[str]:
    gc.collect()
    return sizes(built)


def resident_kilobytes() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


def venue_kilobytes(venue: SimulatedVenue) -> int:
    """What the venue in the same process keeps: every order, trade and id for ever, as an exchange does."""
    tables = [table.nbytes for table in vars(venue._memory).values() if isinstance(table, np.ndarray)]
    ids = [sys.getsizeof(each) for held in (venue._names, venue._numbers) for each in held]
    names = [sys.getsizeof(name) for name in venue._names.values()]
    return (sum(tables) + sum(ids) + sum(names) + sys.getsizeof(venue._names) + sys.getsizeof(venue._numbers)) // 1024


async def trade(built: BuiltBot, clock: VirtualClock, minutes: int) -> None:
    end_ns = clock.now_ns() + minutes * 60 * NS
    while clock.now_ns() < end_ns:
        now_ns = clock.now_ns()
        valid_ns = now_ns + 30 * NS
        await built.bot.engine.place_order(
            an_order(intent_id=f"in-{now_ns}", quantity=D("0.01"), created_ns=now_ns, valid_until_ns=valid_ns)
        )
        await clock.sleep(1)
        if built.bot.ledger.position("BTC-PERP").quantity > 0:
            await built.bot.engine.place_order(
                an_order(
                    intent_id=f"out-{now_ns}",
                    side=Side.SELL,
                    quantity=D("0.01"),
                    reduce_only=True,
                    created_ns=now_ns,
                    valid_until_ns=valid_ns,
                )
            )
        await clock.sleep(60 / PAIRS_PER_MINUTE - 1)


def grown(before: Counter[str], after: Counter[str]) -> dict[str, tuple[int, int]]:
    return {
        way: (before[way], size)
        for way, size in after.items()
        if size > SMALL and size > before[way] * GROWN_BY and size > UNREAD.get(way, 0)
    }


@pytest.mark.long
def test_f92_seven_days_of_trading_leave_no_trace_in_memory(tmp_path: Path) -> None:
    """50 orders a minute for 7 virtual days: no map grows after the second day, and memory stands still.

    `pytest -m long tests/simulation/test_soak.py`, five minutes on a quiet core.
    """
    before, after, kilobytes_before, kilobytes_after = soak(tmp_path, DAYS * 1440, 2 * 1440)

    assert grown(before, after) == {}
    assert kilobytes_after < kilobytes_before * 1.1


def test_the_soak_sees_a_map_that_grows(tmp_path: Path) -> None:
    """A quarter of an hour is too short for the windows to be full: what fills them is seen, so the soak can fail."""
    before, after, _, _ = soak(tmp_path, 16, 4)

    ways = grown(before, after)
    assert any(way.endswith("ledger._keys") for way in ways)
