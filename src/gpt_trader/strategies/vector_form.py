"""At which of these bars might it want something? The vectorised form of a strategy's signal, and how it is held to
the step-by-step form.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from gpt_trader.core.values import Bar
from gpt_trader.market.view import Floats, Ints
from gpt_trader.strategies.base import Strategy

__all__ = ["BarColumns", "VectorStrategy", "find_disagreement"]


class BarColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Closed bars of one symbol, oldest first: the same numbers as in as many `Bar`s."""

    close_ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.close_ns)

    def bar(self, symbol: str, place: int) -> Bar:
        return Bar(
            symbol,
            int(self.close_ns[place]),
            float(self.open[place]),
            float(self.high[place]),
            float(self.low[place]),
            float(self.close[place]),
            float(self.volume[place]),
        )


@runtime_checkable
class VectorStrategy(Strategy, Protocol):
    """A strategy that also offers its signal in vectorised form; a backtest then passes over the bars at which it
    would say nothing.

    `decide` stays the truth: whatever is said, it says. Every strategy that offers this form is held to it bar by bar
    by tests/contract/test_vector_form.py; `find_disagreement` does the same for one of your own.
    """

    def foresee(self, bars: BarColumns) -> Ints | None:
        """Places, in rising order, of those of the next bars at which `decide` may answer anything but None, whatever
        position is held. None where that cannot be said, as it is set up. Nothing is taken in."""
        ...

    def pass_over(self, start: int, end: int) -> None:
        """Take in the bars from place `start` to before `end` of those last foreseen, none of which was named: after
        it `decide` goes on as if it had seen each of them. All bars before `start` have been seen or passed."""
        ...


def find_disagreement(
    by_steps: Strategy, vector: VectorStrategy, bars: BarColumns, position: float = 0.0, symbol: str = "CHECK-PERP"
) -> str:
    """Where the vectorised form says something else than `decide` over these bars, in words; empty where nowhere.

    Takes two new strategies, set up alike. The forecast is made anew in the middle, as after every window.
    """
    start = min(len(bars), by_steps.warmup_bars)
    for place in range(start):
        bar = msgspec.structs.replace(bars.bar(symbol, place), history=True)
        by_steps.decide(bar, position)
        vector.decide(bar, position)
    for low, high in ((start, (start + len(bars)) // 2), ((start + len(bars)) // 2, len(bars))):
        if found := _disagreement(by_steps, vector, _part(bars, low, high), position, symbol):
            return f"bar {low + found[0]}: {found[1]}"
    return ""


def _disagreement(
    by_steps: Strategy, vector: VectorStrategy, bars: BarColumns, position: float, symbol: str
) -> tuple[int, str] | None:
    """Place and words of the first difference."""
    foreseen = vector.foresee(bars)
    named = set(range(len(bars)) if foreseen is None else foreseen.tolist())
    done = 0
    for place in range(len(bars)):
        bar = bars.bar(symbol, place)
        wanted = by_steps.decide(bar, position)
        if place not in named:
            if wanted is not None:
                return place, f"decide says {wanted}, and the bar was foreseen to be silent"
            continue
        if done < place:
            vector.pass_over(done, place)
        done = place + 1
        answer = vector.decide(bar, position)
        if answer != wanted:
            return place, f"decide says {answer} after bars were passed over, instead of {wanted}"
    if done < len(bars):
        vector.pass_over(done, len(bars))
    if by_steps.state() != vector.state():
        return len(bars) - 1, f"the state is {vector.state()} instead of {by_steps.state()}"
    return None


def _part(bars: BarColumns, low: int, high: int) -> BarColumns:
    names = bars.__struct_fields__
    return BarColumns(**dict(zip(names, (column[low:high] for column in msgspec.structs.astuple(bars)), strict=True)))
