"""What does every engine promise? The same scenarios over both, on the paper venue; each ends on the invariants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.builders import START_NS, D, an_order
from tests.house_under_test import House, a_config, a_house, steady_market

from gpt_trader.core.clock import NS
from gpt_trader.core.events import OrderApproved, OrderRefused, OrderSubmitted
from gpt_trader.core.values import ExecutionReport, Mode, OrderRequest, OrderType, Side, TimeInForce

ENGINES = {
    "live": {},
    "advanced-sizing": {"enable_dynamic_position_sizing": True},
    "advanced-impact": {"enable_market_impact_guard": True},
    "advanced-both": {"enable_dynamic_position_sizing": True, "enable_market_impact_guard": True},
}
Open = Callable[..., AbstractContextManager[House]]


@pytest.fixture(params=ENGINES)
def open_house(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Open a house with the engine of this round."""

    def open_it(**risk: Any) -> AbstractContextManager[House]:
        return a_house(tmp_path, a_config(**ENGINES[request.param], **risk))

    return open_it


@pytest.fixture
def house(open_house: Open) -> Iterator[House]:
    with open_house() as opened:
        yield opened


def order(house: House, name: str = "1", **changes: Any) -> OrderRequest:
    now_ns = house.clock.now_ns()
    timing = {"created_ns": now_ns, "valid_until_ns": now_ns + 60 * NS}
    return an_order(**{"intent_id": f"test:{name}", **timing, **changes})


def place(house: House, *requests: dict[str, Any]) -> list[ExecutionReport]:
    """Place orders one after the other."""

    async def scenario() -> list[ExecutionReport]:
        return [
            await house.bot.engine.place_order(order(house, str(number), **changes))
            for number, changes in enumerate(requests)
        ]

    reports: list[ExecutionReport] = house.run(scenario)
    return reports


SELL = {"side": Side.SELL}
CLOSE = {"reduce_only": True}


def test_an_entry_fills_and_ledger_and_venue_agree(house: House) -> None:
    """Asked 0.1, approved 0.1, filled at the best ask one tick above the price."""
    (report,) = place(house, {"quantity": D("0.1")})
    assert (report.outcome, report.filled, report.average_price) == ("FILLED", D("0.1"), D(60_005))
    assert report.slippage_bps == D("0.8333")
    house.check_invariants()


def test_the_intent_is_durable_before_the_venue_hears_of_it(house: House) -> None:
    """OrderSubmitted stands in the log before the venue has the order, with the digest of the frozen body."""
    known_at_submission: list[bool] = []
    house.bot.bus.subscribe(
        OrderSubmitted,
        "look",
        lambda event: known_at_submission.append(house.adapter.venue.number_of(event.client_order_id) is not None),
    )
    place(house, {"quantity": D("0.1")})
    assert known_at_submission == [False]
    (submitted,) = house.of(OrderSubmitted)
    assert len(submitted.body_digest) == 64
    house.check_invariants()


def test_a_refusal_is_an_answer_with_a_code_and_nothing_is_sent(house: House) -> None:
    """Every refusal is told with stage, code, numbers and the engine that took the decision."""
    (report,) = place(house, {"quantity": D("0")})
    assert (report.outcome, report.code) == ("REFUSED", "invalid_quantity")
    (refused,) = house.of(OrderRefused)
    assert (refused.stage, refused.code, refused.engine) == ("validation", "invalid_quantity", house.bot.engine.name)
    assert house.of(OrderSubmitted) == []
    house.check_invariants()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": "DOGE-PERP"}, "unknown_symbol"),
        ({"quantity": D("NaN")}, "invalid_quantity"),
        ({"quantity": D("0.004")}, "below_one_contract"),
        ({"valid_until_ns": START_NS}, "intent_expired"),
        ({"protective_stop": D(61_000)}, "invalid_stop"),
        ({"tactic": "magic"}, "unsupported_tactic"),
        (
            {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(10_000)},
            "outside_price_band",
        ),
        ({**SELL, **CLOSE}, "nothing_to_reduce"),
    ],
)
def test_what_may_not_be_sent_is_refused_alike_by_both(house: House, changes: dict[str, Any], code: str) -> None:
    """The same stable code, whichever engine is asked."""
    (report,) = place(house, changes)
    assert (report.outcome, report.code) == ("REFUSED", code)
    assert house.of(OrderSubmitted) == []
    house.check_invariants()


def test_a_close_of_100_against_3_sends_3(house: House) -> None:
    """Exits are clamped to the position and never cross zero."""
    reports = place(house, {"quantity": D(3)}, {"quantity": D(100), **SELL, **CLOSE})
    assert [report.filled for report in reports] == [D(3), D(3)]
    assert house.bot.ledger.position("BTC-PERP").quantity == 0
    house.check_invariants()


def test_an_exit_is_never_sized(house: House) -> None:
    """Dynamic sizing and impact cap look at entries only."""
    reports = place(house, {"quantity": D("0.2")}, {"quantity": D("0.2"), **SELL, **CLOSE})
    assert reports[1].filled == reports[0].filled
    house.check_invariants()


def test_one_intent_is_decided_once(house: House) -> None:
    """The same intent again is refused, and nothing is sent twice."""

    async def twice() -> list[ExecutionReport]:
        request = order(house)
        return [await house.bot.engine.place_order(request), await house.bot.engine.place_order(request)]

    reports = house.run(twice)
    assert [report.outcome for report in reports] == ["FILLED", "REFUSED"]
    assert reports[1].code == "duplicate_intent"
    assert len(house.of(OrderSubmitted)) == 1
    house.check_invariants()


def test_a_refused_intent_is_not_decided_again(house: House) -> None:
    """It had its answer, also when nothing was sent."""

    async def twice() -> list[ExecutionReport]:
        dust = order(house, quantity=D("0.0001"))
        large = order(house)
        return [await house.bot.engine.place_order(dust), await house.bot.engine.place_order(large)]

    reports = house.run(twice)
    assert [report.code for report in reports] == ["below_one_contract", "duplicate_intent"]
    assert house.of(OrderSubmitted) == []


def test_f14_a_slot_in_flight_blocks_a_second_entry(house: House) -> None:
    """Two entries of one strategy and symbol at once: the second waits for no answer, it is refused."""

    async def both() -> list[ExecutionReport]:
        first = asyncio.get_running_loop().create_task(house.bot.engine.place_order(order(house, "1")))
        await house.clock.sleep(0.001)
        second = await house.bot.engine.place_order(order(house, "2"))
        return [await first, second]

    reports = house.run(both)
    assert [report.outcome for report in reports] == ["FILLED", "REFUSED"]
    assert reports[1].code == "slot_busy"
    house.check_invariants()


@pytest.mark.parametrize("mode", [Mode.REDUCE_ONLY, Mode.CANCEL_ONLY, Mode.FROZEN])
def test_modes_hold_on_every_engine(house: House, mode: Mode) -> None:
    """Reduce-only lets clamped closes out; the stricter modes let nothing out."""

    async def scenario() -> list[ExecutionReport]:
        opened = await house.bot.engine.place_order(order(house, "1"))
        house.bot.guards.set_mode(mode, "test", "a drill")
        entry = await house.bot.engine.place_order(order(house, "2"))
        close = await house.bot.engine.place_order(order(house, "3", side=Side.SELL, reduce_only=True))
        return [opened, entry, close]

    opened, entry, close = house.run(scenario)
    assert opened.outcome == "FILLED"
    assert entry.outcome == "REFUSED"
    assert (close.outcome == "FILLED") == (mode is Mode.REDUCE_ONLY)
    house.check_invariants()


def test_the_kill_switch_passes_clamped_closes_only(open_house: Open) -> None:
    """Configured on: entries are refused by name."""
    with open_house(kill_switch_enabled=True) as house:
        (report,) = place(house, {"quantity": D("0.1")})
        assert report.outcome == "REFUSED"
        assert report.code in ("kill_switch", "reduce_only_mode")
        house.check_invariants()


def test_the_smallest_cap_wins_and_is_named(open_house: Open) -> None:
    """10 % of 100 000 USD at 60 000 is 0.16 in contracts of 0.01; the trace says which cap bound."""
    with open_house(max_position_pct_per_symbol=D("0.1")) as house:
        (report,) = place(house, {"quantity": D(1)})
        assert report.filled == D("0.16")
        (approved,) = house.of(OrderApproved)
        assert approved.risk["bound_by"]
        assert (approved.asked, approved.quantity) == (D(1), D("0.16"))
        house.check_invariants()


def test_caps_count_what_is_held_already(open_house: Open) -> None:
    """A second order gets only the room that the first left; a third gets none."""
    with open_house(max_position_pct_per_symbol=D("0.1")) as house:
        reports = place(house, {"quantity": D("0.1")}, {"quantity": D("0.1")}, {"quantity": D("0.1")})
        assert [report.filled for report in reports] == [D("0.1"), D("0.06"), D(0)]
        assert reports[2].outcome == "REFUSED"
        house.check_invariants()


def test_a_resting_order_is_an_answer_and_counts_as_exposure(open_house: Open) -> None:
    """RESTING returns at once; its full size is counted against the cap."""
    with open_house(max_position_pct_per_symbol=D("0.1")) as house:
        resting = {
            "quantity": D("0.1"),
            "order_type": OrderType.LIMIT,
            "time_in_force": TimeInForce.GTC,
            "limit_price": D(59_900),
        }
        reports = place(house, resting, {"quantity": D("0.1"), "strategy": "another"})
        assert [report.outcome for report in reports] == ["RESTING", "FILLED"]
        assert reports[1].filled == D("0.06")
        house.check_invariants()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_unknown_order_counts_as_exposure(tmp_path: Path, engine: str) -> None:
    """The request is lost: nobody knows whether 0.1 was bought, so only 0.06 is left under a cap of 0.16."""
    config = a_config(**ENGINES[engine], max_position_pct_per_symbol=D("0.1"))
    with a_house(tmp_path, config, wire=("request lost",) * 4) as house:
        lost, second = place(house, {"quantity": D("0.1")}, {"quantity": D("0.1"), "strategy": "another"})
        assert lost.outcome == "UNKNOWN"
        assert second.filled == D("0.06")


def test_a_market_order_larger_than_the_first_level_pays_the_second(house: House) -> None:
    """Ten levels of 1: buying 1.5 pays 60 005 for one and 60 010 for the half."""
    (report,) = place(house, {"quantity": D("1.5")})
    assert report.average_price == (D(60_005) + D(60_010) / 2) / D("1.5")
    house.check_invariants()


def test_a_simple_limit_works_by_itself_and_is_cancelled_when_its_time_is_over(house: House) -> None:
    """The pipeline answers at once; after 30 s what is left is cancelled and the slot is free."""

    async def scenario() -> tuple[ExecutionReport, int]:
        report = await house.bot.engine.place_order(order(house, "1", tactic="simple_limit"))
        await house.clock.sleep(31)
        return report, sum(1 for _ in house.bot.orders.living())

    report, living = house.run(scenario)
    assert report.outcome == "WORKING"
    assert living == 0
    assert "TacticEnded" in house.kinds()
    house.check_invariants()


def test_the_shared_guards_run_on_every_engine(house: House) -> None:
    """The original's advanced engine had none; here the same guards are read by both."""

    async def scenario() -> set[str]:
        await house.bot.engine.run_runtime_guards()
        return {reading.guard for reading in house.bot.guards.readings()}

    assert house.run(scenario) >= {"liquidation_buffer", "mark_staleness", "pnl_utc_day"}


def test_a_daily_loss_trips_reduce_only_on_every_engine(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """1 BTC long through a fall of 200: the limit of 100 USD is reached, entries are refused, the close goes out."""
    for name, flags in ENGINES.items():
        market = steady_market([60_000] * 10 + [59_800] * 60)
        with a_house(tmp_path / name, a_config(**flags, daily_loss_limit=100), market) as house:

            async def scenario(house: House = house) -> list[ExecutionReport]:
                await house.bot.engine.run_runtime_guards()  # the baseline of the day, as the bot's cadence sets it
                opened = await house.bot.engine.place_order(order(house, "1", quantity=D(1)))
                await house.clock.sleep(15)
                await house.bot.engine.run_runtime_guards()
                entry = await house.bot.engine.place_order(order(house, "2"))
                close = await house.bot.engine.place_order(
                    order(house, "3", side=Side.SELL, quantity=D(9), reduce_only=True)
                )
                return [opened, entry, close]

            opened, entry, close = house.run(scenario)
            assert opened.outcome == "FILLED"
            assert (entry.outcome, entry.code) == ("REFUSED", "reduce_only_mode")
            assert (close.outcome, close.filled) == ("FILLED", opened.filled)
            assert house.bot.guards.mode is Mode.REDUCE_ONLY
            house.check_invariants()
