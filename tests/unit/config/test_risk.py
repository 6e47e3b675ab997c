from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from gpt_trader.config.names import known_settings
from gpt_trader.config.risk import PositionSizingMethod, RiskConfig, SizingMode

MISSION_DEFAULTS = {
    "max_leverage": (5, "RISK_MAX_LEVERAGE"),
    "leverage_max_per_symbol": ({}, "RISK_LEVERAGE_MAX_PER_SYMBOL"),
    "daytime_start_utc": (None, "RISK_DAYTIME_START_UTC"),
    "daytime_end_utc": (None, "RISK_DAYTIME_END_UTC"),
    "day_leverage_max_per_symbol": ({}, "RISK_DAY_LEVERAGE_MAX_PER_SYMBOL"),
    "night_leverage_max_per_symbol": ({}, "RISK_NIGHT_LEVERAGE_MAX_PER_SYMBOL"),
    "day_mmr_per_symbol": ({}, "RISK_DAY_MMR_PER_SYMBOL"),
    "night_mmr_per_symbol": ({}, "RISK_NIGHT_MMR_PER_SYMBOL"),
    "min_liquidation_buffer_pct": (Decimal("0.15"), "RISK_MIN_LIQUIDATION_BUFFER_PCT"),
    "enable_pre_trade_liq_projection": (True, "RISK_ENABLE_PRE_TRADE_LIQ_PROJECTION"),
    "default_maintenance_margin_rate": (Decimal("0.005"), "RISK_DEFAULT_MMR"),
    "daily_loss_limit": (Decimal(100), "RISK_DAILY_LOSS_LIMIT"),
    "max_exposure_pct": (Decimal("0.8"), "RISK_MAX_EXPOSURE_PCT"),
    "max_position_pct_per_symbol": (Decimal("0.2"), "RISK_MAX_POSITION_PCT_PER_SYMBOL"),
    "max_notional_per_symbol": ({}, "RISK_MAX_NOTIONAL_PER_SYMBOL"),
    "slippage_guard_bps": (Decimal(50), "RISK_SLIPPAGE_GUARD_BPS"),
    "kill_switch_enabled": (False, "RISK_KILL_SWITCH_ENABLED"),
    "reduce_only_mode": (False, "RISK_REDUCE_ONLY_MODE"),
    "max_mark_staleness_seconds": (180, "RISK_MAX_MARK_STALENESS_SECONDS"),
    "enable_market_impact_guard": (False, "RISK_ENABLE_MARKET_IMPACT_GUARD"),
    "max_market_impact_bps": (Decimal(50), "RISK_MAX_MARKET_IMPACT_BPS"),
    "enable_dynamic_position_sizing": (False, "RISK_ENABLE_DYNAMIC_POSITION_SIZING"),
    "position_sizing_method": (PositionSizingMethod.INTELLIGENT, "RISK_POSITION_SIZING_METHOD"),
    "position_sizing_multiplier": (Decimal("1.0"), "RISK_POSITION_SIZING_MULTIPLIER"),
    "enable_volatility_circuit_breaker": (False, "RISK_ENABLE_VOLATILITY_CB"),
    "max_intraday_volatility_threshold": (Decimal("0.15"), "RISK_MAX_INTRADAY_VOL"),
    "volatility_window_periods": (20, "RISK_VOL_WINDOW_PERIODS"),
    "circuit_breaker_cooldown_minutes": (30, "RISK_CB_COOLDOWN_MIN"),
    "volatility_warning_threshold": (Decimal("0.15"), "RISK_VOL_WARNING_THRESH"),
    "volatility_reduce_only_threshold": (Decimal("0.20"), "RISK_VOL_REDUCE_ONLY_THRESH"),
    "volatility_kill_switch_threshold": (Decimal("0.25"), "RISK_VOL_KILL_SWITCH_THRESH"),
}


@pytest.mark.parametrize("name", MISSION_DEFAULTS)
def test_field_keeps_its_original_default_and_variable(name: str) -> None:
    """People's files and environments of the original mean the same here."""
    default, env = MISSION_DEFAULTS[name]

    assert default == known_settings()[f"risk.{name}"].default
    assert env == known_settings()[f"risk.{name}"].env


def test_no_field_is_a_float() -> None:
    """A limit in binary floating point is not the number that was written."""
    assert [name for name, value in RiskConfig() if isinstance(value, float)] == []


@pytest.mark.parametrize("name", RiskConfig.model_fields)
def test_field_says_unit_meaning_and_where_it_acts(name: str) -> None:
    """A limit that nobody can explain protects nobody."""
    known = known_settings()[f"risk.{name}"]

    assert known.unit
    assert known.meaning.endswith((".", "."))
    assert known.acts


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_leverage", "abc"),
        ("max_leverage", 0),
        ("max_leverage", -1),
        ("max_leverage", "2.5"),
        ("max_leverage", True),
        ("max_leverage", 101),
        ("daily_loss_limit", "-1"),
        ("daily_loss_limit", "nan"),
        ("daily_loss_limit", "inf"),
        ("daily_loss_limit_pct", "5"),
        ("max_exposure_pct", "80"),
        ("max_exposure_pct", "0"),
        ("max_position_pct_per_symbol", "-0.2"),
        ("min_liquidation_buffer_pct", "1"),
        ("slippage_guard_bps", "-1"),
        ("max_market_impact_bps", "0"),
        ("max_mark_staleness_seconds", 0),
        ("position_sizing_method", "clever"),
        ("sizing_mode", "conservative"),
        ("enable_market_impact_guard", "maybe"),
        ("kelly_fraction", "1.5"),
        ("leverage_max_per_symbol", {"BTC-PERP": 0}),
        ("leverage_max_per_symbol", {"btc-perp": 3}),
        ("day_mmr_per_symbol", {"BTC-PERP": "1"}),
        ("max_notional_per_symbol", {"BTC-PERP": "-5"}),
        ("max_notional_per_symbol", "BTC-PERP:x"),
        ("daytime_start_utc", "8:00"),
        ("daytime_start_utc", "24:00"),
    ],
)
def test_value_out_of_range_is_refused(name: str, value: object) -> None:
    """Nothing falls back to a default, nothing is clipped."""
    with pytest.raises(ValidationError):
        RiskConfig.model_validate({name: value})


def test_unknown_field_is_refused() -> None:
    """A misspelt limit must not be a missing limit."""
    with pytest.raises(ValidationError):
        RiskConfig.model_validate({"max_leverge": 3})


@pytest.mark.parametrize("text", ["BTC-PERP:10,ETH-PERP:8", " BTC-PERP : 10 ; ETH-PERP: 8 "])
def test_table_by_symbol_is_read_from_text(text: str) -> None:
    """The format of the original's variables."""
    config = RiskConfig.model_validate({"leverage_max_per_symbol": text})

    assert dict(config.leverage_max_per_symbol) == {"BTC-PERP": 10, "ETH-PERP": 8}


def test_empty_text_is_an_empty_table() -> None:
    """`RISK_LEVERAGE_MAX_PER_SYMBOL=` takes the table back."""
    assert RiskConfig.model_validate({"leverage_max_per_symbol": ""}).leverage_max_per_symbol == {}


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("BTC-PERP:10,ETH-PERP", "ETH-PERP"),
        ("BTC-PERP:10,,ETH-PERP:3", "item ''"),
        (":5", "':5'"),
        ("BTC-PERP:3,BTC-PERP:4", "BTC-PERP is named twice"),
    ],
)
def test_malformed_item_is_named(text: str, item: str) -> None:
    """A person must not have to search the list for it."""
    with pytest.raises(ValidationError, match=item):
        RiskConfig.model_validate({"leverage_max_per_symbol": text})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"daytime_start_utc": "08:00"}, "set together"),
        ({"daytime_start_utc": "08:00", "daytime_end_utc": "08:00"}, "no day"),
        ({"night_leverage_max_per_symbol": {"BTC-PERP": 2}}, "would never apply"),
        ({"volatility_warning_threshold": "0.9"}, "must rise"),
        ({"drawdown_taper_start_pct": "0.3"}, "must lie below"),
        ({"default_position_size_pct": "0.1"}, "must not exceed max_position_size_pct"),
        ({"enable_protective_stops": True, "default_stop_loss_pct": "0.03"}, "must not exceed max_stop_distance_pct"),
    ],
)
def test_values_that_contradict_each_other_are_refused(values: dict[str, Any], message: str) -> None:
    """Each is fine alone; together one of them would never act."""
    with pytest.raises(ValidationError, match=message):
        RiskConfig.model_validate(values)


def test_day_may_end_past_midnight() -> None:
    """A day from 22:00 to 06:00 is a day."""
    config = RiskConfig(daytime_start_utc="22:00", daytime_end_utc="06:00", day_leverage_max_per_symbol={"BTC-PERP": 2})

    assert dict(config.day_leverage_max_per_symbol) == {"BTC-PERP": 2}


def test_limits_cannot_be_changed_in_place() -> None:
    """A reload makes a new value; nobody raises a limit behind the log's back."""
    config = RiskConfig()
    with pytest.raises(ValidationError):
        config.max_leverage = 50  # the assignment is the test

    assert config.max_leverage == 5


def test_sizing_modes_are_those_of_the_mission() -> None:
    """Names that people know."""
    assert {"CONSERVATIVE", "STRICT", "AGGRESSIVE"} == set(SizingMode)
