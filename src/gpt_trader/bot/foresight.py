"""At which of the bars ahead must a strategy be asked? Keeps what those with a vectorised signal foresee."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np

from gpt_trader.market.view import BarWindow
from gpt_trader.strategies.base import Strategy
from gpt_trader.strategies.vector_form import BarColumns, VectorStrategy

__all__ = ["Foresight", "foresee"]


class Foresight:
    """One strategy and its bars of one window."""

    def __init__(self, strategy: VectorStrategy, own: Sequence[int], asked: Sequence[int]) -> None:
        """`own` are the places in the window of the bars that it foresaw; `asked` those of them that it named."""
        self._strategy = strategy
        self._own = own
        self._asked = asked
        self._place = 0

    def goes_on(self, place: int) -> None:
        """The strategy has seen all its bars before `place`."""
        self._place = place

    def next_asked(self, place: int, end: int) -> int:
        """The first bar from `place` on at which it must be asked; `end` where there is none before it."""
        found = bisect_left(self._asked, place)
        return min(end, self._asked[found]) if found < len(self._asked) else end

    def pass_to(self, place: int) -> None:
        """Its bars before `place` are over, and it wanted nothing at any that it has not seen."""
        low, high = bisect_left(self._own, self._place), bisect_left(self._own, place)
        if low < high:
            self._strategy.pass_over(low, high)
            self._place = place


def foresee(window: BarWindow, start: int, strategies: Mapping[str, Strategy]) -> list[Foresight] | None:
    """One for each product, from `start` to the end of the window; None where one of them must see every bar."""
    found = []
    for product, symbol in enumerate(window.symbols):
        strategy = strategies[symbol]
        if not isinstance(strategy, VectorStrategy):
            return None
        own = np.flatnonzero(window.products[start:] == product) + start
        asked = strategy.foresee(
            BarColumns(
                close_ns=window.close_ns[own],
                open=window.open[own],
                high=window.high[own],
                low=window.low[own],
                close=window.close[own],
                volume=window.volume[own],
            )
        )
        if asked is None:
            return None
        found.append(Foresight(strategy, own.tolist(), own[asked].tolist()))
    return found
