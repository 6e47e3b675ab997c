"""What do signals tell a running bot? SIGHUP: read the configuration again. SIGINT and SIGTERM end it, elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from types import FrameType
from typing import Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.desk import Command, ControlDesk

__all__ = ["reload_on_hangup"]

WHO: Final = "signal SIGHUP"


@contextlib.asynccontextmanager
async def reload_on_hangup(desk: ControlDesk, *, listen: bool = True) -> AsyncIterator[None]:
    """SIGHUP is the command `reload`, without confirmation; what it refuses is told as OperatorCommandFailed."""
    if not listen:
        yield
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        with contextlib.suppress(ConfigError):  # written down and told by the desk; nobody waits for an answer
            await desk.take(Command(name="reload", who=WHO, reason="the signal was sent"))

    def begin() -> None:
        task = loop.create_task(reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def heard(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin)

    before = signal.signal(signal.SIGHUP, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
        await asyncio.gather(*tasks, return_exceptions=True)
