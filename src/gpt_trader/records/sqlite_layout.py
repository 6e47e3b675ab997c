"""Which tables does a store have? Today's layout of the SQLite file, and the steps from those of earlier releases.

Readers understand every layout in `LAYOUTS` as it is; the writer brings a file to today's when it opens it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from gpt_trader.core.errors import StoreError

__all__ = ["APPLICATION_ID", "SCHEMA", "STORE_VERSION", "check_identity", "layout_of", "upgrade"]

APPLICATION_ID: Final = 0x67745472
"""Marks the SQLite file as ours ("gtTr")."""

STORE_VERSION: Final = 3
"""Layout of the tables; events have their own schema version. 2: blocks of simulated runs. 3: snapshots, archived
segments."""

_RUN: Final = """
CREATE TABLE run (run TEXT NOT NULL);
-- host, process and wall time of every boot stand here, outside the hash
CREATE TABLE boots (
    boot INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    process INTEGER NOT NULL,
    opened_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    boot INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    intent_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL
);
"""
_BLOCKS: Final = """
-- simulated runs: many events a row, a line each; the hashes between the first and the last follow from the lines
CREATE TABLE blocks (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    run TEXT NOT NULL,
    boot INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    payloads BLOB NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL
);
"""
_SNAPSHOTS: Final = """
-- state after an event; shortens a replay and is never the only copy of anything
CREATE TABLE snapshots (
    sequence INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    code_version TEXT NOT NULL,
    state BLOB NOT NULL,
    digest BLOB NOT NULL
);
-- the beginning of the log that was moved to compressed files beside the database
CREATE TABLE segments (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    file TEXT NOT NULL
);
"""
SCHEMA: Final = _RUN + _BLOCKS + _SNAPSHOTS

_STEPS: Final[Mapping[int, str]] = {1: _BLOCKS, 2: _SNAPSHOTS}
"""From a layout to the next."""


def layout_of(connection: sqlite3.Connection) -> int:
    """Layout of a file that `check_identity` has passed."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_identity(connection: sqlite3.Connection, place: str) -> None:
    """Ours, and of a layout that this program knows. Raises StoreError."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        raise StoreError(f"{place}: an SQLite file, but no event store of gpt-trader")
    version = layout_of(connection)
    if version != STORE_VERSION and version not in _STEPS:
        known = ", ".join(str(each) for each in (STORE_VERSION, *sorted(_STEPS, reverse=True)))
        raise StoreError(
            f"{place}: store layout {version} is unknown here (this program reads {known}); "
            "open it with the release that wrote it"
        )


def upgrade(connection: sqlite3.Connection) -> int:
    """Bring the file to today's layout, in one transaction; returns the layout it had. Events are not touched."""
    found = layout_of(connection)
    if found == STORE_VERSION:
        return found
    connection.execute("BEGIN IMMEDIATE")
    for version in range(found, STORE_VERSION):
        for statement in _statements(_STEPS[version]):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version={STORE_VERSION}")
    connection.execute("COMMIT")
    return found


def _statements(script: str) -> list[str]:
    return [statement for statement in script.split(";\n") if statement.strip()]
