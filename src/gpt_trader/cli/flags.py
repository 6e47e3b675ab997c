"""Which switches are on, and who said so? `gpt-trader flags list|show|set|unset|history`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.config import configuration_options, load_configuration
from gpt_trader.cli.steer import steering_options, tell
from gpt_trader.cli.stored import log_of

if TYPE_CHECKING:
    from gpt_trader.config.flags import Flag
    from gpt_trader.config.load import Loaded
    from gpt_trader.config.sources import Source

__all__ = ["flags"]


@click.group()
def flags() -> None:
    """Show the flags: value, source, decision record, owner, review date; and change them on a running bot."""


@flags.command("list")
@configuration_options
@click.option("--run", metavar="NAME", help="As a running bot has them: the run, or the beginning of its name.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def list_flags(
    profile: str | None, env_file: str | None, risk_file: str | None, *, run: str | None, as_json: bool
) -> None:
    """Print every flag as a run would begin with it, or as a running bot has it."""
    from gpt_trader.config.flags import FLAGS

    if run is not None:
        list_running(run, as_json=as_json)
        return

    loaded = load_configuration(profile, env_file, risk_file)
    rows = [as_row(flag, loaded) for flag in FLAGS]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        print_row(row)


@flags.command()
@click.argument("name")
@configuration_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(name: str, profile: str | None, env_file: str | None, risk_file: str | None, *, as_json: bool) -> None:
    """Print one flag, and everybody who said something of it; the last of them counts."""
    from gpt_trader.config.flags import find_flag

    flag = find_flag(name)
    loaded = load_configuration(profile, env_file, risk_file)
    row = as_row(flag, loaded)
    said = [
        {"source": str(source), "value": source.raw, "since": since(source)} for source in loaded.given_to(flag.path)
    ]
    if as_json:
        click.echo(json.dumps({**row, "said": said}, indent=2, default=str))
        return
    print_row(row)
    for each in said:
        parts = (each["value"], "by", each["source"], each["since"])
        click.echo("  said       " + " ".join(str(part) for part in parts if part))


def list_running(run: str, *, as_json: bool) -> None:
    """The flags of a running bot: value, source, since when, who and why."""
    from gpt_trader.config.home import home
    from gpt_trader.ops.asking import find_running

    answer = find_running(home(os.environ), run).tell("flags")
    rows = answer["flags"]
    assert isinstance(rows, list), "the bot answers in rows"
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(str(answer["engine"]))
    for row in rows:
        print_row(row)


@flags.command("set")
@click.argument("name")
@click.argument("value", metavar="true|false")
@click.option("--latch", is_flag=True, help="Hold it over every source until `flags unset`.")
@steering_options
def set_flag(name: str, value: str, *, latch: bool, run: str | None, reason: str, as_json: bool) -> None:
    """Set a flag of a running bot, above every file and variable, restarts included.

    `flags unset` gives it back to the configuration; so does a file that says something new of it at a reload. The
    answer names the engine that takes every intent from now on.
    """
    arguments = {"flag": name, "value": value, **({"latch": "yes"} if latch else {})}
    tell("set_flag", arguments, run=run, reason=reason, as_json=as_json)


@flags.command("unset")
@click.argument("name")
@steering_options
def unset_flag(name: str, *, run: str | None, reason: str, as_json: bool) -> None:
    """Let the configuration of a running bot decide about a flag again; the only way to end a latch."""
    tell("unset_flag", {"flag": name}, run=run, reason=reason, as_json=as_json)


@flags.command()
@click.argument("run", default="last")
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def history(run: str, *, as_json: bool) -> None:
    """Print what a run began with and every change of engine since. RUN as in `events show`."""
    from gpt_trader.core.clock import iso
    from gpt_trader.records.flag_history import flag_history

    rows = flag_history(log_of(run).read())
    if as_json:
        click.echo(json.dumps([{"time": iso(at_ns), "what": what} for at_ns, what in rows], indent=2))
        return
    for at_ns, what in rows:
        click.echo(f"{iso(at_ns)}  {what}")


def as_row(flag: Flag, loaded: Loaded) -> dict[str, Any]:
    """What is declared of a flag, and what it would be."""
    from gpt_trader.config.flags import as_text
    from gpt_trader.config.load import value_at

    source = loaded.sources[flag.path]
    return {
        "flag": flag.name,
        "value": as_text(value_at(loaded.config, flag.path)),
        "source": str(source),
        "since": since(source),
        "env": flag.env,
        "type": flag.type,
        "default": as_text(flag.default),
        "adr": flag.adr,
        "owner": flag.owner,
        "review by": flag.review_by.isoformat(),
        "changes": flag.changes,
    }


def since(source: Source) -> str:
    """When a file last said so; a variable, an option or a default says it now."""
    from gpt_trader.core.clock import iso

    return "" if source.since_ns is None else iso(source.since_ns)


def print_row(row: dict[str, Any]) -> None:
    """Value and source on the first line, the rest below."""
    rest = {name: text for name, text in row.items() if name not in ("flag", "value", "source") and text}
    click.echo(f"{row['flag']} = {row['value']}   ({row['source']})")
    for name, text in rest.items():
        click.echo(f"  {name:<10} {text}")
