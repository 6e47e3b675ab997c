"""What does a search look like in a terminal? The verdict first, then the best sets, choices, and dearer worlds."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from gpt_trader.report.research_facts import ResearchFacts, SetFacts

__all__ = ["best_first", "measured", "print_research"]

SHOWN = 10


def measured(name: str, value: float | None) -> str:
    """A measure as people write it; shares as percent."""
    if value is None:
        return "-"
    if name in ("return", "drawdown", "fill_share"):
        return f"{value:.2%}"
    return f"{value:,.2f}"


def best_first(facts: ResearchFacts) -> list[SetFacts]:
    """Those that came to their end, by the first measure."""
    complete = [each for each in facts.sets if each.measures[0] is not None]
    return sorted(complete, key=lambda each: each.measures[0] or 0.0, reverse=facts.measures[0].rises)


def print_research(console: Console, facts: ResearchFacts) -> None:
    """To the console, in a screen or two."""
    if facts.headline:
        console.print(f"[bold]{facts.headline}[/]", highlight=False)
        for reason in facts.reasons:
            console.print(f"  - {reason}", highlight=False, markup=False)
        console.print()
    _counts(console, facts)
    _best(console, facts)
    if facts.folds:
        _choices(console, facts)
    if facts.harder:
        _harder(console, facts)
    if facts.importance:
        told = ", ".join(f"{name} {value:.0%}" for name, value in facts.importance.items())
        console.print(f"What decides: {told}", highlight=False)


def _counts(console: Console, facts: ResearchFacts) -> None:
    states: dict[str, int] = {}
    for each in facts.sets:
        states[each.state] = states.get(each.state, 0) + 1
    told = ", ".join(f"{count:,} {state}" for state, count in states.items())
    left_out = f"; {facts.left_out:,} left out ({facts.left_out_reason.partition(': ')[2]})" if facts.left_out else ""
    console.print(f"{facts.study}: {told}{left_out}", highlight=False, markup=False)


def _best(console: Console, facts: ResearchFacts) -> None:
    table = Table(
        title="Best sets, with hindsight" if len(facts.measures) == 1 else "The front: none beats these in all measures"
    )
    table.add_column("set", justify="right")
    for name in (*facts.names, *(measure.name for measure in facts.measures), "orders", "net"):
        table.add_column(name, justify="right")
    ordered = best_first(facts)
    shown = ordered if len(facts.measures) == 1 else [each for each in ordered if each.number in facts.front]
    for each in shown[:SHOWN]:
        values = [measured(m.name, value) for m, value in zip(facts.measures, each.measures, strict=True)]
        money = (f"{each.figures.get('orders', 0):,.0f}", f"{each.figures.get('net', 0):+,.2f}")
        table.add_row(str(each.number), *each.values, *values, *money)
    console.print(table)


def _choices(console: Console, facts: ResearchFacts) -> None:
    name = facts.measures[0].name
    table = Table(title=f"Walk-forward: chosen by {name} on the past, traded on what followed")
    for heading in ("", "chosen on", "traded until", *facts.names, "seen", "traded", "return"):
        table.add_column(heading, justify="left" if heading in ("", "chosen on", "traded until") else "right")
    for fold in facts.folds:
        past = f"{day(fold.train_from_ns)} .. {day(fold.train_to_ns)}"
        numbers = (measured(name, fold.seen), measured(name, fold.traded), f"{fold.traded_return:+.2%}")
        table.add_row(fold.scheme, past, day(fold.test_to_ns), *fold.values, *numbers)
    console.print(table)


def _harder(console: Console, facts: ResearchFacts) -> None:
    table = Table(title="What if trading cost more? The same choices")
    for heading in ("", "unseen return", "unseen Sharpe", "best set's return", "its Sharpe"):
        table.add_column(heading, justify="right" if heading else "left")
    for each in facts.harder:
        table.add_row(
            each.name,
            f"{each.unseen_return:+.2%}",
            f"{each.unseen_sharpe:.2f}",
            f"{each.best_return:+.2%}",
            f"{each.best_sharpe:.2f}",
        )
    console.print(table)


def day(at_ns: int) -> str:
    """`2022-01-05 13:00`, UTC."""
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
