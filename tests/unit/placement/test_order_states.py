"""Which word on an order counts? The table, and a machine that says anything in any order."""

from __future__ import annotations

import itertools
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.builders import START_NS, D, Recorder, a_fill_update, a_submitted

from gpt_trader.core.clock import ManualClock
from gpt_trader.core.events import OrderFilled, OrderSightedLate, OrderSubmitted
from gpt_trader.core.values import OrderState
from gpt_trader.exchange.base import OrderUpdate
from gpt_trader.placement.order_manager import UNSEEN, ManagedOrder, OrderManager
from gpt_trader.placement.order_states import MEANING, NEVER_PLACED, RANK, is_late_sighting, is_news, table

QUANTITY = D("0.3")
NAME = "gt-test-1"
TOLD = [state for state in OrderState if state not in (OrderState.PENDING, OrderState.SUBMITTED)]


def test_every_state_has_a_rank_and_a_meaning() -> None:
    """Nothing is left out of the table."""
    assert set(RANK) == set(MEANING) == set(table()) == set(OrderState)


@pytest.mark.parametrize(("known", "told"), list(itertools.product(OrderState, OrderState)))
def test_no_word_goes_back(known: OrderState, told: OrderState) -> None:
    """News is of higher rank, or makes SUBMITTED unknown, or shows what was held for never placed."""
    if is_news(known, told) and not is_late_sighting(known, told):
        assert RANK[told] > RANK[known] or (known, told) == (OrderState.SUBMITTED, OrderState.UNKNOWN)


@pytest.mark.parametrize("known", [state for state in OrderState if state.is_terminal and state not in NEVER_PLACED])
def test_an_end_is_left_for_filled_only(known: OrderState) -> None:
    """A fill that overtook its cancel makes it whole; nothing else reopens an order that was placed."""
    assert set(table()[known]) <= {OrderState.FILLED}


def told(state: OrderState, filled: Decimal, reason: str = "") -> OrderUpdate:
    return OrderUpdate(
        client_order_id=NAME, venue_order_id="v1", symbol="BTC-PERP", state=state, filled=filled, reason=reason
    )


class AnythingInAnyOrder(RuleBasedStateMachine):
    """A venue, a poll and a recovery that repeat, delay and reorder what is true of one order of 0.3 in lots of 0.01."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.recorder = Recorder(Path(self.folder.name))
        self.orders = OrderManager(self.recorder.bus, self.recorder.clock)
        self.recorder.bus.publish(a_submitted())
        self.traded: dict[str, Decimal] = {}
        self.told: set[str] = set()
        self.before = (RANK[OrderState.SUBMITTED], Decimal(0))
        self.alarms = 0

    def teardown(self) -> None:
        """Whatever was said: the log alone gives the same order."""
        with tempfile.TemporaryDirectory() as folder:
            other = Recorder(Path(folder), ManualClock(START_NS))
            replayed = OrderManager(other.bus, ManualClock(START_NS))
            for event in self.recorder.events:
                replayed.on_event(event)
            assert replayed.find(NAME) == self.order
            assert replayed.watched() == self.orders.watched()
            other.close()
        self.recorder.close()
        self.folder.cleanup()

    @property
    def order(self) -> ManagedOrder:
        order = self.orders.find(NAME)
        assert order is not None
        return order

    @rule(lots=st.integers(1, 30))
    def a_trade_happens(self, lots: int) -> None:
        """At the venue; it may be told later, or twice."""
        left = QUANTITY - sum(self.traded.values(), start=Decimal(0))
        if left > 0:
            self.traded[f"t{len(self.traded)}"] = min(left, lots * D("0.01"))

    @precondition(lambda self: bool(self.traded))
    @rule(data=st.data())
    def a_trade_is_told(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.traded)))
        self.told.add(name)
        self.orders.apply(a_fill_update(trade_id=name, quantity=self.traded[name]))

    @rule(state=st.sampled_from(TOLD), share=st.integers(0, 2))
    def a_word_is_said(self, state: OrderState, share: int) -> None:
        """True or stale: with nothing, half or all of what was traded."""
        self.orders.apply(told(state, sum(self.traded.values(), start=Decimal(0)) * share / 2))

    @rule()
    def it_is_given_up(self) -> None:
        self.orders.apply(told(OrderState.FAILED, Decimal(0), UNSEEN))

    @invariant()
    def fills_are_the_trades_that_were_told(self) -> None:
        expected = sum((self.traded[name] for name in self.told), start=Decimal(0))
        assert self.order.filled == expected <= QUANTITY
        assert sum(1 for event in self.recorder.events if isinstance(event, OrderFilled)) == len(self.told)

    @invariant()
    def nothing_goes_back(self) -> None:
        """Neither rank nor fill; only a late sighting lowers the rank, and it is alarmed."""
        rank, filled = RANK[self.order.state], self.order.filled
        alarms = sum(1 for event in self.recorder.events if isinstance(event, OrderSightedLate))
        assert filled >= self.before[1]
        assert rank >= self.before[0] or alarms > self.alarms
        self.before, self.alarms = (rank, filled), alarms

    @invariant()
    def what_may_still_fill_counts(self) -> None:
        """A living order counts in full; a closed one for what it was said to have filled and did not yet."""
        order = self.order
        still = order.may_still_fill
        assert still >= 0
        assert self.orders.open_quantities("BTC-PERP")[0] == still
        assert order.is_settled == (order.state.is_terminal and still == 0)


AnythingInAnyOrder.TestCase.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
TestAnythingInAnyOrder = AnythingInAnyOrder.TestCase


def test_the_machine_begins_with_a_durable_intent() -> None:
    """So that the machine above is about what it says."""
    machine = AnythingInAnyOrder()
    assert [type(event) for event in machine.recorder.events] == [OrderSubmitted]
    machine.teardown()
