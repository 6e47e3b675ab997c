"""What is an engine? The protocol that both engines keep, and the only way an order gets into the house."""

from __future__ import annotations

from typing import Protocol

from gpt_trader.core.values import ExecutionReport, OrderRequest

__all__ = ["ExecutionEngine"]


class ExecutionEngine(Protocol):
    """One furnishing of the hallway. Stops, closes, flattening and manual orders enter here like any other."""

    @property
    def name(self) -> str:
        """`LiveExecutionEngine` or `AdvancedExecutionEngine`, as written into every decision."""
        ...

    async def place_order(self, order: OrderRequest) -> ExecutionReport:
        """Walk the order through validation, risk, execution and reconciliation. A refusal is an answer, not an
        exception; only StoreError is raised."""
        ...

    async def run_runtime_guards(self) -> None:
        """Run the shared guards once. The same on every engine."""
        ...
