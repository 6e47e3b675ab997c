"""What does the venue tell? Frozen values, in the order in which they are due."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from gpt_trader.core.values import (
    Liquidity,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    TradingStatus,
    Value,
)

__all__ = ["FillNews", "FundingNews", "NewOrder", "News", "OrderNews", "OrderNewsKind", "PriceNews", "StatusNews"]


class NewOrder(Value, frozen=True, kw_only=True):
    """An order as a client sends it; prices on the tick, quantity on the lot grid."""

    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expire_ns: int | None = None
    post_only: bool = False
    reduce_only: bool = False


class OrderNewsKind(StrEnum):
    ACKNOWLEDGED = "ACKNOWLEDGED"
    """The answer to a new order: accepted or refused."""
    CHANGED = "CHANGED"
    CANCEL_ANSWERED = "CANCEL_ANSWERED"
    """The answer to a cancel; the state says whether it came in time."""
    REPEATED = "REPEATED"
    """The answer to an order whose client_order_id the venue knows: the order as it stands."""


class OrderNews(Value, frozen=True, kw_only=True):
    """One order as it stood at `at_ns`."""

    kind: OrderNewsKind
    number: int
    account: int
    client_order_id: str
    symbol: str
    state: OrderState
    filled: Decimal
    average_price: Decimal | None
    reason: str
    at_ns: int
    side: Side | None = None
    """Said where an order is asked for, and not in the news of it; so is `quantity`."""
    quantity: Decimal | None = None


class FillNews(Value, frozen=True, kw_only=True):
    """One trade; `trade_number` is unique at the venue."""

    trade_number: int
    number: int
    account: int
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    """Below zero where the venue pays: a rebate, or what makes a bankrupt account good."""
    liquidity: Liquidity
    liquidation: bool
    at_ns: int


class FundingNews(Value, frozen=True, kw_only=True):
    account: int
    symbol: str
    amount: Decimal
    """Above zero is received."""
    rate: Decimal
    position: Decimal
    price: Decimal
    """The mark it was reckoned with."""
    at_ns: int


class StatusNews(Value, frozen=True, kw_only=True):
    symbol: str
    status: TradingStatus
    at_ns: int


class PriceNews(Value, frozen=True, kw_only=True):
    """A trade reached a price that the client waits for."""

    symbol: str
    price: Decimal
    at_ns: int


News = OrderNews | FillNews | FundingNews | StatusNews | PriceNews
