"""What does the disk remember of a process that died? The real store, killed at any of its writes, torn or whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gpt_trader.core.errors import StoreError
from gpt_trader.records.chain import mark_path
from gpt_trader.records.reader import connect_reader, last_boot, verify
from gpt_trader.records.shelf import Block, Row, Tail
from gpt_trader.records.sqlite_shelf import SqliteShelf
from gpt_trader.research.bad_days.scenario import DiskFault, DiskFaultKind
from gpt_trader.research.bad_days.wire import Killed

__all__ = ["DurableIds", "MortalShelf", "after_the_crash", "looked_at_with_a_turned_bit"]


REFUSALS: Final = {
    DiskFaultKind.FULL: "database or disk is full (SQLITE_FULL)",
    DiskFaultKind.BROKEN: "disk I/O error (SQLITE_IOERR)",
    DiskFaultKind.BUSY: "database is locked (SQLITE_BUSY)",
}


class MortalShelf(SqliteShelf):
    """The file of a process that may die: `effect` is called around every write and may raise Killed.

    Once `dead`, nothing reaches the file any more, whatever the remains of the process still try.
    """

    def __init__(
        self,
        path: Path,
        run_id: str,
        boot: int,
        *,
        effect: Callable[[str], None],
        stall: Callable[[int], None],
        fault_of: Callable[[int], DiskFault | None],
        writes: int,
    ) -> None:
        """`stall` lets milliseconds pass in a slow write; `writes` were made by the processes before."""
        super().__init__(path, run_id, boot, durable=True)
        self.dead = False
        self.writes = writes
        self.before: tuple[int, bytes] | None = None
        """Length of the write-ahead log and the mark, before the write under way."""
        self._effect = effect
        self._stall = stall
        self._fault_of = fault_of

    def write(self, rows: Sequence[Row], blocks: Sequence[Block], tail: Tail) -> None:
        if self.dead:
            raise Killed
        self._effect("before write")
        self.before = (_length(self._log), mark_path(self.path).read_bytes())
        self._suffer()
        super().write(rows, blocks, tail)
        self.writes += 1
        self._effect("after write")
        self.before = None

    @property
    def _log(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    def _suffer(self) -> None:
        fault = self._fault_of(self.writes)
        if fault is None:
            return
        refusal = REFUSALS.get(fault.kind)
        if refusal is not None:
            raise StoreError(f"{self.path}: {refusal}")
        self._stall(fault.ms)


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def after_the_crash(shelf: MortalShelf, folder: Path, torn_percent: int) -> Path:
    """Copy what is on the disk into `folder`, as the next process finds it; a torn write keeps only a part."""
    folder.mkdir()
    found = folder / shelf.path.name
    for path in shelf.path.parent.glob(f"{shelf.path.stem}*"):
        if path.is_file() and not path.name.endswith(("-shm", ".lock")):
            shutil.copyfile(path, folder / path.name)
            (folder / path.name).chmod(0o600)
    log = found.with_name(found.name + "-wal")
    if torn_percent >= 0 and shelf.before is not None and _length(log) > shelf.before[0]:
        length, mark = shelf.before
        with log.open("r+b") as file:
            file.truncate(length + (_length(log) - length) * torn_percent // 100)
        mark_path(found).write_bytes(mark)
    return found


def looked_at_with_a_turned_bit(path: Path, folder: Path, permille: int, run_id: str) -> str:
    """Open and verify a copy of the store in which one bit is turned, so far into it. Returns what is wrong with how
    that was taken: empty when it was named, or when nothing that is read had changed."""
    shutil.copytree(path.parent, folder, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
    copy = folder / path.name
    sound = verify(path)
    with copy.open("r+b") as file:
        at = copy.stat().st_size * permille // 1000
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1 << permille % 8]))
    try:
        SqliteShelf(copy, run_id, last_boot(copy) + 1, durable=True).close()
        found = verify(copy)
    except StoreError:
        return ""
    if found.breaks or (found.events, found.head) == (sound.events, sound.head):
        return ""
    return f"bit {permille % 8} of byte {at} is turned; {found.events} events and {found.head.digest[:12]} are believed"


class DurableIds:
    """Which orders are on the disk? Read from the file by a connection of its own, not from anybody's memory."""

    def __init__(self, path: Path) -> None:
        self._connection = connect_reader(path)
        self._newest = 0
        self._names: set[str] = set()

    def has(self, client_order_id: str) -> bool:
        rows = self._connection.execute(
            "SELECT sequence, CAST(client_order_id AS BLOB) FROM events WHERE sequence > ? AND type = 'OrderSubmitted'",
            (self._newest,),
        )
        for sequence, name in rows:
            self._newest = max(self._newest, sequence)
            self._names.add(bytes(name).decode())
        return client_order_id in self._names

    def close(self) -> None:
        self._connection.close()
