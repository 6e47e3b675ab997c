"""Is the book that of the venue, and is there none when it cannot be believed?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from gpt_trader.exchange.coinbase.book import LevelBook
from gpt_trader.exchange.coinbase.decoding import WireError
from gpt_trader.exchange.coinbase.frames import BookEvent, BookLevel
from gpt_trader.market.products import simulated_product

D = Decimal
BTC = simulated_product("BTC-PERP")
Level = tuple[str, int | str, int | str]
BEGIN: Sequence[Level] = (("bid", 100, 5), ("bid", 95, 1), ("offer", 105, 2), ("offer", 110, 4))


def an_event(kind: str, levels: Sequence[Level]) -> BookEvent:
    return BookEvent(
        type=kind,
        product_id=BTC.venue_symbol,
        updates=[BookLevel(side=side, price_level=str(price), new_quantity=str(size)) for side, price, size in levels],
    )


def a_book() -> LevelBook:
    book = LevelBook(BTC)
    book.apply(an_event("snapshot", BEGIN), 1)
    return book


def test_a_snapshot_is_the_book() -> None:
    """Best first, contracts as base units, with the time of receipt."""
    view = a_book().view(10)
    assert view is not None
    assert view.bids == ((D(100), D("0.05")), (D(95), D("0.01")))
    assert view.asks == ((D(105), D("0.02")), (D(110), D("0.04")))
    assert view.received_ns == 1
    assert not view.modelled


def test_an_update_sets_and_takes_away() -> None:
    """A quantity is the whole of the level; zero ends it; levels not there before come in at their place."""
    book = a_book()
    book.apply(an_event("update", [("bid", 100, 0), ("bid", 95, 7), ("offer", "104.5", 1), ("offer", 200, 0)]), 2)
    view = book.view(10)
    assert view is not None
    assert view.bids == ((D(95), D("0.07")),)
    assert [price for price, _ in view.asks] == [D("104.5"), D(105), D(110)]
    assert book.touch() == (D(95), D("104.5"))


def test_f47_a_snapshot_replaces_everything() -> None:
    """Levels of a connection that ended do not stay."""
    book = a_book()
    book.apply(an_event("snapshot", [("bid", 90, 1), ("offer", 91, 1)]), 3)
    assert book.touch() == (D(90), D(91))
    view = book.view(10)
    assert view is not None
    assert (len(view.bids), len(view.asks)) == (1, 1)


def test_depth_is_what_was_asked() -> None:
    """Of each side."""
    view = a_book().view(1)
    assert view is not None
    assert (view.bids, view.asks) == (((D(100), D("0.05")),), ((D(105), D("0.02")),))


def test_there_is_no_book_before_a_snapshot() -> None:
    """An update alone is a part of something that was missed."""
    book = LevelBook(BTC)
    book.apply(an_event("update", BEGIN), 1)
    assert book.view(1) is None
    assert book.touch() is None


def test_a_cleared_book_waits_for_a_snapshot() -> None:
    """After the end of a connection."""
    book = a_book()
    book.clear()
    book.apply(an_event("update", [("bid", 101, 1)]), 2)
    assert book.view(1) is None
    book.apply(an_event("snapshot", BEGIN), 3)
    assert book.touch() == (D(100), D(105))


def test_an_empty_side_has_no_touch() -> None:
    """As at the close of the week: the book is known, and a side of it is empty."""
    book = a_book()
    book.apply(an_event("update", [("bid", 100, 0), ("bid", 95, 0)]), 2)
    view = book.view(5)
    assert book.touch() is None
    assert view is not None
    assert view.bids == ()


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("update", ("bid", 105, 1)),
        ("update", ("offer", 100, 1)),
        ("update", ("ask", 120, 1)),
        ("update", ("bid", 0, 1)),
        ("update", ("bid", 90, -1)),
        ("update", ("bid", 90, "")),
        ("update", ("bid", "NaN", 1)),
        ("delta", ("bid", 90, 1)),
    ],
)
def test_a_book_that_cannot_be_believed_is_none(kind: str, level: Level) -> None:
    """Crossed, nonsense, or in words nobody knows: it is told, and nothing trades on it."""
    book = a_book()
    with pytest.raises(WireError):
        book.apply(an_event(kind, [level]), 2)
    assert book.view(1) is None


def test_many_updates_give_the_same_as_one_snapshot() -> None:
    """Whatever the order of changes, the book is what the levels are."""
    draw = random.Random(7)
    book, levels = a_book(), {(side, int(price)): int(size) for side, price, size in BEGIN}
    for _ in range(2000):
        side = draw.choice(["bid", "offer"])
        price = draw.randrange(1, 101) if side == "bid" else draw.randrange(102, 202)
        levels[side, price] = size = draw.choice([0, 0, 1, 2, 3])
        book.apply(an_event("update", [(side, price, size)]), 2)
    fresh = LevelBook(BTC)
    fresh.apply(an_event("snapshot", [(side, price, size) for (side, price), size in levels.items()]), 2)
    assert book.view(500) == fresh.view(500)
