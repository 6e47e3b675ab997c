"""Who may trade this account, on whatever machine? A row on the server that expires unless it is renewed.

How long it is surely ours is reckoned from before the server was asked, on a clock that suspension does not stop; so
we always believe in it for less time than the server does.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable
from typing import Final

import psycopg

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import LeaseError, StoreError
from gpt_trader.records.postgres.connection import connect, migrate, place_of, server_errors

__all__ = ["ServerLease"]

_TAKE: Final = """
INSERT INTO gpt_trader.leases AS held (account, holder, token, expires_at)
VALUES (%(account)s, %(holder)s, 1, now() + %(seconds)s * interval '1 second')
ON CONFLICT (account) DO UPDATE
SET holder = excluded.holder, token = held.token + 1, expires_at = excluded.expires_at
WHERE held.expires_at < now()
RETURNING token
"""
_RENEW: Final = """
UPDATE gpt_trader.leases SET expires_at = now() + %(seconds)s * interval '1 second'
WHERE account = %(account)s AND token = %(token)s AND expires_at >= now()
"""


class ServerLease:
    """One account of a venue, for `seconds` at a time."""

    def __init__(self, url: str, account: str, *, seconds: float, awake_ns: Callable[[], int]) -> None:
        """Take it. Raises LeaseError that names who has it and until when, StoreError when the server says nothing.

        `awake_ns` is a clock that is never stepped and runs on while the machine is suspended.
        """
        self.account = account
        self.renew_seconds = seconds / 3
        self._seconds = seconds
        self._awake_ns = awake_ns
        self._place = place_of(url)
        self._until_ns = 0
        with server_errors(self._place), contextlib.ExitStack() as undo:
            self._connection = connect(url)
            undo.callback(self._connection.close)
            migrate(self._connection, self._place)
            self.token = self._take()
            undo.pop_all()

    def _take(self) -> int:
        asked_ns = self._awake_ns()
        holder = f"{platform.node()} process {os.getpid()}"
        wanted = {"account": self.account, "holder": holder, "seconds": self._seconds}
        taken = self._connection.execute(_TAKE, wanted).fetchone()
        if taken is None:
            held = self._connection.execute(
                "SELECT holder, extract(epoch FROM expires_at - now()) FROM gpt_trader.leases WHERE account = %s",
                (self.account,),
            ).fetchone()
            who, left = held if held is not None else ("somebody", 0)
            raise LeaseError(
                f"account {self.account}: {who} trades it already (its lease runs for another {max(0, left):.0f} s at "
                f"{self._place}); stop it first, or wait until its lease has run out"
            )
        self._until_ns = asked_ns + round(self._seconds * NS)
        return int(taken[0])

    def left_seconds(self) -> float:
        return max(0.0, (self._until_ns - self._awake_ns()) / NS)

    def renew(self) -> None:
        asked_ns = self._awake_ns()
        if not self.left_seconds():
            raise LeaseError(f"account {self.account}: the lease ran out before it could be renewed")
        wanted = {"account": self.account, "token": self.token, "seconds": self._seconds}
        try:
            with server_errors(self._place):
                renewed = self._connection.execute(_RENEW, wanted).rowcount
        except StoreError as error:
            if self._connection.closed:
                self._until_ns = 0
                raise LeaseError(f"account {self.account}: {error}") from error
            return  # no answer is no renewal: it runs out by itself, unless the next one succeeds
        if renewed != 1:
            self._until_ns = 0
            raise LeaseError(f"account {self.account}: somebody else has taken the lease at {self._place}")
        self._until_ns = asked_ns + round(self._seconds * NS)

    def release(self) -> None:
        self._until_ns = 0
        with contextlib.suppress(psycopg.Error):
            self._connection.execute(
                "UPDATE gpt_trader.leases SET expires_at = now() - interval '1 second' "
                "WHERE account = %s AND token = %s",
                (self.account, self.token),
            )
        with contextlib.suppress(psycopg.Error):
            self._connection.close()
