"""Is it written down?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, an_order
from tests.house_under_test import House, a_config, a_house

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import VenueUnavailableError
from gpt_trader.core.events import GuardTripped, OrderCancelRequested, OrderFilled, OrderSubmitted
from gpt_trader.core.values import ExecutionReport, OrderState, OrderType, TimeInForce
from gpt_trader.placement.submitter import RetryPolicy


def place(house: House, *, valid_seconds: float = 60.0, wait_seconds: float = 0.0) -> ExecutionReport:
    async def scenario() -> ExecutionReport:
        now_ns = house.clock.now_ns()
        request = an_order(quantity=D("0.1"), created_ns=now_ns, valid_until_ns=now_ns + round(valid_seconds * NS))
        report = await house.bot.engine.place_order(request)
        await house.clock.sleep(wait_seconds)
        return report

    report: ExecutionReport = house.run(scenario)
    return report


def the_order(house: House) -> OrderState:
    (submitted,) = house.of(OrderSubmitted)
    order = house.bot.orders.find(submitted.client_order_id)
    assert order is not None
    return order.state


@pytest.mark.parametrize(
    "wire",
    [
        ["unavailable"],
        ["rate limited"],
        ["request lost"],
        ["reply lost"],
        ["unavailable", "reply lost", "request lost"],
        ["reply lost", "reply lost", "rate limited"],
    ],
)
def test_f02_a_failing_wire_never_doubles_an_order(tmp_path: Path, wire: Sequence[str]) -> None:
    """Each attempt sends the same bytes under the same id; the position is what was asked, once."""
    with a_house(tmp_path, wire=wire) as house:
        place(house, wait_seconds=30)
        assert len(set(house.adapter.bodies)) == 1
        assert house.bot.ledger.position("BTC-PERP").quantity == D("0.1")
        assert the_order(house) is OrderState.FILLED
        assert len(house.of(OrderSubmitted)) == 1
        house.check_invariants()


def test_a_lost_reply_is_unknown_until_the_stream_or_a_second_send_proves_it(tmp_path: Path) -> None:
    """The outcome is told as unknown, never as not placed."""
    with a_house(tmp_path, wire=["reply lost"]) as house:
        place(house, wait_seconds=5)
        kinds = house.kinds()
        assert "OrderFilled" in kinds
        assert "OrderFailed" not in kinds
        house.check_invariants()


def test_after_the_last_attempt_an_unknown_order_stays_unknown_and_counts_in_full(tmp_path: Path) -> None:
    """Four lost requests prove nothing; the exposure stays reserved and the slot stays shut."""
    with a_house(tmp_path, wire=["request lost"] * 4) as house:
        report = place(house)
        assert report.outcome == "UNKNOWN"
        assert the_order(house) is OrderState.UNKNOWN
        assert house.bot.orders.open_quantities("BTC-PERP")[0] == D("0.1")
        assert len(house.adapter.bodies) == 4
        house.check_invariants()


def test_what_surely_never_arrived_fails_after_the_last_attempt(tmp_path: Path) -> None:
    """Turned away unread four times: not placed, and the exposure is free again."""
    with a_house(tmp_path, wire=["unavailable"] * 4) as house:
        report = place(house)
        assert report.outcome == "FAILED"
        assert house.bot.orders.open_quantities("BTC-PERP")[0] == 0
        house.check_invariants()


def test_where_a_second_send_could_place_a_second_order_nothing_is_sent_again(tmp_path: Path) -> None:
    """A venue whose create is not idempotent: what may have arrived is read, never repeated."""
    with a_house(tmp_path, wire=["request lost"]) as house:
        house.adapter.idempotent = False
        assert place(house, wait_seconds=40).outcome == "UNKNOWN"
        assert len(house.adapter.bodies) == 1
        house.check_invariants()


def test_a_dead_intent_is_not_sent_again(tmp_path: Path) -> None:
    """A re-POST may itself place the order, so it needs a living intent: valid for 2 s, the second wait goes past it."""
    with a_house(tmp_path, wire=["request lost"] * 4) as house:
        place(house, valid_seconds=2.0)
        assert 1 <= len(house.adapter.bodies) <= 2
        assert the_order(house) is OrderState.UNKNOWN
        house.check_invariants()


def test_a_refusal_by_the_venue_is_an_end_and_is_not_repeated(tmp_path: Path) -> None:
    """The venue looked and said no; its code is kept."""
    for number, (fault, code) in enumerate((("refused", "INVALID_LIMIT_PRICE"), ("poor", "INSUFFICIENT_FUND"))):
        with a_house(tmp_path / str(number), wire=[fault]) as house:
            report = place(house)
            assert report.outcome == "REJECTED"
            assert len(house.adapter.bodies) == 1
            (submitted,) = house.of(OrderSubmitted)
            order = house.bot.orders.find(submitted.client_order_id)
            assert order is not None
            assert order.reason == code
            house.check_invariants()


def test_a_told_wait_is_kept(tmp_path: Path) -> None:
    """Retry-After of 7 s beats the policy's first second."""
    with a_house(tmp_path, wire=["rate limited"]) as house:
        place(house)
        (fill,) = house.of(OrderFilled)
        (submitted,) = house.of(OrderSubmitted)
        assert fill.at_ns - submitted.at_ns >= 7 * NS
        house.check_invariants()


@pytest.mark.parametrize(
    ("attempt", "draw", "seconds"),
    [(1, 0.5, 1.0), (2, 0.5, 2.0), (3, 0.5, 4.0), (1, 0.0, 0.75), (1, 1.0, 1.25), (9, 0.5, 30.0), (9, 1.0, 37.5)],
)
def test_waits_double_with_jitter_up_to_the_cap(attempt: int, draw: float, seconds: float) -> None:
    """Base 1 s, factor 2, cap 30 s, a quarter up or down."""
    assert RetryPolicy().wait(attempt, draw) == pytest.approx(seconds)


# --- cancels ------------------------------------------------------------------------------------------------------
def within(house: House, seconds: float) -> dict[str, Any]:
    """Made now and valid so long."""
    now_ns = house.clock.now_ns()
    return {"created_ns": now_ns, "valid_until_ns": now_ns + round(seconds * NS)}


async def rest_two_entries(house: House) -> None:
    """Two buys far below the market, of two strategies."""
    for number in (1, 2):
        request = an_order(
            intent_id=f"i{number}",
            strategy=f"s{number}",
            quantity=D("0.1"),
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            limit_price=D(59_000),
            **within(house, 60),
        )
        assert (await house.bot.engine.place_order(request)).outcome == "RESTING"


@pytest.mark.parametrize(("fault", "left"), [("request lost", 1), ("reply lost", 0), ("swallowed", 1)])
def test_f25_a_cancel_without_an_answer_is_looked_up(tmp_path: Path, fault: str, left: int) -> None:
    """It neither ends the round nor counts as done: what became of the order is read."""
    with a_house(tmp_path) as house:

        async def scenario() -> bool:
            await rest_two_entries(house)
            house.adapter.cancel_script = [fault]
            return await house.bot.submitter.cancel_entries("a drill")

        assert house.run(scenario) == (left == 0)
        assert len(house.adapter.venue.open_orders()) == left
        assert len(house.of(OrderCancelRequested)) == 2
        house.check_invariants()


def test_a_cancel_that_fails_does_not_save_the_other_entries(tmp_path: Path) -> None:
    """All are asked for before the failure is told."""
    with a_house(tmp_path) as house:

        async def scenario() -> None:
            await rest_two_entries(house)
            house.adapter.cancel_script = ["unavailable"]
            with pytest.raises(VenueUnavailableError):
                await house.bot.submitter.cancel_entries("a drill")

        house.run(scenario)
        assert len(house.adapter.venue.open_orders()) == 1


@pytest.mark.parametrize("fault", ["request lost", "swallowed", "unavailable"])
def test_a_guard_asks_again_soon_until_no_entry_lives(tmp_path: Path, fault: str) -> None:
    """Not a guard interval later: seconds later."""
    with a_house(tmp_path, a_config(daily_loss_limit=10)) as house:

        async def scenario() -> None:
            running = asyncio.ensure_future(house.bot.run_until_stopped())
            await house.clock.sleep(1)
            await rest_two_entries(house)
            house.adapter.cancel_script = [fault, fault]
            await house.bot.engine.place_order(
                an_order(intent_id="loss", strategy="s3", quantity=D("5"), **within(house, 60))
            )
            await house.clock.sleep(15)
            house.bot.request_stop("done")
            await running

        house.run(scenario)
        assert house.of(GuardTripped)
        assert house.adapter.venue.open_orders() == ()
