"""Which pictures tell a run? Figures for plotly.js as plain values; `$up` and its like stand for colours of the page.

A colour is chosen when the page is drawn, so that one file serves light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import iso
from gpt_trader.core.values import Side
from gpt_trader.report.curves import Curves, SymbolCurve
from gpt_trader.report.round_trips import LIQUIDATION, RoundTrip
from gpt_trader.report.run_story import FillLine, PnlSplit, RefusalLine, RunStory
from gpt_trader.report.summary import meaning_of

__all__ = [
    "MARKS_MAX",
    "Chart",
    "compared_charts",
    "fill_marks",
    "refusal_marks",
    "run_charts",
    "thinned",
    "traced",
    "trip_lines",
]

POINTS_MAX: Final = 4000
"""Points of one line; each keeps the lowest and the highest of its stretch."""
MARKS_MAX: Final = 3000
"""Markers of one kind."""
REFUSALS_SHOWN: Final = 150
"""More would hide the price: they are drawn when their name in the legend is clicked."""

CROWD: Final = 150
"""So many markers are drawn smaller."""

Chart = dict[str, Any]
Floats = NDArray[np.float64]
Times = NDArray[np.int64]


def thinned(values: Floats, points_max: int = POINTS_MAX) -> NDArray[np.int64]:
    """Places to keep: first and last, and of every stretch the lowest and the highest value."""
    count = len(values)
    if count <= points_max:
        return np.arange(count)
    edges = np.linspace(0, count, points_max // 2 + 1).astype(np.int64)
    filled = np.nan_to_num(values, nan=0.0)
    kept = {0, count - 1}
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        stretch = filled[start:end]
        kept.update((start + int(np.argmin(stretch)), start + int(np.argmax(stretch))))
    return np.array(sorted(kept))


def run_charts(story: RunStory, curves: Curves, split: PnlSplit) -> list[Chart]:
    """In the order in which they are read."""
    charts = [_equity_chart(curves, float(story.ledger.starting_cash)), _drawdown_chart([("", curves, "$down")])]
    charts += [_price_chart(each, curves.times_ns, story) for each in curves.symbols]
    charts += [_exposure_chart(curves), _headroom_chart(curves), _parts_chart(curves)]
    return [*_aligned(charts, curves.times_ns), _split_chart(split)]


def compared_charts(named: Sequence[tuple[str, Curves]]) -> list[Chart]:
    """Both runs on one axis, and what lies between them."""
    colours = ("$main", "$second")
    equity = [
        _line(f"{name} equity", curves.times_ns, curves.equity, colour, digits=2)
        for (name, curves), colour in zip(named, colours, strict=True)
    ]
    charts = [_chart("equity", "Equity", equity, 360, "account currency")]
    charts.append(
        _drawdown_chart([(name, curves, colour) for (name, curves), colour in zip(named, colours, strict=True)])
    )
    (first, a), (second, b) = named
    if len(a.times_ns) == len(b.times_ns) and np.array_equal(a.times_ns, b.times_ns):
        better = f"Above zero {second} is better: it earned more, or paid less."
        apart = [
            _line("equity", a.times_ns, b.equity - a.equity, "$main", digits=2, fill=True),
            _line("price PnL", a.times_ns, b.price + b.liquidation - a.price - a.liquidation, "$second", digits=2),
            _line("fees", a.times_ns, a.fees - b.fees, "$down", digits=2),
            _line("funding", a.times_ns, b.funding - a.funding, "$muted", digits=2),
        ]
        charts.append(_chart("apart", f"{second} less {first}", apart, 300, "account currency", note=better))
    return _aligned(charts, a.times_ns)


# --- parts of a figure ------------------------------------------------------------------------------------------------
def _milliseconds(times_ns: Times | Sequence[int]) -> list[int]:
    return [int(at_ns) // 1_000_000 for at_ns in times_ns]


def _numbers(values: Floats, digits: int) -> list[float | None]:
    return [None if value != value else round(value, digits) for value in values.tolist()]  # noqa: PLR0124 - NaN


def _aligned(charts: list[Chart], times: Times) -> list[Chart]:
    """All on one stretch of time, so that what lies below one another happened together."""
    for chart in charts:
        chart["layout"]["xaxis"]["range"] = _milliseconds([times[0], times[-1]])
    return charts


def _line(
    name: str, times: Times, values: Floats, colour: str, *, digits: int = 4, fill: bool = False, step: bool = False
) -> dict[str, Any]:
    kept = thinned(values)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": _milliseconds(times[kept]),
        "y": _numbers(values[kept], digits),
        "line": {"color": colour, "width": 1.6, "shape": "hv" if step else "linear"},
    }
    if fill:
        trace |= {"fill": "tozeroy", "fillcolor": f"{colour}-soft"}
    return trace


def traced(
    name: str, times: Times | Sequence[int], values: Floats | Sequence[float], colour: str, points_max: int
) -> dict[str, Any]:
    """One line of at most so many points, alone; each keeps the lowest and the highest of its stretch."""
    kept = thinned(np.asarray(values, np.float64), points_max)
    return _line(name, np.asarray(times, np.int64)[kept], np.asarray(values, np.float64)[kept], colour, digits=8)


def _chart(
    name: str, title: str, data: Sequence[Mapping[str, Any]], height: int, unit: str, *, note: str = "", **layout: Any
) -> Chart:
    axis: dict[str, Any] = {"title": {"text": unit}, **layout.pop("yaxis", {})}
    return {
        "id": name,
        "title": title,
        "height": height,
        "note": note,
        "alone": False,
        "data": list(data),
        "layout": {"yaxis": axis, "xaxis": {"type": "date"} | layout.pop("xaxis", {}), **layout},
    }


def _equity_chart(curves: Curves, start: float) -> Chart:
    lines = [
        _line("equity", curves.times_ns, curves.equity, "$main", digits=2),
        _line("cash", curves.times_ns, curves.cash, "$muted", digits=2, step=True) | {"visible": "legendonly"},
    ]
    base = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": start, "y1": start}
    shape = base | {"line": {"color": "$muted", "width": 1, "dash": "dot"}}
    return _chart("equity", "Equity", lines, 340, "account currency", shapes=[shape])


def _drawdown_chart(named: Sequence[tuple[str, Curves, str]]) -> Chart:
    lines = [
        _line(f"{name} drawdown".strip(), curves.times_ns, curves.drawdown * 100, colour, fill=len(named) == 1)
        for name, curves, colour in named
    ]
    return _chart("drawdown", "Drawdown", lines, 200, "% of the peak", yaxis={"rangemode": "tozero"})


def _exposure_chart(curves: Curves) -> Chart:
    equity = np.where(curves.equity > 0, curves.equity, np.nan)
    colours = ("$main", "$second", "$third", "$fourth")
    lines = [
        _line(each.symbol, curves.times_ns, each.notional / equity * 100, colours[nth % 4], step=True)
        for nth, each in enumerate(curves.symbols)
    ]
    lines.append(_line("initial margin", curves.times_ns, curves.initial_margin / equity * 100, "$muted", step=True))
    note = "Signed: below zero is short."
    return _chart("exposure", "Exposure", lines, 240, "% of equity", note=note)


def _headroom_chart(curves: Curves) -> Chart:
    line = _line("margin headroom", curves.times_ns, curves.headroom * 100, "$up", digits=3)
    note = "What may be lost before the exchange liquidates; at zero it does. 100 without a position."
    return _chart("headroom", "Margin headroom", [line], 200, "% of equity", note=note)


def _parts_chart(curves: Curves) -> Chart:
    lines = [
        _line("price", curves.times_ns, curves.price, "$main", digits=2),
        _line("fees", curves.times_ns, -curves.fees, "$down", digits=2),
        _line("funding", curves.times_ns, curves.funding, "$third", digits=2),
    ]
    if np.any(curves.liquidation):
        lines.append(_line("liquidation", curves.times_ns, curves.liquidation, "$alarm", digits=2))
    return _chart("parts", "Where profit and loss came from", lines, 280, "account currency, so far")


def _split_chart(split: PnlSplit) -> Chart:
    parts = [("price", split.price), ("fees", -split.fees), ("funding", split.funding)]
    if split.liquidation_price or split.liquidation_fees:
        parts += [("liquidation, price", split.liquidation_price), ("liquidation, fees", -split.liquidation_fees)]
    if split.transfers:
        parts.append(("transfers", split.transfers))
    names = [name for name, _ in parts] + ["net"]
    bars = {
        "type": "waterfall",
        "x": names,
        "y": [_money(value) for _, value in parts] + [_money(split.total)],
        "measure": ["relative"] * len(parts) + ["total"],
        "text": [f"{value:+,.2f}" for _, value in parts] + [f"{split.total:+,.2f}"],
        "textposition": "outside",
        "cliponaxis": False,
        "increasing": {"marker": {"color": "$up"}},
        "decreasing": {"marker": {"color": "$down"}},
        "totals": {"marker": {"color": "$main"}},
        "connector": {"line": {"color": "$muted", "width": 1}},
        "name": "net",
        "showlegend": False,
    }
    return _chart("split", "The split", [bars], 300, "account currency", xaxis={"type": "category"}) | {"alone": True}


def _money(value: Decimal) -> float:
    return round(float(value), 2)


# --- the price, and what was done at it -------------------------------------------------------------------------------
def _price_chart(curve: SymbolCurve, times: Times, story: RunStory) -> Chart:
    fills = [fill for fill in story.fills if fill.symbol == curve.symbol]
    refusals = [line for line in story.refusals if line.symbol == curve.symbol]
    data = [
        *_range(curve, times),
        _line("price", times, curve.last, "$price", digits=8),
        *trip_lines([trip for trip in story.trips if trip.symbol == curve.symbol]),
        *fill_marks(fills),
        *refusal_marks(refusals, times, curve.last),
    ]
    hidden = "Refusals are many: click their name to see them. " if len(refusals) > REFUSALS_SHOWN else ""
    return _chart(
        f"price-{curve.symbol}",
        f"{curve.symbol}: price, entries, exits, refusals",
        data,
        440,
        "price",
        note=f"{hidden}Drag to look closer, double-click to go back; the charts of a run move together.",
    )


def _range(curve: SymbolCurve, times: Times) -> list[dict[str, Any]]:
    """High and low as a soft band, where bars are few enough to see it."""
    if len(times) > POINTS_MAX:
        return []
    x = _milliseconds(times)
    base = {"type": "scatter", "mode": "lines", "x": x, "hoverinfo": "skip", "showlegend": False, "line": {"width": 0}}
    return [
        base | {"y": _numbers(curve.low, 8), "name": "low"},
        base | {"y": _numbers(curve.high, 8), "name": "high", "fill": "tonexty", "fillcolor": "$price-soft"},
    ]


def trip_lines(trips: Sequence[RoundTrip]) -> list[dict[str, Any]]:
    """A thin line from entry to exit, by its result."""
    found = []
    for name, colour, wanted in (("won", "$up", True), ("lost", "$down", False)):
        chosen = [trip for trip in trips if (trip.net > 0) is wanted][:MARKS_MAX]
        if not chosen:
            continue
        x: list[int | None] = []
        y: list[float | None] = []
        for trip in chosen:
            x += [*_milliseconds([trip.opened_ns, trip.closed_ns]), None]
            y += [float(trip.entry_price), float(trip.exit_price), None]
        found.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{name} ({len(chosen):,})",
                "x": x,
                "y": y,
                "line": {"color": colour, "width": 1.4, "dash": "dot"},
                "hoverinfo": "skip",
            }
        )
    return found


def fill_marks(fills: Sequence[FillLine]) -> list[dict[str, Any]]:
    """Entries, exits and liquidations, each where it was traded."""
    kinds: dict[str, list[tuple[FillLine, Decimal]]] = {"entries long": [], "entries short": [], "exits": []}
    liquidations: list[tuple[FillLine, Decimal]] = []
    for fill in fills:
        before = fill.position - fill.quantity * fill.side.sign
        if fill.cause == LIQUIDATION:
            liquidations.append((fill, before))
        elif before * fill.side.sign < 0 and abs(fill.position) < abs(before):
            kinds["exits"].append((fill, before))
        else:
            kinds["entries long" if fill.side is Side.BUY else "entries short"].append((fill, before))
    styles = {
        "entries long": ("triangle-up", "$up", 9),
        "entries short": ("triangle-down", "$down", 9),
        "exits": ("circle-open", "$muted", 6),
    }
    found = [_marks(name, chosen, *styles[name]) for name, chosen in kinds.items() if chosen]
    if liquidations:
        found.append(_marks("liquidations", liquidations, "x", "$alarm", 13))
    return found


def _marks(
    name: str, chosen: Sequence[tuple[FillLine, Decimal]], symbol: str, colour: str, size: int
) -> dict[str, Any]:
    shown = chosen[:MARKS_MAX]
    more = f" of {len(chosen):,}" if len(chosen) > len(shown) else ""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name} ({len(shown):,}{more})",
        "x": _milliseconds([fill.at_ns for fill, _ in shown]),
        "y": [float(fill.price) for fill, _ in shown],
        "text": [_fill_words(fill, before) for fill, before in shown],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "color": colour,
            "size": size if len(shown) <= CROWD else round(size * 0.65),
            "line": {"width": 1.2, "color": colour},
        },
    }


def _fill_words(fill: FillLine, before: Decimal) -> str:
    how = "liquidated" if fill.cause == LIQUIDATION else f"{fill.order_type.lower()}, {fill.tactic or 'no tactic'}"
    return (
        f"{fill.side.value.lower()} {fill.quantity:f} at {fill.price:f}<br>{how}, {fill.liquidity.lower()}"
        f"<br>fee {fill.fee:,.4f}<br>position {_held(before)} to {_held(fill.position)}"
        f"<br>{iso(fill.at_ns)[:19]}"
    )


def _held(quantity: Decimal) -> str:
    return f"{quantity:+f}" if quantity else "flat"


def refusal_marks(
    refusals: Sequence[RefusalLine], times: Times | Sequence[int], last: Floats | Sequence[float]
) -> list[dict[str, Any]]:
    """At the last price that was known, since nothing was traded."""
    if not refusals or not len(times):
        return []
    shown = refusals[:MARKS_MAX]
    at = (
        np.searchsorted(np.asarray(times, np.int64), np.array([line.at_ns for line in shown], np.int64), side="right")
        - 1
    )
    prices = np.asarray(last, np.float64)[np.maximum(at, 0)]
    more = f" of {len(refusals):,}" if len(refusals) > len(shown) else ""
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"refusals ({len(shown):,}{more})",
            "x": _milliseconds([line.at_ns for line in shown]),
            "y": _numbers(prices, 8),
            "text": [_refusal_words(line) for line in shown],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"symbol": "diamond-open", "color": "$warn", "size": 7},
            "visible": True if len(refusals) <= REFUSALS_SHOWN else "legendonly",
        }
    ]


def _refusal_words(line: RefusalLine) -> str:
    return (
        f"refused: {line.code}<br>{meaning_of(line.code)}<br>{line.side.value.lower()} {line.quantity.normalize():f}"
        f"<br>{iso(line.at_ns)[:19]}"
    )
