"""Where do two markets part? Row by row in order, by value: prices and quantities in units, whatever the grids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from math import gcd
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.decoding import FIELDS, Unit, row_text
from gpt_trader.market.rows import ROW
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["Comparison", "Divergence", "compare"]

CONTEXT_ROWS: Final = 2
CLOCKS: Final = ("ts", "recv")
PLAIN: Final = ("kind", "side", "product", "flags")
"""Columns that are equal or not."""
COUNTED: Final = ("a", "b", "c", "d", "e")
EXACT_MAX: Final = 2**62
NO_ROWS: Final[Rows] = np.zeros(0, ROW)

Integers = NDArray[np.int64]
Bits = NDArray[np.bool_]


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """The first row that is not the same."""

    row: int
    """From 1."""
    columns: tuple[str, ...]
    """What differs, by the names of market.rows.ROW; empty where one market has ended."""
    before: tuple[str, ...]
    """The rows before it, which are the same, in words."""
    a: str
    """The row in words; empty where A has ended."""
    b: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is different, if anything is."""

    facts: tuple[tuple[str, str, str], ...]
    """(fact, in A, in B) of products, grids, lengths and times that differ."""
    rows_a: int
    rows_b: int
    differing: int
    """Rows that differ where both have one, compared by position."""
    first: Divergence | None

    @property
    def same(self) -> bool:
        return not self.facts and self.first is None


def compare(a: MarketStream, b: MarketStream, *, tolerance: float = 0.0, time_tolerance_ns: int = 0) -> Comparison:
    """Read both to their ends. Products are matched by symbol.

    `tolerance` is the largest difference of a price, quantity or rate as a share of the larger one; 0 compares
    exactly, in integers. `time_tolerance_ns` is that of both clocks.
    """
    ruler = _Ruler(a.products, b.products, tolerance, time_tolerance_ns)
    rows_a = rows_b = differing = 0
    first: Divergence | None = None
    before = NO_ROWS
    for left, right in _abreast(a.chunks(), ruler.renumbered(b.chunks())):
        both = min(len(left), len(right))
        different = ruler.different(left[:both], right[:both])
        wrong = np.logical_or.reduce([*different.values()]) if both else np.zeros(0, np.bool_)
        differing += int(wrong.sum())
        at = int(np.argmax(wrong)) if wrong.any() else both
        if first is None and at < max(len(left), len(right)):
            first = Divergence(
                row=rows_a + at + 1,
                columns=tuple(name for name, flags in different.items() if at < both and flags[at]),
                before=tuple(row_text(row, a.products) for row in np.concatenate([before, left[:at]])[-CONTEXT_ROWS:]),
                a=row_text(left[at], a.products) if at < len(left) else "",
                b=ruler.text_of_b(right[at]) if at < len(right) else "",
            )
        before = np.concatenate([before, left[-CONTEXT_ROWS:]])[-CONTEXT_ROWS:]
        rows_a, rows_b = rows_a + len(left), rows_b + len(right)
    facts = tuple(_facts(a, b, time_tolerance_ns))
    return Comparison(facts=facts, rows_a=rows_a, rows_b=rows_b, differing=differing, first=first)


def _abreast(a: Iterator[Rows], b: Iterator[Rows]) -> Iterator[tuple[Rows, Rows]]:
    """Pieces of equal length while both last, then what is left of one."""
    left, right = next(a, None), next(b, None)
    while left is not None and right is not None:
        both = min(len(left), len(right))
        yield left[:both], right[:both]
        left = left[both:] if both < len(left) else next(a, None)
        right = right[both:] if both < len(right) else next(b, None)
    while left is not None:
        yield left, NO_ROWS
        left = next(a, None)
    while right is not None:
        yield NO_ROWS, right
        right = next(b, None)


class _Ruler:
    """How values become comparable: both are counted in the largest unit of which both grids are multiples."""

    def __init__(
        self, a: Sequence[ProductSpec], b: Sequence[ProductSpec], tolerance: float, time_tolerance_ns: int
    ) -> None:
        self._tolerance = tolerance
        self._time_tolerance_ns = time_tolerance_ns
        self._products_b = b
        symbols = [product.symbol for product in a]
        # a product that A does not have gets a number of its own beyond all of A's
        self._number_in_a = [
            symbols.index(each.symbol) if each.symbol in symbols else len(a) + n for n, each in enumerate(b)
        ]
        self._factors: dict[tuple[int, Unit], tuple[int, int]] = {}
        for product in b:
            if product.symbol in symbols:
                number = symbols.index(product.symbol)
                self._factors[number, Unit.TICKS] = _factors(a[number].tick, product.tick)
                self._factors[number, Unit.LOTS] = _factors(a[number].lot, product.lot)
        self._same_grids = all(factors == (1, 1) for factors in self._factors.values())

    def renumbered(self, chunks: Iterator[Rows]) -> Iterator[Rows]:
        """B's rows with A's product numbers."""
        numbers = np.array(self._number_in_a, "<i2")
        for chunk in chunks:
            rows = chunk.copy()
            rows["product"] = numbers[chunk["product"]]
            yield rows

    def text_of_b(self, row: Rows) -> str:
        own = row.copy()
        own["product"] = self._number_in_a.index(int(row["product"]))
        return row_text(own, self._products_b)

    def different(self, a: Rows, b: Rows) -> dict[str, Bits]:
        """Column -> which rows differ in it."""
        found: dict[str, Bits] = {}
        for name in CLOCKS:
            found[name] = np.abs(a[name] - b[name]) > self._time_tolerance_ns
        for name in PLAIN:
            found[name] = a[name] != b[name]
        for name in COUNTED:
            left, right = self._counted(a, b, name)
            found[name] = left != right
            if self._tolerance and found[name].any():
                x, y = left.astype(np.float64), right.astype(np.float64)
                found[name] = np.abs(x - y) > self._tolerance * np.maximum(np.abs(x), np.abs(y))
        return found

    def _counted(self, a: Rows, b: Rows, column: str) -> tuple[Integers, Integers]:
        if self._same_grids:
            return a[column], b[column]
        left, right = a[column].copy(), b[column].copy()
        for kind, fields in FIELDS.items():
            for field in fields:
                if field.column == column and field.unit in {Unit.TICKS, Unit.LOTS}:
                    self._scale(left, a, kind, field.unit, 0)
                    self._scale(right, b, kind, field.unit, 1)
        return left, right

    def _scale(self, values: Integers, rows: Rows, kind: int, unit: Unit, side: int) -> None:
        for (number, scaled), factors in self._factors.items():
            factor = factors[side]
            if scaled is not unit or factor == 1:
                continue
            mine = (rows["kind"] == kind) & (rows["product"] == number)
            if mine.any() and int(np.abs(values[mine]).max()) * factor >= EXACT_MAX:
                raise ConfigError("the grids of the two markets are too far apart to be compared exactly")
            values[mine] *= factor


def _factors(a: Decimal, b: Decimal) -> tuple[int, int]:
    """How many of the largest common unit a step of each is."""
    one, other = Fraction(a), Fraction(b)
    left, right = one.numerator * other.denominator, other.numerator * one.denominator
    common = gcd(left, right)
    return left // common, right // common


def _facts(a: MarketStream, b: MarketStream, time_tolerance_ns: int) -> Iterator[tuple[str, str, str]]:
    for name, left_ns, right_ns in (("start", a.start_ns, b.start_ns), ("end", a.end_ns, b.end_ns)):
        if abs(left_ns - right_ns) > time_tolerance_ns:
            yield name, iso(left_ns), iso(right_ns)
    if a.bar_seconds != b.bar_seconds:
        yield "bars", f"{a.bar_seconds} s", f"{b.bar_seconds} s"
    if a.modelled_book is not b.modelled_book:
        yield "book", _book(a), _book(b)
    ours, theirs = ({product.symbol: product for product in each.products} for each in (a, b))
    for symbol in sorted(ours.keys() | theirs.keys()):
        if symbol not in ours or symbol not in theirs:
            yield symbol, "there" if symbol in ours else "missing", "there" if symbol in theirs else "missing"
            continue
        left, right = (msgspec.structs.asdict(each[symbol]) for each in (ours, theirs))
        for name, value in left.items():
            if value != right[name]:
                yield f"{symbol} {name}", str(value), str(right[name])


def _book(stream: MarketStream) -> str:
    return "modelled from bars" if stream.modelled_book else "recorded"
