"""Who runs the trials, where one machine is too small? Actors of a Ray cluster; the same tasks, the same outcomes.

The rows lie in Ray's object store, once on each machine. A worker that dies is started again by Ray, and its trial
is run again: nothing is lost but time.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.research.search.shared_market import read_rows
from gpt_trader.research.search.trial import Outcome, Task
from gpt_trader.research.search.workers import ATTEMPTS_MAX, Setup, too_many_deaths

__all__ = ["HERE", "RayWorkers"]

HERE: Final = "local"
"""An address that starts a cluster on this machine, for one search."""


class RayWorkers:
    """Workers of the cluster at `address`, one processor each."""

    def __init__(self, setup: Setup, address: str, count: int | None) -> None:
        """`count` actors; None takes as many as the cluster has processors. Raises ConfigError."""
        self._ray = _import_ray()
        self._setup = setup
        try:
            self._ray.init(
                address=None if address == HERE else address,
                num_cpus=count if address == HERE else None,
                include_dashboard=False if address == HERE else None,
                log_to_driver=False,
                logging_level="ERROR",
            )
        except (ConnectionError, ValueError) as error:
            raise ConfigError(
                f"--ray {address}: {error}. Fix: the address of a running cluster, such as auto or ray://host:10001, "
                "or `local`"
            ) from error
        self._rows = self._ray.put(_array(setup))
        self._actor = self._ray.remote(num_cpus=1, max_restarts=-1)(_Bench)
        self._count = count or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        self._idle: deque[Any] = deque()
        self._started = 0
        self._deaths: Counter[int] = Counter()

    def results(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        waiting = deque(tasks)
        running: dict[Any, tuple[Any, Task]] = {}
        while waiting or running:
            while waiting and (self._idle or self._started < self._count):
                actor, task = self._next_actor(), waiting.popleft()
                running[actor.run.remote(task)] = actor, task
            for ready in self._ray.wait(list(running), num_returns=1)[0]:
                actor, task = running.pop(ready)
                try:
                    outcome: Outcome = self._ray.get(ready)
                except self._ray.exceptions.RayActorError:
                    self._deaths[task.number] += 1
                    if self._deaths[task.number] >= ATTEMPTS_MAX:
                        raise too_many_deaths(task) from None
                    waiting.appendleft(task)
                    self._started -= 1
                    continue
                self._idle.append(actor)
                yield outcome

    def close(self) -> None:
        self._ray.shutdown()

    def processes(self) -> tuple[int, ...]:
        """Process ids of the actors that wait for work."""
        return tuple(self._ray.get([actor.process.remote() for actor in self._idle]))

    def _next_actor(self) -> Any:
        if self._idle:
            return self._idle.popleft()
        self._started += 1
        return self._actor.remote(self._setup, self._rows)


class _Bench:
    """A worker's place on the cluster."""

    def __init__(self, setup: Setup, rows: Any) -> None:
        self._laboratory = setup.laboratory(rows)

    def run(self, task: Task) -> Outcome:
        return self._laboratory.run(task)

    def process(self) -> int:
        import os  # noqa: PLC0415 - of the worker

        return os.getpid()


def _array(setup: Setup) -> Any:
    import numpy as np  # noqa: PLC0415 - beside ray

    return np.asarray(read_rows(setup.rows))


def _import_ray() -> Any:
    try:
        import ray  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigError(
            "--ray needs ray, which is not part of the core. Fix: pip install 'gpt-trader[ray]', or --workers N for "
            "processes on this machine"
        ) from error
    return ray
