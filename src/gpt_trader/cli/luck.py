"""How much of it is luck? `gpt-trader luck RUN`."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gpt_trader.research.luck import RandomEntries

__all__ = ["luck"]

DRAWS = 5000


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--tried",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many settings were tried before this one was chosen; honestly.",
)
@click.option("--draws", type=click.IntRange(min=100), default=DRAWS, show_default=True, help="Random entries.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the draws.")
@click.option("--market", metavar="NAME|FILE", help="Where the market lies now, if it was moved.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def luck(run: str, *, tried: int, draws: int, seed: int, market: str | None, as_json: bool) -> None:
    """Say how much of a stored run's result chance explains: `last`, a run's folder or id, or a path.

    Two questions. Is its Sharpe ratio above what the best of as many tries has by luck (deflated Sharpe ratio)? Did its
    entries earn more than the same trades at random times (at a level of 2 %)?
    """
    from gpt_trader.cli.report import stored_prices, stored_run
    from gpt_trader.report.page import curves_of, require_report
    from gpt_trader.report.statistics import DAY_SECONDS, choose_period, returns_of
    from gpt_trader.research import luck as by_luck

    require_report()
    stored = stored_run(run)
    prices = stored_prices(stored, market)
    curves = curves_of(stored.facts, stored.story, prices)
    days = (int(curves.times_ns[-1]) - stored.facts.start_ns) / 1e9 / DAY_SECONDS
    period = choose_period(days, stored.facts.bar_seconds)
    start = float(stored.facts.summary.equity_start)
    _, returns = returns_of(curves.times_ns, curves.equity - curves.transfers, start, period.seconds)
    known = by_luck.moments_of(returns)
    entries = by_luck.entries_beside_random(stored.story.trips, prices.symbols(), draws, seed)
    rows: dict[str, Any] = {"run": stored.folder, "tried": tried, "returns": len(returns), "period": period.name}
    if known is not None:
        needed = by_luck.returns_needed(known, by_luck.ENTRY_LEVEL)
        rows |= {
            "sharpe_a_year": known.sharpe * period.a_year**0.5,
            "best_of_luck_a_year": by_luck.best_of_luck(tried, 1 / (known.count - 1)) * period.a_year**0.5,
            "probability_above_zero": by_luck.sharpe_above(known),
            "deflated_sharpe": by_luck.deflated_sharpe(known, tried),
            "days_needed": needed * period.seconds / DAY_SECONDS if isfinite(needed) else None,
            "days": days,
        }
    rows |= {
        "round_trips": entries.trips,
        "trip_bps": entries.mean * 1e4,
        "random_trip_bps": entries.random_mean * 1e4,
        "random_deviation_bps": entries.random_deviation * 1e4,
        "chance_of_entries": entries.chance,
    }
    if as_json:
        click.echo(json.dumps(rows))
        return
    for sentence in sentences(rows, entries):
        click.echo(sentence)


def sentences(rows: dict[str, Any], entries: RandomEntries) -> list[str]:
    """What the figures mean."""
    said = []
    if "sharpe_a_year" not in rows:
        said.append(f"{rows['returns']} returns, or returns that are all alike, have no Sharpe ratio.")
    else:
        said.append(
            f"Sharpe ratio a year {rows['sharpe_a_year']:.2f} from {rows['returns']} returns of a {rows['period']}; "
            f"the best of {rows['tried']} tries that earn nothing has {rows['best_of_luck_a_year']:.2f}."
        )
        said.append(
            f"That the true one is above zero has a probability of {rows['probability_above_zero']:.1%}; that it is "
            f"above the best of luck, {rows['deflated_sharpe']:.1%} (deflated Sharpe ratio)."
        )
        needed = rows["days_needed"]
        said.append(
            "However long the market, such returns would show no edge."
            if needed is None
            else f"To know that it is above zero takes {needed:,.0f} days of such returns, and there are "
            f"{rows['days']:,.1f}."
        )
    if entries.chance is None:
        said.append(f"{entries.trips} round trips are too few to tell entries from chance.")
    else:
        verdict = "more than chance explains" if entries.significant else "what chance explains"
        said.append(
            f"Entries: {entries.trips} round trips earned {rows['trip_bps']:.2f} bps each before costs, the same "
            f"trades at random times {rows['random_trip_bps']:.2f} ± {rows['random_deviation_bps']:.2f}. "
            f"{entries.chance:.1%} of the draws earned as much: {verdict} (level 2 %)."
        )
    return said
