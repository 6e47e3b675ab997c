"""What belongs to one intent?"""

from __future__ import annotations

import pytest
from tests.builders import START_NS, D, a_fill, a_run_started, a_submitted

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import OrderPlaced, StopKept, StopTriggered, TradingSignalGenerated
from gpt_trader.core.values import Side
from gpt_trader.records.trace import IntentTrace, TraceReader, latest_intents, resolve, root_of

ROOT = "ma:BTC-PERP:17:long"


def a_signal(**changes: object) -> TradingSignalGenerated:
    fields: dict[str, object] = {
        "at_ns": START_NS,
        "intent_id": ROOT,
        "strategy": "ma",
        "symbol": "BTC-PERP",
        "action": "LONG",
        "bar_close_ns": START_NS,
    }
    return TradingSignalGenerated(**fields | changes)  # type: ignore[arg-type]


def trace_of(intent: str, *events: object) -> IntentTrace:
    reader = TraceReader(intent)
    for event in events:
        reader.take(event)  # type: ignore[arg-type]
    return reader.trace()


@pytest.mark.parametrize("child", ["", ":open", ":close", ":open:stop:1", ":open:stop", ":open:target:12", ":close:x"])
def test_the_root_of_a_family(child: str) -> None:
    """Orders, stops and their exits are named after the wish they serve; other endings are other wishes."""
    assert root_of(ROOT + child) == (ROOT if child != ":close:x" else f"{ROOT}:close:x")


@pytest.mark.parametrize("reference", [f"{ROOT}:open", "gt-1", "paper-9"])
def test_an_order_leads_to_its_intent(reference: str) -> None:
    """By intent id, by our name of the order, or by the venue's."""
    events = [
        a_signal(),
        a_submitted(intent_id=f"{ROOT}:open", client_order_id="gt-1"),
        OrderPlaced(at_ns=START_NS, intent_id=f"{ROOT}:open", client_order_id="gt-1", venue_order_id="paper-9"),
    ]
    assert resolve(events, reference) == f"{ROOT}:open"


def test_a_part_of_an_id_is_enough_where_only_one_has_it() -> None:
    """The number of the bar, say."""
    assert resolve([a_signal(), a_signal(intent_id="ma:BTC-PERP:18:flat")], ":18:") == "ma:BTC-PERP:18:flat"


@pytest.mark.parametrize(("reference", "said"), [("BTC", "2, the last"), ("nonsense", "2, the last")])
def test_what_is_not_one_intent_is_bad_input(reference: str, said: str) -> None:
    """None, or several: the last ones are named."""
    with pytest.raises(ConfigError, match=said):
        resolve([a_signal(), a_signal(intent_id="ma:BTC-PERP:18:flat")], reference)


def test_an_empty_run_points_elsewhere() -> None:
    """Nothing was ever wanted: the question is then why."""
    with pytest.raises(ConfigError, match="--since"):
        resolve([a_run_started()], "x")


def test_the_family_is_kept_and_others_are_not() -> None:
    """Signal, orders and stops of one wish; what stood around it is as it was before."""
    stop = StopKept(
        at_ns=START_NS, symbol="BTC-PERP", stop_id=f"{ROOT}:open:stop", side=Side.SELL, trigger_price=D(59_000)
    )
    events = [
        a_run_started(),
        a_submitted(intent_id="ma:BTC-PERP:16:long:open", client_order_id="gt-0"),
        a_fill(intent_id="ma:BTC-PERP:16:long:open", client_order_id="gt-0"),
        a_signal(),
        a_submitted(intent_id=f"{ROOT}:open"),
        a_fill(intent_id=f"{ROOT}:open", trade_id="t2"),
        stop,
        a_fill(intent_id=f"{ROOT}:open:stop:1", side=Side.SELL, trade_id="t3"),
    ]
    trace = trace_of(ROOT, *events)
    assert [type(event).__name__ for event in trace.events] == [
        "TradingSignalGenerated",
        "OrderSubmitted",
        "OrderFilled",
        "StopKept",
        "OrderFilled",
    ]
    assert trace.around.positions == {"BTC-PERP": D("0.1")}


def test_the_moves_of_a_strategys_stop_belong_to_its_exit() -> None:
    """A trailing stop has no intent of its own; the signal at the moment it fired is its exit."""
    kept = [
        StopKept(
            at_ns=START_NS + number,
            symbol="BTC-PERP",
            stop_id="ma:BTC-PERP:trailing",
            side=Side.SELL,
            trigger_price=D(59_000 + number),
        )
        for number in range(3)
    ]
    fired = StopTriggered(
        at_ns=START_NS + 9, symbol="BTC-PERP", stop_id="ma:BTC-PERP:trailing", trigger_price=D(59_002), price=D(58_990)
    )
    trace = trace_of(ROOT, *kept, a_signal(at_ns=START_NS + 9, action="FLAT"), fired)
    assert trace.stop_moves == kept
    assert trace.events[-1] == fired


def test_the_latest_intents_say_what_became_of_them() -> None:
    """The newest at the end, each in a few words."""
    events = [a_signal(), a_submitted(intent_id=f"{ROOT}:open"), a_fill(intent_id=f"{ROOT}:open")]
    assert latest_intents([*events, a_signal(intent_id="b")], 5) == [(ROOT, "buy 0.1 at 60000"), ("b", "signal")]
    assert latest_intents([*events, a_signal(intent_id="b")], 1) == [("b", "signal")]
