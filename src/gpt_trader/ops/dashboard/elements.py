"""How does a value look on the page? Tables, tiles and words with their tone; nothing here knows a bot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from dash import dcc, html
from dash.development.base_component import Component

from gpt_trader.core.clock import NS, iso
from gpt_trader.ops.panel import span

__all__ = [
    "Cell",
    "Content",
    "age",
    "badge",
    "card",
    "cell",
    "clock",
    "grid",
    "link",
    "note",
    "number",
    "sign_tone",
    "tile",
    "tiles",
    "words_of",
]

Content = Any
"""Text, an element of the page, or a list of these."""


class Cell(NamedTuple):
    """One cell of a table; numbers stand at the right."""

    content: Content
    tone: str = ""
    number: bool = False


def cell(content: Content, tone: str = "") -> Cell:
    return Cell(content, tone)


def number(content: Content, tone: str = "") -> Cell:
    return Cell(content, tone, number=True)


def grid(headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, empty: str) -> Component:
    """A table. On a narrow screen each row becomes a card with its labels."""
    if not rows:
        return html.P(empty, className="empty")
    kinds = ["n" if each.number else "" for each in rows[0]]
    head = [html.Th(name, scope="col", className=kind) for name, kind in zip(headers, kinds, strict=True)]
    body = [html.Tr([_td(name, each) for name, each in zip(headers, row, strict=True)]) for row in rows]
    return html.Div(html.Table([html.Thead(html.Tr(head)), html.Tbody(body)]), className="scroll")


def _td(header: str, content: Cell) -> html.Td:
    kind = "n" if content.number else ""
    label: dict[str, Any] = {"data-label": header}
    return html.Td(content.content, className=f"{kind} {content.tone}".strip(), **label)


def card(title: str, *content: Content, hint: str = "", name: str = "") -> html.Section:
    """A part of the page under its title."""
    head: list[Content] = [html.H2(title)]
    if hint:
        head.append(html.P(hint, className="note"))
    return html.Section([*head, *content], className=f"card {name}".strip())


def tile(name: str, value: str, more: Content = "", tone: str = "") -> html.Div:
    return html.Div(
        [
            html.Div(name, className="name"),
            html.Div(value, className=f"value {tone}".strip()),
            html.Div(more, className="more"),
        ],
        className="tile",
    )


def tiles(found: Iterable[Component]) -> html.Div:
    return html.Div(list(found), className="tiles")


def badge(text: str, tone: str = "") -> html.Span:
    return html.Span(text, className=f"badge {tone}".strip())


def note(text: Content) -> html.P:
    return html.P(text, className="note")


def link(text: Content, to: str, **more: Any) -> dcc.Link:
    return dcc.Link(text, href=to, **more)


def clock(at_ns: int) -> html.Span:
    """The time of day; the whole moment on asking."""
    return html.Span(iso(at_ns)[11:19], title=iso(at_ns), className="when")


def age(since_ns: int, now_ns: int) -> str:
    """How long ago, in words."""
    return span(now_ns - since_ns) if since_ns >= NS else "-"


def sign_tone(value: Decimal) -> str:
    """Money that came is good, money that went is not."""
    return "up" if value > 0 else "down" if value < 0 else ""


def words_of(value: object) -> str:
    """A value of an answer, on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {words_of(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(words_of(each) for each in value) or "none"
    return str(value)
