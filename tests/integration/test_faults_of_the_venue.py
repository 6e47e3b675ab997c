"""What if the venue, the wire or the clock fails? Each fault of the served venue alone, for both engines.

A day of orders goes through the bot while one fault strikes. At the end no order is lost or doubled, and the ledger is
the venue's to the last digit. A few run by default; all of them with
`pytest -m long tests/integration/test_faults_of_the_venue.py` (about ten minutes).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.exchange_places import PRICE, SYMBOL
from tests.live_house import LiveHouse, a_live_config, live_house, live_venue

from gpt_trader.core.events import OrderFilled
from gpt_trader.core.values import OrderType, Side, TimeInForce

ENGINES: dict[str, dict[str, Any]] = {"live": {}, "advanced": {"enable_market_impact_guard": True}}
CREATE = {"method": "POST", "path": "/orders", "nth": [1]}
CANCEL = {"method": "POST", "path": "/orders/batch_cancel", "nth": [1]}
FILLS = {"method": "GET", "path": "/orders/historical/fills", "nth": [1, 2]}
USER = {"channel": "user", "nth": [2]}
MARKET = {"channel": "level2", "nth": [3]}
FAULTS: dict[str, dict[str, Any]] = {
    "reply of an order lost": {"fault": "lost_reply", **CREATE},
    "reply of an order late": {"fault": "late_reply", "seconds": 6.0, **CREATE},
    "an order arrives late": {"fault": "late_request", "seconds": 2.0, **CREATE},
    "an order is rate limited": {"fault": "rate_limited", "seconds": 1.0, **CREATE},
    "an order meets 503": {"fault": "server_error", "status": 503, **CREATE},
    "an order meets 502 and is placed": {"fault": "server_error", "status": 502, "processed": True, **CREATE},
    "an order meets a page": {"fault": "html_body", "status": 500, **CREATE},
    "an order meets a page and is placed": {"fault": "html_body", "status": 500, "processed": True, **CREATE},
    "reply of an order cut": {"fault": "truncated_json", **CREATE},
    "reply of an order in words nobody knows": {"fault": "unknown_enum", **CREATE},
    "reply of an order without a word": {"fault": "null_field", **CREATE},
    "an order is not authorised": {"fault": "unauthorized", **CREATE},
    "an order fails after it was accepted": {"fault": "failed_later", **CREATE},
    "reply of a cancel lost": {"fault": "lost_reply", **CANCEL},
    "a cancel meets 503": {"fault": "server_error", "status": 503, **CANCEL},
    "reply of a cancel without a word": {"fault": "null_field", **CANCEL},
    "the record meets 500": {"fault": "server_error", "status": 500, **FILLS},
    "the record is cut": {"fault": "truncated_json", **FILLS},
    "the record is without a word": {"fault": "null_field", **FILLS},
    "the record in words nobody knows": {"fault": "unknown_enum", **FILLS},
    "an order's news dropped": {"fault": "drop", **USER},
    "an order's news twice": {"fault": "duplicate", **USER},
    "an order's news overtaken": {"fault": "reorder", **USER},
    "an order's news late": {"fault": "delay", "seconds": 2.0, **USER},
    "numbers left out": {"fault": "sequence_gap", "count": 3, **USER},
    "numbers begin again": {"fault": "sequence_reset", **USER},
    "the account's stream is silent": {"fault": "silence", "seconds": 8.0, **USER},
    "the account's stream closes with 1000": {"fault": "close", "code": 1000, **USER},
    "the account's stream closes with 1001": {"fault": "close", "code": 1001, **USER},
    "the account's stream breaks": {"fault": "close", "code": 1006, **USER},
    "the account's stream closes with 1011": {"fault": "close", "code": 1011, **USER},
    "the book loses a message": {"fault": "drop", **MARKET},
    "the market's stream breaks": {"fault": "close", "code": 1006, **MARKET},
}
INTERVENTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "a halt": ("/market", {"do": "halt", "product": SYMBOL, "seconds": 3}),
    "a session break": ("/market", {"do": "session_break", "product": SYMBOL, "seconds": 3}),
    "another margin window": ("/market", {"do": "window", "window": "intraday"}),
    "funding": ("/market", {"do": "funding", "product": SYMBOL, "rate": "0.0004"}),
    "a clock that is ahead": ("/switches", {"skew_seconds": 20}),
    "the oddities of the real venue": ("/switches", {"live": True}),
}
SHORT = (
    "reply of an order lost",
    "reply of an order without a word",
    "an order's news dropped",
)


async def a_day_of_orders(house: LiveHouse) -> None:
    """Market, resting, cancelled, partly closed, closed."""
    await house.place(Side.BUY, "0.05")
    await house.place(
        Side.BUY,
        "0.02",
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=PRICE - 300,
    )
    while house.living():  # whoever cancels asks until it is gone
        for order in house.living():
            await house.bot.submitter.cancel(order, "end of day")
        await house.clock.sleep(0.5)
    await house.place(Side.SELL, "0.02", reduce_only=True)
    await house.eventually(lambda: not house.living(), "orders of the morning have ended", 40.0)
    if house.held():
        await house.place(Side.SELL, str(house.held()), reduce_only=True)


def run_with(folder: Path, engine: str, fault: dict[str, Any] | None, wish: tuple[str, dict[str, Any]] | None) -> None:
    async def scenario() -> None:
        with live_venue(folder / "venue") as venue:
            async with live_house(venue, folder, a_live_config(**ENGINES[engine])) as house:
                if fault is not None:
                    await house.admin("/faults", fault)
                if wish is not None:
                    await house.place(Side.BUY, "0.01")
                    await house.admin(*wish)
                await a_day_of_orders(house)
                await house.settled()
                house.check_invariants()
                assert house.of(OrderFilled), "the day was not refused away"
                if fault is not None:
                    struck = (await asyncio.to_thread(venue.admin, "/state"))["faults_struck"]
                    assert struck, "the fault struck"

    asyncio.run(scenario())


@pytest.mark.parametrize("name", SHORT)
def test_a_fault_loses_and_doubles_nothing(tmp_path: Path, name: str) -> None:
    """The three that ask most of the adapter, with the advanced engine."""
    run_with(tmp_path, "advanced", FAULTS[name], None)


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone_loses_and_doubles_nothing(tmp_path: Path, engine: str, name: str) -> None:
    """Run with `-m long`: every fault of requests and messages, for both engines."""
    run_with(tmp_path, engine, FAULTS[name], None)


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", INTERVENTIONS)
def test_each_whim_of_the_venue_loses_and_doubles_nothing(tmp_path: Path, engine: str, name: str) -> None:
    """Run with `-m long`: what the venue itself may do, for both engines."""
    run_with(tmp_path, engine, None, INTERVENTIONS[name])
