"""Are the documents true? Links lead somewhere, generated pages are current, named files and variables exist."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.house import ROOT, SRC, committed_files, find_symbol

from gpt_trader.config.names import known_settings
from gpt_trader.core.errors import Refusal
from gpt_trader.records.schema import EVENT_TYPES

PAGES: Final = [path for path in committed_files() if path.suffix == ".md"]
LINK: Final = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FOLDERS: Final = "src|tests|docs|config|tools|bench|" + "|".join(path.name for path in sorted(SRC.glob("*/")))
PATH: Final = re.compile(rf"(?<![\w/.-])(?:{FOLDERS}|live|advanced|handlers)/(?!\.\.\.)[\w./-]*\w")
PLACES: Final = (ROOT, SRC, SRC / "execution")
"""Documents name product files by their path below `src/gpt_trader`, or below the wing they speak of."""
SYMBOL: Final = re.compile(r"`(gpt_trader\.[\w.]+(?::[\w.]+)?)`")
VARIABLE: Final = re.compile(r"\b(?:RISK|COINBASE)_[A-Z_]+\b")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """A dead link costs a reader more than no link."""
    dead = []
    for target in LINK.findall(page.read_text(encoding="utf8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        path = (page.parent / name) if name else page
        if not path.exists():
            dead.append(target)
        elif heading:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf8"), re.MULTILINE)
            if heading not in {anchor(text) for text in headings}:
                dead.append(target)
    assert not dead


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "founding-names.md"],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_named_files_exist(page: Path) -> None:
    """A path in a document is a promise. The founding names are history; test_mission_table.py looks after them."""
    text = page.read_text(encoding="utf8")
    gone = [name for name in PATH.findall(text) if not any((place / name).exists() for place in PLACES)]
    gone += [name for name in SYMBOL.findall(text) if not find_symbol(name)]
    assert not gone


@each_page
def test_named_variables_exist(page: Path) -> None:
    """A variable that nobody reads is the worst kind of documentation."""
    known = {setting.env for setting in known_settings().values()}
    assert not set(VARIABLE.findall(page.read_text(encoding="utf8"))) - known


def test_every_refusal_stands_in_the_generated_page() -> None:
    """The page is made from core.errors.Refusal by `make docs`, and is current."""
    page = (ROOT / "docs" / "refusals.md").read_text(encoding="utf8")
    assert page == runpy.run_path(str(ROOT / "docs" / "generate.py"))["refusals"]()
    assert all(f"`{refusal.value}`" in page and refusal.meaning in page for refusal in Refusal)


def test_every_rule_and_guard_stands_in_the_generated_page() -> None:
    """Threshold, unit, action and way back as they are in the code."""
    page = (ROOT / "docs" / "guards.md").read_text(encoding="utf8")
    assert page == runpy.run_path(str(ROOT / "docs" / "generate.py"))["guards"]()


def test_the_order_states_stand_in_the_generated_page() -> None:
    """`make docs` was run after the last change of the state machine."""
    page = (ROOT / "docs" / "orders.md").read_text(encoding="utf8")
    assert page == runpy.run_path(str(ROOT / "docs" / "generate.py"))["orders"]()


def test_every_flag_stands_in_the_generated_page() -> None:
    """With its variable, default, record, owner and review date as they are in the code."""
    page = (ROOT / "docs" / "flags.md").read_text(encoding="utf8")
    assert page == runpy.run_path(str(ROOT / "docs" / "generate.py"))["flags"]()


def test_every_setting_stands_in_the_generated_page() -> None:
    """The page is made from the models and is not behind them."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page == runpy.run_path(str(ROOT / "docs" / "generate.py"))["configuration"]()


def test_every_invariant_stands_in_the_generated_page() -> None:
    """With its promise, place and policy as they are in the code."""
    page = (ROOT / "docs" / "invariants.md").read_text(encoding="utf8")
    assert page == runpy.run_path(str(ROOT / "docs" / "generate.py"))["invariants"]()


def test_every_figure_stands_in_the_generated_page() -> None:
    """With its kind, labels and meaning as they are in the code."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf8")
    assert page == runpy.run_path(str(ROOT / "docs" / "generate.py"))["metrics"]()


def test_every_event_stands_in_the_generated_page() -> None:
    """The page is made from core.events by `make docs`, is current, and says who publishes each event."""
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf8")
    assert page == runpy.run_path(str(ROOT / "docs" / "generate.py"))["events"]()
    sections = dict(re.findall(r"^## (\w+)\n\n(.+)$", page, re.MULTILINE))
    assert sections.keys() == EVENT_TYPES.keys()
    assert [name for name, text in sections.items() if "Publisher: " not in text] == []
