"""What makes one set of values better than another? Figures of a run, and which way each of them is good.

Those of the equity curve can be taken over any part of the market, so walk-forward may choose by them. Ratios are a
year's: returns of the steps of the curve, a year of 365.25 days, no interest. A run that never moved has a ratio of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan, sqrt
from types import MappingProxyType
from typing import Final

import numpy as np

from gpt_trader.config.names import nearest
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.view import Floats

__all__ = ["MEASURES", "YEAR_SECONDS", "Measure", "find_measure", "returns_of"]

YEAR_SECONDS: Final = 365.25 * 86_400
STILL: Final = 1e-15
"""A deviation of returns below this is rounding, not movement."""


@dataclass(frozen=True)
class Measure:
    """One figure and its direction."""

    name: str
    rises: bool
    """More is better."""
    unit: str
    meaning: str
    of_curve: Callable[[Floats, float], float] | None = None
    """From equity (its start first) and seconds between two values; None for figures of a whole run."""
    needs_costs: bool = False
    """Reckoned from the cost of every order, which takes longer."""

    def better(self, a: float, b: float) -> bool:
        return a > b if self.rises else a < b

    def value(self, curve: Floats, figures: Mapping[str, float], step_seconds: float) -> float:
        """Over a whole run. NaN where the run does not have it."""
        if self.of_curve is not None:
            return self.of_curve(curve, step_seconds)
        return figures.get(self.name, nan)


def returns_of(curve: Floats) -> Floats:
    """Return of each step; none after the account was empty."""
    alive = int(np.argmax(curve <= 0)) if (curve <= 0).any() else len(curve)
    worth = curve[: alive + 1]
    found: Floats = worth[1:] / worth[:-1] - 1.0
    return found


def _total(curve: Floats, step_seconds: float) -> float:  # noqa: ARG001 - the shape of a measure
    return float(curve[-1] / curve[0] - 1.0)


def _sharpe(curve: Floats, step_seconds: float) -> float:
    returns = returns_of(curve)
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    return float(returns.mean()) / deviation * sqrt(YEAR_SECONDS / step_seconds) if deviation > STILL else 0.0


def _sortino(curve: Floats, step_seconds: float) -> float:
    returns = returns_of(curve)
    fall = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))) if len(returns) else 0.0
    return float(returns.mean()) / fall * sqrt(YEAR_SECONDS / step_seconds) if fall > STILL else 0.0


def _drawdown(curve: Floats, step_seconds: float) -> float:  # noqa: ARG001 - the shape of a measure
    return float(np.max(1.0 - curve / np.maximum.accumulate(curve), initial=0.0))


def _calmar(curve: Floats, step_seconds: float) -> float:
    fall = _drawdown(curve, step_seconds)
    a_year = _total(curve, step_seconds) * YEAR_SECONDS / (step_seconds * max(1, len(curve) - 1))
    return a_year / fall if fall > STILL else 0.0


_ALL: Final = (
    Measure("sharpe", True, "a year", "mean return by its deviation", _sharpe),
    Measure("return", True, "share", "change of equity by equity at the start", _total),
    Measure("drawdown", False, "share", "deepest fall from the highest equity before it", _drawdown),
    Measure("sortino", True, "a year", "mean return by the deviation of those below zero", _sortino),
    Measure("calmar", True, "a year", "return a year by drawdown", _calmar),
    Measure("orders", False, "orders", "orders that were sent"),
    Measure("fees", False, "account currency", "fees paid"),
    Measure("shortfall_bps", False, "basis points", "cost of entries against arrival, of what was filled", None, True),
    Measure("all_in_bps", False, "basis points", "shortfall and missed of entries, of what was wanted", None, True),
    Measure("fill_share", True, "share", "of the notional that entries wanted, what was filled", None, True),
    Measure("fill_seconds", False, "seconds", "from the decision of an entry to its last fill, mean", None, True),
)
MEASURES: Final[Mapping[str, Measure]] = MappingProxyType({measure.name: measure for measure in _ALL})
"""By the name that --metric takes."""


def find_measure(name: str) -> Measure:
    """Raises ConfigError that names what there is."""
    found = MEASURES.get(name)
    if found is None:
        close = nearest(name, MEASURES)
        hint = f"did you mean {close}? " if close else ""
        raise ConfigError(f"--metric {name}: no such measure. Fix: {hint}one of {', '.join(MEASURES)}")
    return found
