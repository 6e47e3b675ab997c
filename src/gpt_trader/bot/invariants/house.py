"""What must hold in the memory of the bot? Pure looks at its parts, between two steps, beside what the log has told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.bot.invariants.log import LogWatch
from gpt_trader.bot.invariants.table import Broken
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.values import ZERO, OrderType, Side
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.execution.engine import SharedParts
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.placement.order_manager import CLOSED_ORDERS_MAX, WATCHED_ORDERS_MAX, OrderManager
from gpt_trader.records.ledger import Ledger

__all__ = ["House", "after_boot", "look"]


@dataclass(frozen=True, kw_only=True)
class House:
    """The parts that are looked at."""

    orders: OrderManager
    ledger: Ledger
    guards: GuardManager
    stops: StopTriggerManager
    adapter: ExchangeAdapter
    bus: EventBus
    clock: Clock

    @classmethod
    def of(cls, parts: SharedParts, ledger: Ledger) -> House:
        return cls(
            orders=parts.orders,
            ledger=ledger,
            guards=parts.guards,
            stops=parts.stops,
            adapter=parts.adapter,
            bus=parts.bus,
            clock=parts.clock,
        )


def look(house: House, log: LogWatch) -> Iterator[Broken]:
    """All that can be seen without the venue, in a bot that has caught up."""
    yield from _positions(house, log)
    yield from _orders(house, log)
    yield from _open_quantities(house, log)
    yield from _stops(house)
    yield from _untended(house, log)
    yield from _memory(house)


def after_boot(house: House, log: LogWatch) -> Iterator[Broken]:
    """What a restart must have kept; `log` has taken the whole stored log."""
    tripped = {(guard, symbol) for guard, symbol, _ in house.guards.tripped()}
    for guard, symbol in log.tripped.keys() - tripped:
        yield Broken(number=21, symbol=symbol, detail=f"{guard} had tripped and has not after the restart")
    for guard, symbol in tripped - log.tripped.keys():
        yield Broken(number=21, symbol=symbol, detail=f"{guard} is tripped after the restart and was not before")
    for broken in (*_positions(house, log), *_orders(house, log)):
        yield Broken(number=22, symbol=broken.symbol, detail=f"after replay: {broken.detail}")


def _positions(house: House, log: LogWatch) -> Iterator[Broken]:
    held = {symbol: position.quantity for symbol, position in house.ledger.positions().items()}
    for symbol in held.keys() | log.positions.keys():
        ledger, trades = held.get(symbol, ZERO), log.positions.get(symbol, ZERO)
        if ledger != trades:
            yield Broken(number=2, symbol=symbol, detail=f"ledger {ledger}, trades {trades}")


def _orders(house: House, log: LogWatch) -> Iterator[Broken]:
    """Living orders are the log's, each as the log tells it; never two of one intent."""
    living = {order.client_order_id: order for order in house.orders.living()}
    for name in living.keys() - log.living.keys():
        yield Broken(number=22, detail=f"{name} lives in memory ({living[name].state}) and not in the log")
    for name, seen in log.living.items():
        order = living.get(name)
        symbol = seen.submitted.symbol
        if order is None:
            yield Broken(number=10, symbol=symbol, detail=f"{name} is {seen.state} in the log and does not count")
        elif order.state is not seen.state or order.filled != seen.filled:
            detail = f"{name}: {order.state} {order.filled} in memory, {seen.state} {seen.filled} in the log"
            yield Broken(number=22, symbol=symbol, detail=detail)
    intents = Counter(order.submitted.intent_id for order in living.values())
    for intent, count in intents.items():
        if count > 1:
            yield Broken(number=4, detail=f"{count} living orders of {intent}")


def _open_quantities(house: House, log: LogWatch) -> Iterator[Broken]:
    """Limits count at least what the log says may still fill, UNKNOWN in full."""
    wanted: dict[str, list[Decimal]] = {}
    for seen in log.living.values():
        place = 2 * seen.submitted.reduce_only + (seen.submitted.side is Side.SELL)
        wanted.setdefault(seen.submitted.symbol, [ZERO] * 4)[place] += seen.may_still_fill
    for symbol, quantities in wanted.items():
        counted = house.orders.open_quantities(symbol)
        if any(least > most for least, most in zip(quantities, counted, strict=True)):
            detail = f"counted {', '.join(map(str, counted))}; may fill {', '.join(map(str, quantities))}"
            yield Broken(number=10, symbol=symbol, detail=detail)


def _stops(house: House) -> Iterator[Broken]:
    kept = Counter(trigger.symbol for trigger in house.stops.kept() if not trigger.is_target)
    resting = Counter(
        order.submitted.symbol for order in house.orders.living() if order.submitted.order_type is OrderType.STOP_LIMIT
    )
    for symbol, count in (kept | resting).items():
        if count > 1:
            yield Broken(number=4, symbol=symbol, detail=f"{kept[symbol]} stops kept, {resting[symbol]} at the venue")


def _untended(house: House, log: LogWatch) -> Iterator[Broken]:
    """A stop of an open position rests at the venue or is watched here; somebody tends it in either case."""
    for symbol, stop_id in log.stops:
        if house.ledger.position(symbol).quantity and not house.stops.tends(symbol):
            yield Broken(number=37, symbol=symbol, detail=f"nobody tends {stop_id}")


def _memory(house: House) -> Iterator[Broken]:
    """Orders in memory: those that live, and the named windows."""
    kept = house.orders.kept
    bound = CLOSED_ORDERS_MAX + WATCHED_ORDERS_MAX + sum(1 for _ in house.orders.living())
    if kept > bound:
        yield Broken(number=33, detail=f"{kept} orders in memory, at most {bound} expected")
