"""What does only a server bring? Fencing, leases across machines, its own failures, and a whole run upon it.

The tests over whole processes are long: `pytest -m long tests/integration/test_postgres.py`.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.builders import a_fill
from tests.command_line import command
from tests.failing_store import trade_into
from tests.house_under_test import House, a_config
from tests.killed_house import ENGINES, a_market, a_venue, an_entry, build
from tests.postgres_server import a_server

from gpt_trader.cli.main import run_command_line
from gpt_trader.config.bot import RecordsConfig
from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.errors import LeaseError, StoreError
from gpt_trader.core.events import BootStarted
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.opening import open_store
from gpt_trader.records.runs import store_path

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


@pytest.fixture(scope="module")
def recorded(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home of a run whose log is on the server: a boot with orders, of the real bot."""
    home = tmp_path_factory.mktemp("home")
    path = store_path(home, "on-server")
    config = RecordsConfig(url=SecretStr(server))
    adapter, clock = a_venue(a_market("at the venue"))
    with open_store(config, path, "on-server", 1) as store:
        house = build(a_config(), adapter, clock, store, 1)

        async def play() -> None:
            await house.bot.engine.place_order(an_entry("at the venue", clock.now_ns()))
            await house.bot.stop("the test is over")

        house.run(play)
    return home


def ask(home: Path, *arguments: str, url: str = "") -> tuple[int, str]:
    """Exit code and what the command said, in this process."""
    with pytest.MonkeyPatch.context() as patch, io.TextIOWrapper(io.BytesIO(), write_through=True) as said:
        patch.setenv("GPT_TRADER_HOME", str(home))
        patch.setenv("COLUMNS", "200")
        if url:
            patch.setenv("GPT_TRADER_STORE_URL", url)
        else:
            patch.delenv("GPT_TRADER_STORE_URL", raising=False)
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = run_command_line(list(arguments))
        said.seek(0)
        return code, said.read()


READERS = {
    "events show": ("events", "show", "on-server"),
    "events verify": ("events", "verify", "on-server"),
    "events export": ("events", "export", "on-server"),
    "events anchor": ("events", "anchor", "on-server"),
    "explain": ("explain", "--run", "on-server"),
    "tca": ("tca", "on-server"),
    "flags history": ("flags", "history", "on-server"),
    "invariants": ("invariants", "on-server"),
}


@pytest.mark.parametrize("command_line", READERS.values(), ids=READERS)
def test_a_log_on_a_server_is_read_like_a_file(server: str, recorded: Path, command_line: tuple[str, ...]) -> None:
    """By the run's name, once the server is named."""
    code, said = ask(recorded, *command_line, url=server)

    assert code == 0, said
    assert said


def test_what_is_exported_is_what_the_bot_wrote(server: str, recorded: Path) -> None:
    """Line for line, with the hashes of the chain; and the anchor is held against the server's log."""
    _, said = ask(recorded, "events", "export", "on-server", url=server)
    lines = [json.loads(line) for line in said.splitlines()]
    with open_store(RecordsConfig(url=SecretStr(server)), store_path(recorded, "on-server"), "on-server") as store:
        stored = list(store.read())
    assert [(line["sequence"], line["hash"]) for line in lines] == [(each.sequence, each.digest) for each in stored]

    ask(recorded, "events", "anchor", "on-server", url=server)
    (anchors,) = (recorded / "anchors").glob("*.jsonl")
    anchors.write_text(anchors.read_text().replace(lines[-1]["hash"], "0" * 64))
    code, said = ask(recorded, "events", "verify", "on-server", url=server)
    anchors.unlink()

    assert code == 3
    assert "an anchor remembers another hash" in said


def test_without_the_server_s_name_the_place_is_told(recorded: Path) -> None:
    """Where the log is, and which variable to set; a server that is another one is refused too."""
    code, said = ask(recorded, "events", "show", "on-server")
    assert code == 2
    assert "Fix: set GPT_TRADER_STORE_URL" in said

    code, said = ask(recorded, "events", "show", "on-server", url="postgresql://trader:s3cret@elsewhere/logs")
    assert code == 2
    assert "names postgresql://elsewhere/logs#on-server" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("what", ["archive", "repair", "growth"])
def test_what_works_on_files_only_is_refused_by_name(server: str, recorded: Path, what: str) -> None:
    """With what one does with a server instead."""
    code, said = ask(recorded, "events", what, "on-server", url=server)

    assert code == 2
    assert f"events {what} works on files only. Fix: " in said


def test_a_snapshot_on_the_server_shortens_the_next_start(server: str) -> None:
    """The same as in a file; a damaged one is told, and the whole log is replayed."""
    for number in (1, 2, 3):
        adapter, clock = a_venue(a_market("at the venue"))
        if number == 3:
            with connect(server) as connection:
                connection.execute("UPDATE gpt_trader.snapshots SET state = 'xx' WHERE run = 'snapshots'")
        with opened(server, "snapshots", number) as store:
            known = store.head.sequence
            house = build(a_config(), adapter, clock, store, number, snapshot_events=3)
            began = next(each.event for each in store.read(known) if isinstance(each.event, BootStarted))
            assert house.built.replayed == known
            assert began.from_snapshot == (known if number == 2 else 0)
            assert len(house.bot.unusable_snapshots) == (2 if number == 3 else 0)

            async def play(house: House = house) -> None:
                await house.bot.stop("the test is over")

            house.run(play)


@contextlib.contextmanager
def a_locked_table(url: str) -> Iterator[None]:
    with connect(url) as intruder, intruder.transaction():
        intruder.execute("LOCK TABLE gpt_trader.events")
        yield


@contextlib.contextmanager
def a_cut_line(url: str) -> Iterator[None]:
    with connect(url) as operator:
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'gpt-trader' AND pid <> pg_backend_pid()"
        )
    yield


@contextlib.contextmanager
def a_takeover(url: str) -> Iterator[None]:
    with connect(url) as other:
        other.execute("UPDATE gpt_trader.runs SET boot = boot + 1 WHERE run LIKE 'trouble%'")
    yield


TROUBLES = {"no answer within 3 s": a_locked_table, "is the server up": a_cut_line, "is fenced": a_takeover}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("named", TROUBLES)
def test_a_server_that_fails_while_the_bot_trades(server: str, named: str, engine: str) -> None:
    """Locked, gone, or written by another boot: named, and nothing is sent afterwards, on the way out neither."""
    adapter, clock = a_venue(a_market("at the venue"))
    run = f"trouble {named} {engine}"
    with contextlib.suppress(StoreError), opened(server, run, 1) as store:
        house = build(a_config(**ENGINES[engine]), adapter, clock, store, 1)
        house.run(lambda: trade_into(house, lambda: TROUBLES[named](server), named))
    assert not verify_server(server, run).breaks
