from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpt_trader.config.names import Known, known_settings, plain

FOLDER = Path(__file__).resolve().parents[3] / "config" / "risk"
LIMITS = [known for path, known in known_settings().items() if path.startswith("risk.")]


def row(known: Known) -> str:
    default = plain(known.default)
    shown = "none" if default in (None, {}, "") else str(default).lower() if isinstance(default, bool) else default
    allowed = f" ({known.allowed})" if known.allowed else ""
    name = known.path.removeprefix("risk.")
    return f"| `{name}` | `{known.env}` | {shown} | {known.unit}{allowed} | {known.acts} | {known.meaning} |"


@pytest.mark.parametrize("known", LIMITS, ids=lambda known: known.path)
def test_limit_stands_in_the_readme_as_it_is(known: Known) -> None:
    """Name, variable, default, unit, where it acts and what it means, word for word."""
    assert row(known) in (FOLDER / "README.md").read_text().splitlines()


def test_readme_names_every_risk_file() -> None:
    """JSON has no comments; what a file is for stands here."""
    text = (FOLDER / "README.md").read_text()

    assert [path.name for path in FOLDER.glob("*.json") if f"`{path.name}`" not in text] == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_risk_file_says_both_flags(path: Path) -> None:
    """Choosing a risk file chooses the engine, and nobody has to guess which."""
    content = json.loads(path.read_text())

    assert {"enable_dynamic_position_sizing", "enable_market_impact_guard"} <= content.keys()
