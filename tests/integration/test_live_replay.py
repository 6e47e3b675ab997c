"""Does a live run decide the same again? A bot whose market nobody records, on the paper venue."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, an_order
from tests.house_under_test import House, a_house, steady_market
from tests.steered import IMPACT, SIZING, Configuration

from gpt_trader.bot.inputs import read_input
from gpt_trader.config.bot import BotConfig, RecordsConfig, VenueConfig, VenueKind
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import DecisionInputSaved, SystemError  # noqa: A004 - the event, not the builtin
from gpt_trader.core.order_rules import floor_to_lot
from gpt_trader.core.values import Side
from gpt_trader.ops.bundle import pack, unpacked
from gpt_trader.ops.replay import replay
from gpt_trader.ops.replayed import Replayed

ENVIRONMENT = "paper:coinbase live"
BOTH: dict[str, Any] = {SIZING: True, IMPACT: True, "position_sizing_method": "intelligent"}


def live(config: BotConfig, **records: Any) -> BotConfig:
    return config.model_copy(
        update={"venue": VenueConfig(kind=VenueKind.PAPER), "records": RecordsConfig.model_validate(records)}
    )


@contextlib.contextmanager
def a_live_bot(folder: Path, config: BotConfig) -> Iterator[House]:
    prices = [60_000 + 40 * (step % 3) for step in range(120)]
    with a_house(folder, config, steady_market(prices), environment=ENVIRONMENT) as house:
        yield house


async def place(house: House, name: str, **changes: Any) -> None:
    now_ns = house.clock.now_ns()
    timing = {"created_ns": now_ns, "valid_until_ns": now_ns + 60 * NS}
    await house.bot.engine.place_order(an_order(**{"intent_id": f"test:{name}", "strategy": name, **timing, **changes}))


async def a_day(house: House) -> None:
    """Approvals and refusals of entries and exits; one is refused before anything is looked at: its slot is busy."""
    for number in range(3):
        await place(house, f"in{number}", quantity=D("0.4"), strength=0.7)
        await house.clock.sleep(2)
        await place(house, f"out{number}", quantity=D(9), side=Side.SELL, reduce_only=True)
        await house.clock.sleep(2)
    await place(house, "dust", quantity=D("0.0001"))
    await place(house, "dust", quantity=D("0.0001"))
    await place(house, "large", quantity=D(40))
    await place(house, "limit", quantity=D("0.1"), tactic="simple_limit")
    await place(house, "meanwhile", strategy="limit")


def run(folder: Path, config: BotConfig) -> Path:
    """The day; returns its store."""
    with a_live_bot(folder, config) as house:
        house.run(lambda: a_day(house))
    return folder / "events.sqlite"


def first(done: Replayed) -> str:
    return "\n".join(f"{each.about}: {each.recorded} | {each.replayed}" for each in done.differences[:3])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return run(tmp_path, live(Configuration(tmp_path, **BOTH).load().config))


@pytest.mark.parametrize("flags", [{}, BOTH], ids=["live", "advanced"])
def test_every_decision_of_a_live_run_comes_out_the_same(tmp_path: Path, flags: dict[str, Any]) -> None:
    """With every number behind it."""
    done = replay(run(tmp_path, live(Configuration(tmp_path, **flags).load().config)), tmp_path)

    assert done.is_same, first(done)
    assert done.recorded >= 8
    assert done.whole_log is None
    assert done.notes[0].startswith("a live market: validation, sizing and risk were run again")


def test_what_had_no_snapshot_is_counted_and_said(tmp_path: Path) -> None:
    """A slot that is busy refuses before anybody looks at the market."""
    done = replay(run(tmp_path, live(Configuration(tmp_path).load().config)), tmp_path)

    assert done.notes[1] == "1 decisions have no inputs: refused before a snapshot was taken, or not kept"


def test_a_changed_rule_is_noticed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One lot less in every entry."""
    monkeypatch.setattr("gpt_trader.risk.manager.floor_to_lot", lambda quantity, lot: floor_to_lot(quantity, lot) - lot)

    done = replay(store, store.parent)

    assert not done.is_same
    assert done.differences[0].about == "OrderApproved test:in0"


def test_another_limit_is_told_from_the_first_difference(store: Path) -> None:
    """In words, with what was approved and what would have been."""
    done = replay(store, store.parent, changes={"risk.max_position_size_pct": "0.02"})

    assert done.differences[0].recorded.startswith("approved BUY 0.28 BTC-PERP by market")
    assert done.differences[0].replayed.startswith("approved BUY 0.03 BTC-PERP by market")


def test_the_other_engine_decides_on_the_same_inputs(store: Path) -> None:
    """As if it had traded."""
    done = replay(store, store.parent, changes={"run.engine": "live"})

    assert all("LiveExecutionEngine" in each.replayed for each in done.differences)
    assert len(done.differences) == done.recorded


def test_a_part_of_a_run_is_compared_so_far(store: Path) -> None:
    """`--until` cuts in time."""
    whole = replay(store, store.parent)
    until_ns = replay(store, store.parent, changes={"run.engine": "live"}).differences[3].at_ns

    done = replay(store, store.parent, until_ns=until_ns)

    assert done.is_same
    assert done.recorded == 3 < whole.recorded


def test_limits_that_were_reloaded_hold_from_their_time_on(tmp_path: Path) -> None:
    """A live run is replayed through a reload: the log has the new limits."""
    configuration = Configuration(tmp_path)
    with a_live_bot(tmp_path, live(configuration.load().config)) as house:
        steering = configuration.steering(house)

        async def scenario() -> None:
            await place(house, "before", quantity=D("0.4"))
            configuration.write_env(RISK_MAX_POSITION_SIZE_PCT=0.02, RISK_MAX_NOTIONAL_PER_SYMBOL="BTC-PERP:90000")
            steering.reload(who="ann", reason="smaller")
            await place(house, "after", quantity=D("0.4"))

        house.run(scenario)

    done = replay(tmp_path / "events.sqlite", tmp_path)

    assert done.is_same, first(done)
    assert done.recorded == 2


def test_a_bundle_of_a_live_run_replays_elsewhere(store: Path, tmp_path: Path) -> None:
    """It needs no market: the inputs are in the log."""
    bundle = pack(store, tmp_path, tmp_path / "incident.zip")
    with unpacked(bundle) as (there, home):
        assert replay(there, home).is_same


def test_a_log_without_inputs_is_refused_by_name(tmp_path: Path) -> None:
    """Nothing is decided on what was made up."""
    store = run(tmp_path, live(Configuration(tmp_path).load().config, record_gb_max=0))
    with pytest.raises(ConfigError, match="its log has no inputs of decisions"):
        replay(store, tmp_path)


def test_so_much_is_kept_and_then_it_is_said(tmp_path: Path) -> None:
    """A full disk would end the trading; the end of the recording does not."""
    with a_live_bot(tmp_path, live(Configuration(tmp_path).load().config, record_gb_max=D("0.000004"))) as house:
        house.run(lambda: a_day(house))
        saved = house.of(DecisionInputSaved)
        said = [event for event in house.of(SystemError) if event.source == "decision inputs"]
    assert 1 < len(saved) < 5
    assert [event.message for event in said] == ["records.record_gb_max is reached"]


def test_a_simulated_run_keeps_none(tmp_path: Path) -> None:
    """Its market is made again, or lies in a file."""
    with a_house(tmp_path) as house:
        house.run(lambda: a_day(house))
        assert house.of(DecisionInputSaved) == []


def test_what_is_kept_is_what_was_seen(tmp_path: Path) -> None:
    """Wish and snapshot, to the last digit."""
    with a_live_bot(tmp_path, live(Configuration(tmp_path).load().config)) as house:
        house.run(lambda: place(house, "one", quantity=D("0.4"), strength=0.1 + 0.2))
        (event,) = house.of(DecisionInputSaved)
    saved = read_input(event)
    assert saved.candidate.order.strength == 0.1 + 0.2
    assert saved.candidate.order.quantity == D("0.4")
    book = saved.candidate.snapshot.market.book
    assert book is not None
    assert tuple(book.asks[0]) == (D(60_005), D(1))
    assert saved.features == (False, False, False)
