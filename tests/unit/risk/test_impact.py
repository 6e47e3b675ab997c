"""Impact: walking the book, the square-root law, and the three sizing modes, with sizes computed by hand."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import START_NS, D

from gpt_trader.config.risk import SizingMode
from gpt_trader.core.values import BookView, Side
from gpt_trader.risk.impact import (
    SLICES_MAX,
    fit,
    largest_under_square_root,
    largest_within_book,
    square_root_impact_bps,
    walk_book,
)

LOT = D("0.01")


def a_thin_book() -> BookView:
    """Middle 10000. Asks: 1 at 10001 (1 bp), 2 at 10005 (5 bp), 3 at 10020 (20 bp); bids mirror them."""
    levels = ((D(1), D(1)), (D(5), D(2)), (D(20), D(3)))
    return BookView(
        bids=tuple((10_000 - away, quantity) for away, quantity in levels),
        asks=tuple((10_000 + away, quantity) for away, quantity in levels),
        received_ns=START_NS,
    )


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("quantity", "impact_bps", "levels"),
    [
        ("0", "1", 1),
        ("0.5", "1", 1),
        ("1", "1", 1),
        ("2", "3", 2),  # (1 + 5) / 2
        ("4", "7.75", 3),  # (1 + 10 + 20) / 4
        ("6", "11.83333333333333333333333333", 3),  # 71 / 6
    ],
)
def test_walking_the_book_costs_the_average_distance(side: Side, quantity: str, impact_bps: str, levels: int) -> None:
    """Both sides alike, above zero when it costs us."""
    walk = walk_book(side, D(quantity), a_thin_book())
    assert walk is not None
    assert (walk.impact_bps, walk.levels) == (D(impact_bps), levels)


def test_walk_tells_average_and_worst_price() -> None:
    """1 at 10001 and 1 at 10005."""
    walk = walk_book(Side.BUY, D(2), a_thin_book())
    assert walk is not None
    assert (walk.average_price, walk.worst_price) == (D(10_003), D(10_005))


def test_book_too_thin_has_no_price() -> None:
    """The original invented levels; we say that we do not know."""
    assert walk_book(Side.BUY, D("6.01"), a_thin_book()) is None


@pytest.mark.parametrize("empty", ["bids", "asks"])
def test_one_sided_book_has_no_middle(empty: str) -> None:
    """Without a middle nothing is measured and nothing fits."""
    levels = ((D(100), D(1)),)
    book = BookView(
        bids=() if empty == "bids" else levels, asks=() if empty == "asks" else levels, received_ns=START_NS
    )
    assert walk_book(Side.BUY, D(1), book) is None
    assert largest_within_book(Side.BUY, book, D(10), LOT) == 0


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("impact_bps_max", "expected"),
    [
        ("0.99", "0"),  # half the spread alone is 1 bp
        ("1", "1"),  # level one, not a lot less
        ("3", "2"),  # 1 + 5 (q - 1) = 3 q
        ("3.5", "2.66"),  # q = 4 / 1.5 = 2.667
        ("7.75", "4"),  # the original's bisection ended short of the exact size
        ("100", "6"),  # never more than is seen
    ],
)
def test_largest_size_within_the_book_is_exact(side: Side, impact_bps_max: str, expected: str) -> None:
    """Solved on the level where the cap is reached, then floored to the lot."""
    assert largest_within_book(side, a_thin_book(), D(impact_bps_max), LOT) == D(expected)


prices = st.lists(st.integers(1, 200), min_size=1, max_size=6, unique=True).map(sorted)
amounts = st.decimals(D("0.01"), D(20), places=2)


@st.composite
def books(draw: st.DrawFn) -> BookView:
    bids = tuple((10_000 - D(away), draw(amounts)) for away in draw(prices))
    asks = tuple((10_000 + D(away), draw(amounts)) for away in draw(prices))
    return BookView(bids=bids, asks=asks, received_ns=START_NS)


@settings(deadline=None)  # a busy machine is no defect
@given(books(), st.sampled_from(Side), st.decimals(D(0), D(300), places=3))
def test_largest_size_fits_and_one_lot_more_does_not(book: BookView, side: Side, impact_bps_max: Decimal) -> None:
    """For any book: the size found is judged to fit, and it is the largest."""
    size = largest_within_book(side, book, impact_bps_max, LOT)
    assert size % LOT == 0
    if size:
        here = walk_book(side, size, book)
        assert here is not None
        assert here.impact_bps <= impact_bps_max
    more = walk_book(side, size + LOT, book)
    assert more is None or more.impact_bps > impact_bps_max


@pytest.mark.parametrize("side", Side)
def test_where_not_even_one_lot_fits_the_size_is_a_plain_zero(side: Side) -> None:
    """Half the spread is 1 bp: under a cap below that nothing fits, and nothing has no sign."""
    assert str(largest_within_book(side, a_thin_book(), D("0.5"), LOT)) == "0"


def test_square_root_law() -> None:
    """1 % of a day's volume at 4 % daily volatility: 0.04 * 0.1 = 40 bps; four times the size costs twice."""
    assert square_root_impact_bps(D(10), D("0.04"), D(1_000), D(1)) == 40
    assert square_root_impact_bps(D(40), D("0.04"), D(1_000), D(1)) == 80
    assert square_root_impact_bps(D(10), D("0.04"), D(1_000), D("0.5")) == 20


def test_square_root_law_without_volume_knows_nothing() -> None:
    """No volume: no number, and no size fits. No volatility: no bound."""
    assert square_root_impact_bps(D(1), D("0.04"), D(0), D(1)) is None
    assert largest_under_square_root(D(10), D("0.04"), D(0), D(1), LOT) == 0
    assert largest_under_square_root(D(10), D(0), D(1_000), D(1), LOT) is None


@settings(deadline=None)  # a busy machine is no defect
@given(
    st.decimals(D("0.1"), D(500), places=1),
    st.decimals(D("0.001"), D("0.5"), places=4),
    st.decimals(D(1), D(1_000_000), places=2),
)
def test_largest_under_the_square_root_fits_exactly(cap: Decimal, sigma: Decimal, volume: Decimal) -> None:
    """The inverse of the law: what is found fits, one lot more does not."""
    size = largest_under_square_root(cap, sigma, volume, D(1), LOT)
    assert size is not None
    here, more = (square_root_impact_bps(quantity, sigma, volume, D(1)) for quantity in (size, size + LOT))
    assert here is not None
    assert more is not None
    assert here <= cap < more


# target 5 lots of 0.01, book lets 2 through
@pytest.mark.parametrize(
    ("mode", "target", "fitting", "expected"),
    [
        (SizingMode.CONSERVATIVE, "0.05", "0.02", ("0.02", "0.02", 1)),
        (SizingMode.CONSERVATIVE, "0.05", "0.10", ("0.05", "0.05", 1)),
        (SizingMode.CONSERVATIVE, "0.05", "0", ("0", "0", 0)),
        (SizingMode.STRICT, "0.05", "0.02", ("0", "0", 0)),
        (SizingMode.STRICT, "0.05", "0.05", ("0.05", "0.05", 1)),  # the original's STRICT was always zero
        (SizingMode.AGGRESSIVE, "0.05", "0.02", ("0.05", "0.02", 3)),  # 0.02 + 0.02 + 0.01
        (SizingMode.AGGRESSIVE, "0.06", "0.05", ("0.06", "0.03", 2)),
        (SizingMode.AGGRESSIVE, "0.05", "0", ("0", "0", 0)),
        (SizingMode.AGGRESSIVE, "1", "0.01", ("0", "0", 0)),  # a hundred slices are too many
        (SizingMode.CONSERVATIVE, "0.0599", "1", ("0.05", "0.05", 1)),
    ],
)
def test_sizing_modes(mode: SizingMode, target: str, fitting: str, expected: tuple[str, str, int]) -> None:
    """CONSERVATIVE: largest that fits. STRICT: all or nothing. AGGRESSIVE: all, sliced."""
    quantity, slice_quantity, slices = expected
    result = fit(D(target), D(fitting), mode, LOT)
    assert (result.quantity, result.slice_quantity, result.slices) == (D(quantity), D(slice_quantity), slices)


@settings(deadline=None)  # a busy machine is no defect
@given(st.integers(1, 400), st.integers(0, 400))
def test_aggressive_slices_fit_and_add_up(target_lots: int, fitting_lots: int) -> None:
    """No slice is larger than what fits, and together they are the whole."""
    result = fit(target_lots * LOT, fitting_lots * LOT, SizingMode.AGGRESSIVE, LOT)
    if result.slices:
        assert result.quantity == target_lots * LOT
        assert result.slice_quantity <= max(fitting_lots * LOT, LOT)
        assert result.slice_quantity * (result.slices - 1) < result.quantity <= result.slice_quantity * result.slices
        assert result.slices <= SLICES_MAX
    else:
        assert fitting_lots * SLICES_MAX < target_lots
