"""What is there to choose? A kind of strategy: its name, the model of its parameters, and how one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.strategies.base import Strategy
from gpt_trader.strategies.parameters import Parameter, StrategyParameters, declared, parameters_from

__all__ = ["StrategyKind"]

P = TypeVar("P", bound=StrategyParameters)


@dataclass(frozen=True)
class StrategyKind(Generic[P]):
    """What a module of a strategy offers, under the name `STRATEGY`."""

    name: str
    """As `strategy.name` takes it."""
    parameters: type[P]
    make: Callable[[P], Strategy]
    """One instance serves one symbol."""

    def build(self, config: StrategyConfig) -> Strategy:
        """Raises ConfigError for parameters that it does not have or that lie outside their range."""
        return self.make(parameters_from(self.parameters, config, self.name))

    def declared(self) -> Sequence[Parameter]:
        return tuple(declared(self.parameters))

    @property
    def text(self) -> str:
        """What its maker's documentation says, first paragraph."""
        return " ".join(((self.make.__doc__ or "").strip().split("\n\n")[0]).split())
