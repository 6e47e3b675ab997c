"""Luck is called luck, and skill is seen where there is enough of it."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from tests.builders import D

from gpt_trader.core.values import Side
from gpt_trader.market.view import Floats
from gpt_trader.report.price_path import SymbolPrices
from gpt_trader.report.round_trips import RoundTrip
from gpt_trader.research.luck import (
    ENTRY_LEVEL,
    Moments,
    best_of_luck,
    deflated_sharpe,
    entries_beside_random,
    moments_of,
    returns_needed,
    sharpe_above,
)

MINUTE_NS = 60_000_000_000


def test_the_example_of_the_source_is_met() -> None:
    """Bailey and Lopez de Prado (2014), numerical example: annual ratio 2.5 over 1250 days, 100 tries whose annual ratios
    vary by 1/2, skew -3, kurtosis 10: best of luck 0.1132 a day, deflated ratio 0.9004."""
    known = Moments(count=1250, sharpe=2.5 / sqrt(250), skew=-3, kurtosis=10)
    variance = 0.5 / 250
    assert best_of_luck(100, variance) == pytest.approx(0.1132, abs=1e-4)
    assert deflated_sharpe(known, 100, variance) == pytest.approx(0.9004, abs=1e-4)


def test_the_best_of_luck_is_what_draws_have() -> None:
    """The mean of the largest of fifty normal draws, over many drawings."""
    largest = np.random.default_rng(3).normal(0, 0.2, (20_000, 50)).max(axis=1)
    assert best_of_luck(50, 0.04) == pytest.approx(largest.mean(), rel=0.02)


def test_one_try_needs_no_deflation() -> None:
    """The probabilistic ratio against zero."""
    known = Moments(count=400, sharpe=0.1, skew=0, kurtosis=3)
    assert best_of_luck(1, 0.1) == 0
    assert deflated_sharpe(known, 1) == sharpe_above(known)


def test_returns_needed_are_those_at_which_it_is_known() -> None:
    """With so many returns of the same kind the chance of being wrong is the level."""
    known = Moments(count=50, sharpe=0.1, skew=-0.5, kurtosis=5)
    needed = returns_needed(known, 0.02)
    longer = Moments(count=round(needed), sharpe=0.1, skew=-0.5, kurtosis=5)
    assert sharpe_above(longer) == pytest.approx(0.98, abs=0.001)
    assert returns_needed(Moments(count=50, sharpe=-0.1, skew=0, kurtosis=3), 0.02) == inf


@pytest.mark.parametrize("returns", [[], [0.1, 0.2], [0.1, 0.1, 0.1]])
def test_no_ratio_of_nothing(returns: list[float]) -> None:
    """Too few returns, or none that differs."""
    assert moments_of(np.array(returns)) is None


def prices(seed: int, count: int = 3000) -> SymbolPrices:
    last: Floats = 60_000 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.001, count)))
    return SymbolPrices("BTC-PERP", np.arange(1, count + 1) * MINUTE_NS, last, last, last)


def trip(number: int, start: int, bars: int, side: Side) -> RoundTrip:
    return RoundTrip(
        number=number,
        symbol="BTC-PERP",
        side=side,
        opened_ns=(start + 1) * MINUTE_NS,
        closed_ns=(start + 1 + bars) * MINUTE_NS,
        quantity=D(1),
        entry_price=D(1),
        exit_price=D(1),
        price_pnl=D(0),
        fees=D(0),
        funding=D(0),
        fills=2,
        arrival_cost=D(0),
        entry_reason="",
        exit_reason="",
    )


def trips(path: SymbolPrices, seed: int, skill: float) -> list[RoundTrip]:
    """Every thirty bars one of ten; its side is right with a probability of (1 + skill) / 2."""
    generator = np.random.default_rng(seed)
    found = []
    for number, start in enumerate(range(0, len(path.last) - 40, 30)):
        rises = path.last[start + 10] > path.last[start]
        right = generator.random() < (1 + skill) / 2
        found.append(trip(number, start, 10, Side.BUY if rises == right else Side.SELL))
    return found


def test_entries_that_know_are_told_from_chance() -> None:
    """Sixty per cent skill over a hundred trades."""
    path = prices(1)
    assert entries_beside_random(trips(path, 1, 0.6), [path], 500, 1).significant


def test_entries_at_random_pass_no_oftener_than_the_level_says() -> None:
    """Two hundred markets without skill: some four are expected, ten would be a defect."""
    passed = 0
    for seed in range(200):
        path = prices(seed, 900)
        passed += entries_beside_random(trips(path, seed + 1, 0.0), [path], 200, seed).significant
    assert passed <= 10, f"{passed} of 200 at a level of {ENTRY_LEVEL}"


def test_a_rising_market_is_given_to_the_random_ones_too() -> None:
    """Always long in a market that only rises is no skill."""
    last: Floats = 60_000 * np.exp(np.arange(2000) * 0.0001)
    path = SymbolPrices("BTC-PERP", np.arange(1, 2001) * MINUTE_NS, last, last, last)
    found = entries_beside_random([trip(n, n * 60, 20, Side.BUY) for n in range(30)], [path], 300, 1)
    assert found.mean == pytest.approx(found.random_mean)
    assert not found.significant


def test_few_trips_have_no_verdict() -> None:
    """Nine cannot tell."""
    path = prices(1)
    assert entries_beside_random(trips(path, 1, 1.0)[:9], [path], 300, 1).chance is None
