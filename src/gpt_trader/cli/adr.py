"""Are the decisions in order? `gpt-trader adr check`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["adr"]

FINDINGS_EXIT_CODE = 1


@click.group()
def adr() -> None:
    """Check the decision records of a checkout."""


@adr.command()
@click.option(
    "--root", metavar="FOLDER", type=click.Path(path_type=Path), help="The checkout [default: found upwards]."
)
def check(root: Path | None) -> int:
    """Check form, index, links, successors, what enforces each record, and that every flag has one.

    Exit code 0 when all is well, 1 when something is to be mended; each finding says what.
    """
    from gpt_trader.core.clock import today_utc
    from gpt_trader.ops.decision_records import check_records, find_checkout, read_records

    checkout = find_checkout(root if root is not None else Path.cwd())
    found = check_records(checkout, today_utc())
    for finding in found:
        click.echo(str(finding))
    if found:
        return FINDINGS_EXIT_CODE
    click.echo(f"ok: {len(read_records(checkout))} records")
    return 0
