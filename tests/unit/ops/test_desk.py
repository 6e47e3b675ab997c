"""What a running bot does when it is told something: over a whole bot on a small market."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, an_order
from tests.house_under_test import House, a_house, steady_market
from tests.steered import Configuration

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    EngineSwapped,
    GuardTripped,
    ModeChanged,
    OperatorCommanded,
    OperatorCommandFailed,
    OrderCancelled,
)
from gpt_trader.core.values import OrderType, Side, TimeInForce
from gpt_trader.ops.desk import Answer, Command, ControlDesk


def play(folder: Path, *commands: tuple[str, dict[str, str]], **order: Any) -> tuple[House, list[Answer | str], Answer]:
    """An entry that rests far below the market, then the commands, two seconds apart, then the status."""
    configuration = Configuration(folder)
    with a_house(folder, configuration.load().config, steady_market([60_000] * 90)) as house:
        desk = ControlDesk(house.built, configuration.steering(house), run="a-run")
        answers: list[Answer | str] = []

        async def scenario() -> Answer:
            watching = house.clock.now_ns() + 60 * NS
            resting = {
                "order_type": OrderType.LIMIT,
                "time_in_force": TimeInForce.GTC,
                "limit_price": D(59_500),
                "quantity": D("0.1"),
                "side": Side.BUY,
                "created_ns": house.clock.now_ns(),
                "valid_until_ns": watching,
            }
            await house.bot.engine.place_order(an_order(intent_id="resting", **(resting | order)))
            for name, arguments in commands:
                try:
                    answers.append(await desk.take(Command(name=name, arguments=arguments, who="ann", reason="why")))
                except ConfigError as error:
                    answers.append(str(error))
                await house.bot.engine.run_runtime_guards()
                await house.clock.sleep(2)
            await house.clock.sleep(2)
            return desk.ask("status")

        status = house.run(scenario)
        house.check_invariants()
        return house, answers, status


def test_f81_kill_cancels_entries_and_lets_none_leave(tmp_path: Path) -> None:
    """Within a second, told with who and why, and only NORMAL takes it back."""
    house, (answer,), status = play(tmp_path, ("kill", {}))

    assert answer == {"mode": "REDUCE_ONLY", "cancelling": False}, "proven by then"
    assert status["mode"] == "REDUCE_ONLY"
    assert status["orders"] == {}
    assert status["tripped"] == ["operator_kill: killed by ann: why"]
    (cancelled,) = house.of(OrderCancelled)
    (commanded,) = house.of(OperatorCommanded)
    assert cancelled.at_ns - commanded.at_ns < NS
    (tripped,) = house.of(GuardTripped)
    assert tripped.numbers == {"who": "ann", "reason": "why"}


def test_normal_takes_a_kill_back(tmp_path: Path) -> None:
    """And says who did."""
    house, _, status = play(tmp_path, ("kill", {}), ("mode", {"mode": "normal"}))

    assert status["mode"] == "NORMAL"
    assert status["tripped"] == []
    assert [(event.mode.value, event.who) for event in house.of(ModeChanged)] == [
        ("REDUCE_ONLY", "guard operator_kill"),
        ("NORMAL", "ann"),
    ]


def test_reduce_only_leaves_what_rests(tmp_path: Path) -> None:
    """It shuts the door; it does not take back what is out."""
    _, _, status = play(tmp_path, ("mode", {"mode": "reduce-only"}))

    assert status["mode"] == "REDUCE_ONLY"
    assert list(status["orders"].values()) == ["ACTIVE"]  # type: ignore[attr-defined]


def test_rollback_and_the_way_back(tmp_path: Path) -> None:
    """A latch on both flags; each is unset by its name."""
    house, answers, status = play(
        tmp_path,
        ("set_flag", {"flag": "enable_market_impact_guard", "value": "true"}),
        ("rollback", {}),
        ("set_flag", {"flag": "enable_market_impact_guard", "value": "true"}),
        ("unset_flag", {"flag": "enable_market_impact_guard"}),
    )

    assert answers[0] == {"enable_market_impact_guard": "true", "engine": "AdvancedExecutionEngine"}
    assert answers[1] == {"engine": "LiveExecutionEngine"}
    assert "latched false by ann: why" in str(answers[2])
    assert answers[3]["source"] == "default"  # type: ignore[index]
    assert status["engine"] == "LiveExecutionEngine"
    (_, back) = house.of(EngineSwapped)
    assert list(back.in_flight.values()) == ["ACTIVE"], "the resting order went on"
    assert list(status["orders"].values()) == ["ACTIVE"]  # type: ignore[attr-defined]


def test_a_reload_answers_what_it_did(tmp_path: Path) -> None:
    """Nothing, where no file has changed."""
    _, (answer,), _ = play(tmp_path, ("reload", {}))

    assert answer == {"changed": {}, "held_back": {}, "engine": "LiveExecutionEngine"}


def test_pause_and_resume(tmp_path: Path) -> None:
    """By symbol or for all."""
    _, answers, status = play(tmp_path, ("pause", {"symbol": "all"}), ("resume", {"symbol": "BTC-PERP"}))

    assert answers == [{"pauses": {"BTC-PERP": "ann: why"}}, {"pauses": {}}]
    assert status["pauses"] == {}


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("mode", {"mode": "party"}, "mode 'PARTY': no such mode. Fix: one of NORMAL, REDUCE_ONLY, CANCEL_ONLY, FROZEN"),
        ("pause", {}, "pause: argument symbol is missing"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, name: str, arguments: dict[str, str], problem: str) -> None:
    """Written down as asked, and as failed; nothing else happens."""
    house, answers, status = play(tmp_path, (name, arguments))

    assert answers == [problem]
    assert [event.problem for event in house.of(OperatorCommandFailed)] == [problem]
    assert status["mode"] == "NORMAL"


def test_status_tells_what_is_held(tmp_path: Path) -> None:
    """Position and the stop that protects it."""
    _, _, status = play(
        tmp_path,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        limit_price=None,
        protective_stop=D(59_000),
    )

    assert status["positions"] == {"BTC-PERP": "0.10"}
    assert status["stops"] == ["BTC-PERP STOP at 59000 kept by VENUE"]
    assert float(str(status["equity"])) == pytest.approx(100_000, abs=20)


def test_status_tells_how_long_the_disk_lasts(tmp_path: Path) -> None:
    """Once an hour is known; before that the room alone. Orders of others stand beside ours."""
    _, _, status = play(tmp_path, ("pause", {"symbol": "all"}))

    assert status["disk_days_left"] is None, "some seconds of market time say nothing"
    assert float(str(status["disk_free_gb"])) > 0
    assert float(str(status["log_mb"])) >= 0
    assert status["external_orders"] == {}
