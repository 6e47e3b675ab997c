"""Is the story of an intent true? Every number that is printed is in the log, or is computed here from the log."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import D
from tests.house_under_test import House, a_config, a_house, steady_market

from gpt_trader.core.events import (
    Event,
    FillMarked,
    OrderApproved,
    OrderFilled,
    OrderRefused,
    OrderSubmitted,
    PositionClosed,
    StopKept,
    StopTriggered,
    TradingSignalGenerated,
)
from gpt_trader.core.values import ZERO, Liquidity, Mode, OrderType
from gpt_trader.market.memory import ArrayStream
from gpt_trader.records.trace import IntentTrace, TraceReader, resolve
from gpt_trader.report.explanation import explain_intent, story_object, story_text
from gpt_trader.report.telling import Story

BPS = D(10_000)
ADVANCED = {"enable_dynamic_position_sizing": True, "enable_market_impact_guard": True}
FALLING = [60_000] * 10 + [59_000] * 60
INTENT = "walk:BTC-PERP:1:long"


def a_wish(house: House, action: str = "LONG", **changes: Any) -> TradingSignalGenerated:
    now_ns = house.clock.now_ns()
    fields: dict[str, Any] = {
        "at_ns": now_ns,
        "intent_id": INTENT,
        "strategy": "walk",
        "symbol": "BTC-PERP",
        "action": action,
        "bar_close_ns": now_ns,
        "reason": "the tide came in",
        "inputs": {"tide": D("1.25"), "moon": "full"},
        "fraction": D("0.1"),
        "reference_price": house.adapter.market.mark("BTC-PERP").price,  # type: ignore[union-attr]
    }
    return TradingSignalGenerated(**fields | changes)


def told(folder: Path, market: ArrayStream, *, wish: Mapping[str, Any], seconds: float, **risk: Any) -> IntentTrace:
    """The trace of one wish that was acted upon, after some seconds, read from the stored log."""
    with a_house(folder, a_config(**risk), market) as house:

        async def scenario() -> None:
            await house.clock.sleep(2)
            signal = a_wish(house, **wish)
            house.bot.bus.publish(signal)
            await house.bot.on_trading_signal(signal)
            await house.clock.sleep(seconds)
            await house.bot.stop("enough")

        house.run(scenario)
        events = [recorded.event for recorded in house.store.read()]
    reader = TraceReader(resolve(events, INTENT))
    for event in events:
        reader.take(event)
    return reader.trace()


def filled(folder: Path) -> IntentTrace:
    return told(folder, steady_market([60_000] * 90), wish={}, seconds=65, **ADVANCED)


def filled_by_live(folder: Path) -> IntentTrace:
    return told(folder, steady_market([60_000] * 90), wish={}, seconds=65)


def walked_deep(folder: Path) -> IntentTrace:
    """A wish of 1.66 takes one level of one unit and part of the next."""
    return told(folder, steady_market([60_000] * 90), wish={"fraction": D(1)}, seconds=65, **ADVANCED)


def resized(folder: Path) -> IntentTrace:
    return told(folder, steady_market([60_000] * 90), wish={}, seconds=65, **ADVANCED, max_notional_per_order=3000)


def refused(folder: Path) -> IntentTrace:
    return told(folder, steady_market([60_000] * 90), wish={}, seconds=5, slippage_guard_bps=D("0.5"))


def too_small(folder: Path) -> IntentTrace:
    return told(folder, steady_market([60_000] * 90), wish={"fraction": D("0.001")}, seconds=5, **ADVANCED)


def stopped_out(folder: Path) -> IntentTrace:
    return told(folder, steady_market(FALLING), wish={"protective_stop": D(59_400)}, seconds=65, **ADVANCED)


STORIES: dict[str, Callable[[Path], IntentTrace]] = {
    story.__name__: story for story in (filled, filled_by_live, walked_deep, resized, refused, too_small, stopped_out)
}
each_story = pytest.mark.parametrize("story", STORIES)

Get = Callable[[str], IntentTrace]


@pytest.fixture(scope="module")
def get(tmp_path_factory: pytest.TempPathFactory) -> Get:
    """The trace of a story, lived once for all tests of this file."""

    @functools.cache
    def lived(story: str) -> IntentTrace:
        return STORIES[story](tmp_path_factory.mktemp(story))

    return lived


# --- every number -------------------------------------------------------------------------------------------------
def numbers_in(value: Any) -> Iterator[Decimal]:
    """All numbers of an event, however deep; those inside text of levels and settings too."""
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        yield Decimal(value)
    elif isinstance(value, str):
        yield from (Decimal(text) for text in re.findall(r"(?<![\w.-])-?\d+(?:\.\d+)?(?:E[+-]?\d+)?(?![\w.-])", value))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from numbers_in(each)


def stored(trace: IntentTrace) -> set[Decimal]:
    """Every number of the events of the story, of the settings, and of the product."""
    around = trace.around
    sources: list[Any] = [msgspec.structs.asdict(event) for event in trace.events]
    sources += [around.settings, *(msgspec.structs.asdict(product) for product in around.products.values())]
    sources += [around.positions]
    return {number for source in sources for number in numbers_in(source)}


def computed(trace: IntentTrace) -> Iterator[Decimal]:
    """What may be printed beside stored numbers, worked out here from stored numbers alone."""
    settings = {name: Decimal(text) for name, text in trace.around.settings.items() if _is_number(text)}
    for event in trace.events:
        if isinstance(event, OrderApproved | OrderRefused):
            yield from decided(trace, event, settings)
        if isinstance(event, PositionClosed):
            yield event.realised_pnl - event.fees + event.funding
    for leg in trace.legs():
        yield from cost_of(trace.of(leg))


def _is_number(text: Any) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?(E[+-]?\d+)?", str(text)) is not None


def decided(
    trace: IntentTrace, event: OrderApproved | OrderRefused, settings: Mapping[str, Decimal]
) -> Iterator[Decimal]:
    given = (
        {**event.validation, **event.risk} if isinstance(event, OrderApproved) else {**event.before, **event.numbers}
    )
    used = {name: Decimal(text) for name, text in given.items() if _is_number(text)}
    lot = trace.around.products[event.symbol].lot
    for name in ("asked_quantity", "sizing_target"):
        if name in used:
            yield used[name] // lot * lot
    if "volatility_scale" in used:
        yield used["sizing_asked"] * used["volatility_scale"]
    if "mark" in used:
        fee = trace.around.products[event.symbol].taker_fee_rate
        for rate in (D(0), used.get("initial_margin_rate", ZERO), used.get("maintenance_margin_rate", ZERO)):
            yield used["mark"] * rate
        yield used["mark"] * (used.get("initial_margin_rate", ZERO) + fee)
    yield D(365)
    yield D(sum(1 for name in given if name.endswith("_room") and name != "impact_room"))


def cost_of(events: list[Event]) -> Iterator[Decimal]:
    """Shortfall and its parts of taken fills, from fills, orders and marks."""
    orders = {event.client_order_id: event for event in events if isinstance(event, OrderSubmitted)}
    fills = [event for event in events if isinstance(event, OrderFilled)]
    marks = {event.trade_id: event.mids for event in events if isinstance(event, FillMarked)}
    if not fills:
        return
    quantity = sum((fill.quantity for fill in fills), ZERO)
    yield quantity
    yield sum((fill.quantity * fill.price for fill in fills), ZERO) / quantity
    sums = dict.fromkeys(("delay", "spread", "impact", "fees", "notional"), ZERO)
    after: dict[str, Decimal] = {}
    for fill in fills:
        assert fill.liquidity is Liquidity.TAKER
        order = orders[fill.client_order_id]
        stop = order.order_type is OrderType.STOP_LIMIT
        arrival = order.stop_price if stop and order.stop_price else order.arrival_mid
        mid, half = (arrival, ZERO) if stop else ((order.bid + order.ask) / 2, (order.ask - order.bid) / 2)
        sums["delay"] += fill.side.sign * (mid - arrival) * fill.quantity
        sums["spread"] += half * fill.quantity
        sums["impact"] += (fill.side.sign * (fill.price - mid) - half) * fill.quantity
        sums["fees"] += fill.fee
        sums["notional"] += arrival * fill.quantity
        for seconds, later in marks.get(fill.trade_id, {}).items():
            after[seconds] = after.get(seconds, ZERO) + fill.side.sign * (later - fill.price) * fill.quantity
            yield D(seconds)
    total = sums["delay"] + sums["spread"] + sums["impact"] + sums["fees"]
    yield from (*sums.values(), total, total / sums["notional"] * BPS)
    for amount in after.values():
        yield abs(amount / sums["notional"] * BPS)


def printed(text: str) -> list[str]:
    """Numbers of the text as they stand, without names, ids and times of day."""
    text = re.sub(r"gt-[\w-]+|walk:\S+|paper-\d+|\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d(\.\d+)?", " ", text)
    return re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?%?", text)


def is_told_truly(shown: str, known: set[Decimal]) -> bool:
    """Is it a known number, rounded to the digits that are shown? A percentage is a hundred times its share."""
    text = shown.replace(",", "")
    scale = D(100) if text.endswith("%") else D(1)
    value = Decimal(text.rstrip("%"))
    unit = Decimal(1).scaleb(int(value.as_tuple().exponent))
    with localcontext(Context(prec=80)):
        return any((number * scale).quantize(unit) == value for number in known)


@each_story
def test_every_number_is_of_the_log_or_follows_from_it(story: str, get: Get) -> None:
    """No number comes from nowhere: stored, or worked out by this test from what is stored."""
    trace = get(story)
    known = stored(trace) | set(computed(trace))
    text = story_text(explain_intent(trace))
    assert len(printed(text)) > 10
    strange = [shown for shown in printed(text) if not is_told_truly(shown, known)]
    assert not strange, text


@each_story
def test_every_sum_comes_out(story: str, get: Get) -> None:
    """What the log has as a result is what its inputs in the log give."""
    told_story = explain_intent(get(story))
    assert [check for check in told_story.checks if not check.agrees] == []
    assert "does not follow" not in story_text(told_story)


@each_story
def test_nothing_that_was_written_down_is_kept_back(story: str, get: Get) -> None:
    """Each number of a decision has its sentence; what has none would stand under "Also written down"."""
    assert "Also written down" not in story_text(explain_intent(get(story)))


def test_the_results_follow_from_their_inputs(get: Get) -> None:
    """The same sums by hand: asked size, limits, final size, impact of two levels."""
    trace = get("walked_deep")
    (approved,) = [event for event in trace.events if isinstance(event, OrderApproved)]
    risk = {name: Decimal(text) for name, text in approved.risk.items() if _is_number(text)}
    assert approved.asked == risk["equity"] * D(1) / risk["mark"]
    assert approved.quantity == D("1.66")
    assert risk["order_size_cap_room"] == risk["equity"] * 5 / risk["mark"]
    room = risk["equity"] / (risk["mark"] * risk["initial_margin_rate"])
    assert abs(risk["margin_total_room"] - room) < D("1e-20")  # rooms are rounded down
    walk = (1 * D(60_005) + D("0.66") * 60_010) / D("1.66")
    assert abs(risk["final_impact_bps"] - (walk / 60_000 - 1) * BPS) < D("1e-20")
    assert approved.risk["levels_taken"] == "60005 x 1.00, 60010 x 0.66"


def test_a_wrong_sum_is_said(tmp_path: Path) -> None:
    """A log whose result does not follow from its inputs is not smoothed over."""
    trace = filled(tmp_path)
    for number, event in enumerate(trace.events):
        if isinstance(event, OrderApproved):
            trace.events[number] = msgspec.structs.replace(event, asked=event.asked * 2)
    assert "this does not follow from these numbers" in story_text(explain_intent(trace))


# --- read aloud ---------------------------------------------------------------------------------------------------
def flat(story: Story) -> str:
    return " ".join(story_text(story).split())


def test_a_filled_intent_is_told_in_order(get: Get) -> None:
    """Wanted, checked, sent, answered, cost; the end stands in the first sentence."""
    story = explain_intent(get("filled"))
    assert [title for title, _ in story.sections] == [
        f"Intent {INTENT}",
        "What was wanted",
        "To open: buy 0.16667 BTC",
        "What AdvancedExecutionEngine checked",
        "What was sent, and what came back",
        "What it cost (above zero cost us)",
    ]
    text = flat(story)
    for sentence in (
        "BTC-PERP: bought 0.16 at 60,005.",
        "wanted to be long in BTC-PERP, because the tide came in.",
        "What it looked at: tide 1.25, moon full.",
        "Asked for: 10% of equity as notional, 0.1 x 100,000 / 60,000 = 0.16667 BTC.",
        "The size is 0.16 BTC, in whole lots of 0.01.",
        "Bought 0.16 BTC at 60,005 as taker, fee 9.6008 USD.",
        "spread 0.8, impact 0, fees 9.6008.",
    ):
        assert sentence in text, text


def test_a_resized_intent_names_the_limit(get: Get) -> None:
    """Which limit cut it, by which sum, and to what."""
    text = flat(explain_intent(get("resized")))
    assert "the order notional cap: 3,000, at 60,000 for each BTC, leaves room for 0.05 BTC" in text
    assert "So 0.16 BTC was cut to 0.05 BTC by the order notional cap." in text


def test_a_refused_intent_says_by_which_number(get: Get) -> None:
    """The code, its meaning, and the number that was too large beside the one that was allowed."""
    text = flat(explain_intent(get("refused")))
    assert "Refused by slippage_guard (validation): The expected slippage exceeds the guard." in text
    assert "Expected were 0.83 bps" in text
    assert "allowed are 0.5 bps." in text


def test_an_intent_that_is_too_small_says_what_it_would_need(get: Get) -> None:
    """0.1 % of 100,000 is less than one contract of 0.01 BTC; the equity that would do is named."""
    text = flat(explain_intent(get("too_small")))
    assert "Refused by below_one_contract" in text
    assert "the smallest order here is 0.01." in text
    assert "With equity of 600,000 it would fit; there is 100,000." in text


def test_a_refusal_by_the_mode_says_who_set_it(tmp_path: Path) -> None:
    """The mode is only the messenger: the guard, operator or setting behind it is the reason."""
    trace = told(tmp_path, steady_market([60_000] * 9), wish={}, seconds=5, reduce_only_mode=True)
    trace.around.mode, trace.around.mode_reason = Mode.REDUCE_ONLY, "daily_loss 100.57 USD"
    text = flat(explain_intent(trace))
    assert "Refused by reduce_only_mode" in text
    assert "The bot was in mode REDUCE_ONLY: daily_loss 100.57 USD." in text


def test_a_stopped_out_intent_tells_how_it_ended(get: Get) -> None:
    """The plan, who keeps the stop, that it was reached, the exit, and what the position came to."""
    trace = get("stopped_out")
    text = flat(explain_intent(trace))
    assert "Planned protection, once it fills: a stop at 59,400." in text
    assert "Protection: stop to sell 0.16 BTC at 59,400; the venue keeps it." in text
    assert "The stop at 59,400 was reached" in text
    assert "To close by its stop: sell 0.16 BTC" in text
    assert "The position is closed." in text
    assert any(isinstance(event, StopTriggered) for event in trace.events)
    assert any(isinstance(event, StopKept) for event in trace.events)


def test_a_wish_that_is_fulfilled_already_says_so(tmp_path: Path) -> None:
    """Long is wanted and held: nothing to do, and the reader need not guess."""
    with a_house(tmp_path) as house:

        async def scenario() -> None:
            for number in (1, 2):
                signal = a_wish(house, intent_id=f"walk:BTC-PERP:{number}:long")
                house.bot.bus.publish(signal)
                await house.bot.on_trading_signal(signal)
                await house.clock.sleep(1)

        house.run(scenario)
        events = [recorded.event for recorded in house.store.read()]
    reader = TraceReader("walk:BTC-PERP:2:long")
    for event in events:
        reader.take(event)
    text = flat(explain_intent(reader.trace()))
    assert "no order followed" in text
    assert "Nothing had to be done: the position was already 0.16 BTC." in text


def test_json_has_every_sum(get: Get) -> None:
    """For machines: what the log says, what comes out again, and whether it agrees."""
    found = story_object(explain_intent(get("filled")))
    sums = {each["what"]: each for each in found["sums"]}
    assert sums["asked size"]["recorded"] == sums["asked size"]["recomputed"]
    assert all(each["agrees"] for each in found["sums"])
    assert found["sections"][0]["title"] == f"Intent {INTENT}"
