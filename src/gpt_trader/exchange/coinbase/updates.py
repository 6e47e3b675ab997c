"""What became of it, in our words? Orders, fills, money and positions of Coinbase as the port tells them.

Sizes arrive in contracts and leave in base units. A status that nobody knows counts as alive: an order is never
forgotten because the venue found a new word for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from gpt_trader.core.values import ZERO, Account, Liquidity, OrderState, Position, ProductSpec, Side
from gpt_trader.exchange.base import FillUpdate, OrderUpdate
from gpt_trader.exchange.coinbase import replies
from gpt_trader.exchange.coinbase.decoding import WireError, needed, number, stamp_ns
from gpt_trader.exchange.coinbase.frames import FuturesBalance, UserOrder
from gpt_trader.exchange.coinbase.products import quantity

__all__ = ["account_of", "fill_update", "order_state", "order_update", "position_of", "user_update"]

ENDED: Final = {
    "FILLED": OrderState.FILLED,
    "CANCELLED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
    "FAILED": OrderState.REJECTED,  # accepted first, refused by the exchange behind afterwards
}
NO_REASON: Final = frozenset({"REJECT_REASON_UNSPECIFIED", "UNKNOWN_FAILURE_REASON"})
SIGNS: Final = {"LONG": 1, "SHORT": -1}
SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}


def order_state(status: str, filled: Decimal) -> OrderState:
    """The state of an order of which so much is filled. A failed one was rejected, or lost what was left of it."""
    ended = ENDED.get(status)
    if ended is OrderState.REJECTED and filled:
        return OrderState.CANCELLED
    if ended is not None:
        return ended
    return OrderState.PARTIALLY_FILLED if filled else OrderState.ACTIVE


def order_update(order: replies.Order, product: ProductSpec) -> OrderUpdate:
    """From REST. Raises WireError for an order whose sizes are in quote currency."""
    if order.size_in_quote:
        raise WireError(f"order {order.order_id} of Coinbase is sized in quote currency")
    filled = quantity(product, number(order.filled_size) or ZERO)
    return OrderUpdate(
        client_order_id=order.client_order_id,
        venue_order_id=order.order_id,
        symbol=product.symbol,
        state=order_state(order.status, filled),
        filled=filled,
        average_price=_average(number(order.average_filled_price), filled),
        reason=_reason(order.reject_message, order.cancel_message, order.reject_reason),
        venue_ns=stamp_ns(order.last_update_time or order.last_fill_time or order.created_time),
        side=SIDES.get(order.side),
        quantity=_whole(product, [number(each.base_size) for each in (order.order_configuration or {}).values()]),
    )


def _whole(product: ProductSpec, sizes: Sequence[Decimal | None]) -> Decimal | None:
    """An order has exactly one configuration; None where it is left out, or sized otherwise."""
    return quantity(product, sizes[0]) if len(sizes) == 1 and sizes[0] is not None else None


def user_update(order: UserOrder, product: ProductSpec, venue_ns: int) -> OrderUpdate:
    """From the user channel, told at `venue_ns`. Cumulative: two of them may come in any order."""
    filled = quantity(product, needed(order.cumulative_quantity, "cumulative_quantity"))
    return OrderUpdate(
        client_order_id=order.client_order_id,
        venue_order_id=order.order_id,
        symbol=product.symbol,
        state=order_state(order.status, filled),
        filled=filled,
        average_price=_average(number(order.avg_price), filled),
        reason=_reason(order.reject_reason, order.cancel_reason),
        venue_ns=venue_ns,
        side=SIDES.get(order.order_side),
        quantity=None if (leaves := number(order.leaves_quantity)) is None else filled + quantity(product, leaves),
    )


def fill_update(fill: replies.Fill, product: ProductSpec, client_order_id: str, cause: str = "OWN") -> FillUpdate:
    """From the record of fills, which names no client_order_id.

    Raises WireError for what takes a trade back or corrects one: to book it as a trade would be wrong both ways.
    """
    if fill.trade_type != "FILL" or fill.size_in_quote or fill.side not in ("BUY", "SELL"):
        raise WireError(
            f"fill {fill.entry_id} of Coinbase is a {fill.trade_type} {fill.side}, not a trade in contracts"
        )
    return FillUpdate(
        client_order_id=client_order_id,
        venue_order_id=fill.order_id,
        trade_id=fill.trade_id,
        symbol=product.symbol,
        side=Side(fill.side),
        quantity=quantity(product, needed(fill.size, "size of a fill")),
        price=needed(fill.price, "price of a fill"),
        fee=needed(fill.commission, "commission of a fill"),
        liquidity=Liquidity.MAKER if fill.liquidity_indicator == "MAKER" else Liquidity.TAKER,
        trade_ns=stamp_ns(fill.trade_time),
        cause=cause,
    )


def account_of(balance: replies.BalanceSummary | FuturesBalance, received_ns: int) -> Account:
    """Money of spot and futures wallet together, since the venue moves it to the futures broker by itself."""
    cash = needed(balance.total_usd_balance, "total_usd_balance")
    return Account(
        cash=cash,
        equity=cash + needed(balance.unrealized_pnl, "unrealized_pnl"),
        initial_margin=needed(balance.initial_margin, "initial_margin"),
        maintenance_margin=needed(balance.liquidation_threshold, "liquidation_threshold"),
        available_margin=needed(balance.futures_buying_power, "futures_buying_power"),
        received_ns=received_ns,
        funding=number(balance.funding_pnl),
    )


def position_of(position: replies.Position, product: ProductSpec) -> Position:
    """Signed, in base units. Raises WireError for a position that is neither long nor short."""
    size = needed(position.number_of_contracts, "number_of_contracts")
    sign = SIGNS.get(position.side)
    if size < ZERO or (sign is None and size):
        raise WireError(f"position in {position.product_id} of Coinbase is {position.side} {size}")
    held = quantity(product, size) * (sign or 0)
    price = needed(position.avg_entry_price, "avg_entry_price") if held else ZERO
    return Position(symbol=product.symbol, quantity=held, entry_price=price)


def _average(price: Decimal | None, filled: Decimal) -> Decimal | None:
    return price if filled and price else None


def _reason(*said: str | None) -> str:
    """The first thing that was said and says something."""
    return next((text for text in said if text and text not in NO_REASON), "")
