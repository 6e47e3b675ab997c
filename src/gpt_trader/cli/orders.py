"""What is ordered, and how does a person order? `gpt-trader orders list`, `preview`, `place`, `edit` and `cancel`.

An order by hand enters the hallway at its front door: validated, sized and judged like any other, and written down
first. A running bot takes it; where none runs, it is one boot of the run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import click

from gpt_trader.cli.account import asked, chosen_bot, place_options, print_answer
from gpt_trader.cli.config import load_configuration
from gpt_trader.core.errors import ConfigError

__all__ = ["cancel", "close", "flatten", "orders"]

ALL = "all"

OK, FAILED = 0, 1
TOOK: frozenset[str] = frozenset({"FILLED", "PARTIALLY_FILLED", "RESTING", "WORKING"})
"""Outcomes of an order that lives or has traded."""


def order_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--reduce-only", is_flag=True, help="Only what makes the position smaller; clamped to it."),
        click.option("--post-only", is_flag=True, help="Rest, or be refused."),
        click.option("--tif", metavar="TIF", help="GTC, IOC, FOK [default: IOC without --limit, GTC with it]."),
        click.option("--limit", metavar="PRICE", help="A limit order; without it at the market, within its collar."),
    ):
        command = option(command)
    return command


@click.group()
def orders() -> None:
    """List orders, and order by hand."""


@orders.command("list")
@place_options
def orders_list(**options: Any) -> None:
    """List living orders: those of a running bot, or what the venue lists as open."""
    asked("orders", **options)


@orders.command()
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("quantity")
@click.argument("symbol")
@order_options
@place_options
def preview(side: str, quantity: str, symbol: str, **options: Any) -> int:
    """Show the body that would leave, and the venue's own forecast of it. Nothing is sent."""
    return _do("preview", _order(side, quantity, symbol, options), reason="preview", live=False, **options)


@orders.command()
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("quantity")
@click.argument("symbol")
@order_options
@click.option("--tactic", metavar="NAME", help="Placement, such as market, simple_limit, twap.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; it stands in the log.")
@click.option("--live", is_flag=True, help="Let a real order leave; the second switch beside venue.live_trading.")
@place_options
def place(side: str, quantity: str, symbol: str, *, reason: str, live: bool, **options: Any) -> int:
    """Order QUANTITY base units of SYMBOL. Exit 0 when it trades, rests or is worked; 1 when it was refused."""
    return _do("place", _order(side, quantity, symbol, options), reason=reason, live=live, **options)


@orders.command()
@click.argument("order", metavar="ORDER|all")
@click.option("--reason", metavar="TEXT", required=True, help="Why; it stands in the log.")
@click.option("--confirm", metavar="RUN", help="With `all`: the run's name, which is asked for otherwise.")
@place_options
def cancel(order: str, *, reason: str, confirm: str | None, **options: Any) -> int:
    """Ask for the cancellation of one order, by the beginning of its id, or of all but stops.

    `orders list` says what became of it. All are confirmed by the name of the run.
    """
    asks = "Every order of {name} but stops is cancelled" if order == ALL else ""
    return _do("cancel", {"order": order}, reason=reason, live=False, asks=asks, confirm=confirm, **options)


def way_out_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """For what cannot be taken back: why, the name that must be typed, and the tactic."""
    for option in (
        click.option("--live", is_flag=True, help="Where no bot runs: the second switch beside venue.live_trading."),
        click.option("--confirm", metavar="NAME", help="The name that is asked for otherwise, for scripts."),
        click.option("--tactic", metavar="NAME", default="market", show_default=True, help="Placement that closes."),
        click.option("--reason", metavar="TEXT", required=True, help="Why; it stands in the log beside your name."),
    ):
        command = option(command)
    return place_options(command)


@click.command()
@way_out_options
def flatten(*, tactic: str, reason: str, confirm: str | None, live: bool, **options: Any) -> int:
    """Kill, cancel every order and close every position of the bot, and look at the venue whether it is so.

    Asks for the name of the run. Exit 0 when the venue says that nothing is open, 1 with the reasons when it is not so
    within the tactic's limit and five seconds. Entries stay shut until `mode NORMAL`. Where no bot runs, it is one boot
    of the profile's run, as an order by hand, and the name is the profile's.
    """
    asks = f"Everything that {{name}} holds is closed by {tactic}"
    return _do("flatten", {"tactic": tactic}, reason=reason, live=live, asks=asks, confirm=confirm, **options)


@click.command()
@click.argument("symbol")
@way_out_options
def close(symbol: str, *, tactic: str, reason: str, confirm: str | None, live: bool, **options: Any) -> int:
    """Cancel the orders of SYMBOL and close its position, and look at the venue whether it is so.

    Asks for the symbol once more. Its entries are paused until `resume SYMBOL`. Exit codes as of flatten.
    """
    asks, arguments = f"The position of {{name}} is closed by {tactic}", {"symbol": symbol, "tactic": tactic}
    return _do("close", arguments, reason=reason, live=live, asks=asks, confirm=confirm, **options)


@orders.command()
@click.argument("order")
@click.option("--limit", metavar="PRICE", help="The new price [default: as it is].")
@click.option("--quantity", metavar="QUANTITY", help="Of the whole order, with what it has filled [default: as it is].")
@click.option("--preview", is_flag=True, help="Show what would leave, and the venue's forecast. Nothing is sent.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it stands in the log. Needed but for a preview.")
@click.option("--live", is_flag=True, help="Let a real order leave; the second switch beside venue.live_trading.")
@place_options
def edit(order: str, *, preview: bool, reason: str, live: bool, **options: Any) -> int:
    """Change price or size of a resting limit order given by hand, by the beginning of its id.

    A changed order is another order: the old one is taken back, and what is left of the new quantity is placed under a
    new id once that is proven. What a rule would refuse leaves the old one as it is. Exit codes as of `orders place`.
    """
    if not (preview or reason):
        raise click.UsageError("Missing option '--reason': it stands in the log.")
    changes = {name: value for name in ("limit", "quantity") if (value := options.pop(name))}
    command = "preview_edit" if preview else "edit"
    return _do(command, {"order": order, **changes}, reason=reason or "preview", live=live, **options)


def _order(side: str, quantity: str, symbol: str, options: dict[str, Any]) -> dict[str, str]:
    """The order's own options are taken out of `options`."""
    said = {name: options.pop(name, None) for name in ("limit", "tif", "post_only", "reduce_only", "tactic")}
    words = {"side": side, "quantity": quantity, "symbol": symbol, **said}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in words.items() if value
    }


def _do(
    command: str,
    arguments: Mapping[str, str],
    *,
    reason: str,
    live: bool,
    profile: str | None,
    env_file: str | None,
    risk_file: str | None,
    served: str | None,
    run: str | None,
    as_json: bool,
    confirm: str | None = None,
    asks: str = "",
) -> int:
    """`asks` says what is about to be done to `{name}`: of the symbol, the run, or the profile that has no bot."""
    loaded = load_configuration(profile, env_file, risk_file, {"venue.served": served})
    bot = chosen_bot(loaded, run, named=profile is not None)
    if asks:
        name = arguments.get("symbol") or (loaded.config.profile if bot is None else bot.name)
        arguments = {**arguments, "confirm": _confirmed(asks.format(name=name), name, confirm)}
        if bot is None and arguments["confirm"] != name:
            raise ConfigError(f"{command}: not confirmed, so nothing was done. Fix: confirm it by {name}")
    if bot is not None:
        answer = bot.tell(command, arguments, reason)
    else:
        from gpt_trader.cli.preflight import show_verdict
        from gpt_trader.config.home import home
        from gpt_trader.core.clock import SystemClock
        from gpt_trader.ops.by_hand import act
        from gpt_trader.ops.preflight import proven

        place, clock = home(os.environ), SystemClock()
        prove = proven(loaded, place, clock, partial(show_verdict, stderr=True))
        answer = asyncio.run(act(loaded, place, clock, command, arguments, reason=reason, live=live, prove=prove))
    print_answer(answer, as_json=as_json)
    done = answer.get("flat", True) is True
    return OK if done and ("outcome" not in answer or answer["outcome"] in TOOK) else FAILED


def _confirmed(what: str, name: str, given: str | None) -> str:
    """The name as it was given or typed; of a running bot it is the bot that compares. Raises ConfigError where nobody
    can type."""
    if given is not None:
        return given
    try:
        typed: str = click.prompt(f"{what}. Type {name} to go on", default="", show_default=False, err=True)
    except click.Abort:
        typed = ""
    if not typed.strip():
        raise ConfigError(f"not confirmed, so nothing was done. Fix: --confirm {name}")
    return typed.strip()
