"""The baseline strategy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.builders import D

from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Signal, StopMove, Want
from gpt_trader.strategies.ma_crossover import CrossoverParameters, MovingAverageCrossover


def make(**changes: object) -> MovingAverageCrossover:
    settings: dict[str, object] = {
        "short_ma": 2,
        "long_ma": 4,
        "position_fraction": D("0.1"),
        "allow_shorts": True,
        "trailing_stop_pct": 0,
    }
    return MovingAverageCrossover(CrossoverParameters.model_validate(settings | changes))


def bars(closes: Sequence[float], *, history: bool = False) -> list[Bar]:
    return [
        Bar("BTC-PERP", minute * 60_000_000_000, close, close, close, close, 1.0, history)
        for minute, close in enumerate(closes, 1)
    ]


def wants(strategy: MovingAverageCrossover, closes: Sequence[float], position: float = 0.0) -> list[Want]:
    decisions = [strategy.decide(bar, position) for bar in bars(closes)]
    return [decision.want for decision in decisions if isinstance(decision, Signal)]


DOWN_UP_DOWN = [104, 103, 102, 101, 100, 101, 103, 105, 106, 104, 101, 98, 96]


def test_it_goes_long_on_a_cross_up_and_short_on_a_cross_down() -> None:
    """One signal for each cross, none while the averages stay on their sides."""
    assert wants(make(), DOWN_UP_DOWN) == [Want.LONG, Want.SHORT]


def test_without_shorts_a_cross_down_means_flat() -> None:
    """It never asks for what it may not hold."""
    assert wants(make(allow_shorts=False), DOWN_UP_DOWN) == [Want.LONG, Want.FLAT]


def test_the_first_trend_it_sees_is_not_a_cross() -> None:
    """Where the averages stand when it arrives is no signal."""
    assert wants(make(), [100, 101, 102, 103, 104, 105]) == []


def test_history_is_learned_from_and_never_traded() -> None:
    """A cross inside the warm-up is the past."""
    strategy = make()
    assert [strategy.decide(bar, 0.0) for bar in bars(DOWN_UP_DOWN[:9], history=True)] == [None] * 9
    assert wants(strategy, DOWN_UP_DOWN[9:]) == [Want.SHORT]


def test_a_cross_must_stand_for_the_confirmation_bars() -> None:
    """A cross that is taken back before it is confirmed was none."""
    whipsaw = [104, 103, 102, 101, 100, 104, 98, 97, 96, 95]
    assert wants(make(), whipsaw) == [Want.LONG, Want.SHORT]
    assert wants(make(confirmation_bars=2), whipsaw) == []


def test_the_trailing_stop_follows_the_best_close_and_gives_up_below_it() -> None:
    """1 % under the best close since the position was opened."""
    strategy = make(trailing_stop_pct=D("0.01"))
    answers = [strategy.decide(bar, 1.0) for bar in bars([100, 110, 109.5, 108.8])]
    assert isinstance(answers[0], StopMove)
    assert answers[1] == StopMove(trigger_price=D("108.900"), anchor=D("110"))
    assert answers[2] is None
    assert isinstance(answers[3], Signal)
    assert (answers[3].want, answers[3].reason) == (Want.FLAT, "trailing_stop")


def test_the_trailing_stop_of_a_short_follows_downwards() -> None:
    """A short gives up above its best close."""
    strategy = make(trailing_stop_pct=D("0.01"))
    answers = [strategy.decide(bar, -1.0) for bar in bars([100, 90, 91])]
    assert answers[1] == StopMove(trigger_price=D("90.90"), anchor=D("90"))
    assert isinstance(answers[2], Signal)


def test_a_restarted_strategy_equals_an_unbroken_one() -> None:
    """Warm-up bars and the restored state give the same decisions from there on."""
    closes = [100 + (index * 7919 % 23) / 3 for index in range(80)]
    unbroken, restarted = make(trailing_stop_pct=D("0.02")), make(trailing_stop_pct=D("0.02"))
    series = bars(closes)
    for bar in series[:60]:
        unbroken.decide(bar, 1.0)
    for bar in series[60 - restarted.warmup_bars : 60]:
        restarted.decide(
            Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, history=True), 1.0
        )
    restarted.restore(unbroken.state())
    assert [restarted.decide(bar, 1.0) for bar in series[60:]] == [unbroken.decide(bar, 1.0) for bar in series[60:]]


@pytest.mark.parametrize("cut", range(30, 78))
def test_a_cross_that_waits_for_its_confirmation_survives_a_restart(cut: int) -> None:
    """Wherever it is cut: warm-up alone would take the cross for one of the past."""
    series = bars([100 + (index * 7919 % 23) / 3 for index in range(80)])
    unbroken, restarted = make(confirmation_bars=2), make(confirmation_bars=2)
    for bar in series[:cut]:
        unbroken.decide(bar, 0.0)
    for bar in series[cut - restarted.warmup_bars : cut]:
        restarted.decide(
            Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, history=True), 0.0
        )
    restarted.restore(unbroken.state())
    assert [restarted.decide(bar, 0.0) for bar in series[cut:]] == [unbroken.decide(bar, 0.0) for bar in series[cut:]]


def test_averages_the_wrong_way_round_are_an_error() -> None:
    """The short one must be shorter."""
    with pytest.raises(ValueError, match="short_ma must be shorter"):
        make(short_ma=5, long_ma=5)
