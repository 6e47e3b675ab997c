"""Can a restart begin later than at the first event? The state that a replay makes, kept beside the log now and then.

A snapshot is never made from the memory of the bot that trades, but by a second house of the same parts that only
replays: so it is what the log says. It is used if its bytes are those that were written, the log still has the event
that it follows from, and this program reads its layout; else the whole log is replayed, and that is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterable
from decimal import Decimal
from itertools import islice
from typing import Final, Protocol

import msgspec

from gpt_trader import __version__
from gpt_trader.bot.account import CashState, FundingState
from gpt_trader.bot.invariants.log import LogWatchState
from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import FlagSet, LogRepaired, StrategyStateSaved
from gpt_trader.core.journal import Recorded, SnapshotJournal, StoredSnapshot
from gpt_trader.core.values import Value
from gpt_trader.execution.guards import GuardsState
from gpt_trader.execution.handlers.reconciliation import OpenAnswer
from gpt_trader.execution.stop_record import StopsState
from gpt_trader.placement.order_manager import OrdersState
from gpt_trader.placement.tracker import WorkState
from gpt_trader.records.ledger import LedgerState
from gpt_trader.records.metrics import MetricsState
from gpt_trader.risk.breaker_counts import CountsState
from gpt_trader.risk.edge import EdgeState

__all__ = ["LAYOUT", "HouseState", "Replays", "RolloutMark", "Snapshots", "decoded", "encoded"]

LAYOUT: Final = 3
"""Of the state below; to be raised with every change that a decoder would not notice."""
LOOK_BACK_EVENTS: Final = 2000
"""Of the log before the snapshot, read and verified at a time while the bot trades."""
WRITTEN_BY: Final = f"{__version__} layout {LAYOUT}"


class RolloutMark(Value, frozen=True, kw_only=True):
    """What a snapshot keeps: how many rollouts a run has had, and where in its log the last of them begins."""

    count: int = 0
    before: int = 0
    """Events before it."""
    is_active: bool = False


class HouseState(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the parts of a bot know from the log."""

    replayed: int
    """Events that it follows from."""
    began_ns: int
    newest_fill_ns: int
    repaired: LogRepaired | None
    flags: tuple[FlagSet, ...]
    rollout: RolloutMark
    ledger: LedgerState
    orders: OrdersState
    works: tuple[WorkState, ...]
    guards: GuardsState
    stops: StopsState
    answers: tuple[OpenAnswer, ...]
    metrics: MetricsState
    counts: CountsState
    strategies: tuple[StrategyStateSaved, ...]
    entries_ns: tuple[int, ...]
    intents: tuple[str, ...]
    edge: EdgeState
    equity: tuple[int, Decimal]
    funding: FundingState
    cash: CashState | None
    log: LogWatchState


_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_DECODER: Final = msgspec.msgpack.Decoder(HouseState)


def encoded(state: HouseState) -> bytes:
    """The same state gives the same bytes."""
    return _ENCODER.encode(state)


def decoded(state: bytes) -> HouseState:
    """Raises StoreError for bytes that are no such state."""
    try:
        return _DECODER.decode(state)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"it cannot be read: {error}") from error


class Replays(Protocol):
    """A house that can be given state and events, and asked for what came of them."""

    replayed: int

    def begin_from(self, state: HouseState) -> None:
        """Know this, instead of the events that it follows from."""
        ...

    def replay(self, recorded: Iterable[Recorded]) -> None:
        """Take stored events in, those after what is known, in order."""
        ...

    def state(self) -> HouseState: ...


class Snapshots:
    """Of one run. `again` furnishes a second house that replays and never acts."""

    def __init__(self, journal: SnapshotJournal, *, every: int, again: Callable[[], Replays]) -> None:
        """`every` so many events a snapshot is made; zero makes none, and uses none."""
        self._journal = journal
        self._every = every
        self._again = again
        self._newest: StoredSnapshot | None = None
        self.began_from = 0
        """Event that the snapshot follows from with which this start began; zero began at the first."""
        self._looked_back = 0
        """How far the log before the snapshot has been verified since the start."""
        self.unusable: tuple[str, ...] = ()
        """Why snapshots that are there were not used."""

    # --- at the start ---------------------------------------------------------------------------------------------
    def begin(self, house: Replays) -> None:
        """Bring a house to the end of the log by the newest sound snapshot and what follows, else from the first
        event. Raises StoreError."""
        if self._every:
            self._load(house)
        house.replay(self._journal.read(self.sequence, brief=True))
        if self._every and house.replayed - self.sequence >= self._every:
            self._keep(house)

    @property
    def sequence(self) -> int:
        """Event that the newest snapshot follows from; zero without one."""
        return 0 if self._newest is None else self._newest.sequence

    @property
    def unverified(self) -> int:
        """Events of before the snapshot that have not been looked at since the start."""
        return max(0, self.began_from - self._looked_back)

    def _load(self, house: Replays) -> None:
        for row in self._journal.snapshots():
            try:
                state = self._sound(row)
            except StoreError as error:
                self.unusable += (f"the snapshot of event {row.sequence} is not used: {error}",)
                continue
            house.begin_from(state)
            self._newest, self.began_from = row, row.sequence
            return

    def _sound(self, row: StoredSnapshot) -> HouseState:
        """Raises StoreError for one that is not what was written, or not of this log or program."""
        if row.code_version != WRITTEN_BY:
            raise StoreError(f"it was written by {row.code_version}, this is {WRITTEN_BY}")
        if hashlib.sha256(row.state).hexdigest() != row.digest:
            raise StoreError("its bytes are not those that were written: it is damaged")
        if self._journal.hash_at(row.sequence) != row.hash:
            raise StoreError("the log has another event there: it is of another log")
        state = decoded(row.state)
        if state.replayed != row.sequence:
            raise StoreError(f"it follows from {state.replayed} events")
        return state

    # --- while the bot trades -------------------------------------------------------------------------------------
    @property
    def is_due(self) -> bool:
        """So many events have come that the next restart would take long."""
        return self._every > 0 and self._journal.head.sequence - self.sequence >= self._every

    @property
    def wanted_at_end(self) -> bool:
        """Some events have come since, so that the next start would have to read them."""
        return self._every > 0 and self._journal.head.sequence > self.sequence

    def take(self) -> None:
        """Make one of all that is stored. Raises StoreError, also when the log cannot be read back as written."""
        house = self._again()
        self._bring_up_to_date(house, self._journal.read(self.sequence, brief=True))
        self._keep(house)

    async def take_beside(self) -> None:
        """The same; reading and computing are done by a thread, so that orders do not wait for it."""
        house, reading = self._again(), self._journal.read(self.sequence, brief=True)
        await asyncio.to_thread(self._bring_up_to_date, house, reading)
        self._keep(house)

    def _bring_up_to_date(self, house: Replays, reading: Generator[Recorded]) -> None:
        if self._newest is not None:
            house.begin_from(decoded(self._newest.state))
        with contextlib.closing(reading):
            house.replay(reading)

    def look_back(self) -> None:
        """Verify another part of the log before the snapshot, which the start did not read. Raises StoreError."""
        if not self.unverified:
            return
        with contextlib.closing(self._journal.read(self._looked_back, brief=True)) as reading:
            for recorded in islice(reading, min(LOOK_BACK_EVENTS, self.unverified)):
                self._looked_back = recorded.sequence

    def _keep(self, house: Replays) -> None:
        state = encoded(house.state())
        row = StoredSnapshot(
            sequence=house.replayed,
            hash=self._journal.hash_at(house.replayed),
            code_version=WRITTEN_BY,
            state=state,
            digest=hashlib.sha256(state).hexdigest(),
        )
        self._journal.keep_snapshot(row)
        self._newest = row
