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
    "run": ("gpt_trader.cli.run:run", "Trade"),
    "preflight": ("gpt_trader.cli.preflight:preflight", "Trade"),
    "ps": ("gpt_trader.cli.steer:ps", "Trade"),
    "status": ("gpt_trader.cli.steer:status", "Trade"),
    "top": ("gpt_trader.cli.top:top", "Trade"),
    "dashboard": ("gpt_trader.cli.dashboard:dashboard", "Trade"),
    "mode": ("gpt_trader.cli.steer:mode", "Steer"),
    "pause": ("gpt_trader.cli.steer:pause", "Steer"),
    "resume": ("gpt_trader.cli.steer:resume", "Steer"),
    "reduce-only": ("gpt_trader.cli.steer:reduce_only", "Steer"),
    "claim": ("gpt_trader.cli.steer:claim", "Steer"),
    "rollback": ("gpt_trader.cli.steer:rollback", "Steer"),
    "reload": ("gpt_trader.cli.steer:reload", "Steer"),
    "kill": ("gpt_trader.cli.steer:kill", "Steer"),
    "cancel": ("gpt_trader.cli.orders:cancel", "Steer"),
    "close": ("gpt_trader.cli.orders:close", "Steer"),
    "flatten": ("gpt_trader.cli.orders:flatten", "Steer"),
    "flags": ("gpt_trader.cli.flags:flags", "Steer"),
    "rollout": ("gpt_trader.cli.rollout:rollout", "Steer"),
    "account": ("gpt_trader.cli.account:account", "Account"),
    "positions": ("gpt_trader.cli.account:positions", "Account"),
    "orders": ("gpt_trader.cli.orders:orders", "Account"),
    "products": ("gpt_trader.cli.account:products", "Account"),
    "fees": ("gpt_trader.cli.account:fees", "Account"),
    "credentials": ("gpt_trader.cli.account:credentials", "Account"),
    "explain": ("gpt_trader.cli.explain:explain", "Understand"),
    "events": ("gpt_trader.cli.events:events", "Understand"),
    "shadow": ("gpt_trader.cli.shadow:shadow", "Understand"),
    "logs": ("gpt_trader.cli.watch:logs", "Understand"),
    "daily": ("gpt_trader.cli.watch:daily", "Understand"),
    "tca": ("gpt_trader.cli.tca:tca", "Understand"),
    "report": ("gpt_trader.cli.report:report", "Understand"),
    "replay": ("gpt_trader.cli.replay:replay", "Understand"),
    "invariants": ("gpt_trader.cli.invariants:invariants", "Understand"),
    "backtest": ("gpt_trader.cli.backtest:backtest", "Research"),
    "optimize": ("gpt_trader.cli.optimize:optimize", "Research"),
    "frontier": ("gpt_trader.cli.frontier:frontier", "Research"),
    "strategy": ("gpt_trader.cli.strategy:strategy", "Research"),
    "data": ("gpt_trader.cli.data:data", "Research"),
    "luck": ("gpt_trader.cli.luck:luck", "Research"),
    "config": ("gpt_trader.cli.config:config", "Set up"),
    "alerts": ("gpt_trader.cli.watch:alerts", "Set up"),
    "risk": ("gpt_trader.cli.risk:risk", "Set up"),
    "venue": ("gpt_trader.cli.venue:venue", "Set up"),
    "simulate": ("gpt_trader.cli.simulate:simulate", "Set up"),
    "adr": ("gpt_trader.cli.adr:adr", "Set up"),
}
"""Name: (module:attribute, the line of the help that lists it)."""

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
