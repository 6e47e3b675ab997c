"""How is a recorded file read? Line by line, plain or gzip, with its digest; and what a recorded market is.

Nothing is repaired: what must not be traded on raises MarketDataError with file, line, value and fix.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.errors import MarketDataError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.stream import Rows

__all__ = ["FETCH_AGAIN", "LOTS_MAX", "PRICE_MAX", "UNITS", "Grid", "RecordedMarket", "SourceFile"]

GZIP_MAGIC: Final = b"\x1f\x8b"
LINE_BYTES_MAX: Final = 16 * 1024 * 1024
BUFFER_BYTES: Final = 1024 * 1024
TELL_LINES: Final = 4096
EXACT_MAX: Final = 2**53
"""Below it every whole number is exact as a float."""
FINEST: Final = Decimal("1e-8")
PRICE_MAX: Final = EXACT_MAX / 100_000_000
"""Some 90 million: above it money in 1e-8 would not fit the kernel. No instrument of ours comes near."""
LOTS_MAX: Final = 2**40
"""More at one price is a broken number, and products of it would not fit the kernel."""
FETCH_AGAIN: Final = "fetch the file again from its source"

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class RecordedMarket:
    """A market.stream.MarketStream over a file that was read and checked from end to end before this was made."""

    name: str
    digest: str
    products: tuple[ProductSpec, ...]
    start_ns: int
    end_ns: int
    bar_seconds: int
    modelled_book: bool
    notes: tuple[str, ...]
    read: Callable[[], Iterator[Rows]] = field(repr=False)
    """Reads the file once more, with the same checks."""

    def chunks(self) -> Iterator[Rows]:
        return self.read()


class SourceFile:
    """A text file, gzip or plain. `digest` is SHA-256 of the text of the last complete pass."""

    header_lines = 1
    """Of a table: how many lines stand before the first of data."""
    reading = ""
    """How the lines are translated, where they are; part of what determines the rows."""

    def __init__(self, path: Path, tell: Callable[[float], None] | None = None) -> None:
        self.path = path
        self.name = path.name
        self.digest = ""
        self.ends_with_newline = True
        self.tell = tell
        """Called now and then with the share of the file that is read."""

    def fault(self, line: int, what: str, fix: str) -> NoReturn:
        """Raise MarketDataError; line 0 speaks of the whole file."""
        place = f"{self.name}, line {line}" if line else self.name
        raise MarketDataError(f"{place}: {what}. Fix: {fix}")

    def first_line(self) -> bytes:
        """Raises MarketDataError when the file cannot be read or is empty."""
        for _, line in self.lines():
            return line
        return self.fault(0, "the file is empty", FETCH_AGAIN)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, line without its end), in order and bounded in length.

        Raises MarketDataError when the file is missing, unreadable, damaged, cut, or changed since an earlier pass.
        """
        seen = hashlib.sha256()
        number = 0
        line = b"\n"
        try:
            with self.path.open("rb") as disk, self._text(disk) as stream:
                size = max(1, os.fstat(disk.fileno()).st_size)
                while line := stream.readline(LINE_BYTES_MAX):
                    number += 1
                    if len(line) == LINE_BYTES_MAX:
                        self.fault(number, f"longer than {LINE_BYTES_MAX:,} bytes", "give a file of text lines")
                    seen.update(line)
                    self.ends_with_newline = line.endswith(b"\n")
                    if self.tell and number % TELL_LINES == 0:
                        self.tell(disk.tell() / size)
                    yield number, line.rstrip(b"\r\n")
        except EOFError:
            self.fault(
                self._whole_lines() + 1, "the compressed file ends here, in the middle: it is truncated", FETCH_AGAIN
            )
        except (gzip.BadGzipFile, zlib.error) as error:
            self.fault(self._whole_lines() + 1, f"the compressed file is damaged ({error})", FETCH_AGAIN)
        except OSError as error:
            self.fault(0, f"cannot be read: {error.strerror} ({self.path})", "give the path of a market file")
        digest = seen.hexdigest()
        if self.digest not in {"", digest}:
            self.fault(0, "the file was changed while it was being read", "run again on a file that stays as it is")
        self.digest = digest

    def _whole_lines(self) -> int:
        """How many lines a damaged archive still gives, read in pieces as they come."""
        count = 0
        with (
            contextlib.suppress(EOFError, gzip.BadGzipFile, zlib.error),
            self.path.open("rb") as disk,
            gzip.GzipFile(fileobj=disk) as text,
        ):
            while part := text.read1(BUFFER_BYTES):
                count += part.count(b"\n")
        return count

    def _text(self, disk: io.BufferedReader) -> IO[bytes]:
        if disk.peek(2)[:2] == GZIP_MAGIC:
            return io.BufferedReader(gzip.GzipFile(fileobj=disk), BUFFER_BYTES)
        if self.name.endswith(".gz"):
            self.fault(0, "the name ends with .gz, but this is not gzip", f"{FETCH_AGAIN}, or rename it if it is text")
        return disk


@dataclass(frozen=True)
class Grid:
    """A price or quantity increment, and the exact way between decimal text and whole multiples of it."""

    step: Decimal

    @classmethod
    def of_units(cls, units: int) -> Grid:
        """From a greatest common divisor in units of 1e-8."""
        return cls((units * FINEST).normalize())

    def multiples(self, values: Floats) -> tuple[Integers, NDArray[np.bool_]]:
        """(whole multiples, whether each value lies exactly on the grid and is small enough to count exactly)."""
        numerator, denominator = (float(part) for part in self.step.as_integer_ratio())
        with np.errstate(invalid="ignore", over="ignore"):
            counts = np.rint(values * denominator / numerator)
            # both sides are the float nearest to one decimal number, so that equality is equality of the decimals
            exact = (np.abs(counts * numerator) < EXACT_MAX) & (counts * numerator / denominator == values)
        return np.where(exact, counts, 0.0).astype(np.int64), exact


UNITS: Final = Grid(FINEST)
"""What a grid is found in when nobody says it."""
