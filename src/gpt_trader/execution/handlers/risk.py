"""How much, if at all? The only place where an ApprovedOrder is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import msgspec

from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Number, Refused
from gpt_trader.core.values import ApprovedOrder, NormalizedOrderRequest, Purpose
from gpt_trader.risk.manager import LiveRiskManager
from gpt_trader.risk.rules import protective_stop_price

__all__ = ["RiskManagementHandler", "Sized", "Sizer"]


class Sized(msgspec.Struct, frozen=True):
    """A size and every number it came from."""

    quantity: Decimal
    trace: Mapping[str, Number]
    tactic: str = ""
    """Tactic that must work it; empty leaves the choice to the request."""
    slice_quantity_max: Decimal | None = None
    """Largest single order; the impact rule judges one of these. None: all at once."""


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
        """Protect, size, clamp to every cap, and judge the final quantity once more. Raises Refused."""
        set_here: Mapping[str, Number] = {}
        if self.risk.config.enable_protective_stops and (stop := self._missing_stop(request)) is not None:
            set_here = {"default_stop_loss_pct": self.risk.config.default_stop_loss_pct}
            request = msgspec.structs.replace(
                request, order=msgspec.structs.replace(request.order, protective_stop=stop)
            )
        sized = self.sizer.size(request)
        try:
            approved = self.risk.approve(request, sized.quantity, self.clock.now_ns())
            at_once = sized.slice_quantity_max or approved.quantity
            confirmed = self.sizer.confirm(request, min(at_once, approved.quantity))
        except Refused as refused:
            refused.before = {**set_here, **sized.trace, **refused.before}
            raise
        return ApprovedOrder(
            order=msgspec.structs.replace(
                request.order,
                quantity=approved.quantity,
                tactic=sized.tactic or request.order.tactic,
                slice_quantity_max=sized.slice_quantity_max or request.order.slice_quantity_max,
            ),
            snapshot=request.snapshot,
            trace={**set_here, **sized.trace, **approved.trace, **confirmed},
        )

    def _missing_stop(self, request: NormalizedOrderRequest) -> Decimal | None:
        """Where an entry without a stop gets one: default_stop_loss_pct from its price; None where it has one."""
        order, mark = request.order, request.snapshot.exposure.mark
        if order.purpose is Purpose.EXIT or order.protective_stop is not None or order.trailing_stop is not None:
            return None
        if mark <= 0:
            return None  # refused as stale a step further on
        return protective_stop_price(order, mark, request.snapshot.product, self.risk.config)
