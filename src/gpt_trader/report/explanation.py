"""What became of an intent, as a person would tell it: wanted, checked, sent, answered, and what it cost.

Every number in the text is one of the log, or is computed here from such numbers; where the log has the result too,
both are compared (`Story.checks`), so that a sum that does not come out is said and not hidden.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gpt_trader.core.clock import NS, iso
from gpt_trader.core.errors import Refusal
from gpt_trader.core.events import (
    Event,
    OrderApproved,
    OrderCancelled,
    OrderCancelRequested,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderPlaced,
    OrderReconciled,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    PositionClosed,
    PositionOpened,
    ShadowDecided,
    ShadowPriced,
    StopEscalated,
    StopKept,
    StopPlanned,
    StopReleased,
    StopTriggered,
    TacticEnded,
    TacticProgressed,
    TacticStarted,
    TradingSignalGenerated,
)
from gpt_trader.core.order_rules import BPS
from gpt_trader.core.values import OPEN_OUTCOMES, ZERO, Purpose, Side
from gpt_trader.records.tca import CostAnalysis, IntentCost
from gpt_trader.records.trace import Around, IntentTrace
from gpt_trader.report.rule_sentences import tell_refusal, tell_rules
from gpt_trader.report.shadow_text import tell_decided, tell_priced
from gpt_trader.report.telling import Numbers, Story, as_number, bps, exact, figure, percent

__all__ = ["explain_intent", "story_object", "story_text"]

WIDTH: Final = 100
YEAR_NS: Final = 365 * 86_400 * NS
MOVES_SHOWN_MAX: Final = 3
BY_MODE: Final = frozenset(
    refusal.value for refusal in (Refusal.REDUCE_ONLY_MODE, Refusal.NOT_ALLOWED_BY_MODE, Refusal.KILL_SWITCH)
)
"""Refusals whose reason is the mode, and so whatever set it."""
SIDES: Final = {Side.BUY: "buy", Side.SELL: "sell"}
DONE: Final = {Side.BUY: "bought", Side.SELL: "sold"}


class Units(NamedTuple):
    """What quantities and amounts are told in."""

    base: str
    quote: str


def explain_intent(trace: IntentTrace) -> Story:
    """The whole story of one wish: its signal, then each order that was decided for it."""
    story = Story()
    costs = CostAnalysis()
    for event in trace.events:
        costs.take(event)
    signal = trace.signal
    story.section(f"Intent {trace.intent_id}")
    story.say(_summary(trace))
    if signal is not None:
        _tell_signal(story, trace, signal)
    if not trace.legs():
        _tell_nothing_decided(story, trace)
    for leg in trace.legs():
        _tell_leg(story, trace, leg, costs)
    return story


def story_text(story: Story) -> str:
    """For reading: a title for each section, one sentence a line."""
    blocks = []
    for title, sentences in story.sections:
        blocks.append("\n".join([title, *(_wrapped(sentence) for sentence in sentences)]))
    return "\n\n".join(blocks)


def _wrapped(sentence: str) -> str:
    """Within WIDTH columns; what goes on stands further in. Ids are never broken."""
    indent = "  " + " " * (len(sentence) - len(sentence.lstrip()))
    return textwrap.fill(
        sentence.strip(),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def story_object(story: Story) -> dict[str, Any]:
    """For machines: the sentences, and every sum with what the log says and what comes out again."""
    return {
        "sections": [{"title": title, "sentences": sentences} for title, sentences in story.sections],
        "sums": [
            {
                "what": check.what,
                "recorded": f"{check.recorded:f}",
                "recomputed": f"{check.recomputed:f}",
                "agrees": check.agrees,
            }
            for check in story.checks
        ],
    }


# --- the beginning ------------------------------------------------------------------------------------------------
def _summary(trace: IntentTrace) -> str:
    """The end first, in one sentence."""
    first = trace.events[0]
    parts = []
    for leg in trace.legs():
        events = trace.of(leg)
        refusal = next((event for event in events if isinstance(event, OrderRefused)), None)
        fills = [event for event in events if isinstance(event, OrderFilled)]
        if fills:
            quantity = sum((fill.quantity for fill in fills), ZERO)
            value = sum((fill.quantity * fill.price for fill in fills), ZERO)
            parts.append(f"{DONE[fills[0].side]} {exact(quantity)} at {figure(value / quantity)}")
        elif refusal is not None:
            parts.append(f"{refusal.code} refused to {SIDES[refusal.side]} {figure(refusal.quantity)}")
        elif any(isinstance(event, OrderSubmitted) for event in events):
            parts.append("sent an order that nothing was traded for")
    return f"{_time(first.at_ns)}, {_symbol(trace)}: {'; then '.join(parts) or 'no order followed'}."


def _symbol(trace: IntentTrace) -> str:
    known = (TradingSignalGenerated, OrderApproved, OrderRefused, OrderSubmitted, StopKept)
    return next((event.symbol for event in trace.events if isinstance(event, known)), "")


def _tell_signal(story: Story, trace: IntentTrace, signal: TradingSignalGenerated) -> None:
    story.section("What was wanted")
    article = {"LONG": "to be long", "SHORT": "to be short", "FLAT": "to hold nothing"}.get(
        signal.action, signal.action
    )
    why = f", because {_reason(signal.reason)}" if signal.reason else ""
    story.say(
        f"{_clock(signal.at_ns)}  The strategy {signal.strategy} wanted {article} in {signal.symbol}{why}. "
        f"It had seen the bar that closed at {_clock(signal.bar_close_ns)}."
    )
    if signal.inputs:
        shown = ", ".join(f"{_words(name)} {_value(value)}" for name, value in signal.inputs.items())
        story.say(f"What it looked at: {shown}.")
    _tell_trailing_stop(story, trace, signal)
    opinion = [
        f"{name} {text}" for name, text in (("strength", signal.strength), ("confluence", signal.confluence)) if text
    ]
    if opinion:
        story.say(f"Its opinion of the signal: {', '.join(opinion)}.")
    held = trace.around.positions.get(signal.symbol, ZERO)
    story.say(
        f"Held before: {exact(held)} {_units(trace.around, signal.symbol).base}. "
        f"The mark was {exact(signal.reference_price)}."
    )


def _reason(reason: str) -> str:
    return {"trailing_stop": "its trailing stop was reached"}.get(reason, reason)


def _tell_trailing_stop(story: Story, trace: IntentTrace, signal: TradingSignalGenerated) -> None:
    """The stop that a strategy trails by itself: how it moved, and the sum that fired it."""
    fired = next((event for event in trace.events if isinstance(event, StopTriggered) and not event.intent_id), None)
    if fired is None or signal.reason != "trailing_stop":
        return
    for kept in trace.stop_moves[-MOVES_SHOWN_MAX:]:
        share = as_number(trace.around.settings.get("strategy.trailing_stop_pct"))
        if share is None:
            continue
        sign = 1 if kept.side is Side.SELL else -1
        again = kept.anchor * (1 - sign * share)
        story.say(
            f"{_clock(kept.at_ns)}  Best close {exact(kept.anchor)}: the stop stood {percent(share)} from it, at "
            f"{exact(kept.trigger_price)}{story.sum_of('trailing stop', kept.trigger_price, again)}."
        )
    moves = len(trace.stop_moves)
    if moves > MOVES_SHOWN_MAX:
        story.say(f"(These are the last {MOVES_SHOWN_MAX} of {moves} moves of the stop.)")
    story.say(
        f"{_clock(fired.at_ns)}  The bar closed at {exact(fired.price)}, beyond the stop at "
        f"{exact(fired.trigger_price)}."
    )


def _tell_nothing_decided(story: Story, trace: IntentTrace) -> None:
    signal = trace.signal
    if signal is None:
        return
    held = trace.around.positions.get(signal.symbol, ZERO)
    story.section("What came of it")
    have = {"LONG": held > 0, "SHORT": held < 0, "FLAT": held == 0}.get(signal.action, False)
    if have:
        unit = _units(trace.around, signal.symbol)
        story.say(f"Nothing had to be done: the position was already {exact(held)} {unit.base}.")
    else:
        story.say("The log has no decision on it: the bot stopped, or was stopped, before it came to one.")


# --- one order of the intent --------------------------------------------------------------------------------------
def _tell_leg(story: Story, trace: IntentTrace, leg: str, costs: CostAnalysis) -> None:
    events = [event for event in trace.events if event.intent_id == leg or _stop_of(event) == leg]
    decision = next(event for event in events if isinstance(event, OrderApproved | OrderRefused))
    unit = _units(trace.around, decision.symbol)
    asked = decision.asked if isinstance(decision, OrderApproved) else decision.quantity
    kind = "close" if decision.purpose is Purpose.EXIT else "open"
    by = next((f" by its {word}" for word in ("stop", "target") if f":{word}:" in f"{leg}:"), "")
    story.section(f"To {kind}{by}: {SIDES[decision.side]} {figure(asked)} {unit.base}")
    _tell_asked(story, trace, decision, asked)
    story.section(f"What {decision.engine or 'the engine'} checked")
    _tell_decision(story, trace.around, decision)
    approved_then_refused = [event for event in events if isinstance(event, OrderRefused) and event is not decision]
    for refused in approved_then_refused:
        tell_refusal(story, refused, Numbers(refused.numbers, trace.around.settings))
    told = [line for event in events for line in _sentence(event, unit)]
    if told:
        story.section("What was sent, and what came back")
        for line in told:
            story.say(line)
    cost = costs.intents.get(("", leg))
    if cost is not None and cost.fills:
        _tell_cost(story, cost, events, unit)


def _stop_of(event: Event) -> str:
    """The intent whose position a stop protects; it has no intent id of its own."""
    if not isinstance(event, StopKept | StopTriggered | StopEscalated | StopReleased):
        return ""
    return event.stop_id.rpartition(":")[0]


def _tell_asked(story: Story, trace: IntentTrace, decision: OrderApproved | OrderRefused, asked: Decimal) -> None:
    """Where the quantity came from, when it follows from the share of equity that the signal asked for."""
    signal, unit = trace.signal, _units(trace.around, decision.symbol)
    if decision.purpose is Purpose.EXIT:
        held = asked if decision.side is Side.SELL else -asked
        story.say(f"It was to close all that was open: {exact(held)} {unit.base}.")
        return
    numbers = decision.risk if isinstance(decision, OrderApproved) else {**decision.before, **decision.numbers}
    equity, mark = as_number(numbers.get("equity")), as_number(numbers.get("mark"))
    share = signal.fraction if signal is not None else ZERO
    if not share:
        share = as_number(trace.around.settings.get("risk.default_position_size_pct")) or ZERO
    if equity is None or not mark or not share:
        story.say(f"Asked for: {figure(asked)} {unit.base}.")
        return
    again = equity * share / mark
    story.say(
        f"Asked for: {percent(share)} of equity as notional, {figure(share)} x {figure(equity)} / {exact(mark)} = "
        f"{figure(asked)} {unit.base}{story.sum_of('asked size', asked, again)}."
    )


def _tell_decision(story: Story, around: Around, decision: OrderApproved | OrderRefused) -> None:
    product = around.products.get(decision.symbol)
    if isinstance(decision, OrderApproved):
        numbers = Numbers({**decision.validation, **decision.risk}, around.settings)
        tell_rules(story, numbers, decision, product)
        story.say(f"Approved: {SIDES[decision.side]} {exact(decision.quantity)} by the tactic '{decision.tactic}'.")
        return
    numbers = Numbers({**decision.before, **decision.numbers}, around.settings)
    tell_rules(story, numbers, decision, product)
    tell_refusal(story, decision, numbers)
    if decision.code in BY_MODE and around.mode_reason:
        story.say(f"The bot was in mode {around.mode.value}: {around.mode_reason}.")


# --- what happened, event by event --------------------------------------------------------------------------------
def _sentence(event: Event, unit: Units) -> Iterator[str]:
    teller = _TELLERS.get(type(event))
    if teller is not None:
        yield f"{_clock(event.at_ns)}  {teller(event, unit)}"


def _submitted(event: OrderSubmitted, unit: Units) -> str:
    price = "at any price" if event.limit_price is None else f"at {exact(event.limit_price)} or better"
    trigger = "" if event.stop_price is None else f", once the market trades at {exact(event.stop_price)}"
    ways = [word for flag, word in ((event.post_only, "post-only"), (event.reduce_only, "reduce-only")) if flag]
    until = "" if event.expire_ns is None else f" until {_clock(event.expire_ns)}"
    quotes = f"; the market stood at {exact(event.bid)} / {exact(event.ask)}" if event.bid and event.ask else ""
    return (
        f"Sent as {event.client_order_id}: {SIDES[event.side]} {exact(event.quantity)} {unit.base} {price}{trigger}, "
        f"{event.order_type.value} {event.time_in_force.value}{until}{', ' if ways else ''}{', '.join(ways)}{quotes}."
    )


def _filled(event: OrderFilled, unit: Units) -> str:
    how = {"MAKER": "as maker (it waited and was hit)", "TAKER": "as taker"}[event.liquidity.value]
    cause = "" if event.cause == "OWN" else f", cause {event.cause}"
    so_far = "" if event.cumulative == event.quantity else f", {exact(event.cumulative)} so far"
    return (
        f"{DONE[event.side].capitalize()} {exact(event.quantity)} {unit.base} at {exact(event.price)} {how}, fee "
        f"{figure(event.fee)} {unit.quote}{so_far}{cause}."
    )


def _closed(event: PositionClosed, unit: Units) -> str:
    net = event.realised_pnl - event.fees + event.funding
    return (
        f"The position is closed. Over its life: price {figure(event.realised_pnl)}, less fees {figure(event.fees)}, "
        f"plus funding {figure(event.funding)} = {figure(net)} {unit.quote}."
    )


def _reconciled(event: OrderReconciled, unit: Units) -> str:
    average = "" if event.average_price is None else f" at {figure(event.average_price)} on average"
    slip = "" if event.slippage_bps is None else f", {bps(event.slippage_bps)} against the middle when decided"
    for_now = " for now" if event.outcome in OPEN_OUTCOMES else ""
    return f"The engine's answer{for_now}: {event.outcome}, {exact(event.filled)} {unit.base}{average}{slip}."


def _kept(event: StopKept, unit: Units) -> str:
    keeper = {"VENUE": "the venue keeps it", "LOCAL": "the bot keeps it", "STRATEGY": "the strategy keeps it"}
    return (
        f"Protection: {event.kind.lower().replace('_', ' ')} to {SIDES[event.side]} {exact(event.quantity)} "
        f"{unit.base} at {exact(event.trigger_price)}; {keeper.get(event.keeper, event.keeper)}"
        f"{f' ({event.reason})' if event.reason else ''}."
    )


def _planned(event: StopPlanned, _: Units) -> str:
    parts = []
    if event.stop_price is not None:
        parts.append(f"a stop at {exact(event.stop_price)}")
    if event.distance:
        parts.append(f"a stop that trails by {percent(event.distance)}")
    if event.target_price is not None:
        parts.append(f"a target at {exact(event.target_price)}")
    return f"Planned protection, once it fills: {' and '.join(parts)}."


def _plan(event: TacticStarted, unit: Units) -> str:
    plan = ", ".join(
        f"{_words(name.removesuffix('_ns'))} {_moment(int(value)) if name.endswith('_ns') else _value(value)}"
        for name, value in event.plan.items()
    )
    return f"The tactic {event.tactic} began with {exact(event.quantity)} {unit.base}{': ' if plan else ''}{plan}."


def _progressed(event: TacticProgressed, unit: Units) -> str:
    numbers = ", ".join(f"{_words(name)} {_value(value)}" for name, value in event.numbers.items())
    so_far = f", {exact(event.filled)} {unit.base} traded so far" if event.filled else ""
    return f"The tactic {event.tactic} took its step '{event.step}'{so_far}{': ' if numbers else ''}{numbers}."


_TELLERS: Final[Mapping[type[Event], Callable[[Any, Units], str]]] = {
    StopPlanned: _planned,
    TacticStarted: _plan,
    TacticProgressed: _progressed,
    TacticEnded: lambda e, unit: f"The tactic {e.tactic} ended with {exact(e.filled)} {unit.base} traded: {e.reason}.",
    OrderSubmitted: _submitted,
    OrderPlaced: lambda e, _: f"The venue took it, as {e.venue_order_id}.",
    OrderFilled: _filled,
    OrderCancelRequested: lambda e, _: f"Asked the venue to cancel {e.client_order_id}: {e.reason}.",
    OrderCancelled: lambda e, unit: (
        f"Cancelled{_by_reason(e.reason)}; {exact(e.filled)} {unit.base} of it had been traded."
    ),
    OrderExpired: lambda e, unit: f"Its time was over; {exact(e.filled)} {unit.base} of it had been traded.",
    OrderRejected: lambda e, _: f"The venue refused it: {e.code}{_by_reason(e.message)}.",
    OrderFailed: lambda e, _: f"It never reached the venue: {e.code}{_by_reason(e.message)}.",
    OrderOutcomeUnknown: lambda e, _: f"No answer: it may or may not have been placed{_by_reason(e.message)}.",
    PositionOpened: lambda e, unit: f"The position is open: {exact(e.quantity)} {unit.base} at {exact(e.entry_price)}.",
    PositionClosed: _closed,
    OrderReconciled: _reconciled,
    StopKept: _kept,
    StopTriggered: lambda e, _: f"The stop at {exact(e.trigger_price)} was reached: the price was {exact(e.price)}.",
    StopEscalated: lambda e, unit: (
        f"Still open: {exact(e.open_quantity)} {unit.base}; attempt {e.attempt} to get out: {e.reason}."
    ),
    StopReleased: lambda e, _: f"The stop is no longer needed: {e.reason}.",
    ShadowDecided: lambda e, _: tell_decided(e),
    ShadowPriced: lambda e, _: tell_priced(e),
}


def _by_reason(text: str) -> str:
    return f" ({text})" if text else ""


# --- what it cost -------------------------------------------------------------------------------------------------
def _tell_cost(story: Story, cost: IntentCost, events: list[Event], unit: Units) -> None:
    story.section("What it cost (above zero cost us)")
    notional = sum((fill.notional for fill in cost.fills), ZERO)
    parts = {
        "delay": sum((fill.delay for fill in cost.fills), ZERO),
        "spread": sum((fill.spread for fill in cost.fills), ZERO),
        "impact": sum((fill.impact for fill in cost.fills), ZERO),
        "fees": sum((fill.fees for fill in cost.fills), ZERO),
    }
    shortfall = sum((fill.shortfall for fill in cost.fills), ZERO)
    shown = ", ".join(f"{name} {figure(amount)}" for name, amount in parts.items())
    story.say(
        f"{'Its trigger was' if cost.waits_for_trigger else 'Decided at a middle of'} {exact(cost.arrival)}. "
        f"Against it "
        f"{exact(cost.filled)} {unit.base} cost "
        f"{figure(shortfall)} {unit.quote} ({bps(shortfall / notional * BPS)}): {shown}"
        f"{story.sum_of('shortfall', shortfall, sum(parts.values(), ZERO))}."
    )
    missed = cost.missed
    if missed is not None:
        left = cost.wanted - cost.filled
        story.say(
            f"Not traded: {exact(left)} {unit.base}; by its end the market had made that dearer by "
            f"{figure(missed)} {unit.quote}."
        )
    _tell_mark_outs(story, cost)
    reconciled = [event for event in events if isinstance(event, OrderReconciled) and event.slippage_bps is not None]
    for event in reconciled:
        if event.slippage_bps is not None and event.average_price is not None and cost.arrival:
            again = cost.side.sign * (event.average_price - cost.arrival) / cost.arrival * BPS
            story.sum_of("slippage", event.slippage_bps, again.quantize(Decimal("0.0001")))


def _tell_mark_outs(story: Story, cost: IntentCost) -> None:
    """Weighted over the fills: how the market moved afterwards, in our favour or against us."""
    seconds = sorted({each for fill in cost.fills for each in fill.mark_outs}, key=int)
    told = []
    for each in seconds:
        marked = [fill for fill in cost.fills if each in fill.mark_outs]
        amount = sum((fill.mark_outs[each] for fill in marked), ZERO)
        value = amount / sum((fill.notional for fill in marked), ZERO) * BPS
        told.append(f"{each} s later {bps(abs(value))} {_direction(value)}")
    if told:
        story.say(f"Afterwards the middle of the book, compared with our price: {', '.join(told)}.")


def _direction(value: Decimal) -> str:
    if value == 0:
        return "(no change)"
    return "for us" if value > 0 else "against us"


# --- words --------------------------------------------------------------------------------------------------------
def _units(around: Around, symbol: str) -> Units:
    """As the venue lists it; what was never listed is named after its symbol."""
    product = around.products.get(symbol)
    return Units(symbol.partition("-")[0], "") if product is None else Units(product.base, product.quote)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    number = as_number(value) if not isinstance(value, bool) else None
    return str(value) if number is None else exact(number) if len(exact(number)) <= 12 else figure(number)


def _moment(nanoseconds: int) -> str:
    """A time of day, or a span where it lies before there were computers."""
    if nanoseconds < YEAR_NS:
        return f"{figure(Decimal(nanoseconds) / NS)} s"
    return _clock(nanoseconds)


def _time(at_ns: int) -> str:
    return f"{iso(at_ns)[:-1].removesuffix('.000')} UTC"


def _clock(at_ns: int) -> str:
    """Time of day; whole seconds are told without their zeros."""
    return iso(at_ns)[11:-1].removesuffix(".000")
