"""What was told of a run, and who is told? `gpt-trader logs`, `daily` and `alerts`."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

import click

from gpt_trader.cli.config import configuration_options, load_configuration
from gpt_trader.cli.stored import log_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt_trader.ops.alerts.channels import Channel
    from gpt_trader.ops.alerts.messages import Severity
    from gpt_trader.ops.log_lines import LogLines

__all__ = ["alerts", "daily", "logs"]

OK, FAILED = 0, 1
LEVELS: Final = ("info", "warning", "error")
FOLLOW_SECONDS: Final = 0.2
SEVERITIES: Final = ("info", "warning", "critical")


@click.command()
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option("--level", type=click.Choice(LEVELS), default="info", show_default=True, help="This level and worse.")
@click.option("--intent", metavar="ID", help="Only lines of this intent, by the beginning of its id.")
@click.option("--lines", metavar="N", type=click.IntRange(min=1), help="Only the newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Lines as they are stored: one JSON object each.")
def logs(run: str, *, follow: bool, level: str, intent: str | None, lines: int | None, as_json: bool) -> None:
    """Print the lines that a run has logged: decisions, trades, alarms, starts and ends.

    RUN is a run id or the beginning of one, `last`, or the path of a store.
    """
    from gpt_trader.config.home import home
    from gpt_trader.ops.log_lines import LogLines
    from gpt_trader.records.runs import find_run

    with LogLines(find_run(home(os.environ), run).parent, level=level, intent=intent or "") as found:
        for line in found.so_far(lines):
            click.echo(line.text if as_json else line.for_people())
        if follow:
            asyncio.run(_follow(found, as_json=as_json))


async def _follow(found: LogLines, *, as_json: bool) -> None:
    """Until somebody interrupts it."""
    from gpt_trader.core.clock import SystemClock

    clock = SystemClock()
    while True:
        await clock.sleep(FOLLOW_SECONDS)
        for line in found.news():
            click.echo(line.text if as_json else line.for_people())


@click.command()
@click.argument("run", default="last")
@click.option("--day", metavar="YYYY-MM-DD", help="A UTC day [default: the newest of the log].")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: exact amounts and counts.")
def daily(run: str, *, day: str | None, as_json: bool) -> None:
    """Report one UTC day of a run: money, cost, refusals, guards, drift, flags, commands.

    RUN is a run id or the beginning of one, `last` (the default), or the path of a store.
    """
    import msgspec

    from gpt_trader.core.clock import SystemClock
    from gpt_trader.ops.daily import daily_report, daily_text, day_of

    begin_ns = None if day is None else day_of(day, SystemClock().now_ns())
    report = daily_report(log_of(run), begin_ns)
    click.echo(msgspec.json.encode(report).decode() if as_json else daily_text(report))


@click.group()
def alerts() -> None:
    """See who is told of what, and try it."""


@alerts.command("list")
@configuration_options
def alerts_list(**options: Any) -> None:
    """List the channels of each severity, without their addresses."""
    for severity, channels in _channels(**options).items():
        click.echo(f"{severity.value:<9} {', '.join(channel.name for channel in channels) or 'nobody'}")


@alerts.command()
@configuration_options
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only the channels of this one.")
def test(severity: str | None, **options: Any) -> int:
    """Send a message by every channel, and say what became of it. Exit 1 when one of them did not take it."""
    return _send("This is a test: you would be told of alerts this way.", severity, options)


@alerts.command()
@configuration_options
@click.argument("text")
@click.option("--severity", type=click.Choice(SEVERITIES), default="warning", show_default=True)
def send(text: str, *, severity: str, **options: Any) -> int:
    """Send TEXT, for a service manager that has something to say, such as that the bot did not start."""
    return _send(text, severity, options)


def _send(text: str, severity: str | None, options: dict[str, Any]) -> int:
    from gpt_trader.core.errors import ConfigError
    from gpt_trader.ops.alerts.messages import Alert

    failed = False
    named: dict[str, tuple[Channel, Severity]] = {}
    for level, channels in _channels(**options).items():
        if severity in (None, level.value):
            named |= {channel.name: (channel, level) for channel in channels if channel.name not in named}
    if not named:
        raise ConfigError("alerts: nobody would be told. Fix: set GPT_TRADER_ALERTS__URLS (docs/alerts.md)")
    for name, (channel, level) in named.items():
        alert = Alert(severity=level, key="by hand", title=f"{level.value}: gpt-trader", text=text)
        problem = channel.send(alert)
        failed = failed or bool(problem)
        click.echo(f"{name}: {f'NOT taken: {problem}' if problem else 'taken'}")
    return FAILED if failed else OK


def _channels(profile: str | None, env_file: str | None, risk_file: str | None) -> Mapping[Severity, Sequence[Channel]]:
    from gpt_trader.core.errors import ConfigError
    from gpt_trader.ops.log import hider

    config = load_configuration(profile, env_file, risk_file, {}).config
    try:
        from gpt_trader.ops.alerts.channels import channels_of
    except ModuleNotFoundError as error:
        raise ConfigError(f"alerts: a library is missing ({error.name}). Fix: install the extra alerts") from error
    return channels_of(config.alerts, hider(config.secret_texts()))
