"""What may vary? Settings with a range or a list of values, as a person writes them: `short_ma=5:50:5`.

A name is a parameter of the strategy, a setting's path, or the last part of one, so that the same words search a
strategy, a tactic, a limit or the simulated venue. A parameter alone is searched where its strategy proposes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.config.names import known_settings, nearest
from gpt_trader.core.errors import ConfigError
from gpt_trader.strategies.catalogue import find_strategy
from gpt_trader.strategies.parameters import Parameter

__all__ = ["Dimension", "Values", "find_setting", "grid", "grid_size", "parse_space"]

Values = Mapping[str, str]
"""Text of each value by the path of its setting: what a person could have written into a profile."""


@dataclass(frozen=True)
class Dimension:
    """One setting and the values it may take."""

    name: str
    """As it was asked for; unique within a search."""
    path: str
    choices: tuple[str, ...] = ()
    """Listed values; empty for a range."""
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    step: Decimal | None = None
    """None for a range without steps, which no grid can walk."""

    @property
    def is_range(self) -> bool:
        return not self.choices

    @property
    def whole(self) -> bool:
        """Only whole numbers are possible."""
        ends = (self.low, self.high, self.step)
        return self.is_range and all(end is not None and end == end.to_integral_value() for end in ends)

    @property
    def size(self) -> int | None:
        """How many values there are; None where there is no end of them."""
        if self.choices:
            return len(self.choices)
        return None if self.step is None else int((self.high - self.low) / self.step) + 1

    def values(self) -> tuple[str, ...]:
        """All of them, in order. Raises ConfigError where there is no end of them."""
        if self.choices:
            return self.choices
        if self.step is None:
            raise ConfigError(
                f"--space {self.name}={self.low}:{self.high}: a range without a step has no grid. "
                f"Fix: give a step ({self.name}={self.low}:{self.high}:STEP), or --sampler tpe"
            )
        return tuple(self.text(self.low + self.step * number) for number in range(self.size or 0))

    def text(self, value: Decimal | float | str) -> str:
        """A value of this dimension as it stands in a profile; floats fall on the nearest step."""
        if self.choices:
            return str(value)
        exact = value if isinstance(value, Decimal) else Decimal(repr(value))
        if self.step is not None:
            exact = self.low + round((exact - self.low) / self.step) * self.step
        return format(exact.normalize(), "f")


def parse_space(words: Sequence[str], strategy: StrategyConfig) -> tuple[Dimension, ...]:
    """Dimensions from `name=low:high[:step]`, `name=a|b|c`, `name=value` or `name`; without any word all for which
    the strategy proposes a range. Raises ConfigError naming the word."""
    parameters = {each.name: each for each in find_strategy(strategy).kind.declared()}
    proposed = [each.name for each in parameters.values() if each.search is not None]
    if not words and not proposed:
        raise ConfigError(f"--space: the strategy {strategy.name} proposes nothing. Fix: --space NAME=A:B[:STEP]")
    found = tuple(_dimension(word, parameters) for word in words or proposed)
    for path in {dimension.path for dimension in found}:
        same = [dimension.name for dimension in found if dimension.path == path]
        if len(same) > 1:
            raise ConfigError(f"--space: {' and '.join(same)} are the same setting {path}. Fix: name it once")
    return found


def find_setting(name: str, parameters: Mapping[str, Parameter]) -> str:
    """The path of a setting that a person calls `name`. Raises ConfigError where there is none, or more than one."""
    known = known_settings()
    settings = {each.setting for each in parameters.values()}
    if name in known or name in settings:
        return name
    if name in parameters:
        return parameters[name].setting
    found = [path for path in known if path.rpartition(".")[2] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"--space {name}: which one, {' or '.join(found)}? Fix: write the whole path")
    leaves = {path.rpartition(".")[2]: path for path in known}
    close = nearest(name, [*parameters, *known, *leaves])
    hint = f"did you mean {close}? " if close else ""
    raise ConfigError(
        f"--space {name}: no such setting. Fix: {hint}`gpt-trader strategy list` and `gpt-trader config show` list "
        "them all"
    )


def grid_size(space: Sequence[Dimension]) -> int | None:
    """How many combinations a grid has; None where a range has no steps."""
    total = 1
    for dimension in space:
        if dimension.size is None:
            return None
        total *= dimension.size
    return total


def grid(space: Sequence[Dimension]) -> Iterator[Values]:
    """Every combination, the last dimension moving fastest."""
    for values in itertools.product(*(dimension.values() for dimension in space)):
        yield dict(zip((dimension.path for dimension in space), values, strict=True))


def _dimension(word: str, parameters: Mapping[str, Parameter]) -> Dimension:
    name, equals, values = word.partition("=")
    name, values = name.strip(), values.strip()
    if not name or bool(equals) is not bool(values):
        raise _fault(word, "not of the form name=values")
    path = find_setting(name, parameters)
    if not values:
        return _proposed(word, name, parameters)
    if ":" not in values:
        choices = tuple(part.strip() for part in values.split("|"))
        if not all(choices) or len(set(choices)) < len(choices):
            raise _fault(word, "an empty value, or one that is named twice")
        return Dimension(name=name, path=path, choices=choices)
    return _range(word, name, path, values.split(":"))


def _proposed(word: str, name: str, parameters: Mapping[str, Parameter]) -> Dimension:
    parameter = parameters.get(name.rpartition(".")[2])
    if parameter is None or parameter.search is None:
        raise _fault(word, "no range, and nothing that its strategy proposes")
    search = parameter.search
    low, high = Decimal(search.low), Decimal(search.high)
    step = None if search.step is None else Decimal(search.step)
    return Dimension(name=name, path=parameter.setting, low=low, high=high, step=step)


def _range(word: str, name: str, path: str, parts: Sequence[str]) -> Dimension:
    try:
        numbers = [Decimal(part.strip()) for part in parts]
    except InvalidOperation:
        raise _fault(word, "a bound is not a number") from None
    if len(numbers) not in (2, 3) or not all(number.is_finite() for number in numbers):
        raise _fault(word, "a range has two bounds and perhaps a step")
    low, high = numbers[:2]
    step = numbers[2] if len(numbers) == 3 else None
    if step is None and all("." not in part and "e" not in part.lower() for part in parts):
        step = Decimal(1)  # between whole numbers only whole numbers are meant
    if low >= high or (step is not None and not 0 < step <= high - low):
        raise _fault(word, "the bounds must rise, and a step be above zero and not longer than the range")
    return Dimension(name=name, path=path, low=low, high=high, step=step)


def _fault(word: str, what: str) -> ConfigError:
    return ConfigError(
        f"--space {word}: {what}. Fix: for instance short_ma=5:50:5, trailing_stop_pct=0.005:0.03 or "
        "entry_tactic=market|simple_limit"
    )
