"""A bot that is killed in the middle of a swap, while a tactic works an entry that has a stop.

`python -m tests.killed_swap FOLDER SECONDS WHEN` begins an aggressive limit, swaps the engine after so many seconds, and
sends itself SIGKILL when the named event is told, or `after` half a second more.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from tests.builders import D, an_order
from tests.house_under_test import House, steady_market
from tests.killed_house import a_venue, build
from tests.steered import IMPACT, Configuration

from gpt_trader.core.clock import NS
from gpt_trader.core.events import Event
from gpt_trader.core.values import OrderRequest
from gpt_trader.market.memory import ArrayStream
from gpt_trader.records.event_store import EventStore

LIMITS: Final[dict[str, Any]] = {"enable_market_impact_guard": True, "max_market_impact_bps": 1000}


def a_market() -> ArrayStream:
    """A book that rises slowly away from a buyer who waits."""
    return steady_market([60_000 + 5 * (second // 3) for second in range(200)])


def an_entry(now_ns: int) -> OrderRequest:
    return an_order(
        intent_id="entry",
        quantity=D("1.5"),
        tactic="aggressive_limit",
        protective_stop=D(59_000),
        created_ns=now_ns,
        valid_until_ns=now_ns + 60 * NS,
    )


def main(folder: str, seconds: str, when: str) -> None:
    adapter, clock = a_venue(a_market())
    configuration = Configuration(Path(folder), **LIMITS)
    with EventStore.open(Path(folder) / "events.sqlite", "test-run", 1, durable=True) as store:
        house: House = build(configuration.load().config, adapter, clock, store, 1)
        steering = configuration.steering(house)

        def die(event: Event) -> None:
            if type(event).__name__ == when:
                os.kill(os.getpid(), signal.SIGKILL)

        house.bot.bus.watch("executioner", die)

        async def play() -> None:
            await house.bot.engine.place_order(an_entry(clock.now_ns()))
            await clock.sleep(float(seconds))
            steering.set_flag(IMPACT, value=False, who="ann", reason="a test")
            await house.bot.bus.commit()
            await clock.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)

        house.run(play)


if __name__ == "__main__":
    main(*sys.argv[1:])
