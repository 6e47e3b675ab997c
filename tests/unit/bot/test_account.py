"""Is money that the venue moves counted once, and is everything about an order handed to its owner?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import START_NS, D, Recorder, a_fill_update, a_submitted, an_account

from gpt_trader.bot.account import AccountFeed
from gpt_trader.core.events import FundingApplied, RunStarted
from gpt_trader.core.values import OrderState
from gpt_trader.exchange.base import FundingUpdate, OrderUpdate
from gpt_trader.placement.order_manager import OrderManager

HOUR_NS = 3600 * 10**9


def a_funding(**changes: Any) -> FundingUpdate:
    """A long pays 0.6."""
    update = FundingUpdate(
        symbol="BTC-PERP",
        funding_ns=START_NS,
        amount=D("-0.6"),
        rate=D("0.0001"),
        position=D("0.1"),
        price=D(60_000),
    )
    return msgspec.structs.replace(update, **changes)


class Desk:
    """A feed with a real bus and order manager."""

    def __init__(self, folder: Path) -> None:
        self.recorder = Recorder(folder)
        self.orders = OrderManager(self.recorder.bus, self.recorder.clock)
        self.feed = AccountFeed(self.recorder.bus, self.recorder.clock, self.orders)

    def fundings(self) -> list[FundingApplied]:
        return [event for event in self.recorder.events if isinstance(event, FundingApplied)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.recorder.close()


def test_funding_is_written_down_with_what_it_was_reckoned_from(desk: Desk) -> None:
    """Rate, position and price, so that it can be reckoned again."""
    desk.feed.on_update(a_funding())

    (event,) = desk.fundings()
    assert (event.amount, event.rate, event.position, event.price) == (D("-0.6"), D("0.0001"), D("0.1"), D(60_000))


def test_f75_funding_of_one_time_counts_once(desk: Desk) -> None:
    """Streams tell again after a reconnect."""
    for hour in (0, 1, 1, 0):
        desk.feed.on_update(a_funding(funding_ns=START_NS + hour * HOUR_NS))

    assert [event.funding_ns for event in desk.fundings()] == [START_NS, START_NS + HOUR_NS]


def test_each_symbol_has_its_own_funding_times(desk: Desk) -> None:
    """All of them are paid at the full hour."""
    desk.feed.on_update(a_funding())
    desk.feed.on_update(a_funding(symbol="ETH-PERP"))

    assert [event.symbol for event in desk.fundings()] == ["BTC-PERP", "ETH-PERP"]


def test_funding_of_nothing_is_no_fact(desk: Desk) -> None:
    """Flat at the full hour: no money moved."""
    desk.feed.on_update(a_funding(amount=D(0)))

    assert desk.fundings() == []


def test_what_was_counted_before_a_restart_is_known_again(desk: Desk) -> None:
    """The venue's first answer after a start may hold the hour that is already in the log."""
    desk.feed.on_update(a_funding())
    (counted,) = desk.fundings()
    fresh = AccountFeed(desk.recorder.bus, desk.recorder.clock, desk.orders)

    fresh.restore(counted)
    fresh.on_update(a_funding())

    assert desk.fundings() == [counted]


def test_funding_from_before_the_run_is_not_counted(desk: Desk) -> None:
    """It is in the money that the run began with; venues tell some days of the past at a start."""
    began = RunStarted(
        at_ns=START_NS + HOUR_NS,
        run_id="r",
        profile="p",
        environment="e",
        config_digest="c",
        code_version="0",
        market="m",
        seed=1,
        cash=D(100),
    )
    desk.recorder.bus.publish(began)
    for hour in (0, 1, 2):
        desk.feed.on_update(a_funding(funding_ns=START_NS + hour * HOUR_NS))

    assert [event.funding_ns for event in desk.fundings()] == [START_NS + 2 * HOUR_NS]


def test_orders_and_fills_go_to_their_owner(desk: Desk) -> None:
    """Nobody else decides what became of an order."""
    desk.recorder.bus.publish(a_submitted(), first=desk.orders.on_event)
    desk.feed.on_update(
        OrderUpdate(client_order_id="gt-test-1", venue_order_id="v1", symbol="BTC-PERP", state=OrderState.ACTIVE)
    )
    desk.feed.on_update(a_fill_update())

    order = desk.orders.find("gt-test-1")
    assert order is not None
    assert (order.state, order.filled) == (OrderState.PARTIALLY_FILLED, D("0.1"))


def test_an_account_needs_no_event(desk: Desk) -> None:
    """Decisions record what they used of it."""
    desk.feed.on_update(an_account())

    assert desk.recorder.events == []
