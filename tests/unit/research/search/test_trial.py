"""Is a trial the production run, whatever ran before it and whoever looks?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.searches import a_market, prepared, settings

from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.core.clock import VirtualClock, run_virtual
from gpt_trader.exchange.factory import ExchangeFactory
from gpt_trader.records.event_store import EventStore
from gpt_trader.research.search.trial import Floor, Harder, Laboratory, State, Task

VALUES = {"strategy.short_ma": "3", "strategy.long_ma": "9"}


@pytest.fixture
def laboratory(state_home: Path) -> Laboratory:
    return prepared(state_home).setup.laboratory()


def a_task(**changes: object) -> Task:
    market = a_market()
    task = Task(1, VALUES, market.start_ns, market.end_ns)
    return replace(task, **changes)  # type: ignore[arg-type]


def test_a_trial_earns_what_a_run_with_its_log_kept_earns(laboratory: Laboratory, tmp_path: Path) -> None:
    """Net result, fees and orders to the last digit."""
    loaded, market = settings(), a_market()
    clock = VirtualClock(market.start_ns)
    adapter = ExchangeFactory(clock).paper(loaded.config, market, clock)
    with EventStore.open(tmp_path / "run" / "events.sqlite", "kept", 1, durable=False) as store:
        identity = RunIdentity(run_id="kept", boot=1, environment="simulated", config_digest="", market="", seed=7)
        built = PerpsBotBuilder(
            loaded.config, adapter=adapter, clock=clock, journal=store, identity=identity, bar_seconds=60
        ).build()

        async def main() -> None:
            await built.bot.start()
            await built.bot.stop(await built.bot.run_until_stopped(market.end_ns))

        run_virtual(clock, adapter, main)
    ledger = built.bot.ledger

    found = laboratory.run(a_task())

    assert found.state is State.COMPLETE
    assert found.figures["orders"] == built.metrics.orders > 10
    assert found.figures["fees"] == float(ledger.fees)
    assert found.figures["net"] == float(ledger.equity(built.bot.marks()) - ledger.starting_cash)


def test_the_curve_ends_with_the_net_result(laboratory: Laboratory) -> None:
    """Equity at the last price, which on bars is the mark."""
    found = laboratory.run(a_task())

    assert found.curve[-1] - found.curve[0] == pytest.approx(found.figures["net"], abs=1e-6)
    assert len(found.curve) == 240 + 1


def test_what_ran_before_changes_nothing(laboratory: Laboratory) -> None:
    """The same task has the same outcome, to the last digit."""
    first = laboratory.run(a_task())
    laboratory.run(a_task(values={"strategy.short_ma": "2", "strategy.long_ma": "5"}))

    assert laboratory.run(a_task()) == first


def test_being_measured_on_the_way_changes_nothing(laboratory: Laboratory) -> None:
    """A floor that is passed leaves no trace but the figure."""
    plain, market = laboratory.run(a_task()), a_market()
    half = (market.start_ns + market.end_ns) // 2

    climbed = laboratory.run(a_task(floors=(Floor(half, None),)))

    assert len(climbed.climbed) == 1
    assert replace(climbed, climbed=()) == plain


def test_below_the_floor_a_trial_ends(laboratory: Laboratory) -> None:
    """On half of the market, by the measure that is sought."""
    market = a_market()
    half = (market.start_ns + market.end_ns) // 2

    found = laboratory.run(a_task(floors=(Floor(half, 1e9),)))

    assert found.state is State.PRUNED
    assert len(found.curve) < 150


def test_values_that_do_not_go_together_are_refused_by_name(laboratory: Laboratory) -> None:
    """Nothing is run, and the outcome says why."""
    found = laboratory.run(a_task(values={"strategy.short_ma": "9", "strategy.long_ma": "3"}))

    assert found.state is State.REFUSED
    assert "strategy.short_ma = 9, strategy.long_ma = 3: short_ma must be shorter than long_ma" in found.reason


def test_twice_the_fees_cost_twice_the_fees(laboratory: Laboratory) -> None:
    """And the wider spread costs as well."""
    plain, dear, wide = (
        laboratory.run(a_task(harder=harder)) for harder in (Harder(), Harder(fees=2), Harder(spread=20))
    )

    assert dear.figures["fees"] == pytest.approx(2 * plain.figures["fees"], rel=0.02)
    assert wide.figures["net"] < plain.figures["net"]


def test_costs_of_entries_are_there_where_they_are_asked_for(laboratory: Laboratory) -> None:
    """Market orders fill whole, and pay more than their fee."""
    found = laboratory.run(a_task(costs=True)).figures

    assert found["fill_share"] == 1.0
    assert found["shortfall_bps"] > 10  # the fee alone
    assert 0 < found["fill_seconds"] < 1
    assert found["all_in_error_bps"] > 0
