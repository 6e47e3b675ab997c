"""What may trade, and may it be believed? `gpt-trader strategy new|list|check`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.config import configuration_options, load_configuration
from gpt_trader.cli.console import console_for_people

if TYPE_CHECKING:
    from gpt_trader.strategies.catalogue import Found

__all__ = ["strategy"]

OK, FAILED = 0, 1


@click.group()
def strategy() -> None:
    """List the strategies there are, write one of your own, and find out whether it may be believed."""


@strategy.command("list")
@configuration_options
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def list_strategies(profile: str | None, env_file: str | None, risk_file: str | None, *, as_json: bool) -> None:
    """Print every strategy with its parameters: unit, default, range, and where an optimiser looks."""
    from gpt_trader.strategies.catalogue import strategies

    rows = [
        as_row(found) for found in strategies(load_configuration(profile, env_file, risk_file).config.strategy.folder)
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    console = console_for_people()
    for row in rows:
        console.print(f"[bold]{row['name']}[/bold]  ({row['source']})")
        console.print(f"  {row['text']}")
        console.print(_table(row["parameters"]))


def as_row(found: Found) -> dict[str, Any]:
    """One strategy as plain values."""
    return {
        "name": found.kind.name,
        "source": found.source,
        "text": found.kind.text,
        "parameters": [
            {
                "setting": each.setting,
                "unit": each.unit,
                "default": each.default_text,
                "allowed": each.allowed,
                "search": "" if each.search is None else each.search.text,
                "meaning": each.meaning,
            }
            for each in found.kind.declared()
        ],
    }


def _table(rows: list[dict[str, str]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in ("  setting", "default", "unit", "allowed", "search", "meaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "  setting")
    for row in rows:
        table.add_row("  " + row["setting"], row["default"], row["unit"], row["allowed"], row["search"], row["meaning"])
    return table


@strategy.command()
@click.argument("name")
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("strategies"),
    show_default=True,
    help="Where it goes; made if it is not there.",
)
def new(name: str, folder: Path) -> None:
    """Write a small strategy that runs as it stands, to be changed into your own."""
    from gpt_trader.strategies.beginning import write_beginning

    path = write_beginning(name, folder)
    click.echo(f"written: {path}\n\nNext:\n  gpt-trader strategy check {path}")
    click.echo(f"  gpt-trader backtest --strategy {name} --strategy-folder {folder}")


@strategy.command()
@click.argument("name", metavar="NAME|FILE")
@configuration_options
@click.option("--market", metavar="NAME|FILE", help="`synthetic`, a dataset of the catalog, or a recording.")
@click.option("--seed", type=int, help="Of the made-up market.")
@click.option("--duration", metavar="TIME", help="Market time to look at, such as 6h or 30d.")
@click.option("--parameters", metavar="NAME:VALUE,...", help="Numbers of the strategy, as strategy.parameters.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(
    name: str,
    profile: str | None,
    env_file: str | None,
    risk_file: str | None,
    *,
    as_json: bool,
    **given: Any,
) -> int:
    """Look for look-ahead, figures that depend on where the data begin, and what a restart would forget.

    Exit code 0 when every check passes, 1 when one does not. The configuration's first symbol is looked at.
    """
    from gpt_trader.bot.simulation import open_configured_market
    from gpt_trader.config.home import home
    from gpt_trader.research.strategy_check import check_strategy, see_bars
    from gpt_trader.strategies.catalogue import find_strategy, load_file

    path = Path(name) if name.endswith(".py") else None
    overrides = {
        "venue.kind": "simulated",
        "run.pace": "max",
        "venue.market": given["market"],
        "run.seed": given["seed"],
        "run.duration": given["duration"],
        "strategy.parameters": given["parameters"],
        "strategy.name": name if path is None else path.stem,
    }
    config = load_configuration(profile, env_file, risk_file, overrides).config
    found = find_strategy(config.strategy) if path is None else load_file(path)
    found.kind.build(config.strategy)
    found.kind.declared()
    stream = open_configured_market(config, home(os.environ))
    seen = see_bars(config, stream, config.symbols[0])
    checks = check_strategy(lambda: found.kind.build(config.strategy), seen)
    passed = all(each.passed for each in checks)
    if as_json:
        rows = [{"name": each.name, "passed": each.passed, "said": each.said} for each in checks]
        click.echo(json.dumps({"strategy": found.kind.name, "market": stream.name, "passed": passed, "checks": rows}))
    else:
        click.echo(f"{found.kind.name} ({found.source}) on {len(seen)} bars of {config.symbols[0]} from {stream.name}")
        for each in checks:
            click.echo(f"  {'ok  ' if each.passed else 'FAIL'}  {each.name:<10}  {each.said}")
    return OK if passed else FAILED
