"""The channel."""

from __future__ import annotations

from collections.abc import Sequence

from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Want
from gpt_trader.strategies.breakout import Breakout, BreakoutParameters


def wants(closes: Sequence[float], *, shorts: bool = True) -> list[tuple[int, Want]]:
    """Place and wish; bars reach half a dollar above and below their close."""
    strategy = Breakout(BreakoutParameters(entry_bars=4, exit_bars=2, allow_shorts=shorts))
    found = []
    for place, close in enumerate(closes):
        bar = Bar("BTC-PERP", place, close, close + 0.5, close - 0.5, close, 1.0)
        if (signal := strategy.decide(bar, 0.0)) is not None:
            found.append((place, signal.want))
    return found


def test_it_goes_with_the_break_and_leaves_by_the_shorter_channel() -> None:
    """102 is above the four highs before it (100.5); 102 again is below the two lows before it (102.5)."""
    assert wants([100, 100, 100, 100, 102, 103, 104, 102]) == [(4, Want.LONG), (7, Want.FLAT)]


def test_a_close_at_the_edge_is_no_break() -> None:
    """Above means above."""
    assert wants([100, 100, 100, 100, 100.5, 99.5]) == []


def test_a_fall_through_the_whole_channel_turns_it() -> None:
    """Long to short at once, and back to flat over the highs of two bars."""
    assert wants([100, 100, 100, 100, 102, 98, 97, 99.5]) == [(4, Want.LONG), (5, Want.SHORT), (7, Want.FLAT)]


def test_without_shorts_it_goes_flat() -> None:
    """And stays so, however far it falls."""
    assert wants([100, 100, 100, 100, 102, 98, 90, 80], shorts=False) == [(4, Want.LONG), (5, Want.FLAT)]


def test_it_waits_for_a_whole_channel() -> None:
    """Three bars are no range of four."""
    assert wants([100, 100, 100, 150]) == []
