"""How did equity move, of a run whose log is not kept? Noted down at each fill, reckoned at the closes of steps.

Floats, for statistics; what money there is in the end is exact and comes from the ledger.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np

from gpt_trader.core.bus import EventBus
from gpt_trader.core.events import FundingApplied, OrderFilled, TransferObserved
from gpt_trader.market.stream import MarketStream
from gpt_trader.market.view import Floats, Ints
from gpt_trader.records.ledger import Ledger
from gpt_trader.report.price_path import PricePath

__all__ = ["EquityRecorder", "StepPrices", "step_prices"]


class StepPrices:
    """The last price of each symbol at the end of every step of time; the same for every run on one market."""

    def __init__(self, times_ns: Ints, last: Mapping[str, Floats]) -> None:
        self.times_ns = times_ns
        self.last = last

    def between(self, start_ns: int, end_ns: int) -> StepPrices:
        """The steps that end after `start_ns` and up to `end_ns`."""
        inside = (self.times_ns > start_ns) & (self.times_ns <= end_ns)
        return StepPrices(self.times_ns[inside], {symbol: last[inside] for symbol, last in self.last.items()})


def step_prices(stream: MarketStream, step_seconds: int) -> StepPrices:
    """Reads the whole market once."""
    path = PricePath(stream.products, stream.start_ns, stream.end_ns, step_seconds)
    for chunk in stream.chunks():
        path.add(chunk)
    return StepPrices(path.times_ns, {each.symbol: each.last for each in path.symbols()})


class EquityRecorder:
    """Cash and positions after each event that moved them."""

    def __init__(self, ledger: Ledger, symbols: Sequence[str]) -> None:
        self._ledger = ledger
        self._at_ns = array("q")
        self._cash = array("d")
        self._held = {symbol: (array("q"), array("d"), array("d")) for symbol in symbols}
        """Of each symbol: when, signed quantity, and what it cost, signed like the quantity."""

    def follow(self, bus: EventBus) -> None:
        """Listen; the ledger must listen already, since it is asked about each event."""
        bus.subscribe(OrderFilled, "equity of a trial", self._filled)
        bus.subscribe(FundingApplied, "equity of a trial", self._moved)
        bus.subscribe(TransferObserved, "equity of a trial", self._moved)

    def _filled(self, event: OrderFilled) -> None:
        totals = self._ledger.totals(event.symbol)
        at_ns, quantities, costs = self._held[event.symbol]
        at_ns.append(event.at_ns)
        quantities.append(float(totals.quantity))
        costs.append(float(totals.cost if totals.quantity > 0 else -totals.cost))
        self._moved(event)

    def _moved(self, event: OrderFilled | FundingApplied | TransferObserved) -> None:
        """Transfers are no result: cash is counted without them."""
        self._at_ns.append(event.at_ns)
        self._cash.append(float(self._ledger.cash - self._ledger.transfers))

    def curve(self, prices: StepPrices, start: float) -> Floats:
        """Equity net of transfers at the end of every step; a symbol without a price yet is flat and counts nothing."""
        times = prices.times_ns
        worth = _standing(self._at_ns, self._cash, times, start)
        for symbol, (at_ns, quantities, costs) in self._held.items():
            quantity = _standing(at_ns, quantities, times, 0.0)
            cost = _standing(at_ns, costs, times, 0.0)
            worth = worth + np.where(quantity != 0, quantity * prices.last[symbol] - cost, 0.0)
        return worth


def _standing(at_ns: array[int], values: array[float], times: Ints, before: float) -> Floats:
    """The value that stands at each time; `before` until the first."""
    places = np.searchsorted(np.array(at_ns, np.int64), times, side="right")
    found: Floats = np.concatenate([[before], np.array(values, np.float64)])[places]
    return found
