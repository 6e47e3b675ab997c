"""The advanced engine: full time-in-force table, post-only, dynamic sizing and impact cap, each by its own flag."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gpt_trader.core.values import ExecutionReport, OrderRequest
from gpt_trader.execution.advanced.broker_adapter import BrokerAdapter
from gpt_trader.execution.advanced.normalizer import OrderRequestNormalizer
from gpt_trader.execution.advanced.sizing import DynamicSizingHelper
from gpt_trader.execution.advanced.validation_pipeline import OrderValidationPipeline
from gpt_trader.execution.deciding import Decider, DecidingParts
from gpt_trader.execution.engine import SharedParts
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.handlers.executor import OrderExecutorHandler
from gpt_trader.execution.handlers.reconciliation import ReconciliationHandler
from gpt_trader.execution.handlers.risk import RiskManagementHandler
from gpt_trader.execution.handlers.validation import ValidationHandler
from gpt_trader.execution.pipeline import ExecutionPipeline

__all__ = ["AdvancedExecutionEngine"]


class AdvancedExecutionEngine:
    """The new way, taken back by flag."""

    name: Final = "AdvancedExecutionEngine"

    def __init__(self, pipeline: ExecutionPipeline, guards: GuardManager, tactics: Collection[str]) -> None:
        self._pipeline = pipeline
        self._guards = guards
        self._tactics = tactics

    @classmethod
    def decider(cls, parts: DecidingParts, *, dynamic_sizing: bool, impact_guard: bool) -> Decider:
        """What decides."""
        validator = OrderValidationPipeline(
            normalizer=OrderRequestNormalizer(),
            broker=BrokerAdapter(parts.capabilities),
            config=parts.config,
            clock=parts.clock,
        )
        sizer = DynamicSizingHelper(
            config=parts.config,
            clock=parts.clock,
            dynamic_sizing=dynamic_sizing,
            impact_guard=impact_guard,
            simulated=parts.simulated,
            edge=parts.edge,
        )
        return Decider(
            engine=cls.name,
            features=(True, dynamic_sizing, impact_guard),
            validation=ValidationHandler(validator, parts.config, parts.clock, parts.exchange),
            risk=RiskManagementHandler(sizer, parts.risk, parts.clock),
            executor=OrderExecutorHandler(parts.tactics, parts.resting),
            measured=True,
        )

    @classmethod
    def furnish(cls, parts: SharedParts, *, dynamic_sizing: bool, impact_guard: bool) -> AdvancedExecutionEngine:
        return cls(
            ExecutionPipeline(
                decider=cls.decider(parts.deciding, dynamic_sizing=dynamic_sizing, impact_guard=impact_guard),
                collector=parts.collector,
                reconciliation=ReconciliationHandler(parts.orders, parts.waiter, parts.verify_seconds),
                intents=parts.intents,
                stops=parts.stops,
                bus=parts.bus,
                clock=parts.clock,
                witnesses=parts.witnesses,
                targets=True,
            ),
            parts.guards,
            parts.tactics.keys(),
        )

    @property
    def tactics(self) -> Collection[str]:
        return self._tactics

    async def place_order(self, order: OrderRequest) -> ExecutionReport:
        return await self._pipeline.run(order)

    async def run_runtime_guards(self) -> None:
        await self._guards.run()
