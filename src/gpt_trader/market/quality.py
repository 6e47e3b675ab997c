"""Is this market fit to be traded on? Findings over its rows, each with a verdict: refuse, or mark and go on.

Nothing is repaired. What is refused must not be used; what is marked goes into the notes of everything that is made
from it. One pass in bounded memory; the same rows give the same findings however they come in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from gpt_trader.core.clock import iso
from gpt_trader.core.values import ProductSpec
from gpt_trader.market import rows as kinds
from gpt_trader.market.decoding import KIND_NAMES
from gpt_trader.market.quality_book import BookCheck
from gpt_trader.market.quality_checks import BarCheck, GridCheck, TickCheck
from gpt_trader.market.quality_flaws import Check, Flaws, Found, Limits
from gpt_trader.market.quality_jumps import JumpCheck
from gpt_trader.market.rows import ROW
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["FINDINGS", "Finding", "Inspection", "QualityReport", "Verdict", "inspect"]


class Verdict(StrEnum):
    REFUSE = "refuse"
    MARK = "mark"


FINDINGS: Final[dict[str, tuple[Verdict, str]]] = {
    "time_reversal": (Verdict.REFUSE, "Rows go back in time."),
    "receive_reversal": (Verdict.MARK, "The recorder's clock went back."),
    "unknown_row": (Verdict.REFUSE, "A row of no known kind, product or side."),
    "bad_number": (Verdict.REFUSE, "A price or quantity that cannot be: not above zero, or a volume below it."),
    "bar_shape": (Verdict.REFUSE, "High below open or close, or low above them."),
    "duplicate_bar": (Verdict.REFUSE, "Two bars close at the same time."),
    "uneven_bar": (Verdict.REFUSE, "A bar closes at no multiple of its length after the one before."),
    "missing_bars": (Verdict.MARK, "Bars are missing; strategies see a longer step."),
    "no_volume": (Verdict.MARK, "Long stretches without volume: carried prices, or nobody traded."),
    "duplicate_trade": (Verdict.MARK, "A trade equal to the one before in time, price, quantity and side."),
    "silence": (Verdict.MARK, "Nothing was received for long; the book of that time may be old."),
    "crossed_quote": (Verdict.REFUSE, "A quote whose bid is not below its ask."),
    "crossed_book": (Verdict.REFUSE, "The book stays crossed: changes are missing."),
    "crossed_moment": (Verdict.MARK, "The book is crossed for a moment."),
    "empty_side": (Verdict.MARK, "One side of the book is empty for a time."),
    "no_snapshot": (Verdict.REFUSE, "Changes of a book before there is a book."),
    "broken_print": (Verdict.REFUSE, "A price far off that comes back at once: not a price that was traded."),
    "jump": (Verdict.MARK, "A move of many robust deviations."),
    "spike": (Verdict.MARK, "A high or low far outside of open and close."),
    "off_grid": (Verdict.MARK, "A few prices between the steps on which all others lie: computed, not traded."),
}
"""What can be found: its verdict and what it means."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One kind of flaw of one product."""

    code: str
    verdict: Verdict
    symbol: str
    """Empty where it concerns the whole market."""
    count: int
    first_ns: int
    example: str
    """The first case (or the worst, where it says so), in words."""

    @property
    def meaning(self) -> str:
        return FINDINGS[self.code][1]

    def sentence(self) -> str:
        """For notes and logs."""
        whose = f"{self.symbol}: " if self.symbol else ""
        return f"{whose}{self.code} ({self.count:,}), from {iso(self.first_ns)}: {self.example}."


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass over all rows found."""

    rows: int
    kinds: dict[str, int]
    """How many rows of each kind, by name."""
    limits: Limits
    """Where flaws were said to begin."""
    findings: tuple[Finding, ...]
    """Refusals first."""

    @property
    def refused(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.REFUSE)


class Inspection:
    """Takes a market chunk by chunk, and reports at the end."""

    def __init__(self, products: Sequence[ProductSpec], bar_seconds: int, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._symbols = [product.symbol for product in products]
        self._checks: list[list[Check]] = [checks_of(product, bar_seconds, self._limits) for product in products]
        self._order = _Order(len(products))
        self._rows = 0
        self._kinds = np.zeros(len(KIND_NAMES), np.int64)

    def add(self, rows: Rows) -> None:
        if not len(rows):
            return
        self._rows += len(rows)
        self._kinds += np.bincount(np.minimum(rows["kind"], len(KIND_NAMES) - 1), minlength=len(KIND_NAMES))
        self._order.add(rows)
        for product, checks in enumerate(self._checks):
            mine = rows if len(self._checks) == 1 else rows[rows["product"] == product]
            if len(mine):
                for check in checks:
                    check.add(mine)

    def report(self) -> QualityReport:
        """Call once, after the last chunk."""
        findings = _findings("", [self._order])
        for symbol, checks in zip(self._symbols, self._checks, strict=True):
            findings += _findings(symbol, checks)
        findings.sort(key=lambda finding: (finding.verdict is Verdict.MARK, finding.first_ns, finding.code))
        counts = {name: int(count) for name, count in zip(KIND_NAMES, self._kinds, strict=True) if count}
        return QualityReport(rows=self._rows, kinds=counts, limits=self._limits, findings=tuple(findings))


def checks_of(product: ProductSpec, bar_seconds: int, limits: Limits) -> list[Check]:
    tick = float(product.tick)
    return [
        BarCheck(bar_seconds, limits),
        TickCheck(limits),
        BookCheck(tick, limits),
        JumpCheck(tick, limits),
        GridCheck(tick),
    ]


def inspect(stream: MarketStream, limits: Limits | None = None) -> QualityReport:
    """Read a market from end to end. Raises MarketDataError where it cannot be read."""
    inspection = Inspection(stream.products, stream.bar_seconds, limits)
    for chunk in stream.chunks():
        inspection.add(chunk)
    return inspection.report()


def _findings(symbol: str, checks: Iterable[Check]) -> list[Finding]:
    made = []
    for check in checks:
        for code, found in check.found().items():
            verdict, _ = FINDINGS[code]
            made.append(
                Finding(
                    code=code,
                    verdict=verdict,
                    symbol=symbol,
                    count=found.count,
                    first_ns=found.first_ns,
                    example=found.example,
                )
            )
    return made


class _Order:
    """Does time go on, and is every row of a kind, product and side that exist?"""

    def __init__(self, products: int) -> None:
        self._products = products
        self._last: Rows = np.zeros(1, ROW)
        self._flaws = Flaws()

    def add(self, rows: Rows) -> None:
        known = np.concatenate([self._last, rows])
        self._back(known, "ts", "time_reversal")
        self._back(known, "recv", "receive_reversal")
        self._last = rows[-1:].copy()
        kind, product = rows["kind"], rows["product"]
        bad = (kind < kinds.LEVEL) | (kind > kinds.STATUS) | (product < 0) | (product >= self._products)
        bad |= np.abs(rows["side"]) > 1
        at = np.flatnonzero(bad)
        if len(at):
            row = rows[at[0]]
            example = f"kind {row['kind']}, product {row['product']}, side {row['side']}"
            self._flaws.note("unknown_row", len(at), int(row["ts"]), example)

    def _back(self, known: Rows, clock: str, code: str) -> None:
        at = np.flatnonzero(np.diff(known[clock]) < 0)
        if len(at):
            before, after = int(known[clock][at[0]]), int(known[clock][at[0] + 1])
            self._flaws.note(code, len(at), int(known["ts"][at[0] + 1]), f"{iso(after)} after {iso(before)}")

    def found(self) -> dict[str, Found]:
        return self._flaws.found
