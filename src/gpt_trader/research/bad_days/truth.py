"""What is asked of a venue on a bad day, whichever adapter trades there? Its time, its truth, and clients that die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Protocol

from gpt_trader.bot.invariants.truth import HeldOrder, VenueTruth
from gpt_trader.core.clock import Clock
from gpt_trader.core.values import ZERO, BookView, OrderTicket, Value
from gpt_trader.exchange.base import ExchangeAdapter, PreparedOrder

__all__ = ["BOOK_LEVELS", "Fate", "Hears", "Wire", "held_order"]


BOOK_LEVELS: Final = 50
"""Of each side of a book that is compared."""


class Hears(Value, frozen=True, kw_only=True):
    """Who is told of what passes between a process and its venue."""

    effect: Callable[[str], None]
    """Of everything that the process does to the outside or hears from it, by name; may raise Killed."""
    leaving: Callable[[PreparedOrder], None]
    """Of every order, at the moment at which its bytes leave."""
    cancelling: Callable[[str], None]
    """The same for a cancel, by client order id."""
    lose_lease: Callable[[], None]
    """That somebody takes the lease away."""


class Fate(Value, frozen=True, kw_only=True):
    """What has become of one order at the venue."""

    ended: bool
    filled: Decimal


class Wire(Protocol):
    """A venue that outlives the bots which connect to it, and the world of their loops."""

    at_peace: bool
    """Faults are over."""
    hit: Counter[str]
    """Faults that came about, by kind."""

    def process(self, boot: int) -> tuple[ExchangeAdapter, Clock]:
        """Of a process that starts: its adapter and its clock."""
        ...

    def forget_client(self) -> None:
        """The process is gone."""
        ...

    def advance(self, until_ns: int | None) -> int: ...

    def move(self, until_ns: int) -> None:
        """Let time pass with nobody there."""
        ...

    def stall(self, ms: int) -> None:
        """Let time pass in the midst of a step of the process."""
        ...

    def fate(self, client_order_id: str) -> Fate | None:
        """None for what the venue has never seen."""
        ...

    def truth(self, tickets: Mapping[str, OrderTicket], *, whole: bool = False) -> VenueTruth:
        """The account now; with its trades and money where it is asked for whole."""
        ...

    def book(self, symbol: str) -> BookView | None:
        """The venue's own, for who is told it by frames; None where the client looks at the venue's itself."""
        ...

    def equity(self) -> Decimal: ...

    def position(self, symbol: str) -> Decimal: ...


def held_order(ticket: OrderTicket | None, name: str, symbol: str, filled: Decimal) -> HeldOrder:
    """An open order as the judge compares it; what is not ours has no ticket."""
    return HeldOrder(
        client_order_id=name,
        symbol=symbol,
        reduce_only=ticket.reduce_only if ticket is not None else False,
        left=(ticket.quantity if ticket is not None else ZERO) - filled,
    )
