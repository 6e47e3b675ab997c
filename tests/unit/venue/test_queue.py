"""How the queue in front of a resting order shortens, in each of the three models."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.venue_desk import BOOK, Desk, Row, level, trade

from gpt_trader.venue.settings import QueueModel

D = Decimal
BEST = 59_995


def _bid_behind(*rows: Row, model: QueueModel) -> Decimal:
    """What a bid of 0.05 gets that joins the best price behind the 0.10 that stand there."""
    desk = Desk([*BOOK, *rows], queue_model=model).at(1)
    name = desk.send("BUY", "0.05", limit_price=BEST)
    desk.at(60)
    return sum((quantity for _, quantity in desk.fills(name)), D(0))


@pytest.mark.parametrize(
    ("model", "filled"),
    [(QueueModel.BACK, "0.02"), (QueueModel.PROPORTIONAL, "0.04"), (QueueModel.TRADES, "0")],
)
def test_cancels_at_the_level(model: QueueModel, filled: str) -> None:
    """0.10 ahead, 0.10 join behind, then 0.16 leave without a trade, and 0.06 trade.

    Behind the back: no more than the shown 0.04 can be ahead. Proportional: of the first 0.10 to leave half were in
    front of us, of the next 0.06 half again, 0.02 are ahead. By trades: 0.10 are still ahead.
    """
    rows = [level(2, "bid", BEST, "0.20"), level(3, "bid", BEST, "0.10"), level(4, "bid", BEST, "0.04")]
    assert _bid_behind(*rows, trade(5, BEST, "0.06", "seller"), model=model) == D(filled)


@pytest.mark.parametrize("model", list(QueueModel))
def test_a_decrease_that_a_trade_explains_counts_once(model: QueueModel) -> None:
    """0.10 ahead and 0.10 behind; 0.06 trade and the level follows: 0.04 are ahead, the next 0.06 give us 0.02."""
    rows = [
        level(2, "bid", BEST, "0.20"),
        trade(3, BEST, "0.06", "seller"),
        level(3.1, "bid", BEST, "0.14"),
        trade(4, BEST, "0.06", "seller"),
    ]
    assert _bid_behind(*rows, model=model) == D("0.02")


@pytest.mark.parametrize("model", list(QueueModel))
def test_a_trade_through_the_price_leaves_nobody_ahead(model: QueueModel) -> None:
    """Whoever sells at 59,990 has met everybody at 59,995."""
    assert _bid_behind(trade(2, 59_990, "0.03", "seller"), model=model) == D("0.03")


def test_many_small_cancels_add_up() -> None:
    """Of a hundred cancels of 0.01 at a level of 2.00, half were in front of us: none is rounded away."""
    rows = [level(2, "bid", BEST, "2")]
    rows += [level(3 + number / 100, "bid", BEST, str(D("1.99") - number * D("0.01"))) for number in range(100)]
    # 0.10 ahead of 2.00: after half has left, 0.05 are ahead
    assert _bid_behind(*rows, trade(5, BEST, "0.07", "seller"), model=QueueModel.PROPORTIONAL) == D("0.02")
