"""Which run is meant, and where is it?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.builders import a_run_started

from gpt_trader.core.errors import ConfigError, StoreError
from gpt_trader.core.events import BootStarted
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import verify
from gpt_trader.records.runs import discard_simulated_run, find_run, store_path, stores


def make(home: Path, folder: str, run_id: str = "", *, written_ns: int = 0, environment: str = "simulated") -> Path:
    path = home / "runs" / folder / "events.sqlite"
    with EventStore.open(path, run_id or folder, 1, durable=False) as store:
        store.append(a_run_started(environment=environment))
    if written_ns:
        os.utime(path.with_suffix(".mark"), ns=(written_ns, written_ns))
    return path


def test_a_run_is_found_by_id_beginning_last_and_path(tmp_path: Path) -> None:
    """Every way in which a person may call a run."""
    old = make(tmp_path, "alpha-1", written_ns=2)
    new = make(tmp_path, "beta-1", written_ns=3)
    assert stores(tmp_path) == [old, new]
    assert find_run(tmp_path, "alpha-1") == old
    assert find_run(tmp_path, "al") == old
    assert find_run(tmp_path, "last") == new
    assert find_run(tmp_path, str(old)) == old
    assert find_run(tmp_path, str(old.parent)) == old
    assert store_path(tmp_path, "alpha-1") == old


def test_an_exact_name_wins_over_a_longer_one(tmp_path: Path) -> None:
    """`a` is not ambiguous when there is a run `a`."""
    short, _ = make(tmp_path, "a"), make(tmp_path, "ab")
    assert find_run(tmp_path, "a") == short


def test_a_simulated_run_made_twice_is_found_by_its_id(tmp_path: Path) -> None:
    """The folder carries the time of day, the run id does not; the newest is meant."""
    make(tmp_path, "20260101-sim-1", "sim-1", written_ns=2)
    newest = make(tmp_path, "20260102-sim-1", "sim-1", written_ns=3)
    make(tmp_path, "20260103-sim-2", "sim-2", written_ns=4)
    assert find_run(tmp_path, "sim-1") == newest
    with pytest.raises(ConfigError, match="beginning of 2 runs"):
        find_run(tmp_path, "sim-")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("a", "beginning of 2 runs: a1, a2; give more of it"),
        ("zzz", "no such run or file; the newest under .* are a1, a2"),
    ],
)
def test_what_cannot_be_told_is_asked(tmp_path: Path, reference: str, said: str) -> None:
    """The error names what there is."""
    make(tmp_path, "a1", written_ns=2)
    make(tmp_path, "a2", written_ns=3)
    with pytest.raises(ConfigError, match=said):
        find_run(tmp_path, reference)


@pytest.mark.parametrize("reference", ["last", "x"])
def test_no_run_yet_is_said(tmp_path: Path, reference: str) -> None:
    """A newcomer is told what to do."""
    with pytest.raises(ConfigError, match=r"there is no run under .* yet; make one with `gpt-trader run`"):
        find_run(tmp_path, reference)


@pytest.mark.parametrize("run_id", ["", "last", "../x", "a/b", ".hidden", "x" * 65, "a b"])
def test_a_run_id_is_a_plain_name(tmp_path: Path, run_id: str) -> None:
    """It becomes a folder, so nothing else is taken."""
    with pytest.raises(ConfigError, match="run id"):
        store_path(tmp_path, run_id)


def test_a_simulated_run_can_be_made_again(tmp_path: Path) -> None:
    """Its store is removed whole, and the next one begins at one."""
    path = make(tmp_path, "sim")
    discard_simulated_run(path)
    assert not path.exists()
    assert verify(make(tmp_path, "sim")).events == 1
    discard_simulated_run(tmp_path / "never" / "events.sqlite")


def test_a_store_with_money_in_it_is_never_removed(tmp_path: Path) -> None:
    """Neither the store of an account, nor one that does not begin as a run, nor one whose database is lost."""
    account = make(tmp_path, "account", environment="coinbase:main")
    with pytest.raises(StoreError, match="not the store of a simulated run"):
        discard_simulated_run(account)
    odd = tmp_path / "odd" / "events.sqlite"
    with EventStore.open(odd, "odd", 1, durable=False) as store:
        store.append(BootStarted(at_ns=1, boot=1, replayed_events=0))
    with pytest.raises(StoreError, match="not the store of a simulated run"):
        discard_simulated_run(odd)
    account.unlink()
    with pytest.raises(StoreError, match="there is no event store here"):
        discard_simulated_run(account)


def test_a_store_in_use_is_not_removed(tmp_path: Path) -> None:
    """Its writer holds the lock."""
    path = make(tmp_path, "sim")
    with EventStore.open(path, "sim", 2, durable=False), pytest.raises(StoreError, match="writes this store already"):
        discard_simulated_run(path)
