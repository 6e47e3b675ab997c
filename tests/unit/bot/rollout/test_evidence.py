"""Are the bets on the coin fair where the engines are equal, and won where they are not?

All of it: `pytest tests/unit/bot/rollout/test_evidence.py -m long -s`
"""

from __future__ import annotations

from math import exp, inf

import pytest
from tests.coin_market import MARKETS, SD_BPS, try_candidate

from gpt_trader.bot.rollout.evidence import (
    ALPHA,
    KEPT_BACK,
    POWER,
    STAKES,
    Evidence,
    Unit,
    detectable_bps,
    detectable_rejects,
    log_ratio,
    odds_factor,
    orders_until_known,
    winsorised_sd,
)


def an_evidence(**changes: float) -> Evidence:
    given = {"limit_bps": 8.0, "reject_limit": 0.2, "sd_bps": SD_BPS} | changes
    return Evidence(**given, steps=1)


def a_unit(**changes: object) -> Unit:
    given: dict[str, object] = {"symbol": "S", "candidate": False, "share": 0.1, "opening": 0.0, "orders": 1}
    return Unit(**given | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", [-900.0, -3.0, 0.0, 0.7, 4.0, 900.0])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_game_is_fair_whatever_was_seen(ratio: float, share: float) -> None:
    """Over the coin the stake keeps its worth exactly: all that honesty rests on."""
    mean = share * odds_factor(ratio, share, candidate=True) + (1 - share) * odds_factor(ratio, share, candidate=False)
    assert mean == pytest.approx(1.0)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_a_choice_there_is_no_bet(share: float) -> None:
    """At a share of 100 % nobody can tell who is dearer."""
    assert odds_factor(5.0, share, candidate=True) == 1.0


def test_no_single_order_decides() -> None:
    """However dear, its likelihood is bounded by the shift over the scale; however surprising, some stake is left."""
    assert log_ratio(1e6, 2.0) == pytest.approx(2.0)
    assert log_ratio(-1e6, 2.0) == pytest.approx(-2.0)
    assert odds_factor(inf, 0.1, candidate=False) >= KEPT_BACK


def test_the_false_alarms_are_shared_out_once() -> None:
    """All stakes and steps together are wrong with the stated probability at most."""
    assert sum(STAKES.values()) == pytest.approx(1.0)
    bets = Evidence(limit_bps=8, reject_limit=0.2, sd_bps=10, steps=2).bets()
    assert sum(exp(-bet.needed) for bet in bets) * 2 == pytest.approx(ALPHA)


def test_nothing_is_bet_before_the_baseline_is_known() -> None:
    """A candidate that trades first is held against nobody."""
    evidence = an_evidence()
    for _ in range(50):
        evidence.opened(a_unit(candidate=True, opening=500.0))
    assert evidence.bets()[0].growth == pytest.approx(0.0)


def test_a_dearer_candidate_is_found_in_its_openings_and_in_its_exits() -> None:
    """Each by its own stake."""
    for name, costs in (("opening", {"opening": 40.0}), ("others", {"opening": None, "others": (40.0,)})):
        evidence = an_evidence()
        for number in range(400):
            unit = a_unit(candidate=number % 10 == 0)
            if unit.candidate:
                unit = a_unit(candidate=True, **costs)
            elif name == "others":
                unit = a_unit(opening=None, others=(0.0,))
            evidence.opened(unit)
            evidence.closed(unit)
        growths = {bet.name: bet for bet in evidence.bets()}
        assert growths[name].is_proven
        assert evidence.broken() is not None


def test_rejects_by_the_venue_are_found_and_shared_ones_are_not() -> None:
    """A candidate of which every third order is rejected; a venue that rejects everybody's."""
    for theirs, found in ((0, True), (1, False)):
        evidence = an_evidence()
        for number in range(600):
            candidate = number % 10 == 0
            rejects = int(number % 30 == 0) if candidate else int(number % 3 == 0) * theirs
            evidence.closed(a_unit(candidate=candidate, opening=None, rejects=rejects))
        broken = evidence.broken()
        assert (broken is not None and broken.name == "rejects") is found


def test_another_step_is_another_proof() -> None:
    """What was proven at one share is no proof at the next."""
    evidence = an_evidence()
    for number in range(400):
        evidence.opened(a_unit(candidate=number % 10 == 0, opening=40.0 if number % 10 == 0 else 0.0))
    assert evidence.broken()
    evidence.begin_step()
    assert evidence.broken() is None


def test_what_can_be_told_grows_with_the_orders() -> None:
    """Four times the orders see half the difference; half a share sees less than a tenth."""
    least = detectable_bps(orders=60, share=0.1, sd_bps=10, steps=1)
    assert detectable_bps(orders=240, share=0.1, sd_bps=10, steps=1) == pytest.approx(least / 2)
    assert detectable_bps(orders=60, share=0.5, sd_bps=10, steps=1) > least
    assert detectable_bps(orders=60, share=0.1, sd_bps=10, steps=3) > least
    assert detectable_rejects(orders=240, share=0.1, rate=0.005, steps=1) < detectable_rejects(
        orders=60, share=0.1, rate=0.005, steps=1
    )
    assert orders_until_known(limit_bps=8, share=0.1, sd_bps=10, growth_left=3) == 11
    assert orders_until_known(limit_bps=8, share=1, sd_bps=10, growth_left=3) == 0


def test_a_spread_is_not_made_by_its_outliers() -> None:
    """One trade in a hundred does not decide what is detectable."""
    values = [float(number % 21 - 10) for number in range(200)]
    assert winsorised_sd([*values, 5000.0]) == pytest.approx(winsorised_sd(values), rel=0.1)


@pytest.mark.parametrize("market", MARKETS)
def test_equal_candidates_stay_and_dear_ones_go(market: str) -> None:
    """A few seeds of each kind of market; the long test has many."""
    equal = [try_candidate(market, seed, worse_bps=0, orders=40) for seed in range(6)]
    worse = [try_candidate(market, seed, worse_bps=25, orders=60) for seed in range(6)]

    assert sum(found.rolled_back_after is not None for found in equal) <= 1
    assert all(found.rolled_back_after is not None for found in worse)


@pytest.mark.long
@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("market", MARKETS)
def test_the_stated_rates_hold_on_any_market(market: str, share: float) -> None:
    """False alarms over 500 orders of an equal candidate, and passes of one that is worse by the limit, 400 seeds."""
    seeds = range(400)
    equal = [try_candidate(market, seed, worse_bps=0, orders=500, share=share) for seed in seeds]
    limit = [try_candidate(market, seed, worse_bps=8, orders=300, share=share, to_the_end=True) for seed in seeds]
    alarms = sum(found.rolled_back_after is not None for found in equal)
    passes = sum(found.passed_after is not None for found in limit)
    print(f"{market}, share {share}: {alarms} false alarms, {passes} passes of the worse, of {len(seeds)}")  # noqa: T201

    assert alarms <= 18  # 2 % of 400 is 8; more than 18 has a probability below 0.001
    assert passes <= 38  # 5 % is 20


@pytest.mark.long
def test_the_stated_power_is_there() -> None:
    """At the smallest difference that the plan names, on costs of the planned spread without echo: 400 seeds."""
    for share in (0.1, 0.25, 0.5):
        least = detectable_bps(orders=60, share=share, sd_bps=SD_BPS, steps=1)
        tried = [
            try_candidate("normal", seed, worse_bps=least, orders=60, share=share, limit_bps=least)
            for seed in range(400)
        ]
        hits = sum(found.rolled_back_after is not None for found in tried)
        print(f"share {share}: {least:.2f} bps found in {hits} of 400")  # noqa: T201
        assert hits >= POWER * 400 - 18
