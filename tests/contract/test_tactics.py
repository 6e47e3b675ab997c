"""What does every tactic promise? Each over the paper venue on market time; each run ends on the same invariants."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import START_NS, D, an_order
from tests.house_under_test import BadWire, House, a_config, a_house, steady_market

from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.config.bot import BotConfig, ExecutionConfig, RunConfig
from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.events import (
    OrderApproved,
    OrderCancelRequested,
    OrderFilled,
    OrderReconciled,
    OrderRefused,
    OrderSubmitted,
    TacticEnded,
    TacticProgressed,
    TacticStarted,
)
from gpt_trader.core.values import (
    OPEN_OUTCOMES,
    ExecutionReport,
    Liquidity,
    Mode,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from gpt_trader.execution.factory import EngineChoice, ExecutionEngineFactory
from gpt_trader.records.event_store import EventStore

TACTICS = ("market", "simple_limit", "aggressive_limit", "post_only_chase", "twap", "iceberg")
WORKED = TACTICS[1:]
SHORT: dict[str, Any] = {
    "simple_limit_timeout_seconds": 10,
    "aggressive_limit_timeout_seconds": 9,
    "aggressive_limit_requotes_max": 8,
    "post_only_chase_timeout_seconds": 20,
    "twap_duration_seconds": 20,
    "twap_slices": 4,
    "iceberg_timeout_seconds": 20,
    "iceberg_interval_seconds": 2,
    "iceberg_display_pct": D("0.25"),
}
MARKETS: dict[str, list[int]] = {
    "flat": [60_000] * 90,
    "falling": [60_000 - 10 * step for step in range(90)],
    "rising": [60_000 + 10 * step for step in range(90)],
    "jumping": [60_000 + 200 * (step % 2) for step in range(90)],
}


def a_tactic_config(engine: str = "advanced", **execution: Any) -> BotConfig:
    settings_ = ExecutionConfig.model_validate(SHORT | execution)
    return a_config().model_copy(update={"run": RunConfig(engine=engine), "execution": settings_})  # type: ignore[arg-type]


def order(house: House, tactic: str, name: str = "1", **changes: Any) -> OrderRequest:
    now_ns = house.clock.now_ns()
    timing = {"created_ns": now_ns, "valid_until_ns": now_ns + 60 * NS}
    return an_order(**{"intent_id": f"test:{name}", "tactic": tactic, **timing, **changes})


def work(house: House, tactic: str, *, seconds: float = 70, **changes: Any) -> ExecutionReport:
    """Place one order, and let the market go on."""

    async def scenario() -> ExecutionReport:
        await house.clock.sleep(1)
        report = await house.bot.engine.place_order(order(house, tactic, **changes))
        await house.clock.sleep(seconds)
        return report

    report: ExecutionReport = house.run(scenario)
    return report


def check(house: House, target: Decimal, *, ended: bool = True) -> Decimal:
    """The invariants of every run; returns what was filled."""
    filled = sum((fill.quantity for fill in house.of(OrderFilled)), start=D(0))
    assert filled <= target
    assert abs(house.bot.ledger.position("BTC-PERP").quantity) == filled
    check_one_child_at_a_time(house, target)
    if ended:
        assert house.bot.tracker.working() == ()
        assert [order.client_order_id for order in house.bot.orders.living()] == []
        assert house.adapter.venue.open_orders() == ()
    check_last_answers(house, ended=ended)
    for end in house.of(TacticEnded):
        started = [event for event in house.of(TacticStarted) if event.intent_id == end.intent_id][-1]
        assert end.filled <= started.quantity
    house.check_invariants()
    return filled


def check_last_answers(house: House, *, ended: bool) -> None:
    """Every approved intent that was not refused later has one last answer, and it says what the trades say."""
    answers = house.of(OrderReconciled)
    refused = {event.intent_id for event in house.of(OrderRefused)}
    for approved in house.of(OrderApproved):
        own = [each for each in answers if each.intent_id == approved.intent_id]
        if not ended or approved.intent_id in refused:
            continue
        *before, last = own
        assert last.outcome not in OPEN_OUTCOMES
        assert all(each.outcome in OPEN_OUTCOMES for each in before)
        fills = [each for each in house.of(OrderFilled) if each.intent_id == approved.intent_id]
        value = sum((each.price * each.quantity for each in fills), start=D(0))
        assert last.filled == sum((each.quantity for each in fills), start=D(0))
        assert last.average_price == (value / last.filled if last.filled else None)


def check_one_child_at_a_time(house: House, target: Decimal) -> None:
    """A child is submitted only when the one before is at its end with all its trades, and never for more than is
    left of the target; read from the log alone."""
    open_quantity: dict[str, Decimal] = {}
    filled = D(0)
    seen: set[tuple[str, str, int]] = set()
    for event in house.events:
        if isinstance(event, OrderSubmitted):
            key = (event.intent_id, event.leg, event.slice_number)
            assert key not in seen, "never two orders of one leg and slice"
            seen.add(key)
            assert open_quantity == {}, "never two living children"
            assert event.quantity <= target - filled
            open_quantity[event.client_order_id] = event.quantity
        elif isinstance(event, OrderFilled):
            filled += event.quantity
            open_quantity[event.client_order_id] -= event.quantity
            if open_quantity[event.client_order_id] == 0:
                del open_quantity[event.client_order_id]
        elif type(event).__name__ in ("OrderCancelled", "OrderExpired", "OrderRejected", "OrderFailed"):
            open_quantity.pop(event.client_order_id, None)


@pytest.mark.parametrize("engine", ["live", "advanced"])
@pytest.mark.parametrize("tactic", TACTICS)
def test_the_baseline_offers_two_and_the_advanced_engine_all(tmp_path: Path, tactic: str, engine: str) -> None:
    """What an engine does not offer is refused by name, and nothing is sent."""
    with a_house(tmp_path, a_tactic_config(engine), steady_market(MARKETS["flat"])) as house:
        report = work(house, tactic, quantity=D("0.2"))
        offered = engine == "advanced" or tactic in ("market", "simple_limit")
        assert (report.code == "unsupported_tactic") is not offered
        assert bool(house.of(OrderSubmitted)) is offered
        check(house, D("0.2"))


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("tactic", TACTICS)
def test_every_tactic_ends_within_its_target(tmp_path: Path, tactic: str, side: Side, market: str) -> None:
    """Bought or sold, in every market: one child at a time, never more than asked, ledger and venue agree."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS[market])) as house:
        work(house, tactic, side=side, quantity=D("0.4"))
        filled = check(house, D("0.4"))
        if tactic in ("market", "aggressive_limit", "twap"):
            assert filled == D("0.4"), "these promise to get it done where there is a market"


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("tactic", TACTICS)
def test_an_exit_gets_out_by_every_tactic_but_the_patient_one(tmp_path: Path, tactic: str, market: str) -> None:
    """Reduce-only: never more than the position; flat at the end, save by a simple limit that was not met."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS[market])) as house:

        async def scenario() -> None:
            await house.clock.sleep(1)
            await house.bot.engine.place_order(order(house, "market", "in", quantity=D("0.4")))
            exit_order = order(house, tactic, "out", side=Side.SELL, quantity=D(9), reduce_only=True)
            await house.bot.engine.place_order(exit_order)
            await house.clock.sleep(75)

        house.run(scenario)
        position = house.bot.ledger.position("BTC-PERP").quantity
        assert position >= 0
        assert position == 0 or tactic == "simple_limit"
        house.check_invariants()


def test_aggressive_limit_goes_from_touch_to_inside_to_cross(tmp_path: Path) -> None:
    """A flat market with trades too small to fill it: nine slots of a second, and the last third takes."""
    with a_house(tmp_path, a_tactic_config(), steady_market([60_000] * 60)) as house:
        work(house, "aggressive_limit", quantity=D("0.4"), seconds=30)
        steps = [event.step for event in house.of(TacticProgressed) if event.step != "cancel"]
        assert steps == ["quote at touch", "quote at inside", "quote at cross"]
        prices = [event.limit_price for event in house.of(OrderSubmitted)]
        assert prices == [59_995, 60_000, 60_005]
        assert check(house, D("0.4")) == D("0.4")


def test_aggressive_limit_keeps_its_place_while_the_price_is_right(tmp_path: Path) -> None:
    """In the first third of a still market there is one order, not three."""
    with a_house(tmp_path, a_tactic_config(), steady_market([60_000] * 60)) as house:
        work(house, "aggressive_limit", quantity=D("0.4"), seconds=0.5)
        assert len(house.of(OrderSubmitted)) == 1
        check(house, D("0.4"), ended=False)


def test_a_replacement_asks_for_what_is_left_after_confirmed_fills(tmp_path: Path) -> None:
    """Every child of a worked order is exactly the target less all fills confirmed before it."""
    falling = [60_000 - 5 * (step // 3) for step in range(60)]
    with a_house(tmp_path, a_tactic_config(), steady_market(falling, seconds_each=0.5)) as house:
        work(house, "aggressive_limit", quantity=D("0.4"), side=Side.SELL, seconds=25)
        left = D("0.4")
        for event in house.events:
            if isinstance(event, OrderSubmitted):
                assert event.quantity == left
            elif isinstance(event, OrderFilled):
                left -= event.quantity
        assert len(house.of(OrderSubmitted)) > 2
        check(house, D("0.4"))


def test_when_its_time_is_over_it_goes_to_market_within_the_collar(tmp_path: Path) -> None:
    """A market that runs away faster than it is quoted: the last order is immediate and named so."""
    running = [60_000 + 25 * step for step in range(120)]
    with a_house(tmp_path, a_tactic_config(), steady_market(running, seconds_each=0.25)) as house:
        work(house, "aggressive_limit", quantity=D("0.4"), seconds=25)
        last = house.of(OrderSubmitted)[-1]
        assert (last.leg, last.time_in_force) in (("market", TimeInForce.IOC), ("quote", TimeInForce.GTD))
        assert check(house, D("0.4")) == D("0.4")


def test_break_even_caps_every_price_at_market_too(tmp_path: Path) -> None:
    """Sold at 60 060 before: with 10 bp a side 59 940 breaks even; the market stays above, nothing is bought."""
    with a_house(tmp_path, a_tactic_config(), steady_market([60_000] * 90)) as house:
        work(house, "aggressive_limit", quantity=D("0.4"), trigger_fill_price=D(60_060))
        prices = {event.limit_price for event in house.of(OrderSubmitted)}
        assert prices == {D(59_940)}
        (started,) = house.of(TacticStarted)
        assert started.worst_price == 59_940
        assert check(house, D("0.4")) == 0


def test_break_even_lets_it_buy_where_it_does_not_lose(tmp_path: Path) -> None:
    """Sold at 60 200: up to 60 075 breaks even, and the ask is 60 005."""
    with a_house(tmp_path, a_tactic_config(), steady_market([60_000] * 90)) as house:
        work(house, "aggressive_limit", quantity=D("0.4"), trigger_fill_price=D(60_200))
        assert check(house, D("0.4")) == D("0.4")
        assert all(fill.price <= 60_075 for fill in house.of(OrderFilled))


def test_post_only_chase_only_makes(tmp_path: Path) -> None:
    """Whatever it fills, it fills as a maker, and every quote is post-only."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["falling"])) as house:
        work(house, "post_only_chase", quantity=D("0.4"))
        assert all(fill.liquidity is Liquidity.MAKER for fill in house.of(OrderFilled))
        assert all(event.post_only for event in house.of(OrderSubmitted))
        assert check(house, D("0.4")) > 0


def test_f51_post_only_chase_follows_but_not_for_ever(tmp_path: Path) -> None:
    """Up 10 a second: it re-quotes at most once a second and not beyond 20 bp of 60 000."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["rising"])) as house:
        work(house, "post_only_chase", quantity=D("0.4"))
        quotes = house.of(OrderSubmitted)
        assert len(quotes) > 5
        assert all(later.at_ns - earlier.at_ns >= NS for earlier, later in itertools.pairwise(quotes))
        assert max(event.limit_price for event in quotes) <= 60_010 + 125
        assert check(house, D("0.4")) == 0
        (end,) = house.of(TacticEnded)
        assert end.reason in ("its time is over", "no more re-quotes")


def test_twap_keeps_its_schedule(tmp_path: Path) -> None:
    """0.4 in four slots of five seconds: at the end of each slot just that share is filled."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["flat"])) as house:
        work(house, "twap", quantity=D("0.4"))
        (started,) = house.of(TacticStarted)
        for slot in range(1, 5):
            end_ns = started.at_ns + slot * 5 * NS
            filled = sum((fill.quantity for fill in house.of(OrderFilled) if fill.at_ns <= end_ns), start=D(0))
            assert filled == slot * D("0.1")
        assert check(house, D("0.4")) == D("0.4")


@pytest.mark.parametrize(
    ("quantity", "orders"),
    [(D("0.02"), [D("0.01")] * 2), (D("0.05"), [D("0.02"), D("0.02"), D("0.01")]), (D("0.01"), [D("0.01")])],
)
def test_twap_never_cuts_below_the_smallest_size(tmp_path: Path, quantity: Decimal, orders: list[Decimal]) -> None:
    """Fewer slices instead, all on the lot grid."""
    with a_house(tmp_path, a_tactic_config(twap_patience_pct=0), steady_market(MARKETS["flat"])) as house:
        work(house, "twap", quantity=quantity)
        assert [event.quantity for event in house.of(OrderSubmitted)] == orders
        assert check(house, quantity) == quantity


def test_twap_takes_no_slice_above_the_largest(tmp_path: Path) -> None:
    """What the impact cap allows at one time is kept, also for what was carried over."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["rising"])) as house:
        work(house, "twap", quantity=D("0.4"), slice_quantity_max=D("0.06"))
        assert max(event.quantity for event in house.of(OrderSubmitted)) <= D("0.06")
        check(house, D("0.4"))


def test_iceberg_never_shows_more_than_its_tip(tmp_path: Path) -> None:
    """A quarter of 0.4 at a time, however often it is refilled."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["falling"])) as house:
        work(house, "iceberg", quantity=D("0.4"))
        assert max(event.quantity for event in house.of(OrderSubmitted)) == D("0.1")
        assert len(house.of(OrderSubmitted)) >= 4
        assert check(house, D("0.4")) == D("0.4")


def test_iceberg_with_a_limit_price_rests_there(tmp_path: Path) -> None:
    """The request's own price is every tip's price; the market comes to it or does not."""
    limit: dict[str, Any] = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(59_950)}
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["falling"])) as house:
        work(house, "iceberg", quantity=D("0.4"), **limit)
        assert {event.limit_price for event in house.of(OrderSubmitted)} == {D(59_950)}
        assert check(house, D("0.4")) == D("0.4")


@pytest.mark.parametrize("tactic", ["simple_limit", "aggressive_limit", "post_only_chase", "twap"])
def test_a_limit_price_is_the_worst_that_a_tactic_pays(tmp_path: Path, tactic: str) -> None:
    """No child is priced beyond it, in a market that rises away from it."""
    limit: dict[str, Any] = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(60_020)}
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["rising"])) as house:
        work(house, tactic, quantity=D("0.4"), **limit)
        assert all(event.limit_price <= 60_020 for event in house.of(OrderSubmitted))
        check(house, D("0.4"))


@pytest.mark.parametrize(
    ("tactic", "changes", "code"),
    [
        ("twap", {"time_in_force": TimeInForce.FOK}, "unsupported_tif"),
        (
            "twap",
            {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.IOC, "limit_price": D(60_000)},
            "unsupported_tif",
        ),
        (
            "iceberg",
            {
                "order_type": OrderType.LIMIT,
                "time_in_force": TimeInForce.GTC,
                "limit_price": D(59_000),
                "post_only": True,
            },
            "unsupported_tactic",
        ),
        ("market", {"trigger_fill_price": D("NaN")}, "invalid_price"),
        ("twap", {"trigger_fill_price": D(-1)}, "invalid_price"),
    ],
)
def test_what_a_tactic_cannot_keep_is_refused(tmp_path: Path, tactic: str, changes: dict[str, Any], code: str) -> None:
    """Never dropped in silence, and nothing is sent."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["flat"])) as house:
        report = work(house, tactic, seconds=1, **changes)
        assert (report.outcome, report.code) == ("REFUSED", code)
        assert house.of(OrderSubmitted) == []
        assert house.bot.tracker.working() == ()


def test_a_market_order_that_must_fill_whole_does_or_does_not(tmp_path: Path) -> None:
    """FOK at market is fill-or-kill within the collar, and rests nowhere."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["flat"]), cash=10**8) as house:
        report = work(house, "", quantity=D(20), time_in_force=TimeInForce.FOK)
        assert report.filled == 0
        (submitted,) = house.of(OrderSubmitted)
        assert submitted.time_in_force is TimeInForce.FOK
        check(house, D(20))


def test_aggressive_sizing_trades_the_full_size_in_slices_under_the_cap(tmp_path: Path) -> None:
    """1.2 stays under 1 bp on this book (5/60000 for one, 10/60000 for the next 0.2); 3 goes in three slices of 1."""
    limits = {"enable_market_impact_guard": True, "sizing_mode": "AGGRESSIVE", "max_market_impact_bps": 1}
    config = a_config(**limits).model_copy(update={"execution": a_tactic_config().execution})
    with a_house(tmp_path, config, steady_market(MARKETS["flat"]), cash=10**7) as house:
        work(house, "", quantity=D(3))
        (approved,) = house.of(OrderApproved)
        assert (approved.quantity, approved.tactic) == (D(3), "twap")
        assert (approved.risk["slices"], approved.risk["slice_quantity"]) == (3, D(1))
        assert approved.risk["final_impact_bps"] <= 1
        assert max(event.quantity for event in house.of(OrderSubmitted)) == D("0.75"), (
            "twap_slices asks for four, none above the cap"
        )
        assert check(house, D(3)) == D(3)


# --- what else may happen while it works ---------------------------------------------------------------------------
def while_working(
    tmp_path: Path,
    tactic: str,
    then: Callable[[House], Coroutine[Any, Any, Any]],
    *,
    wire: Sequence[str] = (),
    cancels: Sequence[str] = (),
    market: str = "rising",
    **execution: Any,
) -> House:
    """Start a buy of 0.4, do something after 2.5 s, let everything come to its end."""
    with a_house(tmp_path, a_tactic_config(**execution), steady_market(MARKETS[market]), wire=wire) as house:
        house.adapter.cancel_script = list(cancels)

        async def scenario() -> None:
            await house.clock.sleep(1)
            await house.bot.engine.place_order(order(house, tactic, quantity=D("0.4")))
            await house.clock.sleep(2.5)
            await then(house)
            await house.clock.sleep(75)

        house.run(scenario)
        check(house, D("0.4"))
        return house


async def nothing(_: House) -> None:
    """Only the wire fails."""


@pytest.mark.parametrize("tactic", WORKED)
def test_a_strategy_that_wants_otherwise_ends_the_entry(tmp_path: Path, tactic: str) -> None:
    """Its order is cancelled, what was filled is confirmed, and no further child is made."""
    ended: list[tuple[bool, int]] = []

    async def then(house: House) -> None:
        done = await house.bot.tracker.wind_down("enough", strategy="test")
        ended.append((done, len(house.of(OrderSubmitted))))

    house = while_working(tmp_path, tactic, then)
    assert ended == [(True, len(house.of(OrderSubmitted)))]


@pytest.mark.parametrize("tactic", WORKED)
def test_a_guard_that_cancels_entries_stops_the_tactic_too(tmp_path: Path, tactic: str) -> None:
    """Reduce-only: nothing is quoted again after the guard has spoken."""
    at: list[int] = []

    async def then(house: House) -> None:
        house.bot.guards.set_mode(Mode.REDUCE_ONLY, "test", "a drill")
        await house.bot.submitter.cancel_entries("a drill")
        at.append(house.clock.now_ns())

    house = while_working(tmp_path, tactic, then)
    assert all(event.at_ns <= at[0] for event in house.of(OrderSubmitted))
    assert len(house.of(TacticEnded)) == 1


@pytest.mark.parametrize("tactic", WORKED)
def test_a_pause_of_the_symbol_ends_its_entries(tmp_path: Path, tactic: str) -> None:
    """Paused by a guard or a person: the tactic is told at once and places nothing more."""
    at: list[int] = []

    async def then(house: House) -> None:
        at.append(house.clock.now_ns())
        house.bot.guards.pause("BTC-PERP", "a drill", "test")

    house = while_working(tmp_path, tactic, then)
    (end,) = house.of(TacticEnded)
    assert "paused" in end.reason
    assert all(event.at_ns <= at[0] for event in house.of(OrderSubmitted))
    assert end.at_ns - at[0] < NS


@pytest.mark.parametrize("tactic", ["aggressive_limit", "post_only_chase", "twap"])
def test_a_cancel_that_fails_or_vanishes_is_asked_again_and_nothing_is_doubled(tmp_path: Path, tactic: str) -> None:
    """Twice unreachable, once swallowed: no replacement before the proof."""
    house = while_working(tmp_path, tactic, nothing, cancels=["unavailable", "swallowed", "unavailable"])
    assert len(house.of(OrderCancelRequested)) >= 3


@pytest.mark.parametrize("tactic", ["aggressive_limit", "post_only_chase", "twap", "iceberg"])
@pytest.mark.parametrize("wire", [["reply lost"], ["unavailable", "reply lost"], ["rate limited"]])
def test_a_bad_wire_doubles_no_child(tmp_path: Path, tactic: str, wire: list[str]) -> None:
    """An order of unknown outcome is never joined by a second one."""
    while_working(tmp_path, tactic, nothing, wire=wire)


def test_a_child_that_is_never_seen_ends_its_tactic_by_reading(tmp_path: Path) -> None:
    """Lost four times: no second child for 180 s, then it counts as never placed, and the slot is free."""
    market = steady_market([60_000] * 300)
    with a_house(tmp_path, a_tactic_config(), market, wire=["request lost"] * 4) as house:
        report = work(house, "aggressive_limit", quantity=D("0.4"), seconds=230)
        assert report.outcome == "WORKING"
        (submitted,) = house.of(OrderSubmitted)
        (end,) = house.of(TacticEnded)
        assert end.reason == "failed: unseen"
        assert end.at_ns - submitted.at_ns >= 180 * NS
        assert house.bot.orders.watched() == (submitted.client_order_id,)
        check(house, D("0.4"))


def test_what_is_not_placed_yet_counts_as_exposure_and_holds_its_slot(tmp_path: Path) -> None:
    """Between two slices nothing lives at the venue, and yet the room is taken and the slot is busy."""
    with a_house(tmp_path, a_tactic_config(twap_patience_pct=0), steady_market(MARKETS["flat"])) as house:

        async def scenario() -> tuple[Decimal, Decimal, ExecutionReport]:
            await house.clock.sleep(1)
            await house.bot.engine.place_order(order(house, "twap", quantity=D("0.4")))
            await house.clock.sleep(3)
            exposure = house.built.parts.collector.exposure("BTC-PERP", D(60_000))
            second = await house.bot.engine.place_order(order(house, "market", "2"))
            await house.clock.sleep(30)
            return exposure.position, exposure.working_buy, second

        position, working, second = house.run(scenario)
        assert position + working == D("0.4")
        assert working == D("0.3")
        assert (second.outcome, second.code) == ("REFUSED", "slot_busy")
        check(house, D("0.4"))


@pytest.mark.parametrize("tactic", WORKED)
def test_a_stop_of_the_bot_leaves_no_working_order(tmp_path: Path, tactic: str) -> None:
    """Entries that would go on for longer are wound down; the rest comes to its end."""
    with a_house(tmp_path, a_tactic_config(twap_duration_seconds=600, iceberg_timeout_seconds=600)) as house:

        async def scenario() -> None:
            await house.clock.sleep(1)
            await house.bot.engine.place_order(order(house, tactic, quantity=D("0.4")))
            await house.clock.sleep(2.5)
            await house.bot.stop("the test is over")

        house.run(scenario)
        assert house.bot.tracker.working() == ()
        assert house.adapter.venue.open_orders() == ()


@pytest.mark.parametrize("tactic", ["aggressive_limit", "post_only_chase", "twap", "iceberg"])
def test_no_entry_is_priced_by_a_stale_book(tmp_path: Path, tactic: str) -> None:
    """The market says nothing for 40 s: after the first 15 nothing is sent until it speaks again."""
    market = steady_market([60_000 + 10 * step for step in range(16)], silence=(8, 40.0))
    times: dict[str, Any] = {"aggressive_limit_timeout_seconds": 60, "post_only_chase_timeout_seconds": 60}
    with a_house(tmp_path, a_tactic_config(**times, twap_duration_seconds=60), market) as house:
        work(house, tactic, quantity=D("0.4"), seconds=50)
        quiet = [event for event in house.of(OrderSubmitted) if START_NS + 23 * NS < event.at_ns < START_NS + 48 * NS]
        assert quiet == []
        check(house, D("0.4"), ended=False)


def test_a_working_tactic_goes_on_under_another_engine(tmp_path: Path) -> None:
    """TWAP began under the advanced engine; the baseline takes over, which has no TWAP, and it ends as planned."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS["rising"])) as house:

        async def scenario() -> ExecutionReport:
            await house.clock.sleep(1)
            await house.bot.engine.place_order(order(house, "twap", quantity=D("0.4")))
            await house.clock.sleep(7)
            selection = ExecutionEngineFactory.select(a_config().risk, EngineChoice.LIVE)
            house.bot.engine = ExecutionEngineFactory.create_engine(selection, house.built.parts)
            refused = await house.bot.engine.place_order(order(house, "market", "2"))
            await house.clock.sleep(60)
            return refused

        refused = house.run(scenario)
        assert refused.code == "slot_busy"
        assert house.bot.engine.name == "LiveExecutionEngine"
        assert check(house, D("0.4")) == D("0.4")


# --- restart -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("after_seconds", [0.005, 1.3, 2.5, 7.0])
@pytest.mark.parametrize("market", ["flat", "falling", "rising"])
@pytest.mark.parametrize("tactic", WORKED)
def test_a_tactic_is_taken_up_again_after_a_kill(
    tmp_path: Path, tactic: str, market: str, after_seconds: float
) -> None:
    """Killed at any moment and restarted three seconds later: the same plan, no child twice, the same end."""
    with a_house(tmp_path, a_tactic_config(), steady_market(MARKETS[market])) as house:
        first = house.events

        async def begin() -> None:
            await house.clock.sleep(1)
            task = asyncio.ensure_future(house.bot.engine.place_order(order(house, tactic, quantity=D("0.4"))))
            await house.clock.sleep(after_seconds)
            task.cancel()
            del first[len(first) :]

        run_and_die(house, begin)
        adapter, clock = house.adapter, house.clock
    with EventStore.open(tmp_path / "events.sqlite", "test-run", 2, durable=False) as store:
        again = second_house(adapter, clock, store)
        again.events[:0] = first

        async def live_on() -> None:
            assert len(again.bot.tracker.working()) <= 1
            await clock.sleep(75)

        again.run(live_on)
        filled = check(again, D("0.4"))
        assert len(again.of(TacticStarted)) == len(again.of(TacticEnded)) == 1
        if tactic in ("aggressive_limit", "twap"):
            assert filled == D("0.4")


def run_and_die(house: House, scenario: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Play it, then end with the loop: every timer, task and listener of the first boot is gone, nothing is told."""

    async def main() -> None:
        await house.bot.start()
        await scenario()
        await house.adapter.close()

    run_virtual(house.clock, house.adapter, main)


def second_house(adapter: BadWire, clock: VirtualClock, store: EventStore) -> House:
    identity = RunIdentity(
        run_id="test-run", boot=2, environment="simulated", config_digest="", market="steady", seed=0
    )
    built = PerpsBotBuilder(
        a_tactic_config(), adapter=adapter, clock=clock, journal=store, identity=identity, bar_seconds=60
    ).build()
    return House(built, adapter, store, clock)


# --- anything ------------------------------------------------------------------------------------------------------
@settings(max_examples=25, deadline=None)
@given(
    tactic=st.sampled_from(TACTICS),
    side=st.sampled_from(Side),
    lots=st.integers(1, 300),
    moves=st.lists(st.integers(-8, 8), min_size=10, max_size=40),
    pace=st.sampled_from([0.3, 1.0, 1.45]),
    wire=st.lists(st.sampled_from(["sound", "reply lost", "unavailable"]), max_size=3),
    cancels=st.lists(st.sampled_from(["sound", "swallowed", "unavailable"]), max_size=4),
)
def test_no_market_and_no_wire_breaks_the_invariants(  # noqa: PLR0917 - hypothesis names them
    tmp_path_factory: pytest.TempPathFactory,
    tactic: str,
    side: Side,
    lots: int,
    moves: list[int],
    pace: float,
    wire: list[str],
    cancels: list[str],
) -> None:
    """Random walks, sizes above the depth of the book, and faults in between."""
    prices = list(itertools.accumulate(moves, lambda price, move: price + 5 * move, initial=60_000))
    market = steady_market(prices + [prices[-1]] * 200, seconds_each=pace)
    quantity = lots * D("0.1")
    with a_house(tmp_path_factory.mktemp("anything"), a_tactic_config(), market, wire=wire, cash=10**8) as house:
        house.adapter.cancel_script = list(cancels)
        work(house, tactic, side=side, quantity=quantity, seconds=55)
        check(house, quantity, ended=False)
