"""How is a table of bars read whose columns are called otherwise? Line by line, translated into the one form.

Everything else (times, numbers, shape, order, grid) is the business of market.bar_file, which names the same lines.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.market.bar_file import HEADER, Volume, is_time
from gpt_trader.market.recording import SourceFile

__all__ = ["MappedSource", "parse_columns"]

PLACES: Final[Mapping[str, int]] = MappingProxyType(
    {"ts": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "base_volume": 5}
)
"""What a column can be -> where it stands in the one form."""
NEEDED: Final = ("ts", "open", "high", "low", "close")
EXAMPLE: Final = "--columns ts=open_time,open=open,high=high,low=low,close=close,base_volume=volume"


def parse_columns(text: str) -> dict[str, str]:
    """`ts=time,open=o,...` as what -> column name, or column number from 1 where the file has no header.

    One of `volume` (quote currency) and `base_volume` (base units) is needed. Raises ConfigError.
    """
    columns: dict[str, str] = {}
    for part in text.split(","):
        what, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column or what not in PLACES:
            raise ConfigError(f"--columns: {part!r} is none of {', '.join(PLACES)} with =COLUMN. Fix: {EXAMPLE}")
        if what in columns:
            raise ConfigError(f"--columns: {what} is named twice. Fix: {EXAMPLE}")
        columns[what] = column
    missing = [what for what in NEEDED if what not in columns]
    if missing:
        raise ConfigError(f"--columns: {', '.join(missing)} missing. Fix: {EXAMPLE}")
    if ("volume" in columns) is ("base_volume" in columns):
        raise ConfigError(
            "--columns: name one of volume (in the quote currency) and base_volume (in base units); read as the other, "
            f"a volume is wrong by a factor of the price. Fix: {EXAMPLE}"
        )
    return columns


class MappedSource(SourceFile):
    """A table whose lines come out as `timestamp,open,high,low,close,volume`; `digest` is of the text as it is."""

    def __init__(self, path: Path, columns: Mapping[str, str], tell: Callable[[float], None] | None = None) -> None:
        super().__init__(path, tell)
        self.volume: Volume = "base" if "base_volume" in columns else "quote"
        self.reading = ", ".join(f"{what} = {column}" for what, column in columns.items())
        self._columns = [column for _, column in sorted(columns.items(), key=lambda item: PLACES[item[0]])]
        self._numbered = all(column.isdigit() and column != "0" for column in self._columns)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        places: list[int] = []
        for number, line in super().lines():
            fields = self._fields(number, line)
            if number == 1:
                places = self._places(fields)
                if self.header_lines:
                    yield 1, HEADER.encode()
                    continue
            if len(fields) <= max(places):
                self.fault(
                    number,
                    f"{len(fields)} fields where {self.reading} needs {max(places) + 1}",
                    "complete the line, or correct --columns",
                )
            yield number, ",".join([fields[place] for place in places]).encode()

    def _fields(self, number: int, line: bytes) -> list[str]:
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf8")
        except UnicodeDecodeError:
            self.fault(number, "not text in UTF-8", "save the table as UTF-8")
        fields = next(csv.reader([text]), []) if '"' in text else text.split(",")
        return [field.strip() for field in fields]

    def _places(self, first: list[str]) -> list[int]:
        """Where the columns stand, from the first line; says whether that is a header."""
        if self._numbered:
            places = [int(column) - 1 for column in self._columns]
            self.header_lines = 0 if places[0] < len(first) and is_time(first[places[0]]) else 1
            return places
        for column in self._columns:
            if first.count(column) != 1:
                many = "stands twice in" if column in first else "is not in"
                self.fault(1, f"column {column!r} {many} the header ({', '.join(first)})", "correct --columns")
        return [first.index(column) for column in self._columns]
