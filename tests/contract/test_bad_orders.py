"""Bad orders, one by one, over both engines: each is refused with its stable code before anything is written or sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.builders import D, an_order
from tests.house_under_test import House, a_config, a_house

from gpt_trader.core.clock import NS
from gpt_trader.core.events import OrderRefused, OrderSubmitted, StopPlanned
from gpt_trader.core.values import ExecutionReport, OrderType, Side, TimeInForce

ENGINES = {"live": {}, "advanced": {"enable_market_impact_guard": True, "max_market_impact_bps": 100}}
LIMIT = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC}
STOP = {"order_type": OrderType.STOP_LIMIT, "time_in_force": TimeInForce.GTC}
SELL = {"side": Side.SELL}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    # quantities
    "zero": ({"quantity": D(0)}, "invalid_quantity"),
    "negative": ({"quantity": D("-0.1")}, "invalid_quantity"),
    "not a number": ({"quantity": D("NaN")}, "invalid_quantity"),
    "infinite": ({"quantity": D("Infinity")}, "invalid_quantity"),
    "dust": ({"quantity": D("0.009")}, "below_one_contract"),
    # prices
    "no limit price": ({**LIMIT}, "invalid_price"),
    "limit zero": ({**LIMIT, "limit_price": D(0)}, "invalid_price"),
    "limit not a number": ({**LIMIT, "limit_price": D("NaN")}, "invalid_price"),
    "limit below the band": ({**LIMIT, "limit_price": D(53_995)}, "outside_price_band"),
    "limit above the band": ({**LIMIT, "limit_price": D(66_005)}, "outside_price_band"),
    # reduce-only
    "nothing to reduce": ({**SELL, "reduce_only": True}, "nothing_to_reduce"),
    # times in force
    "GTD without an end": ({**LIMIT, "limit_price": D(59_000), "time_in_force": TimeInForce.GTD}, "invalid_expiry"),
    "an end that is not GTD": ({**LIMIT, "limit_price": D(59_000), "expire_ns": 2**62}, "invalid_expiry"),
    "immediate stop": (
        {**STOP, "stop_price": D(60_100), "limit_price": D(60_200), "time_in_force": TimeInForce.FOK},
        "unsupported_tif",
    ),
    "post-only and immediate": ({"post_only": True}, "post_only_with_immediate"),
    # stops and targets
    "stop order without a stop": ({**STOP, "limit_price": D(60_200)}, "invalid_stop"),
    "buy stop below the market": ({**STOP, "stop_price": D(59_900), "limit_price": D(60_000)}, "invalid_stop"),
    "sell stop above the market": (
        {**STOP, **SELL, "stop_price": D(60_100), "limit_price": D(60_000)},
        "invalid_stop",
    ),
    "protective stop above a long": ({"protective_stop": D(60_100)}, "invalid_stop"),
    "protective stop below a short": ({**SELL, "protective_stop": D(59_900)}, "invalid_stop"),
    "protective stop inside the spread": ({"protective_stop": D(59_998)}, "invalid_stop"),
    "protective stop not a number": ({"protective_stop": D("NaN")}, "invalid_stop"),
    "stop too far": ({"protective_stop": D(58_000)}, "stop_too_far"),
    "target below a long": ({"target_price": D(59_900)}, "invalid_target"),
    "target inside the spread": ({"target_price": D(60_002)}, "invalid_target"),
    "target at the ask": ({"target_price": D(60_005)}, "invalid_target"),
    "target above a short": ({**SELL, "target_price": D(60_100)}, "invalid_target"),
    "too little reward": ({"protective_stop": D(59_400), "target_price": D(60_600)}, "reward_too_small"),
    "trail of everything": ({"trailing_stop": D(1)}, "invalid_trail"),
    "trail of nothing": ({"trailing_stop": D(0)}, "invalid_trail"),
    # signals
    "weak signal": ({"strength": 0.1}, "weak_signal"),
    "low confluence": ({"confluence": 2.9}, "low_confluence"),
    # where and when
    "unknown symbol": ({"symbol": "DOGE-PERP"}, "unknown_symbol"),
    "unknown exchange": ({"exchange": "binance"}, "unknown_exchange"),
    "past its time": ({"valid_until_ns": 1}, "intent_expired"),
    "unknown tactic": ({"tactic": "magic"}, "unsupported_tactic"),
}


@pytest.fixture(params=ENGINES)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with a_house(tmp_path, a_config(**ENGINES[request.param], min_signal_strength=D("0.5"))) as opened:
        yield opened


def place(house: House, *requests: dict[str, Any]) -> list[ExecutionReport]:
    async def scenario() -> list[ExecutionReport]:
        reports = []
        for number, changes in enumerate(requests):
            now_ns = house.clock.now_ns()
            timing = {"created_ns": now_ns, "valid_until_ns": now_ns + 60 * NS}
            order = an_order(**{"intent_id": f"bad:{number}", **timing, **changes})
            reports.append(await house.bot.engine.place_order(order))
        return reports

    reports: list[ExecutionReport] = house.run(scenario)
    return reports


@pytest.mark.parametrize(("changes", "code"), BAD.values(), ids=BAD)
def test_a_bad_order_is_refused_by_name_and_nothing_leaves(house: House, changes: dict[str, Any], code: str) -> None:
    """The same code from both engines; no order is written down, none reaches the venue, no stop is planned."""
    (report,) = place(house, changes)
    assert (report.outcome, report.code) == ("REFUSED", code)
    assert [event.code for event in house.of(OrderRefused)] == [code]
    assert house.of(OrderSubmitted) == house.of(StopPlanned) == []
    assert house.adapter.bodies == []
    house.check_invariants()


def test_one_intent_is_sent_once(house: House) -> None:
    """The second order of one intent would have the first one's client order id."""
    first, second = place(house, {"intent_id": "same"}, {"intent_id": "same"})
    assert (first.outcome, second.code) == ("FILLED", "duplicate_intent")
    assert len(house.adapter.bodies) == 1


def test_beyond_the_position_is_cut_to_it(house: House) -> None:
    """Reduce-only 100 against 3: three are sold, and the trace says that the position was the bound."""
    _, close = place(house, {"quantity": D(3)}, {**SELL, "quantity": D(100), "reduce_only": True})
    assert close.filled == D(3)
    assert house.of(OrderSubmitted)[-1].quantity == D(3)
    house.check_invariants()


def test_what_the_baseline_does_not_offer_is_refused_by_name(tmp_path: Path) -> None:
    """FOK and post-only are the advanced engine's; nothing is downgraded."""
    with a_house(tmp_path) as house:
        fok, post_only = place(
            house,
            {**LIMIT, "limit_price": D(60_005), "time_in_force": TimeInForce.FOK},
            {**LIMIT, "limit_price": D(59_900), "post_only": True},
        )
        assert (fok.code, post_only.code) == ("unsupported_tif", "unsupported_order_type")
        assert house.adapter.bodies == []
