"""Which market data do we have, and can it be trusted? `gpt-trader data import`, `list`, `check`, `show`, `diff`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.console import console_for_people
from gpt_trader.cli.data_import import import_
from gpt_trader.cli.data_options import (
    chosen_limits,
    chosen_reading,
    limit_options,
    range_options,
    reading_options,
)
from gpt_trader.cli.progress import progress_bars, progress_share, progress_until

if TYPE_CHECKING:
    from rich.progress import Progress

    from gpt_trader.market.importing import FileReading
    from gpt_trader.market.quality import QualityReport
    from gpt_trader.market.stream import MarketStream

__all__ = ["data"]

OK, DIFFERENT, REFUSED = 0, 1, 2


@click.group()
def data() -> None:
    """Import market data into the catalog, and look at it.

    The catalog lies under GPT_TRADER_HOME and needs the extra: pip install 'gpt-trader[research]'. `gpt-trader run
    --market NAME` trades a dataset.
    """


data.add_command(import_)


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array of manifests.")
def list_(*, as_json: bool) -> int:
    """List the datasets of the catalog. Exit 2 when one of them cannot be read."""
    import msgspec

    from gpt_trader.config.home import home
    from gpt_trader.core.errors import MarketDataError
    from gpt_trader.market.catalog import Manifest, catalog_folder, dataset_names, read_manifest, unfinished
    from gpt_trader.report.data_tables import datasets_table

    place = home(os.environ)
    found: list[Manifest] = []
    damaged: list[MarketDataError] = []
    for name in dataset_names(place):
        try:
            found.append(read_manifest(place, name))
        except MarketDataError as error:
            damaged.append(error)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif found:
        console_for_people().print(datasets_table(found))
    elif not damaged:
        click.echo(f"no datasets yet in {catalog_folder(place)}; gpt-trader data import FILE makes one")
    for fault in damaged:
        click.echo(f"error: {fault}", err=True)
    for folder in [] if damaged else unfinished(place):
        click.echo(f"note: {folder} was left behind by an import that was ended from outside; remove it", err=True)
    return REFUSED if damaged else OK


@data.command()
@click.argument("market", metavar="NAME|FILE")
@reading_options
@limit_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(market: str, *, silence: float | None, jump: float | None, as_json: bool, **reading: Any) -> int:
    """Look for gaps, crossed books, duplicates, outliers, time going back and prices off the grid.

    A damaged file is named with line and reason; of a dataset it is also checked that it is still what was imported.
    Exit 0: fit to trade on, though flaws may be marked. Exit 2: not.
    """
    import msgspec

    from gpt_trader.market.importing import check_market
    from gpt_trader.report.data_tables import facts_table, findings_table

    with progress_bars() as progress:
        stream = _open(progress, market, chosen_reading(**reading))
        report = check_market(
            stream,
            chosen_limits(silence, jump),
            _time(progress, f"checking {stream.name}", stream),
        )
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        console = console_for_people()
        console.print(facts_table(stream, report))
        console.print(findings_table(report.findings))
        console.print(_verdict(report))
    return REFUSED if report.refused else OK


@data.command()
@click.argument("market", metavar="NAME|FILE")
@click.option(
    "--rows", metavar="N", type=click.IntRange(min=0), default=10, show_default=True, help="How many of the first rows."
)
@click.option("--plot", metavar="FILE", help="Draw prices, volume and findings: FILE ends in .png, .svg or .html.")
@range_options
@reading_options
def show(market: str, *, rows: int, plot: str | None, since: str | None, until: str | None, **reading: Any) -> None:
    """Print what a market is, its findings and its first rows; draw it with --plot."""
    from gpt_trader.market.decoding import first_rows
    from gpt_trader.market.importing import check_market
    from gpt_trader.market.sketch import sketch_market
    from gpt_trader.report.data_plot import save_plot
    from gpt_trader.report.data_tables import facts_table, findings_table

    with progress_bars() as progress:
        stream = _open(progress, market, chosen_reading(**reading), since, until)
        report = check_market(stream, None, _time(progress, f"reading {stream.name}", stream))
        if plot:
            save_plot(Path(plot), stream, sketch_market(stream), report.findings)
    console = console_for_people()
    console.print(facts_table(stream, report))
    console.print(findings_table(report.findings))
    for line in first_rows(stream, rows):
        click.echo(line)
    if plot:
        click.echo(f"drawn: {plot}")


@data.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--tolerance",
    metavar="SHARE",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Largest difference of prices and quantities, as a share such as 1e-6 [default: none].",
)
@click.option(
    "--time-tolerance",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Largest difference of times [default: none].",
)
@range_options
@reading_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def diff(
    a: str,
    b: str,
    *,
    tolerance: float,
    time_tolerance: float,
    since: str | None,
    until: str | None,
    as_json: bool,
    **reading: Any,
) -> int:
    """Compare two markets (datasets or files) row by row, and show where they part. Exit 1 when they differ."""
    import msgspec

    from gpt_trader.market.difference import compare
    from gpt_trader.report.data_tables import comparison_table

    how = chosen_reading(**reading)
    with progress_bars() as progress:
        left, right = (_open(progress, market, _of_file(market, how), since, until) for market in (a, b))
        comparison = compare(left, right, tolerance=tolerance, time_tolerance_ns=round(time_tolerance * 1e9))
    if as_json:
        click.echo(msgspec.json.encode(comparison).decode())
    else:
        console_for_people().print(comparison_table(comparison, a, b))
    return OK if comparison.same else DIFFERENT


@data.command("calibrate-impact")
@click.argument("market", metavar="NAME|FILE")
@click.option("--product", metavar="SYMBOL", help="Which one, where the market has several.")
@click.option(
    "--seconds",
    metavar="N",
    type=click.IntRange(min=1, max=86_400),
    default=300,
    show_default=True,
    help="Length of the stretches over which flow and price are compared.",
)
@range_options
@reading_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def calibrate_impact_(
    market: str,
    *,
    product: str | None,
    seconds: int,
    since: str | None,
    until: str | None,
    as_json: bool,
    **reading: Any,
) -> int:
    """Estimate Y of the square-root impact law (risk.impact_coefficient) from a market's trades.

    Needs trades that say who was the taker. Exit 1 when the estimate is not fit to be used.
    """
    import msgspec

    from gpt_trader.market.impact_calibration import calibrate_impact
    from gpt_trader.report.impact_table import fit_lines, impact_table

    with progress_bars() as progress:
        stream = _open(progress, market, chosen_reading(**reading), since, until)
        fit = calibrate_impact(
            stream,
            product,
            seconds=seconds,
            tell=_time(progress, f"reading {stream.name}", stream),
        )
    if as_json:
        click.echo(msgspec.json.encode(fit).decode())
    else:
        console = console_for_people()
        console.print(impact_table(fit))
        for line in fit_lines(fit):
            console.print(line, highlight=False)
    return OK if fit.is_usable else DIFFERENT


def _of_file(market: str, reading: FileReading) -> FileReading | None:
    """Of two that are compared, how to read a file says nothing of a dataset."""
    from gpt_trader.config.home import home
    from gpt_trader.market.catalog import is_dataset

    return None if is_dataset(home(os.environ), market) else reading


def _open(
    progress: Progress, market: str, reading: FileReading | None, since: str | None = None, until: str | None = None
) -> MarketStream:
    from gpt_trader.config.home import home
    from gpt_trader.market.importing import open_named
    from gpt_trader.market.slicing import utc_ns

    return open_named(
        home(os.environ),
        market,
        reading,
        from_ns=None if since is None else utc_ns(since),
        to_ns=None if until is None else utc_ns(until),
        tell=progress_share(progress, f"reading {Path(market).name}"),
    )


def _time(progress: Progress, what: str, stream: MarketStream) -> Callable[[int], None]:
    return progress_until(progress, what, stream.start_ns, stream.end_ns)


def _verdict(report: QualityReport) -> str:
    count = len(report.findings)
    findings = f"{count} finding" if count == 1 else f"{count} findings"
    if report.refused:
        return f"[bold red]refused[/]: {len(report.refused)} of {findings}; it must not be traded on"
    return "[green]fit to trade on[/]" + (f", {findings} marked" if count else "")
