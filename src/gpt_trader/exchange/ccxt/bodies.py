"""How is an order said to CCXT? The ticket as the arguments of `create_order`, frozen with their digest.

CCXT adds time and signature to each attempt; everything else that leaves follows from these bytes. What is not listed
here is refused by name, never sent as something near it.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import OrderTicket, OrderType, ProductSpec, Purpose, Side, TimeInForce
from gpt_trader.exchange.base import Capabilities, PreparedOrder
from gpt_trader.exchange.ccxt.markets import MarketKind

__all__ = ["CAPABILITIES", "Call", "call_of", "prepare"]

FUTURES: Final = Capabilities(
    order_types=frozenset({OrderType.MARKET, OrderType.LIMIT}),
    limit_times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
    market_times_in_force=frozenset({TimeInForce.IOC}),
    post_only=True,
    reduce_only=True,
    preview=False,
    idempotent_create=False,  # a client id is refused twice only while its order is open
    lookup_by_client_id=True,
    venue_stops=False,  # conditional orders are another resource there, with ids and states of its own
)
CAPABILITIES: Final = {
    MarketKind.FUTURES: FUTURES,
    MarketKind.SPOT: msgspec.structs.replace(FUTURES, reduce_only=False),
}
RESTING: Final = frozenset({TimeInForce.GTC, TimeInForce.GTD})
STOPS: Final = frozenset({OrderType.STOP_LIMIT, OrderType.BRACKET})


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `create_order`; amounts and prices are text, sizes in contracts."""

    symbol: str
    type: str
    side: str
    amount: str
    price: str | None
    params: dict[str, str | bool]


def prepare(
    ticket: OrderTicket, product: ProductSpec | None, kind: MarketKind, capabilities: Capabilities
) -> PreparedOrder:
    """Same ticket, same bytes. Raises Refused."""
    if product is None:
        raise _refused(ticket, Refusal.UNKNOWN_SYMBOL)
    _check(ticket, product, kind, capabilities)
    params: dict[str, str | bool] = {"clientOrderId": ticket.client_order_id}
    if ticket.order_type is OrderType.LIMIT:
        params |= {"postOnly": True} if ticket.post_only else {"timeInForce": ticket.time_in_force.value}
    if ticket.reduce_only and capabilities.reduce_only:
        params["reduceOnly"] = True
    call = Call(
        symbol=product.venue_symbol,
        type=ticket.order_type.value.lower(),
        side=ticket.side.value.lower(),
        amount=_text(ticket.quantity / product.contract_size),
        price=None if ticket.limit_price is None else _text(ticket.limit_price),
        params=params,
    )
    body = msgspec.json.encode(call, order="sorted")
    return PreparedOrder(ticket=ticket, body=body, digest=hashlib.sha256(body).hexdigest())


def call_of(prepared: PreparedOrder) -> Call:
    return msgspec.json.decode(prepared.body, type=Call)


def _check(ticket: OrderTicket, product: ProductSpec, kind: MarketKind, capabilities: Capabilities) -> None:
    """A call is only made of a ticket that means one thing there."""
    tif, kind_of = ticket.time_in_force, ticket.order_type
    limit = kind_of is not OrderType.MARKET
    if ticket.post_only and (kind_of is not OrderType.LIMIT or tif not in RESTING):
        raise _refused(ticket, Refusal.POST_ONLY_WITH_IMMEDIATE, time_in_force=tif.value)
    if not _on_grid(ticket.quantity, product.lot):
        raise _refused(ticket, Refusal.INVALID_QUANTITY, quantity=ticket.quantity, lot=product.lot)
    if (ticket.limit_price is not None) is not limit or (limit and not _on_grid(ticket.limit_price, product.tick)):
        raise _refused(ticket, Refusal.INVALID_PRICE, limit_price=str(ticket.limit_price), tick=product.tick)
    if (ticket.stop_price is not None) is not (kind_of in STOPS):
        raise _refused(ticket, Refusal.INVALID_STOP, stop_price=str(ticket.stop_price))
    if (ticket.expire_ns is not None) is not (tif is TimeInForce.GTD):
        raise _refused(ticket, Refusal.INVALID_EXPIRY, expire_ns=str(ticket.expire_ns))
    if kind_of not in capabilities.order_types:
        raise _refused(ticket, Refusal.UNSUPPORTED_ORDER_TYPE)
    if tif not in (capabilities.limit_times_in_force if limit else capabilities.market_times_in_force):
        raise _refused(ticket, Refusal.UNSUPPORTED_TIF, time_in_force=tif.value)
    if kind is MarketKind.SPOT and ticket.side is Side.SELL and ticket.purpose is Purpose.ENTRY:
        raise _refused(ticket, Refusal.UNSUPPORTED_ORDER_TYPE, reason="spot cannot be sold short")


def _on_grid(value: Decimal | None, unit: Decimal) -> bool:
    return value is not None and value.is_finite() and value > 0 and value % unit == 0


def _refused(ticket: OrderTicket, refusal: Refusal, **numbers: Decimal | str) -> Refused:
    return Refused(Stage.SUBMISSION, refusal, symbol=ticket.symbol, order_type=ticket.order_type.value, **numbers)


def _text(value: Decimal) -> str:
    """Plain digits, one text for one number."""
    return format(value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize(), "f")
