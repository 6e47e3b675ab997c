"""What did trading cost? `gpt-trader tca`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gpt_trader.cli.console import console_for_people, print_table
from gpt_trader.cli.stored import log_of

if TYPE_CHECKING:
    from gpt_trader.records.tca import CostAnalysis

__all__ = ["tca"]


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--by",
    metavar="KEYS",
    multiple=True,
    help="Group by engine, tactic, strategy, symbol, side, purpose, hour, order_type, liquidity or run; several with "
    "commas make one table, --by again another. Without: engine, tactic, symbol, hour, order type.",
)
@click.option("--symbol", metavar="SYMBOL", help="Only this symbol.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: exact amounts, basis points, counts.")
def tca(runs: tuple[str, ...], *, by: tuple[str, ...], symbol: str | None, as_json: bool) -> None:
    """Split the cost of trading into delay, spread, impact and fees, and show what was missed and what came after.

    RUN is a run id or the beginning of one, `last`, or the path of a store; several are compared with --by run.
    """
    from gpt_trader.records.tca import check_keys
    from gpt_trader.report.tca_tables import SECTION, SIGNS, cost_table, row_object

    wanted = tuple(tuple(part.strip() for part in keys.split(",")) for keys in by) or SECTION
    for keys in wanted:
        check_keys(keys)
    analysis = _analysis_of(runs, symbol)
    if as_json:
        tables = {",".join(keys): [row_object(keys, row) for row in analysis.rows(keys)] for keys in wanted}
        whole = [row_object((), row) for row in analysis.rows()]
        click.echo(json.dumps({"all": whole, "by": tables, "unpriced_fills": analysis.unpriced_fills}, indent=2))
        return
    if not analysis.intents:
        click.echo("nothing was approved, so nothing was traded")
        return
    for keys in wanted:
        print_table(cost_table(analysis, keys))
    console_for_people().print(SIGNS, style="dim", highlight=False)


def _analysis_of(runs: tuple[str, ...], symbol: str | None) -> CostAnalysis:
    from gpt_trader.records.tca import CostAnalysis

    analysis = CostAnalysis(symbol=symbol or "")
    for run in runs:
        for recorded in log_of(run).read():
            analysis.take(recorded.event, run)
    return analysis
