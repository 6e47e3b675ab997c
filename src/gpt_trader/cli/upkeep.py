"""How is a log kept safe, small and sound? `events export`, `anchor`, `archive`, `repair` and `growth`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from gpt_trader.cli.console import console_for_people
from gpt_trader.cli.stored import file_of_run, log_of

__all__ = ["UPKEEP"]

GIGABYTE: Final = 1e9


@click.command()
@click.argument("run")
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="File instead of the screen.")
@click.option("--after", metavar="SEQUENCE", type=click.IntRange(min=0), default=0, help="Only events after this one.")
def export(run: str, target: Path | None, after: int) -> None:
    """Write every event as a line of JSON, verified as it is read.

    A line holds sequence, boot, schema version, hash and the event as it was hashed.
    """
    log = log_of(run)
    if target is None:
        for line in log.lines(after):
            click.echo(line)
        return
    count = 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for line in log.lines(after):
            file.write(line + b"\n")
            count += 1
    click.echo(f"{count} events written to {target}")


@click.command()
@click.argument("run")
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="Anchor file, best elsewhere.")
def anchor(run: str, target: Path | None) -> None:
    """Note outside the store how far the log has got, so that no end can be cut off unseen.

    Without --to the anchor lies beside the folder of all runs, where `events verify` finds it by itself; print it, or
    keep a second one on another disk with --to, and name that file to `events verify --anchor`.
    """
    from gpt_trader.core.clock import SystemClock
    from gpt_trader.records.anchors import anchor_path, note_anchor

    log = log_of(run)
    file = target or anchor_path(log.place)
    noted = note_anchor(file, log.run_id, log.head(), SystemClock().now_ns())
    click.echo(f"{noted.anchored_at} {noted.run} sequence {noted.sequence} hash {noted.hash}\nadded to {file}")


@click.command()
@click.argument("run")
@click.option("--days", metavar="N", type=click.IntRange(min=0), default=30, show_default=True, help="Keep so many.")
def archive(run: str, days: int) -> None:
    """Move anchored events older than some days into a compressed file beside the database.

    Only while no bot writes the store. Every reader goes on as if nothing had happened; back the folder up whole.
    """
    from gpt_trader.core.clock import NS, SystemClock
    from gpt_trader.records.upkeep import archive as move

    path = file_of_run(run, "events archive", "the server's partitions and backups; `events export --to` keeps a copy")
    moved = move(path, SystemClock().now_ns() - days * 86_400 * NS)
    if moved is None:
        click.echo(f"nothing to move: no anchored event is older than {days} days (see `gpt-trader events anchor`)")
        return
    click.echo(
        f"events {moved.first} to {moved.last} are in {moved.file} ({moved.bytes_archived} bytes); "
        f"the database went from {moved.bytes_before} to {moved.bytes_after} bytes"
    )


@click.command()
@click.argument("run")
def repair(run: str) -> None:
    """Put a damaged store into quarantine and begin it anew with what can be proven of it.

    Nothing is removed. The next boot asks the venue for what is missing and lets no entry out until you have looked.
    """
    from gpt_trader.core.clock import SystemClock
    from gpt_trader.records.upkeep import repair as mend

    path = file_of_run(run, "events repair", "restore the server from a backup, then start the bot: it asks the venue")
    repaired = mend(path, SystemClock().now_ns())
    if repaired is None:
        click.echo(f"{path}: the log is whole; nothing to repair")
        return
    click.echo(
        f"found   {repaired.reason}\nkept    {repaired.kept} of {repaired.reached} events\n"
        f"moved   the damaged files to {repaired.quarantine}\n"
        "next    start the bot: it asks the venue for orders, fills and positions before anything else; entries stay "
        "paused until an operator resumes them"
    )


@click.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def growth(run: str, *, as_json: bool) -> None:
    """Say what the store has grown by, and how long the disk lasts."""
    from gpt_trader.records.growth import growth_of

    ask = "ask the server: SELECT pg_size_pretty(pg_database_size(current_database()))"
    found = growth_of(file_of_run(run, "events growth", ask))
    if as_json:
        import json

        click.echo(
            json.dumps(
                {
                    "events": found.events,
                    "bytes_stored": found.bytes_stored,
                    "days": round(found.days, 4),
                    "bytes_per_day": found.bytes_per_day and round(found.bytes_per_day),
                    "bytes_free": found.bytes_free,
                    "days_left": found.days_left and round(found.days_left, 1),
                }
            )
        )
        return
    console = console_for_people()
    console.print(f"stored  {found.events} events, {found.bytes_stored} bytes, over {found.days:.2f} days")
    console.print(f"free    {found.bytes_free / GIGABYTE:.1f} GB")
    per_day, left = found.bytes_per_day, found.days_left
    if per_day is None or left is None:
        console.print("growth  less than an hour is known: too little to say how long the disk lasts")
    else:
        console.print(f"growth  {per_day / 1e6:.2f} MB a day: the disk lasts {left:.0f} days, if nothing else fills it")


UPKEEP: Final = (export, anchor, archive, repair, growth)
