from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.config.advice import notes
from gpt_trader.config.load import load


@pytest.mark.parametrize("profile", ["dev_entry", "dev", "paper", "observe", "canary", "prod"])
def test_profiles_of_the_house_need_no_advice(profile: str) -> None:
    """What we ship is meant as it stands."""
    assert notes(load(profile, env={})) == ()


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"SLIPPAGE_MULTIPLIERS": "ETH-PERP:1.5"},
            "execution.slippage_multipliers names ETH-PERP, which is not traded",
        ),
        ({"RISK_LEVERAGE_MAX_PER_SYMBOL": "BTC-PREP:2"}, "risk.leverage_max_per_symbol names BTC-PREP"),
        (
            {"GPT_TRADER_STRATEGY__POSITION_FRACTION": "0.5"},
            "position_fraction = 0.5 will be cut to risk.max_position_size_pct",
        ),
        ({"RISK_DAILY_LOSS_LIMIT": "0"}, "No daily loss limit is set"),
        ({"RISK_ENABLE_VOLATILITY_CB": "true"}, "volatility_reduce_only_threshold = 0.20 is annual volatility"),
        ({"RISK_KILL_SWITCH_ENABLED": "true"}, "kill_switch_enabled is on"),
        ({"RISK_REDUCE_ONLY_MODE": "true"}, "reduce_only_mode is on"),
    ],
)
def test_what_may_not_be_meant_is_said(env: dict[str, str], expected: str) -> None:
    """One sentence that names the setting."""
    (note,) = notes(load("dev_entry", env=env))

    assert expected in note


def test_a_limit_without_effect_is_said(tmp_path: Path) -> None:
    """A profile's limit that its risk file overrules."""
    profile = tmp_path / "p.yaml"
    profile.write_text("risk_file: dev_dynamic.json\nrisk:\n  max_leverage: 2\n")

    (note,) = notes(load(str(profile), env={}))

    assert note.startswith("risk.max_leverage = 2 (profile ")
    assert note.endswith("says 3.")
