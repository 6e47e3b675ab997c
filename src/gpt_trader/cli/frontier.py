"""What does each way of executing cost? `gpt-trader frontier`."""

from __future__ import annotations

from typing import Any

import click

from gpt_trader.cli.config import configuration_options, load_configuration
from gpt_trader.cli.data_options import range_options

__all__ = ["frontier"]

TACTICS = "market,simple_limit,aggressive_limit,post_only_chase,twap,iceberg"


@click.command()
@configuration_options
@click.option("--market", metavar="NAME|FILE", help="A dataset of the catalog, a recording, or `synthetic`.")
@range_options
@click.option("--symbols", metavar="LIST", help="For instance BTC-PERP,ETH-PERP.")
@click.option("--duration", metavar="TIME", help="Only so much of the market from its start, such as 6h or 30d.")
@click.option("--cash", metavar="USD", help="Starting balance of the simulated account.")
@click.option("--seed", type=int, help="Of market and venue.")
@click.option("--bar-seconds", metavar="N", type=click.IntRange(min=1), help="Of a raw capture: bars of strategies.")
@click.option("--tactics", metavar="LIST", default=TACTICS, show_default=True, help="Placement of entries.")
@click.option("--engines", metavar="LIST", default="live,advanced", show_default=True, help="Which engines.")
@click.option("--sizing-modes", metavar="LIST", default="", help="Such as CONSERVATIVE,STRICT,AGGRESSIVE.")
@click.option("--space", metavar="NAME=A|B", multiple=True, help="Further settings that vary, as for `optimize`.")
@click.option("--workers", metavar="N", type=click.IntRange(min=1), help="Processes [default: one a processor].")
@click.option("--ray", metavar="ADDRESS", help="A Ray cluster instead: auto, ray://HOST:10001, or local.")
@click.option("--study", metavar="NAME", help="Its name [default: from what it is].")
@click.option("--storage", metavar="URL", help="sqlite:///FILE or postgresql://... [default: a file under the home].")
@click.option("--resume", is_flag=True, help="Go on where it was left, or show it again.")
@click.option("--report", metavar="FILE", help="Where the HTML report goes [default: the study's folder].")
@click.option("--no-report", is_flag=True, help="Write no report.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end.")
def frontier(
    *,
    profile: str | None,
    env_file: str | None,
    risk_file: str | None,
    since: str | None,
    until: str | None,
    report: str | None,
    no_report: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Trade the same signals with every tactic, engine and sizing mode, and show what each costs and misses.

    Cost is all in: shortfall against arrival and what was not filled, in basis points of what was wanted, of entries.
    The frontier are those that no other beats in cost, share filled and time.
    """
    from gpt_trader.cli.optimize import search_and_tell
    from gpt_trader.research.search.frontier import FRONTIER_MEASURES, with_frontier

    loaded = load_configuration(
        profile,
        env_file,
        risk_file,
        {
            "venue.kind": "simulated",
            "run.pace": "max",
            "venue.market": given["market"],
            "venue.starting_cash": given["cash"],
            "symbols": given["symbols"],
            "run.seed": given["seed"],
            "run.duration": given["duration"],
            "run.bar_seconds": given["bar_seconds"],
        },
    )
    space = [f"entry_tactic={_choices(given['tactics'])}", f"engine={_choices(given['engines'])}"]
    if given["sizing_modes"]:
        space.append(f"sizing_mode={_choices(given['sizing_modes'])}")
    asked = {
        **given,
        "space": (*space, *given["space"]),
        "metric": FRONTIER_MEASURES,
        "sampler": "grid",
        "trials": None,
        "batch": None,
        "prune": False,
        "forward": "none",
        "folds": 2,
        "no_what_if": True,
    }
    return search_and_tell(
        loaded, since, until, asked, report=report, no_report=no_report, as_json=as_json, conclude=with_frontier
    )


def _choices(words: str) -> str:
    return "|".join(word.strip() for word in words.split(","))
