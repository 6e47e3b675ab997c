"""Who writes this store? One process, proved by a lock that the system drops when the process dies."""

from __future__ import annotations

import fcntl
import os
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
