"""Where does the log lie?"""

from __future__ import annotations

import asyncio
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import START_NS, a_fill

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import SCHEMA_VERSION, MissMarked, TacticStarted
from gpt_trader.core.values import Side
from gpt_trader.records import event_store, sqlite_shelf
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import connect_reader, last_boot, verify
from gpt_trader.records.sqlite_shelf import SqliteShelf, sqlite_notes

RUN = "test-run"
A_MEASUREMENT = MissMarked(at_ns=START_NS, symbol="BTC-PERP", side=Side.BUY, unfilled=Decimal(1), mid=Decimal(60_000))
"""May wait for company."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / RUN / "events.sqlite"


def opened(path: Path, *, durable: bool = True) -> EventStore:
    return EventStore.open(path, RUN, last_boot(path) + 1, durable=durable)


def the_file(store: EventStore) -> SqliteShelf:
    assert isinstance(store._shelf, SqliteShelf)
    return store._shelf


def transactions(store: EventStore) -> list[str]:
    """Fills up with every COMMIT that the store's connection runs."""
    commits: list[str] = []
    the_file(store).connection.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
    return commits


def test_what_was_appended_is_read_in_order(path: Path) -> None:
    """Sequence numbers begin at one, and reading goes on after any of them."""
    with opened(path) as store:
        assert [store.append(a_fill(trade_id=name)) for name in "abc"] == [1, 2, 3]
        assert [item.event for item in store.read()] == [a_fill(trade_id=name) for name in "abc"]
        assert [item.sequence for item in store.read(after=2)] == [3]
        assert list(store.read())[-1].digest == store.head.digest


def test_a_restart_goes_on_with_the_chain(path: Path) -> None:
    """The next boot takes head and sequence from the file."""
    with opened(path) as store:
        store.append(a_fill(trade_id="a"))
        head = store.head
    with opened(path) as store:
        assert store.head == head
        assert store.append(a_fill(trade_id="b")) == 2
        assert [item.boot for item in store.read()] == [1, 2]
    assert verify(path).breaks == ()


def test_boot_and_durability_stand_outside_the_hash(tmp_path: Path) -> None:
    """The same events give the same head, on any boot, host and kind of store."""
    heads = set()
    for name, boot, durable in (("a", 1, True), ("b", 7, False)):
        with EventStore.open(tmp_path / name / "events.sqlite", RUN, boot, durable=durable) as store:
            store.append(a_fill())
            heads.add(store.head)
    assert len(heads) == 1


def test_callers_of_one_turn_share_one_transaction(path: Path) -> None:
    """A hundred orders in one turn of the loop cost one fsync."""

    async def order(store: EventStore, number: int) -> None:
        store.append(a_fill(trade_id=str(number)))
        await store.commit()

    async def main(store: EventStore) -> None:
        await asyncio.gather(*(order(store, number) for number in range(100)))

    with opened(path) as store:
        commits = transactions(store)
        asyncio.run(main(store))
        assert len(commits) == 1
        assert verify(path).events == 100


def test_f88_commit_is_durable_when_it_returns(path: Path) -> None:
    """Another connection sees the event as soon as commit has returned; synchronous is FULL."""

    async def main(store: EventStore) -> None:
        store.append(a_fill())
        assert verify(path).events == 0
        await store.commit()
        assert verify(path).events == 1

    with opened(path) as store:
        asyncio.run(main(store))
        assert the_file(store).connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert the_file(store).connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_an_outcome_is_written_though_nobody_waits(path: Path) -> None:
    """A fill is on the disk at the end of its turn, together with the thoughts before it."""

    async def main(store: EventStore) -> None:
        store.append(A_MEASUREMENT)
        await asyncio.sleep(0)
        assert verify(path).events == 0
        store.append(a_fill())
        store.append(a_fill(trade_id="b"))
        await asyncio.sleep(0)
        assert verify(path).events == 3

    with opened(path) as store:
        commits = transactions(store)
        asyncio.run(main(store))
        assert len(commits) == 1


def test_a_failed_write_that_nobody_waited_for_is_told_to_the_next(path: Path) -> None:
    """Nothing is taken into a log that does not reach the disk."""

    async def main(store: EventStore) -> None:
        for number in range(200):
            store.append(a_fill(trade_id=str(number)))
        await asyncio.sleep(0)
        assert "the disk is full" in store.failure
        with pytest.raises(StoreError, match="the disk is full"):
            store.append(A_MEASUREMENT)

    with opened(path) as store:
        the_file(store).connection.execute("PRAGMA max_page_count=1")
        asyncio.run(main(store))


def test_commit_without_news_writes_nothing(path: Path) -> None:
    """Asking twice costs one write."""

    async def main(store: EventStore) -> None:
        store.append(a_fill())
        await store.commit()
        await store.commit()

    with opened(path) as store:
        commits = transactions(store)
        asyncio.run(main(store))
        assert len(commits) == 1


def test_a_cancelled_caller_does_not_cancel_the_others(path: Path) -> None:
    """The shared write belongs to all who wait for it."""

    async def main(store: EventStore) -> None:
        store.append(A_MEASUREMENT)
        first, second = (asyncio.ensure_future(store.commit()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        with pytest.raises(asyncio.CancelledError):
            await first
        assert verify(path).events == 1

    with opened(path) as store:
        asyncio.run(main(store))


def test_a_simulated_run_is_written_in_blocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the disk: commit returns at once, a full block is written, close writes the rest."""
    monkeypatch.setattr(event_store, "BLOCK_EVENTS", 10)
    with opened(path, durable=False) as store:
        for number in range(15):
            store.append(a_fill(trade_id=str(number)))
            asyncio.run(store.commit())
        assert verify(path).events == 10
    assert verify(path).events == 15


def test_files_are_private(path: Path) -> None:
    """Folder 0700, files 0600, also those that SQLite makes."""
    with opened(path) as store:
        store.append(a_fill())
        store.flush()
        assert path.parent.stat().st_mode & 0o777 == 0o700
        modes = {item.name: item.stat().st_mode & 0o777 for item in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"events.sqlite", "events.sqlite-wal", "events.mark", "events.lock"} <= set(modes)


def test_a_second_writer_is_refused(path: Path) -> None:
    """One store, one writer; the other is told who holds it, and may have it afterwards."""
    with opened(path), pytest.raises(StoreError, match=r"process \d+ writes this store already"):
        EventStore.open(path, RUN, 2, durable=True)
    opened(path).close()


def test_f87_exactly_one_connection_can_write(path: Path) -> None:
    """Readers are opened so that SQLite itself refuses them a write (F87)."""
    with opened(path) as store:
        store.append(a_fill())
        store.flush()
        reader = connect_reader(path)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM events")
        reader.close()


def test_f63_a_store_never_serves_two_runs(path: Path) -> None:
    """A run id is part of the store's identity."""
    opened(path).close()
    with pytest.raises(StoreError, match="the store of run test-run, not of other"):
        EventStore.open(path, "other", 2, durable=True)


def test_a_boot_is_never_used_twice(path: Path) -> None:
    """Each process start is a boot of its own."""
    opened(path).close()
    with pytest.raises(StoreError, match="boot 1 is not newer than boot 1"):
        EventStore.open(path, RUN, 1, durable=True)


@pytest.mark.parametrize("value", [1.5, None, ["x"]])
def test_what_could_not_be_read_back_is_refused(path: Path, value: Any) -> None:
    """A float among the numbers of a live event fails where it is made; the chain is as before."""
    event = TacticStarted(
        at_ns=1, tactic="t", symbol="BTC-PERP", side=Side.BUY, quantity=Decimal(1), plan={"price": value}
    )
    with opened(path) as store:
        head = store.head
        with pytest.raises(TypeError, match="TacticStarted cannot be stored"):
            store.append(event)
        assert store.head == head
        assert store.append(a_fill()) == 1


def test_a_full_disk_stops_the_store(path: Path) -> None:
    """The error names file and remedy; afterwards nothing is taken, and what was durable is whole."""
    with opened(path) as store:
        store.append(a_fill())
        store.flush()
        pages = the_file(store).connection.execute("PRAGMA page_count").fetchone()[0]
        the_file(store).connection.execute(f"PRAGMA max_page_count={pages}")
        for number in range(200):
            store.append(a_fill(trade_id=str(number)))
        with pytest.raises(StoreError, match=r"events\.sqlite: .*the disk is full: free some space"):
            store.flush()
        with pytest.raises(StoreError, match="the disk is full"):
            store.append(a_fill())
        with pytest.raises(StoreError, match="the disk is full"):
            asyncio.run(store.commit())
    assert verify(path).events == 1
    assert verify(path).breaks == ()


def test_a_full_disk_is_told_to_everybody_who_waits(path: Path) -> None:
    """No caller of a shared commit may believe that its order is written down."""

    async def main(store: EventStore) -> None:
        for number in range(200):
            store.append(a_fill(trade_id=str(number)))
        answers = await asyncio.gather(store.commit(), store.commit(), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreError, StoreError]

    with opened(path) as store:
        the_file(store).connection.execute("PRAGMA max_page_count=1")
        asyncio.run(main(store))


def test_f83_a_foreign_lock_stops_the_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program that holds the database is waited for a moment, then named."""
    monkeypatch.setattr(sqlite_shelf, "BUSY_TIMEOUT_SECONDS", 0.05)
    with opened(path) as store:
        intruder = sqlite3.connect(path, isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        store.append(a_fill())
        with pytest.raises(StoreError, match="another program holds the database"):
            store.flush()
        intruder.close()


def test_an_interrupted_write_is_settled(path: Path) -> None:
    """Ctrl-C between BEGIN and COMMIT, or right after COMMIT, neither loses nor doubles an event."""
    with opened(path) as store:
        store.append(a_fill(trade_id="a"))
        store._writing = True
        the_file(store).connection.execute("BEGIN IMMEDIATE")  # as if struck before the rows were in
        store.flush()
        store.append(a_fill(trade_id="b"))
        pending = list(store._pending)
        store.flush()
        store._pending, store._writing = pending, True  # as if struck after COMMIT
        store.append(a_fill(trade_id="c"))
    assert [verify(path).events, verify(path).breaks] == [3, ()]


def test_a_lost_database_is_not_replaced(path: Path) -> None:
    """A missing file beside a mark is a loss, not a new beginning."""
    with opened(path) as store:
        store.append(a_fill())
    path.unlink()
    with pytest.raises(StoreError, match=r"is gone, but events\.mark remembers 1 events"):
        opened(path)


def test_a_cut_tail_is_seen_at_opening(path: Path) -> None:
    """A log that ends before its high-water mark is not gone on with."""
    with opened(path) as store:
        for name in "abc":
            store.append(a_fill(trade_id=name))
    change(path, "DELETE FROM events WHERE sequence = 3")
    with pytest.raises(StoreError, match="ends at sequence 2, but had reached 3"):
        opened(path)


def test_f85_a_damaged_head_is_seen_at_opening(path: Path) -> None:
    """The newest row is looked at before anything is written behind it."""
    with opened(path) as store:
        store.append(a_fill(price=Decimal(60_000)))
    change(path, "UPDATE events SET payload = replace(payload, '60000', '60001')")
    with pytest.raises(StoreError, match="newest event, sequence 1, is not what its hash was made of"):
        opened(path)


def test_an_exchanged_log_is_seen_at_opening(path: Path) -> None:
    """A sound chain that is not the one the mark remembers is another log."""
    with opened(path) as store:
        store.append(a_fill(trade_id="a"))
        remembered = path.with_suffix(".mark").read_bytes()
        store.flush()
        remembered = path.with_suffix(".mark").read_bytes()
    for item in path.parent.iterdir():
        item.unlink()
    with opened(path) as store:
        store.append(a_fill(trade_id="other"))
    path.with_suffix(".mark").write_bytes(remembered)
    with pytest.raises(StoreError, match="not the event that the high-water mark remembers"):
        opened(path)


def test_a_missing_mark_is_noted(path: Path) -> None:
    """Without a mark the store opens, and says what can no longer be seen."""
    with opened(path) as store:
        store.append(a_fill())
    path.with_suffix(".mark").unlink()
    with opened(path) as store:
        assert any("events.mark is missing" in note for note in store.notes)


def test_a_foreign_file_is_refused(path: Path) -> None:
    """Neither text nor somebody else's database is written into."""
    path.parent.mkdir(parents=True)
    path.write_text("no database at all, but long enough to be looked at" * 10)
    with pytest.raises(StoreError, match="no event store, or it is damaged"):
        EventStore.open(path, RUN, 1, durable=True)
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (a)")
    other.close()
    with pytest.raises(StoreError, match="no event store of gpt-trader"):
        EventStore.open(path, RUN, 1, durable=True)


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_the_wal_reset_bug_is_noted(version: tuple[int, int, int], affected: bool) -> None:
    """Versions with the bug, and those with the repair (F87)."""
    assert bool(sqlite_notes(version)) is affected


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import last_boot
from tests.builders import START_NS, a_fill

async def main(path, durable):
    store = EventStore.open(path, "test-run", last_boot(path) + 1, durable=durable)
    print("ready", flush=True)
    while True:
        for number in range(5):
            store.append(a_fill(trade_id=str(number)))
        await store.commit()
        print(store.head.sequence, flush=True)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2] == "durable"))
"""


def run_and_kill(path: Path, kind: str, seconds: float) -> int:
    """Let a process write for a while, kill it, and return the last sequence that its commit answered for."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), kind], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    answered = []
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            answered.append(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    answered += process.stdout.read().splitlines(keepends=True)
    process.wait()
    process.stdout.close()
    whole = [int(line) for line in answered if line.endswith("\n")]
    return whole[-1] if whole else 0


@pytest.mark.parametrize("kind", ["durable", "simulated"])
def test_f89_kill_at_any_instant_leaves_a_whole_chain(path: Path, kind: str) -> None:
    """After kill -9 the log verifies, goes on, and holds everything that a durable commit had answered for."""
    draw = random.Random(kind)
    events = 0
    for _ in range(4):
        answered = run_and_kill(path, kind, draw.uniform(0.001, 0.15))
        found = verify(path)
        assert found.breaks == ()
        assert found.events >= events
        if kind == "durable":
            known = max(events, answered)
            assert known <= found.events <= known + 5
        events = found.events
    with opened(path) as store:
        assert store.append(a_fill()) == events + 1


def test_the_row_says_what_the_event_is(path: Path) -> None:
    """The columns of DESIGN section 11 can be asked for with any SQLite tool."""
    event = a_fill()
    with opened(path) as store:
        store.append(event)
    with sqlite3.connect(path) as connection:
        row = connection.execute(
            "SELECT run, boot, sequence, time_ns, type, schema_version, intent_id, client_order_id, "
            "json_extract(payload, '$.price'), length(previous_hash), length(hash) FROM events"
        ).fetchone()
        host = connection.execute("SELECT host, process, opened_at FROM boots").fetchone()
    connection.close()
    ids = (event.intent_id, event.client_order_id)
    assert row == (RUN, 1, 1, event.at_ns, "OrderFilled", SCHEMA_VERSION, *ids, "60000", 32, 32)
    assert all(host)


def test_an_event_is_cheap_to_append(path: Path) -> None:
    """Far under what an order may cost: 50 us an event would be ten times the measured figure."""
    events = [msgspec.structs.replace(a_fill(), trade_id=str(number)) for number in range(2000)]
    with opened(path, durable=False) as store:
        began = time.process_time()
        for event in events:
            store.append(event)
        assert (time.process_time() - began) / len(events) < 50e-6


def test_a_run_is_not_begun_on_a_full_disk(path: Path) -> None:
    """The gate names place, room and setting, and makes nothing."""
    with pytest.raises(StoreError, match=r"GB are free there and records\.disk_free_gb_min asks for"):
        EventStore.open(path, RUN, 1, durable=True, free_bytes_min=10**18)
    assert not path.parent.exists()
