"""What do signals tell a running bot? SIGHUP: read the configuration again. SIGUSR1 and SIGUSR2: what the configuration
says, by default kill and flatten. SIGINT and SIGTERM end it, elsewhere.

A signal is a command like any other: written down with the signal as the one who says it, then done.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from types import FrameType
from typing import Final

from gpt_trader.config.bot import ControlConfig
from gpt_trader.core.errors import GptTraderError
from gpt_trader.ops.desk import Command, ControlDesk

__all__ = ["commands_of", "obey_signals"]

REASON: Final = "the signal was sent"
END_SECONDS: Final = 1.0
"""How long the end of the bot waits here for a command; one that waits for the venue is waited for by the bot."""


def commands_of(config: ControlConfig, run: str, *, hangup: bool) -> Mapping[signal.Signals, Command]:
    """What each signal says. `hangup`: SIGHUP is a reload, without confirmation; else it is somebody else's."""
    said = {signal.SIGUSR1: config.sigusr1, signal.SIGUSR2: config.sigusr2}
    arguments = {"reduce_only": {"mode": "REDUCE_ONLY"}, "flatten": {"confirm": run}}
    names = {"reduce_only": "mode"}
    found = {
        number: Command(
            name=names.get(word, word), arguments=arguments.get(word, {}), who=f"signal {number.name}", reason=REASON
        )
        for number, word in said.items()
    }
    if hangup:
        found[signal.SIGHUP] = Command(name="reload", who=f"signal {signal.SIGHUP.name}", reason=REASON)
    return found


@contextlib.asynccontextmanager
async def obey_signals(desk: ControlDesk, commands: Mapping[signal.Signals, Command]) -> AsyncIterator[None]:
    """Until the block ends. What a command refuses is told as OperatorCommandFailed; nobody waits for an answer."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def take(command: Command) -> None:
        with contextlib.suppress(GptTraderError):  # written down and told by the desk
            await desk.take(command)

    def begin(command: Command) -> None:
        task = loop.create_task(take(command))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def heard(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin, commands[signal.Signals(number)])

    before = {number: signal.signal(number, heard) for number in commands}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if tasks:
            await asyncio.wait(tasks, timeout=END_SECONDS)
