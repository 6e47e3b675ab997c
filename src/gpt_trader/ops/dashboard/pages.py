"""Which pages are there, and what happens on them? Layout and callbacks; what changes by itself comes once a second.

A page is a frame of empty places. Each place that changes has a name and is filled by one callback for all of them,
which sends only what is new. Places where a person types are never filled again under their hands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, quote

import msgspec
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from gpt_trader.core.clock import iso
from gpt_trader.core.errors import GptTraderError
from gpt_trader.ops.dashboard.access import Scope
from gpt_trader.ops.dashboard.address import PAGES, where
from gpt_trader.ops.dashboard.drawing import Drawing, equity_drawing, price_drawing, symbols_of
from gpt_trader.ops.dashboard.elements import Cell, Content, badge, card, cell, grid, link, note, number, sign_tone
from gpt_trader.ops.dashboard.house import RunLine, Runs, Watched
from gpt_trader.ops.dashboard.log_page import add_search, search_form
from gpt_trader.ops.dashboard.sections import SECTIONS
from gpt_trader.ops.dashboard.steering import add_steering, steering
from gpt_trader.records.trace import TraceReader, resolve
from gpt_trader.report.explanation import explain_intent
from gpt_trader.report.numbers import money, moved
from gpt_trader.report.telling import Story

__all__ = ["add_pages"]

TICK_MS: Final = 1000
ENGINE: Final = "ExecutionEngine"
PRICE_HINT: Final = "Fills, stops, open orders and refusals where they happened."
SYMBOLS_DRAWN_MAX: Final = 4
Ids = list[dict[str, str]]
Seen = dict[str, str]
"""What a browser has: a digest of each part by name."""


def live(name: str) -> html.Div:
    """A place that is filled and kept current."""
    return html.Div(id={"type": "live", "name": name}, className=f"live live-{name}")


def chart(name: str, title: str, height: int, hint: str = "") -> html.Section:
    """A place for a picture; what is sent is painted by the browser in its colours."""
    config: Any = {"displaylogo": False, "displayModeBar": False, "responsive": True, "doubleClick": "reset"}
    graph = dcc.Graph(
        id={"type": "chart", "name": name},
        figure={"data": [], "layout": {}},
        config=config,
        style={"height": f"{height}px"},
        responsive=True,
    )
    return card(title, graph, dcc.Store(id={"type": "raw", "name": name}), hint=hint, name="chart-card")


def layout() -> Component:
    """The frame of every page."""
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Interval(id="tick", interval=TICK_MS),
            dcc.Store(id="seen", data={}),
            dcc.Store(id="shown", data=""),
            dcc.Store(id="theme", data="light"),
            html.A("Skip to the content", href="#page", className="skip"),
            html.Header(id="top"),
            html.Main(id="page", tabIndex="-1"),
            html.Div(id="dialog", className="dialog", hidden=True),
            html.Div(id="help", className="dialog", hidden=True, children=_help()),
        ]
    )


def _help() -> Component:
    keys = [
        ("1 to 7", "the pages of a run"),
        ("0 or r", "the list of runs"),
        ("/", "search the events"),
        ("t", "light or dark"),
        ("Esc", "close what is open"),
        ("?", "this list"),
    ]
    rows = [html.Div([html.Kbd(key), html.Span(does)], className="key") for key, does in keys]
    close = html.Button("Close", className="quiet", id="help-close")
    return html.Div([html.H2("Keys"), *rows, close], className="sheet", role="dialog")


def add_pages(app: Dash, runs: Runs, scope: Callable[[], Scope | None]) -> None:
    """Give the application its pages. `scope` says what the request that is being answered may do."""
    app.layout = layout

    def show(path: str, query: str) -> tuple[Any, Any, str, Seen]:
        name, page = where(path)
        try:
            if name is None:
                return _top(None, "", None), _run_list(runs.list()), path, {}
            watched = runs.open(name)
        except GptTraderError as error:
            return _top(None, "", None), card("Not found", html.P(str(error)), link("All runs", "/")), path, {}
        frame = _page(watched, page, _about(query), scope())
        return _top(name, page, scope()), frame, f"{path}{query}", {}

    app.callback(
        Output("top", "children"),
        Output("page", "children"),
        Output("shown", "data"),
        Output("seen", "data", allow_duplicate=True),
        Input("url", "pathname"),
        Input("url", "search"),
        prevent_initial_call="initial_duplicate",
    )(show)

    def fill(_: int | None, __: str, places: Ids, raws: Ids, seen: Seen, path: str) -> Any:
        name, _page_name = where(path)
        if name is None:
            return [no_update] * len(places), [no_update] * len(raws), no_update
        watched = runs.open(name)
        with watched.feed.lock:
            return _filled(watched, [p["name"] for p in places], [r["name"] for r in raws], seen, runs.clock.now_ns())

    app.callback(
        Output({"type": "live", "name": ALL}, "children"),
        Output({"type": "raw", "name": ALL}, "data"),
        Output("seen", "data"),
        Input("tick", "n_intervals"),
        Input("shown", "data"),
        State({"type": "live", "name": ALL}, "id"),
        State({"type": "raw", "name": ALL}, "id"),
        State("seen", "data"),
        State("url", "pathname"),
    )(fill)

    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("dashboard", "paint"),
        Output({"type": "chart", "name": ALL}, "figure"),
        Input({"type": "raw", "name": ALL}, "data"),
        Input("theme", "data"),
    )
    add_search(app, runs)
    add_steering(app, runs, scope)


def _about(query: str | None) -> str:
    return parse_qs((query or "").lstrip("?")).get("about", [""])[0]


def _filled(watched: Watched, places: Sequence[str], raws: Sequence[str], seen: Seen, now_ns: int) -> Any:
    """What is new for one browser, in the order of its places."""
    found = dict(seen or {})
    parts = [_new(found, f"live {name}", SECTIONS[name](watched.feed)) for name in places]
    curves = watched.curves(now_ns) if raws else None
    drawings = []
    for name in raws:
        drawing: Drawing
        if name == "equity":
            drawing = equity_drawing(watched.feed, curves)
        else:
            drawing = price_drawing(watched.feed, name.removeprefix("price "), curves)
        drawings.append(_new(found, f"raw {name}", drawing))
    return parts, drawings, found if found != seen else no_update


def _new(seen: Seen, name: str, content: Any) -> Any:
    digest = hashlib.blake2b(msgspec.json.encode(content, enc_hook=_plain), digest_size=8).hexdigest()
    if seen.get(name) == digest:
        return no_update
    seen[name] = digest
    return content


def _plain(element: Component) -> Any:
    """An element as it is sent."""
    return element.to_plotly_json()  # type: ignore[no-untyped-call]


# --- frames -----------------------------------------------------------------------------------------------------------
def _top(run: str | None, page: str, scope: Scope | None) -> list[Component]:
    brand = dcc.Link([html.Span("GPT", className="mark"), "Trader"], href="/", className="brand", id="nav-0")
    buttons = [
        html.Button("Theme", id="theme-toggle", className="quiet", title="Light or dark (t)"),
        html.Form(html.Button("Log out", className="quiet"), action="/logout", method="POST"),
    ]
    first = html.Div([brand, html.Div(buttons, className="tools")], className="bar")
    if run is None:
        return [first]
    tabs = [
        dcc.Link(title, href=f"/run/{run}/{name}", id=f"nav-{at}", className="tab here" if name == page else "tab")
        for at, (name, title) in enumerate(PAGES.items(), 1)
    ]
    pages: dict[str, Any] = {"aria-label": "Pages of the run"}
    told = html.Div([html.H1(run), "" if scope is Scope.CONTROL else badge("read only", "soft")], className="run-name")
    return [first, told, live("head"), html.Nav(tabs, **pages)]


def _page(watched: Watched, page: str, about: str, scope: Scope | None) -> list[Component]:
    feed = watched.feed
    problem = [html.Div(feed.problem, className="banner alarm")] if feed.problem else []
    match page:
        case "decisions":
            story = [_story(watched, about)] if about else []
            return [*problem, *story, live("decisions"), live("refusals")]
        case "orders":
            return [*problem, live("order-counts"), live("open-orders"), live("stops"), live("ended-orders")]
        case "guards":
            return [*problem, live("guards"), live("trips"), live("invariants")]
        case "costs":
            return [*problem, live("costs")]
        case "control":
            return [*problem, steering(scope), live("flags"), live("rollout"), live("sight")]
        case "events":
            return [*problem, search_form(), html.Div(id="found")]
        case _:
            prices = [
                chart(
                    f"price {symbol}", symbol, 380, hint="Fills, stops, open orders and refusals where they happened."
                )
                for symbol in symbols_of(feed)[:SYMBOLS_DRAWN_MAX]
            ]
            pictures = html.Div([*prices, chart("equity", "Equity", 240)])
            columns = html.Div([pictures, live("latest")], className="columns")
            return [*problem, live("tiles"), live("positions"), live("open-orders"), columns]


def _run_list(lines: Sequence[RunLine]) -> Component:
    rows = [_run_row(line) for line in lines]
    headers = ("Run", "", "Engine", "From", "To", "Fills", "Equity", "Net")
    empty = "There is no run yet. Make one: gpt-trader run"
    return card("Runs", grid(headers, rows, empty=empty), hint="The newest first; those that run now on top.")


def _run_row(line: RunLine) -> list[Cell]:
    name = cell(link(line.name, f"/run/{quote(line.name)}/overview"), "id")
    if line.picture is not None:
        seen = line.picture
        return [
            name,
            cell(badge("running", "up")),
            cell(seen.engine.removesuffix(ENGINE)),
            cell("", "when"),
            cell(iso(seen.time_ns)[:16], "when"),
            number(f"{seen.fills:,}"),
            number("-" if seen.equity is None else money(seen.equity)),
            number("-"),
        ]
    if line.facts is None:
        return [name, cell(badge("no end", "soft")), *(cell("-") for _ in range(3)), *(number("-") for _ in range(3))]
    summary = line.facts.summary
    net = summary.equity_end - summary.equity_start - summary.transfers
    return [
        name,
        cell(badge("ended", "soft")),
        cell(summary.engine.removesuffix(ENGINE)),
        cell(summary.start[:16], "when"),
        cell(summary.end[:16], "when"),
        number(f"{summary.fills:,}"),
        number(money(summary.equity_end)),
        number(moved(net), sign_tone(net)),
    ]


def _story(watched: Watched, about: str) -> Component:
    """Everything that the log says of one decision."""
    log = watched.feed.log
    try:
        reader = TraceReader(resolve((each.event for each in log.read()), about))
        for recorded in log.read():
            reader.take(recorded.event)
        story: Story = explain_intent(reader.trace())
    except GptTraderError as error:
        return card("Why", html.P(str(error)))
    parts: list[Content] = []
    for title, sentences in story.sections:
        parts.append(html.H3(title))
        parts.append(html.Ul([html.Li(sentence.strip()) for sentence in sentences], className="story"))
    wrong = [check for check in story.checks if not check.agrees]
    said = f"{len(story.checks)} sums were done again; {len(wrong) or 'none'} came out differently."
    return card(
        "Why",
        *parts,
        note(said),
        link("Close", f"/run/{watched.feed.name}/decisions", className="why"),
        name="why-card",
    )
