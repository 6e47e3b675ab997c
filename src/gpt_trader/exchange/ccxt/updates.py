"""What became of it, in our words? Orders, fills, funding and positions of CCXT as the port tells them.

Sizes arrive in contracts and leave in base units. A status that nobody knows counts as alive: an order is never
forgotten because an exchange found a new word for it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.values import ZERO, Liquidity, OrderState, Position, ProductSpec, Side
from gpt_trader.exchange.base import FillUpdate, FundingUpdate, OrderUpdate
from gpt_trader.exchange.ccxt.reading import (
    Fee,
    FundingPayment,
    Order,
    PositionState,
    ReplyError,
    Trade,
    needed,
    number,
)

__all__ = ["fill_update", "funding_update", "order_update", "position_of"]

MS: Final = 1_000_000
ENDED: Final = {
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELLED,
    "cancelled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}
SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
SIGNS: Final = {"long": 1, "short": -1}


def order_update(order: Order, product: ProductSpec, client_order_id: str = "") -> OrderUpdate:
    """`client_order_id` is ours, where the answer does not say it."""
    filled = (number(order.filled) or ZERO) * product.contract_size
    average, amount = number(order.average), number(order.amount)
    return OrderUpdate(
        client_order_id=order.clientOrderId or client_order_id,
        venue_order_id=order.id or "",
        symbol=product.symbol,
        state=_state(order, filled, product),
        filled=filled,
        average_price=average if filled and average else None,
        reason="" if order.status in {"open", "closed", None} else order.status,
        venue_ns=(order.lastUpdateTimestamp or order.timestamp or 0) * MS,
        side=SIDES.get(order.side or ""),
        quantity=None if amount is None else amount * product.contract_size,
    )


def _state(order: Order, filled: Decimal, product: ProductSpec) -> OrderState:
    """`closed` with less than all of it filled was cut short: some exchanges call a cancelled order closed too."""
    ended = ENDED.get(order.status or "")
    amount = number(order.amount)
    if ended is OrderState.FILLED and amount is not None and filled < amount * product.contract_size:
        return OrderState.CANCELLED
    if ended is OrderState.REJECTED and filled:
        return OrderState.CANCELLED
    if ended is not None:
        return ended
    return OrderState.PARTIALLY_FILLED if filled else OrderState.ACTIVE


def fill_update(trade: Trade, product: ProductSpec, client_order_id: str, cause: str = "OWN") -> FillUpdate:
    """Raises ReplyError for a trade that cannot be booked, such as one whose fee was paid in a third currency."""
    if trade.side not in SIDES or not trade.order:
        raise ReplyError(f"trade {trade.id} of CCXT is a {trade.side!r} of order {trade.order!r}")
    price = needed(trade.price, "price of a trade")
    return FillUpdate(
        client_order_id=client_order_id,
        venue_order_id=trade.order,
        trade_id=trade.id,
        symbol=product.symbol,
        side=SIDES[trade.side],
        quantity=needed(trade.amount, "amount of a trade") * product.contract_size,
        price=price,
        fee=_fee(trade.fee, price, product, trade.id),
        liquidity=Liquidity.MAKER if trade.takerOrMaker == "maker" else Liquidity.TAKER,
        trade_ns=trade.timestamp * MS,
        cause=cause,
    )


def _fee(fee: Fee | None, price: Decimal, product: ProductSpec, trade: str) -> Decimal:
    cost = None if fee is None else number(fee.cost)
    if fee is None or cost is None:
        raise ReplyError(f"trade {trade} of CCXT says no fee")
    if fee.currency == product.quote or not cost:
        return cost
    if fee.currency == product.base:
        return cost * price
    raise ReplyError(
        f"trade {trade} of CCXT: its fee was paid in {fee.currency}, not in {product.quote}; switch that off there"
    )


def funding_update(payment: FundingPayment, symbol: str) -> FundingUpdate:
    """The exchange says the amount alone: rate, position and price stay zero rather than being guessed."""
    return FundingUpdate(
        symbol=symbol,
        funding_ns=payment.timestamp * MS,
        amount=needed(payment.amount, "amount of funding"),
        rate=ZERO,
        position=ZERO,
        price=ZERO,
    )


def position_of(position: PositionState, product: ProductSpec) -> Position:
    """Signed, in base units. Raises ReplyError for a position that is neither long nor short."""
    size = abs(number(position.contracts) or ZERO)
    sign = SIGNS.get(position.side or "")
    if sign is None and size:
        raise ReplyError(f"position in {position.symbol} of CCXT is {position.side} {size}")
    held = size * product.contract_size * (sign or 0)
    entry = number(position.entryPrice) if held else ZERO
    return Position(symbol=product.symbol, quantity=held, entry_price=entry or ZERO)
