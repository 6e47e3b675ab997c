"""How far is it? What a person sees while something computes: a bar in the time of the market, gone when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gpt_trader.core.clock import iso
from gpt_trader.market.compiled import EntryPoint
from gpt_trader.report.compiling import compile_with_progress

__all__ = ["RunProgress"]


class RunProgress:
    """Shows itself where a terminal is, and costs nothing where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def compile(self, points: Sequence[EntryPoint]) -> None:
        """Once for each version of the code."""
        compile_with_progress(self._console, points)

    @contextmanager
    def over(self, what: str, start_ns: int, end_ns: int) -> Iterator[Callable[[int], None] | None]:
        """Something to tell the market's time to, as often as one likes; None where nobody looks."""
        if not self._console.is_terminal:
            yield None
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[at]}"),
        )
        length_ns, due_ns = max(1, end_ns - start_ns), [start_ns]
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=1.0, at="")

            def tell(now_ns: int) -> None:
                if now_ns < due_ns[0]:
                    return
                due_ns[0] = now_ns + length_ns // 100
                progress.update(task, completed=(now_ns - start_ns) / length_ns, at=iso(now_ns)[:16])

            yield tell
