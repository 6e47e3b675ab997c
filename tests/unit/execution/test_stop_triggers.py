"""Stops and targets, kept over the paper venue by the whole bot: one keeper, one closer, out in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, an_order
from tests.house_under_test import House, a_config, a_house, steady_market

from gpt_trader.core.clock import NS
from gpt_trader.core.events import (
    Event,
    OrderApproved,
    OrderCancelled,
    OrderCancelRequested,
    OrderFilled,
    OrderReconciled,
    OrderSubmitted,
    PositionClosed,
    SlippageExceeded,
    StopEscalated,
    StopKept,
    StopPlanned,
    StopReleased,
    StopTriggered,
    SystemError,  # noqa: A004 - the event, not the builtin
)
from gpt_trader.core.values import ExecutionReport, OrderRequest, OrderState, OrderType, Side, TimeInForce
from gpt_trader.execution.factory import EngineChoice, ExecutionEngineFactory

ENGINES = {"live": {}, "advanced": {"enable_market_impact_guard": True, "max_market_impact_bps": 100}}
STOP = D(59_700)
Open = Callable[..., AbstractContextManager[House]]


def falling(to: int, *, quiet_seconds: int = 20, after_seconds: int = 60) -> list[int]:
    """60 000 for a while, then `to` at once."""
    return [60_000] * quiet_seconds + [to] * after_seconds


@pytest.fixture(params=ENGINES)
def open_house(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    def open_it(prices: Sequence[int], wire: Sequence[str] = (), **risk: Any) -> AbstractContextManager[House]:
        return a_house(tmp_path, a_config(**ENGINES[request.param], **risk), steady_market(prices), wire=wire)

    return open_it


@pytest.fixture
def open_advanced(tmp_path: Path) -> Open:
    def open_it(prices: Sequence[int], wire: Sequence[str] = (), **risk: Any) -> AbstractContextManager[House]:
        return a_house(tmp_path, a_config(**ENGINES["advanced"], **risk), steady_market(prices), wire=wire)

    return open_it


def order(house: House, name: str, **changes: Any) -> OrderRequest:
    now_ns = house.clock.now_ns()
    return an_order(**{"intent_id": name, "created_ns": now_ns, "valid_until_ns": now_ns + 60 * NS, **changes})


def run(house: House, *steps: dict[str, Any] | float) -> list[ExecutionReport]:
    """Place orders and let seconds pass, in turn."""

    async def scenario() -> list[ExecutionReport]:
        reports = []
        for number, step in enumerate(steps):
            if isinstance(step, dict):
                reports.append(await house.bot.engine.place_order(order(house, f"i{number}", **step)))
            else:
                await house.clock.sleep(step)
        return reports

    reports: list[ExecutionReport] = house.run(scenario)
    return reports


def entry(**changes: Any) -> dict[str, Any]:
    return {"quantity": D("0.3"), "protective_stop": STOP, **changes}


CLOSE = {"side": Side.SELL, "quantity": D("0.3"), "reduce_only": True}


def closers_living(house: House) -> list[str]:
    return [order.client_order_id for order in house.bot.orders.living() if order.submitted.reduce_only]


def most_closers_at_once(events: Sequence[Event]) -> int:
    """Largest number of reduce-only orders that could fill at the same time, by the log."""
    living: set[str] = set()
    most = 0
    for event in events:
        if isinstance(event, OrderSubmitted) and event.reduce_only:
            living.add(event.client_order_id)
        elif isinstance(event, OrderFilled) and event.state is not OrderState.FILLED:
            continue
        elif type(event).__name__ in {"OrderFilled", "OrderCancelled", "OrderExpired", "OrderRejected", "OrderFailed"}:
            living.discard(event.client_order_id)
        most = max(most, len(living))
    return most


def test_a_stop_is_planned_before_the_entry_leaves_and_rests_at_the_venue_after_it_fills(open_house: Open) -> None:
    """Written down first; then one reduce-only stop-limit of the position's size, its limit 1 % beyond."""
    with open_house(falling(60_000)) as house:
        run(house, entry(), 3.0)
        kinds = house.kinds()
        assert kinds.index("StopPlanned") < kinds.index("OrderSubmitted")
        (kept,) = house.of(StopKept)
        assert (kept.keeper, kept.kind, kept.trigger_price, kept.quantity) == ("VENUE", "STOP", STOP, D("0.3"))
        stop = house.of(OrderSubmitted)[-1]
        assert (stop.order_type, stop.side, stop.reduce_only) == (OrderType.STOP_LIMIT, Side.SELL, True)
        assert (stop.stop_price, stop.limit_price, stop.quantity) == (STOP, D(59_105), D("0.3"))
        assert len(house.adapter.venue.open_orders()) == 1
        house.check_invariants()


def test_an_entry_without_a_stop_gets_none(open_house: Open) -> None:
    """Unless the profile asks for it, nothing is set by itself."""
    with open_house(falling(60_000)) as house:
        run(house, entry(protective_stop=None), 3.0)
        assert house.of(StopPlanned) == house.of(StopKept) == []


def test_a_missing_stop_is_set_where_the_profile_asks_for_it(open_house: Open) -> None:
    """1.5 % below the mark of 60 000."""
    with open_house(falling(60_000), enable_protective_stops=True, default_stop_loss_pct=D("0.015")) as house:
        run(house, entry(protective_stop=None), 3.0)
        (kept,) = house.of(StopKept)
        assert kept.trigger_price == D(59_100)
        house.check_invariants()


def test_the_venue_s_stop_closes_the_position_and_is_told_once(open_house: Open) -> None:
    """Through the stop but not through its limit: the venue does it, nothing is escalated."""
    with open_house(falling(59_650)) as house:
        run(house, entry(), 40.0)
        (triggered,) = house.of(StopTriggered)
        assert (triggered.stop_id, triggered.trigger_price) == ("i0:stop", STOP)
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        assert house.of(StopEscalated) == []
        assert [event.reason for event in house.of(StopReleased)] == ["position closed"]
        assert most_closers_at_once(house.events) == 1
        house.check_invariants()


def test_a_stop_far_from_the_market_is_no_costly_intent(open_house: Open) -> None:
    """It waited 1.5 % away and filled 5 below its trigger: that is what it cost, 0.8 bps and not 158."""
    with open_house(falling(59_100)) as house:
        run(house, entry(protective_stop=D(59_100)), 40.0)
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        assert house.of(SlippageExceeded) == []
        assert [(event.outcome, event.slippage_bps) for event in house.of(OrderReconciled)[-2:]] == [
            ("RESTING", None),
            ("FILLED", D("0.8460")),
        ]
        assert house.built.metrics.arrival_cost == D("1.5") + D("1.5")  # 5 of 0.3 in, 5 of 0.3 out
        house.check_invariants()


def test_a_gap_through_the_stop_escalates(open_house: Open) -> None:
    """The market opens below the stop's limit: after 5 s it is cancelled and a market exit sent; fired once."""
    with open_house(falling(58_500)) as house:
        run(house, entry(), 40.0)
        assert len(house.of(StopTriggered)) == 1
        (escalated,) = house.of(StopEscalated)
        assert (escalated.attempt, escalated.open_quantity) == (2, D("0.3"))
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        assert house.of(OrderFilled)[-1].price == D(58_495)
        kinds = house.kinds()
        cancelled, last_exit = kinds.index("OrderCancelled"), len(kinds) - 1 - kinds[::-1].index("OrderSubmitted")
        assert cancelled < last_exit, "the old closer is proven gone before the new one leaves"
        assert most_closers_at_once(house.events) == 1
        house.check_invariants()


def test_a_strategy_s_exit_is_let_by(open_house: Open) -> None:
    """The venue's stop is taken back first; never two living closers; nothing is left behind."""
    with open_house(falling(60_000)) as house:
        reports = run(house, entry(), 3.0, CLOSE, 5.0)
        assert [report.outcome for report in reports] == ["FILLED", "FILLED"]
        assert [event.keeper for event in house.of(StopKept)] == ["VENUE", "LOCAL"]
        assert most_closers_at_once(house.events) == 1
        assert closers_living(house) == []
        assert house.adapter.venue.open_orders() == ()
        house.check_invariants()


def test_after_a_partial_exit_the_rest_is_protected_again(open_house: Open) -> None:
    """0.1 of 0.3 is closed: the venue keeps a stop of 0.2."""
    with open_house(falling(60_000)) as house:
        run(house, entry(), 3.0, {**CLOSE, "quantity": D("0.1")}, 5.0)
        (resting,) = house.adapter.venue.open_orders()
        assert [event.keeper for event in house.of(StopKept)] == ["VENUE", "LOCAL", "VENUE"]
        assert house.of(OrderSubmitted)[-1].quantity == D("0.2")
        assert resting.client_order_id == house.of(OrderSubmitted)[-1].client_order_id
        house.check_invariants()


def test_a_stop_that_cannot_be_taken_back_is_tried_again_once_a_second(open_house: Open) -> None:
    """A venue that turns cancels away at once, as under a limit of requests, is not asked without a pause."""
    with open_house([60_000] * 120) as house:
        house.adapter.cancel_script = ["unavailable"] * 2_000
        run(house, {"quantity": D("0.1"), "protective_stop": STOP}, 5.0, {"quantity": D("0.2")}, 20.0)

        asked = house.of(OrderCancelRequested)
        assert 2 <= len(asked) <= 30


def test_a_second_entry_makes_the_stop_larger_and_keeps_the_tighter_price(open_house: Open) -> None:
    """One net position, one leg: 0.5 in all, at the nearer of both stops."""
    with open_house(falling(60_000)) as house:
        run(house, entry(), 3.0, entry(quantity=D("0.2"), protective_stop=D(59_800)), 5.0)
        last = house.of(StopKept)[-1]
        assert (last.stop_id, last.trigger_price, last.quantity, last.keeper) == (
            "i0:stop",
            D(59_800),
            D("0.5"),
            "VENUE",
        )
        assert len(house.adapter.venue.open_orders()) == 1
        assert most_closers_at_once(house.events) == 1
        house.check_invariants()


def test_f74_a_stop_that_the_venue_refuses_is_kept_here_and_fires(open_house: Open) -> None:
    """Never naked: after three refusals the bot keeps it and closes at the market of then."""
    with open_house(falling(59_650), wire=("sound", "refused", "refused", "refused")) as house:
        run(house, entry(), 40.0)
        assert house.of(StopKept)[-1].keeper == "LOCAL"
        assert "INVALID_LIMIT_PRICE" in house.of(StopKept)[-1].reason
        assert len(house.of(StopTriggered)) == 1
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        house.check_invariants()


def test_a_stop_whose_cancel_is_not_proven_stays_where_it_is(open_house: Open) -> None:
    """The venue swallows the cancel that makes way for an exit: the stop still rests there, and nothing joins it."""
    with open_house(falling(60_000)) as house:

        async def scenario() -> ExecutionReport:
            await house.bot.engine.place_order(order(house, "i0", **entry()))
            await house.clock.sleep(3)
            house.adapter.cancel_script = ["swallowed"]
            report = await house.bot.engine.place_order(order(house, "close", **CLOSE))
            await house.clock.sleep(3)
            return report

        report = house.run(scenario)
        assert (report.outcome, report.code) == ("REFUSED", "nothing_to_reduce")
        assert [event.keeper for event in house.of(StopKept)] == ["VENUE"]
        assert len(house.adapter.venue.open_orders()) == 1
        assert most_closers_at_once(house.events) == 1
        house.check_invariants()


def test_the_third_failed_exit_is_an_alarm(open_advanced: Open) -> None:
    """The venue refuses exit after exit: each next one is told, the third loudly, and in the end it is out."""
    wire = ("sound", "refused", "refused", "refused")
    with open_advanced(falling(59_500, after_seconds=120), wire=wire) as house:
        run(house, {"quantity": D("0.3"), "trailing_stop": D("0.005")}, 100.0)
        assert [event.attempt for event in house.of(StopEscalated)] == [2, 3, 4]
        (alarm,) = house.of(SystemError)
        assert (alarm.source, alarm.action) == ("stop keeper", "tried until it is closed")
        assert "still open after attempt 2" in alarm.message
        assert len(house.of(StopTriggered)) == 1
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        house.check_invariants()


def test_a_stop_survives_a_change_of_engine(open_house: Open) -> None:
    """Stops belong to the house: the other engine's hallway closes what this one opened."""
    with open_house(falling(58_500)) as house:
        before = house.bot.engine.name

        async def scenario() -> None:
            await house.bot.engine.place_order(order(house, "i0", **entry()))
            await house.clock.sleep(3)
            other = EngineChoice.LIVE if before == "AdvancedExecutionEngine" else EngineChoice.ADVANCED
            selection = ExecutionEngineFactory.select(a_config().risk, other)
            house.bot.engine = ExecutionEngineFactory.create_engine(selection, house.built.parts)
            await house.clock.sleep(40)

        house.run(scenario)
        assert house.bot.engine.name != before
        assert len(house.of(StopTriggered)) == 1
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        house.check_invariants()


def test_a_stop_that_is_passed_already_fires_at_once(open_house: Open) -> None:
    """The price falls through the stop while the entry is on its way."""
    with open_house([60_000] * 3 + [59_600] * 60) as house:

        async def scenario() -> None:
            await house.clock.sleep(2.985)  # fills 10 ms later at the old price; we hear of it at the new one
            await house.bot.engine.place_order(order(house, "i0", **entry(protective_stop=D(59_900))))
            await house.clock.sleep(20)

        house.run(scenario)
        assert len(house.of(StopTriggered)) == 1
        assert house.of(StopKept) == []
        assert [sent.order_type for sent in house.of(OrderSubmitted)] == [OrderType.LIMIT] * 2
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        house.check_invariants()


def test_when_the_venue_liquidates_the_stop_is_released(tmp_path: Path) -> None:
    """Nothing is kept for a position that is gone, whoever closed it."""
    config = a_config(max_stop_distance_pct=D("0.5"), max_leverage=50, max_exposure_pct=10)
    market = steady_market([60_000] * 10 + [48_000] * 30)
    with a_house(tmp_path, config, market, cash=10_000) as house:
        run(house, {"quantity": D("0.8"), "protective_stop": D(57_000)}, 30.0)
        assert "LIQUIDATION" in {event.cause for event in house.of(OrderFilled)}
        assert len(house.of(PositionClosed)) == 1
        assert house.of(StopReleased)[-1].reason == "position closed"
        assert house.bot.stops.kept() == ()
        assert closers_living(house) == []


# --- what only the advanced engine offers ------------------------------------------------------------------------
def test_a_trailing_stop_follows_and_fires(open_advanced: Open) -> None:
    """Up to 60 600, then down: out 0.5 % below the best price, or at the next trade below it."""
    up, down = list(range(60_000, 60_605, 20)), list(range(60_600, 59_900, -20))
    with open_advanced([60_000] * 5 + up + down) as house:
        run(house, {"quantity": D("0.3"), "trailing_stop": D("0.005")}, 60.0)
        (triggered,) = house.of(StopTriggered)
        assert triggered.trigger_price == D(60_300)  # 60 600 less 0.5 %, on the tick of 5, no later than asked
        assert D(60_280) <= triggered.price <= D(60_300)
        assert {event.keeper for event in house.of(StopKept)} == {"LOCAL"}
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        house.check_invariants()


SPIKE_STEPS = 400
"""Of 50 ms."""


@pytest.mark.parametrize(
    ("spike", "asked", "fired"),
    [
        (59_600, {"trailing_stop": D("0.005")}, ("i0:stop", D(59_705))),
        (60_900, {"protective_stop": STOP, "target_price": D(60_800)}, ("i0:target", D(60_800))),
    ],
)
def test_what_is_touched_between_two_looks_fires(
    tmp_path: Path, spike: int, asked: dict[str, Any], fired: tuple[str, Any]
) -> None:
    """Every trade is looked at: a touch of 50 ms, in the middle of a second, and the next look would see nothing."""
    prices = [60_000] * SPIKE_STEPS
    prices[130] = spike  # at 6.5 s; looks are at whole seconds after the fill
    market = steady_market(prices, seconds_each=0.05)
    with a_house(tmp_path, a_config(**ENGINES["advanced"]), market) as house:
        run(house, {"quantity": D("0.3"), **asked}, 12.0)
        (triggered,) = house.of(StopTriggered)
        assert (triggered.stop_id, triggered.trigger_price) == fired
        assert triggered.price == spike
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        house.check_invariants()


def test_a_trail_follows_a_peak_between_two_looks(tmp_path: Path) -> None:
    """A peak of 50 ms at 60 600 counts: the stop lies 0.5 % below it afterwards, 60 297, on the tick above."""
    prices = [60_000] * 130 + [60_600] + [60_400] * 200
    with a_house(tmp_path, a_config(**ENGINES["advanced"]), steady_market(prices, seconds_each=0.05)) as house:
        run(house, {"quantity": D("0.3"), "trailing_stop": D("0.005")}, 12.0)
        assert house.bot.stops.kept()[0].trigger_price == D(60_300)


def test_a_bracket_takes_profit_and_cancels_its_stop_first(open_advanced: Open) -> None:
    """The stop rests at the venue, the target is kept here; one cancels the other, proven, before the exit leaves."""
    with open_advanced(falling(60_900)) as house:
        run(house, entry(target_price=D(60_800)), 40.0)
        (triggered,) = house.of(StopTriggered)
        assert triggered.stop_id == "i0:target"
        assert house.of(OrderFilled)[-1].price == D(60_895)
        assert len(house.of(OrderCancelled)) == 1
        assert most_closers_at_once(house.events) == 1
        reasons = {event.stop_id: event.reason for event in house.of(StopReleased)}
        assert reasons == {"i0:stop": "the other of the pair fired", "i0:target": "position closed"}
        house.check_invariants()


def test_a_short_is_protected_the_other_way_round(open_advanced: Open) -> None:
    """A buy stop above the market."""
    with open_advanced(falling(60_400)) as house:
        run(house, {"side": Side.SELL, "quantity": D("0.3"), "protective_stop": D(60_300)}, 40.0)
        (triggered,) = house.of(StopTriggered)
        assert triggered.trigger_price == D(60_300)
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        house.check_invariants()


def test_a_stop_limit_leaves_at_its_own_limit(open_advanced: Open) -> None:
    """Stop 59 700, limit 59 600: the order at the venue carries both."""
    with open_advanced(falling(60_000)) as house:
        run(house, entry(protective_limit=D(59_600)), 3.0)
        stop = house.of(OrderSubmitted)[-1]
        assert (stop.stop_price, stop.limit_price) == (STOP, D(59_600))
        assert house.of(StopKept)[-1].kind == "STOP_LIMIT"
        house.check_invariants()


def test_a_fired_stop_cancels_what_still_adds_to_the_position(open_advanced: Open) -> None:
    """The entry rests with a part unfilled when the stop fires: it is cancelled, and the position stays closed."""
    resting = {
        "quantity": D(3),
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "limit_price": D(60_010),
        "protective_stop": D(59_900),
    }
    with open_advanced([60_000] * 10 + [59_880] * 40) as house:
        run(house, resting, 45.0)
        assert house.of(StopTriggered)
        assert [order for order in house.bot.orders.living() if not order.submitted.reduce_only] == []
        house.check_invariants()


def test_a_bot_that_stops_leaves_its_trail_with_the_venue(open_advanced: Open) -> None:
    """Nobody watches any more: where the trail stood, the venue keeps it."""
    with open_advanced([60_000] * 100) as house:

        async def scenario() -> None:
            await house.bot.engine.place_order(order(house, "i0", quantity=D("0.3"), trailing_stop=D("0.005")))
            await house.clock.sleep(3)
            await house.bot.stop("test")

        house.run(scenario)
        assert [event.keeper for event in house.of(StopKept)] == ["LOCAL", "VENUE"]
        (resting,) = house.of(OrderSubmitted)[1:]
        assert (resting.order_type, resting.stop_price) == (OrderType.STOP_LIMIT, D(59_705))
        assert len(house.adapter.venue.open_orders()) == 1


# --- what the baseline says of what it does not offer ------------------------------------------------------------
def test_the_baseline_refuses_a_trailing_stop_by_name(tmp_path: Path) -> None:
    """What an engine cannot do is refused, never downgraded."""
    with a_house(tmp_path) as house:
        (report,) = run(house, {"quantity": D("0.1"), "trailing_stop": D("0.01")})
        assert (report.outcome, report.code) == ("REFUSED", "unsupported_order_type")


def test_the_baseline_judges_a_target_and_says_that_it_does_not_keep_it(tmp_path: Path) -> None:
    """The decision carries it, so that nobody waits for a profit to be taken."""
    with a_house(tmp_path) as house:
        run(house, entry(target_price=D(60_800)), 3.0)
        approved = house.of(OrderApproved)[0]
        assert approved.validation["target_kept"] == "no: this engine keeps stops only"
        assert {event.kind for event in house.of(StopKept)} == {"STOP"}
