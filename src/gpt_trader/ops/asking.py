"""Which bots are running here, and how is one told something? The other end of the control socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.core.errors import ConfigError, GptTraderError
from gpt_trader.ops.control import ADDRESS_NAME, SOCKET_NAME, socket_of

__all__ = ["CommandRefused", "Running", "find_running", "running_bots"]

ANSWER_SECONDS_MAX: Final = 60.0
"""How long an answer is waited for; a swap or a mode takes milliseconds."""
ANSWER_BYTES_MAX: Final = 16_000_000


class CommandRefused(GptTraderError):
    """The bot understood and said no, or could not do it; the text is its own."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A line from the bot."""

    accepted: bool = False
    answer: dict[str, object] | None = None
    error: str = ""


class Running(msgspec.Struct, frozen=True):
    """A bot that answers."""

    folder: Path
    socket: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def tell(self, name: str, arguments: Mapping[str, str] | None = None, reason: str = "") -> dict[str, object]:
        """Ask a question or give a command and wait for the end of it. Raises CommandRefused, or ConfigError when
        nobody answers."""
        said = {"name": name, "arguments": dict(arguments or {}), "reason": reason}
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(ANSWER_SECONDS_MAX)
                line.connect(str(self.socket))
                line.sendall(msgspec.json.encode(said) + b"\n")
                return _answer(line)
        except OSError as error:
            raise ConfigError(f"run {self.name}: no answer from {self.socket}: {error}") from error


def _answer(line: socket.socket) -> dict[str, object]:
    with line.makefile("rb") as lines:
        while text := lines.readline(ANSWER_BYTES_MAX):
            reply = msgspec.json.decode(text, type=Reply)
            if reply.error:
                raise CommandRefused(reply.error)
            if reply.answer is not None:
                return reply.answer
    raise OSError("the bot hung up before the command was done")


def running_bots(home: Path) -> Iterator[Running]:
    """Every bot under `home` that takes a connection, oldest folder first. What a dead process left is passed over."""
    names = (SOCKET_NAME, ADDRESS_NAME)
    folders = sorted({path.parent for name in names for path in home.glob(f"runs/*/{name}")})
    for folder in folders:
        place = socket_of(folder)
        if place is not None and _listens(place):
            yield Running(folder, place)


def _listens(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(ANSWER_SECONDS_MAX)
        return line.connect_ex(str(place)) == 0


def find_running(home: Path, run: str | None) -> Running:
    """The bot that is meant: by the beginning of its folder's name, or the only one. Raises ConfigError."""
    bots = list(running_bots(home))
    chosen = bots if run is None else [bot for bot in bots if bot.name.startswith(run)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(bot.name for bot in bots)
    if not bots:
        raise ConfigError(f"no bot is running under {home}")
    if not chosen:
        raise ConfigError(f"run {run!r}: not running. Fix: --run with one of {names}")
    raise ConfigError(f"{len(chosen)} bots are meant: {', '.join(bot.name for bot in chosen)}. Fix: --run NAME")
