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
from gpt_trader.core.events import OperatorCommanded, OrderCancelRequested, OrderSubmitted
from gpt_trader.core.values import OrderState, OrderType, Side, TimeInForce
from gpt_trader.ops.account_answers import Answer
from gpt_trader.ops.account_desk import AccountDesk, edited_order, manual_order
from gpt_trader.ops.desk import Command, ControlDesk
from gpt_trader.placement.order_manager import ManagedOrder

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


def test_an_edited_order_is_another_one_in_its_place(tmp_path: Path) -> None:
    """The old one is taken back first, and its cancel says by which it is replaced; what is not named stays."""

    async def work(desk: ControlDesk, house: House) -> None:
        first = (await told(desk, "place", **RESTING))["orders"][0]  # type: ignore[index]
        answer = await told(desk, "edit", order=first[:12], limit="59400", quantity="0.2")
        assert answer["replaced"] == {"order": first, "state": "CANCELLED", "filled": "0"}
        assert (answer["outcome"], answer["quantity"]) == ("RESTING", "0.20")
        (row,) = rows(desk, "orders")
        assert (row["order"], row["limit"], row["quantity"]) == (answer["orders"][0], "59400", "0.20")  # type: ignore[index]
        assert house.of(OrderCancelRequested)[0].reason == f"replaced by {row['order']}"
        kinds = house.kinds()
        assert kinds.index("OrderCancelled") < len(kinds) - 1 - kinds[::-1].index("OrderSubmitted")

    with_desk(tmp_path, work)


def test_an_edit_that_a_rule_refuses_leaves_the_order_as_it_is(tmp_path: Path) -> None:
    """Judged before the old one is touched."""

    async def work(desk: ControlDesk, house: House) -> None:
        first = (await told(desk, "place", **RESTING))["orders"][0]  # type: ignore[index]
        answer = await told(desk, "edit", order=first, limit="10000")
        assert (answer["outcome"], answer["code"]) == ("REFUSED", "outside_price_band")
        assert answer["replaced"] == {"order": first, "state": "ACTIVE", "filled": "0"}
        assert not house.of(OrderCancelRequested)

    with_desk(tmp_path, work)


def test_an_edit_is_previewed(tmp_path: Path) -> None:
    """What would be taken back and the body that would leave; nothing does."""

    async def work(desk: ControlDesk, house: House) -> None:
        first = (await told(desk, "place", **RESTING))["orders"][0]  # type: ignore[index]
        answer = await told(desk, "preview_edit", order=first, limit="59400")
        assert answer["replaced"]["limit"] == "59500"  # type: ignore[index]
        assert "59400" in str(answer["body"])
        assert len(house.of(OrderSubmitted)) == 1

    with_desk(tmp_path, work)


@pytest.mark.parametrize(
    ("placed", "edited", "said"),
    [
        (RESTING, {}, "nothing to change. Fix: --limit or --quantity"),
        (RESTING, {"limit": "59500"}, "nothing to change"),
        (RESTING, {"quantity": "-1"}, "quantity = '-1': not a number above zero"),
        ({**RESTING, "tactic": "simple_limit"}, {"limit": "59400"}, "the tactic simple_limit works it"),
    ],
)
def test_what_cannot_be_edited_says_why(
    tmp_path: Path, placed: dict[str, str], edited: dict[str, str], said: str
) -> None:
    """The order stays as it is."""

    async def work(desk: ControlDesk, house: House) -> None:
        await told(desk, "place", **placed)
        (order,) = rows(desk, "orders")
        with pytest.raises(ConfigError) as refused:
            await told(desk, "edit", order=order["order"], **edited)
        assert said in str(refused.value)
        assert not house.of(OrderCancelRequested)

    with_desk(tmp_path, work)


def test_the_quantity_of_an_edit_is_that_of_the_whole_order() -> None:
    """What has filled is taken off; to ask for no more than that is refused by name."""
    old = a_resting(filled="0.04")
    wish = {"key": "k", "now_ns": 1, "valid_seconds": 60.0, "reason": "r"}

    assert edited_order(old, {"quantity": "0.3"}, **wish).quantity == D("0.26")  # type: ignore[arg-type]
    assert edited_order(old, {"limit": "59400"}, **wish).quantity == D("0.06")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"has filled 0\.04 already"):
        edited_order(old, {"quantity": "0.04"}, **wish)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": "ma_crossover"}, "it is ma_crossover's"),
        ({"order_type": OrderType.STOP_LIMIT}, "it is a STOP_LIMIT order"),
        ({"state": OrderState.UNKNOWN}, "what became of it is not known yet"),
        ({"cancel_requested": "operator: why"}, "its cancel was asked for"),
    ],
)
def test_an_order_of_somebody_else_is_not_edited(changes: dict[str, Any], said: str) -> None:
    """Whoever owns it decides its price himself; one that may be gone is not replaced."""
    with pytest.raises(ConfigError, match=said):
        edited_order(a_resting(**changes), {"limit": "59400"}, key="k", now_ns=1, valid_seconds=60, reason="r")


def a_resting(
    *, filled: str = "0", state: OrderState = OrderState.ACTIVE, cancel_requested: str = "", **changes: Any
) -> ManagedOrder:
    fields: dict[str, Any] = {
        "at_ns": 1,
        "client_order_id": "gt-1",
        "symbol": "BTC-PERP",
        "side": Side.BUY,
        "quantity": D("0.1"),
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "limit_price": D(59_500),
        "strategy": "operator",
        "tactic": "as_asked",
        "valid_until_ns": 2,
        "body_digest": "",
    }
    submitted = OrderSubmitted(**fields | changes)
    return ManagedOrder(submitted=submitted, state=state, filled=D(filled), cancel_requested=cancel_requested)


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
        ("edit", {"order": "gt-1"}, "no living order of this run"),
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
