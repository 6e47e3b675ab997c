"""How does Prometheus reach the figures? An HTTP page in a thread of its own, on loopback unless told otherwise.

Asking costs the bot one picture of itself; counting, and writing the page, are done beside it. Nothing on the page is
a secret, and whoever reaches it reads how much is held: keep it on loopback or behind your own proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.metrics.counting import EventCounter
from gpt_trader.ops.metrics.gauges import Gauges, Now
from gpt_trader.ops.tap import ask, attended

__all__ = ["BotMetrics", "watch_lag"]

LAG_SECONDS: Final = 0.25
"""How often the loop is looked at."""


class BotMetrics:
    """Everything of one bot."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.counter = EventCounter(self.registry)
        ProcessCollector(registry=self.registry)

    def committed(self, seconds: float) -> None:
        """Writing down took so long."""
        self.counter.observe("gpt_trader_store_commit_seconds", seconds)

    def lagged(self, seconds: float) -> None:
        """The loop woke somebody so much too late."""
        self.counter.observe("gpt_trader_loop_lag_seconds", seconds)

    @contextlib.contextmanager
    def served(
        self, host: str, port: int, look: Callable[[], Now], loop: asyncio.AbstractEventLoop
    ) -> Iterator[Callable[..., None]]:
        """Serve until the block ends; gives the listener of the bus. `look` is called on the bot's loop. Raises
        ConfigError when nothing can listen there."""
        self.registry.register(Gauges(lambda: ask(loop, look)))
        try:
            server, thread = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise ConfigError(
                f"metrics: nothing can listen on {host}:{port}: {error.strerror}. Fix: another metrics.port"
            ) from error
        try:
            with attended("metrics", self.counter.on_event, tick=lambda: self.counter.missed(tap.missed)) as tap:
                yield tap.on_event
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


async def watch_lag(clock: Clock, lagged: Callable[[float], None]) -> None:
    """Until it is cancelled."""
    while True:
        began_ns = clock.now_ns()
        await clock.sleep(LAG_SECONDS)
        lagged(max(0.0, (clock.now_ns() - began_ns) / NS - LAG_SECONDS))
