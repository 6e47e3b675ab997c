"""Does one walk over a log give what the log says, to the last digit?"""

from __future__ import annotations

import pytest
from tests.builders import START_NS, D, a_fill, a_run_started, a_submitted

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import Event, FundingApplied, OrderRefused, TransferObserved
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import Purpose, Side
from gpt_trader.report.run_story import RunStory, tell_story


def story_of(*events: Event) -> RunStory:
    log = (a_run_started(cash=D(10_000)), *events)
    return tell_story(Recorded(number, 1, event, f"{number}") for number, event in enumerate(log, 1))


def a_refusal(code: str = "no_edge") -> OrderRefused:
    return OrderRefused(
        at_ns=START_NS,
        intent_id="s:BTC-PERP:1:long:open",
        strategy="s",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D(1),
        stage="risk",
        code=code,
        purpose=Purpose.ENTRY,
        engine="live",
    )


def test_the_parts_of_the_split_add_up_to_the_change_of_equity() -> None:
    """With an open position, funding, a transfer and a liquidation in it."""
    story = story_of(
        a_fill(trade_id="1", quantity=D(1), price=D(100), fee=D("0.3")),
        FundingApplied(
            at_ns=START_NS,
            symbol="BTC-PERP",
            funding_ns=START_NS,
            amount=D("-0.7"),
            rate=D("0.007"),
            position=D(1),
            price=D(100),
        ),
        a_fill(trade_id="2", side=Side.SELL, quantity=D("0.6"), price=D(70), fee=D("0.21"), cause="LIQUIDATION"),
        TransferObserved(at_ns=START_NS, amount=D(50), key="in"),
    )

    split = story.split({"BTC-PERP": D(80)})

    assert (split.price, split.fees, split.funding, split.transfers) == (D(-8), D("0.3"), D("-0.7"), D(50))
    assert (split.liquidation_price, split.liquidation_fees) == (D(-18), D("0.21"))
    assert D(10_000) + split.total == story.ledger.equity({"BTC-PERP": D(80)})


def test_a_fill_that_comes_again_is_told_once() -> None:
    """A venue may say a thing twice."""
    story = story_of(a_fill(), a_fill())

    assert len(story.fills) == 1
    assert story.ledger.position("BTC-PERP").quantity == D("0.1")


def test_a_fill_knows_its_order() -> None:
    """Type and tactic are those under which the order was submitted."""
    story = story_of(a_submitted(tactic="simple_limit"), a_fill())

    (line,) = story.fills
    assert (line.tactic, line.position) == ("simple_limit", D("0.1"))


def test_a_refusal_is_a_decision_without_a_quantity() -> None:
    """So that two runs can be compared by what they decided."""
    story = story_of(a_refusal())

    (decision,) = story.decisions.values()
    assert (decision.code, decision.quantity, decision.words) == ("no_edge", D(0), "refused: no_edge")
    assert [line.code for line in story.refusals] == ["no_edge"]


def test_a_log_without_a_beginning_is_no_run() -> None:
    """Nothing is made up for it."""
    with pytest.raises(StoreError, match="no RunStarted"):
        tell_story([Recorded(1, 1, a_refusal(), "1")])
