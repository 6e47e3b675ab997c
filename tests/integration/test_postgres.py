"""What does only a server bring? Fencing, leases across machines, its own failures, and a whole run upon it.

The tests over whole processes are long: `pytest -m long tests/integration/test_postgres.py`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.builders import a_fill
from tests.command_line import command
from tests.postgres_server import a_server

from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.errors import LeaseError, StoreError
from gpt_trader.records.event_store import EventStore

pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")

from gpt_trader.records.postgres.connection import connect, place_of
from gpt_trader.records.postgres.lease import ServerLease
from gpt_trader.records.postgres.shelf import PostgresShelf, last_boot_on_server, verify_server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with a_server() as url:
        yield url


def opened(url: str, run: str, boot: int) -> EventStore:
    return EventStore(PostgresShelf(url, run, boot), run, boot, durable=True)


def test_who_was_taken_for_dead_is_fenced(server: str) -> None:
    """Its session is gone, another boot has taken the run over: what it still wants to write is refused for ever."""
    first = opened(server, "fenced", 1)
    first.append(a_fill(trade_id="a"))
    first.flush()
    with connect(server) as operator:
        operator.execute("SELECT pg_advisory_unlock_all()")
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'gpt-trader' AND pid <> pg_backend_pid()"
        )
    with opened(server, "fenced", 2) as second:
        second.append(a_fill(trade_id="b"))
        first.append(a_fill(trade_id="stale"))
        with pytest.raises(StoreError):
            first.flush()
        shelf = first._shelf
        assert isinstance(shelf, PostgresShelf)
        shelf.connection.close()
        shelf.connection = connect(server)  # as if the network had come back
        with pytest.raises(StoreError, match="boot 1 is fenced"):
            shelf.write((), (), shelf.tail)
        second.append(a_fill(trade_id="c"))
        second.flush()
        first.close()
        assert [item.event for item in second.read()] == [a_fill(trade_id=name) for name in "abc"]


def test_an_unknown_layout_is_refused(server: str) -> None:
    """A server that a later release has migrated is left as it is."""
    opened(server, "layout", 1).close()
    with connect(server) as connection:
        connection.execute("UPDATE gpt_trader.alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(StoreError, match="layout 9999 is unknown here"):
            opened(server, "layout", 2)
    finally:
        with connect(server) as connection:
            connection.execute("UPDATE gpt_trader.alembic_version SET version_num = '0001'")


def test_a_server_that_is_not_there_is_named_without_secrets() -> None:
    """Place and remedy; never the password."""
    url = "postgresql://trader:s3cret@127.0.0.1:1/logs"
    with pytest.raises(StoreError, match=r"postgresql://127\.0\.0\.1:1/logs.*is the server up") as refused:
        opened(url, "run", 1)
    assert "s3cret" not in str(refused.value)
    assert place_of(url, "run") == "postgresql://127.0.0.1:1/logs#run"


def test_a_lock_on_the_server_stops_the_store(server: str) -> None:
    """An order does not wait for a sick server: the store fails in seconds, by name, and takes nothing more."""
    store = opened(server, "locked", 1)
    with connect(server) as intruder, intruder.transaction():
        intruder.execute("LOCK TABLE gpt_trader.events")
        store.append(a_fill())
        with pytest.raises(StoreError, match="no answer within 3 s"):
            store.flush()
        with pytest.raises(StoreError, match="no answer within 3 s"):
            store.append(a_fill())
    store.close()


@pytest.mark.long
def test_killed_processes_leave_a_whole_log(server: str) -> None:
    """Everything that a commit had answered for is there, and the next boot goes on behind it."""
    code = (
        "import sys, asyncio\n"
        "from tests.builders import a_fill\n"
        "from tests.integration.test_postgres import opened\n"
        "store = opened(sys.argv[1], 'killed', int(sys.argv[2]))\n"
        "async def main():\n"
        "    while True:\n"
        "        store.append(a_fill(trade_id=str(store.head.sequence)))\n"
        "        await store.commit()\n"
        "        print(store.head.sequence, flush=True)\n"
        "asyncio.run(main())\n"
    )
    for boot in (1, 2):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, server, str(boot)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        answered = [int(writer.stdout.readline()) for _ in range(20)][-1]
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        found = verify_server(server, "killed")
        assert found.breaks == ()
        assert found.events >= answered
    assert last_boot_on_server(server, "killed") == 2


class Awake:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


def test_one_account_has_one_holder_on_any_machine(server: str) -> None:
    """The second is refused by name; after a release it may, under a higher token."""
    first = ServerLease(server, "venue/account", seconds=30, awake_ns=SystemClock.awake_ns)
    assert 29 < first.left_seconds() <= 30
    with pytest.raises(LeaseError, match=r"account venue/account: .* trades it already"):
        ServerLease(server, "venue/account", seconds=30, awake_ns=SystemClock.awake_ns)
    other = ServerLease(server, "venue/another", seconds=30, awake_ns=SystemClock.awake_ns)
    first.release()
    assert first.left_seconds() == 0
    second = ServerLease(server, "venue/account", seconds=30, awake_ns=SystemClock.awake_ns)
    assert second.token > first.token
    for lease in (second, other):
        lease.release()


def test_a_lease_that_ran_out_is_lost(server: str) -> None:
    """A machine that slept does not renew what may be somebody else's by now."""
    awake = Awake()
    lease = ServerLease(server, "sleeper", seconds=30, awake_ns=awake)
    awake.ns += 10 * NS
    lease.renew()
    assert lease.left_seconds() == 30
    awake.ns += 31 * NS
    assert lease.left_seconds() == 0
    with pytest.raises(LeaseError, match="ran out before it could be renewed"):
        lease.renew()
    lease.release()


def test_a_lease_that_was_taken_is_lost_at_the_next_renewal(server: str) -> None:
    """Whatever our own clock believes."""
    lease = ServerLease(server, "taken", seconds=30, awake_ns=SystemClock.awake_ns)
    with connect(server) as connection:
        connection.execute("UPDATE gpt_trader.leases SET token = token + 1, holder = 'x' WHERE account = 'taken'")
    with pytest.raises(LeaseError, match="somebody else has taken the lease"):
        lease.renew()
    assert lease.left_seconds() == 0
    lease.release()


@pytest.mark.long
def test_a_whole_run_is_recorded_on_the_server(server: str, state_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same events with the same hashes as in a file; the URL appears nowhere."""
    in_file = command("run", "--profile", "dev_entry", "--duration", "2h", "--json").summary
    monkeypatch.setenv("GPT_TRADER_STORE_URL", server)
    on_server = command("run", "--profile", "dev_entry", "--duration", "2h", "--json")
    assert on_server.summary["event_hash"] == in_file["event_hash"]
    assert server not in on_server.out + on_server.err
    assert json.dumps(server) not in json.dumps(on_server.summary)
    run = next(path.name for path in (state_home / "runs").iterdir() if not (path / "events.sqlite").exists())
    found = verify_server(server, run)
    assert (found.breaks, found.head.digest) == ((), in_file["event_hash"])
    told = json.loads(command("events", "verify", f"{server}#{run}", "--json").out)
    assert (told["sound"], told["head"]["hash"]) == (True, in_file["event_hash"])
    assert Decimal(told["ledger"]["fees"]) == Decimal(in_file["fees"])
