"""Does the venue agree? What the bot believes beside what the venue holds, and not beside our own numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from gpt_trader.bot.invariants.house import House
from gpt_trader.bot.invariants.log import LogWatch
from gpt_trader.bot.invariants.table import Broken
from gpt_trader.core.ids import CLIENT_ORDER_ID_PREFIX
from gpt_trader.core.values import ZERO, OrderState, Value

__all__ = ["HeldOrder", "HeldTrade", "VenueTruth", "compare", "compare_at_rest"]

ROUNDING: Final = Decimal("1e-6")
"""Sums of amounts that were rounded to 1e-8 in another order."""
LATE: Final = frozenset({OrderState.FAILED})
"""Held for never placed after enough reads: it may still show up late, and is then taken back in with an alarm."""


class HeldOrder(Value, frozen=True, kw_only=True):
    """An order that can still trade at the venue."""

    client_order_id: str
    symbol: str
    reduce_only: bool
    left: Decimal


class HeldTrade(Value, frozen=True, kw_only=True):
    """One trade as the venue has it."""

    client_order_id: str
    trade_id: str
    symbol: str
    signed: Decimal
    cause: str = "OWN"


class VenueTruth(Value, frozen=True, kw_only=True):
    """The account as the venue holds it at one moment."""

    open_orders: Mapping[str, HeldOrder]
    positions: Mapping[str, Decimal]
    """Those that are not flat."""
    trades: tuple[HeldTrade, ...] = ()
    cash: Decimal | None = None
    """None where it is not known to the last digit."""
    equity: Decimal | None = None
    marks: Mapping[str, Decimal] = {}
    """Of everything that is held, as `equity` was reckoned with."""


def compare(log: LogWatch, truth: VenueTruth) -> Iterator[Broken]:
    """What must hold at any moment, messages under way or not."""
    intents: dict[str, str] = {}
    for name, held in truth.open_orders.items():
        if not name.startswith(CLIENT_ORDER_ID_PREFIX):
            continue
        seen = log.orders.get(name)
        if seen is None:
            yield Broken(number=5, symbol=held.symbol, detail=f"{name} is at the venue and not in the log")
            continue
        if seen.state.is_terminal and seen.state not in LATE:
            detail = f"{name} is {seen.state} here and has {held.left} open at the venue"
            yield Broken(number=7, symbol=held.symbol, detail=detail)
        twin = intents.setdefault(seen.submitted.intent_id, name)
        if twin != name:
            detail = f"{twin} and {name} of one intent are both open at the venue"
            yield Broken(number=4, symbol=held.symbol, detail=detail)


def compare_at_rest(house: House, log: LogWatch, truth: VenueTruth) -> Iterator[Broken]:
    """What must hold once all is still: faults over, everything read."""
    yield from compare(log, truth)
    yield from _positions(house, truth)
    yield from _open_orders(house, log, truth)
    yield from _trades(log, truth)
    for seen in log.living.values():
        if seen.state in (OrderState.UNKNOWN, OrderState.SUBMITTED):
            name = seen.submitted.client_order_id
            yield Broken(number=10, symbol=seen.submitted.symbol, detail=f"{name} is still {seen.state}")
    yield from _money(house, log, truth)


def _money(house: House, log: LogWatch, truth: VenueTruth) -> Iterator[Broken]:
    """Equity always; cash where trades became known in their order, since what is realised depends on it."""
    if house.ledger.externals():
        return  # what somebody else holds has cost somebody else's money
    if truth.cash is not None and house.ledger.cash != truth.cash and not log.late_trades:
        yield Broken(number=3, detail=f"cash {house.ledger.cash} here, {truth.cash} at the venue")
    if truth.equity is None or not house.ledger.positions().keys() <= truth.marks.keys():
        return
    equity = house.ledger.equity(truth.marks)
    if abs(equity - truth.equity) > ROUNDING:
        yield Broken(number=19, detail=f"equity {equity} here, {truth.equity} at the venue")


def _positions(house: House, truth: VenueTruth) -> Iterator[Broken]:
    held = {symbol: position.quantity for symbol, position in house.ledger.positions().items()}
    for symbol in held.keys() | truth.positions.keys():
        ours, theirs = held.get(symbol, ZERO) + house.ledger.external(symbol), truth.positions.get(symbol, ZERO)
        if ours != theirs:
            yield Broken(number=3, symbol=symbol, detail=f"position {ours} here, {theirs} at the venue")


def _open_orders(house: House, log: LogWatch, truth: VenueTruth) -> Iterator[Broken]:
    living = {order.client_order_id: order for order in house.orders.living()}
    for name, held in truth.open_orders.items():
        if name.startswith(CLIENT_ORDER_ID_PREFIX) and name not in living:
            state = log.orders[name].state if name in log.orders else "not in the log"
            yield Broken(number=3, symbol=held.symbol, detail=f"{name} is open at the venue and {state} here")
        elif name in living and living[name].may_still_fill != held.left:
            detail = f"{name}: {living[name].may_still_fill} open here, {held.left} at the venue"
            yield Broken(number=3, symbol=held.symbol, detail=detail)
    for name, order in living.items():
        if name not in truth.open_orders:
            detail = f"{name} is {order.state} here and not open at the venue"
            yield Broken(number=3, symbol=order.submitted.symbol, detail=detail)


def _trades(log: LogWatch, truth: VenueTruth) -> Iterator[Broken]:
    """Every trade of ours is in the log; sums per order, since ids alone do not show a trade of the wrong size."""
    venue: dict[str, Decimal] = {}
    for trade in truth.trades:
        if trade.client_order_id.startswith(CLIENT_ORDER_ID_PREFIX):
            venue[trade.client_order_id] = venue.get(trade.client_order_id, ZERO) + abs(trade.signed)
    for name, quantity in venue.items():
        seen = log.orders.get(name)
        if seen is None:
            yield Broken(number=5, detail=f"{name} traded {quantity} at the venue and is not in the log")
        elif seen.filled != quantity:
            detail = f"{name}: {seen.filled} traded here, {quantity} at the venue"
            yield Broken(number=9, symbol=seen.submitted.symbol, detail=detail)
