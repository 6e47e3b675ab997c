"""How much, if at all? The only place where an ApprovedOrder is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import msgspec

from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Number, Refused
from gpt_trader.core.values import ApprovedOrder, NormalizedOrderRequest
from gpt_trader.risk.manager import LiveRiskManager

__all__ = ["RiskManagementHandler", "Sized", "Sizer"]


class Sized(msgspec.Struct, frozen=True):
    """A size and every number it came from."""

    quantity: Decimal
    trace: Mapping[str, Number]


class Sizer(Protocol):
    """An engine's furniture for this stage."""

    def size(self, request: NormalizedOrderRequest) -> Sized:
        """How much the engine would like; the rules still clamp it. Raises Refused."""
        ...

    def confirm(self, request: NormalizedOrderRequest, quantity: Decimal) -> Mapping[str, Number]:
        """Look again at the final quantity. Raises Refused; returns the numbers it used."""
        ...


@dataclass(frozen=True)
class RiskManagementHandler:
    sizer: Sizer
    risk: LiveRiskManager
    clock: Clock

    def handle(self, request: NormalizedOrderRequest) -> ApprovedOrder:
        """Size, clamp to every cap, and judge the final quantity once more. Raises Refused."""
        sized = self.sizer.size(request)
        try:
            approved = self.risk.approve(request, sized.quantity, self.clock.now_ns())
            confirmed = self.sizer.confirm(request, approved.quantity)
        except Refused as refused:
            refused.before = sized.trace
            raise
        return ApprovedOrder(
            order=msgspec.structs.replace(request.order, quantity=approved.quantity),
            snapshot=request.snapshot,
            trace={**sized.trace, **approved.trace, **confirmed},
        )
