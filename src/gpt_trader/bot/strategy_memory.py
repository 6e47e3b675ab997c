"""What did a strategy know? Its state goes to the log, and comes back after a restart together with the bars since.

A strategy is brought to where it would be had it never stopped. Bars up to its saved state only fill its averages;
those since are shown to it as they came, and what they make it want is dropped: it was wanted then, or nobody was
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Number
from gpt_trader.core.events import Event, StrategyStateSaved
from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Strategy

__all__ = ["StrategyMemory"]


class StrategyMemory:
    """By symbol, as strategies are."""

    def __init__(self, bus: EventBus, clock: Clock, strategies: Mapping[str, Strategy]) -> None:
        self._bus = bus
        self._clock = clock
        self._strategies = strategies
        self._saved: dict[str, StrategyStateSaved] = {}

    def restore(self, event: Event) -> None:
        """Take one stored event back in, oldest first."""
        if isinstance(event, StrategyStateSaved):
            self._saved[event.symbol] = event

    def state(self) -> tuple[StrategyStateSaved, ...]:
        """For a snapshot."""
        return tuple(self._saved.values())

    def load(self, state: tuple[StrategyStateSaved, ...]) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._saved = {kept.symbol: kept for kept in state}

    def save(self, symbol: str, state: Mapping[str, Number]) -> None:
        """Write what its strategy knows down, if it is something else than was written last."""
        name, text = self._strategies[symbol].name, msgspec.json.encode(state, order="deterministic").decode()
        saved = self._saved.get(symbol)
        if saved is not None and (saved.strategy, saved.state) == (name, text):
            return
        fact = StrategyStateSaved(at_ns=self._clock.now_ns(), strategy=name, symbol=symbol, state=text)
        self._saved[symbol] = fact
        self._bus.publish(fact)

    def recall(self, symbol: str, past: Sequence[Bar], position: float) -> None:
        """Bring the strategy to where it would be; `past` are closed bars up to now, `position` is what is held."""
        strategy, saved = self._strategies[symbol], self._saved.get(symbol)
        if saved is None or saved.strategy != strategy.name:
            for bar in past:
                strategy.decide(_as_history(bar), position)
            return
        for bar in past:
            if bar.close_ns <= saved.at_ns:
                strategy.decide(_as_history(bar), position)
        strategy.restore(msgspec.json.decode(saved.state, type=dict[str, int | str]))
        for bar in past:
            if bar.close_ns > saved.at_ns:
                strategy.decide(_as_it_came(bar), position)


def _as_history(bar: Bar) -> Bar:
    return Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, history=True)


def _as_it_came(bar: Bar) -> Bar:
    return Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume)
