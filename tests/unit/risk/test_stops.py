"""When stops fire, how they trail, and which of two is kept: all by hand, for longs and shorts alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import START_NS, D

from gpt_trader.core.events import StopPlanned
from gpt_trader.core.values import Keeper, Side, StopKind
from gpt_trader.risk.stops import (
    StopTrigger,
    is_reached,
    merged,
    rounded,
    stop_limit_price,
    stop_of,
    target_of,
    trailed,
)


def a_stop(**changes: Any) -> StopTrigger:
    """A sell stop at 100."""
    stop = StopTrigger(stop_id="i:stop", symbol="BTC-PERP", side=Side.SELL, kind=StopKind.STOP, trigger_price=D(100))
    return msgspec.structs.replace(stop, **changes)


def a_plan(**changes: Any) -> StopPlanned:
    """Of a long."""
    return msgspec.structs.replace(
        StopPlanned(at_ns=START_NS, intent_id="i", symbol="BTC-PERP", side=Side.SELL), **changes
    )


TARGET = {"kind": StopKind.TAKE_PROFIT}


@pytest.mark.parametrize(
    ("changes", "reached_at", "not_at"),
    [
        ({}, 100, 101),
        ({"side": Side.BUY}, 100, 99),
        (TARGET, 100, 99),
        ({**TARGET, "side": Side.BUY}, 100, 101),
    ],
    ids=["stop of a long", "stop of a short", "target of a long", "target of a short"],
)
def test_the_trigger_itself_is_reached(changes: dict[str, Any], reached_at: int, not_at: int) -> None:
    """At the price, not only beyond it."""
    assert is_reached(a_stop(**changes), D(reached_at))
    assert not is_reached(a_stop(**changes), D(not_at))


@pytest.mark.parametrize(
    ("side", "prices", "triggers"),
    [
        (Side.SELL, (100, 110, 105, 120), (99, "108.9", "108.9", "118.8")),
        (Side.BUY, (100, 90, 95), (101, "90.9", "90.9")),
    ],
)
def test_a_trail_follows_the_best_price_only(side: Side, prices: tuple[int, ...], triggers: tuple[Any, ...]) -> None:
    """1 % behind it; a worse price moves nothing."""
    plan = a_plan(side=side, distance=D("0.01"))
    stop = stop_of(plan, D(prices[0]))
    assert stop is not None
    found = []
    for price in prices:
        stop = trailed(stop, D(price))
        found.append(stop.trigger_price)
    assert found == [D(each) for each in triggers]


@given(st.lists(st.integers(50, 200), min_size=1, max_size=30), st.sampled_from(list(Side)))
def test_a_trail_never_goes_back(prices: list[int], side: Side) -> None:
    """Whatever the market does, the stop only tightens."""
    stop = stop_of(a_plan(side=side, distance=D("0.02")), D(100))
    assert stop is not None
    for price in prices:
        moved = trailed(stop, D(price))
        assert (moved.trigger_price - stop.trigger_price) * -side.sign >= 0
        stop = moved


@pytest.mark.parametrize(
    ("fixed", "distance", "trigger", "kind"),
    [
        (D(99), D(0), D(99), StopKind.STOP),
        (None, D("0.02"), D(98), StopKind.TRAILING),
        (D(99), D("0.02"), D(99), StopKind.TRAILING),
        (D(97), D("0.02"), D(98), StopKind.TRAILING),
    ],
)
def test_of_a_fixed_and_a_trailing_stop_the_tighter_begins(
    fixed: Decimal | None, distance: Decimal, trigger: Decimal, kind: StopKind
) -> None:
    """Entered at 100."""
    stop = stop_of(a_plan(stop_price=fixed, distance=distance), D(100))
    assert stop is not None
    assert (stop.trigger_price, stop.kind) == (trigger, kind)


def test_nothing_asked_is_nothing_kept() -> None:
    """Neither stop nor target."""
    assert stop_of(a_plan(), D(100)) is None
    assert target_of(a_plan()) is None


@pytest.mark.parametrize(
    ("changes", "prices", "kept"),
    [
        ({}, (100, 101), 101),
        ({"side": Side.BUY}, (100, 101), 100),
        (TARGET, (100, 101), 100),
        ({**TARGET, "side": Side.BUY}, (100, 101), 101),
    ],
)
def test_of_two_the_nearer_to_the_market_is_kept(changes: dict[str, Any], prices: tuple[int, int], kept: int) -> None:
    """In either order of arrival, under the id of the first."""
    one, two = (a_stop(**changes, trigger_price=D(price)) for price in prices)
    for first, second in ((one, two), (two, one)):
        held = merged(first, msgspec.structs.replace(second, stop_id="other"))
        assert held is not None
        assert (held.trigger_price, held.stop_id) == (D(kept), "i:stop")


def test_rounding_makes_a_stop_no_later_and_a_target_no_earlier() -> None:
    """On a tick of 5: a sell stop goes up, a sell target too."""
    assert rounded(a_stop(trigger_price=D(101)), D(5)).trigger_price == D(105)
    assert rounded(a_stop(trigger_price=D(101), **TARGET), D(5)).trigger_price == D(105)
    assert rounded(a_stop(trigger_price=D(104), side=Side.BUY), D(5)).trigger_price == D(100)


def test_the_venue_s_limit_lies_beyond_the_trigger() -> None:
    """100 bps below 10 000, unless the stop has a limit of its own."""
    stop = a_stop(trigger_price=D(10_000))
    assert stop_limit_price(stop, D(100), D(5)) == D(9_900)
    own = a_stop(trigger_price=D(10_000), limit_price=D(9_950))
    assert stop_limit_price(own, D(100), D(5)) == D(9_950)


def test_each_revision_is_an_order_of_its_own() -> None:
    """Two orders of one stop never share a client order id."""
    assert a_stop(revision=1).intent_id != a_stop(revision=2, keeper=Keeper.VENUE).intent_id
