"""What may be done to a running bot from a browser? The words of the command line, and what must be typed for each.

Everything goes through the control socket; the bot writes down who and why before it does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value
from gpt_trader.ops.asking import Running

__all__ = ["BY_WORD", "CONTROLS", "TYPED_CHARACTERS_MIN", "Control", "Wish", "command_line", "do", "phrase"]

TYPED_CHARACTERS_MIN: Final = 4
"""Of the run's name; its beginning is enough."""


class Control(Value, frozen=True, kw_only=True):
    """One word that a bot understands."""

    word: str
    """As on the command line."""
    does: str
    command: str
    """As on the control socket."""
    fixed: Mapping[str, str] = {}
    takes: str = ""
    """Which argument is chosen: symbol, order or flag."""
    with_all: bool = False
    """`all` may be chosen, too."""
    dangerous: bool = True
    """Ask for the symbol, or the beginning of the run's name, typed."""
    tells: bool = False
    """The bot itself asks for what was typed, as argument `confirm`."""
    alarm: bool = False
    """Drawn as what it is for: an emergency."""
    takes_value: bool = False
    """A flag is set to true or false."""


CONTROLS: Final = (
    Control(
        word="kill",
        does="Cancel every entry and let none leave. Exits and stops go on.",
        command="kill",
        alarm=True,
    ),
    Control(
        word="flatten",
        does="Kill, cancel every order, close every position at the market, and look at the venue whether it is so.",
        command="flatten",
        tells=True,
        alarm=True,
    ),
    Control(
        word="reduce-only",
        does="Let only orders pass that reduce a position.",
        command="mode",
        fixed={"mode": "REDUCE_ONLY"},
        dangerous=False,
    ),
    Control(
        word="close",
        does="Cancel the orders of one symbol, close its position at the market, and look at the venue.",
        command="close",
        takes="symbol",
        tells=True,
    ),
    Control(
        word="cancel",
        does="Cancel one order, or all but stops.",
        command="cancel",
        takes="order",
        with_all=True,
        tells=True,
    ),
    Control(
        word="pause",
        does="Refuse entries of a symbol. Exits and stops go on.",
        command="pause",
        takes="symbol",
        with_all=True,
        dangerous=False,
    ),
    Control(
        word="resume",
        does="Take a pause back.",
        command="resume",
        takes="symbol",
        with_all=True,
    ),
    Control(
        word="mode NORMAL",
        does="End what operators and guards had set. A rule that still holds trips again.",
        command="mode",
        fixed={"mode": "NORMAL"},
    ),
    Control(
        word="mode FROZEN",
        does="Let nothing pass at all, not even exits.",
        command="mode",
        fixed={"mode": "FROZEN"},
    ),
    Control(
        word="rollback",
        does="Give every new intent to LiveExecutionEngine, and latch that. What is under way goes on.",
        command="rollback",
    ),
    Control(
        word="rollout pause",
        does="Give new positions to the baseline until resumed. The candidate keeps what it holds.",
        command="rollout_pause",
        dangerous=False,
    ),
    Control(
        word="rollout resume",
        does="Go on with the step of the rollout that was paused.",
        command="rollout_resume",
    ),
    Control(
        word="rollout abort",
        does="Give every intent to the baseline, now. Nothing is latched.",
        command="rollout_abort",
    ),
    Control(
        word="flags set",
        does="Set a flag. The engine flags exchange the engine at once.",
        command="set_flag",
        takes="flag",
        takes_value=True,
    ),
    Control(
        word="flags unset",
        does="Let the configuration decide about a flag again.",
        command="unset_flag",
        takes="flag",
    ),
    Control(
        word="reload",
        does="Read the configuration files again. Looser limits wait for --confirm on the command line.",
        command="reload",
        dangerous=False,
    ),
    Control(
        word="claim",
        does="Make a position that somebody else opened on the account the bot's own.",
        command="claim",
        takes="symbol",
    ),
)
BY_WORD: Final = {control.word: control for control in CONTROLS}
ALL: Final = "all"


class Wish(Value, frozen=True, kw_only=True):
    """What a person filled in."""

    word: str
    chosen: str = ""
    value: str = ""
    reason: str = ""
    typed: str = ""


def phrase(control: Control, chosen: str, run: str) -> str:
    """What is to be typed; empty where nothing is."""
    if not control.dangerous:
        return ""
    return chosen if control.takes == "symbol" and chosen != ALL else run


def command_line(wish: Wish, run: str) -> str:
    """The same in a shell."""
    control = BY_WORD[wish.word]
    parts = ["gpt-trader", "orders cancel" if control.word == "cancel" else control.word, wish.chosen, wish.value]
    return " ".join([*filter(None, parts), "--run", run, "--reason", f'"{wish.reason or "TEXT"}"'])


def do(bot: Running, wish: Wish) -> dict[str, object]:
    """Say it to the bot and wait for what came of it. Raises ConfigError for what is not filled in as it must be, and
    CommandRefused for what the bot refuses; nothing was done then, unless the text says so."""
    control = BY_WORD.get(wish.word)
    if control is None:
        raise ConfigError(f"{wish.word!r}: no such control")
    if control.takes and not wish.chosen:
        raise ConfigError(f"{control.word}: no {control.takes} chosen")
    if control.takes_value and wish.value not in {"true", "false"}:
        raise ConfigError(f"{control.word}: the value is true or false")
    if not wish.reason.strip():
        raise ConfigError(f"{control.word}: no reason given; it stands in the log")
    _check_typed(control, wish, bot.name)
    arguments = dict(control.fixed)
    if control.takes:
        arguments[control.takes] = wish.chosen
    if control.takes_value:
        arguments["value"] = wish.value
    if control.tells and control.dangerous:
        arguments["confirm"] = wish.typed.strip()
    return bot.tell(control.command, arguments, f"dashboard: {wish.reason.strip()}")


def _check_typed(control: Control, wish: Wish, run: str) -> None:
    wanted, typed = phrase(control, wish.chosen, run), wish.typed.strip()
    if not wanted:
        return
    right = typed == wanted
    if wanted == run:
        right = len(typed) >= TYPED_CHARACTERS_MIN and run.startswith(typed)
    if not right:
        beginning = " or its beginning" if wanted == run else ""
        raise ConfigError(f"{control.word}: not confirmed, so nothing was done. Fix: type {wanted}{beginning}")
