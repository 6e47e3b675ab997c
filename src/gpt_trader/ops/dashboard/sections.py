"""What stands on the pages of a run? One function for each part that changes while somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec
from dash import html
from dash.development.base_component import Component

from gpt_trader.bot.invariants.review import HOLDS, Verdict
from gpt_trader.bot.invariants.table import Place
from gpt_trader.core.clock import iso
from gpt_trader.core.values import OrderState
from gpt_trader.ops.dashboard.elements import (
    Cell,
    age,
    badge,
    card,
    cell,
    clock,
    grid,
    link,
    note,
    number,
    sign_tone,
    tile,
    tiles,
    words_of,
)
from gpt_trader.ops.dashboard.feed import IntentLine, RunFeed
from gpt_trader.ops.panel import NEAR_LIQUIDATION
from gpt_trader.ops.picture import GuardLine, PositionLine
from gpt_trader.records.orders import OrderLine
from gpt_trader.records.shadow import Compared
from gpt_trader.records.tca import CostAnalysis
from gpt_trader.report.numbers import measured, money, moved, price, share
from gpt_trader.report.shadow_text import cost_table as shadow_costs
from gpt_trader.report.shadow_text import sentences, verdict
from gpt_trader.report.summary import meaning_of
from gpt_trader.report.tca_tables import SIGNS, CostTable, cost_table
from gpt_trader.risk.guard_rules import Action

__all__ = ["SECTIONS", "SHOWN_MAX", "place_of"]

SHOWN_MAX: Final = 60
LINES_SHOWN: Final = 22
REFUSALS_SHOWN: Final = 12
COSTS: Final = (("engine",), ("tactic",), ("engine", "tactic"))
ALARM_STATES: Final = frozenset({OrderState.UNKNOWN})
STALE_SECONDS: Final = 5.0
FAR: Final = Decimal(10)
"""Share of the mark; further away than this is not worth a number."""
FIELDS_CHARACTERS_MAX: Final = 300
CENT: Final = Decimal("0.01")
WATCHED: Final = frozenset({Place.STEP.value, Place.SEND.value})
"""Where the running bot looks by itself."""


def place_of(feed: RunFeed, page: str, **query: str) -> str:
    """The address of a page of a run."""
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/run/{feed.name}/{page}" + (f"?{words}" if words else "")


def _head(feed: RunFeed) -> Component:
    """What must be seen on every page: does it live, in which mode, by which engine, and how old is what is shown."""
    words, tone = feed.status()
    picture = feed.picture
    found = [badge(words, tone)]
    if picture is not None:
        normal = picture.mode.value == "NORMAL"
        mode = f"{picture.mode.value}{', cancelling' if picture.cancelling else ''}"
        found.append(badge(mode, "" if normal and not picture.cancelling else "alarm"))
        if not picture.caught_up:
            found.append(badge("catching up", "warn"))
        found.append(badge(picture.engine, "soft"))
        unknown = sum(1 for line in feed.living() if line.state in ALARM_STATES)
        if unknown:
            found.append(badge(f"{unknown} of unknown outcome", "alarm"))
        tripped = sum(1 for line in picture.guards if line.tripped)
        if tripped:
            found.append(badge(f"{tripped} guard{'' if tripped == 1 else 's'} tripped", "alarm"))
    elif feed.started is not None:
        found.append(badge(feed.around.engine.engine if feed.around.engine is not None else "no engine yet", "soft"))
    broken = [verdict for verdict in feed.verdicts() if verdict.breaks]
    if broken:
        found.append(badge(f"{len(broken)} invariants broken", "alarm"))
    moment = html.Span(f"{iso(feed.now_ns)[:19]} UTC", className="when", id="market-time") if feed.now_ns else ""
    return html.Div([*found, moment], className="badges")


def _tiles(feed: RunFeed) -> Component:
    ledger, story = feed.story.ledger, feed.story
    equity, pnl, picture = feed.equity(), feed.price_pnl(), feed.picture
    start = ledger.starting_cash
    net = None if equity is None else equity - start - ledger.transfers
    headroom = None if picture is None else picture.headroom
    shown = [
        tile(
            "Equity",
            "no mark yet" if equity is None else money(equity),
            "" if net is None or not start else f"{moved(net)} ({net / start:+.2%})",
            "",
        ),
        tile("Price PnL", "-" if pnl is None else moved(pnl), "", _tone(pnl)),
        tile("Fees", moved(-ledger.fees), "", sign_tone(-ledger.fees)),
        tile("Funding", moved(ledger.funding), "above zero is received", sign_tone(ledger.funding)),
        _drawdown(feed),
        tile(
            "Margin headroom",
            "-" if headroom is None else share(headroom),
            "" if picture is None else f"{money(picture.maintenance_margin)} must stay",
            "alarm" if headroom is not None and headroom < NEAR_LIQUIDATION else "",
        ),
        tile("Orders", f"{story.metrics.orders:,}", f"{len(feed.living()):,} open"),
        tile("Fills", f"{story.metrics.fills:,}", f"{sum(story.metrics.refusals.values()):,} refusals"),
    ]
    return tiles(shown)


def _drawdown(feed: RunFeed) -> Component:
    if feed.picture is not None:
        return tile("Drawdown", share(feed.picture.drawdown, 2), "of the highest equity")
    if feed.facts is not None:
        return tile("Largest drawdown", share(feed.facts.summary.max_drawdown, 2), "of the highest equity")
    return tile("Drawdown", "-")


def _positions(feed: RunFeed) -> Component:
    held = feed.picture.positions if feed.picture is not None else _held_at_the_end(feed)
    headers = ("Symbol", "Side", "Quantity", "Entry", "Mark", "PnL", "Liquidated at", "Distance", "Held for")
    rows = [_position(feed, line) for line in held]
    return card(
        "Positions",
        grid(headers, rows, empty="Nothing is held."),
        hint="Liquidated at: if this price alone moves, all positions counted." if rows and feed.is_running else "",
    )


def _held_at_the_end(feed: RunFeed) -> tuple[PositionLine, ...]:
    return tuple(
        PositionLine(
            symbol=each.symbol,
            quantity=each.quantity,
            entry_price=each.entry_price,
            opened_ns=each.opened_ns,
            mark=feed.mark(each.symbol) or None,
            unrealised=each.quantity * (feed.mark(each.symbol) - each.entry_price) if feed.mark(each.symbol) else None,
        )
        for each in feed.story.ledger.positions().values()
    )


def _position(feed: RunFeed, line: PositionLine) -> list[Cell]:
    tick, distance = _tick(feed, line.symbol), line.liquidation_distance
    near = "alarm" if distance is not None and distance < NEAR_LIQUIDATION else ""
    side = "long" if line.quantity > 0 else "short"
    return [
        cell([line.symbol, badge("not ours", "warn") if line.external else ""], "strong"),
        cell(side, "up" if side == "long" else "down"),
        number(f"{abs(line.quantity):f}"),
        number(price(line.entry_price, tick)),
        number("-" if line.mark is None else price(line.mark, tick)),
        number("-" if line.unrealised is None else moved(line.unrealised), _tone(line.unrealised)),
        number(_liquidated(feed, line, tick), near),
        number("-" if distance is None else share(distance) if distance < FAR else f"over {FAR:.0%}", near),
        number(age(line.opened_ns, feed.now_ns)),
    ]


def _liquidated(feed: RunFeed, line: PositionLine, tick: Decimal) -> str:
    if line.liquidation_price is not None:
        return price(line.liquidation_price, tick)
    known = feed.picture is not None and feed.picture.maintenance_margin
    return "at no price" if known else "-"


def _tone(value: Decimal | None) -> str:
    return "" if value is None else sign_tone(value)


def _tick(feed: RunFeed, symbol: str) -> Decimal:
    product = feed.products.get(symbol)
    return product.tick if product is not None else CENT


def _open_orders(feed: RunFeed) -> Component:
    living = feed.living()
    rows = [_order(feed, line) for line in living[:SHOWN_MAX]]
    more = [note(f"and {len(living) - SHOWN_MAX} more")] if len(living) > SHOWN_MAX else []
    return card("Open orders", grid(ORDER_HEADERS, rows, empty="No order is open."), *more)


ORDER_HEADERS: Final = ("State", "Age", "Order", "Symbol", "What", "Tactic", "Price", "Quantity", "Filled")


def _order(feed: RunFeed, line: OrderLine) -> list[Cell]:
    sent, tick = line.submitted, _tick(feed, line.submitted.symbol)
    limit = sent.stop_price or sent.limit_price
    shown = line.average_price if line.state.is_terminal and line.average_price is not None else limit
    words = f"{sent.side.value.lower()} {sent.order_type.value.lower().replace('_', '-')} {sent.time_in_force.value}"
    return [
        cell(badge(line.state.value, _tone_of_state(line.state))),
        cell(age(sent.at_ns, feed.now_ns), "when"),
        cell(link(sent.client_order_id, place_of(feed, "decisions", about=sent.client_order_id)), "id"),
        cell(sent.symbol, "strong"),
        cell([words, " reduce-only" if sent.reduce_only else ""]),
        cell(sent.tactic or "-"),
        number("market" if shown is None else price(shown, tick)),
        number(f"{sent.quantity:f}"),
        number(f"{line.filled:f}"),
    ]


def _tone_of_state(state: OrderState) -> str:
    match state:
        case OrderState.UNKNOWN | OrderState.FAILED:
            return "alarm"
        case OrderState.REJECTED:
            return "warn"
        case OrderState.FILLED:
            return "up"
        case OrderState.CANCELLED | OrderState.EXPIRED:
            return "soft"
        case _:
            return ""


def _order_counts(feed: RunFeed) -> Component:
    counted = +feed.story.metrics.by_state
    found = [badge(f"{count:,} {state}", _tone_of_state(OrderState(state))) for state, count in sorted(counted.items())]
    return html.Div(found or [note("No order yet.")], className="badges")


def _ended_orders(feed: RunFeed) -> Component:
    ended = [line for line in reversed(feed.orders.values()) if line.state.is_terminal]
    rows = [_order(feed, line) for line in ended[:SHOWN_MAX]]
    return card("The last orders that ended", grid(ORDER_HEADERS, rows, empty="None yet."))


def _stops(feed: RunFeed) -> Component:
    kept = [path for path in feed.stops.values() if not path.ended_ns and path.symbol in feed.story.ledger.positions()]
    keepers = {(line.symbol, line.trigger_price): line.keeper for line in feed.picture.stops} if feed.picture else {}
    rows = []
    for path in kept:
        trigger = path.points[-1][1]
        rows.append(
            [
                cell(path.symbol, "strong"),
                cell(path.kind.lower().replace("_", " ")),
                number(price(trigger, _tick(feed, path.symbol))),
                cell(keepers.get((path.symbol, trigger), "STRATEGY").lower()),
                number(f"{len(path.points):,}"),
            ]
        )
    headers = ("Symbol", "Kind", "Trigger", "Kept by", "Moves")
    return card("Stops and targets", grid(headers, rows, empty="None is kept."))


# --- decisions --------------------------------------------------------------------------------------------------------
def _latest(feed: RunFeed) -> Component:
    rows = list(feed.lines)[-LINES_SHOWN:]
    found = [
        html.Li([clock(at_ns), html.Span(text, className=tone)], className="line")
        for at_ns, text, tone in reversed(rows)
    ]
    empty = html.P("None yet: strategies decide when a bar closes, and first need some history.", className="empty")
    return card("Latest decisions", html.Ul(found, className="lines") if found else empty)


def _decisions(feed: RunFeed) -> Component:
    lines = list(feed.intents.values())[-SHOWN_MAX:]
    rows = [_intent(feed, line) for line in reversed(lines)]
    headers = ("Time", "Symbol", "Wanted", "What came of it", "Tactic", "")
    return card(
        "Decisions",
        grid(headers, rows, empty="None yet."),
        hint="Each wish of a strategy or a person, newest first. Why tells its whole story, with every number.",
    )


def _intent(feed: RunFeed, line: IntentLine) -> list[Cell]:
    why = link("why", place_of(feed, "decisions", about=line.intent_id), className="why", title=line.intent_id)
    return [
        cell(clock(line.at_ns)),
        cell(line.symbol, "strong"),
        cell(line.wanted),
        cell(line.outcome or "under way", line.tone),
        cell(line.tactic or "-"),
        cell(why),
    ]


def _refusals(feed: RunFeed) -> Component:
    counted = feed.story.metrics.refusals.most_common(REFUSALS_SHOWN)
    rows = [[cell(code, "id"), cell(meaning_of(code)), number(f"{count:,}")] for code, count in counted]
    return card("Refusals by code", grid(("Code", "Meaning", "Times"), rows, empty="Nothing was refused."))


# --- what watches -----------------------------------------------------------------------------------------------------
def _guards(feed: RunFeed) -> Component:
    lines = feed.picture.guards if feed.picture is not None else ()
    rows = [_guard(line) for line in lines]
    empty = "The bot is not running, so no guard looks." if feed.picture is None else "No guard has looked yet."
    return card("Guards", grid(("Guard", "State", "Now", "Limit", "When it trips"), rows, empty=empty))


def _guard(line: GuardLine) -> list[Cell]:
    telemetry = line.action == Action.RECORD.value and not line.threshold
    calm = badge("watches", "soft") if telemetry else badge("ok", "up")
    state = badge("TRIPPED", "alarm") if line.tripped else calm
    now = "-" if line.value is None else measured(line.value, line.unit)
    limit = "-" if line.threshold is None or telemetry else measured(line.threshold, line.unit)
    return [
        cell(f"{line.guard} {line.symbol}".strip(), "id"),
        cell(state),
        number(now, "alarm" if line.tripped else ""),
        number(limit),
        cell(line.tripped or line.action),
    ]


def _trips(feed: RunFeed) -> Component:
    rows = [
        [
            cell(iso(event.at_ns)[:19], "when"),
            cell(f"{event.guard} {event.symbol}".strip(), "id"),
            number(measured(event.value, event.unit), "alarm"),
            number(measured(event.threshold, event.unit)),
            cell(event.action),
            cell(event.way_back),
        ]
        for event in reversed(feed.story.guards[-SHOWN_MAX:])
    ]
    headers = ("Time", "Guard", "Was", "Limit", "Action", "Way back")
    return card("Trips of this run", grid(headers, rows, empty="None."))


def _invariants(feed: RunFeed) -> Component:
    verdicts = sorted(feed.verdicts(), key=lambda verdict: (not verdict.breaks, verdict.number))
    rows = [
        [
            number(str(verdict.number)),
            cell(verdict.name, "id"),
            cell(_verdict(verdict)),
            cell([verdict.promise, *(html.Div(each, className="alarm") for each in verdict.breaks)]),
            cell(verdict.policy.replace("_", "-")),
        ]
        for verdict in verdicts
    ]
    hint = (
        "What must always hold. Holds: the log itself shows it, read to its end. Watched: the bot looks at it while it "
        "runs, and had it found it broken it would stand here."
    )
    return card("Invariants", grid(("", "Name", "Verdict", "Promise", "When broken"), rows, empty=""), hint=hint)


def _verdict(verdict: Verdict) -> Component:
    if verdict.breaks:
        return badge("BROKEN", "alarm")
    if verdict.said == HOLDS:
        return badge("holds", "up")
    if WATCHED & set(verdict.places):
        return badge("watched", "up")
    return badge("by tests" if verdict.places == (Place.TEST.value,) else "needs the venue", "soft")


# --- what it cost -----------------------------------------------------------------------------------------------------
def _costs(feed: RunFeed) -> Component:
    analysis: CostAnalysis = feed.story.costs
    if not analysis.intents:
        return card("What trading cost", html.P("Nothing was approved, so nothing was traded.", className="empty"))
    return html.Div([*(_cost_card(analysis, by) for by in COSTS), note(SIGNS)])


def _cost_card(analysis: CostAnalysis, by: tuple[str, ...]) -> Component:
    table = cost_table(analysis, by)
    return card(table.title, _table(table), *(note(each) for each in table.notes))


def _table(table: CostTable) -> Component:
    names = table.text_columns
    rows = [[cell(text, "strong") if at < names else number(text) for at, text in enumerate(row)] for row in table.rows]
    return grid(table.headers, rows, empty="")


# --- flags ------------------------------------------------------------------------------------------------------------
def _flags(feed: RunFeed) -> Component:
    rows = [
        [
            cell(row["flag"], "id"),
            cell(badge(row["value"], "up" if row["value"] == "true" else "soft")),
            cell(row["source"]),
            cell(row["since"][:19] or "start", "when"),
            cell(f"{row['who']}: {row['reason']}" if row["who"] else "-"),
        ]
        for row in feed.flags
    ]
    history = [
        html.Li([html.Span(iso(at_ns)[5:19], className="when"), html.Span(said)], className="line")
        for at_ns, said in list(feed.flag_lines)[::-1][:LINES_SHOWN]
    ]
    headers = ("Flag", "Value", "Says who", "Since", "Why")
    return card(
        "Flags and engine",
        grid(headers, rows, empty="The bot is not running; its history is below."),
        html.Ul(history, className="lines"),
    )


def _rollout(feed: RunFeed) -> Component:
    lines = list(feed.rollout_lines)[::-1][:LINES_SHOWN]
    found = [
        html.Li(
            [html.Span(iso(at_ns)[5:19], className="when"), html.Span([f"{kind} ", html.Code(_fields(event))])],
            className="line",
        )
        for at_ns, kind, event in lines
    ]
    state = [
        html.Div([html.Span(name.replace("_", " ")), html.Span(words_of(value))], className="answer-line")
        for name, value in feed.rollout.items()
    ]
    compared = [part for each in feed.shadow.compared() for part in _compared(each)]
    empty = html.P("No candidate engine looks on: gpt-trader run --shadow live|advanced.", className="empty")
    return card("Shadow and rollout", *compared, *state, html.Ul(found, className="lines") if found or state else empty)


def _compared(each: Compared) -> list[Component]:
    """What the candidate would have been, beside the engine that trades."""
    said = html.Ul([html.Li(sentence) for sentence in sentences(each)], className="story")
    return [html.P(verdict(each), className="strong"), said, _table(shadow_costs(each))]


def _fields(event: object) -> str:
    return msgspec.json.encode(event).decode()[:FIELDS_CHARACTERS_MAX]


def _age_of_data(feed: RunFeed) -> Component:
    picture = feed.picture
    if picture is None:
        return html.Div()
    rows = [
        [
            cell(line.symbol, "strong"),
            number("-" if line.mark is None else price(line.mark, line.tick)),
            number(
                "-" if line.mark_age_seconds is None else f"{line.mark_age_seconds:,.1f} s",
                "warn" if (line.mark_age_seconds or 0) > STALE_SECONDS else "",
            ),
            cell(line.paused or "open", "alarm" if line.paused else ""),
        ]
        for line in picture.symbols
    ]
    free = "" if picture.disk_free_bytes is None else f" {picture.disk_free_bytes / 1e9:,.1f} GB are free on the disk."
    hint = f"The account is {picture.account_age_seconds:,.1f} s old; {picture.events:,} events.{free}"
    return card("What it sees", grid(("Symbol", "Mark", "Age", "Entries"), rows, empty="Nothing."), hint=hint)


SECTIONS: Final[Mapping[str, Callable[[RunFeed], Component]]] = {
    "head": _head,
    "tiles": _tiles,
    "positions": _positions,
    "open-orders": _open_orders,
    "ended-orders": _ended_orders,
    "order-counts": _order_counts,
    "stops": _stops,
    "latest": _latest,
    "decisions": _decisions,
    "refusals": _refusals,
    "guards": _guards,
    "trips": _trips,
    "invariants": _invariants,
    "costs": _costs,
    "flags": _flags,
    "rollout": _rollout,
    "sight": _age_of_data,
}
"""Every part by its name."""
