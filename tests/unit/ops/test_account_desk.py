"""What a person asks of a running bot's account, and orders by hand: over a whole bot on a small market."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D
from tests.house_under_test import House, a_config, a_house, steady_market
from tests.steered import Configuration

from gpt_trader.core.errors import ConfigError, Refused
from gpt_trader.core.events import OperatorCommanded, OrderSubmitted
from gpt_trader.core.values import OrderType, Side, TimeInForce
from gpt_trader.ops.account_answers import Answer
from gpt_trader.ops.account_desk import AccountDesk, manual_order
from gpt_trader.ops.desk import Command, ControlDesk

RESTING = {"side": "buy", "quantity": "0.1", "symbol": "BTC-PERP", "limit": "59500"}


def with_desk(folder: Path, work: Callable[[ControlDesk, House], Awaitable[Any]]) -> Any:
    with a_house(folder, a_config(), steady_market([60_000] * 60)) as house:

        async def scenario() -> Any:
            await house.clock.sleep(2)
            steering = Configuration(folder).steering(house)
            found = await work(ControlDesk(house.built, steering, run="a-run"), house)
            await house.clock.sleep(2)
            return found

        found = house.run(scenario)
        house.check_invariants()
        return found


async def told(desk: ControlDesk, name: str, **arguments: str) -> Answer:
    return await desk.take(Command(name=name, arguments=arguments, who="ann", reason="why"))


def rows(desk: ControlDesk, question: str) -> Any:
    return desk.ask(question)[question]


def test_an_order_by_hand_walks_the_house_like_any_other(tmp_path: Path) -> None:
    """It is judged, written down before it leaves, and its position, money and fee are told."""

    async def work(desk: ControlDesk, house: House) -> None:
        answer = await told(desk, "place", side="buy", quantity="0.1", symbol="BTC-PERP")
        assert (answer["outcome"], answer["filled"]) == ("FILLED", "0.10")
        (submitted,) = house.of(OrderSubmitted)
        assert submitted.strategy == "operator"
        assert house.of(OperatorCommanded)[0].arguments["quantity"] == "0.1"
        (position,) = rows(desk, "positions")
        assert (position["symbol"], D(position["quantity"])) == ("BTC-PERP", D("0.1"))
        assert D(str(desk.ask("account")["equity"])) < 100_000
        assert D(str(desk.ask("fees")["paid_in_this_run"])) > 0

    with_desk(tmp_path, work)


def test_a_resting_order_is_listed_and_cancelled_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    """The answer says what became of it."""

    async def work(desk: ControlDesk, house: House) -> None:
        answer = await told(desk, "place", **RESTING)
        assert answer["outcome"] == "RESTING"
        (order,) = rows(desk, "orders")
        assert (order["side"], order["limit"], order["state"]) == ("BUY", "59500", "ACTIVE")
        assert (await told(desk, "cancel", order=order["order"][:12]))["state"] == "CANCELLED"
        assert desk.ask("orders") == {"orders": []}

    with_desk(tmp_path, work)


def test_a_refusal_is_an_answer_with_its_numbers(tmp_path: Path) -> None:
    """The same codes as for a strategy's order."""

    async def work(desk: ControlDesk, _: House) -> None:
        answer = await told(desk, "place", side="sell", quantity="1", symbol="BTC-PERP", reduce_only="true")
        assert (answer["outcome"], answer["code"]) == ("REFUSED", "nothing_to_reduce")

    with_desk(tmp_path, work)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("place", {"side": "hold", "quantity": "1", "symbol": "X"}, "side = 'hold'. Fix: one of BUY, SELL"),
        ("place", {"side": "buy", "quantity": "-1", "symbol": "X"}, "quantity = '-1': not a number above zero"),
        ("place", {"side": "buy", "quantity": "1"}, "an order needs symbol, side and quantity"),
        ("place", {**RESTING, "tif": "soon"}, "tif = 'soon'. Fix: one of GTC, GTD, IOC, FOK"),
        ("place", {**RESTING, "post_only": "maybe"}, "post_only = 'maybe'. Fix: true or false"),
        ("cancel", {"order": "gt-none"}, "no living order of this run; none is alive"),
        ("cancel", {}, "no living order of this run"),
        ("edit", {"order": "gt-1"}, "cannot edit orders. Fix: orders cancel gt-1"),
    ],
)
def test_what_is_not_understood_names_the_field(
    tmp_path: Path, name: str, arguments: dict[str, str], said: str
) -> None:
    """Nothing is sent."""

    async def work(desk: ControlDesk, house: House) -> None:
        with pytest.raises(ConfigError) as refused:
            await told(desk, name, **arguments)
        assert said in str(refused.value)
        assert not house.of(OrderSubmitted)

    with_desk(tmp_path, work)


def test_two_orders_of_one_beginning_are_not_guessed_between(tmp_path: Path) -> None:
    """Both are named."""

    async def work(desk: ControlDesk, _: House) -> None:
        await told(desk, "place", side="buy", quantity="0.1", symbol="BTC-PERP")
        await told(desk, "place", **RESTING)
        await told(desk, "place", **{**RESTING, "side": "sell", "limit": "60500", "reduce_only": "true"})
        with pytest.raises(ConfigError, match="the beginning of 2 orders; there are gt-"):
            await told(desk, "cancel", order="gt-")

    with_desk(tmp_path, work)


def test_a_preview_shows_the_body_and_sends_nothing(tmp_path: Path) -> None:
    """Where the venue has no preview, that is said; what it cannot do is refused by name."""

    async def work(desk: ControlDesk, house: House) -> None:
        answer = await told(desk, "preview", **RESTING)
        assert "59500" in str(answer["body"])
        assert answer["preview"] == "paper has no preview"
        with pytest.raises(Refused, match="invalid_price"):
            await told(desk, "preview", **{**RESTING, "limit": "59500.1"})
        assert not house.of(OrderSubmitted)

    with_desk(tmp_path, work)


def test_products_are_those_that_are_traded(tmp_path: Path) -> None:
    """With what an order must fit into."""

    async def work(desk: ControlDesk, _: House) -> None:
        (product,) = rows(desk, "products")
        assert (product["symbol"], product["tick"], product["status"]) == ("BTC-PERP", "5", "OPEN")

    with_desk(tmp_path, work)


def test_each_order_by_hand_is_an_intent_of_its_own(tmp_path: Path) -> None:
    """Said twice in one moment it is two, since a person may mean it twice."""

    async def work(_: ControlDesk, house: House) -> None:
        desk = AccountDesk(house.built)
        first, second = await desk.place(RESTING, "a"), await desk.place(RESTING, "a")
        assert first["intent"] != second["intent"]

    with_desk(tmp_path, work)


def test_an_order_without_a_price_goes_at_the_market() -> None:
    """At once or not at all; with a price it rests."""
    at_market = manual_order({**RESTING, "limit": ""}, key="k", now_ns=1, valid_seconds=60, reason="r")
    resting = manual_order(RESTING, key="k", now_ns=1, valid_seconds=60, reason="r")

    assert (at_market.order_type, at_market.time_in_force) == (OrderType.MARKET, TimeInForce.IOC)
    assert (resting.order_type, resting.time_in_force, resting.side) == (OrderType.LIMIT, TimeInForce.GTC, Side.BUY)
