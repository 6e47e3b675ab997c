"""What can a person ask for? The entry of `gpt-trader`; nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import click

import gpt_trader
from gpt_trader.cli.lazy import LazyGroup
from gpt_trader.core.errors import ConfigError, GptTraderError, MarketDataError, StoreError

__all__ = ["COMMANDS", "cli", "exit_code", "main", "run_command_line"]

COMMANDS: Final = {
    "run": ("gpt_trader.cli.run:run", "Trade: by default a made-up day, without keys or network."),
    "backtest": ("gpt_trader.cli.backtest:backtest", "Find out what the bot would have done, and report on it."),
    "ps": ("gpt_trader.cli.steer:ps", "List the bots that are running; each can be steered from here."),
    "top": ("gpt_trader.cli.top:top", "Watch a running bot in this terminal."),
    "preflight": ("gpt_trader.cli.preflight:preflight", ""),
    "config": ("gpt_trader.cli.config:config", "Show every setting with its source, or check them."),
    "flags": ("gpt_trader.cli.flags:flags", "Show and set the flags: value, source, owner, history."),
    "risk": ("gpt_trader.cli.risk:risk", ""),
    "data": ("gpt_trader.cli.data:data", "Import market data into the catalog, check it, look at it."),
    "explain": ("gpt_trader.cli.explain:explain", "Tell why something was traded, refused, or not traded."),
    "tca": ("gpt_trader.cli.tca:tca", ""),
    "events": ("gpt_trader.cli.events:events", "Read or verify what a run has written down."),
    "status": ("gpt_trader.cli.steer:status", ""),
    "mode": ("gpt_trader.cli.steer:mode", ""),
    "pause": ("gpt_trader.cli.steer:pause", ""),
    "resume": ("gpt_trader.cli.steer:resume", ""),
    "claim": ("gpt_trader.cli.steer:claim", ""),
    "reduce-only": ("gpt_trader.cli.steer:reduce_only", ""),
    "rollback": ("gpt_trader.cli.steer:rollback", ""),
    "reload": ("gpt_trader.cli.steer:reload", ""),
    "kill": ("gpt_trader.cli.steer:kill", ""),
    "account": ("gpt_trader.cli.account:account", ""),
    "positions": ("gpt_trader.cli.account:positions", ""),
    "orders": ("gpt_trader.cli.orders:orders", ""),
    "products": ("gpt_trader.cli.account:products", ""),
    "fees": ("gpt_trader.cli.account:fees", ""),
    "credentials": ("gpt_trader.cli.account:credentials", ""),
    "replay": ("gpt_trader.cli.replay:replay", ""),
    "strategy": ("gpt_trader.cli.strategy:strategy", ""),
    "report": ("gpt_trader.cli.report:report", ""),
    "adr": ("gpt_trader.cli.adr:adr", ""),
    "simulate": ("gpt_trader.cli.simulate:simulate", ""),
    "invariants": ("gpt_trader.cli.invariants:invariants", ""),
    "venue": ("gpt_trader.cli.venue:venue", ""),
}
"""Name: (module:attribute, one line of help); those without one are listed by name alone."""

OK: Final = 0
FAILED: Final = 1
BAD_INPUT: Final = 2
STORE_DAMAGED: Final = 3
INTERRUPTED: Final = 130


HELP: Final = """Trade perpetual futures, and know what became of every order.

\b
To begin, with no keys, no network and no money:
  gpt-trader run                           trade a made-up day and watch it
  gpt-trader events show last              read what happened, event by event
  gpt-trader config show --profile canary  see every limit and who set it
"""


@click.command(
    cls=LazyGroup,
    table=COMMANDS,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
    epilog=("\b\nExit codes: 0 done; 1 ended by a failure or a guard; 2 bad input;\n3 store damaged; 130 interrupted."),
)
@click.version_option(gpt_trader.__version__, prog_name="gpt-trader")
def cli() -> None:
    """Find the command and run it."""


def exit_code(error: GptTraderError) -> int:
    """What the shell is told of an error."""
    if isinstance(error, ConfigError | MarketDataError):
        return BAD_INPUT
    return STORE_DAMAGED if isinstance(error, StoreError) else FAILED


def run_command_line(arguments: Sequence[str], command: click.Command = cli) -> int:
    """Run the command line and return its exit code; errors that we raise on purpose are said without a traceback.

    A command may return an int, which becomes the exit code.
    """
    try:
        result = command.main(args=list(arguments), prog_name="gpt-trader", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return OK
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except GptTraderError as error:
        click.echo(f"error: {error}", err=True)
        return exit_code(error)
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return result if isinstance(result, int) else OK


def main() -> None:
    """Console script."""
    sys.exit(run_command_line(sys.argv[1:]))
