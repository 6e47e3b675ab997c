"""Who writes this store? One process, proved by a lock that the system drops when the process dies."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from gpt_trader.core.errors import StoreError
from gpt_trader.records.reader import store_errors

__all__ = ["take_lock"]


def take_lock(path: Path) -> int:
    """Hold the side file that says who writes, and make the store's folder (0700) if need be.

    Returns the descriptor; closing it lets go. Raises StoreError when somebody else holds it.
    """
    lock_path = path.with_suffix(".lock")
    with store_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_place(path)
        path.parent.chmod(0o700)
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
            os.close(lock)
            raise StoreError(
                f"{path}: process {holder or 'unknown'} writes this store already; stop it, or take another run"
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _check_place(path: Path) -> None:
    """Nobody else may put another file in the place of ours: no links, and no folder that the world may write to
    (one where only owners may rename, like that for temporary files, is fine)."""
    for file in (path, path.with_suffix(".lock"), path.with_suffix(".mark"), path.parent):
        if file.is_symlink():
            raise StoreError(
                f"{file}: a link; a store is written at its own place only. Fix: put the file itself there"
            )
    for folder in path.absolute().parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise StoreError(
                f"{folder}: anybody may write there (mode {stat.S_IMODE(mode):o}). Fix: chmod o-w {folder}"
            )
