"""Are the decision records in order? Form, index, links, chains of successors, what enforces each, and the flags.

Works on a checkout: records lie in `docs/adr`, tests in `tests`, import contracts in `pyproject.toml`. Reads only.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.config.flags import FLAGS
from gpt_trader.core.errors import ConfigError

__all__ = ["Finding", "Record", "check_records", "find_checkout", "read_records"]

HEADER: Final = ("Status", "Date", "Deciders", "Owner", "Review by")
SECTIONS: Final = ("Context", "Decision", "Why", "Alternatives", "Consequences", "Enforced by", "Related")
STATUS: Final = re.compile(r"Proposed|Accepted|Rejected|Superseded by (ADR-\d{3})")
LINES_MAX: Final = 60
LINK: Final = re.compile(r"\[[^\]]+\]\(([^)\s#]+)")
INDEX_ROW: Final = re.compile(r"^\| \[(ADR-\d{3})\]\(([^)]+)\) \| (.+?) \| (.+?) \|$", re.MULTILINE)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One record as it stands in its file."""

    path: Path
    title: str
    """First line without the number."""
    header: Mapping[str, str]
    sections: Mapping[str, str]
    lines: int

    @property
    def number(self) -> str:
        return self.path.name[:7]

    @property
    def status(self) -> str:
        return self.header.get("Status", "")

    @property
    def successor(self) -> str:
        """Number of the record that supersedes this one; empty where none does."""
        match = STATUS.fullmatch(self.status)
        return (match[1] or "") if match else ""


class Finding(msgspec.Struct, frozen=True):
    """What is wrong with one file, in a sentence that says what to mend."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


def find_checkout(start: Path) -> Path:
    """The folder at or above `start` that has `docs/adr`. Raises ConfigError."""
    for folder in (start, *start.parents):
        if (folder / "docs" / "adr").is_dir():
            return folder
    raise ConfigError(f"{start}: no checkout with a docs/adr folder here or above. Fix: --root FOLDER")


def read_records(root: Path) -> tuple[Record, ...]:
    """Every record of the checkout, by number."""
    paths = sorted((root / "docs" / "adr").glob("ADR-[0-9][0-9][0-9]-*.md"))
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Record:
    text = path.read_text(encoding="utf8")
    head, *parts = text.split("\n## ")
    first = text.partition("\n")[0]
    return Record(
        path=path,
        title=first.partition(": ")[2] if first.startswith(f"# {path.name[:7]}: ") else "",
        header=dict(re.findall(r"^- ([A-Z][a-z ]+): (.+)$", head, re.MULTILINE)),
        sections={part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in parts},
        lines=len(text.splitlines()),
    )


def check_records(root: Path, today: date) -> tuple[Finding, ...]:
    """Everything that is wrong, in the order of the records; `today` decides what is overdue."""
    records = read_records(root)
    if not records:
        return (Finding("docs/adr", "there are no records"),)
    contracts = _contracts(root)
    found = [
        *_numbers(records),
        *(finding for record in records for finding in _of_one(record, root, contracts, today)),
        *_chains(records),
        *_index(records, root),
        *_flags(records, today),
    ]
    return tuple(found)


def _numbers(records: tuple[Record, ...]) -> Iterator[Finding]:
    for expected, record in enumerate(records, 1):
        if record.number != f"ADR-{expected:03d}":
            yield Finding(record.path.name, f"ADR-{expected:03d} is wanted here: numbers have no gaps and no twins")
            return


def _of_one(record: Record, root: Path, contracts: frozenset[str], today: date) -> Iterator[Finding]:
    name = record.path.name
    if not record.title:
        yield Finding(name, f"the first line must begin `# {record.number}: ` and say the decision")
    if tuple(record.header) != HEADER:
        yield Finding(name, f"the header must have {', '.join(HEADER)} in this order")
    elif not STATUS.fullmatch(record.status):
        yield Finding(name, f"Status {record.status!r} is not Proposed, Accepted, Rejected or Superseded by ADR-NNN")
    else:
        yield from _dates(record, today)
    if tuple(record.sections) != SECTIONS:
        yield Finding(name, f"the sections must be {', '.join(SECTIONS)} in this order")
    for section, text in record.sections.items():
        if not text:
            yield Finding(name, f"section {section} is empty")
    if record.lines > LINES_MAX:
        yield Finding(name, f"{record.lines} lines, at most {LINES_MAX}: more than one decision?")
    yield from _enforcers(record, root, contracts)
    for target in LINK.findall(record.path.read_text(encoding="utf8")):
        if not re.match(r"[a-z]+:", target) and not (record.path.parent / target).exists():
            yield Finding(name, f"the link to {target} leads nowhere")


def _dates(record: Record, today: date) -> Iterator[Finding]:
    try:
        decided, review = (date.fromisoformat(record.header[each]) for each in ("Date", "Review by"))
    except ValueError:
        yield Finding(record.path.name, "Date and Review by must be days as YYYY-MM-DD")
        return
    if review <= decided:
        yield Finding(record.path.name, "Review by must lie after Date")
    if review < today and record.status in ("Accepted", "Proposed"):
        yield Finding(record.path.name, f"its review was due on {review}: confirm or supersede it")


def _enforcers(record: Record, root: Path, contracts: frozenset[str]) -> Iterator[Finding]:
    references = re.findall(r"`([^`]+)`", record.sections.get("Enforced by", ""))
    if not references:
        yield Finding(record.path.name, "nothing enforces it: name a test or an import contract")
    for reference in references:
        if not _exists(reference, root, contracts):
            yield Finding(record.path.name, f"`{reference}` is said to enforce it and does not exist")


def _exists(reference: str, root: Path, contracts: frozenset[str]) -> bool:
    if reference.startswith("contract:"):
        return reference.removeprefix("contract:") in contracts
    file, _, test = reference.partition("::")
    path = root / file
    if not file.startswith("tests/") or not path.is_file():
        return False
    return not test or test in _functions(path)


def _functions(path: Path) -> set[str]:
    syntax = ast.parse(path.read_text(encoding="utf8"), filename=str(path))
    return {node.name for node in ast.walk(syntax) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def _contracts(root: Path) -> frozenset[str]:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf8"))
    return frozenset(contract["id"] for contract in settings["tool"]["importlinter"]["contracts"])


def _chains(records: tuple[Record, ...]) -> Iterator[Finding]:
    """A superseded record leads, over others, to one that holds; its successor names it."""
    known = {record.number: record for record in records}
    for record in records:
        walked, here = [record.number], record
        while here.successor:
            following = known.get(here.successor)
            if following is None or following.number in walked:
                end = "does not exist" if following is None else "leads back to it"
                yield Finding(record.path.name, f"superseded by {here.successor}, which {end}")
                break
            walked.append(following.number)
            here = following
        else:
            if record.successor and here.status != "Accepted":
                yield Finding(record.path.name, f"its chain ends in {here.number}, which is {here.status}")
        successor = known.get(record.successor)
        if successor is not None and record.number not in successor.sections.get("Related", ""):
            yield Finding(successor.path.name, f"supersedes {record.number} and does not name it under Related")


def _index(records: tuple[Record, ...], root: Path) -> Iterator[Finding]:
    rows = INDEX_ROW.findall((root / "docs" / "adr" / "README.md").read_text(encoding="utf8"))
    wanted = [(record.number, record.path.name, record.title, record.status) for record in records]
    for row in wanted:
        if row not in rows:
            yield Finding("README.md", f"the index lacks the row | [{row[0]}]({row[1]}) | {row[2]} | {row[3]} |")
    for row in rows:
        if row not in wanted:
            yield Finding("README.md", f"the index row of {row[0]} matches no record")
    if sorted(rows) == sorted(wanted) and rows != wanted:
        yield Finding("README.md", "the index is not in the order of the numbers")


def _flags(records: tuple[Record, ...], today: date) -> Iterator[Finding]:
    """Every flag has an accepted record and a review date to come."""
    status = {record.path.name: record.status for record in records}
    for flag in FLAGS:
        if status.get(flag.adr) != "Accepted":
            said = status.get(flag.adr, "not there")
            yield Finding(f"flag {flag.name}", f"its record {flag.adr} is {said}; a flag needs an accepted one")
        if flag.review_by < today:
            yield Finding(f"flag {flag.name}", f"its review was due on {flag.review_by}: confirm or remove it")
