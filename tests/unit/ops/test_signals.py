"""What signals say to a running bot, by configuration; over processes: tests/integration/test_flatten.py."""

from __future__ import annotations

import signal

from gpt_trader.config.bot import ControlConfig
from gpt_trader.ops.signals import commands_of


def test_by_default_one_kills_and_the_other_flattens() -> None:
    """Each says who it is; flatten is confirmed by the run that it was sent to."""
    said = commands_of(ControlConfig(), "a-run", hangup=True)

    assert {number.name: (command.name, dict(command.arguments)) for number, command in said.items()} == {
        "SIGUSR1": ("kill", {}),
        "SIGUSR2": ("flatten", {"confirm": "a-run"}),
        "SIGHUP": ("reload", {}),
    }
    assert said[signal.SIGUSR2].who == "signal SIGUSR2"
    assert all(command.reason for command in said.values())


def test_other_words_are_chosen() -> None:
    """Reduce-only by signal; under a panel the hangup is the terminal's."""
    said = commands_of(ControlConfig(sigusr1="reduce_only", sigusr2="kill"), "a-run", hangup=False)

    assert said.keys() == {signal.SIGUSR1, signal.SIGUSR2}
    assert (said[signal.SIGUSR1].name, said[signal.SIGUSR1].arguments) == ("mode", {"mode": "REDUCE_ONLY"})
    assert said[signal.SIGUSR2].name == "kill"
