"""A bot that is killed like a process is killed, and the venue as it stood then, so that another boot can take over.

`python -m tests.killed_house FOLDER ENGINE SCENARIO EVENT` runs one scenario over a durable store and sends itself
SIGKILL when the named event is told. The simulated venue dies with the process, but it is a function of its market and
of what it was sent: `the_venue_again` sends the same again, at the same times, from the log.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from tests.builders import D, an_order
from tests.house_under_test import BadWire, House, a_config, steady_market

from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import NS, VirtualClock
from gpt_trader.core.events import Event, OrderCancelRequested, OrderSubmitted
from gpt_trader.core.values import OrderRequest
from gpt_trader.market.memory import ArrayStream
from gpt_trader.records.event_store import EventStore
from gpt_trader.venue.news import NewOrder

ENGINES: Final[Mapping[str, Mapping[str, Any]]] = {
    "live": {},
    "advanced": {"enable_market_impact_guard": True, "max_market_impact_bps": 100},
}
QUIET_SECONDS: Final = 10
SCENARIOS: Final[Mapping[str, tuple[int, Mapping[str, Any]]]] = {
    "at the venue": (59_650, {"protective_stop": D(59_700)}),
    "gap": (58_500, {"protective_stop": D(59_700)}),
    "trailing": (59_500, {"trailing_stop": D("0.005")}),
    "target": (60_900, {"protective_stop": D(59_700), "target_price": D(60_800)}),
}
"""Price after ten quiet seconds at 60 000, and what the entry asks for."""


def a_market(scenario: str) -> ArrayStream:
    return steady_market([60_000] * QUIET_SECONDS + [SCENARIOS[scenario][0]] * 100)


def an_entry(scenario: str, now_ns: int) -> OrderRequest:
    return an_order(
        intent_id="entry",
        quantity=D("0.3"),
        created_ns=now_ns,
        valid_until_ns=now_ns + 60 * NS,
        **SCENARIOS[scenario][1],
    )


def build(
    config: BotConfig, adapter: BadWire, clock: VirtualClock, store: EventStore, boot: int, *, snapshot_events: int = 0
) -> House:
    identity = RunIdentity(
        run_id="test-run", boot=boot, environment="simulated", config_digest="", market="steady", seed=0
    )
    built = PerpsBotBuilder(
        config,
        adapter=adapter,
        clock=clock,
        journal=store,
        identity=identity,
        bar_seconds=60,
        snapshot_events=snapshot_events,
    ).build()
    return House(built, adapter, store, clock)


def a_venue(market: ArrayStream) -> tuple[BadWire, VirtualClock]:
    clock = VirtualClock(market.start_ns)
    return BadWire(market, clock=clock, cash=D(100_000), entry_latency_ms=10, ack_latency_ms=10, script=()), clock


def the_venue_again(market: ArrayStream, events: list[Event], until_ns: int) -> tuple[BadWire, VirtualClock]:
    """The venue with everything that the log says was sent to it, at `until_ns`."""
    adapter, clock = a_venue(market)
    send_again(adapter, clock, events, until_ns)
    return adapter, clock


def send_again(adapter: BadWire, clock: VirtualClock, events: list[Event], until_ns: int) -> None:
    """What was sent to another venue over the same market, at its times."""
    for event in events:
        if isinstance(event, OrderSubmitted | OrderCancelRequested):
            move(adapter, clock, event.at_ns)
            resend(adapter, event)
    move(adapter, clock, until_ns)


def resend(adapter: BadWire, event: OrderSubmitted | OrderCancelRequested) -> None:
    if isinstance(event, OrderSubmitted):
        fields = msgspec.structs.asdict(event)
        adapter.venue.submit(NewOrder(**{name: fields[name] for name in NewOrder.__struct_fields__}))
        return
    number = adapter.venue.number_of(event.client_order_id)
    assert number is not None
    adapter.venue.cancel(number)


def move(adapter: BadWire, clock: VirtualClock, until_ns: int) -> None:
    while clock.now_ns() < until_ns:
        adapter.advance(until_ns)


def main(folder: str, engine: str, scenario: str, killed_at: str) -> None:
    market = a_market(scenario)
    adapter, clock = a_venue(market)
    with EventStore.open(Path(folder) / "events.sqlite", "test-run", 1, durable=True) as store:
        house = build(a_config(**ENGINES[engine]), adapter, clock, store, 1)

        def die(event: Event) -> None:
            if type(event).__name__ == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

        house.bot.bus.watch("executioner", die)

        async def play() -> None:
            await house.bot.engine.place_order(an_entry(scenario, clock.now_ns()))
            await clock.sleep(5)
            if killed_at == "quietly":
                os.kill(os.getpid(), signal.SIGKILL)
            await clock.sleep(60)

        house.run(play)


if __name__ == "__main__":
    main(*sys.argv[1:])
