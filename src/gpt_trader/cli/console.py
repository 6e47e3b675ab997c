"""How wide is the page? A console for people, in a terminal or in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console_for_people"]

PIPE_WIDTH: Final = 200
"""Columns where no terminal shows them, so that lines stay whole."""


def console_for_people(*, stderr: bool = False) -> Console:
    """As wide as the terminal, or wide enough for any line of ours."""
    from rich.console import Console

    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    return console
