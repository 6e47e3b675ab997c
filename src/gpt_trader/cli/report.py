"""How did a run go? `gpt-trader report`: the page of any run that is stored and came to its end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpt_trader.cli.stored import log_of

if TYPE_CHECKING:
    from gpt_trader.market.stream import MarketStream
    from gpt_trader.report.comparison import ComparedRun
    from gpt_trader.report.facts import RunFacts
    from gpt_trader.report.price_path import PricePath
    from gpt_trader.report.run_story import RunStory

__all__ = ["StoredRun", "report", "stored_prices", "stored_run"]


@dataclass(frozen=True)
class StoredRun:
    """A run as it lies on the disk."""

    folder: str
    facts: RunFacts
    story: RunStory
    store: Path

    def compared(self, label: str) -> ComparedRun:
        from gpt_trader.report.comparison import ComparedRun

        return ComparedRun(label, self.facts, self.story)


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--out", metavar="FILE", help="Where the page goes [default: the run's folder].")
@click.option("--market", metavar="NAME|FILE", help="Where the market lies now, if it was moved.")
@click.option("--export", metavar="DIR", help="Fills, round trips, refusals and equity as Parquet into this folder.")
def report(run: str, *, out: str | None, market: str | None, export: str | None) -> None:
    """Write the HTML report of a stored run: its folder or id, the beginning of one, `last`, or a path.

    Its market is read once more, for prices; it must be the one that was traded.
    """
    from gpt_trader.market.parquet import require_parquet
    from gpt_trader.report.export import export_run
    from gpt_trader.report.page import curves_of, require_report, run_page, write_page

    require_report()
    if export:
        require_parquet()
    stored = stored_run(run)
    prices = stored_prices(stored, market)
    path = Path(out) if out else stored.store.with_name("report.html")
    write_page(path, run_page(stored.facts, stored.story, prices))
    click.echo(f"Report  {path.absolute()}")
    if export:
        for written in export_run(
            Path(export), stored.facts, stored.story, curves_of(stored.facts, stored.story, prices)
        ):
            click.echo(f"Export  {written.absolute()}")


def stored_run(reference: str) -> StoredRun:
    """Raises ConfigError where there is no such run or it has no facts, StoreError where it is damaged."""
    from gpt_trader.report.facts import read_facts
    from gpt_trader.report.run_story import tell_story

    log = log_of(reference)
    facts = read_facts(log.place)
    return StoredRun(log.place.absolute().parent.name, facts, tell_story(log.read()), log.place)


def stored_prices(stored: StoredRun, market: str | None) -> PricePath:
    """Read the market of a stored run again. Raises ConfigError where it is not the one that was traded."""
    from gpt_trader.research.backtest import prices_again

    return prices_again(stored.facts, lambda: _market_again(stored.facts, market))


def _market_again(facts: RunFacts, market: str | None) -> MarketStream:
    from gpt_trader.bot.simulation import market_again
    from gpt_trader.config.home import home

    settings = {line.path: line.value for line in facts.settings}
    settings["symbols"] = settings["symbols"].replace(" ", "")
    place = market or facts.market_place
    return market_again(settings, facts.summary.seed, home(os.environ), place, from_ns=facts.from_ns, to_ns=facts.to_ns)
