"""The socket itself: who may open it, what it answers, and what a bad client costs. On an ordinary event loop."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.house_under_test import House, a_house
from tests.steered import Configuration

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import OperatorCommanded
from gpt_trader.ops.asking import CommandRefused, Running, find_running, running_bots
from gpt_trader.ops.control import ADDRESS_NAME, CONNECTIONS_MAX, LINE_BYTES_MAX, control_socket, socket_of
from gpt_trader.ops.desk import ControlDesk


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A bot that has been built; the socket needs no market."""
    with a_house(tmp_path) as made:
        yield made


def a_desk(house: House, run: str) -> ControlDesk:
    return ControlDesk(house.built, Configuration(house.folder).steering(house), run=run)


def serve(house: House, folder: Path, talk: Callable[[Path], Awaitable[Any]]) -> Any:
    """Open the socket in `folder`, let `talk` use it, close it."""
    folder.mkdir(parents=True, exist_ok=True)

    async def main() -> Any:
        async with control_socket(a_desk(house, run="a-run"), folder) as path:
            result = await talk(path)
            await asyncio.sleep(0.05)  # connections that were only tried are accepted, and closed
            return result

    return asyncio.run(main())


async def say(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Everything that the bot answers to these lines until it or we hang up."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"".join(lines))
    writer.write_eof()
    answers = (await reader.read()).splitlines()
    writer.close()
    return [msgspec.json.decode(line) for line in answers]


def test_f99_only_the_owner_may_open_it(house: House, tmp_path: Path) -> None:
    """0600, and it is gone when the bot has ended."""

    async def look(path: Path) -> tuple[Path, int]:
        return path, stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116 - nothing else runs meanwhile

    path, mode = serve(house, tmp_path / "run", look)

    assert mode == 0o600
    assert not path.exists()
    assert socket_of(tmp_path / "run") is None


def test_a_question_is_answered_and_not_written_down(house: House, tmp_path: Path) -> None:
    """Looking changes nothing."""
    before = house.store.head

    (reply,) = serve(house, tmp_path / "run", lambda path: say(path, b'{"name":"status"}\n'))

    assert reply["answer"]["engine"] == "LiveExecutionEngine"
    assert reply["answer"]["mode"] == "NORMAL"
    assert house.store.head == before


def test_a_command_is_accepted_then_done(house: House, tmp_path: Path) -> None:
    """The acknowledgement says that it is durable, the answer that it is done; who is known by the system."""
    line = b'{"name":"pause","arguments":{"symbol":"BTC-PERP"},"reason":"maintenance"}\n'

    accepted, done = serve(house, tmp_path / "run", lambda path: say(path, line))

    assert accepted == {"accepted": True}
    assert "maintenance" in done["answer"]["pauses"]["BTC-PERP"]
    (event,) = house.of(OperatorCommanded)
    assert (event.command, event.reason) == ("pause", "maintenance")
    assert f"process {os.getpid()}" in event.who


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"hello\n", "not a command"),
        (b'{"name": 5}\n', "not a command"),
        (b'{"name": "pause", "sudo": true, "reason": "x"}\n', "unknown field `sudo`"),
        (b'{"name": "pause", "arguments": {"symbol": "BTC-PERP"}}\n', "no reason given"),
        (b'{"name": "fly", "reason": "x"}\n', "no such command. Fix: one of"),
        (b'{"name": "status"' + b" " * LINE_BYTES_MAX + b"}\n", "at most 65536 bytes"),
    ],
)
def test_what_is_not_understood_is_refused_and_not_written_down(
    house: House, tmp_path: Path, line: bytes, problem: str
) -> None:
    """With a sentence; the log stays as it was."""
    before = house.store.head

    (reply,) = serve(house, tmp_path / "run", lambda path: say(path, line))

    assert problem in reply["error"]
    assert house.store.head == before


def test_one_connection_too_many_is_told_so(house: House, tmp_path: Path) -> None:
    """Silent clients cannot keep more than their number of connections; those who came before are served."""

    async def crowd(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        silent = [await asyncio.open_unix_connection(str(path)) for _ in range(CONNECTIONS_MAX)]
        turned_away = await say(path)
        reader, writer = silent[0]
        writer.write(b'{"name":"status"}\n')
        served = msgspec.json.decode(await reader.readline())
        for _, each in silent:
            each.close()
        return turned_away, served

    turned_away, served = serve(house, tmp_path / "run", crowd)

    assert turned_away == [{"error": f"{CONNECTIONS_MAX} connections are open already"}]
    assert "answer" in served


def test_a_path_that_is_too_long_is_gone_round(house: House, tmp_path: Path) -> None:
    """The socket then lies in a private folder, and the run's folder says where."""
    folder = tmp_path / ("deep" * 30)

    async def look(path: Path) -> tuple[int, list[dict[str, Any]]]:
        assert socket_of(folder) == path
        mode = os.stat(path.parent).st_mode  # noqa: PTH116 - nothing else runs meanwhile
        return stat.S_IMODE(mode), await say(path, b'{"name":"status"}\n')

    mode, (reply,) = serve(house, folder, look)

    assert mode == 0o700
    assert "answer" in reply
    assert not (folder / ADDRESS_NAME).exists()


def test_a_socket_that_a_dead_process_left_is_replaced(house: House, tmp_path: Path) -> None:
    """Whoever holds the store may remove it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "control.sock").touch()

    assert len(serve(house, tmp_path / "run", lambda path: say(path, b'{"name":"status"}\n'))) == 1


def test_the_client_finds_the_bot_and_hears_its_no(house: House, tmp_path: Path) -> None:
    """The other end of the line, as the commands of the shell use it."""

    def talk() -> tuple[str, str]:
        bot = find_running(tmp_path, "a-r")
        with pytest.raises(CommandRefused) as refused:
            bot.tell("pause", {"symbol": "DOGE-PERP"}, "x")
        return str(bot.tell("status")["run"]), str(refused.value)

    run, problem = serve(house, tmp_path / "runs" / "a-run", lambda _: asyncio.to_thread(talk))

    assert run == "a-run"
    assert problem == "symbol 'DOGE-PERP': not traded here. Fix: one of BTC-PERP, or all"


def test_nobody_running_is_said(tmp_path: Path) -> None:
    """Also when a dead process left its socket behind."""
    (tmp_path / "runs" / "old").mkdir(parents=True)
    (tmp_path / "runs" / "old" / "control.sock").touch()

    assert list(running_bots(tmp_path)) == []
    with pytest.raises(ConfigError, match="no bot is running"):
        find_running(tmp_path, None)


def test_which_of_several_must_be_said(house: House, tmp_path: Path) -> None:
    """A command never goes to a bot by accident."""

    async def two(_: Path) -> str:
        async with control_socket(a_desk(house, run="b-run"), tmp_path / "runs" / "b-run"):

            def talk() -> tuple[str, Running]:
                with pytest.raises(ConfigError) as error:
                    find_running(tmp_path, None)
                return str(error.value), find_running(tmp_path, "b")

            problem, found = await asyncio.to_thread(talk)
            await asyncio.sleep(0.05)
            assert found.name == "b-run"
            return problem

    (tmp_path / "runs" / "b-run").mkdir(parents=True)
    problem = serve(house, tmp_path / "runs" / "a-run", two)

    assert problem == "2 bots are meant: a-run, b-run. Fix: --run NAME"
