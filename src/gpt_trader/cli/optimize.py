"""Which values would have been best, and is that more than luck? `gpt-trader optimize`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.config import configuration_options, load_configuration
from gpt_trader.cli.console import console_for_people
from gpt_trader.cli.data_options import range_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from gpt_trader.config.load import Loaded
    from gpt_trader.market.stream import MarketStream
    from gpt_trader.report.research_facts import ResearchFacts
    from gpt_trader.research.search.optimize import Prepared, Request
    from gpt_trader.research.search.workers import Workers

__all__ = ["optimize", "search_and_tell"]

OK = 0
SAMPLERS = ("grid", "random", "tpe")
BATCH = 8
"""Trials that are asked for together by a sampler that learns; the table depends on it, so workers do not choose it."""
BATCH_OF_LIST = 64
TRIALS = 100


@click.command()
@configuration_options
@click.option("--strategy", metavar="NAME", help="Which strategy [default: the profile's].")
@click.option("--strategy-folder", metavar="DIR", help="Strategies of your own.")
@click.option("--market", metavar="NAME|FILE", help="`synthetic`, a dataset of the catalog, or a recording.")
@range_options
@click.option("--symbols", metavar="LIST", help="For instance BTC-PERP,ETH-PERP.")
@click.option("--duration", metavar="TIME", help="Only so much of the market from its start, such as 6h or 30d.")
@click.option("--cash", metavar="USD", help="Starting balance of the simulated account.")
@click.option("--engine", type=click.Choice(["flags", "live", "advanced"]), help="By the flags (default), or this one.")
@click.option(
    "--space",
    metavar="NAME=A:B[:STEP]",
    multiple=True,
    help="What varies: a range, or values as a|b|c; a parameter of the strategy or any setting. Again for each "
    "[default: all for which the strategy proposes a range].",
)
@click.option(
    "--metric",
    metavar="NAME",
    multiple=True,
    default=("sharpe",),
    show_default=True,
    help="What is sought: sharpe, return, drawdown, sortino, calmar, orders, fees, shortfall_bps, all_in_bps, "
    "fill_share or fill_seconds. Given again, the front of those that none beats in all.",
)
@click.option("--sampler", type=click.Choice(SAMPLERS), help="[default: grid where it has up to 1,000 sets, else tpe]")
@click.option("--trials", metavar="N", type=click.IntRange(min=1), help="For random and tpe [default: 100].")
@click.option("--batch", metavar="N", type=click.IntRange(min=1), help=f"Asked for together by tpe [default: {BATCH}].")
@click.option("--seed", type=int, help="Of market, venue and search.")
@click.option("--prune", is_flag=True, help="End a trial early that does worse than most on the first part.")
@click.option(
    "--walk-forward",
    "forward",
    type=click.Choice(["both", "anchored", "rolling", "none"]),
    default="both",
    show_default=True,
    help="What the verdict rests on; of both, the anchored one.",
)
@click.option(
    "--folds", metavar="N", type=click.IntRange(min=2), default=10, show_default=True, help="Of walk-forward."
)
@click.option("--no-what-if", is_flag=True, help="Do not ask what dearer or slower trading would do.")
@click.option("--workers", metavar="N", type=click.IntRange(min=1), help="Processes [default: one a processor].")
@click.option("--ray", metavar="ADDRESS", help="A Ray cluster instead: auto, ray://HOST:10001, or local.")
@click.option("--study", metavar="NAME", help="Its name [default: from what it is].")
@click.option("--storage", metavar="URL", help="sqlite:///FILE or postgresql://... [default: a file under the home].")
@click.option("--resume", is_flag=True, help="Go on with a search that was left, or show it again.")
@click.option("--report", metavar="FILE", help="Where the HTML report goes [default: the study's folder].")
@click.option("--no-report", is_flag=True, help="Write no report.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end.")
def optimize(
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
    """Search settings by running the production bot with each set, and say how much of the result is luck.

    The report opens with a verdict: real, loses, noise, or too short to tell. It rests on walk-forward (choose on the
    past, trade what follows) and on a reality check (how good is the best of so many sets without any edge?).
    """
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
            "run.engine": given["engine"],
            "strategy.name": given["strategy"],
            "strategy.folder": given["strategy_folder"],
        },
    )
    return search_and_tell(loaded, since, until, given, report=report, no_report=no_report, as_json=as_json)


def search_and_tell(
    loaded: Loaded,
    since: str | None,
    until: str | None,
    given: dict[str, Any],
    *,
    report: str | None,
    no_report: bool,
    as_json: bool,
    conclude: Callable[[ResearchFacts], ResearchFacts] | None = None,
) -> int:
    """Everything after the options: used by every command that searches. `conclude` may say more of the facts."""
    import msgspec

    from gpt_trader.config.home import home
    from gpt_trader.core.clock import NS
    from gpt_trader.market.parquet import require_parquet
    from gpt_trader.market.slicing import slice_market, utc_ns
    from gpt_trader.report.page import require_report, write_page
    from gpt_trader.report.progress import RunProgress
    from gpt_trader.report.research_export import export_sets
    from gpt_trader.report.research_page import research_page
    from gpt_trader.report.research_tables import print_research
    from gpt_trader.research.backtest import open_backtest_market
    from gpt_trader.research.search.optimize import prepare
    from gpt_trader.research.search.study import import_optuna

    import_optuna()
    require_parquet()
    if not no_report:
        require_report()
    console, place = console_for_people(stderr=as_json), home(os.environ)
    market = open_backtest_market(
        loaded,
        place,
        from_ns=None if since is None else utc_ns(since),
        to_ns=None if until is None else utc_ns(until),
    )
    if loaded.config.run.duration is not None:
        market = slice_market(market, None, market.start_ns + loaded.config.run.duration * NS)
    request = _request(loaded, market, given, place)
    folder = place / "research" / request.study
    folder.mkdir(parents=True, exist_ok=True)
    prepared = prepare(request, loaded, market, place)
    from gpt_trader.exchange.paper import kernel_entry_points

    RunProgress(console).compile(kernel_entry_points())
    facts = _searched(prepared, loaded, console, given)
    facts = facts if conclude is None else conclude(facts)
    written = list(export_sets(folder, facts))
    if not no_report:
        path = Path(report) if report else folder / "report.html"
        write_page(path, research_page(facts))
        written.insert(0, path)
    if as_json:
        click.echo(msgspec.json.encode(facts).decode())
    else:
        print_research(console, facts)
    for each in written:
        click.echo(f"{'Report ' if each.suffix == '.html' else 'Export '} {each.absolute()}", err=as_json)
    return OK


def _request(loaded: Loaded, market: MarketStream, given: dict[str, Any], place: Path) -> Request:
    from gpt_trader.research.search.measures import find_measure
    from gpt_trader.research.search.optimize import Request, choose_sampler
    from gpt_trader.research.search.space import parse_space
    from gpt_trader.research.search.walk_forward import Scheme

    space = parse_space(given["space"], loaded.config.strategy)
    measures = tuple(find_measure(name) for name in dict.fromkeys(given["metric"]))
    sampler = given["sampler"] or choose_sampler(space, given["trials"])
    learns = sampler == "tpe" or given["prune"]
    schemes = (
        {"both": tuple(Scheme), "none": ()}.get(given["forward"]) if given["forward"] in ("both", "none") else None
    )
    if schemes is None:
        schemes = (Scheme(given["forward"]),)
    request = Request(
        study="",
        space=space,
        measures=measures,
        sampler=sampler,
        trials=given["trials"] or TRIALS,
        batch=given["batch"] or (BATCH if learns else BATCH_OF_LIST),
        seed=loaded.config.run.seed,
        schemes=schemes,
        folds=given["folds"],
        prune=given["prune"],
        harder=not given["no_what_if"],
        storage="",
        resume=given["resume"],
    )
    return _named(request, loaded, market, given, place)


def _named(request: Request, loaded: Loaded, market: MarketStream, given: dict[str, Any], place: Path) -> Request:
    """A search that is the same in everything has the same name, so that --resume finds it."""
    import hashlib
    from dataclasses import replace

    space = [f"{each.path}={each.choices or (each.low, each.high, each.step)}" for each in request.space]
    how = (request.sampler, request.batch, request.seed, request.prune, request.folds, request.schemes)
    sought = [measure.name for measure in request.measures]
    parts = (loaded.digest, market.digest, *space, *sought, *map(str, how))
    digest = hashlib.sha256("|".join(parts).encode()).hexdigest()[:8]
    study = given["study"] or f"{loaded.config.strategy.name}-{digest}"
    storage = given["storage"] or f"sqlite:///{place / 'research' / study / 'study.sqlite'}"
    return replace(request, study=study, storage=storage)


def _searched(prepared: Prepared, loaded: Loaded, console: Console, given: dict[str, Any]) -> ResearchFacts:
    from gpt_trader.execution.factory import EngineChoice, ExecutionEngineFactory
    from gpt_trader.research.search.facts import facts_of_search
    from gpt_trader.research.search.optimize import optimize as run_search

    workers = _workers(prepared, given)
    try:
        with _stages(console) as stage:
            found = run_search(prepared, workers, stage)
    except KeyboardInterrupt:
        click.echo("stopped: every trial that had ended is kept. Fix: the same command with --resume goes on", err=True)
        raise
    finally:
        workers.close()
    selection = ExecutionEngineFactory.select(loaded.config.risk, EngineChoice(loaded.config.run.engine))
    return facts_of_search(prepared, found, "AdvancedExecutionEngine" if selection.advanced else "LiveExecutionEngine")


def _workers(prepared: Prepared, given: dict[str, Any]) -> Workers:
    from gpt_trader.research.search.workers import InProcess, LocalWorkers

    if given["ray"]:
        from gpt_trader.research.search.ray_workers import RayWorkers

        return RayWorkers(prepared.setup, given["ray"], given["workers"])
    count = given["workers"] or os.cpu_count() or 1
    return InProcess(prepared.setup) if count == 1 else LocalWorkers(prepared.setup, count)


@contextmanager
def _stages(console: Console) -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """One bar for each stage, with the time that is left; nothing where no terminal is."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def stage(what: str, total: int) -> Callable[[int], None]:
            task = progress.add_task(what, total=total)
            return lambda count: progress.update(task, advance=count)

        yield stage
