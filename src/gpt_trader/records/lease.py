"""Who may trade this account on this host? A lock on a side file, dropped by the system when the process dies.

It holds on one host only: a bot on another machine cannot see it. That one is noticed by its client order ids, after
the fact; for a fleet take the lease of `records.postgres`.
"""

from __future__ import annotations

import fcntl
import os
import re
from math import inf
from pathlib import Path
from typing import Final

from gpt_trader.core.errors import LeaseError

__all__ = ["HostLease"]

RENEW_SECONDS: Final = 1.0
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class HostLease:
    """Ours as long as the file at its place is the one that we hold the lock on."""

    renew_seconds = RENEW_SECONDS

    def __init__(self, folder: Path, account: str) -> None:
        """Take it. Raises LeaseError that names the process which has it."""
        self.account = account
        self._path = folder / f"{_UNSAFE.sub('_', account)}.lease"
        self._lost = False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LeaseError(f"{self._path}: {error.strerror}; the lease needs a folder that can be written") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._file, 64, 0).decode(errors="replace").split()
            os.close(self._file)
            raise LeaseError(
                f"account {account}: process {holder[0] if holder else 'unknown'} on this host trades it already; stop "
                "it first (two bots on one account undo each other's orders)"
            ) from error
        self.token = self._next_token()

    def _next_token(self) -> int:
        words = os.pread(self._file, 64, 0).decode(errors="replace").split()
        token = int(words[1]) + 1 if len(words) > 1 and words[1].isdigit() else 1
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()} {token}\n".encode(), 0)
        return token

    def left_seconds(self) -> float:
        return inf if self._is_held() else 0.0

    def renew(self) -> None:
        if not self._is_held():
            self._lost = True
            raise LeaseError(
                f"account {self.account}: the lease file {self._path} was removed or replaced while we held it; "
                "somebody else may trade the account"
            )

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file, self._lost = -1, True

    def _is_held(self) -> bool:
        """A lock on a file that is no longer at its place keeps nobody out."""
        if self._lost:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False
