"""Do imports keep to their wings? The contracts of pyproject.toml, and what a contract cannot say."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import pytest
from tests.architecture.house import ROOT, modules, where

WINGS: Final = {
    "coinbase": ("exchange/coinbase/",),
    "ccxt": ("exchange/ccxt/",),
    "numba": ("venue/", "market/"),
    "llvmlite": ("venue/", "market/"),
    "numpy": (
        *("venue/", "market/", "research/", "report/", "exchange/paper", "exchange/coinbase/", "exchange/ccxt/"),
        *("bot/quiet.py", "bot/foresight.py", "strategies/", "records/ledger.py"),  # many bars at once
    ),
    "pydantic": ("config/", "strategies/"),
    "pydantic_settings": ("config/",),
    "yaml": ("config/",),
    "pyarrow": ("market/parquet.py", "report/export.py", "report/research_export.py"),
    "matplotlib": ("report/",),
    "plotly": ("report/",),
    "jinja2": ("report/",),
    "jquantstats": ("report/",),
    "polars": ("report/",),
    "click": ("cli/",),
    "dash": ("ops/dashboard/",),
    "flask": ("ops/dashboard/",),
    "waitress": ("ops/dashboard/",),
    "rich": ("cli/", "ops/", "report/"),
    "sqlite3": ("records/",),
    "aiohttp": ("venue/wire/", "exchange/"),
    "cryptography": ("venue/wire/", "exchange/coinbase/"),
    "jwt": ("venue/wire/", "exchange/coinbase/"),
}
"""Libraries that may be imported in some places only."""


def imports() -> Iterator[tuple[str, str, ast.AST]]:
    """Every import: module, full dotted name of what it imports, node."""
    for module, syntax in modules().items():
        for node in ast.walk(syntax):
            if isinstance(node, ast.Import):
                for item in node.names:
                    yield module, item.name, node
            elif isinstance(node, ast.ImportFrom):
                yield module, node.module or "", node


def test_the_import_contracts_hold() -> None:
    """Floors, hallway, engines, handlers, circles and wings, as written in pyproject.toml."""
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-logo",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("library", sorted(WINGS))
def test_a_library_stays_in_its_wing(library: str) -> None:
    """A library that is everywhere can never be replaced."""
    found = [
        where(module, node)
        for module, name, node in imports()
        if name.split(".")[0] == library and not module.startswith(WINGS[library])
    ]
    assert not found, f"{library} belongs to {', '.join(WINGS[library])}:\n  " + "\n  ".join(found)


def test_core_stands_on_msgspec_and_the_standard_library() -> None:
    """Everything imports core, so core imports nothing that could be slow, loud or gone."""
    allowed = {"msgspec", "gpt_trader"} | set(sys.stdlib_module_names) - {
        "logging",
        "socket",
        "urllib",
        "http",
        "sqlite3",
    }
    found = [
        f"{where(module, node)} {name}"
        for module, name, node in imports()
        if module.startswith("core/") and name.split(".")[0] not in allowed
    ]
    assert not found, "\n".join(found)


def test_nothing_below_ops_logs() -> None:
    """What happens on the order path is an event; lines for people are made from events, at the edge."""
    found = [
        where(module, node)
        for module, name, node in imports()
        if name.split(".")[0] in {"logging", "structlog", "warnings"}
        and not module.startswith(("cli/", "ops/", "research/search/study.py"))  # the last silences those of Optuna
    ]
    assert not found, "\n".join(found)


def test_imports_are_absolute() -> None:
    """A file can be moved without reading its dots."""
    found = [
        where(module, node)
        for module, syntax in modules().items()
        for node in ast.walk(syntax)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not found, "\n".join(found)
