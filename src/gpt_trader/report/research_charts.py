"""Which pictures tell a search? Curves of what was traded unseen, the surface, neighbours, what decides, the front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpt_trader.report.charts import Chart
from gpt_trader.report.research_facts import Neighbour, ResearchFacts, SetFacts

__all__ = ["research_charts"]

COLOURS = ("$main", "$third", "$second")
RATIOS = ("sharpe", "sortino", "calmar", "return")
"""Measures whose zero is the border between gain and loss."""
POINTS_MAX = 4000
FRONTIER = "frontier"


def research_charts(facts: ResearchFacts) -> list[Chart]:
    """Those that this search can fill."""
    if facts.finding == FRONTIER:
        return [_front(facts, second) for second in range(1, len(facts.measures))]
    charts = [_forward(facts)] if facts.curves else []
    if len(facts.measures) > 1:
        charts.append(_front(facts, 1))
    surface = _surface(facts)
    if surface is not None:
        charts.append(surface)
    if facts.importance:
        charts.append(_importance(facts))
    charts += [_neighbours(facts, place, each) for place, each in enumerate(facts.neighbours)]
    return charts


def _chart(name: str, title: str, data: Sequence[dict[str, Any]], height: int, note: str, **layout: Any) -> Chart:
    return {
        "id": name,
        "title": title,
        "height": height,
        "note": note,
        "alone": True,
        "data": list(data),
        "layout": layout,
    }


def _forward(facts: ResearchFacts) -> Chart:
    lines = []
    for curve, colour in zip(facts.curves, (*COLOURS[: len(facts.curves) - 1], "$muted"), strict=False):
        step = max(1, len(curve.values) // POINTS_MAX)
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": curve.name,
                "x": [at_ns // 1_000_000 for at_ns in curve.times_ns[::step]],
                "y": [round(100 * value, 4) for value in curve.values[::step]],
                "line": {"color": colour, "width": 1.8 if colour != "$muted" else 1.2},
                "hovertemplate": "%{y:.2f} %<extra>" + curve.name + "</extra>",
            }
        )
    changes = [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": fold.train_to_ns // 1_000_000,
            "x1": fold.train_to_ns // 1_000_000,
            "y0": 0,
            "y1": 1,
            "line": {"color": "$line", "width": 1, "dash": "dot"},
        }
        for fold in facts.folds
        if fold.scheme == facts.folds[0].scheme
    ]
    chart = _chart(
        "forward",
        "What choosing by the past would have earned",
        lines,
        360,
        "Percent since each line begins. Walk-forward begins where the first choice was made, and a dotted line marks "
        "each choice. The grey line was chosen with hindsight: nobody could have traded it.",
        xaxis={"type": "date"},
        yaxis={"title": {"text": "percent"}},
        shapes=changes,
        hovermode="x",
    )
    return chart | {"alone": False}


def _front(facts: ResearchFacts, second: int) -> Chart:
    """The first measure against another one."""
    across, up = facts.measures[0], facts.measures[second]
    known = [each for each in facts.sets if None not in each.measures]
    labelled = facts.finding == FRONTIER

    def points(sets: Sequence[SetFacts], name: str, colour: str, size: int) -> dict[str, Any]:
        errors = [each.figures.get(f"{across.name.removesuffix('_bps')}_error_bps", 0.0) for each in sets]
        return {
            "type": "scatter",
            "mode": "markers+text" if labelled else "markers",
            "name": name,
            "x": [each.measures[0] for each in sets],
            "y": [each.measures[second] for each in sets],
            "text": [" ".join(each.values) if labelled else "" for each in sets],
            "customdata": [_words(facts, each) for each in sets],
            "textposition": ["top center" if place % 2 else "bottom center" for place in range(len(sets))],
            "textfont": {"size": 11, "color": "$soft"},
            "hovertemplate": "%{customdata}<extra></extra>",
            "marker": {"color": colour, "size": size},
            "error_x": {"type": "data", "array": errors, "color": colour, "thickness": 1, "visible": any(errors)},
        }

    others = [each for each in known if each.number not in facts.front]
    front = sorted((each for each in known if each.number in facts.front), key=lambda each: each.measures[0] or 0.0)
    return _chart(
        f"front-{second}",
        f"{across.name} against {up.name}",
        [points(others, "other sets", "$muted", 7), points(front, "the front", "$main", 10)],
        440,
        f"The front: sets that no other beats in all {len(facts.measures)} measures. Bars are one standard error.",
        xaxis={"title": {"text": f"{across.name} ({across.unit}; {_way(across.rises)})"}, "type": "linear"},
        yaxis={"title": {"text": f"{up.name} ({up.unit}; {_way(up.rises)})"}},
    )


def _way(rises: bool) -> str:
    return "more is better" if rises else "less is better"


def _words(facts: ResearchFacts, each: SetFacts) -> str:
    named = [f"{name} {value}" for name, value in zip(facts.names, each.values, strict=True)]
    named += [
        f"{measure.name} {value:,.4g}"
        for measure, value in zip(facts.measures, each.measures, strict=True)
        if value is not None
    ]
    return f"set {each.number}<br>" + "<br>".join(named)


def _surface(facts: ResearchFacts) -> Chart | None:
    """The two dimensions that decide most; of the others the best value at each place."""
    if len(facts.names) < 2:
        return None
    order = sorted(range(len(facts.names)), key=lambda place: -facts.importance.get(facts.names[place], 0.0))
    across, up = order[0], order[1]
    rises, better = facts.measures[0].rises, max if facts.measures[0].rises else min
    cells: dict[tuple[str, str], float] = {}
    for each in facts.sets:
        value = each.measures[0]
        if value is not None:
            key = each.values[across], each.values[up]
            cells[key] = better(cells[key], value) if key in cells else value
    if not cells:
        return None
    columns, rows = (_ordered({key[side] for key in cells}) for side in (0, 1))
    values = [[cells.get((column, row)) for column in columns] for row in rows]
    heat: dict[str, Any] = {
        "type": "heatmap",
        "x": columns,
        "y": rows,
        "z": [[None if value is None else round(value, 4) for value in line] for line in values],
        "colorscale": "RdBu",
        "reversescale": rises,
        "hoverongaps": False,
        "hovertemplate": f"{facts.names[across]} %{{x}}<br>{facts.names[up]} %{{y}}<br>%{{z}}<extra></extra>",
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"thickness": 12, "outlinewidth": 0},
    }
    if facts.measures[0].name in RATIOS:
        heat["zmid"] = 0
    rest = len(facts.names) - 2
    others = " At each place the best of the other dimensions counts." if rest else ""
    return _chart(
        "surface",
        f"{facts.measures[0].name} over {facts.names[across]} and {facts.names[up]}",
        [heat],
        380,
        f"With hindsight, over the whole market. A plateau is worth more than a peak.{others}",
        xaxis={"type": "category", "title": {"text": facts.names[across]}},
        yaxis={"type": "category", "title": {"text": facts.names[up]}},
    )


def _ordered(values: set[str]) -> list[str]:
    try:
        return sorted(values, key=float)
    except ValueError:
        return sorted(values)


def _importance(facts: ResearchFacts) -> Chart:
    ordered = sorted(facts.importance.items(), key=lambda item: item[1])
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [round(100 * value, 1) for _, value in ordered],
        "y": [name for name, _ in ordered],
        "marker": {"color": "$main"},
        "hovertemplate": "%{y}: %{x} %<extra></extra>",
    }
    return _chart(
        "importance",
        "What decides",
        [bars],
        90 + 34 * len(ordered),
        "Share of what tells the best tenth of the sets from the others (PED-ANOVA).",
        xaxis={"type": "linear", "title": {"text": "percent"}, "rangemode": "tozero"},
        yaxis={"type": "category"},
    )


def _neighbours(facts: ResearchFacts, place: int, line: Neighbour) -> Chart:
    best = next(each for each in facts.sets if each.number == facts.best)
    at = best.values[facts.names.index(line.name)]
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": facts.measures[0].name,
            "x": list(line.values),
            "y": [round(value, 4) for value in line.measures],
            "line": {"color": "$main", "width": 1.6},
            "marker": {"color": "$main", "size": 6},
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "best set",
            "x": [at],
            "y": [round(line.measures[line.values.index(at)], 4)],
            "marker": {"color": "$second", "size": 12, "symbol": "diamond"},
        },
    ]
    return _chart(
        f"neighbours-{place}",
        f"Around the best set: {line.name}",
        data,
        260,
        "All other values as in the best set.",
        xaxis={"type": "category", "title": {"text": line.name}},
        yaxis={"title": {"text": facts.measures[0].name}},
    )
