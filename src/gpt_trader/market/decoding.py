"""What does a row say? Its fields by name, as decimals in the product's units, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum, auto
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from gpt_trader.core.clock import iso
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.rows import (
    BAR,
    CLEAR,
    FUNDING,
    INDEX,
    LEVEL,
    MARK,
    MONEY_SCALE,
    QUOTE,
    RATE_SCALE,
    STATUS,
    STATUSES,
    TRADE,
)
from gpt_trader.market.stream import MarketStream

__all__ = ["FIELDS", "KIND_NAMES", "Field", "Unit", "field_text", "first_rows", "row_text"]

KIND_NAMES: Final[tuple[str, ...]] = (
    *("UNKNOWN", "LEVEL", "CLEAR", "TRADE", "QUOTE", "BAR", "INDEX", "MARK", "FUNDING", "STATUS", "OTHER"),
)
"""By the number of the kind; numbers above them count as OTHER."""
assert (KIND_NAMES[BAR], KIND_NAMES[STATUS]) == ("BAR", "STATUS")


class Unit(Enum):
    """In what a column counts."""

    TICKS = auto()
    LOTS = auto()
    MONEY = auto()
    RATE = auto()
    STATUS = auto()


class Field(NamedTuple):
    name: str
    column: str
    unit: Unit


_PRICED: Final = (Field("price", "a", Unit.TICKS), Field("quantity", "b", Unit.LOTS))
_MONEY: Final = (Field("price", "a", Unit.MONEY),)

FIELDS: Final[Mapping[int, tuple[Field, ...]]] = MappingProxyType(
    {
        LEVEL: _PRICED,
        CLEAR: (),
        TRADE: _PRICED,
        QUOTE: (
            Field("bid", "a", Unit.TICKS),
            Field("bid_quantity", "b", Unit.LOTS),
            Field("ask", "c", Unit.TICKS),
            Field("ask_quantity", "d", Unit.LOTS),
        ),
        BAR: (
            *(
                Field(name, column, Unit.TICKS)
                for name, column in zip(("open", "high", "low", "close"), "abcd", strict=True)
            ),
            Field("volume", "e", Unit.LOTS),
        ),
        INDEX: _MONEY,
        MARK: _MONEY,
        FUNDING: (Field("rate", "a", Unit.RATE),),
        STATUS: (Field("status", "a", Unit.STATUS),),
    }
)
"""What the columns of each kind mean."""


def field_text(value: int, unit: Unit, product: ProductSpec) -> str:
    """As a decimal in the product's units."""
    if unit is Unit.STATUS:
        return STATUSES[value] if 0 <= value < len(STATUSES) else str(value)
    step = {
        Unit.TICKS: product.tick,
        Unit.LOTS: product.lot,
        Unit.MONEY: 1 / Decimal(MONEY_SCALE),
        Unit.RATE: 1 / Decimal(RATE_SCALE),
    }[unit]
    return f"{(value * step).normalize():f}"


def row_text(row: Any, products: Sequence[ProductSpec]) -> str:
    """One row as a line: time, product, kind, side and fields. `row` is an element of an array of ROW."""
    kind, number, side = int(row["kind"]), int(row["product"]), int(row["side"])
    known = 0 <= number < len(products)
    words = [iso(int(row["ts"])), products[number].symbol if known else f"product {number}"]
    words.append(KIND_NAMES[min(kind, len(KIND_NAMES) - 1)])
    if side:
        words.append(_side(kind, side))
    if known:
        words += [
            f"{field.name} {field_text(int(row[field.column]), field.unit, products[number])}"
            for field in FIELDS.get(kind, ())
        ]
    return "  ".join(words)


def first_rows(stream: MarketStream, count: int) -> list[str]:
    """The first rows in words."""
    rows = (row for chunk in stream.chunks() for row in chunk)
    return [row_text(row, stream.products) for row in islice(rows, count)]


def _side(kind: int, side: int) -> str:
    buy, sell = ("bought", "sold") if kind == TRADE else ("bid", "ask")
    return buy if side > 0 else sell
