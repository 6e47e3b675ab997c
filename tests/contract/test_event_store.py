"""What does every store promise, wherever its rows stand? The same tests over SQLite and a real PostgreSQL server."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pytest
from tests.builders import START_NS, a_fill
from tests.postgres_server import a_server

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import MissMarked
from gpt_trader.core.journal import StoredSnapshot
from gpt_trader.core.values import Side
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import connect_reader

RUN = "test-run"
A_MEASUREMENT = MissMarked(at_ns=START_NS, symbol="BTC-PERP", side=Side.BUY, unfilled=Decimal(1), mid=Decimal(60_000))


class Place(Protocol):
    """Where a run lies, and how somebody else would get at it."""

    def open(self, boot: int, run: str = RUN) -> EventStore: ...

    def change(self, statement: str) -> None:
        """Damage: SQL with the table `events`, of this run only."""
        ...

    def durable_count(self) -> int:
        """What another connection sees."""
        ...


class InFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, boot: int, run: str = RUN) -> EventStore:
        return EventStore.open(self.path, run, boot, durable=True)

    def change(self, statement: str) -> None:
        import sqlite3

        with sqlite3.connect(self.path) as connection:
            connection.execute(statement.format(events="events", mine="1"))
        connection.close()

    def durable_count(self) -> int:
        connection = connect_reader(self.path)
        count = int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
        connection.close()
        return count


class OnServer:
    numbers = itertools.count()

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"run-{next(self.numbers)}"

    def open(self, boot: int, run: str = RUN) -> EventStore:
        from gpt_trader.records.postgres.shelf import PostgresShelf

        run_id = f"{run}-{self.name}"
        return EventStore(PostgresShelf(self.url, run_id, boot), run_id, boot, durable=True)

    def change(self, statement: str) -> None:
        from gpt_trader.records.postgres.connection import connect

        with connect(self.url) as connection:
            connection.execute(statement.format(events="gpt_trader.events", mine=f"run = '{RUN}-{self.name}'"))

    def durable_count(self) -> int:
        from gpt_trader.records.postgres.connection import connect

        with connect(self.url) as connection:
            found = connection.execute(
                "SELECT count(*) FROM gpt_trader.events WHERE run = %s", (f"{RUN}-{self.name}",)
            ).fetchone()
            assert found is not None
            return int(found[0])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with a_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return InFile(tmp_path / "home" / "runs" / RUN / "events.sqlite")
    return OnServer(request.getfixturevalue("server"))


def test_what_was_appended_is_read_in_order(place: Place) -> None:
    """Sequence numbers begin at one; reading goes on after any of them; the head is the last row's hash."""
    with place.open(1) as store:
        assert [store.append(a_fill(trade_id=name)) for name in "abc"] == [1, 2, 3]
        assert [item.event for item in store.read()] == [a_fill(trade_id=name) for name in "abc"]
        assert [item.sequence for item in store.read(after=2)] == [3]
        assert list(store.read())[-1].digest == store.head.digest
        with pytest.raises(StoreError, match="no event with sequence 9"):
            list(store.read(after=9))


def test_the_same_events_give_the_same_hash_everywhere(place: Place) -> None:
    """Store, boot and host stand outside the hash."""
    with place.open(1) as store:
        store.append(a_fill())
        digest = store.head.digest
    first = b"%d|%d|" % (1, 2)
    payload = next(iter(_payloads(place)))
    assert digest == hashlib.sha256(bytes(32) + first + payload).hexdigest()


def _payloads(place: Place) -> list[bytes]:
    from gpt_trader.records.schema import encode

    with place.open(2) as store:
        return [encode(item.event) for item in store.read()]


def test_a_restart_goes_on_with_the_chain(place: Place) -> None:
    """The next boot takes head and sequence from where the rows stand; all of it verifies."""
    with place.open(1) as store:
        store.append(a_fill(trade_id="a"))
        head = store.head
    with place.open(2) as store:
        assert store.head == head
        assert store.append(a_fill(trade_id="b")) == 2
        assert [item.boot for item in store.read()] == [1, 2]
        assert (store.verify().breaks, store.verify().events) == ((), 2)


def test_commit_is_durable_when_it_returns(place: Place) -> None:
    """Another connection sees the event as soon as commit has returned, and not before."""

    async def main(store: EventStore) -> None:
        store.append(a_fill())
        assert place.durable_count() == 0
        await asyncio.gather(store.commit(), store.commit())
        assert place.durable_count() == 1

    with place.open(1) as store:
        asyncio.run(main(store))


def test_outcomes_are_written_at_the_end_of_their_turn(place: Place) -> None:
    """Though nobody waits; measurements wait for company."""

    async def main(store: EventStore) -> None:
        store.append(A_MEASUREMENT)
        await asyncio.sleep(0)
        assert place.durable_count() == 0
        store.append(a_fill())
        await asyncio.sleep(0)
        assert place.durable_count() == 2

    with place.open(1) as store:
        asyncio.run(main(store))


def test_a_second_writer_is_refused(place: Place) -> None:
    """While one is open, nobody else writes there; then the next may."""
    with place.open(1), pytest.raises(StoreError, match=r"writes this (store|run) already"):
        place.open(2)
    with place.open(2) as store:
        assert store.append(a_fill()) == 1


def test_a_boot_is_never_used_twice(place: Place) -> None:
    """The number of a boot names one process."""
    with place.open(3):
        pass
    for boot in (2, 3):
        with pytest.raises(StoreError, match="is not newer than boot 3"):
            place.open(boot)


def test_text_of_any_kind_survives(place: Place) -> None:
    """Quotes, newlines, NUL and what lies beyond the first plane are stored as they were hashed."""
    event = a_fill(trade_id="\u0000 'quote\" \n \\ \U0001f9ea \u00fc")
    with place.open(1) as store:
        store.append(event)
        assert [item.event for item in store.read()] == [event]
        assert store.verify().breaks == ()


@pytest.mark.parametrize(
    ("damage", "kind", "sequence"),
    [
        (
            "UPDATE {events} SET payload = replace(payload, '60000', '60001') WHERE {mine} AND sequence = 2",
            "changed_payload",
            2,
        ),
        ("UPDATE {events} SET client_order_id = 'other' WHERE {mine} AND sequence = 2", "changed_column", 2),
        ("DELETE FROM {events} WHERE {mine} AND sequence = 2", "missing_row", 2),
        ("DELETE FROM {events} WHERE {mine} AND sequence = 3", "tail_cut", 3),
    ],
)
def test_damage_is_named_and_not_gone_on_with(place: Place, damage: str, kind: str, sequence: int) -> None:
    """By verify with its place; who reads stops there; a cut end is not written behind."""
    with place.open(1) as store:
        for name in "abc":
            store.append(a_fill(trade_id=name))
    place.change(damage)
    if kind == "tail_cut":
        with pytest.raises(StoreError, match="the log"):
            place.open(2)
        return
    with place.open(2) as store:
        (found,) = store.verify().breaks
        assert (found.kind, found.sequence) == (kind, sequence)
        if kind != "changed_column":
            with pytest.raises(StoreError, match=f"the chain breaks at sequence {sequence}"):
                list(store.read())


def test_the_newest_event_is_looked_at_before_anything_is_written(place: Place) -> None:
    """A damaged head is not built upon."""
    with place.open(1) as store:
        store.append(a_fill())
    place.change("UPDATE {events} SET payload = replace(payload, '60000', '60001') WHERE {mine}")
    with pytest.raises(StoreError, match="events verify"):
        place.open(2)


def test_the_two_newest_snapshots_are_kept(place: Place) -> None:
    """As they were given, newest first."""
    rows = [
        StoredSnapshot(number, f"{number:064x}", "0.1", b'{"state":%d}' % number, hashlib.sha256(b"x").hexdigest())
        for number in (1, 2, 3)
    ]
    with place.open(1) as store:
        assert store.snapshots() == ()
        for number, row in zip("abc", rows, strict=True):
            store.append(a_fill(trade_id=number))
            store.keep_snapshot(row)
        assert store.snapshots() == (rows[2], rows[1])
        assert place.durable_count() == 3
