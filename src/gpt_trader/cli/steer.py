"""How is a running bot seen and steered from a shell? `gpt-trader ps`, `status`, `mode`, `pause`, `kill` and others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import click

__all__ = [
    "claim",
    "kill",
    "mode",
    "pause",
    "print_answer",
    "ps",
    "reduce_only",
    "reload",
    "resume",
    "rollback",
    "status",
    "steering_options",
    "tell",
]


HELD_BACK = 1
"""Exit code of a reload that left something for a confirmation."""


def steering_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which bot, why, and how it is printed."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object."),
        click.option("--run", metavar="NAME", help="The run, or the beginning of its name [default: the only one]."),
        click.option("--reason", metavar="TEXT", required=True, help="Why; it stands in the log beside your name."),
    ):
        command = option(command)
    return command


def tell(name: str, arguments: Mapping[str, str], *, run: str | None, reason: str, as_json: bool) -> dict[str, object]:
    """Tell a running bot and print what it answers."""
    from gpt_trader.config.home import home
    from gpt_trader.ops.asking import find_running

    bot = find_running(home(os.environ), run)
    answer = bot.tell(name, arguments, reason)
    if as_json:
        click.echo(json.dumps({"run": bot.name, **answer}))
    else:
        click.echo(bot.name)
        print_answer(answer)
    return answer


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def ps(*, as_json: bool) -> None:
    """List the bots that are running: run, profile, engine, mode, equity."""
    from gpt_trader.config.home import home
    from gpt_trader.ops.asking import running_bots

    found = [bot.tell("status") for bot in running_bots(home(os.environ))]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for each in found:
        words = (each[name] for name in ("run", "profile", "engine", "mode", "equity"))
        click.echo("  ".join(str(word) for word in words))
    if not found:
        click.echo("no bot is running")


@click.command()
@click.option("--run", metavar="NAME", help="The run, or the beginning of its name [default: the only one].")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(run: str | None, *, as_json: bool) -> None:
    """Print what a running bot holds, works on and waits for."""
    tell("status", {}, run=run, reason="", as_json=as_json)


@click.command()
@click.argument("mode", metavar="NORMAL|REDUCE_ONLY|CANCEL_ONLY|FROZEN")
@steering_options
def mode(mode: str, *, run: str | None, reason: str, as_json: bool) -> None:
    """Say what may leave the bot at all; NORMAL takes back what guards and operators had set."""
    tell("mode", {"mode": mode}, run=run, reason=reason, as_json=as_json)


@click.command("reduce-only")
@steering_options
def reduce_only(*, run: str | None, reason: str, as_json: bool) -> None:
    """Let only orders pass that reduce a position; `mode NORMAL` takes it back."""
    tell("mode", {"mode": "REDUCE_ONLY"}, run=run, reason=reason, as_json=as_json)


@click.command()
@steering_options
def kill(*, run: str | None, reason: str, as_json: bool) -> None:
    """Cancel every entry and let none leave; exits and stops go on. `mode NORMAL` takes it back."""
    tell("kill", {}, run=run, reason=reason, as_json=as_json)


@click.command()
@click.argument("symbol", metavar="SYMBOL|all")
@steering_options
def pause(symbol: str, *, run: str | None, reason: str, as_json: bool) -> None:
    """Refuse entries of a symbol until `resume`; exits and stops go on."""
    tell("pause", {"symbol": symbol}, run=run, reason=reason, as_json=as_json)


@click.command()
@click.argument("symbol", metavar="SYMBOL|all")
@steering_options
def resume(symbol: str, *, run: str | None, reason: str, as_json: bool) -> None:
    """Take a pause back; a guard that pauses the symbol goes on doing so."""
    tell("resume", {"symbol": symbol}, run=run, reason=reason, as_json=as_json)


@click.command()
@click.argument("symbol")
@steering_options
def claim(symbol: str, *, run: str | None, reason: str, as_json: bool) -> None:
    """Give the bot a position that somebody else opened on its account: from now on it trades it like its own."""
    tell("claim", {"symbol": symbol}, run=run, reason=reason, as_json=as_json)


@click.command()
@steering_options
def rollback(*, run: str | None, reason: str, as_json: bool) -> None:
    """Give every new intent to LiveExecutionEngine, now; what is under way is finished as it was begun.

    Both engine flags are latched off: no file, variable or restart turns them on again before `flags unset`.
    """
    tell("rollback", {}, run=run, reason=reason, as_json=as_json)


@click.command()
@click.option("--confirm", is_flag=True, help="Take over also what is not surely tighter.")
@steering_options
def reload(*, confirm: bool, run: str | None, reason: str, as_json: bool) -> int:
    """Let a running bot read its configuration files again, as SIGHUP does.

    Flags and limits change, all else needs a restart and is refused by name. Tighter limits hold at once; others are
    held back, and exit code 1 says so, until they are confirmed.
    """
    arguments = {"confirm": "yes"} if confirm else {}
    answer = tell("reload", arguments, run=run, reason=reason, as_json=as_json)
    if not answer["held_back"]:
        return 0
    click.echo("held back, because it is not surely tighter: gpt-trader reload --confirm --reason TEXT", err=True)
    return HELD_BACK


def print_answer(answer: Mapping[str, object]) -> None:
    """A line for each name; tables and lists take several."""
    for name, value in answer.items():
        if isinstance(value, Mapping):
            rows = [f"{key}: {item}" for key, item in value.items()]
        else:
            rows = [str(item) for item in value] if isinstance(value, list) else [str(value)]
        click.echo(f"  {name:<10} {rows[0] if rows else '-'}")
        for row in rows[1:]:
            click.echo(f"  {'':<10} {row}")
