"""What has a run logged? Reads `log.jsonl` and the file that was turned over before it, and follows it as it grows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self, TextIO

import msgspec

from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.log import LOG_NAME

__all__ = ["LogLine", "LogLines"]

RANK: Final = {"info": 0, "warning": 1, "error": 2}
BESIDE: Final = frozenset({"text", "level", "at", "wall", "run", "boot", "kind", "intent", "order"})
Fields = dict[str, str | int | float | bool | None]


class LogLine(msgspec.Struct, frozen=True):
    """One line, as it is stored and as its fields."""

    text: str
    fields: Fields

    @property
    def level(self) -> str:
        return str(self.fields.get("level", "info"))

    def for_people(self) -> str:
        """Time, level, what, and what it is about."""
        fields = self.fields
        moment = str(fields.get("at") or fields.get("wall") or "")[:23]
        about = [f"{name}={fields[name]}" for name in ("intent", "order") if fields.get(name)]
        about += [f"{name}={value}" for name, value in fields.items() if name not in BESIDE]
        tail = f"  [{' '.join(about)}]" if about else ""
        return f"{moment:<23} {self.level:<7} {fields.get('text', '')}{tail}"


class LogLines:
    """Of one run; lines that are not asked for are passed over."""

    def __init__(self, folder: Path, *, level: str = "info", intent: str = "") -> None:
        """Raises ConfigError where the run has logged nothing."""
        self._path = folder / LOG_NAME
        self._before = self._path.with_suffix(".1.jsonl")
        self._level = RANK[level]
        self._intent = intent
        self._inode = 0
        self._rest = ""
        if not self._path.exists():
            raise ConfigError(f"{folder.name}: no {LOG_NAME} there; backtests and older releases write none")
        self._file = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def so_far(self, lines: int | None = None) -> Iterator[LogLine]:
        """Everything that is there, or the newest so many; `news` goes on from there."""
        chosen = deque(self._all(), maxlen=lines)
        yield from chosen

    def news(self) -> Iterator[LogLine]:
        """What has been written since, also into a file that took the place of this one."""
        yield from self._read(self._file)
        if self._path.exists() and self._path.stat().st_ino != self._inode:
            self._file.close()
            self._file = self._open()
            yield from self._read(self._file)

    def _all(self) -> Iterator[LogLine]:
        if self._before.exists():
            with self._before.open(encoding="utf-8") as earlier:
                yield from self._read(earlier)
        yield from self._read(self._file)

    def _open(self) -> TextIO:
        file = self._path.open(encoding="utf-8")
        self._inode = self._path.stat().st_ino
        self._rest = ""
        return file

    def _read(self, file: TextIO) -> Iterator[LogLine]:
        """Whole lines; one that is still being written waits for its end."""
        for text in file:
            self._rest += text
            if not text.endswith("\n"):
                return
            whole, self._rest = self._rest.rstrip("\n"), ""
            line = _line(whole)
            if line is not None and self._is_asked_for(line):
                yield line

    def _is_asked_for(self, line: LogLine) -> bool:
        return RANK.get(line.level, 0) >= self._level and str(line.fields.get("intent", "")).startswith(self._intent)


def _line(text: str) -> LogLine | None:
    """None for half a line that a crash left behind."""
    try:
        return LogLine(text, msgspec.json.decode(text, type=Fields))
    except msgspec.DecodeError:
        return None
