"""What is allowed, but probably not meant? Notes on a configuration that loads."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from gpt_trader.config.load import Loaded

__all__ = ["notes"]

CALM_YEAR: Final = Decimal("0.5")
"""Below so much annual volatility a reduce-only threshold trips on an ordinary day of BTC."""


def notes(loaded: Loaded) -> tuple[str, ...]:
    """One sentence for each; empty when there is nothing to say."""
    return (*_overruled(loaded), *_untraded(loaded), *_sizes(loaded), *_limits(loaded))


def _overruled(loaded: Loaded) -> Iterator[str]:
    for path, loser, winner in loaded.overruled:
        yield f"{path} = {loser.raw} ({loser}) has no effect: {winner} says {winner.raw}."


def _untraded(loaded: Loaded) -> Iterator[str]:
    config = loaded.config
    tables = {
        "risk.leverage_max_per_symbol": config.risk.leverage_max_per_symbol,
        "risk.day_leverage_max_per_symbol": config.risk.day_leverage_max_per_symbol,
        "risk.night_leverage_max_per_symbol": config.risk.night_leverage_max_per_symbol,
        "risk.day_mmr_per_symbol": config.risk.day_mmr_per_symbol,
        "risk.night_mmr_per_symbol": config.risk.night_mmr_per_symbol,
        "risk.max_notional_per_symbol": config.risk.max_notional_per_symbol,
        "risk.max_quantity_per_symbol": config.risk.max_quantity_per_symbol,
        "execution.slippage_multipliers": config.execution.slippage_multipliers,
    }
    for path, table in tables.items():
        strangers = sorted(set(table) - set(config.symbols))
        if strangers:
            yield f"{path} names {', '.join(strangers)}, which is not traded ({', '.join(config.symbols)})."


def _sizes(loaded: Loaded) -> Iterator[str]:
    risk, asked = loaded.config.risk, loaded.config.strategy.position_fraction
    caps = {
        "risk.max_position_size_pct": risk.max_position_size_pct,
        "risk.max_position_pct_per_symbol": risk.max_position_pct_per_symbol,
        "risk.max_exposure_pct": risk.max_exposure_pct,
    }
    name = min(caps, key=lambda path: caps[path])
    if asked > caps[name]:
        yield f"strategy.position_fraction = {asked} will be cut to {name} = {caps[name]}."


def _limits(loaded: Loaded) -> Iterator[str]:
    risk = loaded.config.risk
    if not risk.daily_loss_limit and not risk.daily_loss_limit_pct:
        yield "No daily loss limit is set: risk.daily_loss_limit and risk.daily_loss_limit_pct are both 0."
    if risk.enable_volatility_circuit_breaker and risk.volatility_reduce_only_threshold < CALM_YEAR:
        yield (
            f"risk.volatility_reduce_only_threshold = {risk.volatility_reduce_only_threshold} is annual volatility; "
            "BTC mostly lies between 0.3 and 1.0, so the breaker may trip on an ordinary day."
        )
    if risk.kill_switch_enabled:
        yield "risk.kill_switch_enabled is on: no entries."
    if risk.reduce_only_mode:
        yield "risk.reduce_only_mode is on: no entries."
