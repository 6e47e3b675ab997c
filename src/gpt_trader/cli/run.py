"""`gpt-trader run`: trade by profile."""

from __future__ import annotations

import click

__all__ = ["run"]


@click.command()
@click.option("--profile", metavar="NAME", help="Profile in config/profiles, or a .yaml file. Default: dev_entry.")
@click.option("--market", metavar="PATH", help="`synthetic`, or a recording to trade.")
@click.option("--symbols", metavar="LIST", help="For instance BTC-PERP,ETH-PERP.")
@click.option("--seed", type=int, help="The same seed gives the same event log, byte for byte.")
@click.option("--duration", metavar="TIME", help="Market time to trade, such as 6h, 90m or 1d.")
@click.option("--pace", metavar="PACE", help="max, realtime, or a factor such as 60x.")
@click.option("--cash", metavar="USD", help="Starting balance of the simulated account.")
@click.option(
    "--engine",
    type=click.Choice(["flags", "live", "advanced"]),
    help="By the flags (default), or this engine whatever they say.",
)
@click.option("--dry-run", is_flag=True, default=None, help="Decide and record, send nothing, keep running.")
@click.option("--env-file", metavar="PATH", help="File of NAME=value lines, below the environment.")
@click.option("--json", "as_json", is_flag=True, help="No panel; one JSON object at the end.")
@click.option("--no-panel", is_flag=True, help="No live panel; the summary only.")
def run(
    *,
    profile: str | None,
    market: str | None,
    symbols: str | None,
    seed: int | None,
    duration: str | None,
    pace: str | None,
    cash: str | None,
    engine: str | None,
    dry_run: bool | None,
    env_file: str | None,
    as_json: bool,
    no_panel: bool,
) -> None:
    """Trade by profile until the market ends, the duration is over, or Ctrl-C.

    Without options: a seeded synthetic day on the built-in venue, no keys needed.
    """
    import os
    import sys

    from rich.console import Console

    from gpt_trader.config.home import home
    from gpt_trader.config.load import load
    from gpt_trader.ops.runner import run_simulated
    from gpt_trader.report.summary import render_summary, to_json

    loaded = load(
        profile,
        overrides={
            "venue.market": market,
            "venue.starting_cash": cash,
            "symbols": symbols,
            "run.seed": seed,
            "run.duration": duration,
            "run.pace": pace,
            "run.engine": engine,
            "run.dry_run": dry_run,
        },
        env=os.environ,
        env_file=env_file,
    )
    console = Console(stderr=as_json)
    summary = run_simulated(
        loaded, home(os.environ), console, panel=console.is_terminal and not as_json and not no_panel
    )
    if as_json:
        sys.stdout.write(to_json(summary) + "\n")
    else:
        console.print(render_summary(summary))
    if summary.stopped_by.startswith("stopped by"):
        sys.exit(130)
    if summary.stopped_by != "end of market":
        sys.exit(1)
