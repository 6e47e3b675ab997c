"""How is a running bot looked at from another terminal? Its panel, drawn from its control socket and its log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import Event, RunEnded, RunStarted
from gpt_trader.core.journal import Recorded
from gpt_trader.ops.asking import Running
from gpt_trader.ops.panel import PanelView
from gpt_trader.ops.picture import Picture, picture_from
from gpt_trader.records.logs import StoredLog, log_at
from gpt_trader.records.runs import SERVER_NAME, STORE_NAME

__all__ = ["LogTail", "log_of_folder", "look_at", "watch"]

LOOK_SECONDS: Final = 0.5
BACK_EVENTS: Final = 500
"""So far back the log is read when it is first looked at: enough for a screen of decisions."""


class LogTail:
    """The events of a log as they are written. Nothing is told twice; a log that breaks raises StoreError."""

    def __init__(self, log: StoredLog, *, back: int | None = None) -> None:
        """Begins at the beginning, or `back` events before the end."""
        self._log = log
        self.sequence = 0 if back is None else max(0, log.head().sequence - back)

    def new(self, most: int | None = None) -> Iterator[Recorded]:
        """Those that came since the last time; at most so many, the others at the next call."""
        with contextlib.closing(self._log.read(self.sequence)) as recorded:
            for number, each in enumerate(recorded, 1):
                self.sequence = each.sequence
                yield each
                if number == most:
                    return


def log_of_folder(folder: Path) -> StoredLog:
    """The log of a run: the file in its folder, or what stands there for one on a server. Raises ConfigError."""
    for name in (STORE_NAME, SERVER_NAME):
        if (folder / name).is_file():
            return log_at(folder / name)
    raise ConfigError(f"run {folder.name}: no {STORE_NAME} in its folder, so there is nothing to show")


def look_at(bot: Running) -> Picture:
    """As of now. Raises ConfigError where it does not answer, CommandRefused where it is of another release."""
    return picture_from(bot.tell("picture"))


async def watch(bot: Running, console: Console, clock: Clock, *, once: bool = False) -> str:
    """Draw until the bot has ended, then say why it did; with `once` draw one picture and return."""
    view, tail = _begin(bot, console)
    if once:
        _take(tail, view)
        console.print(view.draw(look_at(bot)))
        return ""
    with Live(console=console, auto_refresh=False, screen=console.is_terminal, vertical_overflow="crop") as live:
        while True:
            try:
                picture = look_at(bot)
            except ConfigError:
                return _last_word(tail, view)
            _take(tail, view)
            live.update(view.draw(picture), refresh=True)
            await clock.sleep(LOOK_SECONDS)


def _begin(bot: Running, console: Console) -> tuple[PanelView, LogTail]:
    log = log_of_folder(bot.folder)
    with contextlib.closing(log.read()) as recorded:
        first = next(recorded).event
    assert isinstance(first, RunStarted), "every log begins so"
    view = PanelView(
        console, market=first.market.partition(" sha256:")[0], store=bot.name, start_ns=first.at_ns, end_ns=None
    )
    return view, LogTail(log, back=BACK_EVENTS)


def _take(tail: LogTail, view: PanelView) -> Event | None:
    last = None
    for recorded in tail.new():
        last = recorded.event
        view.on_event(last)
    return last


def _last_word(tail: LogTail, view: PanelView) -> str:
    last = _take(tail, view)
    return f"run ended: {last.reason}" if isinstance(last, RunEnded) else "the bot does not answer any more"
