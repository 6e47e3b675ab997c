"""How long does writing down take? The journal of a run with a watch beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator

from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.events import Event
from gpt_trader.core.journal import Head, Recorded, SnapshotJournal, StoredSnapshot

__all__ = ["MeasuredJournal"]


class MeasuredJournal:
    """Passes everything on; tells how many seconds each commit took."""

    def __init__(self, journal: SnapshotJournal, committed: Callable[[float], None]) -> None:
        self._journal = journal
        self._committed = committed
        self._clock = SystemClock()

    @property
    def head(self) -> Head:
        return self._journal.head

    def append(self, event: Event) -> int:
        return self._journal.append(event)

    async def commit(self) -> None:
        began_ns = self._clock.now_ns()
        await self._journal.commit()
        self._committed((self._clock.now_ns() - began_ns) / NS)

    def free_bytes(self) -> int | None:
        return self._journal.free_bytes()

    def read(self, after: int = 0, *, brief: bool = False) -> Generator[Recorded]:
        return self._journal.read(after, brief=brief)

    def stored_bytes(self) -> int | None:
        return self._journal.stored_bytes()

    def hash_at(self, sequence: int) -> str:
        return self._journal.hash_at(sequence)

    def keep_snapshot(self, row: StoredSnapshot) -> None:
        self._journal.keep_snapshot(row)

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        return self._journal.snapshots()
