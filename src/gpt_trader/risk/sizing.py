"""How big should an entry be? Pure sizes in base units, each with its formula, units and source.

An input that is missing makes its rule have no opinion; it is never replaced by a guess. Where no rule has an opinion
the size is what was asked. Caps come afterwards and only ever shrink. Exits are never sized here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from gpt_trader.config.risk import PositionSizingMethod, RiskConfig
from gpt_trader.core.errors import Number
from gpt_trader.core.values import ZERO, Value

__all__ = [
    "VOLATILITY_SCALE_MAX",
    "Edge",
    "Sizing",
    "SizingInputs",
    "drawdown_taper",
    "edge_of",
    "fixed_fraction",
    "kelly_share",
    "size_entry",
    "volatility_scale",
]

DAYS_PER_YEAR: Final = Decimal(365)
"""Perpetuals trade every day."""
VOLATILITY_SCALE_MAX: Final = Decimal(2)
"""A calm market enlarges a size at most so much: calm is measured, not promised."""
ONE: Final = Decimal(1)


class Edge(Value, frozen=True, kw_only=True):
    """What closed trades of the run earned, each as net profit over entry notional."""

    mean: Decimal
    variance: Decimal
    """Sample variance (n - 1)."""
    trades: int


class SizingInputs(Value, frozen=True, kw_only=True):
    """All that a size may depend on."""

    asked: Decimal
    """Base units that the strategy asked for: its share of equity at the mark."""
    equity: Decimal
    mark: Decimal
    sigma_day: Decimal | None = None
    """Standard deviation of one day's return; None until enough bars are seen."""
    edge: Edge | None = None
    drawdown: Decimal = ZERO
    """Loss from the highest equity, as a share of it."""
    strength: Decimal | None = None
    """0..1 as stated by the signal; None where it has no opinion."""


class Sizing(Value, frozen=True, kw_only=True):
    """Target in base units, not on the lot grid yet, with every number used."""

    quantity: Decimal
    trace: Mapping[str, Number]


def fixed_fraction(fraction: Decimal, equity: Decimal, price: Decimal) -> Decimal:
    """Base units worth `fraction` of equity: `q = f * E / p` (Vince 1990, "Portfolio Management Formulas")."""
    return fraction * equity / price


def volatility_scale(target_annual: Decimal, sigma_day: Decimal | None) -> Decimal | None:
    """`target / (sigma_day * sqrt(365))`, at most VOLATILITY_SCALE_MAX; None without measured volatility above zero.

    Volatility targeting: Moreira, Muir 2017, "Volatility-Managed Portfolios" (there by variance); Harvey et al. 2018,
    "The Impact of Volatility Targeting" (by standard deviation, as here).
    """
    if sigma_day is None or sigma_day <= 0:
        return None
    return min(VOLATILITY_SCALE_MAX, target_annual / (sigma_day * DAYS_PER_YEAR.sqrt()))


def kelly_share(edge: Edge | None, fraction: Decimal, trades_min: int) -> Decimal | None:
    """`fraction * mean / variance` of returns per trade, as notional over equity; never below zero.

    The growth rate `f * mean - f^2 * variance / 2` is largest at `mean / variance` (Kelly 1956; Thorp 2006, "The Kelly
    Criterion in Blackjack, Sports Betting and the Stock Market", section 7). None with fewer than `trades_min` trades
    or without variance: too little is known to have an opinion.
    """
    if edge is None or edge.trades < trades_min or edge.variance <= 0:
        return None
    return max(ZERO, fraction * edge.mean / edge.variance)


def edge_of(returns: Sequence[Decimal]) -> Edge | None:
    """Mean and sample variance of net profit over entry notional per closed trade; None for fewer than two."""
    count = len(returns)
    if count < 2:
        return None
    mean = sum(returns, ZERO) / count
    variance = sum(((each - mean) ** 2 for each in returns), ZERO) / (count - 1)
    return Edge(mean=mean, variance=variance, trades=count)


def drawdown_taper(drawdown: Decimal, start: Decimal, end: Decimal) -> Decimal:
    """1 up to `start`, 0 from `end` on, linear in between (the idea of Grossman, Zhou 1993: risk in proportion to the
    distance from the loss that may not be exceeded). `start` lies below `end`."""
    return max(ZERO, min(ONE, (end - drawdown) / (end - start)))


def size_entry(inputs: SizingInputs, config: RiskConfig) -> Sizing:
    """Target of an entry by `config.position_sizing_method`, times `position_sizing_multiplier`.

    fixed: as asked. volatility: asked times volatility_scale. kelly: kelly_share of equity. intelligent: the smaller
    of volatility and Kelly, times drawdown_taper, times the strength where the signal states one.
    """
    method = config.position_sizing_method
    trace: dict[str, Number] = {"sizing_method": str(method), "sizing_asked": inputs.asked}
    candidates: list[Decimal] = []
    if method in (PositionSizingMethod.VOLATILITY, PositionSizingMethod.INTELLIGENT):
        candidates += _by_volatility(inputs, config, trace)
    if method in (PositionSizingMethod.KELLY, PositionSizingMethod.INTELLIGENT):
        candidates += _by_kelly(inputs, config, trace)
    quantity = min(candidates, default=inputs.asked)
    if method is PositionSizingMethod.INTELLIGENT:
        quantity *= _tapers(inputs, config, trace)
    quantity *= config.position_sizing_multiplier
    trace["sizing_multiplier"] = config.position_sizing_multiplier
    trace["sizing_target"] = quantity
    return Sizing(quantity=quantity, trace=trace)


def _by_volatility(inputs: SizingInputs, config: RiskConfig, trace: dict[str, Number]) -> list[Decimal]:
    scale = volatility_scale(config.volatility_target_annual, inputs.sigma_day)
    trace["sigma_day"] = "unknown" if inputs.sigma_day is None else inputs.sigma_day
    trace["volatility_scale"] = "no opinion" if scale is None else scale
    return [] if scale is None else [inputs.asked * scale]


def _by_kelly(inputs: SizingInputs, config: RiskConfig, trace: dict[str, Number]) -> list[Decimal]:
    share = kelly_share(inputs.edge, config.kelly_fraction, config.kelly_trades_min)
    trace["closed_trades"] = 0 if inputs.edge is None else inputs.edge.trades
    if inputs.edge is not None:
        trace.update(trade_mean=inputs.edge.mean, trade_variance=inputs.edge.variance)
    trace["kelly_share"] = "no opinion" if share is None else share
    return [] if share is None else [fixed_fraction(share, inputs.equity, inputs.mark)]


def _tapers(inputs: SizingInputs, config: RiskConfig, trace: dict[str, Number]) -> Decimal:
    taper = drawdown_taper(inputs.drawdown, config.drawdown_taper_start_pct, config.drawdown_taper_end_pct)
    trace.update(drawdown=inputs.drawdown, drawdown_taper=taper)
    if inputs.strength is None:
        return taper
    trace["strength"] = inputs.strength
    return taper * max(ZERO, min(ONE, inputs.strength))
