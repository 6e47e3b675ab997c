"""What does the account hold? `gpt-trader account show`, `positions`, `products`, `fees` and `credentials check`.

A running bot is asked; where none runs, the venue itself, under the lease of the run.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gpt_trader.cli.config import configuration_options, load_configuration
from gpt_trader.cli.console import console_for_people

if TYPE_CHECKING:
    from gpt_trader.config.load import Loaded
    from gpt_trader.ops.asking import Running

__all__ = [
    "account",
    "asked",
    "chosen_bot",
    "credentials",
    "fees",
    "place_options",
    "positions",
    "print_answer",
    "products",
]


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which account, and how it is printed."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object."),
        click.option("--served", metavar="FILE", help="What `venue serve` printed: that venue stands in for Coinbase."),
        click.option("--run", metavar="NAME", help="Ask this running bot, by the beginning of its name."),
    ):
        command = option(command)
    return configuration_options(command)


@click.group()
def account() -> None:
    """Show money and margin of an account."""


@account.command("show")
@place_options
def account_show(**options: Any) -> None:
    """Print equity, cash and margin, and how old they are."""
    asked("account", **options)


@click.command()
@place_options
def positions(**options: Any) -> None:
    """List open positions: what a running bot's ledger holds, or what the venue says."""
    asked("positions", **options)


@click.command()
@place_options
def products(**options: Any) -> None:
    """List what can be traded: ids, increments, sizes, margin and status."""
    asked("products", **options)


@click.command()
@place_options
def fees(**options: Any) -> None:
    """Print the account's fee rates, as shares of notional."""
    asked("fees", **options)


@click.group()
def credentials() -> None:
    """Check the key of a venue. Nothing of it is ever printed."""


@credentials.command("check")
@configuration_options
@click.option("--served", metavar="FILE", help="What `venue serve` printed: that venue stands in for Coinbase.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def credentials_check(
    profile: str | None, env_file: str | None, risk_file: str | None, *, served: str | None, as_json: bool
) -> None:
    """Ask the venue whether it accepts the key and what the key may do. Exit 2 for one that must not be used."""
    loaded = load_configuration(profile, env_file, risk_file, {"venue.served": served})

    from gpt_trader.core.clock import SystemClock
    from gpt_trader.ops.by_hand import check_credentials

    print_answer(asyncio.run(check_credentials(loaded, SystemClock())), as_json=as_json)


def asked(
    question: str,
    *,
    profile: str | None,
    env_file: str | None,
    risk_file: str | None,
    served: str | None,
    run: str | None,
    as_json: bool,
) -> None:
    """Ask the running bot of this profile, or the account itself, and print the answer."""
    loaded = load_configuration(profile, env_file, risk_file, {"venue.served": served})
    bot = chosen_bot(loaded, run, named=profile is not None)
    if bot is not None:
        print_answer(bot.tell(question), as_json=as_json)
        return

    from gpt_trader.config.home import home
    from gpt_trader.core.clock import SystemClock
    from gpt_trader.ops.by_hand import look

    print_answer(asyncio.run(look(loaded, home(os.environ), SystemClock(), question)), as_json=as_json)


def chosen_bot(loaded: Loaded, run: str | None, *, named: bool) -> Running | None:
    """The bot that runs this profile; where no profile was named, the only one that runs. None where there is none.

    Raises ConfigError for a run that is not there, and where several are meant.
    """
    from gpt_trader.config.home import home
    from gpt_trader.ops.asking import find_running, running_bots

    place = home(os.environ)
    if run is not None:
        return find_running(place, run)
    bots = [bot for bot in running_bots(place) if not named or bot.tell("status")["profile"] == loaded.config.profile]
    if not bots:
        return None
    return bots[0] if len(bots) == 1 else find_running(place, None)


def print_answer(answer: Mapping[str, object], *, as_json: bool) -> None:
    """One object, or tables for people."""
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for name, value in answer.items():
        if isinstance(value, list) and all(isinstance(row, Mapping) for row in value):
            _print_rows(name, value)
        else:
            click.echo(f"{name.replace('_', ' '):<20} {_shown(value)}")


def _print_rows(name: str, rows: Sequence[Mapping[str, object]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not rows:
        click.echo(f"no {name}")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in rows[0]:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(value)) for value in row.values()))
    console_for_people().print(table)


def _shown(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "-"
    return ", ".join(map(str, value)) or "-" if isinstance(value, list) else str(value)
