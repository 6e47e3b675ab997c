"""How far is it? Bars on stderr while a long pass goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["progress_bars", "progress_share", "progress_until"]


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Gone when the work is done; nothing where no terminal is."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def progress_share(progress: Progress, what: str) -> Callable[[float], None]:
    """Shows the share of a file that is read, from the first word on."""
    tasks: list[TaskID] = []

    def tell(share: float) -> None:
        if not tasks:
            tasks.append(progress.add_task(what, total=1.0))
        progress.update(tasks[0], completed=share)

    return tell


def progress_until(progress: Progress, what: str, start_ns: int, end_ns: int) -> Callable[[int], None]:
    """Shows how far in the market's time a pass has come."""
    length_ns = max(1, end_ns - start_ns)
    task = progress.add_task(what, total=1.0)

    def tell(at_ns: int) -> None:
        progress.update(task, completed=(at_ns - start_ns) / length_ns)

    return tell
