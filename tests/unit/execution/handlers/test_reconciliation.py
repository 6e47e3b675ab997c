"""What should be immediate is proven, and what costs too much is told once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, Recorder, a_fill, an_order
from tests.house_under_test import House, a_config, a_house, steady_market

from gpt_trader.core.clock import NS
from gpt_trader.core.events import OrderReconciled, SlippageExceeded
from gpt_trader.core.values import OPEN_OUTCOMES, ExecutionReport, OrderRequest, OrderType, Side, TimeInForce
from gpt_trader.execution.handlers.reconciliation import SlippageWatch


@pytest.fixture
def recorder(tmp_path: Path) -> Any:
    opened = Recorder(tmp_path)
    yield opened
    opened.close()


def told(recorder: Recorder) -> list[SlippageExceeded]:
    return [event for event in recorder.events if isinstance(event, SlippageExceeded)]


def fills(recorder: Recorder, *prices: int, side: Side = Side.BUY, **changes: Any) -> None:
    """Trades of 0.1 of one intent, whose arrival mid was 60 000."""
    SlippageWatch(recorder.bus, recorder.clock, Decimal("0.01"))
    for number, price in enumerate(prices):
        recorder.bus.publish(a_fill(trade_id=str(number), price=D(price), side=side, **changes))


def test_what_costs_more_than_the_limit_is_told_with_its_arithmetic(recorder: Recorder) -> None:
    """60 660 against 60 000 is 110 bps; the limit of 1 % is 100."""
    fills(recorder, 60_660)
    (event,) = told(recorder)
    assert (event.slippage_bps, event.limit_bps) == (D(110), D(100))
    assert (event.average_price, event.arrival_mid, event.filled) == (D(60_660), D(60_000), D("0.1"))


def test_the_average_of_the_intent_counts_and_is_told_once(recorder: Recorder) -> None:
    """60 000 then 61 500 is 125 bps on average; the third trade adds nothing new."""
    fills(recorder, 60_000, 61_500, 61_500)
    (event,) = told(recorder)
    assert event.slippage_bps == D(125)


def test_a_sale_below_the_arrival_price_costs_too(recorder: Recorder) -> None:
    """The sign is that of the side; a better price is no slippage."""
    fills(recorder, 59_000, side=Side.SELL)
    assert [event.slippage_bps for event in told(recorder)] == [D("166.6667")]


@pytest.mark.parametrize(
    "changes", [{"side": Side.SELL}, {"cause": "LIQUIDATION"}, {"arrival_mid": D(0)}], ids=["gain", "venue", "unknown"]
)
def test_what_is_no_cost_of_ours_is_not_told(recorder: Recorder, changes: dict[str, Any]) -> None:
    """A gain, a trade the venue made itself, and one whose arrival price nobody knows."""
    fills(recorder, 61_000, **changes)
    assert told(recorder) == []


def request(house: House, **changes: Any) -> OrderRequest:
    now_ns = house.clock.now_ns()
    return an_order(created_ns=now_ns, valid_until_ns=now_ns + 60 * NS, **changes)


def place(house: House, *, wait_seconds: float = 0, **changes: Any) -> ExecutionReport:
    async def scenario() -> ExecutionReport:
        report = await house.bot.engine.place_order(request(house, **changes))
        await house.clock.sleep(wait_seconds)
        return report

    report: ExecutionReport = house.run(scenario)
    return report


GTC: dict[str, Any] = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC}
IOC: dict[str, Any] = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.IOC}


def test_an_immediate_order_is_proven_before_the_answer(tmp_path: Path) -> None:
    """An IOC with a price of its own: FILLED, not RESTING, although the trade came after the acknowledgement."""
    with a_house(tmp_path) as house:
        report = place(house, **IOC, limit_price=D(60_010))
        assert (report.outcome, report.filled) == ("FILLED", D("0.1"))


def test_an_immediate_order_that_found_nothing_has_expired(tmp_path: Path) -> None:
    """Below the best ask nothing is to be had; that is an end, not a rest."""
    with a_house(tmp_path) as house:
        assert place(house, **IOC, limit_price=D(59_990)).outcome == "EXPIRED"


def test_what_cannot_be_proven_is_unknown(tmp_path: Path) -> None:
    """The request is lost and never answered: nobody says RESTING of an order that should have been immediate."""
    with a_house(tmp_path, a_config(), steady_market([60_000] * 120), wire=("request lost",) * 4) as house:
        assert place(house).outcome == "UNKNOWN"


# --- the last answer ----------------------------------------------------------------------------------------------
def outcomes(house: House) -> list[str]:
    return [event.outcome for event in house.of(OrderReconciled)]


def test_a_resting_order_gets_its_last_answer_when_it_ends(tmp_path: Path) -> None:
    """First RESTING, then what came of it, with the price of its trades."""
    with a_house(tmp_path, market=steady_market([60_000] * 5 + [59_900] * 30)) as house:
        place(house, limit_price=D(59_950), wait_seconds=10, **GTC)
        assert outcomes(house) == ["RESTING", "FILLED"]
        last = house.of(OrderReconciled)[-1]
        assert (last.filled, last.average_price) == (D("0.1"), D(59_950))
        assert last.slippage_bps == D("-8.3333")  # 50 of 60 000 better
        house.check_invariants()


def test_a_cancelled_order_that_rested_is_answered_too(tmp_path: Path) -> None:
    """Nothing was traded, and nothing can be any more."""
    with a_house(tmp_path) as house:

        async def scenario() -> None:
            await house.bot.engine.place_order(request(house, limit_price=D(59_000), **GTC))
            assert outcomes(house) == ["RESTING"]
            await house.bot.submitter.cancel_entries("a drill")

        house.run(scenario)
        assert outcomes(house) == ["RESTING", "CANCELLED"]


@pytest.mark.parametrize(
    ("wire", "last"), [(["request lost"] * 4, "FAILED"), (["reply lost"] * 4, "FILLED")], ids=["lost", "placed"]
)
def test_an_unknown_outcome_gets_its_last_answer_when_it_is_known(tmp_path: Path, wire: list[str], last: str) -> None:
    """Unseen for long enough, or seen after all."""
    with a_house(tmp_path, market=steady_market([60_000] * 400), wire=wire) as house:

        async def scenario() -> None:
            await house.bot.engine.place_order(request(house))
            await house.clock.sleep(350)

        house.run(scenario)
        assert outcomes(house)[-1] == last
        assert set(outcomes(house)[:-1]) <= OPEN_OUTCOMES
        house.check_invariants()
