"""Are the pictures valid for plotly, complete where it matters, and small enough to open?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders import START_NS, D, a_fill, a_product, a_run_started

from gpt_trader.core.clock import NS
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import Side
from gpt_trader.report.charts import Chart, compared_charts, run_charts, thinned
from gpt_trader.report.curves import Curves, draw_curves
from gpt_trader.report.price_path import SymbolPrices
from gpt_trader.report.run_story import RunStory, tell_story


def a_run(bars: int = 10) -> tuple[RunStory, Curves]:
    """One long position from the second to the fourth minute."""
    bought = a_fill(at_ns=START_NS + 90 * NS, quantity=D(1), price=D(100), fee=D(1), trade_id="1")
    sold = a_fill(at_ns=START_NS + 210 * NS, side=Side.SELL, quantity=D(1), price=D(110), fee=D(1), trade_id="2")
    log = (a_run_started(cash=D(1000)), bought, sold)
    story = tell_story(Recorded(number, 1, event, "") for number, event in enumerate(log, 1))
    last = np.arange(100, 100 + bars, dtype=np.float64)
    times = START_NS + 60 * NS * np.arange(1, bars + 1)
    prices = SymbolPrices(symbol="BTC-PERP", times_ns=times, high=last + 1, low=last - 1, last=last)
    return story, draw_curves(story, [prices], [a_product()], ((0, True),), int(times[-1]))


def checked(charts: list[Chart]) -> dict[str, Chart]:
    """Every figure as plotly's own validators see it; colours of the page stand in for real ones."""
    graph_objects = pytest.importorskip("plotly.graph_objects", reason="the extra `research` is not installed")

    def painted(value: object) -> object:
        if isinstance(value, dict):
            return {key: painted(item) for key, item in value.items()}
        if isinstance(value, list):
            return [painted(item) for item in value]
        return "#123456" if isinstance(value, str) and value.startswith("$") else value

    for chart in charts:
        graph_objects.Figure({"data": painted(chart["data"]), "layout": painted(chart["layout"])})
    return {chart["id"]: chart for chart in charts}


def test_a_run_has_its_pictures_and_plotly_knows_every_word() -> None:
    """A property that plotly does not know would be ignored in the browser without a sound."""
    story, curves = a_run()

    charts = checked(run_charts(story, curves, story.split({})))

    assert list(charts) == ["equity", "drawdown", "price-BTC-PERP", "exposure", "headroom", "parts", "split"]


def test_entries_and_exits_are_marked_where_they_happened() -> None:
    """With what a person wants to know of them."""
    story, curves = a_run()
    price = checked(run_charts(story, curves, story.split({})))["price-BTC-PERP"]
    marks = {trace["name"]: trace for trace in price["data"] if trace["mode"] == "markers"}

    assert list(marks) == ["entries long (1)", "exits (1)"]
    assert marks["exits (1)"]["y"] == [110.0]
    assert "position +1 to flat" in marks["exits (1)"]["text"][0]
    assert [trace["name"] for trace in price["data"] if trace["name"].startswith("won")] == ["won (1)"]


def test_the_split_is_drawn_from_the_exact_parts() -> None:
    """Ten earned, two paid."""
    story, curves = a_run()
    split = checked(run_charts(story, curves, story.split({})))["split"]["data"][0]

    assert dict(zip(split["x"], split["y"], strict=True)) == {"price": 10, "fees": -2, "funding": 0, "net": 8}


def test_a_long_line_keeps_its_extremes() -> None:
    """Thinned to what a screen can show, without losing the day that hurt."""
    values = np.zeros(100_000)
    values[77_777], values[5] = -3.0, 9.0

    kept = thinned(values, 1000)

    assert len(kept) <= 1002
    assert {0, 5, 77_777, 99_999} <= set(kept.tolist())
    assert thinned(values[:10], 1000).tolist() == list(range(10))


def test_two_runs_share_their_axes_and_show_what_lies_between() -> None:
    """On one market; on two grids only the curves themselves are drawn."""
    (_, a), (_, longer) = a_run(), a_run(12)

    assert list(checked(compared_charts([("A", a), ("B", a)]))) == ["equity", "drawdown", "apart"]
    assert list(checked(compared_charts([("A", a), ("B", longer)]))) == ["equity", "drawdown"]
    apart = checked(compared_charts([("A", a), ("B", a)]))["apart"]["data"][0]
    assert set(apart["y"]) == {0.0}
