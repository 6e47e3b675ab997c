"""What became of each position? From flat to flat: entry, exit, and what it earned, from the log alone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.core.events import OrderFilled, PositionClosed
from gpt_trader.core.values import ZERO, Side, Value

__all__ = ["LIQUIDATION", "RoundTrip", "TripBook"]

LIQUIDATION = "LIQUIDATION"
"""Cause of a fill that the venue made to close what could not be carried."""


class RoundTrip(Value, frozen=True, kw_only=True):
    """One position from flat to flat. Money in the quote currency; price PnL, fees and funding are the ledger's."""

    number: int
    symbol: str
    side: Side
    opened_ns: int
    closed_ns: int
    quantity: Decimal
    """Largest that was held."""
    entry_price: Decimal
    """Average over all fills that opened it."""
    exit_price: Decimal
    price_pnl: Decimal
    fees: Decimal
    funding: Decimal
    fills: int
    arrival_cost: Decimal
    """What its fills cost against the middle of the book when each was decided; fees apart."""
    entry_reason: str
    exit_reason: str

    @property
    def net(self) -> Decimal:
        return self.price_pnl - self.fees + self.funding

    @property
    def seconds(self) -> float:
        return (self.closed_ns - self.opened_ns) / 1e9


@dataclass(slots=True)
class _Leg:
    """Sums over the fills of one direction."""

    quantity: Decimal = ZERO
    value: Decimal = ZERO

    def add(self, quantity: Decimal, price: Decimal) -> None:
        self.quantity += quantity
        self.value += quantity * price

    @property
    def price(self) -> Decimal:
        return self.value / self.quantity if self.quantity else ZERO


class _Open:
    """A position that is not closed yet."""

    def __init__(self, fill: OrderFilled, reason: str) -> None:
        self.side = fill.side
        self.opened_ns = fill.at_ns
        self.reason = reason
        self.entry = _Leg()
        self.exit = _Leg()
        self.largest = ZERO
        self.fills = 0
        self.arrival_cost = ZERO
        self.exit_reason = ""

    def take(self, fill: OrderFilled, quantity: Decimal, leg: _Leg) -> None:
        leg.add(quantity, fill.price)
        self.largest = max(self.largest, self.entry.quantity - self.exit.quantity)
        self.fills += 1
        if fill.arrival_mid > 0:
            self.arrival_cost += (fill.price - fill.arrival_mid) * quantity * fill.side.sign


class TripBook:
    """Fed with fills as the ledger counts them; a fill that turns a position ends one trip and begins another."""

    def __init__(self) -> None:
        self.trips: list[RoundTrip] = []
        self._open: dict[str, _Open] = {}

    def fill(self, event: OrderFilled, before: Decimal, closed: PositionClosed | None, reason: str) -> None:
        """`before` is what was held, `closed` the ledger's word on a position that this fill ended."""
        signed = event.quantity * event.side.sign
        opposite = before * signed < 0
        closing = min(event.quantity, abs(before)) if opposite else ZERO
        if closing:
            trip = self._open[event.symbol]
            trip.take(event, closing, trip.exit)
            trip.exit_reason = LIQUIDATION.lower() if event.cause == LIQUIDATION else reason
            if closed is not None:
                self._end(trip, event, closed)
        if event.quantity > closing:
            opened = self._open.get(event.symbol)
            if opened is None:
                opened = self._open[event.symbol] = _Open(event, reason)
            opened.take(event, event.quantity - closing, opened.entry)

    def _end(self, trip: _Open, last: OrderFilled, closed: PositionClosed) -> None:
        del self._open[last.symbol]
        self.trips.append(
            RoundTrip(
                number=len(self.trips) + 1,
                symbol=last.symbol,
                side=trip.side,
                opened_ns=trip.opened_ns,
                closed_ns=last.at_ns,
                quantity=trip.largest,
                entry_price=trip.entry.price,
                exit_price=trip.exit.price,
                price_pnl=closed.realised_pnl,
                fees=closed.fees,
                funding=closed.funding,
                fills=trip.fills,
                arrival_cost=trip.arrival_cost,
                entry_reason=trip.reason,
                exit_reason=trip.exit_reason,
            )
        )
