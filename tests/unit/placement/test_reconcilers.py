"""What became of the order? Unknown outcomes over the paper venue, until they have an end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import D, an_order
from tests.house_under_test import House, a_house, steady_market

from gpt_trader.core.clock import NS
from gpt_trader.core.events import (
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderSightedLate,
    OrderSubmitted,
)
from gpt_trader.core.values import ExecutionReport, OrderState
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.placement.reconcilers import EventBasedReconciler, OrderReconciler
from gpt_trader.venue.news import NewOrder

LOST = ["request lost"] * 4
SECONDS_TO_GIVE_UP = 200


def a_long_house(folder: Path, wire: list[str]) -> Any:
    return a_house(folder, market=steady_market([60_000] * 600), wire=wire)


async def place(house: House, name: str = "1") -> ExecutionReport:
    now_ns = house.clock.now_ns()
    return await house.bot.engine.place_order(
        an_order(intent_id=f"test:{name}", created_ns=now_ns, valid_until_ns=now_ns + 60 * NS)
    )


def the_order(house: House) -> ManagedOrder:
    (submitted,) = house.of(OrderSubmitted)
    order = house.bot.orders.find(submitted.client_order_id)
    assert order is not None
    return order


def a_reconciler(house: House, held: Decimal | None = None, settle_seconds: float = 180) -> OrderReconciler:
    """One that reads only when it is told to, beside the house's own."""
    return OrderReconciler(
        orders=house.bot.orders,
        adapter=house.adapter,
        bus=house.bot.bus,
        clock=house.clock,
        position=lambda symbol: house.bot.ledger.position(symbol).quantity if held is None else held,
        unknown_settle_seconds=settle_seconds,
        unknown_read_seconds=10_000,
    )


def play(house: House, scenario: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    result = house.run(scenario)
    house.check_invariants()
    return result


def test_an_order_that_is_never_seen_fails_after_its_time_and_frees_its_slot(tmp_path: Path) -> None:
    """Not before 180 s; then the exposure is free, the slot too, and the id is watched."""
    with a_long_house(tmp_path, LOST) as house:

        async def scenario() -> tuple[ExecutionReport, ExecutionReport]:
            await place(house)
            await house.clock.sleep(100)
            blocked = await place(house, "2")
            await house.clock.sleep(SECONDS_TO_GIVE_UP - 100)
            return blocked, await place(house, "3")

        blocked, free = play(house, scenario)
        assert (blocked.outcome, blocked.code) == ("REFUSED", "slot_busy")
        assert free.outcome == "FILLED"
        (failed,) = house.of(OrderFailed)
        submitted = house.of(OrderSubmitted)[0]
        assert failed.code == "unseen"
        assert 180 <= (failed.at_ns - submitted.at_ns) / NS <= SECONDS_TO_GIVE_UP
        assert house.bot.orders.watched() == (submitted.client_order_id,)


def test_f08_a_late_sighting_is_applied_in_full_and_alarmed(tmp_path: Path) -> None:
    """The request had waited somewhere for 200 s: its fill is ours, and nobody can overlook it."""
    with a_long_house(tmp_path, LOST) as house:

        async def scenario() -> None:
            await place(house)
            await house.clock.sleep(SECONDS_TO_GIVE_UP)
            assert the_order(house).state is OrderState.FAILED
            house.adapter.venue.submit(msgspec.json.decode(house.adapter.bodies[0], type=NewOrder))
            await house.clock.sleep(1)

        play(house, scenario)
        (alarm,) = house.of(OrderSightedLate)
        assert (alarm.believed, alarm.symbol) == (OrderState.FAILED, "BTC-PERP")
        assert alarm.after_seconds >= SECONDS_TO_GIVE_UP
        assert house.bot.ledger.position("BTC-PERP").quantity == D("0.1")
        assert the_order(house).state is OrderState.FILLED
        assert house.bot.orders.watched() == ()


def test_an_order_that_arrives_late_but_in_time_is_simply_what_it_is(tmp_path: Path) -> None:
    """Seen while it is still looked for: placed, filled, no alarm."""
    with a_long_house(tmp_path, LOST) as house:

        async def scenario() -> None:
            await place(house)
            await house.clock.sleep(60)
            house.adapter.venue.submit(msgspec.json.decode(house.adapter.bodies[0], type=NewOrder))
            await house.clock.sleep(SECONDS_TO_GIVE_UP)

        play(house, scenario)
        assert house.of(OrderSightedLate) == house.of(OrderFailed) == []
        assert (len(house.of(OrderPlaced)), len(house.of(OrderFilled))) == (1, 1)


def test_a_read_that_fails_proves_nothing(tmp_path: Path) -> None:
    """While open orders cannot be read the order stays unknown, however long that takes."""
    with a_long_house(tmp_path, LOST) as house:
        house.adapter.failing_reads = 20

        async def scenario() -> OrderState:
            await place(house)
            await house.clock.sleep(SECONDS_TO_GIVE_UP + 60)
            before = the_order(house).state
            await house.clock.sleep(120)
            return before

        assert play(house, scenario) is OrderState.UNKNOWN
        assert the_order(house).state is OrderState.FAILED


@pytest.mark.parametrize(("held", "state"), [(D(0), OrderState.FAILED), (D("0.1"), OrderState.UNKNOWN)])
def test_a_position_that_disagrees_proves_nothing(tmp_path: Path, held: Decimal, state: OrderState) -> None:
    """The order may be what the venue holds and we do not know of."""
    with a_long_house(tmp_path, LOST) as house:
        house.adapter.failing_reads = 1000
        reconciler = a_reconciler(house, held, settle_seconds=10)

        async def scenario() -> None:
            await place(house)
            await house.clock.sleep(20)
            house.adapter.failing_reads = 0
            for _ in range(3):
                await reconciler.read_unknown()
            house.adapter.failing_reads = 1000

        play(house, scenario)
        assert the_order(house).state is state


def test_three_complete_reads_are_needed_however_late(tmp_path: Path) -> None:
    """Time alone gives nothing up."""
    with a_long_house(tmp_path, LOST) as house:
        house.adapter.failing_reads = 1000

        async def scenario() -> list[OrderState]:
            await place(house)
            await house.clock.sleep(300)
            house.adapter.failing_reads = 0
            seen, reconciler = [], a_reconciler(house)
            for _ in range(3):
                await reconciler.read_unknown()
                seen.append(the_order(house).state)
            return seen

        assert play(house, scenario) == [OrderState.UNKNOWN, OrderState.UNKNOWN, OrderState.FAILED]


def test_after_a_restart_what_had_no_answer_is_doubted_and_read(tmp_path: Path) -> None:
    """Written down, perhaps sent: unknown, never sent again, and read to its end."""
    with a_long_house(tmp_path, []) as house:

        async def scenario() -> None:
            await place(house)
            submitted = house.of(OrderSubmitted)[0]
            house.bot.bus.publish(msgspec.structs.replace(submitted, client_order_id="gt-dead", intent_id="dead"))
            a_reconciler(house).doubt_what_has_no_answer()
            assert [event.client_order_id for event in house.of(OrderOutcomeUnknown)] == ["gt-dead"]
            await house.clock.sleep(SECONDS_TO_GIVE_UP)

        play(house, scenario)
        assert [event.client_order_id for event in house.of(OrderFailed)] == ["gt-dead"]
        assert len(house.adapter.bodies) == 1


def test_the_stream_wakes_at_once_and_the_poll_only_when_it_is_silent(tmp_path: Path) -> None:
    """Waiting for a fill costs the latency of the stream, not the interval of the poll."""
    with a_long_house(tmp_path, []) as house:
        stream = EventBasedReconciler(house.bot.orders)

        async def scenario() -> tuple[bool, float, bool]:
            await place(house)
            submitted = the_order(house)
            done = await stream.until_settled(submitted, 5)
            began_ns = house.clock.now_ns()
            resting = await house.bot.engine.place_order(
                an_order(
                    intent_id="test:rest",
                    tactic="simple_limit",
                    created_ns=began_ns,
                    valid_until_ns=began_ns + 60 * NS,
                )
            )
            order = house.bot.orders.find(resting.client_order_ids[0])
            assert order is not None
            began_ns = house.clock.now_ns()
            settled = await stream.until_settled(order, 3)
            return done, (house.clock.now_ns() - began_ns) / NS, settled

        done, waited, settled = play(house, scenario)
        assert done
        assert not settled
        assert waited == pytest.approx(3)


def test_when_the_stream_is_silent_the_poll_finds_state_and_trades(tmp_path: Path) -> None:
    """Nothing is told any more: the fill of a market order is found by asking, within a poll or two."""
    with a_long_house(tmp_path, []) as house:

        async def scenario() -> tuple[ExecutionReport, float]:
            await house.adapter.close()  # from here on it answers, and tells nothing by itself
            began_ns = house.clock.now_ns()
            report = await place(house)
            return report, (house.clock.now_ns() - began_ns) / NS

        report, seconds = house.run(scenario)
        assert (report.outcome, report.filled) == ("FILLED", D("0.1"))
        assert seconds < 2
        assert house.bot.ledger.position("BTC-PERP").quantity == D("0.1")


def test_a_tactic_finds_its_end_without_a_stream(tmp_path: Path) -> None:
    """Cancels and fills of a worked order are asked for when nobody tells them."""
    with a_long_house(tmp_path, []) as house:

        async def scenario() -> None:
            await house.adapter.close()
            now_ns = house.clock.now_ns()
            await house.bot.engine.place_order(
                an_order(intent_id="test:w", tactic="simple_limit", created_ns=now_ns, valid_until_ns=now_ns + 60 * NS)
            )
            await house.clock.sleep(60)

        house.run(scenario)
        assert house.bot.tracker.working() == ()
        assert the_order(house).is_settled
        venue = sum(abs(position.quantity) for position in house.adapter.venue.positions())
        assert venue == house.bot.ledger.position("BTC-PERP").quantity
