"""Which pictures show a run while it goes on? The figures of a report, drawn from what is known so far.

`$up` and its like stand for colours of the page: the browser paints them, light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gpt_trader.ops.dashboard.feed import RunFeed, StopPath
from gpt_trader.ops.dashboard.trail import Line
from gpt_trader.report.charts import fill_marks, refusal_marks, traced, trip_lines
from gpt_trader.report.curves import Curves

__all__ = ["Drawing", "equity_drawing", "price_drawing", "symbols_of"]

POINTS_MAX: Final = 1200
"""Of one line: as many as a screen has columns."""
STOPS_SHOWN_MAX: Final = 40
MARKS_SHOWN_MAX: Final = 400
"""Of fills and of refusals, the newest."""

Drawing = dict[str, Any]
"""`data` and `layout` for plotly.js, and `note`."""


def symbols_of(feed: RunFeed) -> tuple[str, ...]:
    """Traded first."""
    return tuple(dict.fromkeys((*feed.products, *feed.trail.prices)))


def equity_drawing(feed: RunFeed, curves: Curves | None) -> Drawing:
    """Equity over time, with where it began."""
    start = float(feed.story.ledger.starting_cash)
    if curves is not None:
        line = traced("equity", curves.times_ns, curves.equity, "$main", POINTS_MAX)
    else:
        line = traced("equity", feed.trail.equity.at_ns, feed.trail.equity.values, "$main", POINTS_MAX)
    base = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": start, "y1": start}
    shapes = [base | {"line": {"color": "$muted", "width": 1, "dash": "dot"}}]
    now = [_now(feed, feed.trail.equity, "$main")] if feed.is_running else []
    return {"data": [line, *now], "layout": {"shapes": shapes, "showlegend": False}}


def price_drawing(feed: RunFeed, symbol: str, curves: Curves | None) -> Drawing:
    """The price of one symbol with what was done at it: fills, living orders, stops, refusals."""
    curve = next((each for each in curves.symbols if each.symbol == symbol), None) if curves is not None else None
    trail = feed.trail.prices.get(symbol, Line())
    fills = [fill for fill in feed.story.fills if fill.symbol == symbol][-MARKS_SHOWN_MAX:]
    refused = [line for line in feed.story.refusals if line.symbol == symbol][-MARKS_SHOWN_MAX:]
    if curve is not None and curves is not None:
        price = traced("price", curves.times_ns, curve.last, "$price", POINTS_MAX)
        refusals = refusal_marks(refused, curves.times_ns, curve.last)
    else:
        price = traced("price", trail.at_ns, trail.values, "$price", POINTS_MAX)
        refusals = refusal_marks(refused, trail.at_ns, trail.values)
    trips = [trip for trip in feed.story.trips if trip.symbol == symbol][-MARKS_SHOWN_MAX:]
    data = [price, *trip_lines(trips), *_stops(feed, symbol), *fill_marks(fills), *refusals]
    if feed.is_running:
        data.append(_now(feed, trail, "$price"))
    return {"data": data, "layout": {"shapes": list(_orders(feed, symbol))}}


def _now(feed: RunFeed, line: Line, colour: str) -> dict[str, Any]:
    """Where it is at this moment."""
    mark = {"color": colour, "size": 8}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "now",
        "showlegend": False,
        "hoverinfo": "y",
        "x": [feed.now_ns // 1_000_000] if line.values else [],
        "y": line.values[-1:],
        "marker": mark,
    }


def _stops(feed: RunFeed, symbol: str) -> Iterator[dict[str, Any]]:
    """Each stop as steps, from when it was kept to when it fired or was let go."""
    chosen = [path for path in feed.stops.values() if path.symbol == symbol][-STOPS_SHOWN_MAX:]
    for kind, colour, wanted in (("stops", "$down", False), ("targets", "$up", True)):
        x: list[int] = []
        y: list[float | None] = []
        for path in (each for each in chosen if (each.kind == "TAKE_PROFIT") is wanted):
            _add_stop(path, feed.now_ns, x, y)
        if x:
            yield {
                "type": "scatter",
                "mode": "lines",
                "name": kind,
                "hoverinfo": "name+y",
                "x": [at_ns // 1_000_000 for at_ns in x],
                "y": y,
                "line": {"color": colour, "width": 1.2, "shape": "hv", "dash": "dash"},
                "connectgaps": False,
            }


def _add_stop(path: StopPath, now_ns: int, x: list[int], y: list[float | None]) -> None:
    last = path.points[-1][1]
    for at_ns, price in (*path.points, (path.ended_ns or now_ns, last)):
        x.append(at_ns)
        y.append(float(price))
    x.append(path.ended_ns or now_ns)
    y.append(None)


def _orders(feed: RunFeed, symbol: str) -> Iterator[Mapping[str, Any]]:
    """Where living orders rest: a line each across the picture."""
    for line in feed.living():
        price = line.submitted.stop_price or line.submitted.limit_price
        if line.submitted.symbol != symbol or price is None:
            continue
        colour = "$up" if line.submitted.side.value == "BUY" else "$down"
        yield {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": float(price),
            "y1": float(price),
            "line": {"color": colour, "width": 1, "dash": "longdash"},
            "label": {
                "text": f"{line.submitted.side.value.lower()} {line.submitted.quantity:f} {line.state.value.lower()}",
                "textposition": "end",
                "font": {"size": 10, "color": colour},
            },
        }
