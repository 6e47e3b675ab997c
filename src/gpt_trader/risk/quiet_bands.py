"""Between which marks need the guards not look again? Proven for the table of `guard_rules` while none is tripped."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import inf
from typing import Final

import msgspec

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.risk.guard_rules import EXPOSURE_SLACK, loss_limit
from gpt_trader.risk.guard_values import Baselines, GuardInput, GuardSymbol

__all__ = ["Band", "QuietBands", "quiet_bands"]

Band = tuple[float, float]
"""Marks strictly between which a symbol may move."""
HOUR_NS: Final = 3600 * NS
FREE: Final[Band] = (0.0, inf)
ROUNDING: Final = 1e-9
"""Share of the amounts in it by which a condition counts as nearer: far more than floats are wrong by."""


class QuietBands(msgspec.Struct, frozen=True):
    """No guard changes its verdict before `until_ns` while every mark stays in its band."""

    bands: dict[str, Band]
    until_ns: int


class _Condition(msgspec.Struct, frozen=True):
    """Holds while `slack + sum(slope * move of the mark) > 0`; a slope for each symbol held."""

    slack: float
    slopes: tuple[float, ...]


def quiet_bands(figures: GuardInput, baselines: Baselines, config: RiskConfig) -> QuietBands | None:
    """Where the guards need not look again, given that none is tripped now.

    Holds while positions, orders, cash and configuration stay the same and every symbol's mark is fresh; ends with
    the UTC hour, or where a margin window comes near. Counted things (rejects, losses, slippage) change with events
    that make the guards look by themselves. None when nothing can be promised: a mark is missing, or volatility is
    watched.
    Equity is linear in the marks of what is held, `E(p) = E + sum(q * (p - p0))`, and so is every condition. What is
    left of a condition is shared out evenly among the symbols that move it, so that each may be looked at alone.
    """
    if config.enable_volatility_circuit_breaker or any(
        each.drift or each.next_maintenance is not None or not each.mark for each in figures.symbols
    ):
        return None
    held = [each for each in figures.symbols if each.position or each.worst_notional]
    bands = {each.symbol: FREE for each in figures.symbols}
    marks = [float(each.mark or 0) for each in held]
    for condition in _conditions(figures, baselines, config, held):
        if condition.slack <= 0:
            return None
        moving = sum(1 for slope in condition.slopes if slope)
        for each, mark, slope in zip(held, marks, condition.slopes, strict=True):
            if slope:
                low, high = bands[each.symbol]
                edge = mark - condition.slack / moving / slope
                bands[each.symbol] = (max(low, edge), high) if slope > 0 else (low, min(high, edge))
    until_ns = (figures.now_ns // HOUR_NS + 1) * HOUR_NS
    if figures.window_lead_ns is not None:
        until_ns = min(until_ns, figures.window_lead_ns)
    return QuietBands(bands, until_ns)


def _conditions(
    figures: GuardInput, baselines: Baselines, config: RiskConfig, held: list[GuardSymbol]
) -> Iterable[_Condition]:
    """Every condition under which a guard stays untripped."""
    equity, maintenance = float(figures.equity), float(figures.maintenance_margin)
    quantities = [float(each.position) for each in held]
    marks = [float(each.mark or 0) for each in held]
    notionals = [float(each.worst_notional) for each in held]
    worst = [notional / mark for notional, mark in zip(notionals, marks, strict=True)]
    rounding = ROUNDING * (abs(equity) + maintenance + sum(notionals))

    def above_zero(share: float, amount: float, slopes: Iterable[float]) -> _Condition:
        """`share * equity - amount > 0`, where the amount moves by `slopes` with the marks."""
        moves = tuple(share * quantity - slope for quantity, slope in zip(quantities, slopes, strict=True))
        return _Condition(share * equity - amount - rounding - ROUNDING * abs(amount), moves)

    still = [0.0] * len(held)
    yield above_zero(1.0, 0.0, still)
    for since in (baselines.day, baselines.rolling):
        limit = loss_limit(since, config)
        if limit is not None:
            yield above_zero(1.0, float(since.equity + figures.cash_flows - since.cash_flows - limit), still)

    left = 1.0 - float(config.min_liquidation_buffer_pct)
    # whose margin it is, is not known where several are held: each may be all of it as it rises, none as it falls
    yield above_zero(left, maintenance, [maintenance / mark for mark in marks])
    if len(held) > 1:
        yield above_zero(left, maintenance, still)

    yield above_zero(_threshold(config.max_exposure_pct), sum(notionals), worst)
    cap = _threshold(config.max_position_pct_per_symbol)
    for place, notional in enumerate(notionals):
        yield above_zero(cap, notional, [slope if each == place else 0.0 for each, slope in enumerate(worst)])
    if config.max_net_exposure_pct:
        cap, net = _threshold(config.max_net_exposure_pct), sum(map(float.__mul__, quantities, marks))
        yield above_zero(cap, net, quantities)
        yield above_zero(cap, -net, [-quantity for quantity in quantities])
    for group, members in config.exposure_groups.items():
        group_cap = config.max_exposure_pct_per_group.get(group)
        if group_cap is not None:
            inside = [each.symbol in members for each in held]
            total = sum(notional for notional, is_in in zip(notionals, inside, strict=True) if is_in)
            slopes = [slope if is_in else 0.0 for slope, is_in in zip(worst, inside, strict=True)]
            yield above_zero(_threshold(group_cap), total, slopes)
    yield from _distances(config, held, marks)


def _distances(config: RiskConfig, held: list[GuardSymbol], marks: list[float]) -> Iterable[_Condition]:
    """Each mark stays away from where the venue would liquidate, where that is known."""
    least = float(config.min_liquidation_buffer_pct)
    for place, each in enumerate(held):
        if each.liquidation_price is not None and each.position:
            side = 1.0 if each.position > 0 else -1.0
            slack = side * (marks[place] - float(each.liquidation_price)) - least * marks[place]
            slopes = [0.0] * len(held)
            slopes[place] = side - least
            yield _Condition(slack - ROUNDING * marks[place], tuple(slopes))


def _threshold(cap: Decimal) -> float:
    return float(cap * EXPOSURE_SLACK)
