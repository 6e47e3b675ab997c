"""What does a bot do when its disk fails it? It names what is wrong, and nothing is sent that is not written down.

A disk that is full is a small tmpfs where we may mount one, and a limit on the size of files anywhere.
"""

from __future__ import annotations

import contextlib
import random
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.failing_store import trade_into
from tests.house_under_test import House, a_config
from tests.killed_house import ENGINES, a_market, a_venue, an_entry, build, the_venue_again

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import Event
from gpt_trader.core.values import OrderState
from gpt_trader.records import sqlite_shelf
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import read_run, verify

MARKET = a_market("at the venue")
Scenario = Callable[[House], Coroutine[Any, Any, None]]


def play(folder: Path, scenario: Scenario, engine: str = "live") -> None:
    """A bot on a durable store; it closes as well as it can."""
    adapter, clock = a_venue(MARKET)
    with EventStore.open(folder / "events.sqlite", "test-run", 1, durable=True) as store:
        house = build(a_config(**ENGINES[engine]), adapter, clock, store, 1)
        house.run(lambda: scenario(house))


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here (not root); the limit on file sizes stands in for it")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_disk(tmpfs: Path, engine: str) -> None:
    """F83, F85: a tmpfs without room. What was answered for is whole, and the error says what to do."""

    @contextlib.contextmanager
    def filled() -> Iterator[None]:
        with contextlib.suppress(OSError), (tmpfs / "filler").open("wb") as filler:
            while True:
                filler.write(b"x" * 4096)
                filler.flush()
        yield

    play(tmpfs / "run", lambda house: trade_into(house, filled, "the disk is full: free some space"), engine)
    (tmpfs / "filler").unlink()
    assert verify(tmpfs / "run" / "events.sqlite").breaks == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_that_may_not_grow(tmp_path: Path, engine: str) -> None:
    """A quota: the same end by another error of the disk."""

    @contextlib.contextmanager
    def limited() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = (tmp_path / "run" / "events.sqlite-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    play(
        tmp_path / "run", lambda house: trade_into(house, limited, "free some space|the disk reports an error"), engine
    )
    assert verify(tmp_path / "run" / "events.sqlite").breaks == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_database_that_somebody_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """F83: another program writes to our file. It is waited for a moment, then the store fails by name."""
    monkeypatch.setattr(sqlite_shelf, "BUSY_TIMEOUT_SECONDS", 0.05)

    @contextlib.contextmanager
    def held() -> Iterator[None]:
        intruder = sqlite3.connect(tmp_path / "run" / "events.sqlite", isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            intruder.close()

    play(tmp_path / "run", lambda house: trade_into(house, held, "another program holds the database"), engine)
    assert verify(tmp_path / "run" / "events.sqlite").breaks == ()


# --- flipped bits -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """What a bot left that held a position with its stop when it died: database, log of SQLite and mark."""
    folder = tmp_path_factory.mktemp("killed") / "run"

    async def scenario(house: House) -> None:
        await house.bot.engine.place_order(an_entry("at the venue", house.clock.now_ns()))
        await house.clock.sleep(2)
        shutil.copytree(folder, folder.with_name("left"), ignore=shutil.ignore_patterns("*-shm", "*.lock"))

    play(folder, scenario)
    left = folder.with_name("left")
    return left, [recorded.event for recorded in read_run(left / "events.sqlite")]


@pytest.mark.parametrize("name", ["events.sqlite", "events.sqlite-wal", "events.mark"])
def test_a_flipped_bit(killed: tuple[Path, list[Event]], tmp_path: Path, name: str) -> None:
    """F86: wherever a bit was flipped, the next boot either knows all that was known, or refuses by name before it has
    sent anything; a position is never forgotten and nothing is sent twice."""
    left, log = killed
    draw = random.Random(name)
    refused = 0
    for number in range(12):
        folder = tmp_path / str(number)
        shutil.copytree(left, folder)
        damaged = bytearray((folder / name).read_bytes())
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        (folder / name).write_bytes(damaged)
        refused += not starts_as_before(folder, log)
    assert refused or name != "events.sqlite-wal", "the write-ahead log has no byte that does not matter"


def test_a_flipped_bit_beside_a_snapshot(killed: tuple[Path, list[Event]], tmp_path: Path) -> None:
    """F86: the same where the next boot begins from a snapshot, and does not read all of the log."""
    left, log = killed
    kept = tmp_path / "kept"
    shutil.copytree(left, kept)
    assert starts_as_before(kept, log, snapshot_events=1)
    draw = random.Random("snapshot")
    for number in range(12):
        folder = tmp_path / str(number)
        shutil.copytree(kept, folder)
        damaged = bytearray((folder / "events.sqlite").read_bytes())
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        (folder / "events.sqlite").write_bytes(damaged)
        starts_as_before(folder, log, boot=3, snapshot_events=1)


def starts_as_before(folder: Path, log: list[Event], *, boot: int = 2, snapshot_events: int = 0) -> bool:
    """False when the boot was refused; nothing was sent then."""
    adapter, clock = the_venue_again(MARKET, log, MARKET.start_ns + 6 * NS)
    orders = {order.client_order_id for order in adapter.venue.open_orders()}
    refusal = ""
    try:
        with EventStore.open(folder / "events.sqlite", "test-run", boot, durable=True) as store:
            house = build(a_config(), adapter, clock, store, boot, snapshot_events=snapshot_events)
            house.run(lambda: same(house))
            house.check_invariants()
    except StoreError as error:
        refusal = str(error)
    if refusal:
        assert str(folder / "events") in refusal
        assert adapter.bodies == []
        assert {order.client_order_id for order in adapter.venue.open_orders()} == orders
    return not refusal


async def same(house: House) -> None:
    """The position, its stop, and no order that nobody knows."""
    assert house.bot.ledger.position("BTC-PERP").quantity > 0
    assert [order.state for order in house.bot.orders.living()] == [OrderState.ACTIVE]
