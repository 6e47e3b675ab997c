"""Which flags choose the engine? Declared once each; their values are read by ExecutionEngineFactory alone."""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

__all__ = ["ENGINE_FLAGS", "Flag"]


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A switch that changes how we trade, never whether it is watched or written down."""

    name: str
    path: str
    """Its setting in the configuration."""
    env: str
    type: str
    default: bool
    adr: str
    """File in docs/adr that decided it."""
    owner: str
    review_by: date
    """After this day the flag must be confirmed or removed."""
    changes: str


_ADR: Final = "ADR-001-dual-execution-engine-pattern.md"
_OWNER: Final = "execution"
_REVIEW_BY: Final = date(2027, 6, 30)

ENGINE_FLAGS: Final = (
    Flag(
        name="enable_dynamic_position_sizing",
        path="risk.enable_dynamic_position_sizing",
        env="RISK_ENABLE_DYNAMIC_POSITION_SIZING",
        type="yes/no",
        default=False,
        adr=_ADR,
        owner=_OWNER,
        review_by=_REVIEW_BY,
        changes="AdvancedExecutionEngine; entries are sized by DynamicSizingHelper instead of as asked",
    ),
    Flag(
        name="enable_market_impact_guard",
        path="risk.enable_market_impact_guard",
        env="RISK_ENABLE_MARKET_IMPACT_GUARD",
        type="yes/no",
        default=False,
        adr=_ADR,
        owner=_OWNER,
        review_by=_REVIEW_BY,
        changes="AdvancedExecutionEngine; the impact of entries is capped at max_market_impact_bps",
    ),
)
