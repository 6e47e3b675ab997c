"""Does set-up do no more than it must? What `make` would run, without running it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.house import ROOT

INPUTS: Final = ("Makefile", "requirements.lock", "requirements-dev.lock", "requirements-uv.lock", "tools/setup")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that is set up already, as far as make can see."""
    for name in INPUTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (1_000_000, 1_000_000))
    (tmp_path / ".venv").mkdir()
    for stamp in (".main", ".dev"):
        (tmp_path / ".venv" / stamp).touch()
    return tmp_path


def would_run(checkout: Path, target: str) -> list[str]:
    surroundings = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "ARGS"}}
    command = ["make", "--dry-run", "--no-print-directory", target]
    shown = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True, env=surroundings)
    return shown.stdout.splitlines()


def test_a_second_start_only_starts(checkout: Path) -> None:
    """Nothing is resolved, fetched or installed when nothing has changed."""
    assert [line.split() for line in would_run(checkout, "run")] == [
        [".venv/bin/gpt-trader", "run", "--profile", "dev_entry"]
    ]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-uv.lock", "tools/setup"])
def test_a_changed_lock_is_installed(checkout: Path, lock: str) -> None:
    """Somebody who pulls a new version gets its dependencies without knowing that there are new ones."""
    later = (checkout / ".venv" / ".main").stat().st_mtime + 10
    os.utime(checkout / lock, (later, later))
    assert "tools/setup requirements.lock" in would_run(checkout, "run")


def test_users_do_not_install_what_developers_need(checkout: Path) -> None:
    """`make run` in a fresh clone installs the small lock only."""
    shutil.rmtree(checkout / ".venv")
    assert "tools/setup requirements-dev.lock" not in would_run(checkout, "run")


def test_continuous_integration_checks_and_tests() -> None:
    """The script that decides runs all, the long tests it names too, stops at the first failure, and can be executed."""
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf8").splitlines()
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in lines
    check, audit, site, default, long = (line for line in lines if line.startswith("make "))
    assert (check, audit, site) == ("make check", "make audit", "make site")
    assert default == 'make test ARGS="--durations=25"'
    assert long.startswith('make test ARGS="-m long ')
    assert all((ROOT / word.rstrip('"')).exists() for word in long.split() if word.startswith("tests/"))
