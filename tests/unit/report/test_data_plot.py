"""Is the picture of data what it claims to be, and a page that needs nothing else?"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tests.builders import MINUTE_NS, a_product, some_bars

from gpt_trader.core.errors import ConfigError
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.quality import Finding, Verdict
from gpt_trader.market.sketch import sketch_market
from gpt_trader.report.data_plot import save_plot

STREAM = ArrayStream([a_product()], some_bars(*range(100, 160)), name="<mine>", notes=("a < b",))
FOUND = Finding(code="jump", verdict=Verdict.MARK, symbol="BTC-PERP", count=3, first_ns=MINUTE_NS, example="x & y")


def drawn(path: Path) -> Path:
    save_plot(path, STREAM, sketch_market(STREAM), [FOUND])
    return path


@pytest.mark.parametrize(("name", "head"), [("x.png", b"\x89PNG"), ("x.PNG", b"\x89PNG"), ("x.svg", b"<?xml")])
def test_name_decides_the_form(tmp_path: Path, name: str, head: bytes) -> None:
    """Picture files are what their names say."""
    assert drawn(tmp_path / name).read_bytes().startswith(head)


def test_page_stands_by_itself(tmp_path: Path) -> None:
    """No script and nothing to fetch; picture, facts, findings and notes, with their signs escaped."""
    page = drawn(tmp_path / "x.html").read_text(encoding="utf8")

    assert "<svg" in page
    assert not re.search(r'<script|<link|(?:src|href)="http', page)
    assert "&lt;mine&gt;: market data" in page
    assert "x &amp; y" in page
    assert "a &lt; b" in page
    assert STREAM.digest in page


def test_same_data_same_page(tmp_path: Path) -> None:
    """So that two of them can be compared."""
    ids = re.compile(r"\b[mpc][0-9a-f]{10}\b")
    one, other = (ids.sub("", drawn(tmp_path / name).read_text(encoding="utf8")) for name in ("a.html", "b.html"))

    assert one == other


@pytest.mark.parametrize("name", ["x.pdf", "x"])
def test_other_forms_are_refused(tmp_path: Path, name: str) -> None:
    """With those that there are."""
    with pytest.raises(ConfigError, match=r"what kind of picture\? Fix: end the name with \.png, \.svg, \.html"):
        drawn(tmp_path / name)


@pytest.mark.parametrize("name", ["x.png", "x.html"])
def test_place_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    """By name."""
    with pytest.raises(ConfigError, match="cannot be written"):
        drawn(tmp_path / "nowhere" / name)


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core does without matplotlib."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ConfigError, match=r"pip install 'gpt-trader\[research\]'"):
        drawn(tmp_path / "x.png")
