"""Funding carry: stand on the side that is paid while funding is unusually high or low.

Source: carry as Koijen, Moskowitz, Pedersen and Vrugt (2018), "Carry", define it (the return if prices stay), applied
to perpetuals by Schmeling, Schrimpf and Todorov (2023), "Crypto Carry". This is the single leg, without the spot
hedge: what it earns in funding is small beside what a move of the price can take, and it fails worst when a crowded
side is squeezed, which is when funding is highest. A few per cent of equity, with stops, or beside a hedge of your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from gpt_trader.config.risk import Amount, Count, Setting
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Number
from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Signal, Want
from gpt_trader.strategies.kind import StrategyKind
from gpt_trader.strategies.parameters import Search, StrategyParameters

__all__ = ["STRATEGY", "FundingCarry", "FundingCarryParameters"]

NAME: Final = "funding_carry"
HOUR_NS: Final = 3600 * NS
HOURS_A_YEAR: Final = 24 * 365


class FundingCarryParameters(StrategyParameters):
    """The numbers of the carry."""

    average_hours: Annotated[Count, Setting("hours", NAME), Search(4, 96, 4)] = Field(default=24, ge=1, le=10_000)
    """Span of the exponential average of hourly rates; nothing is wanted before so many have been seen."""
    enter_annual: Annotated[
        Amount, Setting("share of notional a year", NAME), Search(Decimal("0.05"), Decimal("0.5"), Decimal("0.05"))
    ] = Field(default=Decimal("0.15"), gt=0, le=100)
    """Average rate, made annual, from which the paid side is taken."""
    exit_annual: Annotated[
        Amount, Setting("share of notional a year", NAME), Search(Decimal(0), Decimal("0.1"), Decimal("0.01"))
    ] = Field(default=Decimal("0.03"), ge=0, le=100)
    """Average rate under which it is given up."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.exit_annual >= self.enter_annual:
            raise ValueError("exit_annual must be smaller than enter_annual")
        return self


class FundingCarry:
    """Short while longs pay at least `enter_annual` on average, until it falls under `exit_annual`; long while shorts
    pay as much. Looks once an hour.
    """

    name: Final = NAME

    def __init__(self, parameters: FundingCarryParameters) -> None:
        self._parameters = parameters
        self._enter = float(parameters.enter_annual) / HOURS_A_YEAR
        self._exit = float(parameters.exit_annual) / HOURS_A_YEAR
        self._rate: float | None = None
        """Told for this bar; bars that are shown again after a restart bring none, and their hours do not count."""
        self._average = 0.0
        self._hours = 0
        self._hour = -1
        self._wanted = 0

    @property
    def warmup_bars(self) -> int:
        """Bars tell nothing of funding: the hours are counted as they come, and kept over a restart."""
        return 1

    def see_funding(self, rate: float) -> None:
        self._rate = rate

    def decide(self, bar: Bar, position: float) -> Signal | None:  # noqa: ARG002 - every strategy is told
        rate, self._rate = self._rate, None
        hour = bar.close_ns // HOUR_NS
        if bar.history or rate is None or hour == self._hour:
            return None
        self._hour = hour
        self._hours += 1
        weight = 2 / (self._parameters.average_hours + 1) if self._hours > 1 else 1.0
        self._average += weight * (rate - self._average)
        if self._hours < self._parameters.average_hours:
            return None
        if self._wanted and -self._wanted * self._average < self._exit:
            return self._leave()
        paid = -1 if self._average >= self._enter else 1 if self._average <= -self._enter else 0
        if paid in (0, self._wanted) or (paid < 0 and not self._parameters.allow_shorts):
            return None
        return self._take(paid)

    def _take(self, paid: int) -> Signal:
        self._wanted = paid
        return Signal(
            want=Want.SHORT if paid < 0 else Want.LONG,
            fraction=self._parameters.position_fraction,
            reason=f"{'longs' if paid < 0 else 'shorts'} pay {abs(self._average) * HOURS_A_YEAR:.1%} a year",
            inputs=self._inputs(),
            tactic=self._parameters.entry_tactic,
        )

    def _leave(self) -> Signal:
        self._wanted = 0
        return Signal(want=Want.FLAT, reason="the carry is gone", inputs=self._inputs())

    def _inputs(self) -> dict[str, Number]:
        return {"average_rate": Decimal(repr(self._average)), "hours": self._hours}

    def state(self) -> Mapping[str, Number]:
        return {
            "average": Decimal(repr(self._average)),
            "hours": self._hours,
            "hour": self._hour,
            "wanted": self._wanted,
        }

    def restore(self, state: Mapping[str, Number]) -> None:
        self._average = float(state.get("average", self._average))
        self._hours = int(state.get("hours", self._hours))
        self._hour = int(state.get("hour", self._hour))
        self._wanted = int(state.get("wanted", self._wanted))


STRATEGY: Final = StrategyKind(name=NAME, parameters=FundingCarryParameters, make=FundingCarry)
