"""How does Coinbase say an order? The ticket as the body of a create request, frozen with its digest.

Sizes leave as contracts. What the table below does not list is refused by name, never sent as something near it. The
venue knows no reduce-only: a ticket that only reduces was clamped to the position before, and its body does not say so.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import OrderTicket, OrderType, ProductSpec, Side, TimeInForce
from gpt_trader.exchange.base import Capabilities, PreparedOrder
from gpt_trader.exchange.coinbase.products import contracts

__all__ = ["CAPABILITIES", "CONFIGURATIONS", "prepare", "preview_of"]

CONFIGURATIONS: Final = {
    (OrderType.MARKET, TimeInForce.IOC): "market_market_ioc",
    (OrderType.MARKET, TimeInForce.FOK): "market_market_fok",
    (OrderType.LIMIT, TimeInForce.GTC): "limit_limit_gtc",
    (OrderType.LIMIT, TimeInForce.GTD): "limit_limit_gtd",
    (OrderType.LIMIT, TimeInForce.IOC): "sor_limit_ioc",
    (OrderType.LIMIT, TimeInForce.FOK): "limit_limit_fok",
    (OrderType.STOP_LIMIT, TimeInForce.GTC): "stop_limit_stop_limit_gtc",
    (OrderType.STOP_LIMIT, TimeInForce.GTD): "stop_limit_stop_limit_gtd",
    (OrderType.BRACKET, TimeInForce.GTC): "trigger_bracket_gtc",
    (OrderType.BRACKET, TimeInForce.GTD): "trigger_bracket_gtd",
}
"""Order type and time in force -> order configuration."""
CAPABILITIES: Final = Capabilities(
    order_types=frozenset(OrderType),
    limit_times_in_force=frozenset(TimeInForce),
    market_times_in_force=frozenset({TimeInForce.IOC, TimeInForce.FOK}),
    post_only=True,
    reduce_only=False,
    preview=True,
    idempotent_create=True,
    lookup_by_client_id=False,
    venue_stops=True,
)
STOPS: Final = frozenset({OrderType.STOP_LIMIT, OrderType.BRACKET})
RESTING: Final = frozenset({TimeInForce.GTC, TimeInForce.GTD})
DIRECTIONS: Final = {Side.BUY: "STOP_DIRECTION_STOP_UP", Side.SELL: "STOP_DIRECTION_STOP_DOWN"}
Fields = dict[str, str | bool]


def prepare(ticket: OrderTicket, product: ProductSpec) -> PreparedOrder:
    """The ticket in the venue's words: same ticket, same bytes, which are those that leave. Raises Refused."""
    name = CONFIGURATIONS.get((ticket.order_type, ticket.time_in_force))
    if name is None:
        raise _refused(ticket, Refusal.UNSUPPORTED_TIF, time_in_force=ticket.time_in_force.value)
    _check(ticket, product)
    body = {
        "client_order_id": ticket.client_order_id,
        "product_id": product.venue_symbol,
        "side": ticket.side.value,
        "order_configuration": {name: _fields(ticket, product)},
    }
    encoded = _encoded(body)
    return PreparedOrder(ticket=ticket, body=encoded, digest=hashlib.sha256(encoded).hexdigest())


def preview_of(prepared: PreparedOrder) -> dict[str, Any]:
    """The body of a preview: the same order without its id."""
    body: dict[str, Any] = json.loads(prepared.body)
    del body["client_order_id"]
    return body


def _encoded(body: dict[str, Any]) -> bytes:
    """As the SDK's HTTP library writes it, with keys in order, so that the digest is of the bytes on the wire."""
    return json.dumps(body, sort_keys=True, allow_nan=False).encode()


def _fields(ticket: OrderTicket, product: ProductSpec) -> Fields:
    fields: Fields = {"base_size": _text(contracts(product, ticket.quantity))}
    if ticket.limit_price is not None:
        fields["limit_price"] = _text(ticket.limit_price)
    if ticket.order_type is OrderType.LIMIT and ticket.time_in_force in RESTING:
        fields["post_only"] = ticket.post_only
    if ticket.stop_price is not None and ticket.order_type is OrderType.STOP_LIMIT:
        fields["stop_price"] = _text(ticket.stop_price)
        fields["stop_direction"] = DIRECTIONS[ticket.side]
    elif ticket.stop_price is not None:
        fields["stop_trigger_price"] = _text(ticket.stop_price)
    if ticket.expire_ns is not None:
        fields["end_time"] = _stamp(ticket.expire_ns)
    return fields


def _check(ticket: OrderTicket, product: ProductSpec) -> None:
    """A body is only made of a ticket that means one thing."""
    resting_limit = ticket.order_type is OrderType.LIMIT and ticket.time_in_force in RESTING
    limit, stop = ticket.limit_price, ticket.stop_price
    if ticket.post_only and not resting_limit:
        raise _refused(ticket, Refusal.POST_ONLY_WITH_IMMEDIATE, time_in_force=ticket.time_in_force.value)
    if not _on_grid(ticket.quantity, product.lot):
        raise _refused(ticket, Refusal.INVALID_QUANTITY, quantity=ticket.quantity, lot=product.lot)
    if (limit is None) is not (ticket.order_type is OrderType.MARKET) or not _price_fits(limit, product):
        raise _refused(ticket, Refusal.INVALID_PRICE, limit_price=str(limit), tick=product.tick)
    if (stop is None) is (ticket.order_type in STOPS) or not _price_fits(stop, product):
        raise _refused(ticket, Refusal.INVALID_STOP, stop_price=str(stop), tick=product.tick)
    if (ticket.expire_ns is None) is (ticket.time_in_force is TimeInForce.GTD):
        raise _refused(ticket, Refusal.INVALID_EXPIRY, expire_ns=str(ticket.expire_ns))


def _price_fits(price: Decimal | None, product: ProductSpec) -> bool:
    return price is None or _on_grid(price, product.tick)


def _on_grid(value: Decimal, unit: Decimal) -> bool:
    return value.is_finite() and value > 0 and value % unit == 0


def _refused(ticket: OrderTicket, refusal: Refusal, **numbers: Decimal | str) -> Refused:
    return Refused(Stage.SUBMISSION, refusal, symbol=ticket.symbol, order_type=ticket.order_type.value, **numbers)


def _text(value: Decimal) -> str:
    """Plain digits, one text for one number."""
    return format(value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize(), "f")


def _stamp(at_ns: int) -> str:
    """RFC 3339 in UTC, cut to microseconds: an order never outlives its expiry."""
    moment = datetime.fromtimestamp(at_ns // NS, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ns % NS // 1000:06d}Z"
