"""Can a bot be looked at from another terminal? Its panel over the control socket, and the end of it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.builders import a_fill
from tests.house_under_test import House, a_house
from tests.steered import Configuration

from gpt_trader.core.clock import SystemClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.asking import Running
from gpt_trader.ops.control import SOCKET_NAME, control_socket
from gpt_trader.ops.desk import ControlDesk
from gpt_trader.ops.top import LogTail, watch
from gpt_trader.records.logs import StoredLog
from gpt_trader.records.runs import STORE_NAME


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as made:
        yield made


def a_console() -> Console:
    return Console(file=io.StringIO(), width=120, height=40, force_terminal=True, color_system=None)


async def looked_at(house: House, console: Console, *, once: bool) -> str:
    """Watch the bot from a thread, as another process would, while it listens; then it ends."""
    desk = ControlDesk(house.built, Configuration(house.folder).steering(house), run="a-run")
    bot = Running(house.folder, house.folder / SOCKET_NAME)

    def look() -> str:
        return asyncio.run(watch(bot, console, SystemClock(), once=once))

    async with control_socket(desk, house.folder):
        seen = asyncio.ensure_future(asyncio.to_thread(look))
        if once:
            await seen
        else:
            while not written(console):  # noqa: ASYNC110 - nobody could set an event: it is another thread
                await asyncio.sleep(0.01)
    return await seen


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_one_look_shows_the_panel_with_the_latest_decisions(house: House) -> None:
    """What the bot says, and what its log says."""
    house.bot.bus.publish(a_fill())
    house.store.flush()
    console = a_console()

    said = asyncio.run(looked_at(house, console, once=True))

    assert said == ""
    assert "LiveExecutionEngine" in written(console)
    assert "filled BUY 0.1 BTC-PERP at 60,000" in written(console)


def test_it_ends_when_the_bot_does(house: House) -> None:
    """And says so, instead of an error."""
    house.store.flush()

    said = asyncio.run(looked_at(house, a_console(), once=False))

    assert said == "the bot does not answer any more"


def test_a_run_without_a_log_is_refused_by_name(tmp_path: Path) -> None:
    """Instead of an empty panel."""
    bot = Running(tmp_path, tmp_path / SOCKET_NAME)

    with pytest.raises(ConfigError, match="nothing to show"):
        asyncio.run(watch(bot, a_console(), SystemClock(), once=True))


def test_a_tail_tells_each_event_once(house: House) -> None:
    """Also what was written since, and no more than asked for at once."""
    house.store.flush()
    tail = LogTail(StoredLog(house.folder / STORE_NAME))
    before = len(list(tail.new()))
    house.bot.bus.publish(a_fill(trade_id="a"))
    house.bot.bus.publish(a_fill(trade_id="b"))
    house.store.flush()

    first, rest = list(tail.new(1)), list(tail.new())

    assert before == first[0].sequence - 1
    assert [each.sequence for each in first + rest] == list(range(before + 1, house.store.head.sequence + 1))
    assert list(tail.new()) == []
