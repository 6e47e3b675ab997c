"""Would it decide the same again? `gpt-trader replay`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gpt_trader.ops.replayed import Replayed

__all__ = ["replay"]

DIFFERENT = 1
"""Exit code where decisions differ that should not."""


@click.command()
@click.argument("run", metavar="RUN|BUNDLE")
@click.option("--until", metavar="TIME", help="Only to this time, such as 2026-01-05T06:00.")
@click.option("--engine", type=click.Choice(["live", "advanced"]), help="As if this engine had traded.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="As if a setting had been another.")
@click.option("--market", metavar="NAME|FILE", help="Where the run's market lies now, if it was moved.")
@click.option("--bundle", metavar="FILE", type=click.Path(path_type=Path), help="Pack the run into FILE instead.")
@click.option("--limit", metavar="N", default=20, show_default=True, help="Differences that are printed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def replay(
    run: str,
    *,
    until: str | None,
    engine: str | None,
    settings: tuple[str, ...],
    market: str | None,
    bundle: Path | None,
    limit: int,
    as_json: bool,
) -> int:
    """Run strategy, engine, rules and guards again on the inputs of a stored run.

    Without changes every decision must come out the same: exit code 0, else 1. With --engine or --set the differences
    are listed from the first on, and the exit code is 0. RUN as in `events show`, or a file made by --bundle.
    """
    from gpt_trader.config.home import home

    place = home(os.environ)
    changes = _changes(settings, engine)
    with _store(place, run) as (store, inputs):
        if bundle is not None:
            from gpt_trader.ops.bundle import pack

            click.echo(f"{pack(store, place, bundle, market)}: replay it with `gpt-trader replay {bundle}`")
            return 0
        from gpt_trader.market.slicing import utc_ns
        from gpt_trader.ops.replay import replay as again

        done = again(
            store,
            place if inputs is None else inputs,
            until_ns=None if until is None else utc_ns(until),
            changes=changes,
            market=market,
        )
    _tell(done, changes, limit, as_json=as_json)
    return 0 if changes or done.is_same else DIFFERENT


@contextlib.contextmanager
def _store(place: Path, run: str) -> Iterator[tuple[Path, Path | None]]:
    """The store that is meant, and the home in which its market lies, where that is not ours."""
    from gpt_trader.ops.bundle import is_bundle, unpacked
    from gpt_trader.records.runs import find_run

    if is_bundle(Path(run)):
        with unpacked(Path(run)) as (store, inputs):
            yield store, inputs
    else:
        yield find_run(place, run), None


def _changes(settings: tuple[str, ...], engine: str | None) -> dict[str, str]:
    changes = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.BadParameter(f"{setting!r} is not NAME=VALUE such as risk.max_leverage=2", param_hint="--set")
        changes[name.strip()] = value.strip()
    return {**changes, **({"run.engine": engine} if engine else {})}


def _tell(done: Replayed, changes: dict[str, str], limit: int, *, as_json: bool) -> None:
    from gpt_trader.core.clock import iso

    shown = [
        {"time": iso(each.at_ns), "about": each.about, "recorded": each.recorded, "replayed": each.replayed}
        for each in done.differences[:limit]
    ]
    if as_json:
        verdict = {
            "same": done.is_same,
            "recorded": done.recorded,
            "replayed": done.replayed,
            "equal": done.equal,
            "whole_log": done.whole_log,
            "notes": list(done.notes),
            "changes": changes,
            "differences": len(done.differences),
            "first": shown,
        }
        click.echo(json.dumps(verdict, indent=2))
        return
    asked = f" with {', '.join(f'{name}={value}' for name, value in changes.items())}" if changes else ""
    click.echo(f"{done.recorded} decisions recorded, {done.replayed} replayed{asked}, {done.equal} equal")
    for note in done.notes:
        click.echo(note)
    if done.is_same:
        whole = ", and so is every event of the log" if done.whole_log else ""
        click.echo(f"every decision is the same{whole}")
        return
    click.echo(f"{len(done.differences)} differ, the first at {shown[0]['time']}:")
    for each in shown:
        click.echo(f"  {each['time']}  {each['about']}")
        click.echo(f"    recorded  {each['recorded']}")
        click.echo(f"    replayed  {each['replayed']}")
    if len(done.differences) > len(shown):
        click.echo(f"  and {len(done.differences) - len(shown)} more: --limit")
