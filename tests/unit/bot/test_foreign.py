"""Do orders of others count, and only as long as they live?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from tests.builders import D
from tests.house_under_test import House, a_config
from tests.killed_house import a_market, a_venue, build

from gpt_trader.bot.foreign import MISSING_READS, ForeignOrders
from gpt_trader.core.events import ExternalOrderSeen
from gpt_trader.core.values import OrderState, Side
from gpt_trader.exchange.base import OrderUpdate
from gpt_trader.records.event_store import EventStore

SYMBOL, OTHER = "BTC-PERP", "ETH-PERP"


@pytest.fixture
def house(tmp_path: Path) -> House:
    adapter, clock = a_venue(a_market("at the venue"))
    with EventStore.open(tmp_path / "events.sqlite", "test-run", 1, durable=False) as store:
        return build(a_config(), adapter, clock, store, 1)


def an_update(
    name: str = "v1",
    state: OrderState = OrderState.ACTIVE,
    *,
    side: Side | None = Side.BUY,
    quantity: str | None = "0.5",
    filled: str = "0",
    symbol: str = SYMBOL,
) -> OrderUpdate:
    return OrderUpdate(
        client_order_id="",
        venue_order_id=name,
        symbol=symbol,
        state=state,
        filled=D(filled),
        side=side,
        quantity=None if quantity is None else D(quantity),
    )


def foreign_of(house: House) -> ForeignOrders:
    return house.bot.recovery.foreign


def exposed(house: House, side: Side, symbol: str = SYMBOL) -> Decimal:
    return house.built.parts.collector.exposure(symbol, D(60_000)).worst_quantity(side)


def test_f54_an_order_by_hand_counts_whole_in_exposure(house: House) -> None:
    """As if it filled: on its side, less what has filled already."""
    house.bot.orders.apply(an_update("v1", filled="0.2"))
    house.bot.orders.apply(an_update("v2", side=Side.SELL, quantity="0.4"))

    assert (exposed(house, Side.BUY), exposed(house, Side.SELL)) == (D("0.3"), D("0.4"))
    assert [(seen.side, seen.quantity) for seen in house.of(ExternalOrderSeen)] == [
        (Side.BUY, D("0.3")),
        (Side.SELL, D("0.4")),
    ]


def test_it_counts_for_the_other_symbols_too(house: House) -> None:
    """Limits of the whole account look at every symbol with an order, whoever sent it."""
    house.bot.orders.apply(an_update(symbol=OTHER))

    assert house.bot.orders.symbols() == (OTHER,)
    assert exposed(house, Side.BUY, OTHER) == D("0.5")


def test_one_that_has_ended_counts_no_more_and_frees_its_symbol(house: House) -> None:
    """The last of the symbol, and not before."""
    for name in ("v1", "v2"):
        house.bot.orders.apply(an_update(name))
    house.bot.orders.apply(an_update("v1", OrderState.CANCELLED))
    assert "external order" in house.bot.guards.pause_reason(SYMBOL)

    house.bot.orders.apply(an_update("v2", OrderState.CANCELLED))

    assert house.bot.guards.pause_reason(SYMBOL) == ""
    assert exposed(house, Side.BUY) == 0


def test_one_of_unknown_size_pauses_until_the_size_is_told(house: House) -> None:
    """What cannot be counted lets nothing be added to its symbol."""
    house.bot.orders.apply(an_update(side=None, quantity=None))
    assert "external order" in house.bot.guards.pause_reason(SYMBOL)
    assert exposed(house, Side.BUY) == 0

    foreign_of(house).swept([an_update()])

    assert exposed(house, Side.BUY) == D("0.5")
    assert len(house.of(ExternalOrderSeen)) == 1


def test_a_sweep_finds_what_the_stream_did_not_say(house: House) -> None:
    """Told, counted, and the symbol paused."""
    foreign_of(house).swept([an_update()])

    assert exposed(house, Side.BUY) == D("0.5")
    assert len(house.of(ExternalOrderSeen)) == 1


def test_one_list_without_it_proves_nothing(house: House) -> None:
    """Lists lag; so many in a row that lack it do."""
    house.bot.orders.apply(an_update())
    for _ in range(MISSING_READS - 1):
        foreign_of(house).swept([])
    foreign_of(house).swept([an_update()])
    for _ in range(MISSING_READS - 1):
        foreign_of(house).swept([])
    assert exposed(house, Side.BUY) == D("0.5")

    foreign_of(house).swept([])

    assert exposed(house, Side.BUY) == 0
    assert house.bot.guards.pause_reason(SYMBOL) == ""
