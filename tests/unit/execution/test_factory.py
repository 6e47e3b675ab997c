"""Which engine do the flags choose, and what does the choice say of itself?"""

from __future__ import annotations

import pytest
from tests.builders import D

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.errors import ConfigError
from gpt_trader.execution.factory import EngineChoice, ExecutionEngineFactory


def flags(*, sizing: bool, impact: bool) -> RiskConfig:
    return RiskConfig(enable_dynamic_position_sizing=sizing, enable_market_impact_guard=impact)


@pytest.mark.parametrize(
    ("sizing", "impact", "advanced"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_either_flag_alone_means_advanced(sizing: bool, impact: bool, advanced: bool) -> None:
    """The four combinations of the founding decision."""
    assert ExecutionEngineFactory.should_use_advanced_engine(flags(sizing=sizing, impact=impact)) is advanced


@pytest.mark.parametrize(("sizing", "impact"), [(True, False), (False, True), (True, True)])
def test_each_flag_switches_its_own_feature(sizing: bool, impact: bool) -> None:
    """One flag does not bring the other's feature with it."""
    selection = ExecutionEngineFactory.select(flags(sizing=sizing, impact=impact))
    assert (selection.dynamic_sizing, selection.impact_guard) == (sizing, impact)


def test_without_settings_the_baseline_trades() -> None:
    """Both flags are off by default, so a newer engine is never a surprise."""
    assert not ExecutionEngineFactory.select(RiskConfig()).advanced


def test_the_reason_names_both_flags() -> None:
    """A person who asks why reads the two values."""
    reason = ExecutionEngineFactory.select(flags(sizing=True, impact=False)).reason
    assert reason == "enable_dynamic_position_sizing=true, enable_market_impact_guard=false"


def test_an_override_to_live_takes_the_features_with_it() -> None:
    """The baseline has neither feature, whatever the flags say, and the reason says who overrode them."""
    selection = ExecutionEngineFactory.select(flags(sizing=True, impact=True), EngineChoice.LIVE)
    assert (selection.advanced, selection.dynamic_sizing, selection.impact_guard) == (False, False, False)
    assert "--engine live overrides" in selection.reason


def test_an_override_to_advanced_switches_no_feature_on() -> None:
    """`--engine advanced` with both flags off is the advanced engine in its neutral form."""
    selection = ExecutionEngineFactory.select(flags(sizing=False, impact=False), EngineChoice.ADVANCED)
    assert (selection.advanced, selection.dynamic_sizing, selection.impact_guard) == (True, False, False)


def test_multipliers_are_read_by_symbol() -> None:
    """The format of the founding documents."""
    found = ExecutionEngineFactory.parse_slippage_multipliers("BTC-PERP:1.5, ETH-PERP:2")
    assert found == {"BTC-PERP": D("1.5"), "ETH-PERP": D(2)}


@pytest.mark.parametrize("text", ["BTC-PERP", "BTC-PERP:x", "BTC-PERP:0", "BTC-PERP:-1", "BTC-PERP:nan", ":2"])
def test_a_multiplier_that_is_not_understood_is_an_error(text: str) -> None:
    """It names the variable and what was given; nothing falls back to 1."""
    with pytest.raises(ConfigError, match="SLIPPAGE_MULTIPLIERS"):
        ExecutionEngineFactory.parse_slippage_multipliers(text)
