"""Does an exchange behind CCXT keep the port's promises where it is easy not to? Against Binance on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal, getcontext
from typing import Any, TypeVar

import pytest
from tests.binance_venue import KEY, SECRET, TRANSFERS, ServedBinance, binance

from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.errors import (
    ConfigError,
    ExchangeError,
    InsufficientBalanceError,
    InvalidOrderError,
    OrderNotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    Refusal,
    Refused,
    VenueUnavailableError,
)
from gpt_trader.core.values import Bar, OrderState, OrderTicket, OrderType, Purpose, Side, TimeInForce
from gpt_trader.exchange.base import FillUpdate, FundingUpdate, OrderUpdate, PreparedOrder, StreamChanged
from gpt_trader.exchange.ccxt.binance import BinanceCCXTAdapter, binance_client
from gpt_trader.exchange.ccxt.markets import MarketKind

D = Decimal
T = TypeVar("T")
SYMBOL = "BTC-PERP"
WAIT_SECONDS = 20.0
ORDER = "POST /fapi/v1/order"
KEYS = {"apiKey": KEY, "secret": SECRET}


@pytest.fixture(scope="module")
def running() -> Iterator[ServedBinance]:
    with binance() as served:
        yield served


@pytest.fixture
def venue(running: ServedBinance) -> Iterator[ServedBinance]:
    """The exchange without the faults and switches of other tests."""
    yield running
    switches = running.venue.switches
    switches.faults.clear()
    switches.hedged, switches.burns, switches.rights = False, False, ()


def adapter_of(venue: ServedBinance, kind: MarketKind = MarketKind.FUTURES, **changes: Any) -> BinanceCCXTAdapter:
    clock = SystemClock()
    options: dict[str, Any] = {"settle": "USDT", "symbols": (SYMBOL,), "poll_seconds": 0.1, **changes}
    keys = options.pop("keys", KEYS)
    return BinanceCCXTAdapter(binance_client(kind, clock, keys, url=venue.url), clock, kind=kind, **options)


def ask(venue: ServedBinance, work: Callable[[BinanceCCXTAdapter], Awaitable[T]], **changes: Any) -> T:
    """One conversation with a connected adapter."""

    async def go() -> T:
        adapter = adapter_of(venue, **changes)
        try:
            await adapter.connect()
            return await work(adapter)
        finally:
            await adapter.close()

    return asyncio.run(go())


def ticket(name: str, **changes: Any) -> OrderTicket:
    """A buy that rests a little below the market."""
    fields: dict[str, Any] = {
        "client_order_id": name,
        "intent_id": "i",
        "symbol": SYMBOL,
        "side": Side.BUY,
        "quantity": D("0.1"),
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "limit_price": D(57_000),
        "valid_until_ns": 2**62,
    }
    return OrderTicket(**fields | changes)


def at_market(name: str, **changes: Any) -> OrderTicket:
    fields: dict[str, Any] = {
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.IOC,
        "limit_price": None,
        **changes,
    }
    return ticket(name, **fields)


def test_the_house_rounds_as_before(venue: ServedBinance) -> None:
    """CCXT changes the decimal context it runs in; money is reckoned in ours, half to even, and nothing is trapped."""
    rounding, traps = getcontext().rounding, dict(getcontext().traps)

    async def order(adapter: BinanceCCXTAdapter) -> Decimal:
        prepared = adapter.prepare(ticket("gt-rounding"))
        assert isinstance(prepared, PreparedOrder)
        await adapter.send(prepared)
        return +D("99956.125").quantize(D("0.01"))

    assert ask(venue, order) == D("99956.12")
    assert (getcontext().rounding, dict(getcontext().traps)) == (rounding, traps)


# --- who may be used ---------------------------------------------------------------------------------------------


def test_only_the_chosen_address_is_asked(venue: ServedBinance) -> None:
    """With a key CCXT would ask other hosts of the company; here nothing is asked but what is served."""
    ask(venue, lambda adapter: adapter.positions())

    assert "GET /sapi/v1/capital/config/getall" not in venue.venue.asked
    assert venue.venue.hosts == {venue.url.removeprefix("http://")}


def test_an_address_that_is_not_the_exchanges_is_never_asked(venue: ServedBinance) -> None:
    """Without another address in the settings: the futures host, and one question about the key."""
    client = binance_client(MarketKind.FUTURES, SystemClock(), KEYS)

    async def go() -> None:
        try:
            await client.ask("sapiGetCapitalConfigGetall", list)
        finally:
            await client.close()

    with pytest.raises(VenueUnavailableError, match=r"a request to api.binance.com/sapi/v1/capital.* was not sent"):
        asyncio.run(go())


def test_hedge_mode_is_refused(venue: ServedBinance) -> None:
    """A symbol with two positions has no net position to clamp an exit to."""
    venue.venue.switches.hedged = True

    with pytest.raises(ConfigError, match=r"hedge mode.*one-way mode"):
        ask(venue, lambda adapter: adapter.balances())


@pytest.mark.parametrize("right", TRANSFERS)
def test_a_key_that_may_move_money_is_refused(venue: ServedBinance, right: str) -> None:
    """Whoever steals it could empty the account."""
    venue.venue.switches.rights = (right,)

    with pytest.raises(ConfigError, match="may move money"):
        ask(venue, lambda adapter: adapter.balances())


def test_fees_in_another_currency_are_refused(venue: ServedBinance) -> None:
    """They could not be booked, so the switch is asked for first."""
    venue.venue.switches.burns = True

    with pytest.raises(ConfigError, match="fees are paid in BNB"):
        ask(venue, lambda adapter: adapter.balances())


def test_a_wrong_key_is_told(venue: ServedBinance) -> None:
    """And nothing of it is shown."""
    with pytest.raises(VenueUnavailableError, match="Invalid API-key") as refused:
        ask(venue, lambda adapter: adapter.balances(), keys={"apiKey": "other", "secret": SECRET})
    assert SECRET not in str(refused.value)
    assert "signature" not in str(refused.value)


def test_another_settle_currency_is_refused(venue: ServedBinance) -> None:
    """The account is in USD; USDT counts as USD only when the settings say so."""
    with pytest.raises(ConfigError, match=r"no futures market of BTC-PERP settles in USD there.*venue.settle_currency"):
        ask(venue, lambda adapter: adapter.balances(), settle="USD")


def test_without_a_key_the_market_can_be_read(venue: ServedBinance) -> None:
    """Products and the exchange's time need none."""

    async def look(adapter: BinanceCCXTAdapter) -> int:
        assert SYMBOL in adapter.products()
        return await adapter.time_ns()

    assert ask(venue, look, keys={}) // 1_000_000 == venue.venue.now_ms


def test_a_clock_that_is_off_is_measured_first() -> None:
    """The exchange refuses requests of another time; CCXT signs with the difference that it found at the start."""
    with binance(speed=1.0) as served:
        served.venue.switches.looks_at_time = True
        served.venue.switches.skew_ms = 3_600_000

        assert ask(served, lambda adapter: adapter.balances()).equity == 100_000


# --- orders ------------------------------------------------------------------------------------------------------


async def outcome(adapter: BinanceCCXTAdapter, prepared: PreparedOrder) -> OrderUpdate | ExchangeError:
    try:
        return await adapter.send(prepared)
    except ExchangeError as error:
        return error


def sent(venue: ServedBinance, order: OrderTicket) -> OrderUpdate | ExchangeError:
    return ask(venue, lambda adapter: outcome(adapter, adapter.prepare(order)))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("429", RateLimitError),
        ("418", RateLimitError),
        ("500", OutcomeUnknownError),
        ("503", OutcomeUnknownError),
        ("html", OutcomeUnknownError),
        ("lost", OutcomeUnknownError),
        ("cut", OutcomeUnknownError),
    ],
)
def test_what_a_failure_proves(venue: ServedBinance, fault: str, kind: type[ExchangeError]) -> None:
    """Only what surely placed nothing is told as such; and CCXT never sends an order twice by itself."""
    asked = venue.venue.asked[ORDER]
    venue.fault(ORDER, fault)

    found = sent(venue, ticket(f"gt-fault-{fault}"))

    assert type(found) is kind, found
    assert venue.venue.asked[ORDER] == asked + 1


def test_an_order_whose_reply_was_lost_is_found_by_our_id(venue: ServedBinance) -> None:
    """It is there: sending it again would have been a second order, so create is not called idempotent."""
    venue.fault(ORDER, "lost")
    assert isinstance(sent(venue, ticket("gt-lost-once")), OutcomeUnknownError)

    found = ask(venue, lambda adapter: adapter.order("gt-lost-once", ""))

    assert (found.client_order_id, found.state) == ("gt-lost-once", OrderState.ACTIVE)
    assert not adapter_of(venue).capabilities.idempotent_create


def test_a_duplicate_means_that_the_order_is_there(venue: ServedBinance) -> None:
    """The exchange refuses an id whose order is open: that is no proof that nothing was placed."""
    assert isinstance(sent(venue, ticket("gt-twice")), OrderUpdate)

    assert isinstance(sent(venue, ticket("gt-twice")), OutcomeUnknownError)


def test_nobody_listens_is_surely_not_placed(venue: ServedBinance) -> None:
    """No connection was made."""

    async def go() -> OrderUpdate | ExchangeError:
        adapter = adapter_of(venue)
        try:
            await adapter.connect()
            prepared = adapter.prepare(ticket("gt-nobody"))
            adapter._client._ccxt.urls["api"]["fapiPrivate"] = "http://127.0.0.1:1/fapi/v1"
            adapter._client._places = ()
            return await outcome(adapter, prepared)
        finally:
            await adapter.close()

    assert type(asyncio.run(go())) is VenueUnavailableError


def test_refusals_of_the_exchange(venue: ServedBinance) -> None:
    """Of its rules, of the money, and of post-only."""
    poor = sent(venue, ticket("gt-poor", quantity=D(50), limit_price=D(59_000)))
    far = sent(venue, ticket("gt-far", limit_price=D(5)))
    crossing = sent(venue, ticket("gt-cross", limit_price=D(61_000), post_only=True))

    assert type(poor) is InsufficientBalanceError
    assert type(far) is InvalidOrderError
    assert type(crossing) is InvalidOrderError


def test_our_client_id_is_sent(venue: ServedBinance) -> None:
    """CCXT puts one of its own where it does not know the name of the parameter."""
    assert isinstance(sent(venue, ticket("gt-mine")), OrderUpdate)

    assert venue.venue.placed[-1].client_order_id == "gt-mine"


def test_reduce_only_goes_out(venue: ServedBinance) -> None:
    """An exit cannot open a position, also at the exchange."""
    order = ticket("gt-reduce", reduce_only=True, purpose=Purpose.EXIT)
    found = sent(venue, order)

    assert type(found) is InvalidOrderError or venue.venue.placed[-1].reduce_only


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order_type": OrderType.STOP_LIMIT, "stop_price": D(58_000)}, Refusal.UNSUPPORTED_ORDER_TYPE),
        ({"time_in_force": TimeInForce.GTD, "expire_ns": 1}, Refusal.UNSUPPORTED_TIF),
        ({"limit_price": D("57001")}, Refusal.INVALID_PRICE),
        ({"quantity": D("0.005")}, Refusal.INVALID_QUANTITY),
        ({"symbol": "DOGE-PERP"}, Refusal.UNKNOWN_SYMBOL),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(venue: ServedBinance, changes: dict[str, Any], code: Refusal) -> None:
    """Before anything is sent; nothing is rounded into something near it."""
    asked = venue.venue.asked[ORDER]

    async def refused(adapter: BinanceCCXTAdapter) -> Refusal:
        with pytest.raises(Refused) as caught:
            adapter.prepare(ticket("gt-refused", **changes))
        return caught.value.code

    assert ask(venue, refused) is code
    assert venue.venue.asked[ORDER] == asked


def test_too_late_to_cancel_is_not_unknown(venue: ServedBinance) -> None:
    """The exchange has one word for both; the order itself decides."""

    async def cancel_twice(adapter: BinanceCCXTAdapter) -> None:
        await adapter.send(adapter.prepare(at_market("gt-filled")))
        with pytest.raises(InvalidOrderError, match="too late, the order is FILLED"):
            await adapter.cancel("gt-filled", "", SYMBOL)
        with pytest.raises(OrderNotFoundError):
            await adapter.cancel("gt-never", "", SYMBOL)

    ask(venue, cancel_twice)


async def eventually(there: Callable[[], bool]) -> None:
    """Wait for exactly that, for as long as a busy machine may need."""
    clock = SystemClock()
    deadline_ns = clock.now_ns() + round(WAIT_SECONDS * NS)
    while not there():
        assert clock.now_ns() < deadline_ns, "never came"
        await clock.sleep(0.02)


def of(told: list[Any], kind: type[T]) -> list[T]:
    return [each for each in told if isinstance(each, kind)]


# --- what is told ------------------------------------------------------------------------------------------------


def test_trades_orders_and_funding_are_told_by_themselves() -> None:
    """Each trade once, with its fee; an order that is gone from the open ones with its end; funding as it is paid."""

    async def go(venue: ServedBinance) -> list[Any]:
        told: list[Any] = []
        adapter = adapter_of(venue)
        try:
            await adapter.start([SYMBOL], told.append, told.append)
            await adapter.send(adapter.prepare(ticket("gt-told-rests")))
            await adapter.send(adapter.prepare(at_market("gt-told-fills")))
            await eventually(lambda: sum(fill.quantity for fill in of(told, FillUpdate)) >= D("0.1"))
            order = await adapter.order("gt-told-rests", "")
            await adapter.cancel("gt-told-rests", order.venue_order_id, SYMBOL)
            await asyncio.to_thread(venue.advance, 3700.0)
            adapter._funding_due_ns = adapter._funding_ms = 0
            await eventually(
                lambda: (
                    bool(of(told, FundingUpdate))
                    and any(each.state is OrderState.CANCELLED for each in of(told, OrderUpdate))
                )
            )
        finally:
            await adapter.close()
        return told

    with binance(speed=1.0) as served:
        told = asyncio.run(go(served))
    fills = [each for each in told if isinstance(each, FillUpdate) and each.client_order_id == "gt-told-fills"]
    states = [each.state for each in told if isinstance(each, OrderUpdate) and each.client_order_id == "gt-told-rests"]
    paid = [each for each in told if isinstance(each, FundingUpdate)]

    assert len({fill.trade_id for fill in fills}) == len(fills)
    assert sum(fill.quantity for fill in fills) == D("0.1")
    assert all(fill.fee > 0 for fill in fills)
    assert states[-1] is OrderState.CANCELLED
    assert paid
    assert all(payment.amount for payment in paid)


def test_what_was_traded_before_the_start_is_read_and_not_told() -> None:
    """Whoever starts compares it with his log; told as news it would look like somebody else's trade."""

    async def go(venue: ServedBinance) -> tuple[list[Any], int]:
        told: list[Any] = []
        before, adapter = adapter_of(venue), adapter_of(venue)
        try:
            await before.connect()
            await before.send(before.prepare(at_market("gt-before")))
            await adapter.start([SYMBOL], told.append, told.append)
            await asyncio.sleep(0.4)
            return told, len((await adapter.fills("")).fills)
        finally:
            await before.close()
            await adapter.close()

    with binance(speed=1.0) as served:
        told, recorded = asyncio.run(go(served))

    assert recorded
    assert not [each for each in told if isinstance(each, FillUpdate)]


def test_bars_of_the_past_are_told_first() -> None:
    """Marked as history, in order, each once, up to the last that has closed: nobody waits for averages to fill."""

    async def go(venue: ServedBinance) -> list[Bar]:
        told: list[Any] = []
        adapter = adapter_of(venue)
        try:
            await adapter.start([SYMBOL], told.append, told.append)
        finally:
            await adapter.close()
        return [each for each in told if isinstance(each, Bar)]

    with binance(speed=1.0) as served:
        bars = asyncio.run(go(served))
        now_ns = served.venue.running.now_ns

    closes = [bar.close_ns for bar in bars]
    assert len(bars) >= 58
    assert closes == sorted(set(closes))
    assert 0 <= now_ns - closes[-1] < 2 * 60 * 10**9
    assert all(bar.history for bar in bars)


def test_a_market_that_cannot_be_asked_is_told_and_its_book_forgotten(venue: ServedBinance) -> None:
    """No entry is decided on a book that nobody renews; it comes back by itself."""

    async def go() -> list[StreamChanged]:
        told: list[Any] = []
        adapter = adapter_of(venue)
        try:
            await adapter.start([SYMBOL], told.append, told.append)
            assert adapter.market.touch(SYMBOL) is not None
            venue.fault("GET /fapi/v1/depth", "500")
            await eventually(lambda: len(of(told, StreamChanged)) >= 2 and adapter.market.touch(SYMBOL) is not None)
        finally:
            await adapter.close()
        return of(told, StreamChanged)

    down, up = asyncio.run(go())
    assert (down.name, down.up, up.up) == ("market", False, True)
    assert down.reason


# --- spot --------------------------------------------------------------------------------------------------------


def test_spot_is_bought_held_and_sold() -> None:
    """What is held is a position; it is worth its price, and cannot be sold short."""

    async def trade(adapter: BinanceCCXTAdapter) -> None:
        await adapter.start(["BTC-SPOT"], lambda _: None, lambda _: None)
        before = await adapter.balances()
        await adapter.send(adapter.prepare(at_market("gt-spot", symbol="BTC-SPOT")))
        (held,) = await adapter.positions()
        assert held.quantity == D("0.1")
        after = await adapter.balances()
        assert after.cash < before.cash - 5_000
        assert before.equity - 20 < after.equity < before.equity
        with pytest.raises(Refused):
            adapter.prepare(at_market("gt-short", symbol="BTC-SPOT", side=Side.SELL))
        sold = at_market("gt-sold", symbol="BTC-SPOT", side=Side.SELL, purpose=Purpose.EXIT, reduce_only=True)
        await adapter.send(adapter.prepare(sold))
        assert await adapter.positions() == ()

    with binance(spot=True) as served:
        ask(served, trade, kind=MarketKind.SPOT, symbols=("BTC-SPOT",))
