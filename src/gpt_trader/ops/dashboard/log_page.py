"""How is the event log searched from a browser? Words in, events out."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from gpt_trader.core.clock import iso
from gpt_trader.core.errors import GptTraderError
from gpt_trader.ops.dashboard.address import where
from gpt_trader.ops.dashboard.elements import card
from gpt_trader.ops.dashboard.house import Runs
from gpt_trader.ops.dashboard.search import FOUND_MAX, Found, search_events

__all__ = ["add_search", "search_form"]

GIST_CHARACTERS_MAX: Final = 240


def search_form() -> Component:
    return card(
        "Event log",
        html.Div(
            [
                dcc.Input(
                    id="words",
                    type="text",
                    placeholder="OrderRefused BTC-PERP, an order id, a reason ...",
                    debounce=0.3,
                    className="field wide",
                    autoComplete="off",
                ),
            ],
            className="form",
        ),
        hint=f"Events that hold every word, the newest {FOUND_MAX}. Click one for everything that it says.",
    )


def add_search(app: Dash, runs: Runs) -> None:
    def find(words: str | None, path: str) -> Any:
        name, _ = where(path)
        if name is None:
            return no_update
        try:
            found = search_events(runs.open(name).feed.log, words or "")
        except GptTraderError as error:
            return html.P(str(error), className="alarm")
        rows = [_event(each) for each in found]
        return html.Section(rows or html.P("No event holds all of that.", className="empty"), className="card events")

    app.callback(Output("found", "children"), Input("words", "value"), State("url", "pathname"))(find)


def _event(found: Found) -> Component:
    line = [
        html.Span(f"{found.sequence:,}", className="sequence"),
        html.Span(iso(found.at_ns)[:23], className="when"),
        html.Strong(found.type),
        html.Span(_gist(found.payload), className="gist"),
    ]
    return html.Details([html.Summary(line), html.Pre(_pretty(found.payload))], className="event")


def _gist(payload: str) -> str:
    """What stands behind type and time, on one line."""
    values = msgspec.json.decode(payload, type=dict[str, Any])
    told = ", ".join(f"{name} {value}" for name, value in values.items() if name not in {"type", "at_ns"})
    return told[:GIST_CHARACTERS_MAX]


def _pretty(payload: str) -> str:
    return msgspec.json.format(payload, indent=2)
