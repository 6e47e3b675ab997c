"""How is one attempt made? Here: an order that stands in the place of another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.builders import START_NS, D, an_order
from tests.house_under_test import House, a_config, a_house, steady_market

from gpt_trader.core.clock import NS
from gpt_trader.core.events import OrderCancelRequested, OrderPlaced, OrderSubmitted
from gpt_trader.core.values import ExecutionReport, OrderState, OrderType, Purpose, Replaced, Side, TimeInForce
from gpt_trader.placement.order_manager import ManagedOrder

PRICE = 60_000


def resting(house: House, name: str, price: int, quantity: str = "0.1", **changes: Any) -> Any:
    now_ns = house.clock.now_ns()
    fields: dict[str, Any] = {
        "intent_id": f"test:{name}",
        "strategy": "operator",
        "quantity": D(quantity),
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "limit_price": D(price),
        "created_ns": now_ns,
        "valid_until_ns": now_ns + 60 * NS,
    }
    return an_order(**fields | changes)


async def place_and_replace(
    house: House, price: int, at_seconds: float = 0.5, **changes: Any
) -> tuple[ManagedOrder, ExecutionReport]:
    """A resting buy at 59,900, and another wanted in its place so many seconds after the market began."""
    first = await house.bot.engine.place_order(resting(house, "1", 59_900))
    old = house.bot.orders.find(first.client_order_ids[0])
    assert old is not None
    await house.clock.sleep((START_NS + round(at_seconds * NS) - house.clock.now_ns()) / NS)
    replaces = Replaced(client_order_id=old.client_order_id, filled=old.filled)
    wanted = resting(house, "2", price, replaces=replaces, **changes)
    return old, await house.bot.engine.place_order(wanted)


def played(folder: Path, price: int, prices: Sequence[int] = (PRICE,) * 60, **changes: Any) -> tuple[House, Any, Any]:
    risk = changes.pop("risk", {})
    cancels = changes.pop("cancels", [])
    with a_house(folder, a_config(**risk), steady_market(prices)) as house:
        house.adapter.cancel_script = list(cancels)
        old, report = house.run(lambda: place_and_replace(house, price, **changes))
        house.check_invariants()
    return house, old, report


def test_the_new_order_leaves_when_the_old_one_is_gone(tmp_path: Path) -> None:
    """Two orders, one after the other, each with a body of its own; the slot is theirs throughout."""
    house, old, report = played(tmp_path, 59_800)

    assert (old.state, report.outcome) == (OrderState.CANCELLED, "RESTING")
    assert [order.client_order_id for order in house.bot.orders.living()] == list(report.client_order_ids)
    assert len({event.body_digest for event in house.of(OrderSubmitted)}) == 2


def test_the_old_order_does_not_count_against_the_new_one(tmp_path: Path) -> None:
    """The cap has room for one of them and not for both."""
    _, _, report = played(tmp_path, 59_800, risk={"max_quantity_per_symbol": {"BTC-PERP": "0.1"}})

    assert (report.outcome, report.quantity) == ("RESTING", D("0.1"))


def test_what_the_old_one_trades_meanwhile_is_taken_off(tmp_path: Path) -> None:
    """Together they never fill more than was asked for."""
    dip = [PRICE, PRICE, 59_890, *[PRICE] * 60]
    house, old, report = played(tmp_path, 59_900, dip, quantity="0.25", at_seconds=1.995)

    assert old.filled == D("0.1"), "the market came down to it while it was being taken back"
    assert report.quantity == D("0.15")
    sent = house.of(OrderSubmitted)
    assert sent[-1].quantity + old.filled == D("0.25")


def test_nothing_leaves_where_the_old_one_traded_it_all(tmp_path: Path) -> None:
    """The wish is fulfilled, by the old order."""
    dip = [PRICE, PRICE, 59_890, *[PRICE] * 60]
    house, old, report = played(tmp_path, 59_905, dip, at_seconds=1.995)

    assert (old.state, report.code) == (OrderState.FILLED, "below_min_size")
    assert report.numbers["filled_meanwhile"] == D("0.1")
    assert len(house.of(OrderSubmitted)) == 1


@pytest.mark.parametrize("fault", ["unavailable", "swallowed"])
def test_without_proof_nothing_new_is_sent(tmp_path: Path, fault: str) -> None:
    """A cancel that failed, or that nobody answers, leaves one order and not two."""
    house, old, report = played(tmp_path, 59_800, cancels=[fault])

    assert (report.code, report.numbers["state"]) == ("not_taken_back", "ACTIVE")
    assert old.state is OrderState.ACTIVE
    assert len(house.of(OrderSubmitted)) == 1


def test_a_lost_reply_of_the_cancel_is_looked_up(tmp_path: Path) -> None:
    """It was done all the same, so that the new one leaves."""
    _, old, report = played(tmp_path, 59_800, cancels=["reply lost"])

    assert (old.state, report.outcome) == (OrderState.CANCELLED, "RESTING")


def test_what_speaks_against_the_new_one_is_found_before_the_old_one_is_touched(tmp_path: Path) -> None:
    """Also what only the door would say: here that the bot is stopping."""
    with a_house(tmp_path, a_config()) as house:

        async def scenario() -> tuple[ManagedOrder, ExecutionReport]:
            house.bot.bus.subscribe(OrderPlaced, "stopping", lambda _: close(house))
            return await place_and_replace(house, 59_800)

        old, report = house.run(scenario)
        house.check_invariants()

    assert (report.outcome, report.code) == ("REFUSED", "shutting_down")
    assert old.state is OrderState.ACTIVE
    assert not house.of(OrderCancelRequested)


def close(house: House) -> None:
    house.bot.submitter.closing = True


def test_a_tactic_replaces_nothing(tmp_path: Path) -> None:
    """Refused by name, never dropped."""
    house, old, report = played(tmp_path, 59_800, tactic="simple_limit")

    assert (report.outcome, report.code) == ("REFUSED", "unsupported_tactic")
    assert old.state is OrderState.ACTIVE
    assert not house.of(OrderCancelRequested)


def test_an_exit_is_replaced_within_the_position(tmp_path: Path) -> None:
    """The old exit holds all that can be closed, and gives way."""
    with a_house(tmp_path, a_config()) as house:

        async def scenario() -> ExecutionReport:
            at_market: dict[str, Any] = {
                "order_type": OrderType.MARKET,
                "time_in_force": TimeInForce.IOC,
                "limit_price": None,
            }
            await house.bot.engine.place_order(resting(house, "0", PRICE, **at_market))
            closing: dict[str, Any] = {"side": Side.SELL, "reduce_only": True}
            first = await house.bot.engine.place_order(resting(house, "1", 60_300, **closing))
            replaces = Replaced(client_order_id=first.client_order_ids[0], filled=D(0))
            return await house.bot.engine.place_order(resting(house, "2", 60_200, replaces=replaces, **closing))

        report = house.run(scenario)
        house.check_invariants()
        (living,) = house.bot.orders.living()

    assert (report.outcome, report.quantity) == ("RESTING", D("0.1"))
    assert (living.submitted.limit_price, living.submitted.purpose) == (D(60_200), Purpose.EXIT)
