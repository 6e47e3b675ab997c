"""What must always be true, and was it? `gpt-trader invariants` lists the promises, or checks a stored run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gpt_trader.cli.console import console_for_people
from gpt_trader.cli.stored import log_of

if TYPE_CHECKING:
    from gpt_trader.bot.invariants.review import Verdict

__all__ = ["invariants"]

FAILED = 1


@click.command()
@click.argument("run", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def invariants(run: str | None, *, as_json: bool) -> int:
    """List what must always hold, with where it is looked at and what the bot does when it breaks.

    With RUN (a run id or its beginning, `last`, or the path of a store) the log of that run is read again, and each
    promise that a log can show gets its verdict, beside what the running bot found broken itself. What needs the
    venue beside it is looked at by the running bot and by `gpt-trader simulate`.

    Exit code 0 when nothing is broken, else 1.
    """
    from gpt_trader.bot.invariants.review import review, unseen

    verdicts = unseen() if run is None else review(log_of(run))
    if as_json:
        import msgspec

        for verdict in verdicts:
            click.echo(msgspec.json.encode(verdict).decode())
    else:
        _print(verdicts, with_verdicts=run is not None)
    return FAILED if any(verdict.breaks for verdict in verdicts) else 0


def _print(verdicts: tuple[Verdict, ...], *, with_verdicts: bool) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "Name", *(("Verdict",) if with_verdicts else ()), "Looked at", "When broken", "Promise"):
        table.add_column(name, overflow="fold")
    for verdict in verdicts:
        said = (verdict.said,) if with_verdicts else ()
        table.add_row(
            str(verdict.number), verdict.name, *said, ", ".join(verdict.places), verdict.policy, verdict.promise
        )
    console = console_for_people(stderr=False)
    console.print(table)
    for verdict in verdicts:
        for found in verdict.breaks:
            console.print(f"{verdict.number} {verdict.name}: {found}", markup=False, highlight=False)
