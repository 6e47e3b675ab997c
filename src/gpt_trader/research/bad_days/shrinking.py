"""What is the least that still breaks it? Takes a failing day apart until nothing more can be left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gpt_trader.research.bad_days.day import DayEnd, live_through
from gpt_trader.research.bad_days.scenario import Scenario

__all__ = ["TRIALS_MAX", "shrink"]

TRIALS_MAX: Final = 400
PARTS: Final = ("disk", "accidents", "stream", "frames", "market", "crashes", "clock_ms", "wire", "quirks", "steps")
PLAIN: Final[dict[str, Any]] = {
    "order_rate_per_minute_max": 0,
    "reject_breaker": False,
    "protective_stops": False,
    "products": 1,
    "volatility_bps": 1,
    "minutes_before_midnight": 0,
    "snapshot_events": 0,
}


class _Trials:
    """Plays shorter days until the number of trials is used up."""

    def __init__(self, number: int, trials_max: int, play: Callable[[Scenario], DayEnd]) -> None:
        self._number = number
        self._left = trials_max
        self._play = play

    @property
    def over(self) -> bool:
        return self._left <= 0

    def breaks(self, scenario: Scenario) -> bool:
        """Whether the same promise is still the first to break."""
        if self.over:
            return False
        self._left -= 1
        violations = self._play(scenario).violations
        return bool(violations) and violations[0].number == self._number


def shrink(
    scenario: Scenario,
    number: int,
    *,
    trials_max: int = TRIALS_MAX,
    play: Callable[[Scenario], DayEnd] = live_through,
) -> Scenario:
    """A smaller day on which invariant `number` is the first to break; the day itself where none was found."""
    trials = _Trials(number, trials_max, play)
    scenario = _cut_off(scenario, trials)
    for part in PARTS:
        scenario = _without(scenario, part, trials)
    for part in PARTS:
        scenario = _thinned(scenario, part, trials)
    for name, value in PLAIN.items():
        plainer = msgspec.structs.replace(scenario, **{name: value})
        if plainer != scenario and trials.breaks(plainer):
            scenario = plainer
    return scenario


def _cut_off(scenario: Scenario, trials: _Trials) -> Scenario:
    """Nothing is asked after the time at which it broke."""
    end = scenario
    while len(end.steps) > 1 and not trials.over:
        half = msgspec.structs.replace(end, steps=end.steps[: len(end.steps) // 2])
        if not trials.breaks(half):
            return end
        end = half
    return end


def _without(scenario: Scenario, part: str, trials: _Trials) -> Scenario:
    """The whole part left out, if it is not needed."""
    empty = msgspec.structs.replace(scenario, **{part: ()})
    return empty if empty != scenario and trials.breaks(empty) else scenario


def _thinned(scenario: Scenario, part: str, trials: _Trials) -> Scenario:
    """Delta debugging: leave out ever smaller pieces of the part."""
    items: tuple[Any, ...] = msgspec.structs.asdict(scenario)[part]
    size = len(items) // 2
    while size >= 1 and not trials.over:
        start = 0
        while start < len(items) and not trials.over:
            fewer = items[:start] + items[start + size :]
            if trials.breaks(msgspec.structs.replace(scenario, **{part: fewer})):
                items = fewer
            else:
                start += size
        size //= 2
    return msgspec.structs.replace(scenario, **{part: items})
