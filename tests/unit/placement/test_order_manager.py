"""What became of the order?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.builders import START_NS, D, Recorder, a_fill_update, a_submitted

from gpt_trader.core.clock import ManualClock
from gpt_trader.core.events import OrderFilled
from gpt_trader.core.values import OrderState, Purpose, Side
from gpt_trader.exchange.base import OrderUpdate
from gpt_trader.placement.order_manager import CLOSED_ORDERS_MAX, OrderManager
from gpt_trader.placement.order_states import RANK


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path)
    yield made
    made.close()


@pytest.fixture
def orders(recorder: Recorder) -> OrderManager:
    return OrderManager(recorder.bus, recorder.clock)


def says(state: OrderState, **changes: object) -> OrderUpdate:
    update = OrderUpdate(
        client_order_id="gt-test-1", venue_order_id="v1", symbol="BTC-PERP", state=state, venue_ns=START_NS
    )
    return msgspec.structs.replace(update, **changes)


def open_buys(orders: OrderManager) -> Decimal:
    return orders.open_quantities("BTC-PERP")[0]


def state_of(orders: OrderManager) -> OrderState:
    order = orders.find("gt-test-1")
    assert order is not None
    return order.state


def test_a_submitted_order_counts_in_full_before_any_answer(recorder: Recorder, orders: OrderManager) -> None:
    """Exposure exists from the durable intent on, not from the acknowledgement."""
    recorder.bus.publish(a_submitted())
    assert state_of(orders) is OrderState.SUBMITTED
    assert open_buys(orders) == D("0.3")


def test_f01_an_unknown_outcome_keeps_the_full_quantity_and_the_slot(recorder: Recorder, orders: OrderManager) -> None:
    """No proof is not proof of nothing."""
    recorder.bus.publish(a_submitted())
    orders.apply(says(OrderState.UNKNOWN, venue_order_id="", reason="timed out"))
    assert state_of(orders) is OrderState.UNKNOWN
    assert open_buys(orders) == D("0.3")
    assert orders.slot_busy("test", "BTC-PERP", Purpose.ENTRY) == "gt-test-1"
    orders.apply(says(OrderState.ACTIVE))
    assert state_of(orders) is OrderState.ACTIVE


def test_an_acknowledged_order_does_not_become_unknown(recorder: Recorder, orders: OrderManager) -> None:
    """A late time-out cannot take a proof back."""
    recorder.bus.publish(a_submitted())
    orders.apply(says(OrderState.ACTIVE))
    orders.apply(says(OrderState.UNKNOWN))
    assert state_of(orders) is OrderState.ACTIVE


def test_f30_each_trade_applies_once(recorder: Recorder, orders: OrderManager) -> None:
    """The same trade from stream and poll is one fill."""
    recorder.bus.publish(a_submitted())
    orders.apply(a_fill_update())
    orders.apply(a_fill_update())
    assert recorder.kinds().count("OrderFilled") == 1
    assert open_buys(orders) == D("0.2")


def test_f28_a_fill_before_the_acknowledgement_is_applied_and_the_acknowledgement_reopens_nothing(
    recorder: Recorder, orders: OrderManager
) -> None:
    """Order of arrival is free."""
    recorder.bus.publish(a_submitted())
    orders.apply(a_fill_update(quantity=D("0.3")))
    assert state_of(orders) is OrderState.FILLED
    orders.apply(says(OrderState.ACTIVE))
    assert state_of(orders) is OrderState.FILLED
    assert open_buys(orders) == 0


def test_f24_a_fill_after_the_cancel_is_applied(recorder: Recorder, orders: OrderManager) -> None:
    """Fills apply in any state; the cancel had promised it, so it counted until it came."""
    recorder.bus.publish(a_submitted())
    orders.apply(says(OrderState.ACTIVE))
    orders.apply(says(OrderState.CANCELLED, filled=D("0.1")))
    assert open_buys(orders) == D("0.1")
    orders.apply(a_fill_update())
    assert state_of(orders) is OrderState.CANCELLED
    assert open_buys(orders) == 0
    order = orders.find("gt-test-1")
    assert order is not None
    assert order.filled == D("0.1")
    assert order.is_settled


def test_an_end_that_later_names_more_fills_counts_them(recorder: Recorder, orders: OrderManager) -> None:
    """The venue said cancelled with nothing filled, then corrected itself."""
    recorder.bus.publish(a_submitted())
    orders.apply(says(OrderState.CANCELLED))
    assert open_buys(orders) == 0
    orders.apply(says(OrderState.CANCELLED, filled=D("0.2")))
    order = orders.find("gt-test-1")
    assert order is not None
    assert order.may_still_fill == D("0.2")


def test_a_closed_order_counts_again_when_its_end_names_more(recorder: Recorder, orders: OrderManager) -> None:
    """Cancelled with nothing, then a trade, then a cancel that names more trades than have come."""
    recorder.bus.publish(a_submitted())
    orders.apply(says(OrderState.CANCELLED))
    orders.apply(a_fill_update())
    assert open_buys(orders) == 0
    orders.apply(says(OrderState.CANCELLED, filled=D("0.15")))
    assert open_buys(orders) == D("0.05")


def test_a_late_sighting_of_a_failed_order_is_applied_in_full(recorder: Recorder, orders: OrderManager) -> None:
    """FAILED was our belief; a fill is a fact."""
    recorder.bus.publish(a_submitted())
    orders.apply(says(OrderState.FAILED, venue_order_id=""))
    assert open_buys(orders) == 0
    orders.apply(a_fill_update())
    assert state_of(orders) is OrderState.PARTIALLY_FILLED
    assert open_buys(orders) == D("0.2")


@pytest.mark.parametrize("later", [state for state in OrderState if RANK[state] <= RANK[OrderState.PARTIALLY_FILLED]])
def test_a_terminal_state_is_never_left_for_a_lower_one(
    recorder: Recorder, orders: OrderManager, later: OrderState
) -> None:
    """Status never goes back."""
    recorder.bus.publish(a_submitted())
    orders.apply(says(OrderState.CANCELLED))
    orders.apply(says(later))
    assert state_of(orders) is OrderState.CANCELLED


def test_an_order_that_is_not_ours_is_noticed_and_changes_nothing(recorder: Recorder, orders: OrderManager) -> None:
    """Somebody is told, and nothing is adopted in silence."""
    told: list[OrderUpdate] = []
    orders.on_foreign = told.append
    orders.apply(says(OrderState.ACTIVE, client_order_id="somebody-else"))
    assert [update.client_order_id for update in told] == ["somebody-else"]
    assert recorder.events == []


def test_a_liquidation_is_told_as_a_fill_with_its_cause(recorder: Recorder, orders: OrderManager) -> None:
    """A fill that the venue made belongs to the ledger even though no order of ours caused it."""
    orders.apply(a_fill_update(client_order_id="liquidation-1", cause="LIQUIDATION", side=Side.SELL))
    (event,) = recorder.events
    assert isinstance(event, OrderFilled)
    assert (event.cause, event.state) == ("LIQUIDATION", OrderState.FILLED)


def test_f32_replaying_the_log_gives_the_same_orders(recorder: Recorder, orders: OrderManager, tmp_path: Path) -> None:
    """State is what the events say, and nothing else."""
    recorder.bus.publish(a_submitted())
    orders.apply(says(OrderState.UNKNOWN, venue_order_id="", reason="timed out"))
    orders.apply(a_fill_update())
    orders.apply(says(OrderState.CANCELLED, filled=D("0.2"), reason="timeout"))
    recorder.store.flush()
    other = Recorder(tmp_path / "other")
    replayed = OrderManager(other.bus, ManualClock())
    for recorded in recorder.store.read():
        replayed.on_event(recorded.event)
    assert replayed.find("gt-test-1") == orders.find("gt-test-1")
    assert replayed.open_quantities("BTC-PERP") == orders.open_quantities("BTC-PERP")
    other.close()


def test_closed_orders_are_forgotten_in_order_and_the_number_kept_is_bounded(
    recorder: Recorder, orders: OrderManager
) -> None:
    """Memory does not grow with the number of orders; the store has them all."""
    for number in range(CLOSED_ORDERS_MAX + 5):
        name = f"gt-test-{number}"
        recorder.bus.publish(a_submitted(client_order_id=name))
        orders.apply(says(OrderState.REJECTED, client_order_id=name, venue_order_id=""))
    assert orders.find("gt-test-4") is None
    assert orders.find("gt-test-5") is not None
    assert sum(orders.statistics().values()) == CLOSED_ORDERS_MAX


def test_a_trade_that_outruns_the_acknowledgement_places_the_order_first(
    recorder: Recorder, orders: OrderManager
) -> None:
    """Whoever listens for OrderPlaced hears it before the fill, once, and the order can be found by the venue's id."""
    recorder.bus.publish(a_submitted())
    orders.apply(a_fill_update())
    orders.apply(says(OrderState.ACTIVE))
    kinds = [type(event).__name__ for event in recorder.events]
    assert kinds == ["OrderSubmitted", "OrderPlaced", "OrderFilled"]
    assert orders.find_by_venue_id("v1") is orders.find("gt-test-1")
