"""What is counted, for how long, and what begins anew."""

from __future__ import annotations

from decimal import Decimal

from tests.builders import START_NS, D

from gpt_trader.core.clock import NS
from gpt_trader.core.events import GuardTripped, OrderRejected, PositionClosed, SlippageExceeded
from gpt_trader.core.values import Side
from gpt_trader.risk.breaker_counts import BreakerCounts


def closed(pnl: int, fees: int = 0) -> PositionClosed:
    return PositionClosed(at_ns=START_NS, symbol="BTC-PERP", realised_pnl=D(pnl), fees=D(fees), funding=D(0))


def test_rejects_are_forgotten_after_their_window() -> None:
    """Two in ten minutes, one of them still there after the sixth minute more."""
    counts = BreakerCounts()
    for minute in (0, 5):
        counts.take(OrderRejected(at_ns=START_NS + minute * 60 * NS, code="X"))
    assert [len(counts.rejects(START_NS + minute * 60 * NS, 10)) for minute in (5, 11, 16)] == [2, 1, 0]


def test_slippage_is_counted_by_symbol() -> None:
    """BTC's does not count for ETH."""
    counts = BreakerCounts()
    counts.take(
        SlippageExceeded(
            at_ns=START_NS,
            symbol="BTC-PERP",
            side=Side.BUY,
            filled=D(1),
            average_price=D(1),
            arrival_mid=D(1),
            slippage_bps=D(1),
            limit_bps=D(1),
        )
    )
    assert len(counts.slippages("BTC-PERP", START_NS, 60)) == 1
    assert counts.slippages("ETH-PERP", START_NS, 60) == ()


def test_a_loss_is_net_of_fees_and_a_gain_ends_the_streak() -> None:
    """A gain of 5 that cost 6 in fees is a loss; nothing earned and nothing lost is none."""
    counts = BreakerCounts()
    streak = []
    for event in (closed(-1), closed(5, fees=6), closed(9), closed(-1), closed(0)):
        counts.take(event)
        streak.append(counts.losses_in_a_row)
    assert streak == [1, 2, 0, 1, 0]


def test_the_streak_begins_anew_with_its_own_trip() -> None:
    """Otherwise nothing could end it: with entries shut there is no gain."""
    counts = BreakerCounts()
    counts.take(closed(-1))
    for guard, left in (("rejects", 1), ("loss_streak", 0)):
        counts.take(
            GuardTripped(
                at_ns=START_NS,
                guard=guard,
                action="reduce-only",
                threshold=Decimal(1),
                unit="",
                value=D(1),
                way_back="",
            )
        )
        assert counts.losses_in_a_row == left
