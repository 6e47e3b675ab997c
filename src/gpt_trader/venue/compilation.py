"""Is the machine code there? The one set-up step that compiles every entry point of the venue."""

from __future__ import annotations

from collections.abc import Callable

from gpt_trader.market.compiled import compile_entry_points, entry_points_compiled
from gpt_trader.venue.kernel import ENTRY_POINTS

__all__ = ["compile_all", "is_compiled"]


def is_compiled() -> bool:
    """The stored machine code fits these sources, this numba and this processor."""
    return entry_points_compiled(ENTRY_POINTS)


def compile_all(progress: Callable[[str, int, int], None]) -> None:
    """Compile or load every entry point; `progress(name, done, total)` is called before each and after the last."""
    compile_entry_points(ENTRY_POINTS, progress)
