"""Does a changed limit let more through, or less? A running bot takes less at once, and asks before it takes more."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

from gpt_trader.config.bot import BotConfig
from gpt_trader.config.flags import ENGINE_FLAGS, SHADOW
from gpt_trader.config.names import known_settings
from gpt_trader.config.risk import StrictModel

__all__ = ["NEEDS_RESTART", "RELOADED", "Change", "changed_settings", "judge"]


class Change(StrEnum):
    """What a new value does."""

    TIGHTER = "tighter"
    LOOSER = "looser"
    """Or neither can be said: what is not surely tighter needs a person's word."""
    RESTART = "needs a restart"


_LOWER: Final = frozenset(
    {
        "max_leverage",
        "max_exposure_pct",
        "max_position_pct_per_symbol",
        "default_position_size_pct",
        "max_position_size_pct",
        "max_stop_distance_pct",
        "max_mark_staleness_seconds",
        "max_account_staleness_seconds",
        "max_market_impact_bps",
        "position_sizing_multiplier",
        "volatility_target_annual",
        "kelly_fraction",
        "drawdown_taper_start_pct",
        "drawdown_taper_end_pct",
        "max_intraday_volatility_threshold",
        "volatility_warning_threshold",
        "volatility_reduce_only_threshold",
        "volatility_kill_switch_threshold",
    }
)
"""The smaller the tighter."""

_LOWER_OR_OFF: Final = frozenset(
    {
        "daily_loss_limit",
        "daily_loss_limit_pct",
        "max_net_exposure_pct",
        "max_notional_per_order",
        "max_concurrent_positions",
        "order_rate_per_minute_max",
        "slippage_guard_bps",
        "reject_breaker_count",
        "loss_streak_max",
        "slippage_breaker_count",
    }
)
"""The smaller the tighter, but zero is off."""

_HIGHER: Final = frozenset(
    {
        "min_liquidation_buffer_pct",
        "min_signal_strength",
        "min_confluence",
        "min_reward_risk",
        "default_maintenance_margin_rate",
        "circuit_breaker_cooldown_minutes",
        "reject_breaker_window_minutes",
        "slippage_breaker_window_minutes",
        "kelly_trades_min",
        "impact_coefficient",
    }
)
"""The larger the tighter."""

_ON: Final = frozenset(
    {
        "kill_switch_enabled",
        "reduce_only_mode",
        "enable_protective_stops",
        "enable_pre_trade_liq_projection",
        "enable_volatility_circuit_breaker",
    }
)
"""On is tighter."""

_TABLES: Final = frozenset(
    {
        "leverage_max_per_symbol",
        "day_leverage_max_per_symbol",
        "night_leverage_max_per_symbol",
        "max_exposure_pct_per_group",
        "max_notional_per_symbol",
        "max_quantity_per_symbol",
    }
)
"""The smaller the tighter for each name; a name that is missing has no limit."""

_EITHER: Final = frozenset(
    {
        "daytime_start_utc",
        "daytime_end_utc",
        "day_mmr_per_symbol",
        "night_mmr_per_symbol",
        "exposure_groups",
        "default_stop_loss_pct",
        "sizing_mode",
        "position_sizing_method",
    }
)
"""Which way is tighter depends on the market or on other settings."""

NEEDS_RESTART: Final = frozenset(
    {
        "margin_window_lead_minutes",
        "market_collar_bps",
        "exit_collar_bps",
        "max_book_staleness_seconds",
        "volatility_window_periods",
    }
)
"""Limits that are built into parts which go on working through a reload: tactics under way, and statistics."""

_ENGINES: Final = frozenset(flag.path for flag in ENGINE_FLAGS)
_OTHERS: Final = frozenset({"execution.order_preview_enabled", "execution.slippage_multipliers", SHADOW.path})
"""What an engine is furnished with beside the limits, and who looks on."""
RELOADED: Final = frozenset(
    {f"risk.{name}" for name in _LOWER | _LOWER_OR_OFF | _HIGHER | _ON | _TABLES | _EITHER} | _OTHERS | _ENGINES
)
"""Every setting that a running bot can take anew."""


def changed_settings(before: BotConfig, after: BotConfig) -> tuple[str, ...]:
    """Paths whose value differs."""
    old, new = _flat(before), _flat(after)
    return tuple(path for path in known_settings() if old[path] != new[path])


def _flat(config: BotConfig) -> dict[str, object]:
    """Every setting by its path."""
    flat: dict[str, object] = {}
    for name, value in config:
        if isinstance(value, StrictModel):
            flat.update({f"{name}.{leaf}": each for leaf, each in value})
        else:
            flat[name] = value
    return flat


def judge(path: str, before: object, after: object) -> Change:
    """What the change of one setting does; the engine flags are no limits and are not asked about here."""
    if path not in RELOADED:
        return Change.RESTART
    return Change.TIGHTER if _is_tighter(path.removeprefix("risk."), before, after) else Change.LOOSER


def _is_tighter(name: str, before: object, after: object) -> bool:
    if name in _ON or name == "execution.order_preview_enabled":
        return bool(after)
    if name == SHADOW.path:
        return True  # who only looks on loosens nothing
    if name in _TABLES and isinstance(before, Mapping) and isinstance(after, Mapping):
        return all(key in after and after[key] <= limit for key, limit in before.items())
    if isinstance(before, Decimal | int) and isinstance(after, Decimal | int):
        if name in _LOWER_OR_OFF:
            return after != 0 and (before == 0 or after < before)
        return after < before if name in _LOWER else after > before if name in _HIGHER else False
    return False
