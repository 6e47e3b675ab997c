"""Is the first difference found, and nothing called different that is not?"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from tests.builders import MINUTE_NS, a_product, some_bars, some_rows

from gpt_trader.core.clock import NS
from gpt_trader.market.difference import compare
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import INDEX, QUOTE, TRADE
from gpt_trader.market.stream import MarketStream, Rows

BARS = some_bars(*range(1000, 1100))


def market(
    rows: Rows, *, chunk_rows: int = 1000, tick: str = "5", lot: str = "0.01", end_ns: int | None = None
) -> MarketStream:
    product = msgspec.structs.replace(a_product(), tick=Decimal(tick), lot=Decimal(lot))
    return ArrayStream([product], rows, chunk_rows=chunk_rows, end_ns=end_ns)


def changed(at: int, **values: int) -> Rows:
    rows = BARS.copy()
    for name, value in values.items():
        rows[name][at] = value
    return rows


@pytest.mark.parametrize(("a", "b"), [(1000, 1000), (7, 1000), (13, 7), (1, 100)])
def test_same_rows_are_the_same(a: int, b: int) -> None:
    """However they come in pieces."""
    found = compare(market(BARS, chunk_rows=a), market(BARS, chunk_rows=b))

    assert found.same
    assert (found.rows_a, found.rows_b, found.differing) == (100, 100, 0)


@pytest.mark.parametrize(("a", "b"), [(1000, 1000), (7, 1000), (13, 7)])
def test_first_difference_is_shown(a: int, b: int) -> None:
    """Row, columns, both sides in words, and the rows before."""
    found = compare(market(BARS, chunk_rows=a), market(changed(42, b=2000, e=11), chunk_rows=b))

    assert not found.same
    assert found.differing == 1
    assert found.first is not None
    assert (found.first.row, found.first.columns) == (43, ("b", "e"))
    assert (
        found.first.a
        == "2025-06-16 00:42:00.000Z  BTC-PERP  BAR  open 5205  high 5210  low 5205  close 5210  volume 0.1"
    )
    assert "high 10000" in found.first.b
    assert [row[11:19] for row in found.first.before] == ["00:40:00", "00:41:00"]


@pytest.mark.parametrize(("column", "value"), [("kind", 3), ("side", 1), ("flags", 9), ("recv", 1), ("ts", MINUTE_NS)])
def test_every_column_counts(column: str, value: int) -> None:
    """Nothing of a row is left out."""
    found = compare(market(BARS), market(changed(50, **{column: value})))

    assert found.first is not None
    assert column in found.first.columns


def test_market_that_ends_early_is_different() -> None:
    """The first row that one has and the other has not."""
    found = compare(market(BARS), market(BARS[:90], end_ns=int(BARS["ts"][-1])))

    assert (found.rows_a, found.rows_b, found.facts) == (100, 90, ())
    assert found.first is not None
    assert (found.first.row, found.first.columns, found.first.b) == (91, (), "")
    assert "BAR" in found.first.a


def test_market_that_goes_on_is_different() -> None:
    """The other way round."""
    found = compare(market(BARS[:90], end_ns=int(BARS["ts"][-1])), market(BARS))

    assert found.first is not None
    assert (found.first.row, found.first.a) == (91, "")


def test_small_differences_may_be_allowed() -> None:
    """As a share of the larger value."""
    other = changed(42, d=1043)

    assert compare(market(BARS), market(other), tolerance=0.001).same
    assert not compare(market(BARS), market(other), tolerance=0.0009).same


def test_clocks_may_differ_a_little() -> None:
    """Two recorders are never at the same nanosecond."""
    other = BARS.copy()
    other["recv"] += NS

    assert compare(market(BARS), market(other), time_tolerance_ns=NS).same
    assert not compare(market(BARS), market(other), time_tolerance_ns=NS - 1).same


def test_values_are_compared_not_ticks() -> None:
    """The same prices on a finer grid are the same prices; the grid itself is told as a fact."""
    finer = BARS.copy()
    for name in "abcd":
        finer[name] *= 10
    finer["e"] *= 4

    found = compare(market(BARS), market(finer, tick="0.5", lot="0.0025"))

    assert (found.first, found.differing) == (None, 0)
    assert [fact for fact, _, _ in found.facts] == ["BTC-PERP tick", "BTC-PERP lot"]


def test_quotes_and_indices_are_compared_in_their_units() -> None:
    """An index is no price in ticks."""
    rows = some_rows((QUOTE, 0, 0, 100, 4, 102, 8), (INDEX, 0, 0, 12345), (TRADE, 1, 0, 100, 4))
    finer = rows.copy()
    for name in "ac":
        finer[name][:1] *= 2
    finer["a"][2] *= 2

    assert compare(market(rows), market(finer, tick="2.5")).first is None
    finer["a"][1] *= 2
    assert compare(market(rows), market(finer, tick="2.5")).differing == 1


def test_facts_that_differ_are_told() -> None:
    """Length of bars, times, products."""
    eth = ArrayStream([a_product(symbol="ETH-PERP")], some_bars(1, 2), bar_seconds=300)
    found = compare(market(BARS), eth)

    assert {fact: (a, b) for fact, a, b in found.facts} == {
        "end": ("2025-06-16 01:39:00.000Z", "2025-06-16 00:01:00.000Z"),
        "bars": ("60 s", "300 s"),
        "BTC-PERP": ("there", "missing"),
        "ETH-PERP": ("missing", "there"),
    }
    assert found.first is not None
    assert "product" in found.first.columns
    assert "ETH-PERP" in found.first.b


def test_products_are_matched_by_name() -> None:
    """The order in which a market lists them is no difference."""
    one, other = a_product(), a_product(symbol="ETH-PERP")
    rows = np.concatenate([some_bars(1, 2), some_bars(3, 4, product=1)])
    turned = rows.copy()
    turned["product"] = 1 - rows["product"]

    assert compare(ArrayStream([one, other], rows), ArrayStream([other, one], turned)).same
