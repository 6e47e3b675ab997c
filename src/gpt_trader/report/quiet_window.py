"""Why was there no trade? What a stretch of time has to say for one symbol, and the answer in the first sentence."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS, iso
from gpt_trader.core.events import (
    BootStarted,
    Event,
    GuardCleared,
    GuardTripped,
    ModeChanged,
    OrderFilled,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    RunEnded,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event, not the builtin
    TradingSignalGenerated,
)
from gpt_trader.core.values import ZERO, Mode
from gpt_trader.records.trace import Window
from gpt_trader.report.summary import meaning_of
from gpt_trader.report.telling import Story, exact, figure

__all__ = ["explain_window"]

SHOWN_MAX: Final = 40
"""Events told one by one; the counts before them are complete."""


def explain_window(window: Window) -> Story:
    """The answer, what held at the beginning, what was looked at, and what happened."""
    story = Story()
    story.section(f"{window.symbol} from {_time(window.since_ns)} to {_time(window.until_ns)}")
    for sentence in _answer(window):
        story.say(sentence)
    story.section("When it began")
    for sentence in _state(window):
        story.say(sentence)
    story.section("What was looked at")
    for sentence in _looked_at(window):
        story.say(sentence)
    happened = [line for event in window.events for line in _happened(event)]
    if happened:
        story.section("What happened")
        for line in happened[:SHOWN_MAX]:
            story.say(line)
        if len(happened) > SHOWN_MAX:
            story.say(f"and {len(happened) - SHOWN_MAX} more; ask for a shorter time.")
    return story


def _answer(window: Window) -> Iterator[str]:
    """From the most to the least telling reason; several may hold."""
    fills = window.of(OrderFilled)
    if fills:
        count = _many(len(fills), "fill").lower()
        yield f"There were trades: {count}. `gpt-trader explain` with the id of an intent tells of each."
    else:
        yield "No trade."
    if window.ended_ns < window.since_ns:
        yield f"The log ends before it, at {_time(window.ended_ns)}: the bot was not running."
        return
    yield from _reasons(window, traded=bool(fills))


def _reasons(window: Window, *, traded: bool) -> Iterator[str]:
    signals, refusals = window.of(TradingSignalGenerated), window.of(OrderRefused)
    sent = window.of(OrderSubmitted)
    bars, warm_until_ns = sum(each.bars for each in window.bars), _warm_until(window)
    if not bars:
        yield "No bar of this symbol closed in it, as far as the log tells: without bars a strategy is not asked."
    elif warm_until_ns >= window.until_ns:
        yield f"It was warm-up, until {_time(warm_until_ns)}: before that is over the strategy may want nothing."
    elif not signals:
        warm = f", {_time(warm_until_ns)} being the end of its warm-up" if warm_until_ns >= window.since_ns else ""
        yield f"The strategy looked at the bars that closed{warm}, and wanted nothing new at any of them."
    if refusals:
        counts: dict[str, int] = {}
        for refusal in refusals:
            counts[refusal.code] = counts.get(refusal.code, 0) + 1
        for code, count in sorted(counts.items(), key=lambda pair: -pair[1]):
            yield f"{count} {'order was' if count == 1 else 'orders were'} refused by {code}: {meaning_of(code)}"
    if signals and not refusals and not sent:
        yield f"{_many(len(signals), 'signal')} came, and no order followed: see below what was held already."
    if sent and not traded:
        yield f"{_many(len(sent), 'order')} went out, and the market did not come to the price."
    if window.before.mode is not Mode.NORMAL:
        yield f"The bot was in mode {window.before.mode.value} when it began: {window.before.mode_reason}."
    for change in window.of(ModeChanged):
        if change.mode is not Mode.NORMAL:
            yield f"From {_clock(change.at_ns)} on it was in mode {change.mode.value}: {change.reason}."


def _warm_until(window: Window) -> int:
    """When the last bar of the warm-up closed, from the hours that count bars; zero where there was none."""
    for each in reversed(window.bars):
        if each.history:
            pace = (each.last_close_ns - each.first_close_ns) // max(1, each.bars - 1)
            return each.first_close_ns + (each.history - 1) * pace
    return 0


def _state(window: Window) -> Iterator[str]:
    before, symbol = window.before, window.symbol
    held = before.positions.get(symbol, ZERO)
    yield f"Held: {exact(held)} {symbol.partition('-')[0]}." if held else "Nothing was held."
    yield f"Mode: {before.mode.value}{f' ({before.mode_reason})' if before.mode_reason else ''}."
    if before.pauses.get(symbol):
        yield f"Entries were paused: {before.pauses[symbol]}."
    last = before.last_signals.get(symbol)
    if last is None:
        yield "The strategy had wanted nothing yet."
    else:
        yield f"The last wish was {last.action} at {_time(last.at_ns)}{f': {last.reason}' if last.reason else ''}."
    if before.engine is not None:
        yield f"Engine: {before.engine.engine}, by {before.engine.reason}."


def _looked_at(window: Window) -> Iterator[str]:
    """What the strategy got to see; the log counts bars by the hour."""
    if not window.bars:
        yield "The log counts no bar in this time. Bars are counted once an hour, and at an orderly end."
        return
    first, last = window.bars[0], window.bars[-1]
    bars, history = sum(each.bars for each in window.bars), sum(each.history for each in window.bars)
    seconds = Decimal(last.last_close_ns - first.first_close_ns) / NS
    average = seconds / (bars - 1) if bars > 1 else None
    warm = f", {history} of them warm-up" if history else ""
    pace = "" if average is None else f", one every {figure(average)} s on average"
    yield (
        f"Counted by the hour, {last.strategy} got {bars} bars{warm}, which closed from {_time(first.first_close_ns)} "
        f"to {_time(last.last_close_ns)}{pace}; the last close was {exact(last.last_close)}."
    )


def _happened(event: Event) -> Iterator[str]:
    said = _said(event)
    if said:
        yield f"{_clock(event.at_ns)}  {said}"


def _said(event: Event) -> str:
    match event:
        case TradingSignalGenerated():
            return f"Wanted {event.action}{f': {event.reason}' if event.reason else ''} ({event.intent_id})."
        case OrderRefused():
            return f"Refused {event.side.value.lower()} {figure(event.quantity)}: {event.code} ({event.intent_id})."
        case OrderSubmitted():
            price = "" if event.limit_price is None else f" at {exact(event.limit_price)}"
            return f"Sent {event.side.value.lower()} {exact(event.quantity)}{price} ({event.intent_id})."
        case OrderFilled():
            return f"Traded {event.side.value.lower()} {exact(event.quantity)} at {exact(event.price)}."
        case OrderRejected():
            return f"The venue refused {event.client_order_id}: {event.code}."
        case GuardTripped():
            return (
                f"The guard {event.guard} tripped: {figure(event.value)} {event.unit}, threshold "
                f"{figure(event.threshold)}; it did: {event.action}; way back: {event.way_back}."
            )
        case GuardCleared():
            return f"The guard {event.guard} cleared: {event.reason}."
        case ModeChanged():
            return f"Mode {event.was.value} became {event.mode.value}: {event.reason}."
        case SymbolPaused():
            return f"Entries paused: {event.reason}." if event.reason else "Entries go on again."
        case SystemError():
            return f"Something failed ({event.source}): {event.message}; {event.action}."
        case BootStarted():
            return f"The bot started (boot {event.boot})."
        case RunEnded():
            return f"The bot stopped: {event.reason}."
        case _:
            return ""


def _many(count: int, noun: str) -> str:
    return f"One {noun}" if count == 1 else f"{count} {noun}s"


def _time(at_ns: int) -> str:
    return iso(at_ns).replace("Z", " UTC").replace(".000", "")


def _clock(at_ns: int) -> str:
    return iso(at_ns)[5:-1].removesuffix(".000")
