"""How do two runs look on a terminal? Figures side by side, then where they part."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gpt_trader.report.comparison import Comparison, told

__all__ = ["print_comparison"]


def print_comparison(console: Console, comparison: Comparison) -> None:
    """The whole comparison, as a person reads it."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for name in (comparison.a, comparison.b, "difference"):
        table.add_column(name, justify="right", overflow="fold")
    for line in comparison.lines:
        table.add_row(*(Text(text) for text in (line.name, line.a, line.b)), Text(line.apart, "dim"))
    console.print(table)
    if not comparison.same_market:
        console.print(Text("The two traded different markets: a difference may come from there.", "yellow"))
    for line in comparison.settings:
        console.print(Text(f"Setting {line.name}: {line.a} and {line.b}"), soft_wrap=True)
    _print_divergence(console, comparison)
    decided = {name: count for name, count in comparison.agreement.items() if count}
    for name, count in decided.items():
        console.print(Text(f"{count:>9,}  {name}", "dim"))


def _print_divergence(console: Console, comparison: Comparison) -> None:
    found = comparison.divergence
    if found is None:
        same = "byte for byte" if comparison.same_log else "in every wish, decision and fill"
        console.print(Text(f"They part nowhere: the same {same}.", "green"))
        return
    console.print(Text(told(found), "bold yellow"), soft_wrap=True)
    width = max(len(comparison.a), len(comparison.b))
    for name, words in ((comparison.a, found.a), (comparison.b, found.b)):
        console.print(Text(f"  {name:>{width}}  {words}"), soft_wrap=True)
    console.print(Text("Decisions on the same intents:", "bold"))
