"""Where did price and equity go, as far as the log tells? Each price that an event names, and what a bot says of now.

A log has few prices: fills, decisions, the close of each hour. Of a simulated market all of them can be computed again
(`market_again`); of a live one the trail becomes fine from the moment on at which somebody began to look.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.events import (
    BarsSeen,
    Event,
    FundingApplied,
    OrderApproved,
    OrderFilled,
    TradingSignalGenerated,
)
from gpt_trader.core.values import ZERO
from gpt_trader.ops.picture import Picture
from gpt_trader.records.ledger import Ledger

__all__ = ["POINTS_MAX", "Line", "Trail"]

POINTS_MAX: Final = 4096
"""Of one line; when it is full every second point of its older half goes."""


class Line:
    """Values over time, never more than POINTS_MAX of them."""

    def __init__(self) -> None:
        self.at_ns: list[int] = []
        self.values: list[float] = []

    def add(self, at_ns: int, value: float) -> None:
        """A second value of the same moment takes the place of the first; what comes late is left out."""
        if self.at_ns and at_ns < self.at_ns[-1]:
            return
        if self.at_ns and at_ns == self.at_ns[-1]:
            self.values[-1] = value
            return
        self.at_ns.append(at_ns)
        self.values.append(value)
        if len(self.at_ns) > POINTS_MAX:
            half = POINTS_MAX // 2
            self.at_ns[:half] = self.at_ns[:half:2]
            self.values[:half] = self.values[:half:2]


class Trail:
    """Of one run."""

    def __init__(self) -> None:
        self.marks: dict[str, Decimal] = {}
        """Last known price by symbol."""
        self.prices: dict[str, Line] = {}
        self.equity = Line()

    def take(self, event: Event, ledger: Ledger) -> None:
        """Note the price that an event names; `ledger` has counted the event."""
        symbol, price, at_ns = _priced(event)
        if price <= ZERO:
            return
        self._price(symbol, at_ns, price)
        equity = self.equity_of(ledger)
        if equity is not None:
            self.equity.add(at_ns, float(equity))

    def see(self, picture: Picture) -> None:
        """Note what a running bot says of now."""
        for line in picture.symbols:
            if line.mark is not None:
                self._price(line.symbol, picture.time_ns, line.mark)
        if picture.equity is not None:
            self.equity.add(picture.time_ns, float(picture.equity))

    def equity_of(self, ledger: Ledger) -> Decimal | None:
        """At the last known prices; None while something is held that has none."""
        if not ledger.positions().keys() <= self.marks.keys():
            return None
        return ledger.equity(self.marks)

    def _price(self, symbol: str, at_ns: int, price: Decimal) -> None:
        self.marks[symbol] = price
        self.prices.setdefault(symbol, Line()).add(at_ns, float(price))


def _priced(event: Event) -> tuple[str, Decimal, int]:
    """Symbol, price, and when it was so; a price of zero where the event names none."""
    match event:
        case OrderFilled():
            return event.symbol, event.price, event.at_ns
        case OrderApproved():
            return event.symbol, event.arrival_mid, event.at_ns
        case TradingSignalGenerated():
            return event.symbol, event.reference_price, event.at_ns
        case FundingApplied():
            return event.symbol, event.price, event.at_ns
        case BarsSeen():
            return event.symbol, event.last_close, event.last_close_ns
        case _:
            return "", ZERO, 0
