"""What became of an order? Everything the wire says of it, gathered from the kernel's news of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gpt_trader.core.values import ZERO, Liquidity, OrderState, Side
from gpt_trader.venue.wire.formats import Json, stamp, text
from gpt_trader.venue.wire.listing import Listed
from gpt_trader.venue.wire.terms import Terms

__all__ = ["ENDED", "Part", "WireFill", "WireOrder", "fill_json", "order_json", "user_order_json"]

ENDED: Final = frozenset({"FILLED", "CANCELLED", "EXPIRED", "FAILED"})
NEVER: Final = "0001-01-01T00:00:00Z"
TITLES: Final = {"STOP_LIMIT": "Stop Limit", "TWAP": "TWAP"}


@dataclass
class Part:
    """One order at the kernel that works for an order of the wire."""

    number: int
    role: str
    size: Decimal
    """Contracts."""
    state: OrderState = OrderState.SUBMITTED
    filled: Decimal = ZERO
    reason: str = ""


@dataclass
class WireOrder:
    """One order as its owner knows it. Sizes in contracts, money in the quote currency."""

    order_id: str
    client_order_id: str
    account: int
    user_id: str
    portfolio_id: str
    listed: Listed
    side: Side
    terms: Terms
    configuration: Json
    created_ns: int
    leverage: str = ""
    margin_type: str = "CROSS"
    status: str = "PENDING"
    filled: Decimal = ZERO
    priced: Decimal = ZERO
    """Sum of contracts times price."""
    fees: Decimal = ZERO
    fills: int = 0
    last_fill_ns: int = 0
    updated_ns: int = 0
    triggered: bool = False
    pending_cancel: bool = False
    reject_reason: str = "REJECT_REASON_UNSPECIFIED"
    reject_message: str = ""
    cancel_message: str = ""
    liquidation: bool = False
    originating_order_id: str = ""
    attached_order_id: str = ""
    parts: list[Part] = field(default_factory=list)
    edits: list[Json] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def leaves(self) -> Decimal:
        return ZERO if self.ended else self.terms.size - self.filled

    @property
    def average_price(self) -> Decimal:
        return round(self.priced / self.filled, 8) if self.filled else ZERO

    @property
    def filled_value(self) -> Decimal:
        return self.priced * self.listed.spec.contract_size

    @property
    def hold(self) -> Decimal:
        """Initial margin of what is still open, at its limit; zero for what only closes."""
        if self.terms.reduce_only or self.terms.limit_price is None:
            return ZERO
        rates = self.listed.spec.margin_overnight
        rate = rates.initial_long if self.side is Side.BUY else rates.initial_short
        return self.listed.value(self.leaves, self.terms.limit_price) * rate

    @property
    def trigger_status(self) -> str:
        if self.terms.order_type not in {"STOP_LIMIT", "BRACKET"}:
            return "INVALID_ORDER_TYPE"
        return "STOP_TRIGGERED" if self.triggered else "STOP_PENDING"

    @property
    def completion(self) -> Decimal:
        return round(self.filled * 100 / self.terms.size, 2)

    @property
    def value_after_fees(self) -> Decimal:
        """What changes hands: of a buy with the fees on top, of a sell without them."""
        return self.filled_value + self.fees * self.side.sign


@dataclass(frozen=True)
class WireFill:
    """One trade of an account."""

    order: WireOrder
    trade_number: int
    at_ns: int
    price: Decimal
    size: Decimal
    fee: Decimal
    liquidity: Liquidity


def order_json(order: WireOrder) -> Json:
    """An order as REST shows it."""
    return {
        "order_id": order.order_id,
        "product_id": order.listed.product_id,
        "user_id": order.user_id,
        "order_configuration": order.configuration,
        "side": order.side.value,
        "client_order_id": order.client_order_id,
        "status": order.status,
        "time_in_force": order.terms.time_in_force,
        "created_time": stamp(order.created_ns),
        "completion_percentage": text(order.completion),
        "filled_size": text(order.filled),
        "average_filled_price": text(order.average_price),
        "fee": "",
        "number_of_fills": str(order.fills),
        "filled_value": text(order.filled_value),
        "pending_cancel": order.pending_cancel,
        "size_in_quote": False,
        "total_fees": text(order.fees),
        "size_inclusive_of_fees": False,
        "total_value_after_fees": text(order.value_after_fees),
        "trigger_status": order.trigger_status,
        "order_type": "LIQUIDATION" if order.liquidation else order.terms.order_type,
        "reject_reason": order.reject_reason,
        "settled": order.status == "FILLED",
        "product_type": "FUTURE",
        "reject_message": order.reject_message,
        "cancel_message": order.cancel_message,
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": text(order.hold),
        "is_liquidation": order.liquidation,
        "last_fill_time": stamp(order.last_fill_ns) if order.last_fill_ns else None,
        "edit_history": list(order.edits),
        "leverage": order.leverage,
        "margin_type": order.margin_type,
        "retail_portfolio_id": order.portfolio_id,
        "originating_order_id": order.originating_order_id,
        "attached_order_id": order.attached_order_id,
        "last_update_time": stamp(order.updated_ns),
    }


def user_order_json(order: WireOrder) -> Json:
    """An order as the user channel shows it; every value is text."""
    return {
        "avg_price": text(order.average_price),
        "cancel_reason": order.cancel_message,
        "client_order_id": order.client_order_id,
        "completion_percentage": text(order.completion),
        "contract_expiry_type": "EXPIRING",
        "cumulative_quantity": text(order.filled),
        "filled_value": text(order.filled_value),
        "leaves_quantity": text(order.leaves),
        "limit_price": text(order.terms.limit_price or ZERO),
        "number_of_fills": str(order.fills),
        "order_id": order.order_id,
        "order_side": order.side.value,
        "order_type": TITLES.get(order.terms.order_type, order.terms.order_type.title()),
        "outstanding_hold_amount": text(order.hold),
        "post_only": "true" if order.terms.post_only else "false",
        "product_id": order.listed.product_id,
        "product_type": "FUTURE",
        "reject_reason": order.reject_message,
        "retail_portfolio_id": order.portfolio_id,
        "risk_managed_by": "MANAGED_BY_FCM",
        "status": order.status,
        "stop_price": text(order.terms.stop_price) if order.terms.stop_price else "",
        "time_in_force": order.terms.time_in_force,
        "total_fees": text(order.fees),
        "total_value_after_fees": text(order.value_after_fees),
        "trigger_status": order.trigger_status,
        "creation_time": stamp(order.created_ns),
        "end_time": stamp(order.terms.end_ns) if order.terms.end_ns else NEVER,
        "start_time": stamp(order.terms.start_ns) if order.terms.start_ns else NEVER,
    }


def fill_json(fill: WireFill) -> Json:
    """A trade as REST shows it."""
    return {
        "entry_id": f"{fill.order.order_id}-{fill.trade_number}",
        "trade_id": str(fill.trade_number),
        "order_id": fill.order.order_id,
        "trade_time": stamp(fill.at_ns),
        "trade_type": "FILL",
        "price": text(fill.price),
        "size": text(fill.size),
        "commission": text(fill.fee),
        "product_id": fill.order.listed.product_id,
        "sequence_timestamp": stamp(fill.at_ns),
        "liquidity_indicator": fill.liquidity.value,
        "size_in_quote": False,
        "user_id": fill.order.user_id,
        "side": fill.order.side.value,
        "retail_portfolio_id": fill.order.portfolio_id,
    }
