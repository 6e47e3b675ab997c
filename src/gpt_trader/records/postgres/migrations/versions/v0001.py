"""Layout 1: runs, boots, events, snapshots and leases."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE gpt_trader.runs (
    run text PRIMARY KEY,
    boot integer NOT NULL DEFAULT 0,
    sequence bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL
);
COMMENT ON TABLE gpt_trader.runs IS
    'head of each log; boot is the fence: only the newest boot may move the head, and only from where it stands';
CREATE TABLE gpt_trader.boots (
    run text NOT NULL REFERENCES gpt_trader.runs,
    boot integer NOT NULL,
    host text NOT NULL,
    process integer NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run, boot)
);
CREATE TABLE gpt_trader.events (
    run text NOT NULL REFERENCES gpt_trader.runs,
    sequence bigint NOT NULL,
    boot integer NOT NULL,
    time_ns bigint NOT NULL,
    type text NOT NULL,
    schema_version integer NOT NULL,
    intent_id text NOT NULL,
    client_order_id text NOT NULL,
    payload text NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (run, sequence)
);
CREATE TABLE gpt_trader.snapshots (
    run text NOT NULL REFERENCES gpt_trader.runs,
    sequence bigint NOT NULL,
    hash bytea NOT NULL,
    code_version text NOT NULL,
    state bytea NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (run, sequence)
);
CREATE TABLE gpt_trader.leases (
    account text PRIMARY KEY,
    holder text NOT NULL,
    token bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a log is never taken back to a layout that cannot hold it")
