"""What does the log amount to?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.builders import START_NS, a_fill, a_run_started, a_submitted

from gpt_trader.core.events import OrderApproved, OrderCancelled, RunEnded
from gpt_trader.core.values import OrderState, OrderType, Purpose, Side
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.logs import StoredLog
from gpt_trader.records.rebuild import rebuild_store, verify_and_rebuild

D = Decimal
ENDED = RunEnded(at_ns=START_NS, reason="end of market")


def a_store(folder: Path) -> Path:
    """A run with one order partly filled, one cancelled, and an orderly end."""
    path = folder / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        for event in (
            a_run_started(),
            OrderApproved(
                at_ns=START_NS,
                intent_id="test:BTC-PERP:1:long",
                strategy="test",
                symbol="BTC-PERP",
                side=Side.BUY,
                asked=D(1),
                quantity=D(1),
                order_type=OrderType.LIMIT,
                purpose=Purpose.ENTRY,
                engine="LiveExecutionEngine",
                tactic="simple_limit",
                arrival_mid=D(60_000),
            ),
            a_submitted(),
            a_submitted(client_order_id="gt-2"),
            a_fill(),
            a_fill(),
            OrderCancelled(at_ns=START_NS, client_order_id="gt-2", venue_order_id="v2", filled=D(0)),
            ENDED,
        ):
            store.append(event)
    return path


def test_ledger_and_orders_follow_from_the_log(tmp_path: Path) -> None:
    """Money, positions, the state of each order and its engine; a fill told twice counts once in the ledger."""
    state = rebuild_store(a_store(tmp_path))
    assert state.ledger.cash == 99_994
    assert state.ledger.position("BTC-PERP").quantity == D("0.1")
    assert state.ledger.duplicates == 1
    assert {name: line.state for name, line in state.orders.items()} == {
        "gt-test-1": OrderState.PARTIALLY_FILLED,
        "gt-2": OrderState.CANCELLED,
    }
    assert [line.submitted.client_order_id for line in state.living()] == ["gt-test-1"]
    assert state.orders["gt-test-1"].engine == "LiveExecutionEngine"
    assert state.orders["gt-test-1"].average_price == 60_000
    assert state.started == a_run_started()


def test_an_orderly_end_is_the_last_event(tmp_path: Path) -> None:
    """A run that was taken up again after its end has no end yet."""
    path = a_store(tmp_path)
    assert rebuild_store(path).ended == ENDED
    with EventStore.open(path, "test-run", 2, durable=False) as store:
        store.append(a_submitted(client_order_id="gt-3"))
    assert rebuild_store(path).ended is None


def test_one_walk_verifies_and_rebuilds(tmp_path: Path) -> None:
    """The same state as by reading, and the verdict."""
    path = a_store(tmp_path)
    verification, state = verify_and_rebuild(StoredLog(path))
    assert (verification.breaks, verification.events) == ((), 8)
    assert state.ledger.cash == rebuild_store(path).ledger.cash
