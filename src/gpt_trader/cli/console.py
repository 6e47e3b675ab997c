"""How wide is the page? A console for people, in a terminal or in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

    from gpt_trader.report.tca_tables import CostTable

__all__ = ["console_for_people", "print_table"]

PIPE_WIDTH: Final = 200
"""Columns where no terminal shows them, so that lines stay whole."""


def console_for_people(*, stderr: bool = False) -> Console:
    """As wide as the terminal, or wide enough for any line of ours."""
    from rich.console import Console

    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    return console


def print_table(table: CostTable) -> None:
    """With its title and its notes."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, pad_edge=False, title=table.title, title_justify="left", title_style="bold")
    for number, header in enumerate(table.headers):
        shown.add_column(header, justify="left" if number < table.text_columns else "right", no_wrap=True)
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row), style="bold" if row[0] == "all" else "")
    console = console_for_people()
    console.print(shown)
    for note in table.notes:
        console.print(Text(note, "dim"))
    console.print()
