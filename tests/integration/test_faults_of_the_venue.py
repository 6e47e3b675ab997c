"""What if the venue, the wire or the clock fails? Each fault of the served venue alone, for both engines.

A day of orders goes through the bot while one fault strikes. At the end no order is lost or doubled, and the ledger is
the venue's to the last digit. A few run by default; all of them with
`pytest -m long tests/integration/test_faults_of_the_venue.py` (some twenty minutes).
"""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.exchange_places import PRICE, SYMBOL
from tests.live_house import LiveHouse, a_live_config, live_house, live_venue
from tests.venue_server import ServedVenue

from gpt_trader.core.errors import ExchangeError
from gpt_trader.core.events import OrderFilled
from gpt_trader.core.values import OrderType, Side, TimeInForce

ENGINES: dict[str, dict[str, Any]] = {"live": {}, "advanced": {"enable_market_impact_guard": True}}
CREATE = {"method": "POST", "path": "/orders", "nth": [1]}
CANCEL = {"method": "POST", "path": "/orders/batch_cancel", "nth": [1]}
FILLS = {"method": "GET", "path": "/orders/historical/fills", "nth": [1, 2]}
USER = {"channel": "user", "nth": [2]}
MARKET = {"channel": "level2", "nth": [3]}
Faults = dict[str, Any] | list[dict[str, Any]]
FAULTS: dict[str, Faults] = {
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
    "reply of a cancel late": {"fault": "late_reply", "seconds": 6.0, **CANCEL},
    "a cancel arrives late": {"fault": "late_request", "seconds": 2.0, **CANCEL},
    "a cancel is rate limited": {"fault": "rate_limited", "seconds": 1.0, **CANCEL},
    "a cancel meets 503": {"fault": "server_error", "status": 503, **CANCEL},
    "a cancel meets a page and is done": {"fault": "html_body", "status": 502, "processed": True, **CANCEL},
    "reply of a cancel cut": {"fault": "truncated_json", **CANCEL},
    "reply of a cancel in words nobody knows": {"fault": "unknown_enum", **CANCEL},
    "reply of a cancel without a word": {"fault": "null_field", **CANCEL},
    "the record is rate limited": {"fault": "rate_limited", "seconds": 1.0, **FILLS},
    "the record meets a page": {"fault": "html_body", "status": 502, **FILLS},
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
    "the account's subscription is refused": [
        {"fault": "close", "code": 1006, **USER},
        {"fault": "subscribe_refused", "channel": "user", "nth": [1]},
    ],
    "the book loses a message": {"fault": "drop", **MARKET},
    "the book's messages twice": {"fault": "duplicate", **MARKET},
    "the book's messages overtaken": {"fault": "reorder", **MARKET},
    "the book's messages late": {"fault": "delay", "seconds": 2.0, **MARKET},
    "numbers of the market left out": {"fault": "sequence_gap", "count": 3, **MARKET},
    "numbers of the market begin again": {"fault": "sequence_reset", **MARKET},
    "the market's stream is silent": {"fault": "silence", "seconds": 8.0, **MARKET},
    "the market's stream closes with 1000": {"fault": "close", "code": 1000, **MARKET},
    "the market's stream breaks": {"fault": "close", "code": 1006, **MARKET},
    "the market's subscription is refused": [
        {"fault": "close", "code": 1006, **MARKET},
        {"fault": "subscribe_refused", "channel": "level2", "nth": [1]},
    ],
}
INTERVENTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "a halt": ("/market", {"do": "halt", "product": SYMBOL, "seconds": 3}),
    "a session break": ("/market", {"do": "session_break", "product": SYMBOL, "seconds": 3}),
    "another margin window": ("/market", {"do": "window", "window": "intraday"}),
    "funding": ("/market", {"do": "funding", "product": SYMBOL, "rate": "0.0004"}),
    "a clock that is ahead": ("/switches", {"skew_seconds": 20}),
    "a clock that is behind": ("/switches", {"skew_seconds": -20}),
    "the oddities of the real venue": ("/switches", {"live": True}),
}
LARGE = Decimal(5)
"""Base units; three times the cash in notional, so that a fall of a fifth is too much for the account."""
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
            with contextlib.suppress(ExchangeError):
                await house.bot.submitter.cancel(order, "end of day")
        await house.clock.sleep(0.5)
    await house.place(Side.SELL, "0.02", reduce_only=True)
    await house.eventually(lambda: not house.living(), "orders of the morning have ended", 40.0)
    if house.held():
        await house.place(Side.SELL, str(house.held()), reduce_only=True)


def run_with(folder: Path, engine: str, faults: Faults | None, wish: tuple[str, dict[str, Any]] | None) -> None:
    wanted = faults if isinstance(faults, list) else [faults] if faults is not None else []

    async def scenario() -> None:
        with live_venue(folder / "venue") as venue:
            async with live_house(venue, folder, a_live_config(**ENGINES[engine])) as house:
                for fault in wanted:
                    await house.admin("/faults", fault)
                if wish is not None:
                    await house.place(Side.BUY, "0.01")
                    await house.admin(*wish)
                await a_day_of_orders(house)
                await house.settled()
                house.check_invariants()
                assert house.of(OrderFilled), "the day was not refused away"
                await house.eventually(
                    lambda: struck(venue) >= {fault["fault"] for fault in wanted}, "every fault struck"
                )

    asyncio.run(scenario())


def struck(venue: ServedVenue) -> set[str]:
    return {str(each["fault"]) for each in tuple(venue.server.faults.struck)}


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


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
def test_a_liquidation_is_booked_and_pauses_the_symbol(tmp_path: Path, engine: str) -> None:
    """Run with `-m long`: the venue sells what the account cannot carry; the bot knows it for what it is, opens
    nothing more, and ends with the venue's position and cash."""

    async def scenario() -> None:
        with live_venue(tmp_path / "venue") as venue:
            async with live_house(venue, tmp_path, a_live_config(**ENGINES[engine])) as house:
                while house.held() < LARGE:
                    await house.place(Side.BUY, "0.5")
                    await house.clock.sleep(0.6)  # the book is full again
                before = house.held()
                await house.admin("/market", {"do": "liquidate"})
                await house.eventually(lambda: house.held() < before, "the liquidation was heard of")
                await house.settled()
                causes = {fill.cause for fill in house.of(OrderFilled)}
                assert causes == {"OWN", "LIQUIDATION"}
                assert house.bot.guards.pause_reason(SYMBOL)
                assert (await house.place(Side.BUY, "0.01")).code == "entries_paused"
                await a_day_of_orders(house)
                await house.settled()
                house.check_invariants()

    asyncio.run(scenario())
