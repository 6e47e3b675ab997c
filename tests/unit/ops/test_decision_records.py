"""Would a record that is out of order be found? One fault at a time, planted into a small checkout."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from tests.architecture.house import ROOT

from gpt_trader.cli.main import run_command_line
from gpt_trader.config.flags import FLAGS
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.decision_records import HEADER, SECTIONS, check_records, find_checkout

TODAY = date(2026, 11, 21)
RECORD = """\
# {number}: {title}

- Status: {status}
- Date: 2026-11-01
- Deciders: us
- Owner: us
- Review by: 2027-11-01

""" + "\n".join(f"## {section}\n\n{{{section.lower().replace(' ', '_')}}}\n" for section in SECTIONS)


def write(root: Path, number: int, name: str, **changes: str) -> Path:
    fields = {section.lower().replace(" ", "_"): "Text." for section in SECTIONS}
    fields |= {"enforced_by": "`tests/test_it.py::test_it`", "status": "Accepted", "title": f"Decision {number}"}
    path = root / "docs" / "adr" / name
    path.write_text(RECORD.format(number=f"ADR-{number:03d}", **(fields | changes)), encoding="utf8")
    return path


def index(root: Path) -> None:
    rows = []
    for path in sorted((root / "docs" / "adr").glob("ADR-*.md")):
        lines = path.read_text(encoding="utf8").splitlines()
        rows.append(f"| [{path.name[:7]}]({path.name}) | {lines[0].partition(': ')[2]} | {lines[2][10:]} |")
    (root / "docs" / "adr" / "README.md").write_text("\n".join(rows), encoding="utf8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A sound one: the records that the flags name, and nothing else."""
    (tmp_path / "docs" / "adr").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text("def test_it(): ...\n")
    (tmp_path / "pyproject.toml").write_text('[[tool.importlinter.contracts]]\nid = "floors"\n')
    named = {int(flag.adr[4:7]): flag.adr for flag in FLAGS}
    for number in range(1, max(named) + 1):
        write(tmp_path, number, named.get(number, f"ADR-{number:03d}-other.md"))
    index(tmp_path)
    return tmp_path


def found(root: Path, today: date = TODAY) -> str:
    return "\n".join(str(finding) for finding in check_records(root, today))


def test_a_sound_checkout_has_no_findings(checkout: Path) -> None:
    """Else the tests below would show nothing."""
    assert found(checkout) == ""


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "gap in the numbers": (lambda root: next((root / "docs/adr").glob("ADR-002*")).unlink(), "ADR-002 is wanted"),
    "strange status": (lambda root: write(root, 2, "ADR-002-other.md", status="Maybe"), "Status 'Maybe'"),
    "empty section": (lambda root: write(root, 2, "ADR-002-other.md", why=""), "section Why is empty"),
    "no enforcer": (lambda root: write(root, 2, "ADR-002-other.md", enforced_by="Good will."), "nothing enforces it"),
    "enforcer that is gone": (
        lambda root: write(root, 2, "ADR-002-other.md", enforced_by="`tests/test_it.py::test_that`"),
        "`tests/test_it.py::test_that` is said to enforce it",
    ),
    "contract that is gone": (
        lambda root: write(root, 2, "ADR-002-other.md", enforced_by="`contract:walls`"),
        "`contract:walls` is said to enforce it",
    ),
    "dead link": (lambda root: write(root, 2, "ADR-002-other.md", related="[x](ADR-999-x.md)"), "leads nowhere"),
    "successor that is not there": (
        lambda root: write(root, 2, "ADR-002-other.md", status="Superseded by ADR-099"),
        "superseded by ADR-099, which does not exist",
    ),
    "successor that does not know it": (
        lambda root: write(root, 2, "ADR-002-other.md", status="Superseded by ADR-003"),
        "supersedes ADR-002 and does not name it",
    ),
    "too long": (lambda root: write(root, 2, "ADR-002-other.md", why="Line.\n" * 60), "more than one decision?"),
    "stale index": (lambda root: write(root, 2, "ADR-002-other.md", title="Another"), "the index lacks the row"),
    "flag on a record that was rejected": (
        lambda root: write(root, 1, FLAGS[0].adr, status="Rejected"),
        f"flag {FLAGS[0].name}: its record {FLAGS[0].adr} is Rejected",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(checkout: Path, fault: str) -> None:
    """Each by name, with what to mend."""
    plant, expected = FAULTS[fault]
    plant(checkout)

    assert expected in found(checkout)


def test_a_circle_of_successors_is_found(checkout: Path) -> None:
    """A chain must end in a record that holds."""
    write(checkout, 2, "ADR-002-other.md", status="Superseded by ADR-003", related="ADR-003")
    write(checkout, 3, "ADR-003-other.md", status="Superseded by ADR-002", related="ADR-002")

    assert "leads back to it" in found(checkout)


def test_a_chain_over_two_records_is_fine(checkout: Path) -> None:
    """Decisions may change more than once."""
    write(checkout, 2, "ADR-002-other.md", status="Superseded by ADR-003")
    write(checkout, 3, "ADR-003-other.md", status="Superseded by ADR-004", related="ADR-002")
    write(checkout, 4, "ADR-004-other.md", related="ADR-003")
    index(checkout)

    assert found(checkout) == ""


def test_what_is_overdue_is_found(checkout: Path) -> None:
    """Records and flags are looked at again by their day."""
    said = found(checkout, date(2030, 1, 1))

    assert f"flag {FLAGS[0].name}: its review was due on {FLAGS[0].review_by}" in said
    assert "ADR-001-dual-execution-engine-pattern.md: its review was due on 2027-11-01" in said


def test_the_command_says_what_is_wrong(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 and a line for each finding; 0 when all is well."""
    assert run_command_line(["adr", "check", "--root", str(checkout)]) == 0
    write(checkout, 2, "ADR-002-other.md", status="Maybe")

    assert run_command_line(["adr", "check", "--root", str(checkout)]) == 1
    assert "ADR-002-other.md: Status 'Maybe'" in capsys.readouterr().out


def test_outside_a_checkout_it_says_so(tmp_path: Path) -> None:
    """There is nothing to check there."""
    with pytest.raises(ConfigError, match="no checkout with a docs/adr folder"):
        find_checkout(tmp_path)


def test_the_template_has_the_form() -> None:
    """A new record begins right."""
    text = (ROOT / "docs" / "adr" / "template.md").read_text(encoding="utf8")

    assert [line[2:].partition(":")[0] for line in text.splitlines() if line.startswith("- ") and ":" in line][
        : len(HEADER)
    ] == list(HEADER)
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(SECTIONS)
