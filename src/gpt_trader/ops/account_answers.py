"""How is an account told to a person or a script? Plain values: money and sizes as text, in the account's currency."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from gpt_trader.core.clock import NS
from gpt_trader.core.events import FlattenEnded
from gpt_trader.core.values import Account, ExecutionReport, Position, ProductSpec
from gpt_trader.exchange.base import OrderPreview, OrderUpdate
from gpt_trader.placement.order_manager import ManagedOrder

__all__ = [
    "Answer",
    "account_answer",
    "fee_answer",
    "flatten_answer",
    "order_answer",
    "position_answer",
    "preview_answer",
    "product_answer",
    "report_answer",
    "venue_order_answer",
]

Answer = dict[str, object]
"""Text, whole numbers, yes/no, lists and tables of these; money as text."""


def account_answer(venue: str, name: str, account: Account, now_ns: int) -> Answer:
    return {
        "venue": venue,
        "account": name,
        "equity": str(account.equity),
        "cash": str(account.cash),
        "initial_margin": str(account.initial_margin),
        "maintenance_margin": str(account.maintenance_margin),
        "available_margin": str(account.available_margin),
        "age_seconds": round((now_ns - account.received_ns) / NS, 3),
    }


def position_answer(symbol: str, quantity: Decimal, entry_price: Decimal, mark: Decimal | None) -> Answer:
    """Without a mark nothing is said of its profit."""
    return {
        "symbol": symbol,
        "quantity": str(quantity),
        "entry_price": str(entry_price),
        "mark": None if mark is None else str(mark),
        "unrealised": None if mark is None else str(quantity * (mark - entry_price)),
    }


def order_answer(order: ManagedOrder, now_ns: int) -> Answer:
    """One that this run has written down."""
    submitted = order.submitted
    return {
        "order": order.client_order_id,
        "symbol": submitted.symbol,
        "side": submitted.side.value,
        "type": submitted.order_type.value,
        "tif": submitted.time_in_force.value,
        "quantity": str(submitted.quantity),
        "filled": str(order.filled),
        "limit": _text(submitted.limit_price),
        "stop": _text(submitted.stop_price),
        "state": order.state.value,
        "strategy": submitted.strategy,
        "tactic": submitted.tactic,
        "age_seconds": round((now_ns - submitted.at_ns) / NS, 3),
        "venue_order": order.venue_order_id,
    }


def venue_order_answer(update: OrderUpdate) -> Answer:
    """One that the venue lists; its side and price stand in the log of the run that sent it."""
    return {
        "order": update.client_order_id,
        "symbol": update.symbol,
        "filled": str(update.filled),
        "state": update.state.value,
        "venue_order": update.venue_order_id,
    }


def product_answer(product: ProductSpec) -> Answer:
    margin = product.margin_overnight
    return {
        "symbol": product.symbol,
        "venue_symbol": product.venue_symbol,
        "status": product.status.value,
        "tick": str(product.tick),
        "lot": str(product.lot),
        "contract_size": str(product.contract_size),
        "min_quantity": str(product.min_quantity),
        "max_quantity": str(product.max_quantity),
        "margin_long": str(margin.initial_long),
        "margin_short": str(margin.initial_short),
        "funding_seconds": product.funding_interval_seconds,
    }


def fee_answer(product: ProductSpec) -> Answer:
    return {"symbol": product.symbol, "maker": str(product.maker_fee_rate), "taker": str(product.taker_fee_rate)}


def report_answer(report: ExecutionReport) -> Answer:
    """What became of an intent, at the moment at which the hallway let go of it."""
    return {
        "intent": report.intent_id,
        "outcome": report.outcome,
        "code": report.code,
        "numbers": {name: str(value) for name, value in report.numbers.items()},
        "orders": list(report.client_order_ids),
        "quantity": str(report.quantity),
        "filled": str(report.filled),
        "average_price": _text(report.average_price),
        "slippage_bps": _text(report.slippage_bps),
    }


def flatten_answer(ended: FlattenEnded, externals: Mapping[str, Position]) -> Answer:
    """Whether it is flat at the venue, else why not; and what was not ours to close."""
    return {
        "flat": ended.flat,
        "tactic": ended.tactic,
        "took_seconds": f"{ended.took_ms / 1000:.3f}",
        "limit_seconds": f"{ended.limit_ms / 1000:.3f}",
        "positions": {symbol: str(quantity) for symbol, quantity in ended.positions.items()},
        "orders": list(ended.orders),
        "reasons": list(ended.reasons),
        "external": {symbol: str(each.quantity) for symbol, each in externals.items()},
    }


def preview_answer(preview: OrderPreview) -> Answer:
    return {
        "errors": list(preview.errors),
        "warnings": list(preview.warnings),
        "commission": _text(preview.commission),
        "margin": _text(preview.margin),
        "slippage": _text(preview.slippage),
        "liquidation_price": _text(preview.liquidation_price),
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
