"""Which engine, and why? The only reader of the two engine flags.

(off, off) LiveExecutionEngine; any flag on AdvancedExecutionEngine, with just the features whose flags are on.
Rolling back is turning the flags off: the engine is built anew from the same shared parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from gpt_trader.config.bot import parse_multipliers
from gpt_trader.config.risk import RiskConfig
from gpt_trader.execution.deciding import Decider, DecidingParts
from gpt_trader.execution.engine import ExecutionEngine, SharedParts

__all__ = ["EngineChoice", "EngineSelection", "ExecutionEngineFactory"]


class EngineChoice(StrEnum):
    """`--engine`: by the flags, or over them."""

    FLAGS = "flags"
    LIVE = "live"
    ADVANCED = "advanced"


class EngineSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine will be built, and the sentence that says why."""

    advanced: bool
    dynamic_sizing: bool
    impact_guard: bool
    reason: str

    @property
    def features(self) -> tuple[bool, bool, bool]:
        """What tells two engines apart."""
        return self.advanced, self.dynamic_sizing, self.impact_guard


class ExecutionEngineFactory:
    """Builds the engine that the flags ask for."""

    @staticmethod
    def should_use_advanced_engine(config: RiskConfig) -> bool:
        """Either flag on means advanced."""
        return config.enable_dynamic_position_sizing or config.enable_market_impact_guard

    @classmethod
    def select(cls, config: RiskConfig, choice: EngineChoice = EngineChoice.FLAGS) -> EngineSelection:
        """Decide, without building. An override changes the engine, not what the flags switch inside it."""
        sizing, impact = config.enable_dynamic_position_sizing, config.enable_market_impact_guard
        wanted = cls.should_use_advanced_engine(config)
        flags = f"enable_dynamic_position_sizing={_yes(sizing)}, enable_market_impact_guard={_yes(impact)}"
        if choice is EngineChoice.FLAGS:
            return EngineSelection(advanced=wanted, dynamic_sizing=sizing, impact_guard=impact, reason=flags)
        advanced = choice is EngineChoice.ADVANCED
        return EngineSelection(
            advanced=advanced,
            dynamic_sizing=sizing and advanced,
            impact_guard=impact and advanced,
            reason=f"--engine {choice.value} overrides the flags ({flags})",
        )

    @classmethod
    def select_shadow(cls, config: RiskConfig, candidate: EngineChoice) -> EngineSelection:
        """What looks on: the advanced engine with the features that the flags switch on, or with both where none is."""
        if candidate is EngineChoice.LIVE:
            return cls.select(config, candidate)
        sizing, impact = config.enable_dynamic_position_sizing, config.enable_market_impact_guard
        neither = not (sizing or impact)
        return EngineSelection(
            advanced=True,
            dynamic_sizing=sizing or neither,
            impact_guard=impact or neither,
            reason="no flag is on, so both features are" if neither else "with the features of the flags",
        )

    @staticmethod
    def create_decider(selection: EngineSelection, parts: DecidingParts) -> Decider:
        """What decides in that engine, without a door; the venue's preview is not asked."""
        if not selection.advanced:
            from gpt_trader.execution.live.engine import LiveExecutionEngine  # noqa: PLC0415 - as below

            return LiveExecutionEngine.decider(parts)
        from gpt_trader.execution.advanced.engine import AdvancedExecutionEngine  # noqa: PLC0415

        return AdvancedExecutionEngine.decider(
            parts, dynamic_sizing=selection.dynamic_sizing, impact_guard=selection.impact_guard
        )

    @classmethod
    def named(cls, name: str) -> EngineSelection:
        """`live`, `advanced`, or `advanced:sizing` and `advanced:impact` with one feature: a candidate by its name."""
        features = {"live": (False, False), "advanced": (True, True)}
        features |= {"advanced:sizing": (True, False), "advanced:impact": (False, True)}
        sizing, impact = features[name]
        return EngineSelection(
            advanced=sizing or impact, dynamic_sizing=sizing, impact_guard=impact, reason=f"rollout to {name}"
        )

    @staticmethod
    def flags_for(selection: EngineSelection) -> Mapping[str, bool]:
        """What the two flags must be for that engine to be chosen."""
        return {
            "enable_dynamic_position_sizing": selection.dynamic_sizing,
            "enable_market_impact_guard": selection.impact_guard,
        }

    @staticmethod
    def create_engine(selection: EngineSelection, parts: SharedParts) -> ExecutionEngine:
        """Build it from the parts of the house."""
        # Imported here, so that either engine can be taken out of the house without the other noticing.
        if not selection.advanced:
            from gpt_trader.execution.live.engine import LiveExecutionEngine  # noqa: PLC0415

            return LiveExecutionEngine.furnish(parts)
        from gpt_trader.execution.advanced.engine import AdvancedExecutionEngine  # noqa: PLC0415

        return AdvancedExecutionEngine.furnish(
            parts, dynamic_sizing=selection.dynamic_sizing, impact_guard=selection.impact_guard
        )

    @staticmethod
    def parse_slippage_multipliers(text: str) -> Mapping[str, Decimal]:
        """`BTC-PERP:1.5,ETH-PERP:2` as numbers, by the rule of the setting. Raises ConfigError that names the item."""
        return parse_multipliers(text)


def _yes(flag: bool) -> str:
    return "true" if flag else "false"
