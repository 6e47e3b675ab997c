"""A bot on the Coinbase adapter in a process of its own, which trades against a served venue until somebody kills it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from tests.exchange_places import SYMBOL, coinbase_adapter
from tests.house_under_test import a_config
from tests.live_house import DIGEST, QUICK, NoWish

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.bot.watching import watch_over
from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.values import OrderRequest, Side
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.lease import HostLease
from gpt_trader.records.reader import last_boot

ENGINES: Final[dict[str, dict[str, Any]]] = {"live": {}, "advanced": {"enable_market_impact_guard": True}}

SNAPSHOT_EVENTS: Final = 100
"""So that some processes die while one is made."""


def config_of(engine: str) -> BotConfig:
    config = a_config(**ENGINES[engine])
    return config.model_copy(update={"execution": config.execution.model_copy(update=QUICK)})


async def main(
    ready: dict[str, Any], folder: Path, engine: str, seed: int, began: Callable[[], None] = lambda: None
) -> None:
    """Trade until somebody ends the process; `began` is called when orders may leave."""
    draw = random.Random(seed)
    venue: Any = SimpleNamespace(ready=ready)
    adapter, clock = coinbase_adapter(venue), SystemClock()
    path = folder / "events.sqlite"
    boot = last_boot(path) + 1
    await adapter.connect()
    with EventStore.open(path, "live-run", boot, durable=True) as store:
        built = PerpsBotBuilder(
            config_of(engine),
            adapter=adapter,
            clock=clock,
            journal=store,
            identity=RunIdentity(
                run_id="live-run",
                boot=boot,
                environment="coinbase:test",
                config_digest=DIGEST,
                market="coinbase",
                seed=0,
            ),
            bar_seconds=60,
            strategy=lambda _: NoWish(),
            lease=HostLease(folder, "coinbase:test"),
            snapshot_events=SNAPSHOT_EVENTS,
        ).build()
        watch_over(built.bot, built.parts)
        proof = PreflightPassed(venue="coinbase", config_digest=DIGEST, passed_ns=clock.now_ns(), checks=("by a test",))
        await built.bot.start(proof)
        watching = asyncio.ensure_future(built.bot.run_until_stopped())
        began()
        number = 0
        while not watching.done():
            number += 1
            await order(built.bot, clock, draw, f"boot-{boot}-{number}")
            await clock.sleep(draw.uniform(0.0, 0.2))


async def order(bot: PerpsBot, clock: SystemClock, draw: random.Random, intent: str) -> None:
    """In, or out of what is held."""
    now_ns = clock.now_ns()
    position = bot.ledger.position(SYMBOL).quantity
    closes = position != 0 and draw.random() < 0.6
    side = Side.SELL if (position > 0 if closes else draw.random() < 0.5) else Side.BUY
    await bot.engine.place_order(
        OrderRequest(
            intent_id=intent,
            strategy=intent,
            symbol=SYMBOL,
            side=side,
            quantity=abs(position) if closes else bot.adapter.products()[SYMBOL].lot * draw.randint(1, 3),
            reduce_only=closes,
            created_ns=now_ns,
            valid_until_ns=now_ns + 10 * NS,
        )
    )
