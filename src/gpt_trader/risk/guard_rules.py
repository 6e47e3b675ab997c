"""What do the guards see? Each guard is one pure function from figures to readings, and one row of the table below.

A reading says what was measured, the threshold and its unit, whether it is tripped, what is to be done and how that is
taken back. To add a guard, write its function and add its row; GuardManager needs no change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Number
from gpt_trader.core.values import ZERO
from gpt_trader.risk.guard_breakers import (
    EXPOSURE_SLACK,
    read_drift,
    read_loss_streak,
    read_margin_window,
    read_portfolio,
    read_rejects,
    read_slippage,
    share_reading,
)
from gpt_trader.risk.guard_values import (
    Action,
    Baselines,
    EquityMark,
    Guard,
    GuardInput,
    GuardSymbol,
    Reading,
    WayBack,
)

__all__ = [
    "EXPOSURE_SLACK",
    "GUARDS",
    "Action",
    "Baselines",
    "EquityMark",
    "Guard",
    "GuardInput",
    "GuardSymbol",
    "Reading",
    "WayBack",
    "annualised",
    "loss_limit",
]

YEAR_SECONDS: Final = 365 * 86_400


def equity_change(figures: GuardInput, since: EquityMark) -> Decimal:
    """Profit since then, net of transfers: `E - E0 - (F - F0)`."""
    return figures.equity - since.equity - figures.cash_flows + since.cash_flows


def read_pnl(figures: GuardInput, baselines: Baselines, _: RiskConfig) -> Iterable[Reading]:
    """Telemetry: profit of the UTC day. Never trips."""
    change = equity_change(figures, baselines.day)
    return (Reading("pnl_utc_day", "", change, ZERO, "USD", False, True, Action.RECORD, WayBack.WHEN_CALM),)


def loss_limit(since: EquityMark, config: RiskConfig) -> Decimal | None:
    """USD: the tighter of daily_loss_limit and daily_loss_limit_pct of the equity then; None when both are off."""
    limits = [config.daily_loss_limit] if config.daily_loss_limit > 0 else []
    if config.daily_loss_limit_pct > 0:
        limits.append(max(ZERO, config.daily_loss_limit_pct * since.equity))
    return min(limits, default=None)


def read_daily_loss(figures: GuardInput, baselines: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """Loss since the start of the UTC day, and over rolling 24 h; reaching the limit trips."""
    since, limit = baselines.day, loss_limit(baselines.day, config)
    if limit is not None:
        yield _loss("daily_loss_utc_day", figures, since, limit, WayBack.NEXT_UTC_DAY)
    since, limit = baselines.rolling, loss_limit(baselines.rolling, config)
    if limit is not None:
        yield _loss("daily_loss_24h", figures, since, limit, WayBack.AFTER_24_H)


def _loss(guard: str, figures: GuardInput, since: EquityMark, limit: Decimal, way_back: WayBack) -> Reading:
    loss = -equity_change(figures, since)
    tripped = loss >= limit
    numbers: Mapping[str, Number] = {}
    if tripped:
        numbers = {
            "baseline_equity": since.equity,
            "baseline_at_ns": since.at_ns,
            "equity": figures.equity,
            "transfers": figures.cash_flows - since.cash_flows,
        }
    return Reading(guard, "", loss, limit, "USD", tripped, not tripped, Action.CANCEL_ENTRIES, way_back, numbers)


def read_liquidation_buffer(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """(equity - maintenance margin) / equity of the account, and |mark - liquidation price| / mark where it is known.

    With cross margin a position is liquidated when equity falls to the maintenance margin: a buffer of zero.
    """
    least, equity = config.min_liquidation_buffer_pct, figures.equity
    buffer = (equity - figures.maintenance_margin) / equity if equity > 0 else ZERO
    low = buffer < least
    numbers: Mapping[str, Number] = {}
    if low:
        numbers = {"equity": equity, "maintenance_margin": figures.maintenance_margin}
    unit, cooldown = "share of equity", WayBack.COOLDOWN
    yield Reading("liquidation_buffer", "", buffer, least, unit, low, not low, Action.CANCEL_ENTRIES, cooldown, numbers)
    for each in figures.symbols:
        if each.liquidation_price is None or not each.mark or not each.position:
            continue
        distance = abs(each.mark - each.liquidation_price) / each.mark
        near = distance < least
        if near:
            numbers = {"mark": each.mark, "liquidation_price": each.liquidation_price}
        guard, action = "liquidation_distance", Action.PAUSE_SYMBOL
        yield Reading(
            guard,
            each.symbol,
            distance,
            least,
            "share of mark",
            near,
            not near,
            action,
            cooldown,
            numbers if near else {},
        )


def read_mark_staleness(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """Age of each mark; above twice max_mark_staleness_seconds the symbol is paused. A mark never seen has age -1."""
    oldest = config.max_mark_staleness_seconds * 2
    action, way_back, guard = Action.PAUSE_SYMBOL, WayBack.WHEN_CALM, "mark_staleness"
    for each in figures.symbols:
        age_ns = figures.now_ns - each.mark_received_ns
        stale = each.mark is None or age_ns > oldest * NS
        age = Decimal(-1) if each.mark is None else Decimal(age_ns) / NS
        numbers: Mapping[str, Number] = {"mark": "never seen"} if each.mark is None else {}
        yield Reading(guard, each.symbol, age, Decimal(oldest), "seconds", stale, not stale, action, way_back, numbers)


def read_exposure(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """Worst notional over equity, in all and by symbol (concentration), as the market has moved it."""
    total = ZERO
    for each in figures.symbols:
        if each.worst_notional:
            total += each.worst_notional
            cap, action = config.max_position_pct_per_symbol, Action.PAUSE_SYMBOL
            worst = each.worst_notional
            yield share_reading("concentration", each.symbol, worst, figures.equity, cap=cap, action=action)
    cap, action = config.max_exposure_pct, Action.CANCEL_ENTRIES
    yield share_reading("exposure", "", total, figures.equity, cap=cap, action=action)


@lru_cache(maxsize=64)
def _bars_per_year_root(bar_seconds: int) -> Decimal:
    return (Decimal(YEAR_SECONDS) / bar_seconds).sqrt()


def annualised(bar_sigma: Decimal, bar_seconds: int) -> Decimal:
    """`sigma_bar * sqrt(seconds in a year / seconds in a bar)`; markets that never close have 365 days a year."""
    return bar_sigma * _bars_per_year_root(bar_seconds)


def read_volatility(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """Annualised volatility against three thresholds, and the day's realised volatility against its own."""
    if not config.enable_volatility_circuit_breaker:
        return
    levels = (
        ("volatility_warning", config.volatility_warning_threshold, Action.RECORD, WayBack.COOLDOWN),
        ("volatility_reduce_only", config.volatility_reduce_only_threshold, Action.REDUCE_ONLY, WayBack.COOLDOWN),
        ("volatility_kill", config.volatility_kill_switch_threshold, Action.KILL, WayBack.OPERATOR),
    )
    for each in figures.symbols:
        if each.bar_sigma is not None:
            value = annualised(each.bar_sigma, each.bar_seconds)
            for guard, threshold, action, way_back in levels:
                high = value >= threshold
                yield Reading(
                    guard, each.symbol, value, threshold, "annualised volatility", high, not high, action, way_back
                )
        if each.day_volatility is not None:
            threshold, guard = config.max_intraday_volatility_threshold, "volatility_day"
            high, action, value = each.day_volatility >= threshold, Action.PAUSE_SYMBOL, each.day_volatility
            way_back, unit = WayBack.NEXT_UTC_DAY, "volatility of the day"
            yield Reading(guard, each.symbol, value, threshold, unit, high, not high, action, way_back)


def read_disk(figures: GuardInput, _: Baselines, __: RiskConfig) -> Iterable[Reading]:
    """Room where the log grows: what cannot be written down must not be begun."""
    free, least = figures.disk_free_gb, figures.disk_free_gb_min
    if free is not None:
        low = free < least
        yield Reading("disk", "", free, least, "GB free", low, not low, Action.CANCEL_ENTRIES, WayBack.WHEN_CALM)


GUARDS: Final = (
    Guard("pnl", read_pnl),
    Guard("daily_loss", read_daily_loss),
    Guard("liquidation_buffer", read_liquidation_buffer),
    Guard("mark_staleness", read_mark_staleness),
    Guard("exposure", read_exposure),
    Guard("portfolio", read_portfolio),
    Guard("volatility", read_volatility),
    Guard("rejects", read_rejects),
    Guard("loss_streak", read_loss_streak),
    Guard("slippage", read_slippage),
    Guard("drift", read_drift),
    Guard("margin_window", read_margin_window),
    Guard("disk", read_disk),
)
