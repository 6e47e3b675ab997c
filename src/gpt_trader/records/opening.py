"""Which store, and whose account? A file on this host, or a server where an URL names one; and the lease that fits."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gpt_trader.config.bot import RecordsConfig
from gpt_trader.core.clock import SystemClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.lease import Lease
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.lease import HostLease
from gpt_trader.records.runs import SERVER_NAME

__all__ = ["open_store", "take_lease"]

GIGABYTE: Final = 1_000_000_000
MISSING: Final = "the extra `postgres` is not installed. Fix: pip install 'gpt-trader[postgres]', or unset records.url"


def open_store(config: RecordsConfig, path: Path, run_id: str, boot: int | None = None) -> EventStore:
    """The durable store of a run: at `records.url` where that is set, else in the file `path`.

    `boot` None goes on with the run, whatever boot was the last. Raises StoreError, or ConfigError without the driver.
    """
    if config.url is not None:
        store = _on_server(config.url.get_secret_value(), run_id, boot)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.with_name(SERVER_NAME).write_text(f"{store.place}\n", encoding="utf8")
        return store
    from gpt_trader.records.reader import last_boot  # noqa: PLC0415 - only where a file is asked for

    number = last_boot(path) + 1 if boot is None else boot
    free_bytes_min = round(config.disk_free_gb_min * GIGABYTE)
    return EventStore.open(path, run_id, number, durable=True, free_bytes_min=free_bytes_min)


def _on_server(url: str, run_id: str, boot: int | None) -> EventStore:
    try:
        from gpt_trader.records.postgres.shelf import PostgresShelf, last_boot_on_server  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(f"records.url is set and {MISSING} ({error})") from error
    number = last_boot_on_server(url, run_id) + 1 if boot is None else boot
    return EventStore(PostgresShelf(url, run_id, number), run_id, number, durable=True)


def take_lease(config: RecordsConfig, home: Path, account: str) -> Lease:
    """Hold an account against every other bot: across machines on the server of `records.url`, else on this host.

    Raises LeaseError that names who holds it, StoreError when the server says nothing.
    """
    if config.url is None:
        return HostLease(home / "leases", account)
    try:
        from gpt_trader.records.postgres.lease import ServerLease  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(f"records.url is set and {MISSING} ({error})") from error
    url = config.url.get_secret_value()
    return ServerLease(url, account, seconds=config.lease_seconds, awake_ns=SystemClock.awake_ns)
