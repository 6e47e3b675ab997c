"""Does the bot keep its promises on bad days? `gpt-trader simulate` plays them and says what broke."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.console import console_for_people

if TYPE_CHECKING:
    from rich.console import Console

    from gpt_trader.research.bad_days.day import DayEnd
    from gpt_trader.research.bad_days.many import Tally

__all__ = ["simulate"]

FAILED = 1


@click.command()
@click.option("--seeds", metavar="N", type=click.IntRange(min=1), help="So many days [default: 20].")
@click.option("--minutes", metavar="M", type=click.FloatRange(min=0, min_open=True), help="As many as M minutes hold.")
@click.option("--from", "first", metavar="SEED", type=click.IntRange(min=0), default=0, help="The first seed.")
@click.option(
    "--adapter",
    type=click.Choice(["paper", "coinbase"]),
    help="Every day through this exchange adapter [default: as the seed draws].",
)
@click.option("--scenario", metavar="FILE", type=click.Path(path_type=Path), help="One kept day instead of seeds.")
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Up to three shrunk failing days go here as files [default: one, here].",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end.")
def simulate(
    *,
    seeds: int | None,
    minutes: float | None,
    first: int,
    adapter: str | None,
    scenario: Path | None,
    keep: Path | None,
    as_json: bool,
) -> int:
    """Play bad days: the real bot, both engines, paper and Coinbase adapters, the real store, on virtual time and
    against failing parts.

    Each seed is a day of at least an hour, 200 orders, three kinds of fault and a crash. After every step the
    invariants are looked at, beside what the simulated venue holds (`gpt-trader invariants` names them). A day that
    breaks one is shrunk to a small scenario file, which plays again with --scenario FILE.

    Exit code 0 when nothing broke, else 1.
    """
    if scenario is not None:
        return _play_one(scenario, as_json=as_json)
    if seeds is not None and minutes is not None:
        raise click.UsageError("--seeds and --minutes: name one of them")
    from gpt_trader.exchange.paper import kernel_entry_points
    from gpt_trader.report.compiling import compile_with_progress
    from gpt_trader.research.bad_days.many import live_through_many

    console = console_for_people(stderr=as_json)
    compile_with_progress(console, kernel_entry_points())
    tally = live_through_many(
        first,
        seeds=(seeds or 20) if minutes is None else None,
        minutes=minutes,
        adapter=adapter or "",
        tell=lambda end: _say_broken(console, end),
    )
    folder = keep or Path()
    kept = [_keep(console, end, folder, adapter or "") for end in tally.violations[: 1 if keep is None else 3]]
    _tell(tally, kept, console, as_json=as_json)
    return FAILED if tally.violations else 0


def _play_one(path: Path, *, as_json: bool) -> int:
    from gpt_trader.research.bad_days.day import live_through
    from gpt_trader.research.bad_days.scenario import read_scenario

    end = live_through(read_scenario(path))
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(end).decode())
    else:
        console = console_for_people(stderr=False)
        console.print(f"{path.name}: {end.orders} orders, {end.crashes} crashes, log {end.digest[:12]}")
        _say_broken(console, end)
    return FAILED if end.violations else 0


def _say_broken(console: Console, end: DayEnd) -> None:
    for broken in end.violations[:1]:
        console.print(
            f"seed {end.seed}: invariant {broken.number} {broken.name} at {broken.at_ms / 1000:.3f} s, "
            f"boot {broken.boot}: {broken.detail}",
            markup=False,
            highlight=False,
        )


def _keep(console: Console, end: DayEnd, folder: Path, adapter: str) -> str:
    """Shrink the day of a seed and write it down."""
    import msgspec

    from gpt_trader.research.bad_days.drawing import draw_day
    from gpt_trader.research.bad_days.scenario import write_scenario
    from gpt_trader.research.bad_days.shrinking import shrink

    broken = end.violations[0]
    console.print(f"seed {end.seed}: looking for a smaller day that breaks {broken.name}")
    day = shrink(draw_day(end.seed, adapter=adapter), broken.number)
    small = msgspec.structs.replace(day, note=f"{broken.name}: {broken.detail}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{broken.number:02d}-{broken.name}-seed-{end.seed}.json"
    write_scenario(path, small)
    console.print(
        f"{path}: {len(small.steps)} steps, {len(small.wire)} wire faults, {len(small.stream) + len(small.frames)} "
        f"messages, {len(small.crashes)} crashes. Play it again: gpt-trader simulate --scenario {path}",
        highlight=False,
    )
    return str(path)


def _tell(tally: Tally, kept: list[str], console: Console, *, as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(_as_object(tally, kept)))
        return
    console.print(
        f"{tally.seeds} seeds from {tally.first}: {len(tally.violations)} violations; {tally.orders:,} orders, "
        f"{tally.crashes:,} crashes, {tally.events:,} events, {len(tally.fault_kinds)} kinds of fault.\n"
        f"{tally.seeds_per_hour:,.0f} seeds an hour, {tally.virtual_years_per_hour:,.2f} virtual years an hour.",
        highlight=False,
    )


def _as_object(tally: Tally, kept: list[str]) -> dict[str, Any]:
    return {
        "from": tally.first,
        "seeds": tally.seeds,
        "violations": [
            {"seed": end.seed, "invariant": end.violations[0].number, "name": end.violations[0].name}
            | {"detail": end.violations[0].detail, "at_ms": end.violations[0].at_ms}
            for end in tally.violations
        ],
        "orders": tally.orders,
        "crashes": tally.crashes,
        "events": tally.events,
        "fault_kinds": dict(tally.fault_kinds),
        "seeds_per_hour": round(tally.seeds_per_hour, 1),
        "virtual_years_per_hour": round(tally.virtual_years_per_hour, 3),
        "real_seconds": round(tally.real_seconds, 1),
        "scenarios": kept,
    }
