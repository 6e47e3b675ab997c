"""How is a number told so that it can be checked? Figures as a person reads them, and sums that are done again.

Whoever explains takes a number out of `Numbers`, so that what nobody has a sentence for is still shown. A result that
is told beside its inputs is computed once more from them; where it does not follow, the text says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from gpt_trader.core.errors import Number
from gpt_trader.core.values import Value

__all__ = ["Check", "Numbers", "Story", "bps", "exact", "figure", "percent"]

DIGITS: Final = 5
"""Significant digits of a figure below a thousand; above it there are two places."""
THOUSAND: Final = 1000
TOLERANCE: Final = Decimal("1e-15")
"""Relative: a sum done in another order differs in the 28th digit."""


def figure(value: Decimal) -> str:
    """Short: `99,756.33`, `0.082899`, `4.9739`; never with an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= THOUSAND:
        rounded = value.quantize(Decimal("0.01"))
    else:
        places = DIGITS - 1 - value.adjusted()
        rounded = value.quantize(Decimal(1).scaleb(-places)) if places > 0 else value.quantize(Decimal(1))
    return exact(rounded)


def exact(value: Decimal) -> str:
    """Every digit, without zeros that say nothing: `0.03`, `60,170`."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: Decimal) -> str:
    """A share of one: `5%`, `2.5918%`."""
    return f"{figure(share * 100)}%"


def bps(value: Decimal) -> str:
    """Basis points to the hundredth: `0.42 bps`; what would vanish is told in full."""
    rounded = value.quantize(Decimal("0.01"))
    return f"{exact(rounded) if rounded or not value else figure(value)} bps"


class Check(Value, frozen=True, kw_only=True):
    """A number of the log beside the same number computed anew from its inputs in the log."""

    what: str
    recorded: Decimal
    recomputed: Decimal

    @property
    def agrees(self) -> bool:
        return abs(self.recorded - self.recomputed) <= TOLERANCE * max(Decimal(1), abs(self.recorded))


class Story:
    """Sections of sentences, and the sums behind them."""

    def __init__(self) -> None:
        self.sections: list[tuple[str, list[str]]] = []
        self.checks: list[Check] = []

    def section(self, title: str) -> None:
        self.sections.append((title, []))

    def say(self, sentence: str) -> None:
        self.sections[-1][1].append(sentence)

    def sum_of(self, what: str, recorded: Decimal, recomputed: Decimal) -> str:
        """Nothing where the sum comes out; else the words that say so, to stand behind the sentence."""
        check = Check(what=what, recorded=recorded, recomputed=recomputed)
        self.checks.append(check)
        return "" if check.agrees else f" (the log says {exact(recorded)}: this does not follow from these numbers)"


class Numbers:
    """Numbers of one decision by name, with the settings behind them; remembers what has been told."""

    def __init__(self, values: Mapping[str, Number], settings: Mapping[str, Number]) -> None:
        self._values = dict(values)
        self._settings = settings
        self._untold = dict.fromkeys(values)

    def number(self, name: str) -> Decimal | None:
        """The number of this name; None where there is none, or where a word stands in its place."""
        self._untold.pop(name, None)
        return as_number(self._values.get(name))

    def word(self, name: str) -> str:
        """The value of this name as it was written; empty where there is none."""
        self._untold.pop(name, None)
        return str(self._values.get(name, ""))

    def has(self, name: str) -> bool:
        return name in self._values

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def drop(self, *names: str) -> None:
        """Not worth a word: it repeats what has been told."""
        for name in names:
            self._untold.pop(name, None)

    def setting(self, path: str) -> Decimal | None:
        """A number of the settings that held."""
        return as_number(self._settings.get(path))

    def rest(self) -> str:
        """What no sentence has told, as `name = value`; empty when nothing is left."""
        shown = []
        for name in self._untold:
            value = as_number(self._values[name])
            shown.append(f"{name} = {self._values[name] if value is None else exact(value)}")
        return ", ".join(shown)


def as_number(value: Number | None) -> Decimal | None:
    """As a Decimal, where it is one."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
