"""What is an engine? The protocol that both engines keep, and the shared parts that each is furnished from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.values import ExecutionReport, OrderRequest
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.execution.deciding import DecidingParts, Witness
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.pipeline import IntentRegister
from gpt_trader.execution.state_collector import StateCollector
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.placement.base import ExecutionStrategy
from gpt_trader.placement.confirmation import OrderConfirmationWaiter
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.risk.manager import LiveRiskManager
from gpt_trader.risk.sizing import Edge

__all__ = ["BASELINE_TACTICS", "EngineShare", "ExecutionEngine", "SharedParts"]

BASELINE_TACTICS: Final = ("market", "simple_limit")
"""Placement that the baseline engine offers; the advanced one offers all that the house has."""


class ExecutionEngine(Protocol):
    """One furnishing of the hallway. Stops, closes, flattening and manual orders enter here like any other."""

    @property
    def name(self) -> str:
        """`LiveExecutionEngine` or `AdvancedExecutionEngine`, as written into every decision."""
        ...

    @property
    def tactics(self) -> Collection[str]:
        """Placement that it offers, by name."""
        ...

    async def place_order(self, order: OrderRequest) -> ExecutionReport:
        """Walk the order through validation, risk, execution and reconciliation. A refusal is an answer, not an
        exception; only StoreError is raised."""
        ...

    async def run_runtime_guards(self) -> None:
        """Run the shared guards once. The same on every engine."""
        ...


class EngineShare(Protocol):
    """Who decides which of two engines an intent goes to, while one of them is tried on a share of the intents."""

    def engine_for(self, order: OrderRequest) -> ExecutionEngine: ...


@dataclass(frozen=True, kw_only=True)
class SharedParts:
    """What belongs to the house. Built by the builder, never by an engine, so that an engine can be changed while
    orders, stops and guards stay."""

    config: RiskConfig
    adapter: ExchangeAdapter
    bus: EventBus
    clock: Clock
    collector: StateCollector
    risk: LiveRiskManager
    guards: GuardManager
    intents: IntentRegister
    stops: StopTriggerManager
    edge: Callable[[int], Edge | None]
    tactics: Mapping[str, ExecutionStrategy]
    resting: ExecutionStrategy
    orders: OrderManager
    waiter: OrderConfirmationWaiter
    verify_seconds: float
    """How long an immediate order may stay unproven."""
    preview_enabled: bool = False
    preview_timeout_seconds: float = 2.0
    slippage_multipliers: Mapping[str, Decimal]
    witnesses: tuple[Witness, ...] = ()

    @property
    def deciding(self) -> DecidingParts:
        """Those of them that decide."""
        return DecidingParts(
            config=self.config,
            exchange=self.adapter.name,
            capabilities=self.adapter.capabilities,
            simulated=self.adapter.simulated,
            clock=self.clock,
            risk=self.risk,
            edge=self.edge,
            tactics=self.tactics,
            resting=self.resting,
            slippage_multipliers=self.slippage_multipliers,
        )
