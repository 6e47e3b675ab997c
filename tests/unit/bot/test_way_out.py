"""Getting out of everything: cancelled, closed by the named tactic, proven at the venue; or the reason why not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, a_product, an_order
from tests.house_under_test import House, a_house, steady_market
from tests.steered import Configuration

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import FlattenEnded, OperatorCommanded, OrderCancelRequested, OrderSubmitted, SymbolPaused
from gpt_trader.core.values import OrderType, ProductSpec, Side, TimeInForce
from gpt_trader.ops.desk import Answer, Command, ControlDesk

BTC = "BTC-PERP"
RUN = "a-run"
Tell = Callable[..., Awaitable[Answer]]


def played(
    folder: Path,
    scenario: Callable[[House, Tell], Awaitable[Any]],
    *,
    seconds: int = 150,
    wire: tuple[str, ...] = (),
    product: ProductSpec | None = None,
    **risk: Any,
) -> tuple[House, Any]:
    """A scenario with a desk over a whole bot on a steady market; what must always hold is looked at afterwards."""
    configuration = Configuration(folder, **risk)
    market = steady_market([60_000] * seconds, product=product)
    with a_house(folder, configuration.load().config, market, wire=wire) as house:
        desk = ControlDesk(house.built, configuration.steering(house), run=RUN)

        async def tell(name: str, **arguments: str) -> Answer:
            return await desk.take(Command(name=name, arguments=arguments, who="ann", reason="why"))

        async def main() -> Any:
            return await scenario(house, tell)

        result = house.run(main)
        house.check_invariants()
        return house, result


async def held(house: House, quantity: str = "0.5", **fields: Any) -> None:
    """A position that was entered at the market."""
    now_ns = house.clock.now_ns()
    order = an_order(
        intent_id=f"entry-{now_ns}",
        side=Side.BUY,
        quantity=D(quantity),
        created_ns=now_ns,
        valid_until_ns=now_ns + 60 * NS,
        **fields,
    )
    await house.bot.engine.place_order(order)
    await house.clock.sleep(1)


async def resting(house: House, **fields: Any) -> None:
    """An entry far below the market."""
    price = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(59_000)}
    await held(house, "0.1", strategy="another", **price, **fields)


def test_flatten_leaves_nothing_and_the_venue_says_so(tmp_path: Path) -> None:
    """Orders cancelled, position closed at market, entries shut; one durable word of what came of it."""

    async def scenario(house: House, tell: Tell) -> Answer:
        await held(house)
        await resting(house)
        return await tell("flatten", confirm=RUN)

    house, answer = played(tmp_path, scenario)

    assert (answer["flat"], answer["mode"], answer["reasons"]) == (True, "REDUCE_ONLY", [])
    assert float(str(answer["took_seconds"])) < 2
    assert float(str(answer["limit_seconds"])) == 10 + 30 + 5
    assert house.adapter.venue.positions() == ()
    (ended,) = house.of(FlattenEnded)
    assert (ended.flat, ended.symbols, ended.tactic, ended.positions, ended.orders) == (True, (BTC,), "market", {}, ())
    assert not list(house.bot.orders.living())


def test_cancels_leave_at_once_and_stops_last(tmp_path: Path) -> None:
    """The stop protects until its position is gone, then it goes too."""

    async def scenario(house: House, tell: Tell) -> Answer:
        await held(house, protective_stop=D(59_500))
        await resting(house)
        assert len(list(house.bot.orders.living())) == 2
        return await tell("flatten", confirm=RUN)

    house, answer = played(tmp_path, scenario)

    assert answer["flat"] is True
    assert house.bot.stops.kept() == ()
    entry, stop = house.of(OrderCancelRequested)
    (told,) = house.of(OperatorCommanded)
    assert entry.at_ns == told.at_ns
    assert stop.reason.startswith("makes way for operator:BTC-PERP")


def test_the_tactic_is_the_one_that_was_named(tmp_path: Path) -> None:
    """And its limit is that tactic's."""

    async def scenario(house: House, tell: Tell) -> Answer:
        await held(house)
        return await tell("flatten", confirm=RUN, tactic="aggressive_limit")

    house, answer = played(tmp_path, scenario, enable_market_impact_guard=True)

    assert answer["flat"] is True
    assert float(str(answer["limit_seconds"])) == 13 + 30 + 60 + 5
    assert {event.tactic for event in house.of(OrderSubmitted) if event.reduce_only} == {"aggressive_limit"}


def test_a_position_beyond_the_largest_order_goes_in_pieces(tmp_path: Path) -> None:
    """Each piece has the tactic's whole limit."""

    async def scenario(house: House, tell: Tell) -> Answer:
        await held(house, "0.2", strategy="one")
        await held(house, "0.2", strategy="two")
        await held(house, "0.1", strategy="three")
        return await tell("flatten", confirm=RUN)

    house, answer = played(tmp_path, scenario, product=a_product(max_quantity=D("0.2")))

    assert answer["flat"] is True
    assert float(str(answer["limit_seconds"])) == 3 * 40 + 5
    assert [event.quantity for event in house.of(OrderSubmitted) if event.reduce_only] == [D("0.2"), D("0.2"), D("0.1")]


def test_close_is_one_symbol_and_pauses_it(tmp_path: Path) -> None:
    """Nothing else is touched, and the strategy does not come back a bar later."""

    async def scenario(house: House, tell: Tell) -> Answer:
        await held(house)
        return await tell("close", symbol=BTC, confirm=BTC)

    house, answer = played(tmp_path, scenario)

    assert (answer["flat"], answer["paused"]) == (True, BTC)
    assert house.bot.guards.mode == "NORMAL"
    (paused,) = house.of(SymbolPaused)
    assert paused.reason == "ann: why"


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("flatten", {}, "so nothing was done. Fix: confirm it by the run's name, a-run"),
        ("flatten", {"confirm": "a-r"}, "not confirmed"),
        ("flatten", {"confirm": "another"}, "not confirmed"),
        ("flatten", {"confirm": RUN, "tactic": "twap"}, "LiveExecutionEngine does not offer it. Fix: one of market"),
        ("close", {"symbol": BTC}, "so nothing was done. Fix: confirm it by BTC-PERP"),
        ("close", {"symbol": "DOGE-PERP", "confirm": "DOGE-PERP"}, "not traded here"),
        ("cancel", {"order": "all"}, "not confirmed"),
    ],
)
def test_what_is_not_meant_does_nothing(tmp_path: Path, name: str, arguments: dict[str, str], problem: str) -> None:
    """Without the right name, symbol or tactic the position stays, and so does the mode."""

    async def scenario(house: House, tell: Tell) -> str:
        await held(house)
        with pytest.raises(ConfigError) as refused:
            await tell(name, **arguments)
        return str(refused.value)

    house, said = played(tmp_path, scenario)

    assert problem in said
    assert house.bot.ledger.position(BTC).quantity == D("0.5")
    assert house.bot.guards.mode == "NORMAL"
    assert not house.of(FlattenEnded)


def test_a_mode_that_lets_nothing_leave_is_named(tmp_path: Path) -> None:
    """FROZEN is somebody's word too."""

    async def scenario(house: House, tell: Tell) -> str:
        await held(house)
        await tell("mode", mode="FROZEN")
        with pytest.raises(ConfigError) as refused:
            await tell("flatten", confirm=RUN)
        return str(refused.value)

    _, said = played(tmp_path, scenario)

    assert said.startswith("mode FROZEN lets no close leave")


def test_what_stays_open_has_a_reason_when_its_time_is_over(tmp_path: Path) -> None:
    """The venue takes nothing any more: after the limit the answer says what is open and what the last try met."""

    async def scenario(house: House, tell: Tell) -> tuple[Answer, int]:
        await held(house)
        began_ns = house.clock.now_ns()
        return await tell("flatten", confirm=RUN), house.clock.now_ns() - began_ns

    house, (answer, took_ns) = played(tmp_path, scenario, wire=("sound", *["unavailable"] * 500))

    assert answer["flat"] is False
    assert answer["positions"] == {BTC: "0.50"}
    closed, at_venue = answer["reasons"]
    assert closed.startswith("BTC-PERP: still open after 45 s; the last close: FAILED")
    assert at_venue == "the venue holds 0.50 BTC-PERP"
    assert took_ns <= (45 + 15) * NS, "the last attempt that had begun was let come to its end"
    (ended,) = house.of(FlattenEnded)
    assert not ended.flat


def test_a_later_command_takes_over(tmp_path: Path) -> None:
    """A patient way out is overtaken by a quick one; nothing is closed twice."""

    async def scenario(house: House, tell: Tell) -> tuple[Answer, Answer]:
        await held(house)
        patient = asyncio.ensure_future(tell("flatten", confirm=RUN, tactic="simple_limit"))
        await house.clock.sleep(1)
        assert not patient.done()
        quick = await tell("flatten", confirm=RUN)
        return await patient, quick

    house, (patient, quick) = played(tmp_path, scenario)

    assert quick["flat"] is True
    assert patient["flat"] is False
    assert "a later command took over" in str(patient["reasons"])
    assert house.adapter.venue.positions() == ()


def test_it_holds_nobody_up(tmp_path: Path) -> None:
    """Other commands are done while a patient close is at work."""

    async def scenario(house: House, tell: Tell) -> Answer:
        await held(house)
        patient = asyncio.ensure_future(tell("flatten", confirm=RUN, tactic="simple_limit"))
        await house.clock.sleep(1)
        answer = await tell("pause", symbol=BTC)
        assert not patient.done()
        await tell("flatten", confirm=RUN)
        await patient
        return answer

    _, answer = played(tmp_path, scenario)

    assert answer == {"pauses": {BTC: "ann: why"}}


def test_cancel_all_leaves_stops_and_positions(tmp_path: Path) -> None:
    """What protects goes on."""

    async def scenario(house: House, tell: Tell) -> Answer:
        await held(house, protective_stop=D(59_500))
        await resting(house)
        return await tell("cancel", order="all", confirm=RUN)

    house, answer = played(tmp_path, scenario)

    assert list(answer["orders"].values()) == ["CANCELLED, 0 filled"]
    assert len(answer["stops"]) == 1
    assert house.bot.ledger.position(BTC).quantity == D("0.5")
    assert [order.submitted.strategy for order in house.bot.orders.living()] == ["stops"]
