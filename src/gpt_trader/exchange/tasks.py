"""Does everything that should run still run? An adapter's background tasks; one that ends by an error is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Tasks"]


class Tasks:
    """From `spawn` to `close`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, name: str, work: Coroutine[Any, Any, None], failed: Callable[[str], None]) -> None:
        """Run `work`; if it ends by an error, `failed` is told which."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner} {name}")
        self._tasks.add(task)

        def done(_: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                failed(f"{type(error).__name__}: {error}")

        task.add_done_callback(done)

    async def close(self) -> None:
        """Cancel what runs, and wait for its end."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
