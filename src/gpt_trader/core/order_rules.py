"""Is the order well formed for this product? Pure rules, written once, used by both engines and every adapter.

Prices round to the safe side of the tick, quantities towards zero on the lot grid; nothing here ever enlarges.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import (
    ZERO,
    BookView,
    OrderRequest,
    OrderTicket,
    OrderType,
    ProductSpec,
    Purpose,
    Side,
    TimeInForce,
    TradingStatus,
)

__all__ = [
    "bps_between",
    "ceil_divide",
    "check_expiry",
    "check_post_only",
    "check_price_band",
    "check_quantity",
    "check_shape",
    "check_status",
    "check_stop_side",
    "clamp_to_position",
    "floor_to_lot",
    "round_price",
]

BPS = Decimal(10_000)


def is_positive(value: Decimal | None) -> bool:
    return value is not None and value.is_finite() and value > 0


def floor_to_lot(quantity: Decimal, lot: Decimal) -> Decimal:
    """Largest multiple of `lot` not above `quantity` (towards zero)."""
    return quantity // lot * lot


def ceil_divide(numerator: Decimal, denominator: Decimal) -> int:
    """How many of `denominator` it takes to make up `numerator`; `//` of Decimal cuts towards zero."""
    return int(numerator // denominator) + (1 if numerator % denominator else 0)


def round_price(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """On the tick, never worse for us than asked: a buy rounds down, a sell up."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return (price / tick).to_integral_value(rounding) * tick


def round_stop_price(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """On the tick, triggering no later than asked: a sell stop rounds up, a buy stop down."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return (price / tick).to_integral_value(rounding) * tick


def bps_between(price: Decimal, reference: Decimal) -> Decimal:
    """Signed distance of `price` from `reference` in basis points of the reference."""
    return (price - reference) / reference * BPS


def check_shape(order: OrderRequest) -> None:
    """Finite positive numbers, and the fields that the order type needs. Raises Refused."""
    if not is_positive(order.quantity):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_QUANTITY, quantity=str(order.quantity))
    needs_limit = order.order_type is not OrderType.MARKET
    if needs_limit and not is_positive(order.limit_price):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_PRICE, limit_price=str(order.limit_price))
    if order.limit_price is not None and not is_positive(order.limit_price):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_PRICE, limit_price=str(order.limit_price))
    if order.order_type in (OrderType.STOP_LIMIT, OrderType.BRACKET) and not is_positive(order.stop_price):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_STOP, stop_price=str(order.stop_price))
    if order.protective_stop is not None and not is_positive(order.protective_stop):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_STOP, protective_stop=str(order.protective_stop))
    if order.protective_limit is not None and not is_positive(order.protective_limit):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_STOP, protective_limit=str(order.protective_limit))
    if order.trailing_stop is not None and not (is_positive(order.trailing_stop) and order.trailing_stop < 1):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_TRAIL, trailing_stop=str(order.trailing_stop))
    if order.target_price is not None and not is_positive(order.target_price):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_TARGET, target_price=str(order.target_price))
    immediate = order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK) or order.order_type is OrderType.MARKET
    if order.post_only and immediate:
        raise Refused(
            Stage.VALIDATION,
            Refusal.POST_ONLY_WITH_IMMEDIATE,
            order_type=str(order.order_type),
            time_in_force=str(order.time_in_force),
        )


def check_expiry(order: OrderRequest, now_ns: int) -> None:
    """GTD has an end in the future, nothing else has one, and the intent is alive. Raises Refused."""
    if order.valid_until_ns <= now_ns:
        raise Refused(Stage.VALIDATION, Refusal.INTENT_EXPIRED, valid_until_ns=order.valid_until_ns, now_ns=now_ns)
    if (order.time_in_force is TimeInForce.GTD) != (order.expire_ns is not None):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_EXPIRY, time_in_force=str(order.time_in_force))
    if order.expire_ns is not None and order.expire_ns <= now_ns:
        raise Refused(Stage.VALIDATION, Refusal.INVALID_EXPIRY, expire_ns=order.expire_ns, now_ns=now_ns)


def check_quantity(
    quantity: Decimal, price: Decimal, product: ProductSpec, purpose: Purpose, stage: Stage = Stage.VALIDATION
) -> None:
    """On the lot grid and within the venue's sizes. Closing less than the minimum notional is allowed."""
    if quantity < product.min_quantity:
        raise Refused(stage, Refusal.BELOW_MIN_SIZE, quantity=quantity, min_quantity=product.min_quantity)
    if quantity > product.max_quantity:
        raise Refused(stage, Refusal.ABOVE_MAX_SIZE, quantity=quantity, max_quantity=product.max_quantity)
    if quantity % product.lot:
        raise Refused(stage, Refusal.INVALID_QUANTITY, quantity=quantity, lot=product.lot)
    notional = quantity * price
    if purpose is Purpose.ENTRY and notional < product.min_notional:
        raise Refused(stage, Refusal.BELOW_MIN_NOTIONAL, notional=notional, min_notional=product.min_notional)


def check_price_band(price: Decimal, mark: Decimal, product: ProductSpec) -> None:
    """Not further from the mark than the venue allows. Raises Refused."""
    distance = abs(price - mark)
    if distance > mark * product.price_band:
        raise Refused(
            Stage.VALIDATION, Refusal.OUTSIDE_PRICE_BAND, price=price, mark=mark, price_band=product.price_band
        )


def check_stop_side(side: Side, stop_price: Decimal, last: Decimal) -> None:
    """A buy stop lies above the market, a sell stop below it. Raises Refused."""
    if (side is Side.BUY and stop_price <= last) or (side is Side.SELL and stop_price >= last):
        raise Refused(Stage.VALIDATION, Refusal.INVALID_STOP, side=str(side), stop_price=stop_price, last=last)


def check_post_only(side: Side, limit_price: Decimal, book: BookView) -> None:
    """A post-only order rests: it neither meets nor passes the other side. Raises Refused."""
    opposite = book.asks if side is Side.BUY else book.bids
    if not opposite:
        return
    best = opposite[0][0]
    if (side is Side.BUY and limit_price >= best) or (side is Side.SELL and limit_price <= best):
        raise Refused(Stage.VALIDATION, Refusal.POST_ONLY_CROSS, side=str(side), limit_price=limit_price, best=best)


def check_status(order: OrderRequest | OrderTicket, product: ProductSpec, stage: Stage = Stage.VALIDATION) -> None:
    """The venue's state of the product lets this kind of order in. Raises Refused."""
    status = product.status
    allowed = (
        status is TradingStatus.OPEN
        or (status is TradingStatus.LIMIT_ONLY and order.order_type is not OrderType.MARKET)
        or (status is TradingStatus.POST_ONLY and order.post_only)
    )
    if not allowed:
        raise Refused(stage, Refusal.PRODUCT_NOT_TRADING, symbol=product.symbol, status=str(status))


def clamp_to_position(side: Side, quantity: Decimal, position: Decimal, closing: Decimal) -> Decimal:
    """What a reduce-only order may still close: never more than the position less what is already closing it.

    `position` is signed; `closing` is the unfilled rest of living reduce-only orders on the same side.
    """
    open_quantity = -position if side is Side.BUY else position
    return max(ZERO, min(quantity, open_quantity - closing))
