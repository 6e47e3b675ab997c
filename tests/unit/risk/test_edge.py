"""What have closed trades earned?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders import START_NS, D, Recorder

from gpt_trader.core.events import PositionClosed, PositionOpened
from gpt_trader.risk.edge import TRADE_AGE_MAX_NS, TRADES_KEPT_MAX, EdgeTracker


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path)
    yield made
    made.close()


def trade(recorder: Recorder, pnl: str, *, at_ns: int = START_NS) -> None:
    """A position of 0.5 at 60 000 that closes with this price PnL, 6 of fees and 1 of funding received."""
    recorder.bus.publish(PositionOpened(at_ns=at_ns, symbol="BTC-PERP", quantity=D("-0.5"), entry_price=D(60_000)))
    recorder.bus.publish(PositionClosed(at_ns=at_ns, symbol="BTC-PERP", realised_pnl=D(pnl), fees=D(6), funding=D(1)))


def test_a_return_is_net_profit_over_entry_notional(recorder: Recorder) -> None:
    """(35 - 6 + 1) / 30 000 = 0.001 and (-25 - 6 + 1) / 30 000 = -0.001."""
    tracker = EdgeTracker(recorder.bus)
    trade(recorder, "35")
    assert tracker.edge(START_NS) is None
    trade(recorder, "-25")
    edge = tracker.edge(START_NS)
    assert edge is not None
    assert (edge.mean, edge.trades) == (D(0), 2)
    assert edge.variance == D("0.000002")


def test_trades_older_than_a_week_no_longer_speak(recorder: Recorder) -> None:
    """Otherwise a size that Kelly brought to zero would stay there for ever."""
    tracker = EdgeTracker(recorder.bus)
    for _ in range(3):
        trade(recorder, "-25")
    assert tracker.edge(START_NS + TRADE_AGE_MAX_NS) is not None
    assert tracker.edge(START_NS + TRADE_AGE_MAX_NS + 1) is None


def test_the_number_of_trades_kept_is_bounded(recorder: Recorder) -> None:
    """Memory does not grow with the run."""
    tracker = EdgeTracker(recorder.bus)
    for _ in range(TRADES_KEPT_MAX + 10):
        trade(recorder, "35")
    edge = tracker.edge(START_NS)
    assert edge is not None
    assert edge.trades == TRADES_KEPT_MAX
