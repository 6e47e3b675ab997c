"""Is a plan understood, and refused where it promises what its orders cannot tell?"""

from __future__ import annotations

from decimal import Decimal

import pytest

from gpt_trader.bot.rollout.plan import RolloutPlan, is_candidate, make_plan, parse_asked
from gpt_trader.core.errors import ConfigError

D = Decimal
ASKED = {"to": "advanced", "max_shortfall_delta": "12bps", "shortfall_sd": "10bps"}


def a_plan(changes: dict[str, str] | None = None, measured: tuple[Decimal, int] | None = None) -> RolloutPlan:
    return make_plan(
        parse_asked({**ASKED, **(changes or {})}), name="rollout-1", baseline="A", candidate="B", measured=measured
    )


def test_a_plan_is_understood() -> None:
    """With what nobody said taken from the defaults, and rejects from what can be told."""
    plan = a_plan({"share": "10%", "then": "50%, 100%", "hold": "2h", "min_orders": "60"})

    assert plan.asked.shares == (D("0.1"), D("0.5"), D(1))
    assert (plan.asked.min_orders, plan.asked.hold_seconds) == (60, 7200)
    assert plan.venue_rejects_max == plan.detectable_rejects


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"to": "fast"}, "--to 'fast': no such candidate. Fix: one of live, advanced"),
        ({"share": "0.1"}, "--share '0.1': not a percentage"),
        ({"share": "50%", "then": "20%"}, "each step must be larger"),
        ({"share": "101%"}, "more than all"),
        ({"share": "100%", "then": "none"}, "nothing to compare with"),
        ({"hold": "soon"}, "--hold 'soon'"),
        ({"min_orders": "many"}, "--min-orders 'many'"),
        ({"max_shortfall_delta": ""}, "--max-shortfall-delta: missing"),
        ({"max_shortfall_delta": "-3bps"}, "must be above zero"),
        ({"max_shortfall_delta": "x"}, "not understood"),
        ({"colour": "red"}, "colour: no such argument"),
    ],
)
def test_what_is_not_understood_is_said(changes: dict[str, str], problem: str) -> None:
    """By name, with the fix."""
    with pytest.raises(ConfigError, match=problem):
        a_plan(changes)


def test_a_limit_that_cannot_be_told_from_chance_is_refused() -> None:
    """The refusal says how many orders would do, and with these the plan stands."""
    with pytest.raises(
        ConfigError, match=r"can tell 10\.17 bps from chance, not less .* Fix: --min-orders 690"
    ) as said:
        a_plan({"max_shortfall_delta": "3bps"})
    assert "a limit of 10.17bps" in str(said.value)

    assert a_plan({"max_shortfall_delta": "3bps", "min_orders": "690"}).detectable_bps <= 3
    with pytest.raises(ConfigError, match=r"--max-venue-rejects 5%: 60 candidate orders a step can tell"):
        a_plan({"max_venue_rejects": "5%"})


def test_the_spread_is_given_or_measured() -> None:
    """What a person says wins; where nobody knows, nothing is promised."""
    assert a_plan().sd_from == "as given"
    plan = a_plan({"shortfall_sd": ""}, measured=(D("6.5"), 80))
    assert (plan.shortfall_sd_bps, plan.sd_from) == (D("6.5"), "measured over the last 80 orders")
    with pytest.raises(ConfigError, match="say it with --shortfall-sd"):
        a_plan({"shortfall_sd": ""})


def test_the_coin_is_fair_and_remembers() -> None:
    """The share of the intents within chance, the same at every asking, and nobody who had it loses it at more."""
    intents = [f"ma_crossover:BTC-PERP:{number * 60}:long:open" for number in range(20_000)]
    at = {share: {i for i in intents if is_candidate("rollout-1", i, D(share))} for share in ("0", "0.1", "0.5", "1")}

    assert abs(len(at["0.1"]) - 2000) < 150
    assert abs(len(at["0.5"]) - 10_000) < 250
    assert at["0"] < at["0.1"] < at["0.5"] < at["1"] == set(intents)
    other = {i for i in intents if is_candidate("rollout-2", i, D("0.5"))}
    assert abs(len(other & at["0.5"]) - 5000) < 250
