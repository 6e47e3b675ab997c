"""What is being worked? Tactics that go on after the pipeline has answered, and their orderly end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["OrderTracker"]


class OrderTracker:
    """Holds the running part of each tactic by intent. It belongs to the house, so it outlives an engine."""

    def __init__(self) -> None:
        self._working: dict[str, asyncio.Task[None]] = {}
        self.failures: list[tuple[str, BaseException]] = []
        """Tactics that ended by an error, with the intent; the bot reports and clears them."""

    def start(self, intent_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"tactic {intent_id}")
        self._working[intent_id] = task
        task.add_done_callback(lambda done: self._ended(intent_id, done))

    def _ended(self, intent_id: str, task: asyncio.Task[None]) -> None:
        self._working.pop(intent_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append((intent_id, error))

    def working(self) -> tuple[str, ...]:
        """Intents whose tactic is still at work."""
        return tuple(self._working)

    async def finish(self) -> None:
        """Wait for every tactic to come to its own end."""
        if self._working:
            await asyncio.gather(*self._working.values(), return_exceptions=True)
