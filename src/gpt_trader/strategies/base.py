"""What do we want? Strategies are called with closed bars and mostly answer nothing.

A strategy returns values only: it sends nothing, reads no clock, and knows no engine. The same object runs in
backtest, paper and live.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from gpt_trader.core.errors import Number
from gpt_trader.core.values import Bar

__all__ = ["FundingStrategy", "Signal", "StopMove", "Strategy", "Want"]


class Want(StrEnum):
    """The position that a strategy wants to have."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One wish. Becomes the event TradingSignalGenerated."""

    want: Want
    fraction: Decimal = Decimal(0)
    """Share of equity to hold as notional; of no meaning for FLAT."""
    reason: str = ""
    inputs: Mapping[str, Number] = {}
    """What was looked at, by the strategy's own names; made only when there is a signal."""
    strength: float | None = None
    """0..1 where the strategy has an opinion; inventing one is a defect."""
    confluence: float | None = None
    protective_stop: Decimal | None = None
    target_price: Decimal | None = None
    trailing_stop: Decimal | None = None
    """Share of the best price since the fill; kept by the bot between bars, where the engine offers it."""
    tactic: str = ""
    """Named placement strategy; empty leaves it to the profile."""


class StopMove(msgspec.Struct, frozen=True, kw_only=True):
    """The strategy's own trailing stop begins or moves; the bot writes it down so that it survives a restart."""

    trigger_price: Decimal
    anchor: Decimal
    """Best price seen since the position was opened."""


class Strategy(Protocol):
    """One instance serves one symbol."""

    @property
    def name(self) -> str: ...

    @property
    def warmup_bars(self) -> int:
        """Bars of history it must have seen before it may want anything."""
        ...

    def decide(self, bar: Bar, position: float) -> Signal | StopMove | None:
        """Called once for each closed bar, in order; `position` is signed base units. History bars update state
        and must return None."""
        ...

    def state(self) -> Mapping[str, Number]:
        """What cannot be found again by seeing the warm-up bars."""
        ...

    def restore(self, state: Mapping[str, Number]) -> None:
        """Take back what `state` gave, or the part of it that is known; Decimals may come as text."""
        ...


@runtime_checkable
class FundingStrategy(Strategy, Protocol):
    """A strategy that also looks at funding. It is asked at every bar: nobody knows the rates of bars to come."""

    def see_funding(self, rate: float) -> None:
        """Told before each `decide` of a bar that is not history: the venue's current rate for one hour, as a share of
        notional; above zero, longs pay shorts."""
        ...
