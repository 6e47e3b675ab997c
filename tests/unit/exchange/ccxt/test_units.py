"""Are sizes, fees and states of CCXT read as what they mean?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import OrderState
from gpt_trader.exchange.ccxt.markets import Catalogue, MarketKind
from gpt_trader.exchange.ccxt.reading import Market, Order, PositionState, ReplyError, Trade, needed, number, read
from gpt_trader.exchange.ccxt.updates import fill_update, order_update, position_of

D = Decimal


def a_market(**changes: Any) -> Market:
    fields: dict[str, Any] = {
        "id": "BTC-USDT-SWAP",
        "symbol": "BTC/USDT:USDT",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "type": "swap",
        "linear": True,
        "contractSize": "0.01",
        "maker": "0.0002",
        "taker": "0.0005",
        "precision": {"amount": "1", "price": "0.1"},
        "limits": {"amount": {"min": "1", "max": "1000"}, "cost": {}},
        **changes,
    }
    return read(fields, Market)


def the_product(**changes: Any) -> Any:
    return Catalogue([a_market(**changes)], MarketKind.FUTURES, "USDT").products["BTC-PERP"]


def test_contracts_become_base_units() -> None:
    """An exchange that sizes in contracts of 0.01 BTC and one that sizes in BTC look alike."""
    product = the_product()

    assert (product.lot, product.min_quantity, product.max_quantity) == (D("0.01"), D("0.01"), D(10))
    assert the_product(contractSize=None, precision={"amount": "0.001", "price": "0.1"}).lot == D("0.001")


def test_f79_a_fee_in_another_unit_is_refused() -> None:
    """CCXT has fees of 6 % where 0.06 % was meant; nothing is traded on such a number."""
    catalogue = Catalogue([a_market(taker="0.06")], MarketKind.FUTURES, "USDT")

    with pytest.raises(ConfigError, match=r"taker fee of BTC/USDT:USDT is 0.06: not a share"):
        catalogue.resolve("BTC-PERP")


def test_two_markets_of_one_symbol_are_refused() -> None:
    """Which one is meant is not guessed."""
    catalogue = Catalogue([a_market(), a_market(symbol="BTC/USDT:USDT-2")], MarketKind.FUTURES, "USDT")

    with pytest.raises(ConfigError, match="more than one market: BTC/USDT:USDT, BTC/USDT:USDT-2"):
        catalogue.resolve("BTC-PERP")


@pytest.mark.parametrize(
    "changes", [{"linear": False}, {"type": "future"}, {"settle": "USDC", "quote": "USDC"}, {"type": "spot"}]
)
def test_only_linear_swaps_of_the_settle_currency_are_perpetuals(changes: dict[str, Any]) -> None:
    """Inverse ones, dated ones and those of another currency are other products."""
    assert not Catalogue([a_market(**changes)], MarketKind.FUTURES, "USDT").products


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("open", "0", OrderState.ACTIVE),
        ("open", "3", OrderState.PARTIALLY_FILLED),
        ("closed", "10", OrderState.FILLED),
        ("closed", "3", OrderState.CANCELLED),
        ("canceled", "0", OrderState.CANCELLED),
        ("expired", "0", OrderState.EXPIRED),
        ("rejected", "0", OrderState.REJECTED),
        ("rejected", "1", OrderState.CANCELLED),
        ("PENDING", "0", OrderState.ACTIVE),
        (None, "0", OrderState.ACTIVE),
    ],
)
def test_states(status: str | None, filled: str, state: OrderState) -> None:
    """A word that nobody knows counts as alive; `closed` without all of it filled was cut short."""
    order = Order(id="1", clientOrderId="gt-1", status=status, filled=filled, amount="10")

    update = order_update(order, the_product())
    assert update.state is state
    assert update.filled == D(filled) * D("0.01")


def a_trade(**changes: Any) -> Trade:
    fields: dict[str, Any] = {
        "id": "7",
        "order": "1",
        "symbol": "BTC/USDT:USDT",
        "side": "buy",
        "price": "60000",
        "amount": "2",
        "timestamp": 1_700_000_000_000,
        "fee": {"currency": "USDT", "cost": "0.6"},
        **changes,
    }
    return read(fields, Trade)


def test_a_trade_is_in_base_units_with_its_fee() -> None:
    """A fee in the base currency counts at the price of the trade."""
    fill = fill_update(a_trade(), the_product(), "gt-1")
    in_base = fill_update(a_trade(fee={"currency": "BTC", "cost": "0.00001"}), the_product(), "gt-1")

    assert (fill.quantity, fill.fee, fill.trade_ns) == (D("0.02"), D("0.6"), 1_700_000_000 * 10**9)
    assert in_base.fee == D("0.6")


@pytest.mark.parametrize("changes", [{"fee": {"currency": "BNB", "cost": "0.1"}}, {"fee": None}, {"order": None}])
def test_a_trade_that_cannot_be_booked_is_not_booked_as_something_near_it(changes: dict[str, Any]) -> None:
    """A fee of zero would be an invention."""
    with pytest.raises(ReplyError):
        fill_update(a_trade(**changes), the_product(), "gt-1")


def test_positions_are_signed_and_sides_are_not_guessed() -> None:
    """Some exchanges write the size of a short with a minus, some without."""
    short = PositionState(symbol="BTC/USDT:USDT", contracts="-3", side="short", entryPrice="60000")

    assert position_of(short, the_product()).quantity == D("-0.03")
    with pytest.raises(ReplyError):
        position_of(PositionState(symbol="BTC/USDT:USDT", contracts="3"), the_product())


def test_numbers_are_those_that_were_written() -> None:
    """Floats only come from order books; their shortest text is what the exchange wrote."""
    assert number(59_975.1) == D("59975.1")
    assert number("") is None
    for written in ("nan", "1e30", "x", True):
        with pytest.raises(ReplyError):
            needed(written, "price")
