"""What if nobody will read the log? A journal that counts events and forgets them, for one of a thousand runs."""

from __future__ import annotations

from collections.abc import Generator

from gpt_trader.core.events import Event
from gpt_trader.core.journal import Head, Recorded, StoredSnapshot

__all__ = ["UnkeptJournal"]


class UnkeptJournal:
    """A journal for simulated runs of which only figures are wanted: the bot tells every event as always, and whoever
    listens hears it. There is no chain, so its head has no digest; the run can be made again with its log kept."""

    def __init__(self) -> None:
        self._sequence = 0

    @property
    def head(self) -> Head:
        return Head(self._sequence, "")

    def append(self, event: Event) -> int:  # noqa: ARG002 - the port's signature
        self._sequence += 1
        return self._sequence

    async def commit(self) -> None:
        """Nothing becomes durable, and nobody may rely on it: real orders need an EventStore."""

    def free_bytes(self) -> int | None:
        return None

    def stored_bytes(self) -> int | None:
        return None

    def read(self, after: int = 0, *, brief: bool = False) -> Generator[Recorded]:  # noqa: ARG002 - the port's signature
        yield from ()

    def hash_at(self, sequence: int) -> str:  # noqa: ARG002 - the port's signature
        return ""

    def keep_snapshot(self, row: StoredSnapshot) -> None:
        """Forgotten like the events."""

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        return ()
