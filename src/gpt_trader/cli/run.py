"""`gpt-trader run`: trade by profile."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import click

from gpt_trader.cli.config import chosen_strategy, configuration_options, loader, strategy_options
from gpt_trader.cli.console import console_for_people

__all__ = ["run"]

OK, FAILED, INTERRUPTED = 0, 1, 130


@click.command()
@configuration_options
@click.option("--market", metavar="NAME|FILE", help="`synthetic`, a dataset of the catalog, or a recording.")
@strategy_options
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
@click.option(
    "--shadow",
    type=click.Choice(["none", "live", "advanced"]),
    help="Let this engine decide beside the one that trades, on paper; `gpt-trader shadow report` compares them.",
)
@click.option("--rollout", metavar="PLAN", help="Begin with a rollout: the options of `rollout start`, in quotes.")
@click.option("--served", metavar="FILE", help="What `venue serve` printed: that venue stands in for Coinbase.")
@click.option("--live", is_flag=True, help="Let real orders leave; the second switch beside venue.live_trading.")
@click.option("--dry-run", is_flag=True, default=None, help="Decide and record, send nothing, keep running.")
@click.option("--json", "as_json", is_flag=True, help="No panel; one JSON object at the end.")
@click.option("--no-panel", is_flag=True, help="No live panel; the summary only.")
def run(
    *,
    profile: str | None,
    env_file: str | None,
    risk_file: str | None,
    market: str | None,
    symbols: str | None,
    seed: int | None,
    duration: str | None,
    pace: str | None,
    cash: str | None,
    engine: str | None,
    shadow: str | None,
    rollout: str | None,
    served: str | None,
    live: bool,
    dry_run: bool | None,
    as_json: bool,
    no_panel: bool,
    **choice: Any,
) -> int:
    """Trade by profile until the market ends, the duration is over, or Ctrl-C.

    Without options: a seeded synthetic day on the built-in venue, no keys needed.
    """
    load = loader(
        profile,
        env_file,
        risk_file,
        {
            "venue.market": market,
            **chosen_strategy(choice),
            "venue.starting_cash": cash,
            "symbols": symbols,
            "run.seed": seed,
            "run.duration": duration,
            "run.pace": pace,
            "run.engine": engine,
            "run.shadow": shadow,
            "run.dry_run": dry_run,
            "venue.served": served,
        },
    )
    loaded = load()
    begin_with = None
    if rollout is not None:
        from gpt_trader.cli.rollout import rollout_arguments

        begin_with = rollout_arguments(rollout)

    from gpt_trader.config.home import home
    from gpt_trader.report.summary import END_OF_DURATION, END_OF_MARKET, STOPPED_BY, print_summary, to_json

    console = console_for_people(stderr=as_json)
    panel = console.is_terminal and not as_json and not no_panel
    if loaded.config.venue.kind.value == "simulated":
        from gpt_trader.ops.runner import run_simulated

        summary = run_simulated(loaded, home(os.environ), console, panel=panel, load=load, rollout=begin_with)
    else:
        from gpt_trader.cli.preflight import show_verdict
        from gpt_trader.core.clock import SystemClock
        from gpt_trader.ops.live import run_live
        from gpt_trader.ops.preflight import proven

        place = home(os.environ)
        prove = proven(loaded, place, SystemClock(), partial(show_verdict, stderr=as_json))
        summary = run_live(loaded, place, console, panel=panel, live=live, load=load, prove=prove, rollout=begin_with)
    if as_json:
        click.echo(to_json(summary))
    else:
        print_summary(console, summary)
    if summary.stopped_by in (END_OF_MARKET, END_OF_DURATION):
        return OK
    return INTERRUPTED if summary.stopped_by.startswith(STOPPED_BY) else FAILED
