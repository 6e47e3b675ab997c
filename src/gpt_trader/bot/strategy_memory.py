"""What did a strategy know? Its state goes to the log, and comes back after a restart together with the bars since.

A strategy is brought to where it would be had it never stopped. Bars up to its saved state only fill its averages; bars
that the boot before still saw are shown again as they were then, and what they make it want was wanted then; bars that
nobody saw are history: known, and not acted upon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
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
        self._alive_ns = 0
        """Time of the last event of the boot before."""

    def restore(self, event: Event) -> None:
        """Take one stored event back in, oldest first."""
        self._alive_ns = max(self._alive_ns, event.at_ns)
        if isinstance(event, StrategyStateSaved):
            self._saved[event.symbol] = event

    def save(self, symbol: str) -> None:
        """Write the state of its strategy down, if it is another one than was written last."""
        strategy = self._strategies[symbol]
        state = msgspec.json.encode(strategy.state(), order="deterministic").decode()
        saved = self._saved.get(symbol)
        if saved is not None and (saved.strategy, saved.state) == (strategy.name, state):
            return
        fact = StrategyStateSaved(at_ns=self._clock.now_ns(), strategy=strategy.name, symbol=symbol, state=state)
        self._saved[symbol] = fact
        self._bus.publish(fact)

    def recall(self, symbol: str, past: Sequence[Bar], position: float) -> None:
        """Bring the strategy to where it would be; `past` are closed bars up to now, `position` is what is held."""
        strategy, saved = self._strategies[symbol], self._saved.get(symbol)
        if saved is not None and saved.strategy != strategy.name:
            saved = None  # another strategy's
        saved_ns = 0 if saved is None else saved.at_ns
        for bar in past:
            if saved is None or bar.close_ns <= saved_ns:
                strategy.decide(_as_history(bar), position)
        if saved is None:
            return
        strategy.restore(msgspec.json.decode(saved.state, type=dict[str, int | str]))
        for bar in past:
            if bar.close_ns > saved_ns:
                strategy.decide(bar if bar.close_ns <= self._alive_ns else _as_history(bar), position)


def _as_history(bar: Bar) -> Bar:
    return Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, history=True)
