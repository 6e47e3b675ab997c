"""What would the other engine have done? `gpt-trader shadow report`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gpt_trader.cli.console import console_for_people, print_table
from gpt_trader.cli.stored import log_of

if TYPE_CHECKING:
    from gpt_trader.records.shadow import ShadowAnalysis

__all__ = ["shadow"]

NOTHING_TO_COMPARE = 1
"""Exit code where no shadow had looked on."""


@click.group()
def shadow() -> None:
    """Compare the engine that trades with one that looks on: `gpt-trader run --shadow live|advanced`."""


@shadow.command()
@click.argument("run", default="last")
@click.option("--limit", metavar="N", default=5, show_default=True, help="Intents that are shown of what differs most.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def report(run: str, *, limit: int, as_json: bool) -> int:
    """Print what the candidate would have done otherwise, what it would have cost, and a verdict.

    RUN as in `events show`; a run that goes on is read as far as it is. Exit code 1 where no shadow had looked on.
    """
    from gpt_trader.core.clock import iso
    from gpt_trader.report.shadow_text import PAPER, as_object, cost_table, difference_table, sentences, verdict

    analysis = _analysis(run)
    if as_json:
        click.echo(json.dumps(as_object(analysis, limit), indent=2))
        return 0 if analysis.started else NOTHING_TO_COMPARE
    if not analysis.started:
        click.echo("no shadow looked on in this run. Fix: gpt-trader run --shadow live|advanced", err=True)
        return NOTHING_TO_COMPARE
    for each in analysis.compared():
        click.echo(verdict(each))
        click.echo()
        for sentence in sentences(each):
            click.echo(f"  {sentence}")
        click.echo()
        for table in (cost_table(each), difference_table(each, limit)):
            if table.rows:
                print_table(table)
    if not analysis.compared():
        click.echo("a shadow looked on, and nothing was decided meanwhile")
    for ended in analysis.ended:
        if ended.failed or ended.left_out:
            left = f"; {ended.left_out} intents left out" if ended.left_out else ""
            click.echo(f"{iso(ended.at_ns)}  {ended.candidate} looked on no more: {ended.reason}{left}")
    console_for_people().print(PAPER, style="dim", highlight=False)
    return 0


def _analysis(run: str) -> ShadowAnalysis:
    from gpt_trader.records.shadow import ShadowAnalysis

    analysis = ShadowAnalysis()
    for recorded in log_of(run).read():
        analysis.take(recorded.event)
    return analysis
