"""Which plans of stops are remembered, and for how long."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import START_NS, D, Recorder, a_fill

from gpt_trader.core.events import OrderFilled, OrderReconciled, StopPlanned
from gpt_trader.core.values import OrderState, Side
from gpt_trader.execution.stop_record import StopRecord
from gpt_trader.records.ledger import Ledger


def planned(intent: str) -> StopPlanned:
    return StopPlanned(at_ns=START_NS, intent_id=intent, symbol="BTC-PERP", side=Side.SELL, stop_price=D(59_000))


def answered(intent: str, outcome: str) -> OrderReconciled:
    return OrderReconciled(at_ns=START_NS, intent_id=intent, symbol="BTC-PERP", outcome=outcome, filled=D(0))


def filled(intent: str) -> OrderFilled:
    fill = a_fill()
    return OrderFilled(
        at_ns=START_NS,
        intent_id=intent,
        client_order_id=f"gt-{intent}",
        venue_order_id=fill.venue_order_id,
        trade_id=fill.trade_id,
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.1"),
        price=D(60_000),
        fee=D(0),
        liquidity=fill.liquidity,
        cumulative=D("0.1"),
        state=OrderState.FILLED,
        trade_ns=START_NS,
    )


@pytest.mark.parametrize(("outcome", "protected"), [("RESTING", True), ("CANCELLED", False)])
def test_an_entry_that_rests_is_protected_however_late_it_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, *, protected: bool
) -> None:
    """Thousands of entries may come and go meanwhile; only plans of those that have ended make room."""
    monkeypatch.setattr("gpt_trader.execution.stop_record.PLANS_MAX", 2)
    recorder = Recorder(tmp_path)
    record = StopRecord(bus=recorder.bus, clock=recorder.clock, ledger=Ledger())
    record.restore(planned("old"))
    record.restore(answered("old", outcome))
    for number in range(6):
        record.restore(planned(f"n{number}"))
        record.restore(answered(f"n{number}", "CANCELLED"))

    record.restore(filled("old"))

    assert bool(record.legs) == protected
    recorder.close()
