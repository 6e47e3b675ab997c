"""What is a flaw in market data? Where it begins, and how cases of it are collected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from gpt_trader.market.stream import Rows

__all__ = ["Check", "Flaws", "Found", "Limits"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Where a flaw begins."""

    jump_deviations: float = 30.0
    """Robust deviations of one step (a bar, or a second of trades). Minutes of BTC reach 28 on news."""
    broken_print_share: float = 0.3
    """A jump by this share of the price that comes back in the next step was not traded."""
    silence_seconds: float = 10.0
    no_volume_bars: int = 30
    crossed_seconds: float = 1.0
    """Crossed for longer is no moment."""


@dataclass
class Found:
    """How often, since when, and one case in words."""

    count: int
    first_ns: int
    example: str
    worst: float = 0.0


class Flaws:
    """Cases by code."""

    def __init__(self) -> None:
        self.found: dict[str, Found] = {}

    def note(self, code: str, count: int, first_ns: int, example: str, *, worst: float | None = None) -> None:
        """Add cases; the example is the first, or the worst where a measure is given."""
        known = self.found.get(code)
        if known is None:
            self.found[code] = Found(count, first_ns, example, worst or 0.0)
            return
        known.count += count
        if worst is not None and worst > known.worst:
            known.worst, known.example = worst, example

    def note_rows(self, code: str, rows: Rows, bad: NDArray[np.bool_], columns: str) -> None:
        """Add every bad row; the first is shown by its columns."""
        at = np.flatnonzero(bad)
        if len(at):
            row = rows[at[0]]
            shown = ", ".join(f"{name} = {row[name]}" for name in columns)
            self.note(code, len(at), int(row["ts"]), f"{shown} (in ticks and lots)")


class Check(Protocol):
    """Looks for some flaws in the rows of one product, chunk by chunk."""

    def add(self, rows: Rows) -> None:
        """Rows of one product, in order, at least one."""
        ...

    def found(self) -> dict[str, Found]:
        """By code. Asked once, after the last rows."""
        ...
