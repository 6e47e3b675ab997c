"""How is the server reached? One connection whose every wait has an end, and failures that name the place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

from gpt_trader.core.errors import StoreError

__all__ = ["Connection", "connect", "migrate", "place_of", "server_errors"]

Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_SECONDS: Final = 5
STATEMENT_TIMEOUT_SECONDS: Final = 3
"""A statement that takes longer is cancelled, and the store fails: an order must not wait for a sick server."""
MIGRATION_LOCK: Final = 0x67745472
"""Two bots that open a new server at once take turns."""
_SCRIPTS: Final = Path(__file__).with_name("migrations")


def place_of(url: str, run: str = "") -> str:
    """Server and database for people; never user, password or options."""
    known = conninfo_to_dict(url)
    host = known.get("host") or "local"
    port = f":{known['port']}" if known.get("port") else ""
    return f"postgresql://{host}{port}/{known.get('dbname') or ''}" + (f"#{run}" if run else "")


@contextlib.contextmanager
def server_errors(place: str) -> Iterator[None]:
    """Turn a failure of the server or of the way to it into StoreError that says where and what to do."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise StoreError(
            f"{place}: no answer within {STATEMENT_TIMEOUT_SECONDS} s ({_first_line(error)}); look for a lock or a "
            "busy disk on the server"
        ) from error
    except psycopg.errors.DiskFull as error:
        raise StoreError(f"{place}: {_first_line(error)}; the server's disk is full: free some space") from error
    except psycopg.OperationalError as error:
        raise StoreError(f"{place}: {_first_line(error)}; is the server up, and may this user log in?") from error
    except psycopg.Error as error:
        raise StoreError(f"{place}: {type(error).__name__}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def connect(url: str, *, read_only: bool = False) -> Connection:
    """A connection in autocommit mode whose commits are durable. Raises psycopg.Error; see `server_errors`."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name="gpt-trader",
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=2,
        tcp_user_timeout=STATEMENT_TIMEOUT_SECONDS * 1000,
    )
    connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_SECONDS * 1000}")
    connection.execute("SET synchronous_commit = on")
    connection.execute("SET timezone = 'UTC'")
    if read_only:
        connection.execute("SET default_transaction_read_only = on")
        connection.execute("SET statement_timeout = 0")
    return connection


def migrate(connection: Connection, place: str) -> None:
    """Bring the server's tables to this release's layout. Raises StoreError for a layout of a later release."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
    try:
        connection.execute("CREATE SCHEMA IF NOT EXISTS gpt_trader")
        engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
        with engine.connect() as over:
            found = over.execute(text("SELECT to_regclass('gpt_trader.alembic_version')")).scalar()
            stands_at = (
                over.execute(text("SELECT version_num FROM gpt_trader.alembic_version")).scalar() if found else None
            )
            if stands_at is not None and stands_at not in known:
                names = ", ".join(sorted(known))
                raise StoreError(
                    f"{place}: layout {stands_at} is unknown here (this program knows {names}); open it with the "
                    "release that wrote it"
                )
            config.attributes["connection"] = over
            command.upgrade(config, "head")
            over.commit()
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (MIGRATION_LOCK,))
