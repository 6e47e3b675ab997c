"""`gpt-trader preflight`: look at everything that must hold before real orders may leave; send nothing."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import click

from gpt_trader.cli.config import configuration_options, load_configuration
from gpt_trader.cli.console import console_for_people

if TYPE_CHECKING:
    from gpt_trader.ops.preflight import Verdict

__all__ = ["preflight", "show_verdict"]

OK, FAILED = 0, 1


@click.command()
@configuration_options
@click.option("--symbols", metavar="LIST", help="For instance BTC-PERP,ETH-PERP.")
@click.option("--served", metavar="FILE", help="What `venue serve` printed: that venue stands in for Coinbase.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def preflight(
    profile: str | None,
    env_file: str | None,
    risk_file: str | None,
    *,
    symbols: str | None,
    served: str | None,
    as_json: bool,
) -> int:
    """Look at machine, settings, key, clock, products, margin and store, and decide one order without sending it.

    Exit 0: passed. Exit 1: something did not, and the table says how to mend it. `run --live` looks again by itself.
    """
    loaded = load_configuration(profile, env_file, risk_file, {"symbols": symbols, "venue.served": served})

    from gpt_trader.config.home import home
    from gpt_trader.core.clock import SystemClock
    from gpt_trader.ops.preflight import run_preflight

    verdict = asyncio.run(run_preflight(loaded, home(os.environ), SystemClock()))
    if as_json:
        import msgspec

        passed = {"passed": not verdict.failed}
        click.echo(msgspec.json.encode({**passed, **msgspec.structs.asdict(verdict)}).decode())
    else:
        show_verdict(verdict)
    return FAILED if verdict.failed else OK


def show_verdict(verdict: Verdict, *, stderr: bool = False) -> None:
    """Every check with what was found, and the last word."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "check", "found", "to do"):
        table.add_column(name, overflow="fold")
    for check in verdict.checks:
        mark = Text("ok", style="green") if check.passed else Text("NO", style="bold red")
        table.add_row(mark, check.name, Text(check.said), Text(check.fix))
    console = console_for_people(stderr=stderr)
    console.print(table)
    what = f"profile {verdict.profile} at {verdict.venue}, configuration {verdict.config_digest[:12]}"
    if verdict.failed:
        names = ", ".join(check.name for check in verdict.failed)
        console.print(Text(f"NOT PASSED: {names}. {what}. Nothing was sent.", style="bold red"))
    else:
        console.print(Text(f"PASSED: {len(verdict.checks)} checks. {what}. Nothing was sent.", style="bold green"))
