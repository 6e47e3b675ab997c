"""Which engine, and who chose it? `gpt-trader flags list`."""

from __future__ import annotations

import json

import click

from gpt_trader.cli.config import configuration_options, load_configuration

__all__ = ["flags"]


@click.group()
def flags() -> None:
    """List the flags that choose the engine."""


@flags.command("list")
@configuration_options
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def list_flags(profile: str | None, env_file: str | None, risk_file: str | None, *, as_json: bool) -> None:
    """Print every flag: value, source, decision record, owner, review date and what it changes."""
    from gpt_trader.config.flags import ENGINE_FLAGS
    from gpt_trader.config.load import value_at

    loaded = load_configuration(profile, env_file, risk_file)
    rows = [
        {
            "flag": flag.name,
            "value": "true" if value_at(loaded.config, flag.path) else "false",
            "source": str(loaded.sources[flag.path]),
            "env": flag.env,
            "default": "true" if flag.default else "false",
            "adr": flag.adr,
            "owner": flag.owner,
            "review by": flag.review_by.isoformat(),
            "changes": flag.changes,
        }
        for flag in ENGINE_FLAGS
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row.pop('flag')} = {row.pop('value')}   ({row.pop('source')})")
        for name, text in row.items():
            click.echo(f"  {name:<10} {text}")
