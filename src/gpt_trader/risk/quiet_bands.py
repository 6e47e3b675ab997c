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


Condition = tuple[float, float, list[float]]
"""`share * equity - amount > 0`: share, amount, and how the amount moves with the mark of each symbol held."""


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
    equity, quantities = float(figures.equity), [float(each.position) for each in held]
    marks = [float(each.mark or 0) for each in held]
    lows, highs = [0.0] * len(held), [inf] * len(held)
    rounding = ROUNDING * (
        abs(equity) + float(figures.maintenance_margin) + float(sum(each.worst_notional for each in held))
    )
    for share, amount, slopes in _conditions(figures, baselines, config, held):
        slack = share * equity - amount - rounding - ROUNDING * abs(amount)
        if slack <= 0:
            return None
        moves = [share * quantity - slope for quantity, slope in zip(quantities, slopes, strict=True)]
        part = slack / max(1, len(moves) - moves.count(0.0))
        for place, move in enumerate(moves):
            if move > 0:
                lows[place] = max(lows[place], marks[place] - part / move)
            elif move < 0:
                highs[place] = min(highs[place], marks[place] - part / move)
    bands = {each.symbol: FREE for each in figures.symbols}
    bands.update((each.symbol, band) for each, band in zip(held, zip(lows, highs, strict=True), strict=True))
    until_ns = (figures.now_ns // HOUR_NS + 1) * HOUR_NS
    if figures.window_lead_ns is not None:
        until_ns = min(until_ns, figures.window_lead_ns)
    return QuietBands(bands, until_ns)


def _conditions(
    figures: GuardInput, baselines: Baselines, config: RiskConfig, held: list[GuardSymbol]
) -> list[Condition]:
    """Every condition under which a guard stays untripped."""
    maintenance = float(figures.maintenance_margin)
    marks = [float(each.mark or 0) for each in held]
    notionals = [float(each.worst_notional) for each in held]
    worst = [notional / mark for notional, mark in zip(notionals, marks, strict=True)]
    still = [0.0] * len(held)
    found: list[Condition] = [(1.0, 0.0, still)]
    for since in (baselines.day, baselines.rolling):
        limit = loss_limit(since, config)
        if limit is not None:
            found.append((1.0, float(since.equity + figures.cash_flows - since.cash_flows - limit), still))

    left = 1.0 - float(config.min_liquidation_buffer_pct)
    # whose margin it is, is not known where several are held: each may be all of it as it rises, none as it falls
    found.append((left, maintenance, [maintenance / mark for mark in marks]))
    if len(held) > 1:
        found.append((left, maintenance, still))

    found.append((_threshold(config.max_exposure_pct), sum(notionals), worst))
    cap = _threshold(config.max_position_pct_per_symbol)
    for place, notional in enumerate(notionals):
        found.append((cap, notional, _alone(place, worst)))
    found += _net_and_groups(config, held, notionals, worst)
    least = float(config.min_liquidation_buffer_pct)
    for place, each in enumerate(held):
        if each.liquidation_price is not None and each.position:
            side = 1.0 if each.position > 0 else -1.0
            # side * (mark - liquidation price) - least * mark > 0
            amount = side * float(each.liquidation_price) - (side - least) * marks[place]
            found.append((0.0, amount, _alone(place, [least - side] * len(held))))
    return found


def _net_and_groups(
    config: RiskConfig, held: list[GuardSymbol], notionals: list[float], worst: list[float]
) -> Iterable[Condition]:
    """Longs less shorts either way, and each group of symbols."""
    if config.max_net_exposure_pct:
        cap, quantities = _threshold(config.max_net_exposure_pct), [float(each.position) for each in held]
        net = float(sum(each.position * (each.mark or 0) for each in held))
        yield cap, net, quantities
        yield cap, -net, [-quantity for quantity in quantities]
    for group, members in config.exposure_groups.items():
        group_cap = config.max_exposure_pct_per_group.get(group)
        if group_cap is not None:
            inside = [1.0 if each.symbol in members else 0.0 for each in held]
            total = sum(map(float.__mul__, notionals, inside))
            yield _threshold(group_cap), total, list(map(float.__mul__, worst, inside))


def _alone(place: int, slopes: list[float]) -> list[float]:
    """Of these only the one of `place`."""
    return [slope if each == place else 0.0 for each, slope in enumerate(slopes)]


def _threshold(cap: Decimal) -> float:
    return float(cap * EXPOSURE_SLACK)
