"""What may be done from a browser, and what must be typed for it? Over a control socket of a bot that is real."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house_under_test import House, a_house
from tests.steered import Configuration

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import OperatorCommanded
from gpt_trader.core.values import Mode
from gpt_trader.ops.asking import Running
from gpt_trader.ops.control import SOCKET_NAME, control_socket
from gpt_trader.ops.dashboard.controls import BY_WORD, CONTROLS, Wish, command_line, do, phrase
from gpt_trader.ops.desk import Command, ControlDesk


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as made:
        yield made


def done(house: House, wish: Wish) -> dict[str, object]:
    """As the dashboard does it: from another thread, over the socket."""

    async def main() -> dict[str, object]:
        desk = ControlDesk(house.built, Configuration(house.folder).steering(house), run=house.folder.name)
        async with control_socket(desk, house.folder):
            return await asyncio.to_thread(do, Running(house.folder, house.folder / SOCKET_NAME), wish)

    return asyncio.run(main())


def test_every_word_is_one_that_the_bot_understands(house: House) -> None:
    """None is spelt otherwise than on the socket."""
    desk = ControlDesk(house.built, Configuration(house.folder).steering(house), run="a-run")
    with pytest.raises(ConfigError) as refused:
        asyncio.run(desk.take(Command(name="nonsense", who="test", reason="to see what there is")))

    known = str(refused.value).partition("Fix: one of ")[2].split(", ")
    assert {control.command for control in CONTROLS} <= set(known)


def test_reduce_only_needs_a_reason_and_nothing_typed(house: House) -> None:
    """It can hurt nobody, and must be quick."""
    answer = done(house, Wish(word="reduce-only", reason="news"))

    assert answer == {"mode": "REDUCE_ONLY"}
    assert house.bot.guards.mode is Mode.REDUCE_ONLY
    (command,) = house.of(OperatorCommanded)
    assert command.reason == "dashboard: news"


@pytest.mark.parametrize("typed", ["", "abc", "nonsense", "BTC-PERP"])
def test_kill_without_the_name_of_the_run_does_nothing(house: House, typed: str) -> None:
    """And says what would be right."""
    with pytest.raises(ConfigError, match=f"Fix: type {house.folder.name} or its beginning"):
        done(house, Wish(word="kill", reason="news", typed=typed))

    assert house.bot.guards.mode is Mode.NORMAL
    assert not house.of(OperatorCommanded)


def test_kill_with_the_beginning_of_the_name(house: House) -> None:
    """Four characters are enough."""
    answer = done(house, Wish(word="kill", reason="news", typed=house.folder.name[:4]))

    assert answer["mode"] == "REDUCE_ONLY"


def test_a_symbol_is_confirmed_by_itself() -> None:
    """What concerns one symbol by the symbol, what concerns all by the run."""
    assert phrase(BY_WORD["close"], "BTC-PERP", "a-run") == "BTC-PERP"
    assert phrase(BY_WORD["resume"], "all", "a-run") == "a-run"
    assert phrase(BY_WORD["pause"], "BTC-PERP", "a-run") == ""


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        (Wish(word="pause", reason="x"), "no symbol chosen"),
        (Wish(word="reduce-only", reason=" "), "no reason given"),
        (Wish(word="flags set", chosen="enable_market_impact_guard", value="maybe", reason="x"), "true or false"),
        (Wish(word="sell everything", reason="x"), "no such control"),
    ],
    ids=lambda value: value.word if isinstance(value, Wish) else "",
)
def test_what_is_not_filled_in_is_refused_before_anything_is_said(house: House, wish: Wish, problem: str) -> None:
    """The browser cannot be trusted to have asked."""
    with pytest.raises(ConfigError, match=problem):
        done(house, wish)

    assert not house.of(OperatorCommanded)


def test_a_flag_is_set_by_its_name_and_value(house: House) -> None:
    """With the run's name typed."""
    wish = Wish(
        word="flags set",
        chosen="enable_market_impact_guard",
        value="true",
        reason="try",
        typed=house.folder.name,
    )

    assert done(house, wish)["engine"] == "AdvancedExecutionEngine"


def test_the_same_words_work_in_a_shell() -> None:
    """Shown beside each button, to be copied."""
    wish = Wish(word="close", chosen="BTC-PERP", reason="news")

    assert command_line(wish, "a-run") == 'gpt-trader close BTC-PERP --run a-run --reason "news"'
