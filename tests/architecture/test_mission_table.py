"""Is every name of the founding documents accounted for? And does what the table names exist?

ADR-001 promises a row for every class, method, exception, flag, variable, file and test that the five documents name.
A row is turned (planned -> kept or renamed) when the thing is built; these tests fail until it is.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from typing import Final, NamedTuple

import pytest
from tests.architecture.house import ROOT, find_symbol, modules

from gpt_trader.config.names import known_settings

TABLE: Final = ROOT / "docs" / "adr" / "founding-names.md"
DOCUMENTS: Final = ROOT.parent / "shared" / "mission"
SUBJECTS: Final = {"execution complete", "venues", "going live", "cockpit"}
"""What a planned row may wait for."""
REFERENCE: Final = re.compile(r"`([^`]+)`")
NAMES_IN_DOCUMENTS: Final = {
    "file": r"[\w./-]*\w\.(?:py|md|json|yaml|toml)\b",
    "folder": r"(?<![\w./-])[\w.-]+(?:/[\w.-]+)*/(?=[\s`\)\"',]|$)",
    "class": r"\b[A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+\b|\bI[A-Z][a-z]+\w*\b",
    "constant": r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b",
    "name": r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b",
    "call": r"\b[a-z]\w*(?=\(\))",
    "argument": r"(?<=[(,\s])[a-z]\w*(?==(?!=)\S)",
}
TOKEN: Final = re.compile(r"\w+")


class Row(NamedTuple):
    name: str
    documents: str
    what: str
    state: str
    ours: str
    why: str


@cache
def rows() -> tuple[Row, ...]:
    found = []
    for line in TABLE.read_text(encoding="utf8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == len(Row._fields) and cells[0] not in {"Name", ""} and not cells[0].startswith("---"):
            found.append(Row(*cells))
    return tuple(found)


def by_state(*states: str) -> list[Row]:
    return [row for row in rows() if row.state in states]


def reference(row: Row) -> str:
    match = REFERENCE.fullmatch(row.ours)
    assert match, f"{row.name}: write one reference in backticks, not {row.ours!r}"
    return match[1]


def exists(target: str) -> bool:
    if target.startswith("env "):
        return target.removeprefix("env ") in {setting.env for setting in known_settings().values()}
    if target.startswith("gpt_trader.") and "/" not in target:
        return find_symbol(target)
    path = ROOT / target
    return path.is_dir() if target.endswith("/") else path.is_file()


def plain_name(row: Row) -> str:
    """The name itself, without the backticks, call signs, values and the place that tells two of a name apart."""
    return re.split(r" of | for |\(|=|>", row.name.replace("`", ""))[0].strip()


def defined_names() -> set[str]:
    """Names of classes, functions, parameters, fields and variables in the source."""
    found: set[str] = set()
    for syntax in modules().values():
        for node in ast.walk(syntax):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found


def test_the_table_has_its_rows() -> None:
    """An empty or unreadable table would make every other test here pass."""
    assert len(rows()) > 200
    assert Counter(row.state for row in rows()).keys() <= {"kept", "renamed", "not built", "planned"}


def test_no_name_stands_twice() -> None:
    """Two rows for one name would contradict each other sooner or later."""
    assert not [name for name, count in Counter(row.name for row in rows()).items() if count > 1]


def test_what_a_row_names_as_ours_exists() -> None:
    """The table is a map; a map with houses that are gone is worse than none."""
    gone = [f"{row.name}: {row.ours}" for row in by_state("kept", "renamed") if not exists(reference(row))]
    assert not gone, "these do not exist:\n  " + "\n  ".join(gone)


def test_a_kept_name_is_really_kept() -> None:
    """`kept` means: the same word."""
    changed = []
    for row in by_state("kept"):
        target = reference(row).removeprefix("env ").rstrip("/").removesuffix(".py")
        name = plain_name(row).rstrip("/").removesuffix(".py")
        if re.split(r"[:./()]", name)[-1] not in re.split(r"[:./()]", target):
            changed.append(f"{row.name}: {row.ours}")
    assert not changed, "these are renamed:\n  " + "\n  ".join(changed)


def test_what_differs_says_why() -> None:
    """A name that people know is given up for a reason only."""
    silent = [row.name for row in by_state("renamed", "not built") if len(row.why) < len("unit last")]
    assert not silent
    assert all(row.ours == "-" for row in by_state("not built"))


def test_a_planned_row_says_what_it_waits_for() -> None:
    """The subject, so that a reader finds it in the list of what is not built yet."""
    lost = [row.name for row in by_state("planned") if row.ours != "-" or row.why.split(":")[0] not in SUBJECTS]
    assert not lost


def test_what_is_not_built_is_not_there() -> None:
    """When somebody builds it, this fails until the row is turned."""
    files = {module.rpartition("/")[2] for module in modules()}
    present = files | defined_names()
    built = [
        row.name
        for row in by_state("planned", "not built")
        if plain_name(row) in present and (" of " not in row.name or "()" in row.name)
    ]
    assert not built, "turn the rows of:\n  " + "\n  ".join(built)


def test_every_name_in_the_documents_has_a_row() -> None:
    """Nothing that the founders named is forgotten in silence."""
    if not DOCUMENTS.is_dir():
        pytest.skip("needs the founding documents in ../shared/mission, which are not beside this checkout")
    in_table = {token for row in rows() for token in TOKEN.findall(row.name)}
    missing = set()
    for document in sorted(DOCUMENTS.glob("*.txt")):
        text = document.read_text(encoding="utf8")
        for kind, pattern in NAMES_IN_DOCUMENTS.items():
            for name in re.findall(pattern, text, re.MULTILINE):
                if not set(TOKEN.findall(name)) <= in_table | {"src", "md", "py", "json", "yaml", "toml"}:
                    missing.add(f"{kind} {name} ({document.name})")
    assert not missing, "no row for:\n  " + "\n  ".join(sorted(missing))
