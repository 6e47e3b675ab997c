"""How does a command reach a running bot? A unix socket of its own (0600) in the run's folder, a JSON object a line.

A line is `{"name": ..., "arguments": {...}, "reason": ...}`. A question is answered by one line. A command is answered
by two: `{"accepted": true}` when it is durable, then `{"answer": {...}}` or `{"error": ...}` when it is done; one that
takes long is accepted again now and then, as a sign of life. Who says it is what the system knows of the process at
the other end, not what that process claims.

Lines, connections and replies are bounded; a slow or mad client costs its own connection and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec

from gpt_trader.core.clock import until
from gpt_trader.core.errors import ConfigError, GptTraderError, StoreError
from gpt_trader.ops.desk import Answer, Command, ControlDesk

__all__ = ["ADDRESS_NAME", "LINE_BYTES_MAX", "SOCKET_NAME", "control_socket", "socket_of"]

SOCKET_NAME: Final = "control.sock"
ADDRESS_NAME: Final = "control.address"
"""Says where the socket is when the path of the run's folder is too long for one."""
SOCKET_PATH_BYTES_MAX: Final = 100
"""Systems allow 103 to 107 bytes in the name of a unix socket."""
LINE_BYTES_MAX: Final = 65_536
CONNECTIONS_MAX: Final = 16
ALIVE_SECONDS: Final = 20.0
"""So often a client is told that its command goes on."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client writes."""

    name: str
    arguments: dict[str, str] = {}
    reason: str = ""


@contextlib.asynccontextmanager
async def control_socket(desk: ControlDesk, folder: Path) -> AsyncIterator[Path]:
    """Listen until the block ends; gives the socket's path. Raises ConfigError when it cannot be made.

    Whoever comes here holds the run's store, so a socket that is left from an earlier process may be removed.
    """
    path, private = _place(folder)
    listener = ControlSocket(desk)
    try:
        server = await asyncio.start_unix_server(listener.serve, path=path, limit=LINE_BYTES_MAX)
    except OSError as error:
        raise ConfigError(
            f"control socket {path}: {error}. Fix: a GPT_TRADER_HOME on a disk that has sockets"
        ) from error
    path.chmod(0o600)
    try:
        yield path
    finally:
        server.close()
        await listener.close()
        path.unlink(missing_ok=True)
        (folder / ADDRESS_NAME).unlink(missing_ok=True)
        if private is not None:
            shutil.rmtree(private, ignore_errors=True)


def _place(folder: Path) -> tuple[Path, Path | None]:
    """Where to listen, and a folder of ours (0700) when that is not in the run's own."""
    path = folder / SOCKET_NAME
    path.unlink(missing_ok=True)
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path, None
    private = Path(tempfile.mkdtemp(prefix="gpt-trader-"))
    address = folder / ADDRESS_NAME
    address.write_text(str(private / SOCKET_NAME), encoding="utf8")
    address.chmod(0o600)
    return private / SOCKET_NAME, private


def socket_of(folder: Path) -> Path | None:
    """Where the bot of this run listens, if it does; the process may be dead all the same."""
    path = folder / SOCKET_NAME
    if path.exists():
        return path
    address = folder / ADDRESS_NAME
    return Path(address.read_text(encoding="utf8")) if address.exists() else None


class ControlSocket:
    """The connections of one bot."""

    def __init__(self, desk: ControlDesk) -> None:
        self._desk = desk
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._work: set[asyncio.Task[Answer]] = set()

    async def close(self) -> None:
        """Hang up on everybody."""
        clients = dict(self._clients)
        for client, writer in clients.items():
            client.cancel()
            writer.close()
        await asyncio.gather(*clients, return_exceptions=True)
        await asyncio.gather(*(writer.wait_closed() for writer in clients.values()), return_exceptions=True)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin a connection; it ends by itself, or with `close`."""
        client = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._clients[client] = writer
        client.add_done_callback(lambda done: self._clients.pop(done, None))

    def _begin(self, command: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        """Known here until it has ended, whoever hears of it."""
        work = asyncio.get_running_loop().create_task(command)
        self._work.add(work)
        work.add_done_callback(self._ended)
        return work

    def _ended(self, work: asyncio.Task[Answer]) -> None:
        self._work.discard(work)
        if not work.cancelled():
            work.exception()  # the desk has told it in the log

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._clients) > CONNECTIONS_MAX:
                await _say(writer, {"error": f"{CONNECTIONS_MAX} connections are open already"})
            else:
                await self._converse(reader, writer, _who(writer))
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            return  # the client has gone
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, who: str) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # the reader's word for a line beyond its limit
                await _say(writer, {"error": f"a line has at most {LINE_BYTES_MAX} bytes"})
                return
            if not line:
                return
            await self._answer(line, writer, who)

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter, who: str) -> None:
        durable = False

        async def accepted() -> None:
            nonlocal durable
            durable = True
            with contextlib.suppress(ConnectionError):  # it is written down, so it is done whether heard or not
                await _say(writer, {"accepted": True})

        try:
            said = msgspec.json.decode(line, type=Line)
            if self._desk.is_question(said.name):
                await self._desk.settle()
                await _say(writer, {"answer": self._desk.ask(said.name)})
                return
            command = Command(name=said.name, arguments=said.arguments, who=who, reason=said.reason)
            # A command that has begun is brought to its end, also when the client hangs up meanwhile.
            work = self._begin(self._desk.take(command, accepted))
            while not await until(work, ALIVE_SECONDS):
                if durable:
                    await accepted()
            answer = await work
        except msgspec.DecodeError as error:
            await _say(writer, {"error": f"not a command: {error}"})
        except StoreError as error:
            await _say(writer, {"error": f"the event store failed, so nothing is done: {error}"})
        except GptTraderError as error:
            await _say(writer, {"error": str(error)})
        else:
            await _say(writer, {"answer": answer})


async def _say(writer: asyncio.StreamWriter, message: dict[str, object]) -> None:
    writer.write(msgspec.json.encode(message) + b"\n")
    await writer.drain()


def _who(writer: asyncio.StreamWriter) -> str:
    """The user and process at the other end, as the system knows them; elsewhere than Linux the socket's owner."""
    if sys.platform != "linux":
        return _user(os.getuid())
    connection = writer.get_extra_info("socket")
    process, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"{_user(user)} (process {process})"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
