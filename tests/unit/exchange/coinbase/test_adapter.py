"""Does the adapter find what a connection did not say, and refuse what it must? Against the served venue, over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.exchange_places import CASH, PRICE, SYMBOL, CoinbasePlace, Place, coinbase_adapter, coinbase_place, market
from tests.venue_server import PRODUCT, ServedVenue, served

from gpt_trader.core.errors import ConfigError, VenueUnavailableError
from gpt_trader.core.values import OrderState, Side
from gpt_trader.exchange.base import ProductChanged, StreamChanged


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    folder = tmp_path_factory.mktemp("venue")
    with served(folder, market(3 * 3600), speed=1.0, history_seconds=3600, cash=CASH, accounts=2) as running:
        yield running


@pytest.fixture(scope="module")
def opened(venue: ServedVenue) -> Iterator[CoinbasePlace]:
    made = CoinbasePlace(venue)
    yield made
    made.stop()


@pytest.fixture
def place(opened: CoinbasePlace) -> Iterator[CoinbasePlace]:
    yield opened
    opened.venue.admin("/faults", method="DELETE")


def meanwhile(place: CoinbasePlace, path: str, body: dict[str, Any]) -> Coroutine[Any, Any, Any]:
    return asyncio.to_thread(place.venue.admin, path, body)


@pytest.mark.parametrize(
    ("may", "read_only", "said"),
    [
        ({"can_view": True, "can_trade": True, "can_transfer": True}, False, "may transfer money"),
        ({"can_view": True, "can_trade": False, "can_transfer": False}, False, "may not trade"),
        ({"can_view": False, "can_trade": True, "can_transfer": False}, True, "may not view|HTTP 403"),
    ],
)
def test_f105_a_key_that_may_too_much_or_too_little_is_refused(
    venue: ServedVenue, may: dict[str, bool], read_only: bool, said: str
) -> None:
    """Before anything is subscribed; the key itself is not in the text."""

    async def go() -> None:
        adapter = coinbase_adapter(venue, account=1, read_only=read_only)
        try:
            await adapter.connect()
        finally:
            await adapter.close()

    venue.admin("/keys", {"account": 1, **may})
    with pytest.raises(Exception, match=said) as refused:
        asyncio.run(go())
    assert isinstance(refused.value, ConfigError) or not may["can_view"]
    assert "PRIVATE" not in str(refused.value)


def test_a_key_that_only_views_is_enough_to_look(venue: ServedVenue) -> None:
    """The profile observe sends nothing."""
    venue.admin("/keys", {"account": 1, "can_view": True, "can_trade": False, "can_transfer": False})

    async def go() -> str:
        adapter = coinbase_adapter(venue, account=1, read_only=True)
        try:
            await adapter.connect()
            return adapter.account_name
        finally:
            await adapter.close()

    assert asyncio.run(go())


def test_f105_a_key_that_may_more_by_now_ends_the_run(venue: ServedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a key may is looked at again while the bot runs; the bot stops by that name."""
    monkeypatch.setattr("gpt_trader.exchange.coinbase.adapter.KEY_CHECK_SECONDS", 0.1)
    venue.admin("/keys", {"account": 1, "can_view": True, "can_trade": True, "can_transfer": False})

    async def go() -> str:
        adapter = coinbase_adapter(venue, account=1)
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def hear(item: Any) -> None:
            if isinstance(item, StreamChanged) and item.final and not ended.done():
                ended.set_result(f"{item.name}: {item.reason}")

        try:
            await adapter.connect()
            await adapter.start((SYMBOL,), hear, lambda _: None)
            await asyncio.to_thread(venue.admin, "/keys", {"account": 1, "can_transfer": True})
            return await asyncio.wait_for(ended, 60)
        finally:
            await adapter.close()

    assert "key: ConfigError: credentials: the key" in (told := asyncio.run(go()))
    assert "may transfer money" in told
    venue.admin("/keys", {"account": 1, "can_view": True, "can_trade": True, "can_transfer": False})


@pytest.mark.parametrize("read_only", [True, False])
def test_fees_that_may_not_be_asked_for_stop_only_who_trades(venue: ServedVenue, read_only: bool) -> None:
    """Looking goes on with those of the first tier."""
    venue.admin("/keys", {"account": 1, "can_view": True, "can_trade": True, "can_transfer": False})
    venue.admin("/faults", {"fault": "unauthorized", "path": "/transaction_summary", "nth": [1]})

    async def go() -> None:
        adapter = coinbase_adapter(venue, account=1, read_only=read_only)
        try:
            await adapter.connect()
            assert adapter.products()[SYMBOL].taker_fee_rate > 0
        finally:
            await adapter.close()

    if read_only:
        asyncio.run(go())
    else:
        with pytest.raises(VenueUnavailableError):
            asyncio.run(go())
    venue.admin("/faults", method="DELETE")


def test_a_cancel_whose_news_is_lost_is_looked_up(place: CoinbasePlace) -> None:
    """The number that is missing ends the connection; the order that is not open any more is asked for."""

    async def scenario(here: Place) -> None:
        prepared, placed = await here.send()
        await meanwhile(place, "/faults", {"fault": "drop", "channel": "user", "times": 1})
        await here.adapter.cancel(prepared.ticket.client_order_id, placed.venue_order_id, SYMBOL)
        await here.told(prepared.ticket.client_order_id, OrderState.CANCELLED)

    place.run(scenario)


def test_f36_trades_of_a_silent_stream_come_from_the_record(place: CoinbasePlace) -> None:
    """An immediate order that nobody speaks of is looked at within two seconds."""

    async def scenario(here: Place) -> None:
        await meanwhile(place, "/sockets", {"silent_seconds": 3})
        fills = await here.trade(Side.BUY, "0.02")
        assert [fill.price for fill in fills] == [PRICE + 5]

    place.run(scenario)


def test_an_order_of_another_program_is_told_with_its_trades(place: CoinbasePlace) -> None:
    """By its own id: whoever keeps the orders decides that it is foreign."""

    async def scenario(here: Place) -> None:
        client = place.venue.rest()
        await asyncio.to_thread(client.market_order_buy, "by-hand-1", PRODUCT, base_size="1")
        await here.eventually(lambda: here.filled("by-hand-1") > 0, "the trade by hand")

    place.run(scenario)


@pytest.mark.long
def test_a_halt_is_told(place: CoinbasePlace) -> None:
    """Run with `-m long`: products are asked for every five seconds. It needs no person's look, and ends by itself."""
    changed: list[ProductChanged] = []

    async def scenario(here: Place) -> None:
        feed = place.adapter._feed  # type: ignore[attr-defined]
        before = feed._on_market
        feed._on_market = lambda item: changed.append(item) if isinstance(item, ProductChanged) else before(item)
        await meanwhile(place, "/market", {"do": "halt", "product": SYMBOL, "seconds": 7})
        await here.eventually(lambda: len(changed) >= 1, "the halt")
        await here.eventually(lambda: len(changed) >= 2, "its end")
        feed._on_market = before

    place.run(scenario)
    assert [(each.status.value, each.reason) for each in changed] == [("HALTED", ""), ("OPEN", "")]


def test_requests_after_the_close_are_refused(tmp_path: Path, venue: ServedVenue) -> None:
    """And closing twice is no error."""

    async def go() -> None:
        adapter = coinbase_adapter(venue)
        await adapter.connect()
        await adapter.close()
        await adapter.close()

    asyncio.run(go())


def test_a_liquidation_is_told_as_one(tmp_path: Path) -> None:
    """The channel speaks of it first and does not say what it is; the record of the order does."""

    async def scenario(place: Place) -> set[str]:
        assert isinstance(place, CoinbasePlace)
        await place.trade(Side.BUY, "5")
        before = len(place.fills)
        await meanwhile(place, "/market", {"do": "liquidate"})
        await place.eventually(lambda: len(place.fills) > before, "the liquidation")
        return {fill.cause for fill in place.fills[before:]}

    with coinbase_place(tmp_path) as place:
        assert place.run(scenario) == {"LIQUIDATION"}
