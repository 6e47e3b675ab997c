"""What is a running bot doing? `gpt-trader top`: its live panel in another terminal."""

from __future__ import annotations

import asyncio
import os

import click

from gpt_trader.cli.console import console_for_people

__all__ = ["top"]


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--once", is_flag=True, help="Print the panel once and end.")
def top(run: str | None, *, once: bool) -> None:
    """Watch a running bot: the panel of `run`, drawn from its control socket and its log.

    RUN is the beginning of the run's name; without it the only bot that is running. Nothing is changed by looking;
    Ctrl-C ends the looking, not the bot. It ends by itself when the bot does, and says why that ended.
    """
    from gpt_trader.config.home import home
    from gpt_trader.core.clock import SystemClock
    from gpt_trader.ops.asking import find_running
    from gpt_trader.ops.top import watch

    bot = find_running(home(os.environ), run)
    try:
        said = asyncio.run(watch(bot, console_for_people(), SystemClock(), once=once))
    except KeyboardInterrupt:
        click.echo(f"{bot.name} goes on; gpt-trader kill and others steer it")
        return
    if said:
        click.echo(f"{bot.name}: {said}")
