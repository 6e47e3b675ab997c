"""How does a market get into the catalog? `gpt-trader data import FILE...` and `data import coinbase`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.console import console_for_people
from gpt_trader.cli.data_options import chosen_limits, chosen_reading, limit_options, reading_options
from gpt_trader.cli.progress import progress_bars, progress_share, progress_until
from gpt_trader.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress

    from gpt_trader.market.importing import Opened
    from gpt_trader.market.quality_flaws import Limits

__all__ = ["import_"]


class _Import(click.Command):
    """Files, unless the first word is `coinbase`; a file of that name is written ./coinbase."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == [coinbase.name]:
            return coinbase.make_context(f"{info_name} coinbase", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("import", cls=_Import)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--name", metavar="NAME", help="Name of the dataset [default: after the first file].")
@click.option("--replace", is_flag=True, help="Take the place of the dataset of that name.")
@reading_options
@limit_options
def import_(
    files: tuple[str, ...],
    *,
    name: str | None,
    replace: bool,
    silence: float | None,
    jump: float | None,
    **reading: Any,
) -> None:
    """Check files from end to end and keep them as one dataset. Of Coinbase: see `data import coinbase --help`.

    Raw Binance USD-M captures (`local_ns {json}`) and CSV files of bars, plain or gzip. Several files of different
    products become one market, merged by time. What must not be traded on is refused with file, line and reason,
    and then nothing is kept; what is doubtful is marked in the dataset's notes. Nothing is repaired.
    """
    from gpt_trader.market.importing import dataset_name, open_files

    paths = [Path(file) for file in files]
    chosen = name or dataset_name(paths[0])

    def open_them(progress: Progress, _: ExitStack) -> Opened:
        tells = [progress_share(progress, f"checking {path.name}") for path in paths]
        return open_files(paths, chosen_reading(**reading), chosen, tells)

    _keep(chosen, open_them, replace=replace, limits=chosen_limits(silence, jump))


@click.command("coinbase")
@click.option(
    "--product",
    "products",
    metavar="SYMBOL",
    multiple=True,
    required=True,
    help="BTC-PERP, or Coinbase's id such as BIP-20DEC30-CDE; several times for several.",
)
@click.option("--from", "since", metavar="TIME", required=True, help="Such as 2026-09-01 or 2026-09-01T12:00 (UTC).")
@click.option("--to", "until", metavar="TIME", help="Up to this time [default: now].")
@click.option("--bar-seconds", type=int, metavar="N", help="Length of the candles [default: 60].")
@click.option("--trades", is_flag=True, help="Single trades instead of candles: to measure with, not to trade on.")
@click.option("--name", metavar="NAME", help="Name of the dataset [default: coinbase-SYMBOL-DAY].")
@click.option("--replace", is_flag=True, help="Take the place of the dataset of that name.")
@click.option("--host", metavar="HOST[:PORT]", help="Another venue of this protocol, such as `venue serve`.")
@click.option("--ca-file", metavar="FILE", help="Certificate to trust there.")
@limit_options
def coinbase(
    *,
    products: tuple[str, ...],
    since: str,
    until: str | None,
    bar_seconds: int | None,
    trades: bool,
    name: str | None,
    replace: bool,
    host: str | None,
    ca_file: str | None,
    silence: float | None,
    jump: float | None,
) -> None:
    """Fetch public candles or trades of Coinbase, check them and keep them as one dataset. Needs no key.

    Up to five minutes without a trade are carried; longer holes stay holes. Coinbase has no history of funding.
    """
    if trades and bar_seconds is not None:
        raise ConfigError("--trades and --bar-seconds: single trades have no length. Fix: leave one of them out")
    from gpt_trader.core.clock import SystemClock
    from gpt_trader.exchange.coinbase.transport import HOST
    from gpt_trader.market.slicing import utc_ns
    from gpt_trader.ops.coinbase_history import Wanted, fetch_market

    clock = SystemClock()
    wanted = Wanted(
        products=products,
        from_ns=utc_ns(since),
        to_ns=None if until is None else utc_ns(until),
        bar_seconds=None if trades else bar_seconds or 60,
        host=host or HOST,
        ca_file=ca_file,
    )
    chosen = name or f"coinbase-{'-'.join(products)}-{since[:10]}".lower()

    def fetch(progress: Progress, keep: ExitStack) -> Opened:
        end_ns = wanted.to_ns or clock.now_ns()
        tells = [progress_until(progress, f"fetching {product}", wanted.from_ns, end_ns) for product in products]
        return fetch_market(wanted, chosen, clock, keep, tells)

    _keep(chosen, fetch, replace=replace, limits=chosen_limits(silence, jump))


def _keep(name: str, opening: Callable[[Progress, ExitStack], Opened], *, replace: bool, limits: Limits) -> None:
    """Open a market, write it to the catalog, and say what was found."""
    from gpt_trader.config.home import home
    from gpt_trader.core.clock import SystemClock
    from gpt_trader.market.catalog_writer import import_market, require_free
    from gpt_trader.market.parquet import require_parquet
    from gpt_trader.report.data_tables import findings_table, size_text

    require_parquet()
    place = home(os.environ)
    require_free(place, name, replace=replace)
    clock = SystemClock()
    started_ns = clock.now_ns()
    with ExitStack() as keep, progress_bars() as progress:
        stream, sources = opening(progress, keep)
        manifest = import_market(
            place,
            name,
            stream,
            now_ns=started_ns,
            sources=sources,
            replace=replace,
            limits=limits,
            tell=progress_until(progress, f"importing {name}", stream.start_ns, stream.end_ns),
        )
    seconds = (clock.now_ns() - started_ns) / 1e9
    console = console_for_people()
    for note in manifest.notes:
        console.print(f"note: {note}", style="dim", highlight=False)
    console.print(findings_table(manifest.quality.findings))
    console.print(
        f"imported {name}: {manifest.rows:,} rows, {size_text(manifest.size_bytes)}, in {seconds:.1f} s, "
        f"sha256:{manifest.digest}",
        highlight=False,
    )
