"""Is what the venue says of orders, fills and money told as it is?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gpt_trader.core.values import Liquidity, OrderState, Side
from gpt_trader.exchange.coinbase import replies
from gpt_trader.exchange.coinbase.decoding import WireError, read
from gpt_trader.exchange.coinbase.frames import UserEvent, UserOrder, read_frame
from gpt_trader.exchange.coinbase.updates import (
    account_of,
    fill_update,
    order_state,
    order_update,
    position_of,
    user_update,
)
from gpt_trader.market.products import simulated_product

D = Decimal
BTC = simulated_product("BTC-PERP")


def captured(shared_data: Path, name: str) -> bytes:
    return (shared_data / "coinbase_wire" / f"{name}.json").read_bytes()


def an_order(**changes: Any) -> replies.Order:
    body = {"order_id": "v", "product_id": "P", "side": "BUY", "status": "OPEN", "client_order_id": "c", **changes}
    return msgspec.convert(body, type=replies.Order)


def a_fill(**changes: Any) -> replies.Fill:
    body: dict[str, Any] = {
        "entry_id": "e",
        "trade_id": "t",
        "order_id": "v",
        "trade_time": "1970-01-01T00:00:02Z",
        "trade_type": "FILL",
        "price": "50000",
        "size": "3",
        "commission": "1.5",
        "product_id": "P",
        "side": "SELL",
        "liquidity_indicator": "MAKER",
        **changes,
    }
    return msgspec.convert(body, type=replies.Fill)


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("PENDING", "0", OrderState.ACTIVE),
        ("QUEUED", "0", OrderState.ACTIVE),
        ("OPEN", "0", OrderState.ACTIVE),
        ("OPEN", "1", OrderState.PARTIALLY_FILLED),
        ("CANCEL_QUEUED", "1", OrderState.PARTIALLY_FILLED),
        ("FILLED", "3", OrderState.FILLED),
        ("CANCELLED", "1", OrderState.CANCELLED),
        ("EXPIRED", "0", OrderState.EXPIRED),
        ("FAILED", "0", OrderState.REJECTED),
        ("FAILED", "1", OrderState.CANCELLED),
        ("UNKNOWN_ORDER_STATUS", "0", OrderState.ACTIVE),
        ("SOMETHING_NEW", "1", OrderState.PARTIALLY_FILLED),
    ],
)
def test_states(status: str, filled: str, state: OrderState) -> None:
    """A cancel that was only asked for ends nothing, and an unknown word keeps the order alive."""
    assert order_state(status, D(filled)) is state


def test_an_order_from_rest() -> None:
    """Contracts become base units, and the newest time counts."""
    update = order_update(
        an_order(filled_size="2", average_filled_price="50000", last_update_time="1970-01-01T00:00:01Z"), BTC
    )
    assert (update.filled, update.average_price, update.venue_ns) == (D("0.02"), D(50_000), 1_000_000_000)
    assert update.state is OrderState.PARTIALLY_FILLED


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"reject_reason": "REJECT_REASON_UNSPECIFIED"}, ""),
        ({"reject_reason": "HOLD_FAILURE"}, "HOLD_FAILURE"),
        (
            {"reject_reason": "REJECT_REASON_UNSPECIFIED", "cancel_message": "User requested cancel"},
            "User requested cancel",
        ),
        ({"reject_message": None, "cancel_message": ""}, ""),
    ],
)
def test_the_reason_is_what_says_something(said: dict[str, Any], reason: str) -> None:
    """What is unspecified is no reason."""
    assert order_update(an_order(**said), BTC).reason == reason


@pytest.mark.parametrize(
    ("configuration", "whole"),
    [
        ({"limit_limit_gtc": replies.OrderSize(base_size="3")}, D("0.03")),
        ({"market_market_ioc": replies.OrderSize()}, None),
        ({}, None),
        (None, None),
    ],
)
def test_how_much_an_order_is(configuration: dict[str, replies.OrderSize] | None, whole: Decimal | None) -> None:
    """All of it, in base units, where the venue says it: an order of somebody else must be counted."""
    assert order_update(an_order(order_configuration=configuration), BTC).quantity == whole


def test_an_unfilled_order_has_no_price() -> None:
    """The venue writes 0."""
    assert order_update(an_order(filled_size="0", average_filled_price="0"), BTC).average_price is None


def test_sizes_in_quote_are_refused() -> None:
    """They would be read as contracts."""
    with pytest.raises(WireError, match="quote currency"):
        order_update(an_order(size_in_quote=True), BTC)


def test_the_captured_user_frame(shared_data: Path) -> None:
    """An order as the channel tells it."""
    event = read_frame(captured(shared_data, "ws_user")).events[0]
    assert isinstance(event, UserEvent)
    update = user_update(event.orders[0], BTC, venue_ns=5)
    assert (update.client_order_id, update.state, update.filled, update.venue_ns) == (
        "11111-000000-000001",
        OrderState.ACTIVE,
        D(0),
        5,
    )


def test_f37_a_user_order_without_its_fill_is_told() -> None:
    """Empty is not zero: the fill is the point of the message."""
    order = UserOrder(order_id="v", product_id="P", status="OPEN", cumulative_quantity="")
    with pytest.raises(WireError, match="cumulative_quantity"):
        user_update(order, BTC, venue_ns=0)


def test_a_fill() -> None:
    """With quantity in base units, its fee and who waited."""
    update = fill_update(a_fill(), BTC, "c")
    assert (update.quantity, update.price, update.fee) == (D("0.03"), D(50_000), D("1.5"))
    assert (update.side, update.liquidity, update.trade_ns) == (Side.SELL, Liquidity.MAKER, 2_000_000_000)
    assert (update.venue_order_id, update.trade_id, update.cause) == ("v", "t", "OWN")


@pytest.mark.parametrize(
    "changes",
    [{"trade_type": "REVERSAL"}, {"trade_type": "CORRECTION"}, {"size_in_quote": True}, {"side": "UNKNOWN_ORDER_SIDE"}],
)
def test_what_is_no_trade_is_not_booked(changes: dict[str, Any]) -> None:
    """A trade taken back is not another trade."""
    with pytest.raises(WireError, match="not a trade in contracts"):
        fill_update(a_fill(**changes), BTC, "c")


def test_a_fill_of_unknown_liquidity_is_the_dearer() -> None:
    """Costs are not made smaller by not knowing."""
    assert fill_update(a_fill(liquidity_indicator="UNKNOWN_LIQUIDITY_INDICATOR"), BTC, "c").liquidity is Liquidity.TAKER


def test_the_captured_balance(shared_data: Path) -> None:
    """Equity is cash and what open positions are worth."""
    account = account_of(
        read(captured(shared_data, "http_cfm_balance_summary"), replies.BalanceReply).balance_summary, 7
    )
    assert (account.cash, account.equity) == (D(10_000), D(10_150))
    assert (account.initial_margin, account.maintenance_margin, account.available_margin) == (D(1000), D(300), D(5000))
    assert account.received_ns == 7


def test_the_captured_position(shared_data: Path) -> None:
    """A short is below zero."""
    position = read(captured(shared_data, "http_cfm_position"), replies.PositionReply).position
    assert position is not None
    held = position_of(position, BTC)
    assert (held.quantity, held.entry_price) == (D("-0.03"), D(51_000))


def test_plain_strings_are_a_position_too() -> None:
    """As documented, where the captures have amounts."""
    position = replies.Position(product_id="P", side="LONG", number_of_contracts="2", avg_entry_price="49000")
    assert position_of(position, BTC).quantity == D("0.02")


def test_a_position_of_no_side_is_told() -> None:
    """Neither direction may be guessed; flat needs none."""
    with pytest.raises(WireError, match="UNKNOWN 2"):
        position_of(replies.Position(product_id="P", side="UNKNOWN", number_of_contracts="2"), BTC)
    assert position_of(replies.Position(product_id="P", side="UNKNOWN", number_of_contracts="0"), BTC).quantity == 0
