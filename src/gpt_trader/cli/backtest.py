"""What would the bot have done? `gpt-trader backtest` and `gpt-trader backtest compare`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.config import chosen_strategy, configuration_options, load_configuration, strategy_options
from gpt_trader.cli.console import console_for_people
from gpt_trader.cli.data_options import range_options

if TYPE_CHECKING:
    from rich.console import Console

    from gpt_trader.config.load import Loaded
    from gpt_trader.report.comparison import ComparedRun
    from gpt_trader.report.price_path import PricePath
    from gpt_trader.report.progress import RunProgress
    from gpt_trader.research.backtest import Backtest

__all__ = ["backtest"]

OK, FAILED, INTERRUPTED = 0, 1, 130
BOTH = "both"


@click.group(invoke_without_command=True)
@configuration_options
@click.option("--market", metavar="NAME|FILE", help="`synthetic`, a dataset of the catalog, or a recording.")
@range_options
@strategy_options
@click.option("--symbols", metavar="LIST", help="For instance BTC-PERP,ETH-PERP.")
@click.option("--seed", type=int, help="The same seed gives the same event log, byte for byte.")
@click.option("--duration", metavar="TIME", help="Market time to trade, such as 6h, 90m or 30d.")
@click.option("--cash", metavar="USD", help="Starting balance of the simulated account.")
@click.option(
    "--engine",
    type=click.Choice(["flags", "live", "advanced", BOTH]),
    help="By the flags (default), this engine whatever they say, or one after the other and side by side.",
)
@click.option(
    "--shadow",
    type=click.Choice(["none", "live", "advanced"]),
    help="Let this engine decide beside the one that trades, on paper: `gpt-trader shadow report`.",
)
@click.option("--report", metavar="FILE", help="Where the HTML report goes [default: the run's folder].")
@click.option("--no-report", is_flag=True, help="Trade and sum up; write no report.")
@click.option(
    "--export",
    metavar="DIR",
    help="Fills, round trips, refusals and equity as Parquet into this folder; of both engines, one folder in it each.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end.")
@click.pass_context
def backtest(
    context: click.Context,
    /,
    *,
    profile: str | None,
    env_file: str | None,
    risk_file: str | None,
    since: str | None,
    until: str | None,
    report: str | None,
    no_report: bool,
    export: str | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Run the production bot on a simulated market, as fast as it computes, and report on it.

    The market is that of the profile (usually a made-up day), a dataset of the catalog, or a recording. The run is
    kept like any other: `gpt-trader events show last`, `gpt-trader report last`.
    """
    if context.invoked_subcommand is not None:
        return OK
    from gpt_trader.config.home import home
    from gpt_trader.report.progress import RunProgress

    _check_outputs(report, export, no_report=no_report)
    engines = ("live", "advanced") if given["engine"] == BOTH else (given["engine"],)
    loaded = [
        load_configuration(
            profile,
            env_file,
            risk_file,
            {
                # the settings of a profile for a real venue are tried on the simulated one
                "venue.kind": "simulated",
                "run.pace": "max",
                "venue.market": given["market"],
                **chosen_strategy(given),
                "venue.starting_cash": given["cash"],
                "symbols": given["symbols"],
                "run.seed": given["seed"],
                "run.duration": given["duration"],
                "run.engine": engine,
                "run.shadow": given["shadow"],
            },
        )
        for engine in engines
    ]
    console = console_for_people(stderr=as_json)
    place = home(os.environ)
    runs = [
        _run(each, place, RunProgress(console), since, until, prices=not no_report or export is not None)
        for each in loaded
    ]
    if len(runs) == 2:
        return _tell_both(runs, console, report=report, no_report=no_report, export=export, as_json=as_json)
    return _tell_one(runs[0], console, report=report, no_report=no_report, export=export, as_json=as_json)


@backtest.command(short_help="Put two stored runs side by side.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--report", metavar="FILE", help="Write a page with both curves to this file.")
@click.option("--market", metavar="NAME|FILE", help="Where the market lies now, if it was moved; for the curves.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def compare(a: str, b: str, *, report: str | None, market: str | None, as_json: bool) -> int:
    """Put two stored runs side by side: a run's folder or id, the beginning of one, `last`, or a path.

    Says where their decisions part first. Exit 1 when they differ in anything.
    """
    from gpt_trader.cli.report import stored_prices, stored_run
    from gpt_trader.report.page import require_report

    if report:
        require_report()
    first, second = stored_run(a), stored_run(b)
    labels = _labels(first.facts.summary.engine, second.facts.summary.engine, first.folder, second.folder)
    compared = first.compared(labels[0]), second.compared(labels[1])
    prices = (stored_prices(first, market), stored_prices(second, market)) if report else None
    same = _tell_comparison(compared, prices, console_for_people(stderr=as_json), report=report, as_json=as_json)
    return OK if same else FAILED


def _labels(a: str, b: str, folder_a: str, folder_b: str) -> tuple[str, str]:
    """Engines where they differ, else the folders."""
    from gpt_trader.report.comparison import short_engine

    return (short_engine(a), short_engine(b)) if a != b else (folder_a, folder_b)


def _check_outputs(report: str | None, export: str | None, *, no_report: bool) -> None:
    """What cannot be written is said before anything runs."""
    from gpt_trader.core.errors import ConfigError
    from gpt_trader.market.parquet import require_parquet
    from gpt_trader.report.page import require_report

    if report and no_report:
        raise ConfigError("--report and --no-report contradict one another. Fix: choose one")
    if report and Path(report).is_dir():
        raise ConfigError(f"--report {report}: a folder. Fix: name a file, such as {Path(report) / 'report.html'}")
    if not no_report:
        require_report()
    if export:
        require_parquet()


def _run(
    loaded: Loaded, place: Path, progress: RunProgress, since: str | None, until: str | None, *, prices: bool
) -> Backtest:
    from gpt_trader.market.slicing import utc_ns
    from gpt_trader.research.backtest import run_backtest

    return run_backtest(
        loaded,
        place,
        progress,
        from_ns=None if since is None else utc_ns(since),
        to_ns=None if until is None else utc_ns(until),
        prices=prices,
    )


def _tell_one(
    run: Backtest, console: Console, *, report: str | None, no_report: bool, export: str | None, as_json: bool
) -> int:
    from gpt_trader.records.reader import read_run
    from gpt_trader.report.export import export_run
    from gpt_trader.report.page import curves_of, run_page, write_page
    from gpt_trader.report.run_story import tell_story
    from gpt_trader.report.summary import print_summary, to_json

    written: list[Path] = []
    if run.prices is not None:
        story = tell_story(read_run(run.store))
        if export:
            written += export_run(Path(export), run.facts, story, curves_of(run.facts, story, run.prices))
        if not no_report:
            path = Path(report) if report else run.store.with_name("report.html")
            write_page(path, run_page(run.facts, story, run.prices))
            written.insert(0, path)
    if as_json:
        click.echo(to_json(run.facts.summary))
    else:
        print_summary(console, run.facts.summary)
    _say_written(written, as_json=as_json)
    return _exit_code(run)


def _tell_both(
    runs: list[Backtest],
    console: Console,
    *,
    report: str | None,
    no_report: bool,
    export: str | None,
    as_json: bool,
) -> int:
    from gpt_trader.records.reader import read_run
    from gpt_trader.report.comparison import ComparedRun, short_engine
    from gpt_trader.report.export import export_run
    from gpt_trader.report.page import curves_of
    from gpt_trader.report.run_story import tell_story

    first, second = (
        ComparedRun(short_engine(run.facts.summary.engine), run.facts, tell_story(read_run(run.store))) for run in runs
    )
    for run, compared in zip(runs, (first, second), strict=True):
        if export and run.prices is not None:
            curves = curves_of(run.facts, compared.story, run.prices)
            exported = export_run(Path(export) / compared.label.lower(), run.facts, compared.story, curves)
            _say_written(list(exported), as_json=as_json)
    prices = None
    if not no_report and runs[0].prices is not None and runs[1].prices is not None:
        prices = runs[0].prices, runs[1].prices
        report = report or str(runs[1].store.with_name("compare.html"))
    _tell_comparison((first, second), prices, console, report=report, as_json=as_json)
    return max(_exit_code(run) for run in runs)


def _tell_comparison(
    compared: tuple[ComparedRun, ComparedRun],
    prices: tuple[PricePath, PricePath] | None,
    console: Console,
    *,
    report: str | None,
    as_json: bool,
) -> bool:
    """Whether the two logs are the same."""
    import msgspec

    from gpt_trader.report.compared_page import compared_page
    from gpt_trader.report.comparison import compare_runs
    from gpt_trader.report.comparison_table import print_comparison
    from gpt_trader.report.page import write_page

    comparison = compare_runs(*compared)
    written = []
    if report and prices is not None:
        write_page(Path(report), compared_page(comparison, *compared, prices))
        written.append(Path(report))
    if as_json:
        click.echo(msgspec.json.encode(comparison).decode())
    else:
        print_comparison(console, comparison)
    _say_written(written, as_json=as_json)
    return comparison.same_log


def _say_written(written: list[Path], *, as_json: bool) -> None:
    for path in written:
        click.echo(f"{'Report ' if path.suffix == '.html' else 'Export '} {path.absolute()}", err=as_json)


def _exit_code(run: Backtest) -> int:
    from gpt_trader.report.summary import END_OF_DURATION, END_OF_MARKET, STOPPED_BY

    reason = run.facts.summary.stopped_by
    if reason in (END_OF_MARKET, END_OF_DURATION):
        return OK
    return INTERRUPTED if reason.startswith(STOPPED_BY) else FAILED
