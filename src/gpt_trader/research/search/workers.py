"""Who runs the trials? Processes on this machine, one trial at a time each; what a dead one held is run again."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, Protocol, Self

from gpt_trader.config.bot import BotConfig, CredentialsConfig
from gpt_trader.core.errors import ResearchError
from gpt_trader.market.stream import Rows
from gpt_trader.research.search.shared_market import MarketHead, read_rows
from gpt_trader.research.search.trial import Laboratory, Outcome, Task

__all__ = ["ATTEMPTS_MAX", "InProcess", "LocalWorkers", "Setup", "Workers", "too_many_deaths"]

ATTEMPTS_MAX: Final = 3
"""A trial whose worker died so often is not tried again: it is the trial that kills."""
STOP_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Setup:
    """What every worker of a search starts from."""

    base: BotConfig
    head: MarketHead
    rows: Path
    step_seconds: int

    def __post_init__(self) -> None:
        assert self.base.credentials == CredentialsConfig(), "no key leaves this process"

    def laboratory(self, rows: Rows | None = None) -> Laboratory:
        """Over these rows; None maps the file."""
        return Laboratory(self.base, self.head, read_rows(self.rows) if rows is None else rows, self.step_seconds)


class Workers(Protocol):
    """Processes here or on a cluster; whatever they are, a task has one outcome."""

    def results(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """One outcome for each task, as they come. Raises ResearchError for a trial that kills every worker."""
        ...

    def close(self) -> None:
        """End them; what they run is lost and can be run again."""
        ...


class InProcess:
    """Here, one trial after another: for one worker, where a process of its own would only copy."""

    def __init__(self, setup: Setup) -> None:
        self._laboratory = setup.laboratory()

    def results(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in tasks:
            yield self._laboratory.run(task)

    def close(self) -> None:
        """There is nothing to end."""


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection[Task | None, Outcome]
    task: Task | None = None


class LocalWorkers:
    """Started when first needed; the market is mapped, not copied."""

    def __init__(self, setup: Setup, count: int) -> None:
        self._setup = setup
        self._count = count
        self._context = _context()
        self._workers: list[_Worker] = []
        self._deaths: Counter[int] = Counter()

    def results(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        waiting = deque(tasks)
        while waiting or any(worker.task is not None for worker in self._workers):
            self._hand_out(waiting)
            busy = {worker.pipe: worker for worker in self._workers if worker.task is not None}
            for ready in wait(list(busy)):
                worker = next(each for pipe, each in busy.items() if pipe is ready)
                outcome = self._take(worker)
                if outcome is not None:
                    yield outcome
                    continue
                assert worker.task is not None
                self._bury(worker, worker.task)
                waiting.appendleft(worker.task)

    def close(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(STOP_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def processes(self) -> tuple[int, ...]:
        """Process ids, of those that live now."""
        return tuple(worker.process.pid for worker in self._workers if worker.process.pid is not None)

    def _hand_out(self, waiting: deque[Task]) -> None:
        idle = [worker for worker in self._workers if worker.task is None]
        while waiting and (idle or len(self._workers) < self._count):
            worker = idle.pop() if idle else self._start()
            worker.task = waiting.popleft()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has died: its end is read next
                worker.pipe.send(worker.task)

    def _take(self, worker: _Worker) -> Outcome | None:
        """None where the worker has died."""
        try:
            outcome = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            return None
        worker.task = None
        return outcome

    def _bury(self, worker: _Worker, task: Task) -> None:
        worker.process.join(STOP_SECONDS)
        worker.pipe.close()
        self._workers.remove(worker)
        self._deaths[task.number] += 1
        if self._deaths[task.number] >= ATTEMPTS_MAX:
            raise too_many_deaths(task)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._setup, theirs), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker


def too_many_deaths(task: Task) -> ResearchError:
    """What to say of a trial that no worker survives."""
    told = ", ".join(f"{path} = {value}" for path, value in task.values.items())
    return ResearchError(
        f"trial {task.number} ({told}): its worker died {ATTEMPTS_MAX} times. Fix: look for what ended it (memory, a "
        "crash above), use fewer workers, or leave these values out; --resume goes on"
    )


def _context() -> ForkServerContext | SpawnContext:
    """A server that has imported everything forks workers in no time, and has no threads of ours."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _work(setup: Setup, pipe: Connection[Outcome, Task | None]) -> None:
    """A worker's life. Ctrl-C is the parent's to answer; when the parent has gone, so is the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    laboratory = setup.laboratory()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while (task := pipe.recv()) is not None:
            pipe.send(laboratory.run(task))
