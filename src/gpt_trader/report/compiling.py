"""What does the first start wait for? The venue is compiled once, with a line that says how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gpt_trader.market.compiled import EntryPoint, compile_entry_points, entry_points_compiled

__all__ = ["compile_with_progress"]


def compile_with_progress(console: Console, points: Sequence[EntryPoint]) -> None:
    """Once for each version of the code; later starts load it."""
    if entry_points_compiled(points):
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[part]}"),
        console=console,
    )
    with progress:
        task = progress.add_task("Compiling the venue (only this once)", total=len(points), part="")

        def tell(name: str, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, part=name)

        compile_entry_points(points, tell)
