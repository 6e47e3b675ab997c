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
from gpt_trader.records.reader import read_run, run_id_of

__all__ = ["SERVER_NAME", "STORE_NAME", "discard_simulated_run", "find_run", "places", "store_path", "stores"]

STORE_NAME: Final = "events.sqlite"
SERVER_NAME: Final = "events.server"
"""Beside the other files of a run whose log is elsewhere: where it is, without a password."""
SIMULATED: Final = "simulated"
"""`RunStarted.environment` of a run that no money was in."""

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHOWN_MAX: Final = 10


def store_path(home: Path, run_id: str) -> Path:
    """Where the store of a run lies. Raises ConfigError for an id that is no plain file name."""
    if not _RUN_ID.fullmatch(run_id) or run_id == "last":
        raise ConfigError(f"run id {run_id!r}: use 1 to 64 of letters, digits, '.', '_' and '-'; not 'last'")
    return home / "runs" / run_id / STORE_NAME


def stores(home: Path) -> list[Path]:
    """Every store in a file, the one written last at the end."""
    return sorted(home.glob(f"runs/*/{STORE_NAME}"), key=_written_ns)


def places(home: Path) -> list[Path]:
    """Every store, and what stands for one on a server."""
    return sorted([*stores(home), *home.glob(f"runs/*/{SERVER_NAME}")], key=_written_ns)


def find_run(home: Path, reference: str) -> Path:
    """Path of the store that a person means: a run's folder or id, the beginning of one, `last`, or a path. For a log
    on a server it is the file that names the server.

    A simulated run that was made several times has one id and several folders; the newest is taken.
    Raises ConfigError that says what there is, StoreError when a store that might be meant cannot be opened.
    """
    as_path = Path(reference)
    for path in (as_path, as_path / STORE_NAME, as_path / SERVER_NAME):
        if path.is_file():
            return path
    known = places(home)
    if reference == "last" and known:
        return known[-1]
    folders = [store for store in known if store.parent.name.startswith(reference)]
    exact = [store for store in folders if store.parent.name == reference]
    if exact or len(folders) == 1:
        return (exact or folders)[0]
    if not folders:
        by_run = {_run_of(store): store for store in known}
        folders = [store for run_id, store in by_run.items() if run_id.startswith(reference)]
        if reference in by_run or len(folders) == 1:
            return by_run.get(reference) or folders[0]
    raise ConfigError(_not_found(home, reference, folders, known))


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


def _run_of(store: Path) -> str:
    if store.name == SERVER_NAME:
        return store.read_text(encoding="utf8").strip().rpartition("#")[2]
    return run_id_of(store)


def _written_ns(store: Path) -> int:
    mark = mark_path(store)
    return (mark if mark.exists() else store).stat().st_mtime_ns


def _not_found(home: Path, reference: str, matches: list[Path], known: list[Path]) -> str:
    if matches:
        return f"run {reference!r} is the beginning of {len(matches)} runs: {_names(matches)}; give more of it"
    if not known:
        return f"run {reference!r}: there is no run under {home / 'runs'} yet; make one with `gpt-trader run`"
    return (
        f"run {reference!r}: no such run or file; the newest under {home / 'runs'} are {_names(known)}; or say `last`"
    )


def _names(paths: list[Path]) -> str:
    return ", ".join(store.parent.name for store in paths[-_SHOWN_MAX:])
