"""What is still to happen on this day? Actions by time, and the accidents of a scenario among them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Final, Protocol

from gpt_trader.core.order_rules import round_price
from gpt_trader.core.values import OrderType, ProductSpec, Side, TimeInForce
from gpt_trader.research.bad_days.scenario import Accident, AccidentKind
from gpt_trader.venue.news import NewOrder

__all__ = ["Agenda", "Hands", "happen", "schedule"]

MS: Final = 1_000_000
FAR: Final = Decimal("0.05")
"""How far from the market a limit order by hand rests; it will hardly ever trade."""


class Agenda:
    """In order of time, and of one time in the order in which it was set."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._ties = itertools.count()

    def later(self, at_ns: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at_ns, next(self._ties), action))

    @property
    def next_ns(self) -> int | None:
        return self._due[0][0] if self._due else None

    def until(self, wanted_ns: int | None) -> int | None:
        """The wanted time, or what is due before it."""
        next_ns = self.next_ns
        if next_ns is None or wanted_ns is None:
            return wanted_ns if next_ns is None else next_ns
        return min(wanted_ns, next_ns)

    def run(self, now_ns: Callable[[], int]) -> None:
        """Everything that is due; what it takes time for may make more due."""
        while self._due and self._due[0][0] <= now_ns():
            heapq.heappop(self._due)[2]()


class Hands(Protocol):
    """What somebody else may do to the account and the machine."""

    def by_hand(self, order: NewOrder) -> None: ...

    def cancel_by_hand(self) -> None:
        """The first open order of all."""
        ...

    def stall(self, ms: int) -> None:
        """The machine sleeps."""
        ...

    def silence(self, ms: int) -> None:
        """No account message arrives, and nobody says so."""
        ...

    def lose_lease(self) -> None: ...

    def mark_price(self, symbol: str) -> Decimal | None: ...


def schedule(agenda: Agenda, start_ns: int, accidents: tuple[Accident, ...], act: Callable[[Accident], None]) -> None:
    for accident in accidents:
        agenda.later(start_ns + accident.at_ms * MS, partial(act, accident))


def happen(accident: Accident, hands: Hands, product: ProductSpec, number: int) -> None:
    """One accident, now; `number` makes its order's id."""
    match accident.kind:
        case AccidentKind.MANUAL_TRADE | AccidentKind.MANUAL_ORDER:
            order = _by_hand(accident, product, hands.mark_price(product.symbol), f"by-hand-{number}")
            if order is not None:
                hands.by_hand(order)
        case AccidentKind.MANUAL_CANCEL:
            hands.cancel_by_hand()
        case AccidentKind.SUSPEND:
            hands.stall(accident.ms)
        case AccidentKind.SILENT_STREAM:
            hands.silence(accident.ms)
        case AccidentKind.LEASE_LOST:
            hands.lose_lease()


def _by_hand(accident: Accident, product: ProductSpec, price: Decimal | None, name: str) -> NewOrder | None:
    """A market order, or a limit order that rests."""
    side = Side.BUY if accident.lots > 0 else Side.SELL
    quantity = abs(accident.lots) * product.lot
    if accident.kind is AccidentKind.MANUAL_TRADE:
        return NewOrder(
            client_order_id=name,
            symbol=product.symbol,
            side=side,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.IOC,
            quantity=quantity,
        )
    if price is None:
        return None
    return NewOrder(
        client_order_id=name,
        symbol=product.symbol,
        side=side,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=quantity,
        limit_price=round_price(price * (1 - side.sign * FAR), product.tick, side),
    )
