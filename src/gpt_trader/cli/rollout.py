"""How is a new engine tried on a share of the orders? `gpt-trader rollout start|status|pause|resume|abort|report`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import click

from gpt_trader.cli.steer import print_answer, steering_options, tell
from gpt_trader.cli.stored import log_of
from gpt_trader.core.errors import ConfigError

__all__ = ["rollout", "rollout_arguments"]


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is agreed beforehand."""
    for option in (
        click.option("--shortfall-sd", metavar="BPS", help="How much the cost of single orders differs [as measured]."),
        click.option("--max-venue-rejects", metavar="PERCENT", help="More rejects than the baseline's, at most."),
        click.option("--max-shortfall-delta", metavar="BPS", help="Cost more than the baseline's, at most."),
        click.option("--hold", metavar="TIME", help="How long each step is held at least [2h]."),
        click.option("--min-orders", metavar="N", help="Candidate orders at each step, at least [60]."),
        click.option("--then", metavar="PERCENT,...", help="The steps after it, or none [50%,100%]."),
        click.option("--share", metavar="PERCENT", help="Intents that go to the candidate at first [10%]."),
        click.option("--to", metavar="ENGINE", help="live, advanced, advanced:sizing or advanced:impact."),
    ):
        command = option(command)
    return command


@click.group()
def rollout() -> None:
    """Try an engine on a share of the orders; it is taken back by itself when it costs more."""


@rollout.command()
@plan_options
@steering_options
def start(*, run: str | None, reason: str, as_json: bool, **plan: str | None) -> None:
    """Give a share of new positions to another engine, and more of them as it proves not to be worse.

    The plan says which difference it can tell from chance, and a limit below that is refused. A step is passed by
    evidence and time; a breach rolls back at once, and says which number broke.
    """
    tell("rollout_start", _given(plan), run=run, reason=reason, as_json=as_json)


@rollout.command()
@click.option("--run", metavar="NAME", help="The run, or the beginning of its name [default: the only one].")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(run: str | None, *, as_json: bool) -> None:
    """Print step, evidence, costs, and when it expects to know."""
    tell("rollout", {}, run=run, reason="", as_json=as_json)


@rollout.command()
@steering_options
def pause(*, run: str | None, reason: str, as_json: bool) -> None:
    """Give new positions to the baseline until `rollout resume`; the candidate keeps what it holds."""
    tell("rollout_pause", {}, run=run, reason=reason, as_json=as_json)


@rollout.command()
@steering_options
def resume(*, run: str | None, reason: str, as_json: bool) -> None:
    """Go on with the step that was paused."""
    tell("rollout_resume", {}, run=run, reason=reason, as_json=as_json)


@rollout.command()
@steering_options
def abort(*, run: str | None, reason: str, as_json: bool) -> None:
    """Give every intent to the baseline, now; nothing is latched."""
    tell("rollout_abort", {}, run=run, reason=reason, as_json=as_json)


@rollout.command()
@click.argument("run", default="last")
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def report(run: str, *, as_json: bool) -> None:
    """Print what became of the rollouts of a run. RUN as in `events show`."""
    from gpt_trader.bot.rollout.report import rollouts_of
    from gpt_trader.core.clock import iso

    found = [
        {
            **record.lines(until_ns),
            "history": [f"{iso(at_ns)[:19]} UTC  {sentence}" for at_ns, sentence in record.told],
        }
        for record, until_ns in rollouts_of(log_of(run).read())
    ]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for lines in found:
        print_answer(lines)
    if not found:
        click.echo("no rollout in this run")


def rollout_arguments(text: str) -> Mapping[str, str]:
    """`gpt-trader run --rollout "..."`: the options of `rollout start`, as the bot is told them. Raises ConfigError."""
    parser = click.Command("--rollout", params=[each for each in start.params if each.name not in STEERING])
    try:
        context = parser.make_context("--rollout", shlex.split(text))
    except (click.ClickException, ValueError) as error:
        said = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise ConfigError(f"--rollout {text!r}: {said} Fix: the options of `gpt-trader rollout start`") from error
    return _given(context.params)


STEERING = ("run", "reason", "as_json")


def _given(plan: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in plan.items() if text is not None}
