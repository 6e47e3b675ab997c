"""Which store, and whose account?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.builders import a_fill

from gpt_trader.config.bot import RecordsConfig
from gpt_trader.core.errors import ConfigError, LeaseError, StoreError
from gpt_trader.records.lease import HostLease
from gpt_trader.records.logs import find_log
from gpt_trader.records.opening import open_store, take_lease


def test_without_an_url_the_store_is_a_file(tmp_path: Path) -> None:
    """Each opening is the next boot of the run, and durable."""
    path = tmp_path / "runs" / "r" / "events.sqlite"
    for boot in (1, 2):
        with open_store(RecordsConfig(), path, "r") as store:
            assert (store.boot, store.durable, store.place) == (boot, True, str(path))
            store.append(a_fill(trade_id=str(boot)))


def test_a_run_needs_room(tmp_path: Path) -> None:
    """The gate of the configuration is asked before anything is made."""
    with pytest.raises(StoreError, match=r"records\.disk_free_gb_min"):
        open_store(RecordsConfig(disk_free_gb_min=Decimal(99_999)), tmp_path / "runs" / "r" / "events.sqlite", "r")


def test_without_an_url_the_lease_holds_on_this_host(tmp_path: Path) -> None:
    """One file for one account, in the home of all runs."""
    lease = take_lease(RecordsConfig(), tmp_path, "venue:1")
    assert isinstance(lease, HostLease)
    with pytest.raises(LeaseError, match="trades it already"):
        take_lease(RecordsConfig(), tmp_path, "venue:1")
    lease.release()


def test_an_url_is_a_secret_and_names_a_server(tmp_path: Path) -> None:
    """It is not printed with the configuration, and a server that is not there is named without its password."""
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    config = RecordsConfig(url=SecretStr("postgresql://trader:s3cret@127.0.0.1:1/logs"))
    assert "s3cret" not in repr(config)
    for use in (
        lambda: open_store(config, tmp_path / "runs" / "r" / "events.sqlite", "r"),
        lambda: take_lease(config, tmp_path, "venue:1"),
    ):
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1/logs") as refused:
            use()
        assert "s3cret" not in str(refused.value)


def test_a_log_on_a_server_is_named_with_its_run(tmp_path: Path) -> None:
    """Half a name is refused, and not repeated: it may hold a password."""
    with pytest.raises(ConfigError, match="name the run behind a #") as refused:
        find_log(tmp_path, "postgresql://trader:s3cret@host/logs")
    assert "s3cret" not in str(refused.value)
