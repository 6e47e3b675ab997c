"""How is a bot steered from a browser? A button for each word, and a sheet that asks for what the word needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.asking import CommandRefused
from gpt_trader.ops.dashboard.access import Scope
from gpt_trader.ops.dashboard.address import where
from gpt_trader.ops.dashboard.controls import (
    BY_WORD,
    CONTROLS,
    TYPED_CHARACTERS_MIN,
    Control,
    Wish,
    command_line,
    do,
    phrase,
)
from gpt_trader.ops.dashboard.elements import card, words_of
from gpt_trader.ops.dashboard.house import Runs, Watched

__all__ = ["add_steering", "steering"]

REASON_CHARACTERS_MAX: Final = 400


def steering(scope: Scope | None) -> Component:
    if scope is not Scope.CONTROL:
        hint = "You may look. To steer, log in with the token in control.token."
        return card("Steer", html.P(hint, className="empty"))
    buttons = [
        html.Button(
            [html.Strong(control.word), html.Span(control.does)],
            id={"type": "ask", "word": control.word},
            className="control alarm" if control.alarm else "control",
        )
        for control in CONTROLS
    ]
    hint = "The words of the command line, over the bot's control socket; each is written into its log with its reason."
    return card("Steer", html.Div(buttons, className="controls"), hint=hint)


def add_steering(app: Dash, runs: Runs, scope: Callable[[], Scope | None]) -> None:
    """What happens when a button is pressed. `scope` says what the request that is being answered may do."""
    address, word = State("url", "pathname"), State("word", "data")
    chosen, value, reason = State("chosen", "value"), State("value", "value"), State("reason", "value")

    def ask(_: list[int | None], path: str) -> Any:
        name, _page = where(path)
        pressed = ctx.triggered_id if ctx.triggered and ctx.triggered[0]["value"] else None
        if name is None or pressed is None:
            return no_update, no_update
        return _sheet(runs.open(name), BY_WORD[pressed["word"]]), False

    def wanted(*said: str | None) -> Any:
        run, wish = _wish(*said)
        return command_line(wish, run), _typed_hint(phrase(BY_WORD[wish.word], wish.chosen, run), run)

    def act(clicks: int | None, typed: str | None, *said: str | None) -> Any:
        if not clicks:
            return no_update
        if scope() is not Scope.CONTROL:
            return html.P("This session may look only.", className="alarm")
        run, wish = _wish(*said, typed)
        return _answered(runs.open(run), wish)

    buttons = Input({"type": "ask", "word": ALL}, "n_clicks")
    sheet = (Output("dialog", "children"), Output("dialog", "hidden"))
    app.callback(*sheet, buttons, address, prevent_initial_call=True)(ask)
    inputs = (Input("chosen", "value"), Input("value", "value"), Input("reason", "value"))
    app.callback(Output("same", "children"), Output("typed-hint", "children"), address, word, *inputs)(wanted)
    typed = State("typed", "value")
    app.callback(Output("answer", "children"), Input("do", "n_clicks"), typed, address, word, chosen, value, reason)(
        act
    )


def _wish(path: str | None, word: str | None, *filled: str | None) -> tuple[str, Wish]:
    """The run, and what was filled in: what was chosen, the value, the reason, and what was typed."""
    chosen, value, reason, typed = (*(each or "" for each in filled), "")[:4]
    return where(path)[0] or "", Wish(word=word or "", chosen=chosen, value=value, reason=reason, typed=typed)


def _answered(watched: Watched, wish: Wish) -> Component:
    bot = watched.feed.running()
    if bot is None:
        return html.P("The bot is not running, so nothing was done.", className="alarm")
    try:
        answer = do(bot, wish)
    except (ConfigError, CommandRefused) as error:
        return html.P(str(error), className="alarm")
    good = answer.get("flat", True)
    rows = [
        html.Div([html.Span(name), html.Code(words_of(value))], className="answer-line")
        for name, value in answer.items()
    ]
    return html.Div(
        [html.P("Done." if good else "Not flat; these are the reasons.", className="up" if good else "alarm"), *rows]
    )


def _typed_hint(typed: str, run: str) -> str:
    if not typed:
        return ""
    return (
        f"Type {typed}, or at least {TYPED_CHARACTERS_MIN} characters of its beginning"
        if typed == run
        else f"Type {typed}"
    )


def _sheet(watched: Watched, control: Control) -> Component:
    """What must be filled in for one word. It is made once, so that nothing moves under a hand."""
    with watched.feed.lock:
        choices = _choices(watched, control)
    only = choices[0] if len(choices) == 1 else None
    asked = _typed_hint(phrase(control, only or "", watched.feed.name), watched.feed.name)
    fields = [
        _row(control.takes.capitalize(), dcc.RadioItems(choices, only, id="chosen"), shown=bool(control.takes)),
        _row("Value", dcc.RadioItems(["true", "false"], None, id="value"), shown=control.takes_value),
        _row("Why; it stands in the log beside your name", _field("reason")),
        _row(html.Span(asked, id="typed-hint"), _field("typed"), shown=control.dangerous),
    ]
    buttons = [
        html.Button("Cancel", className="quiet", id="dialog-close"),
        html.Button(control.word, id="do", className="go alarm" if control.dangerous else "go"),
    ]
    told: dict[str, Any] = {"aria-modal": "true", "aria-label": control.word}
    return html.Div(
        [
            html.H2(control.word),
            html.P(control.does),
            dcc.Store(id="word", data=control.word),
            *fields,
            html.P(["In a shell: ", html.Code(id="same")], className="note"),
            html.Div(buttons, className="buttons"),
            html.Div(id="answer", className="answer", role="status"),
        ],
        className="sheet",
        role="dialog",
        **told,
    )


def _row(label: str | Component, field: Component, *, shown: bool = True) -> Component:
    return html.Div([html.Label([html.Div(label, className="label"), field])], className="row", hidden=not shown)


def _field(name: str) -> Component:
    return dcc.Input(id=name, type="text", className="field wide", maxLength=REASON_CHARACTERS_MAX, autoComplete="off")


def _choices(watched: Watched, control: Control) -> list[str]:
    feed = watched.feed
    match control.takes:
        case "symbol":
            held = [] if feed.picture is None else [line.symbol for line in feed.picture.symbols]
            found = list(dict.fromkeys((*feed.products, *held)))
        case "order":
            found = [line.submitted.client_order_id for line in feed.living()]
        case "flag":
            found = [row["flag"] for row in feed.flags]
        case _:
            return []
    return [*found, "all"] if control.with_all else found
