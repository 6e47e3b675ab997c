"""What does an engine make of a wish? Rows 4 to 6 of the walk, without the doors: nothing in here can reach a venue.

The engine that trades and one that only decides beside it (a shadow) are made from the same handlers; what differs is
whom the tactics hand their orders to, and that is given with the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Refused
from gpt_trader.core.values import ApprovedOrder, Candidate
from gpt_trader.exchange.base import Capabilities
from gpt_trader.execution.handlers.executor import OrderExecutorHandler
from gpt_trader.execution.handlers.risk import RiskManagementHandler
from gpt_trader.execution.handlers.validation import ValidationHandler
from gpt_trader.placement.base import ExecutionStrategy
from gpt_trader.risk.manager import LiveRiskManager
from gpt_trader.risk.sizing import Edge

__all__ = ["Decider", "DecidingParts", "Seen", "Witness"]


@dataclass(frozen=True, kw_only=True)
class DecidingParts:
    """What a decision needs. It asks nobody, so what only a venue can say (a preview) is not part of it."""

    config: RiskConfig
    exchange: str
    """Name of the adapter; a wish that names another is refused."""
    capabilities: Capabilities
    simulated: bool
    clock: Clock
    risk: LiveRiskManager
    edge: Callable[[int], Edge | None]
    tactics: Mapping[str, ExecutionStrategy]
    resting: ExecutionStrategy
    slippage_multipliers: Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True)
class Decider:
    """One furnishing of rows 4 to 6."""

    engine: str
    features: tuple[bool, bool, bool]
    """What tells it from others, as EngineSelection has it: advanced, dynamic sizing, impact cap."""
    validation: ValidationHandler
    risk: RiskManagementHandler
    executor: OrderExecutorHandler
    measured: bool = False
    """The engine sizes or judges by volatility and volume of the day."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A decision that was taken: what went into it and what came out, when its first order had been handed over or a
    rule had refused."""

    engine: str
    features: tuple[bool, bool, bool]
    candidate: Candidate
    approved: ApprovedOrder | None
    tactic: str
    refused: Refused | None


class Witness(Protocol):
    """Sees every decision of the engine that trades, and has no say in it: a shadow, a recorder."""

    @property
    def measured(self) -> bool:
        """It wants volatility and volume of the day in the snapshot too."""
        ...

    def on_decision(self, seen: Seen) -> None:
        """Takes it in and returns at once. Raises StoreError only."""
        ...
