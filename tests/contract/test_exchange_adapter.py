"""What does every exchange adapter promise? The same scenarios over each of them; PLACES says how one is tried.

A capability that an adapter does not state is refused by name, and that is a promise too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.exchange_places import CASH, PLACES, PRICE, SYMBOL, Place

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import (
    ConfigError,
    ExchangeError,
    InsufficientBalanceError,
    InvalidOrderError,
    OrderNotFoundError,
    Refusal,
    Refused,
)
from gpt_trader.core.values import OrderState, OrderType, Side, TimeInForce, TradingStatus

D = Decimal
MARKS = {"ccxt": pytest.mark.long, "live paper": pytest.mark.long}
"""Any exchange behind CCXT, without what is known of Binance, and paper on a live market, whose halves are tried in two
other places: run them with -m long."""
ENDED_WITHOUT_TRADE = (OrderState.CANCELLED, OrderState.EXPIRED)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=MARKS.get(name, ())) for name in PLACES])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as place:
        yield place


@pytest.fixture
def place(opened: Place, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A venue in virtual time is made anew for each scenario, since its loop ends with it."""
    name = request.node.callspec.params["opened"]
    if name != "paper":
        yield opened
        return
    with PLACES[name](tmp_path_factory.mktemp(name)) as fresh:
        yield fresh


def test_the_product_is_told_in_the_units_of_the_house(place: Place) -> None:
    """Base units, quote prices, whole lots, and margin for both sides."""

    async def scenario(place: Place) -> None:
        product = place.adapter.products()[SYMBOL]
        assert (product.symbol, product.status) == (SYMBOL, TradingStatus.OPEN)
        assert product.tick == 5
        assert product.lot == D("0.01")
        assert product.min_quantity % product.lot == 0
        assert 0 < product.margin_overnight.maintenance_long < product.margin_overnight.initial_long < 1
        assert 0 <= product.maker_fee_rate <= product.taker_fee_rate < D("0.01")

    place.run(scenario)


def test_market_and_account_are_known_after_the_start(place: Place) -> None:
    """Mark, book and money, each with the time of its receipt."""

    async def scenario(place: Place) -> None:
        market, account, now_ns = place.adapter.market, place.adapter.account(), place.clock.now_ns()
        mark, book = market.mark(SYMBOL), market.book(SYMBOL, 5)
        assert mark is not None
        assert book is not None
        assert mark.price == PRICE
        assert market.touch(SYMBOL) == (PRICE - 5, PRICE + 5) == (book.bids[0][0], book.asks[0][0])
        assert 0 < book.bids[0][1] <= 1
        assert len(book.bids) == 5
        assert account.equity > CASH / 2
        for received_ns in (mark.received_ns, book.received_ns, account.received_ns):
            assert 0 <= now_ns - received_ns < 30 * NS
        assert market.mark("DOGE-PERP") is None or "DOGE-PERP" in place.adapter.products()

    place.run(scenario)


def test_an_unlisted_symbol_is_refused_at_the_start(place: Place) -> None:
    """With the names of those that are listed."""

    async def scenario(place: Place) -> None:
        with pytest.raises(ConfigError, match="NOPE-PERP"):
            await place.adapter.start(["NOPE-PERP"], place.on_market, place.on_account)

    place.run(scenario)


def test_the_same_ticket_is_the_same_bytes(place: Place) -> None:
    """`prepare` is pure, and its digest is of the body."""

    async def scenario(place: Place) -> None:
        ticket = place.ticket()
        first, second = place.adapter.prepare(ticket), place.adapter.prepare(ticket)
        assert first == second
        assert first.digest == hashlib.sha256(first.body).hexdigest()
        assert ticket.client_order_id.encode() in first.body

    place.run(scenario)


@pytest.mark.parametrize(
    ("refusal", "changes"),
    [
        (Refusal.UNKNOWN_SYMBOL, {"symbol": "NOPE-PERP"}),
        (Refusal.INVALID_QUANTITY, {"quantity": D("0.005")}),
        (Refusal.INVALID_QUANTITY, {"quantity": D(0)}),
        (Refusal.INVALID_PRICE, {"limit_price": PRICE + 1}),
        (Refusal.INVALID_PRICE, {"limit_price": None}),
        (Refusal.UNSUPPORTED_TIF, {"order_type": OrderType.MARKET, "limit_price": None}),
        (Refusal.POST_ONLY_WITH_IMMEDIATE, {"time_in_force": TimeInForce.IOC, "post_only": True}),
        (Refusal.INVALID_EXPIRY, {"time_in_force": TimeInForce.GTD}),
        (Refusal.INVALID_STOP, {"order_type": OrderType.STOP_LIMIT}),
        (Refusal.INVALID_STOP, {"stop_price": PRICE}),
    ],
)
def test_what_means_nothing_is_refused_before_it_leaves(
    place: Place, refusal: Refusal, changes: dict[str, Any]
) -> None:
    """By name, never sent as something near it."""

    async def scenario(place: Place) -> None:
        with pytest.raises(Refused) as refused:
            place.adapter.prepare(place.ticket(**changes))
        assert refused.value.code is refusal

    place.run(scenario)


def test_an_order_rests_is_found_and_is_cancelled(place: Place) -> None:
    """Reply, list, look-up and stream speak of the same order."""

    async def scenario(place: Place) -> None:
        prepared, placed = await place.send()
        name = prepared.ticket.client_order_id
        assert (placed.client_order_id, placed.symbol, placed.filled) == (name, SYMBOL, D(0))
        assert placed.venue_order_id
        (listed,) = [order for order in await place.adapter.open_orders() if order.client_order_id == name]
        assert (listed.side, listed.quantity) == (prepared.ticket.side, prepared.ticket.quantity)
        found = await place.adapter.order(name, placed.venue_order_id)
        assert (found.client_order_id, found.state) == (name, OrderState.ACTIVE)
        await place.adapter.cancel(name, placed.venue_order_id, SYMBOL)
        await place.told(name, OrderState.CANCELLED)
        assert name not in {order.client_order_id for order in await place.adapter.open_orders()}
        assert (await place.adapter.order(name, placed.venue_order_id)).state is OrderState.CANCELLED

    place.run(scenario)


def test_an_order_is_found_by_our_own_id(place: Place) -> None:
    """Where the adapter says that it can."""

    async def scenario(place: Place) -> None:
        prepared, placed = await place.send()
        name = prepared.ticket.client_order_id
        if not place.adapter.capabilities.lookup_by_client_id:
            return
        assert (await place.adapter.order(name, "")).venue_order_id == placed.venue_order_id
        with pytest.raises(OrderNotFoundError):
            await place.adapter.order("gt-test-never", "")

    place.run(scenario)


def test_what_is_filled_cannot_be_cancelled(place: Place) -> None:
    """Too late is told, never passed over."""

    async def scenario(place: Place) -> None:
        fill = (await place.trade(Side.BUY, "0.01"))[0]
        name, placed = fill.client_order_id, fill
        with pytest.raises((InvalidOrderError, OrderNotFoundError)):
            await place.adapter.cancel(name, placed.venue_order_id, SYMBOL)
        with pytest.raises(OrderNotFoundError):
            await place.adapter.cancel("gt-test-never", "", SYMBOL)

    place.run(scenario)


def test_a_market_order_fills_and_moves_position_and_money(place: Place) -> None:
    """Every trade is told once, with price, fee and its own id."""

    async def scenario(place: Place) -> None:
        before = (await place.adapter.balances()).cash
        fills = await place.trade(Side.BUY, "0.05")
        assert sum(fill.quantity for fill in fills) == D("0.05")
        assert {(fill.price, fill.side, fill.symbol, fill.cause) for fill in fills} == {
            (PRICE + 5, Side.BUY, SYMBOL, "OWN")
        }
        assert len({fill.trade_id for fill in fills}) == len(fills)
        assert await place.position() == D("0.05")
        fees = sum(fill.fee for fill in fills)
        assert fees == D("0.05") * (PRICE + 5) * place.adapter.products()[SYMBOL].taker_fee_rate
        assert (await place.adapter.balances()).cash == before - fees

    place.run(scenario)


def test_a_short_is_below_zero_and_closes(place: Place) -> None:
    """Positions are signed, in base units."""

    async def scenario(place: Place) -> None:
        await place.trade(Side.SELL, "0.03")
        assert await place.position() == D("-0.03")
        held = {each.symbol: each for each in await place.adapter.positions()}
        assert held[SYMBOL].entry_price == PRICE - 5
        await place.trade(Side.BUY, "0.03")
        assert await place.position() == 0

    place.run(scenario)


def test_money_is_told_after_a_trade(place: Place) -> None:
    """The account's newest word comes by itself."""

    async def scenario(place: Place) -> None:
        cash = place.adapter.account().cash
        await place.trade(Side.BUY, "0.02")
        await place.eventually(lambda: place.adapter.account().cash < cash, "cash less the fee")
        assert place.accounts[-1].cash == place.adapter.account().cash
        assert place.adapter.account().initial_margin > 0

    place.run(scenario)


def test_f59_the_record_of_trades_is_complete(place: Place) -> None:
    """Reading from the beginning and from a cursor leaves nothing out, and the stream told the same."""

    async def scenario(place: Place) -> None:
        since_ns = place.clock.now_ns()
        first = await place.trade(Side.BUY, "0.02")
        page = await place.adapter.fills(place.adapter.fill_cursor(since_ns))
        second = await place.trade(Side.SELL, "0.02")
        later = await place.adapter.fills(page.cursor)
        assert {fill.trade_id for fill in first} <= {fill.trade_id for fill in page.fills}
        assert {fill.trade_id for fill in second} <= {fill.trade_id for fill in later.fills}
        everything = {fill.trade_id: fill for fill in (await place.adapter.fills("")).fills}
        assert all(everything[fill.trade_id] == fill for fill in (*first, *second))

    place.run(scenario)


def test_an_order_larger_than_a_level_walks_the_book(place: Place) -> None:
    """And is told in the trades it was made of."""

    async def scenario(place: Place) -> None:
        book = place.adapter.market.book(SYMBOL, 2)
        assert book is not None
        (first_price, first_quantity), (second_price, _) = book.asks
        fills = await place.trade(Side.BUY, str(first_quantity + D("0.5")))
        paid = {fill.price: fill.quantity for fill in fills}
        assert paid == {first_price: first_quantity, second_price: D("0.5")}

    place.run(scenario)


@pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
def test_f40_what_must_fill_at_once_and_cannot_is_over(place: Place, time_in_force: TimeInForce) -> None:
    """Without a trade, and not resting."""

    async def scenario(place: Place) -> None:
        ticket = place.ticket(time_in_force=time_in_force)
        try:
            await place.adapter.send(place.adapter.prepare(ticket))
            await place.told(ticket.client_order_id, *ENDED_WITHOUT_TRADE)
        except InvalidOrderError:
            pass  # a venue may refuse it instead
        assert not await place.adapter.open_orders()
        assert place.filled(ticket.client_order_id) == 0

    place.run(scenario)


def test_post_only_never_takes(place: Place) -> None:
    """Where it would cross it is refused, in the reply or on the stream."""

    async def scenario(place: Place) -> None:
        ticket = place.ticket(limit_price=PRICE + 100, post_only=True)
        try:
            await place.adapter.send(place.adapter.prepare(ticket))
            await place.told(ticket.client_order_id, OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED)
        except InvalidOrderError:
            pass
        assert place.filled(ticket.client_order_id) == 0

    place.run(scenario)


def test_what_the_money_does_not_carry_is_refused(place: Place) -> None:
    """As such, and nothing rests."""

    async def scenario(place: Place) -> None:
        with pytest.raises((InsufficientBalanceError, InvalidOrderError)) as refused:
            await place.send(quantity=D(40), limit_price=PRICE - 5)
        assert isinstance(refused.value, InsufficientBalanceError)
        assert not await place.adapter.open_orders()

    place.run(scenario)


def test_the_same_order_again_is_the_same_order(place: Place) -> None:
    """Where create is idempotent, sending again places nothing more."""

    async def scenario(place: Place) -> None:
        if not place.adapter.capabilities.idempotent_create:
            return
        prepared = place.adapter.prepare(place.ticket())
        first = await place.adapter.send(prepared)
        second = await place.adapter.send(prepared)
        assert first.venue_order_id == second.venue_order_id
        assert len(await place.adapter.open_orders()) == 1

    place.run(scenario)


def test_an_order_for_a_time_ends_with_it(place: Place) -> None:
    """GTD, where the venue has it."""

    async def scenario(place: Place) -> None:
        if TimeInForce.GTD not in place.adapter.capabilities.limit_times_in_force:
            return
        prepared, _ = await place.send(time_in_force=TimeInForce.GTD, expire_ns=place.clock.now_ns() + NS)
        await place.told(prepared.ticket.client_order_id, OrderState.EXPIRED)
        assert not await place.adapter.open_orders()

    place.run(scenario)


def test_a_stop_waits_for_its_trigger(place: Place) -> None:
    """Where the venue keeps stops it is an open order like others."""

    async def scenario(place: Place) -> None:
        if not place.adapter.capabilities.venue_stops:
            return
        prepared, placed = await place.send(
            side=Side.SELL, order_type=OrderType.STOP_LIMIT, stop_price=PRICE - 1000, limit_price=PRICE - 1100
        )
        name = prepared.ticket.client_order_id
        assert name in {order.client_order_id for order in await place.adapter.open_orders()}
        await place.adapter.cancel(name, placed.venue_order_id, SYMBOL)
        await place.told(name, OrderState.CANCELLED)

    place.run(scenario)


def test_a_preview_is_the_venues_or_refused(place: Place) -> None:
    """It places nothing."""

    async def scenario(place: Place) -> None:
        prepared = place.adapter.prepare(place.market_ticket(Side.BUY, "0.05"))
        if place.adapter.capabilities.preview:
            preview = await place.adapter.preview(prepared)
            assert preview.errors == ()
            assert preview.commission is not None
            assert preview.commission > 0
        else:
            with pytest.raises(InvalidOrderError):
                await place.adapter.preview(prepared)
        assert await place.position() == 0

    place.run(scenario)


def test_bars_close_in_order_on_the_grid(place: Place) -> None:
    """By the clock, one after the other, none twice."""

    async def scenario(place: Place) -> None:
        before = len(place.bars)
        await place.eventually(
            lambda: len(place.bars) >= before + 2, "two bars", seconds=WAIT_BARS_SECONDS * place.bar_seconds
        )
        closes = [bar.close_ns for bar in place.bars]
        assert closes == sorted(set(closes))
        assert all(close_ns % (place.bar_seconds * NS) == 0 for close_ns in closes)
        assert place.bars[-1].close == float(PRICE)

    place.run(scenario)


WAIT_BARS_SECONDS = 10


def test_every_failure_is_an_exchange_error(place: Place) -> None:
    """Nothing of a library comes through the port."""

    async def scenario(place: Place) -> None:
        with pytest.raises(ExchangeError):
            await place.adapter.order("gt-test-none", "00000000-0000-0000-0000-000000000000")

    place.run(scenario)
