"""How much does the baseline want? What was asked for; risk clamps it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from gpt_trader.core.errors import Number
from gpt_trader.core.values import NormalizedOrderRequest
from gpt_trader.execution.handlers.risk import Sized

__all__ = ["AskedSize"]


class AskedSize:
    """Furniture of LiveExecutionEngine."""

    def size(self, request: NormalizedOrderRequest) -> Sized:
        return Sized(request.order.quantity, {"sizing": "as asked"})

    def confirm(self, request: NormalizedOrderRequest, quantity: Decimal) -> Mapping[str, Number]:
        """The baseline has no impact rule; its slippage guard judged at least this much."""
        assert quantity <= request.order.quantity, "risk never enlarges"
        return {}
