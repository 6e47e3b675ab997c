"""May this strategy be believed? Runs it over a market in several ways that must give the same answers.

A backtest lies in a few well-known ways: the strategy looked ahead, its indicators depend on where the data began, or
it knew what a restarted one would not. Each is found by asking the strategy again about a part of the same bars:
with the future cut off, with less history, with its saved state instead of its past.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import VirtualClock, run_virtual
from gpt_trader.core.values import Bar
from gpt_trader.exchange.factory import ExchangeFactory
from gpt_trader.market.stream import MarketStream
from gpt_trader.strategies.base import FundingStrategy, Signal, StopMove, Strategy, Want
from gpt_trader.strategies.vector_form import BarColumns, VectorStrategy, find_disagreement

__all__ = ["Check", "SeenBars", "check_strategy", "see_bars"]

Answer = Signal | StopMove | None
RESTARTS: Final = 8
CUTS: Final = (1, 7, 64)
"""Lengths of the pieces in which a vectorised form is shown the future, in bars."""
TOUCHES: Final = ("open", "socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.listdir", "os.scandir")
"""What Python tells of the outside world while it is touched (sys.audit)."""


@dataclass(frozen=True)
class Check:
    """One way to be wrong, and what came of looking for it."""

    name: str
    passed: bool
    said: str


@dataclass(frozen=True)
class SeenBars:
    """The closed bars of one symbol as a bot gets them, and the funding rate that stood at each."""

    bars: Sequence[Bar]
    rates: Sequence[float]

    def __len__(self) -> int:
        return len(self.bars)

    def part(self, start: int, end: int | None = None) -> SeenBars:
        return SeenBars(self.bars[start:end], self.rates[start:end])

    def columns(self) -> BarColumns:
        """As a vectorised form is shown them."""
        return BarColumns(
            close_ns=np.array([bar.close_ns for bar in self.bars], np.int64),
            open=np.array([bar.open for bar in self.bars]),
            high=np.array([bar.high for bar in self.bars]),
            low=np.array([bar.low for bar in self.bars]),
            close=np.array([bar.close for bar in self.bars]),
            volume=np.array([bar.volume for bar in self.bars]),
        )


def see_bars(config: BotConfig, stream: MarketStream, symbol: str) -> SeenBars:
    """The bars that the venue closes over a whole market, unasked and untraded."""
    bars: list[Bar] = []
    rates: list[float] = []
    clock = VirtualClock(stream.start_ns)
    adapter = ExchangeFactory(clock).paper(config, stream, clock)

    def on_market(item: object) -> None:
        if isinstance(item, Bar) and item.symbol == symbol:
            bars.append(item)
            rates.append(float(adapter.market.funding_rate(symbol)))

    async def main() -> None:
        await adapter.start(config.symbols, on_market, lambda _: None)
        await clock.sleep((stream.end_ns - clock.now_ns()) / 1e9)
        await adapter.close()

    run_virtual(clock, adapter, main)
    return SeenBars(bars, rates)


class Walk:
    """A strategy over bars, holding at once whatever it wants."""

    def __init__(self, strategy: Strategy, position: float = 0.0) -> None:
        self.strategy = strategy
        self._funding = strategy if isinstance(strategy, FundingStrategy) else None
        self.position = position

    def learn(self, seen: SeenBars) -> list[int]:
        """Show bars as history; places at which it answered all the same."""
        marked = (msgspec.structs.replace(bar, history=True) for bar in seen.bars)
        return [place for place, bar in enumerate(marked) if self.strategy.decide(bar, self.position) is not None]

    def ask(self, bar: Bar, rate: float) -> Answer:
        if self._funding is not None:
            self._funding.see_funding(rate)
        answer = self.strategy.decide(bar, self.position)
        if isinstance(answer, Signal):
            self.position = {Want.LONG: 1.0, Want.SHORT: -1.0, Want.FLAT: 0.0}[answer.want]
        return answer

    def over(self, seen: SeenBars) -> list[Answer]:
        return [self.ask(bar, rate) for bar, rate in zip(seen.bars, seen.rates, strict=True)]


def check_strategy(make: Callable[[], Strategy], seen: SeenBars) -> list[Check]:
    """Every check, in the order in which they are worth reading. `make` gives a new instance each time."""
    warmup = make().warmup_bars
    if len(seen) < 4 * (warmup + 1):
        said = f"{len(seen)} bars, and {4 * (warmup + 1)} are needed for {warmup} bars of warm-up"
        return [Check("enough bars", False, said)]
    first = Walk(make())
    early = first.learn(seen.part(0, warmup))
    answers = first.over(seen.part(warmup))
    again = Walk(make())
    with _touched() as touched:
        again.learn(seen.part(0, warmup))
        repeated = again.over(seen.part(warmup))
    checks = [
        _spoke(answers),
        _silent_in_warmup(early),
        _repeats(answers, repeated, warmup),
        _touches_nothing(touched),
        _restarts(make, seen, warmup),
        _needs_no_more_history(make, seen, warmup),
    ]
    return checks + _vector_checks(make, seen, answers, warmup)


def _spoke(answers: Sequence[Answer]) -> Check:
    signals = sum(isinstance(answer, Signal) for answer in answers)
    said = f"{signals} signals on {len(answers)} bars"
    return Check("speaks", signals > 0, said if signals else f"{said}: nothing can be checked on this market")


def _silent_in_warmup(early: Sequence[int]) -> Check:
    said = "silent on history" if not early else f"wanted something at bar {early[0]}, which was history"
    return Check("warm-up", not early, said)


def _repeats(answers: Sequence[Answer], repeated: Sequence[Answer], warmup: int) -> Check:
    place = _first_difference(answers, repeated)
    if place is None:
        return Check("same again", True, "a second instance says the same on the same bars")
    said = f"bar {warmup + place}: {_words(repeated[place])} instead of {_words(answers[place])}"
    return Check("same again", False, f"{said}: it remembers another run, or draws at random")


def _touches_nothing(touched: Sequence[str]) -> Check:
    if not touched:
        return Check("bars only", True, "no file, no connection and no program while it decides")
    return Check("bars only", False, f"touched {touched[0]} while it decided: what it read may be the future")


def _restarts(make: Callable[[], Strategy], seen: SeenBars, warmup: int) -> Check:
    """Stopped at several places, and begun again from its state and its warm-up bars alone."""
    for place in np.linspace(2 * warmup + 1, len(seen) - 1, RESTARTS, dtype=int).tolist():
        unbroken = Walk(make())
        unbroken.learn(seen.part(0, warmup))
        unbroken.over(seen.part(warmup, place))
        restarted = Walk(make(), unbroken.position)
        restarted.learn(seen.part(place - warmup, place))
        restarted.strategy.restore(unbroken.strategy.state())
        rest = seen.part(place)
        expected, found = unbroken.over(rest), restarted.over(rest)
        different = _first_difference(expected, found)
        if different is not None:
            said = (
                f"stopped before bar {place}: at bar {place + different} it says {_words(found[different])} instead of "
                f"{_words(expected[different])}: state() or warmup_bars leave something out"
            )
            return Check("restart", False, said)
    return Check("restart", True, f"stopped at {RESTARTS} places, it goes on as if it never had")


def _needs_no_more_history(make: Callable[[], Strategy], seen: SeenBars, warmup: int) -> Check:
    """The recursion check: new at the same place, with its warm-up and with three times as much."""
    start = 3 * warmup
    short, long = Walk(make()), Walk(make())
    short.learn(seen.part(start - warmup, start))
    long.learn(seen.part(0, start))
    expected, found = long.over(seen.part(start)), short.over(seen.part(start))
    place = _first_difference(expected, found)
    if place is None:
        return Check("recursion", True, f"{warmup} bars of warm-up say the same as {start}")
    said = (
        f"bar {start + place}: {_words(found[place])} after {warmup} bars of warm-up, {_words(expected[place])} after "
        f"{start}: its figures depend on where the data begin"
    )
    return Check("recursion", False, said)


def _vector_checks(make: Callable[[], Strategy], seen: SeenBars, answers: Sequence[Answer], warmup: int) -> list[Check]:
    """Whatever lies ahead may change nothing: with all of it in view, with a little, step by step."""
    if not isinstance(make(), VectorStrategy):
        return [Check("look-ahead", True, "it is shown one closed bar at a time, and has no vectorised form")]
    for position in (0.0, 1.0, -1.0):
        vector = make()
        assert isinstance(vector, VectorStrategy), "as the one before"
        said = find_disagreement(make(), vector, seen.columns(), position, seen.bars[0].symbol)
        if said:
            return [Check("look-ahead", False, f"with position {position:g}, {said}")]
    for length in CUTS:
        cut = make()
        assert isinstance(cut, VectorStrategy), "as the one before"
        found = _in_pieces(cut, seen, warmup, length)
        place = _first_difference(answers, found)
        if place is not None:
            said = (
                f"bar {warmup + place}: {_words(found[place])} when shown {length} bars ahead, "
                f"{_words(answers[place])} step by step"
            )
            return [Check("look-ahead", False, said)]
    lengths = ", ".join(str(length) for length in CUTS)
    return [Check("look-ahead", True, f"says the same step by step and with {lengths} or all bars ahead of it in view")]


def _in_pieces(strategy: VectorStrategy, seen: SeenBars, warmup: int, length: int) -> list[Answer]:
    """As a backtest asks it: windows of `length` bars are foreseen, and only named bars are asked."""
    walk = Walk(strategy)
    walk.learn(seen.part(0, warmup))
    answers: list[Answer] = []
    for start in range(warmup, len(seen), length):
        piece = seen.part(start, start + length)
        foreseen = strategy.foresee(piece.columns())
        named = set(range(len(piece)) if foreseen is None else foreseen.tolist())
        done = 0
        for place in range(len(piece)):
            if place not in named:
                answers.append(None)
                continue
            if done < place:
                strategy.pass_over(done, place)
            done = place + 1
            answers.append(walk.ask(piece.bars[place], piece.rates[place]))
        if done < len(piece):
            strategy.pass_over(done, len(piece))
    return answers


def _first_difference(expected: Sequence[Answer], found: Sequence[Answer]) -> int | None:
    return next((place for place, (a, b) in enumerate(zip(expected, found, strict=True)) if a != b), None)


def _words(answer: Answer) -> str:
    if answer is None:
        return "nothing"
    if isinstance(answer, StopMove):
        return f"a stop at {answer.trigger_price}"
    inputs = ", ".join(f"{name} {value}" for name, value in answer.inputs.items())
    return f"{answer.want.value} ({answer.reason}; {inputs})" if inputs else f"{answer.want.value} ({answer.reason})"


@contextmanager
def _touched() -> Iterator[list[str]]:
    """What of the outside world is touched meanwhile. The hook cannot be taken out again; afterwards it is deaf."""
    found: list[str] = []
    listening = True

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event in TOUCHES:
            found.append(f"{event} {arguments[0]!r}" if arguments else event)

    sys.addaudithook(hear)
    try:
        yield found
    finally:
        listening = False
