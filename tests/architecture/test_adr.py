"""Are the decision records in order? Format, index, links, and that what is said to enforce them exists."""

from __future__ import annotations

import ast
import re
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.house import ROOT, tree

from gpt_trader.config.flags import ENGINE_FLAGS

FOLDER: Final = ROOT / "docs" / "adr"
RECORDS: Final = sorted(FOLDER.glob("ADR-[0-9][0-9][0-9]-*.md"))
HEADER: Final = ("Status", "Date", "Deciders", "Owner", "Review by")
SECTIONS: Final = ("Context", "Decision", "Why", "Alternatives", "Consequences", "Enforced by", "Related")
STATUS: Final = re.compile(r"Proposed|Accepted|Rejected|Superseded by ADR-\d{3}")
LINES_MAX: Final = 60

each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem[:7])


def header(record: Path) -> dict[str, str]:
    return dict(
        re.findall(r"^- ([A-Z][a-z ]+): (.+)$", record.read_text(encoding="utf8").split("\n## ")[0], re.MULTILINE)
    )


def sections(record: Path) -> dict[str, str]:
    parts = record.read_text(encoding="utf8").split("\n## ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in parts}


@cache
def contract_ids() -> frozenset[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
    return frozenset(contract["id"] for contract in settings["tool"]["importlinter"]["contracts"])


def enforcer_exists(reference: str) -> bool:
    if reference.startswith("contract:"):
        return reference.removeprefix("contract:") in contract_ids()
    file, _, test = reference.partition("::")
    path = ROOT / file
    if not file.startswith("tests/") or not path.is_file():
        return False
    names = {node.name for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return not test or test in names


def test_there_are_records() -> None:
    """An empty folder would make every other test here pass."""
    numbers = [int(record.name[4:7]) for record in RECORDS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 20


@each_record
def test_the_header_is_complete(record: Path) -> None:
    """Who decided, when, and when it is looked at again."""
    fields = header(record)
    assert tuple(fields) == HEADER
    assert STATUS.fullmatch(fields["Status"])
    assert date.fromisoformat(fields["Date"]) < date.fromisoformat(fields["Review by"])


@each_record
def test_the_sections_stand_in_order(record: Path) -> None:
    """Every record is read the same way, and none of its parts is empty."""
    found = sections(record)
    assert tuple(found) == SECTIONS
    assert all(found.values())


@each_record
def test_a_record_is_short(record: Path) -> None:
    """What needs more than a page is more than one decision."""
    assert len(record.read_text(encoding="utf8").splitlines()) <= LINES_MAX


@each_record
def test_the_title_carries_the_number(record: Path) -> None:
    """A record can be cited from its first line."""
    first = record.read_text(encoding="utf8").splitlines()[0]
    assert first.startswith(f"# {record.name[:7]}: ")


@each_record
def test_what_enforces_a_record_exists(record: Path) -> None:
    """A decision that nothing enforces is a wish."""
    references = re.findall(r"`([^`]+)`", sections(record)["Enforced by"])
    assert references
    gone = [reference for reference in references if not enforcer_exists(reference)]
    assert not gone


@each_record
def test_a_superseded_record_names_one_that_exists(record: Path) -> None:
    """The chain of decisions does not end in nothing."""
    successor = re.search(r"Superseded by (ADR-\d{3})", header(record)["Status"])
    assert successor is None or any(other.name.startswith(successor[1]) for other in RECORDS if other != record)


def test_the_index_is_complete() -> None:
    """Every record stands in the index once, with its title and status, and nothing else does."""
    rows = re.findall(
        r"^\| \[(ADR-\d{3})\]\(([^)]+)\) \| (.+?) \| (.+?) \|$",
        (FOLDER / "README.md").read_text(encoding="utf8"),
        re.MULTILINE,
    )
    expected = [
        (
            record.name[:7],
            record.name,
            record.read_text(encoding="utf8").splitlines()[0].partition(": ")[2],
            header(record)["Status"],
        )
        for record in RECORDS
    ]
    assert rows == expected


def test_the_template_has_the_form() -> None:
    """A new record begins right."""
    assert tuple(header(FOLDER / "template.md")) == HEADER
    assert tuple(sections(FOLDER / "template.md")) == SECTIONS


def test_every_flag_has_a_record() -> None:
    """A flag without a decision is a switch that nobody dares to remove."""
    names = {record.name for record in RECORDS}
    assert ENGINE_FLAGS
    assert not [flag.name for flag in ENGINE_FLAGS if flag.adr not in names]
