"""Is a page safe to open, and is the missing extra named?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gpt_trader.core.errors import ConfigError
from gpt_trader.report.page import Banner, Tile, render, require_report, write_page


def a_page(title: str, chart_title: str = "") -> str:
    pytest.importorskip("jinja2", reason="the extra `research` is not installed")
    chart = {"id": "x", "title": chart_title, "height": 100, "note": "", "alone": False, "data": [], "layout": {}}
    empty = {"id": "x", "title": "", "columns": (), "rows": [], "note": "", "empty": "", "tall": False}
    return render(
        "compare.html",
        [chart],
        title=title,
        subtitle="",
        banners=[Banner("careful")],
        tiles=[Tile("Net", "0.00")],
        figures=empty,
        divergence=["Nowhere."],
        first=empty,
        agreement=empty,
        differing=empty,
        identity=empty,
    )


def test_text_from_outside_cannot_become_markup() -> None:
    """A file may be named anything."""
    page = a_page("<script>alert(1)</script>", "</script><script>alert(2)</script>")

    assert "alert(1)" in page
    assert "<script>alert(" not in page


def test_the_library_of_the_charts_cannot_end_its_own_script() -> None:
    """A browser ends a script at the first `</script`, even inside a string."""
    page = a_page("x")

    assert page.count("</script>") == 3


@pytest.mark.parametrize("missing", ["jinja2", "plotly.offline", "jquantstats"])
def test_a_missing_extra_is_named_with_its_fix(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a run, not after it."""
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(ConfigError, match=r"pip install 'gpt-trader\[research\]'.*--no-report"):
        require_report()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the reason."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="Fix: name another place"):
        write_page(tmp_path / "file" / "report.html", "")
