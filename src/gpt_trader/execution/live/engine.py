"""The baseline engine: guards, slippage multipliers, preview; simple and market placement only."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gpt_trader.core.values import ExecutionReport, OrderRequest
from gpt_trader.execution.deciding import Decider, DecidingParts
from gpt_trader.execution.engine import BASELINE_TACTICS, SharedParts
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.handlers.executor import OrderExecutorHandler
from gpt_trader.execution.handlers.reconciliation import ReconciliationHandler
from gpt_trader.execution.handlers.risk import RiskManagementHandler
from gpt_trader.execution.handlers.validation import ValidationHandler
from gpt_trader.execution.live.preview import VenuePreview
from gpt_trader.execution.live.sizing import AskedSize
from gpt_trader.execution.live.validator import OrderValidator
from gpt_trader.execution.pipeline import ExecutionPipeline

__all__ = ["LiveExecutionEngine"]


class LiveExecutionEngine:
    """What you fall back to. Each of its parts can be read in a minute."""

    name: Final = "LiveExecutionEngine"

    def __init__(self, pipeline: ExecutionPipeline, guards: GuardManager) -> None:
        self._pipeline = pipeline
        self._guards = guards

    @classmethod
    def decider(cls, parts: DecidingParts, preview: VenuePreview | None = None) -> Decider:
        """What decides; without `preview` the venue is not asked."""
        validator = OrderValidator(
            config=parts.config, clock=parts.clock, slippage_multipliers=parts.slippage_multipliers, preview=preview
        )
        return Decider(
            engine=cls.name,
            features=(False, False, False),
            validation=ValidationHandler(validator, parts.config, parts.clock, parts.exchange),
            risk=RiskManagementHandler(AskedSize(), parts.risk, parts.clock),
            executor=OrderExecutorHandler({name: parts.tactics[name] for name in BASELINE_TACTICS}, parts.resting),
        )

    @classmethod
    def furnish(cls, parts: SharedParts) -> LiveExecutionEngine:
        preview = VenuePreview(parts.adapter, parts.preview_timeout_seconds) if parts.preview_enabled else None
        return cls(
            ExecutionPipeline(
                decider=cls.decider(parts.deciding, preview),
                collector=parts.collector,
                reconciliation=ReconciliationHandler(parts.orders, parts.waiter, parts.verify_seconds),
                intents=parts.intents,
                stops=parts.stops,
                bus=parts.bus,
                clock=parts.clock,
                witnesses=parts.witnesses,
            ),
            parts.guards,
        )

    @property
    def tactics(self) -> Collection[str]:
        return BASELINE_TACTICS

    async def place_order(self, order: OrderRequest) -> ExecutionReport:
        return await self._pipeline.run(order)

    async def run_runtime_guards(self) -> None:
        await self._guards.run()
