"""Do the locks hold what the project declares? A dependency that is not pinned is not the one that was tested."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

import pytest
from tests.architecture.house import ROOT

PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> set[str]:
    return {normal(name) for name in PINNED.findall((ROOT / lock).read_text(encoding="utf8"))}


def declared(*groups: str) -> set[str]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
    wanted = [*project["project"]["dependencies"]] if "main" in groups else []
    for group in set(groups) - {"main"}:
        wanted += (project["dependency-groups"] | project["project"]["optional-dependencies"])[group]
    return {normal(match[0]) for text in wanted if (match := NAME.match(text))}


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements.lock", ("main", "build")),
        (
            "requirements-dev.lock",
            ("main", "build", "dev", "research", "ccxt", "postgres", "metrics", "alerts", "dashboard"),
        ),
        ("requirements-dashboard.lock", ("main", "build", "dashboard")),
        ("requirements-audit.lock", ("audit",)),
        ("requirements-uv.lock", ("uv",)),
    ],
)
def test_the_locks_hold_what_the_project_declares(lock: str, groups: tuple[str, ...]) -> None:
    """Run `make lock` after a change of dependencies."""
    assert declared(*groups) <= pins(lock)


def entries(lock: str) -> set[str]:
    """Pins and hashes, without the conditions of a pin: an extra may need a package in more places than the core."""
    lines = (ROOT / lock).read_text(encoding="utf8").splitlines()
    return {line.partition(" ; ")[0].removesuffix("\\").strip() if "==" in line else line for line in lines}


def test_both_environments_agree() -> None:
    """What developers test is what users run: same versions, same hashes."""
    assert entries("requirements.lock") <= entries("requirements-dashboard.lock") <= entries("requirements-dev.lock")


def test_the_installation_is_light() -> None:
    """The core needs no dataframe library and no other exchange's SDK."""
    assert not pins("requirements.lock") & {"pandas", "polars", "pyarrow", "ccxt", "scipy", "matplotlib", "torch"}
