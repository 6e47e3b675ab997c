"""Who looks after the promises of a bot that was just built? Its invariants, from the next event on."""

from __future__ import annotations

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.invariants.house import House
from gpt_trader.bot.invariants.watch import InvariantWatch
from gpt_trader.execution.engine import SharedParts

__all__ = ["watch_over"]


def watch_over(bot: PerpsBot, parts: SharedParts) -> InvariantWatch:
    """Let the promises of a bot that was just built be looked after while it runs."""
    log, replayed = bot.recovery.log, bot.recovery.replayed
    watch = InvariantWatch(House.of(parts, bot.ledger), parts.config, lambda: bot.caught_up, log)
    for recorded in bot.journal.read(replayed):
        watch.restore(recorded.event)
    bot.bus.watch("invariants", watch.on_event)
    return watch
