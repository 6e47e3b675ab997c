"""Which run is meant, and where is it? The folder of every run, and the names by which people call one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from gpt_trader.core.errors import ConfigError, StoreError
from gpt_trader.core.events import RunStarted
from gpt_trader.records.chain import mark_path
from gpt_trader.records.lock import take_lock
from gpt_trader.records.reader import read_run

__all__ = ["STORE_NAME", "discard_simulated_run", "find_store", "run_ids", "store_path"]

STORE_NAME: Final = "events.sqlite"
SIMULATED: Final = "simulated"
"""`RunStarted.environment` of a run that no money was in."""

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHOWN_MAX: Final = 10


def store_path(home: Path, run_id: str) -> Path:
    """Where the store of a run lies. Raises ConfigError for an id that is no plain file name."""
    if not _RUN_ID.fullmatch(run_id) or run_id == "last":
        raise ConfigError(f"run id {run_id!r}: use 1 to 64 of letters, digits, '.', '_' and '-'; not 'last'")
    return home / "runs" / run_id / STORE_NAME


def run_ids(home: Path) -> list[str]:
    """Every run with a store, the one written last at the end."""
    stores = sorted(home.glob(f"runs/*/{STORE_NAME}"), key=_written_ns)
    return [store.parent.name for store in stores]


def find_store(home: Path, reference: str) -> Path:
    """Path of the store that a person means: a run id, a unique beginning of one, `last`, or a path.

    Raises ConfigError that says what there is.
    """
    as_path = Path(reference)
    if as_path.is_file():
        return as_path
    if (as_path / STORE_NAME).is_file():
        return as_path / STORE_NAME
    known = run_ids(home)
    if reference == "last" and known:
        return store_path(home, known[-1])
    matches = [reference] if reference in known else [run_id for run_id in known if run_id.startswith(reference)]
    if len(matches) == 1:
        return store_path(home, matches[0])
    raise ConfigError(_not_found(home, reference, matches, known))


def discard_simulated_run(path: Path) -> None:
    """Remove the store of a simulated run, so that the same run can be made again. Absent is fine.

    Raises StoreError when it is being written, or is not the store of a simulated run.
    """
    if not path.exists() and not mark_path(path).exists():
        return
    lock = take_lock(path)
    try:
        _check_simulated(path)
        for store_file in (
            mark_path(path),
            path.with_name(f"{path.name}-wal"),
            path.with_name(f"{path.name}-shm"),
            path,
        ):
            store_file.unlink(missing_ok=True)  # the mark first: a store without one can be discarded again
    finally:
        os.close(lock)


def _check_simulated(path: Path) -> None:
    first = next(read_run(path), None)
    if first is not None and not (isinstance(first.event, RunStarted) and first.event.environment == SIMULATED):
        raise StoreError(f"{path}: not the store of a simulated run, so it is not removed; take another run id")


def _written_ns(store: Path) -> int:
    mark = mark_path(store)
    return (mark if mark.exists() else store).stat().st_mtime_ns


def _not_found(home: Path, reference: str, matches: list[str], known: list[str]) -> str:
    if matches:
        shown = ", ".join(matches[-_SHOWN_MAX:])
        return f"run {reference!r} is the beginning of {len(matches)} runs: {shown}; give more of the id"
    if not known:
        return f"run {reference!r}: there is no run under {home / 'runs'} yet; make one with `gpt-trader run`"
    shown = ", ".join(known[-_SHOWN_MAX:])
    return f"run {reference!r}: no such run or file; the newest under {home / 'runs'} are {shown}; or say `last`"
