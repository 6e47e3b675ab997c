"""A real PostgreSQL server for tests: one that is given, or one that is started from installed binaries.

GPT_TRADER_TEST_POSTGRES names the URL of a server whose schema `gpt_trader` tests may fill. Without it `initdb` and
`postgres` are looked for, and run as an unprivileged user where we are root. Where there is neither, tests skip with
that reason; under CI they fail instead.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

START_SECONDS_MAX: Final = 30.0
NO_SERVER: Final = "no PostgreSQL: set GPT_TRADER_TEST_POSTGRES=postgresql://..., or install initdb and postgres"
UNPRIVILEGED: Final = "nobody"


def binaries() -> Path | None:
    """Folder with initdb and postgres; distributions keep them off the path."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next(
        (folder for folder in candidates if (folder / "initdb").exists() and (folder / "postgres").exists()), None
    )


@contextlib.contextmanager
def a_server() -> Iterator[str]:
    """URL of a server that tests may write to."""
    given = os.environ.get("GPT_TRADER_TEST_POSTGRES")
    if given:
        yield given
        return
    folder = binaries()
    if folder is None:
        if os.environ.get("CI"):
            pytest.fail(NO_SERVER)
        pytest.skip(NO_SERVER)
    with tempfile.TemporaryDirectory(prefix="gt-pg-") as home:
        yield from started(folder, Path(home))


def started(folder: Path, home: Path) -> Iterator[str]:
    who = as_whom(home)
    data, user = home / "data", UNPRIVILEGED if who else getpass.getuser()
    initdb = [str(folder / "initdb"), "-D", str(data), "-A", "trust", "-U", user, "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, timeout=60, cwd=home, **who)
    options = ["-k", str(home), "-c", "listen_addresses=", "-c", "fsync=off"]
    command = [str(folder / "postgres"), "-D", str(data), *options]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, **who)
    try:
        url = f"postgresql:///postgres?host={home}&user={user}"
        wait_for(url, server, home)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # at once, whoever is still connected
        server.wait(START_SECONDS_MAX)


def as_whom(home: Path) -> dict[str, Any]:
    """PostgreSQL will not run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam(UNPRIVILEGED)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def wait_for(url: str, server: subprocess.Popen[bytes], home: Path) -> None:
    psycopg = pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert server.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, "the server does not come up"
            time.sleep(0.05)
        else:
            return
