"""May this order leave? Judged beside the order path, from the frozen order and the world at that moment."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from gpt_trader.bot.invariants.table import Broken
from gpt_trader.core.clock import NS
from gpt_trader.core.values import (
    ZERO,
    Mark,
    Mode,
    OrderTicket,
    OrderType,
    ProductSpec,
    Purpose,
    Side,
    TradingStatus,
    Value,
)

__all__ = ["SLACK", "SendingWorld", "judge"]

SLACK: Final = Decimal("1.05")
"""Marks and equity move between a decision and its order; so much more than a limit is no break."""
BAND: Final = Decimal("0.30")
"""No price of ours lies further from the mark, whatever collar or stop made it."""


class SendingWorld(Value, frozen=True, kw_only=True):
    """What an order is judged by: the bot's own view in production, the venue's truth in a simulation."""

    now_ns: int
    mode: Mode
    product: ProductSpec
    mark: Mark | None
    account_ns: int
    """When the account was last heard of."""
    equity: Decimal
    position: Decimal
    entries_same_side: Decimal = ZERO
    """What other orders on this side may add."""
    closing_same_side: Decimal = ZERO
    """What other reduce-only orders on this side may still close."""
    recovered: bool = True
    mark_age_seconds_max: Decimal
    account_age_seconds_max: Decimal
    position_share_max: Decimal
    """Largest notional of the symbol, as a share of equity."""


def judge(ticket: OrderTicket, world: SendingWorld) -> Iterator[Broken]:
    """Everything that is wrong with it."""
    for number, detail in _findings(ticket, world):
        yield Broken(number=number, symbol=ticket.symbol, detail=f"{ticket.client_order_id}: {detail}")


def _findings(ticket: OrderTicket, world: SendingWorld) -> Iterator[tuple[int, str]]:
    entry = not ticket.reduce_only
    if not world.recovered:
        yield 25, "left before the recovery had ended"
    if world.mode in (Mode.CANCEL_ONLY, Mode.FROZEN) or (world.mode is Mode.REDUCE_ONLY and entry):
        yield 12, f"left in mode {world.mode}"
    if (ticket.purpose is Purpose.ENTRY) is not entry:
        yield 12, f"is {ticket.purpose} and reduce_only is {ticket.reduce_only}"
    yield from _status(ticket, world.product.status)
    malformed = tuple(_form(ticket, world))
    yield from malformed
    if malformed:
        return  # nothing can be reckoned with it
    if entry:
        yield from _freshness(world)
        yield from _exposure(ticket, world)
    else:
        yield from _reduction(ticket, world)


def _form(ticket: OrderTicket, world: SendingWorld) -> Iterator[tuple[int, str]]:
    product = world.product
    if not _on_grid(ticket.quantity, product.lot):
        yield 14, f"quantity {ticket.quantity} on lot {product.lot}"
    for name, price in (("limit", ticket.limit_price), ("stop", ticket.stop_price)):
        if price is None:
            continue
        if not _on_grid(price, product.tick):
            yield 14, f"{name} price {price} on tick {product.tick}"
        elif world.mark is not None and not ticket.reduce_only and abs(price / world.mark.price - 1) > BAND:
            yield 14, f"{name} price {price} with the mark at {world.mark.price}"
    if ticket.order_type is not OrderType.MARKET and ticket.limit_price is None:
        yield 14, "has no limit price"


def _on_grid(value: Decimal, unit: Decimal) -> bool:
    return value.is_finite() and value > 0 and value % unit == 0


def _status(ticket: OrderTicket, status: TradingStatus) -> Iterator[tuple[int, str]]:
    allowed = (
        status is TradingStatus.OPEN
        or (status is TradingStatus.LIMIT_ONLY and ticket.order_type is not OrderType.MARKET)
        or (status is TradingStatus.POST_ONLY and ticket.post_only)
    )
    if not allowed and not ticket.reduce_only:
        yield 17, f"{ticket.order_type} left while the product is {status}"


def _freshness(world: SendingWorld) -> Iterator[tuple[int, str]]:
    """Prices and money were fresh when the entry was decided; a tactic works on with a fresh book."""
    if world.mark is None:
        yield 15, "an entry without a mark"
        return
    account_age = Decimal(world.now_ns - world.account_ns) / NS
    if account_age > world.account_age_seconds_max:
        yield 15, f"an entry on an account {account_age} s old"


def _exposure(ticket: OrderTicket, world: SendingWorld) -> Iterator[tuple[int, str]]:
    if world.mark is None:
        return
    sign = ticket.side.sign
    worst = max(ZERO, sign * world.position + world.entries_same_side + ticket.quantity) * world.mark.price
    limit = world.position_share_max * max(ZERO, world.equity) * SLACK
    if worst > limit:
        yield 11, f"worst notional {worst} above {limit}"


def _reduction(ticket: OrderTicket, world: SendingWorld) -> Iterator[tuple[int, str]]:
    """Together with the other closers it closes no more than is open."""
    is_open = -world.position if ticket.side is Side.BUY else world.position
    if ticket.quantity + world.closing_same_side > is_open:
        yield 13, f"{ticket.quantity} beside {world.closing_same_side} closing, and {is_open} are open"
