"""What has gone wrong too often, or is about to cost more margin? Breakers, portfolio limits, drift, margin windows.

Each is one pure function from figures to readings, like those of `guard_rules`, whose table lists them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.errors import Number
from gpt_trader.core.values import ZERO
from gpt_trader.risk.guard_values import Action, Baselines, GuardInput, Reading, WayBack

__all__ = [
    "DRIFT_SETTLE_SECONDS",
    "EXPOSURE_SLACK",
    "read_drift",
    "read_loss_streak",
    "read_margin_window",
    "read_portfolio",
    "read_rejects",
    "read_slippage",
    "share_reading",
]

EXPOSURE_SLACK: Final = Decimal("1.1")
"""Entries fill up to a cap and the market then moves: the exposure guards trip one tenth above the caps that entries
obey, and clear at the caps."""
NAMED_MAX: Final = 20
"""Orders that a trip names."""
DRIFT_SETTLE_SECONDS: Final = 10
"""Trades on their way make ledger and venue differ for moments; longer than this is drift."""


def read_portfolio(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """|longs - shorts| over equity, and the worst notional of each group of symbols over equity. A cap of 0 is off."""
    if config.max_net_exposure_pct:
        net = abs(sum((each.position * (each.mark or ZERO) for each in figures.symbols), ZERO))
        cap, action = config.max_net_exposure_pct, Action.CANCEL_ENTRIES
        yield share_reading("net_exposure", "", net, figures.equity, cap=cap, action=action)
    worst = {each.symbol: each.worst_notional for each in figures.symbols}
    for group, members in config.exposure_groups.items():
        group_cap = config.max_exposure_pct_per_group.get(group)
        held = [symbol for symbol in members if symbol in worst]
        if group_cap is None or not held:
            continue
        total = sum((worst[symbol] for symbol in held), ZERO)
        for symbol in held:
            action = Action.PAUSE_SYMBOL
            yield share_reading(
                "group_exposure", symbol, total, figures.equity, cap=group_cap, action=action, group=group
            )


def share_reading(
    guard: str, symbol: str, notional: Decimal, equity: Decimal, *, cap: Decimal, action: Action, group: str = ""
) -> Reading:
    """Notional over equity against a cap. Without equity nothing stands behind it: the notional is shown as it is."""
    if equity <= 0 < notional:
        return Reading(guard, symbol, notional, ZERO, "USD", True, False, action, WayBack.WHEN_CALM)
    share = notional / equity if notional else ZERO
    tripped = share > cap * EXPOSURE_SLACK
    numbers: dict[str, Number] = {}
    if tripped:
        numbers.update(notional=notional, equity=equity, cap=cap)
    if tripped and group:
        numbers["group"] = group
    threshold, unit = cap * EXPOSURE_SLACK, "share of equity"
    return Reading(guard, symbol, share, threshold, unit, tripped, share <= cap, action, WayBack.WHEN_CALM, numbers)


def read_rejects(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """Orders that the venue rejected within the window: something is wrong with us, not with one order. 0 is off."""
    most = config.reject_breaker_count
    if most:
        named, action = figures.rejects_recent, Action.REDUCE_ONLY
        yield _count("rejects", "", len(named), most, unit="venue rejects", action=action, named=named)


def read_loss_streak(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """Positions closed at a net loss, one after the other, over all symbols. The count begins anew with each trip, so
    that the cooldown can end. 0 is off."""
    most = config.loss_streak_max
    if most:
        yield _count(
            "loss_streak", "", figures.losses_in_a_row, most, unit="losses in a row", action=Action.REDUCE_ONLY
        )


def read_slippage(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """Intents of a symbol that cost more than max_slippage_pct within the window. 0 is off."""
    most = config.slippage_breaker_count
    if most:
        for each in figures.symbols:
            action, unit = Action.PAUSE_SYMBOL, "costly intents"
            named = each.slippage_recent
            yield _count("slippage", each.symbol, len(named), most, unit=unit, action=action, named=named)


def _count(
    guard: str, symbol: str, value: int, most: int, *, unit: str, action: Action, named: tuple[str, ...] = ()
) -> Reading:
    """`named` are the orders that were counted: the evidence, of which the last ones are kept with a trip."""
    tripped = value >= most
    numbers: Mapping[str, Number] = {"orders": ", ".join(named[-NAMED_MAX:])} if tripped and named else {}
    way_back = WayBack.COOLDOWN
    return Reading(guard, symbol, Decimal(value), Decimal(most), unit, tripped, not tripped, action, way_back, numbers)


def read_drift(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:  # noqa: ARG001 - a guard
    """Sweeps found ledger and venue to differ by the same quantity for longer than trades are under way."""
    for each in figures.symbols:
        tripped = each.drift_seconds > DRIFT_SETTLE_SECONDS
        numbers: Mapping[str, Number] = {}
        if tripped:
            numbers = {"ledger": each.position, "venue": each.position - each.drift, "seconds": each.drift_seconds}
        yield Reading(
            "drift",
            each.symbol,
            abs(each.drift),
            ZERO,
            "base units",
            tripped,
            not each.drift,
            Action.REDUCE_ONLY,
            WayBack.COOLDOWN,
            numbers,
        )


def read_margin_window(figures: GuardInput, _: Baselines, config: RiskConfig) -> Iterable[Reading]:
    """(equity - maintenance margin) / equity at the rates of the window that is about to begin.

    Below min_liquidation_buffer_pct positions are cut by `cut`, the share of each that is too much:
    `1 - equity * (1 - buffer) / margin`.
    """
    known = [each.next_maintenance for each in figures.symbols if each.next_maintenance is not None]
    if not known:
        return
    margin, equity, least = sum(known, ZERO), figures.equity, config.min_liquidation_buffer_pct
    buffer = (equity - margin) / equity if equity > 0 else ZERO
    tripped = margin > 0 and buffer < least
    numbers: Mapping[str, Number] = {}
    if tripped:
        carried = max(ZERO, equity) * (1 - least)
        numbers = {"equity": equity, "next_maintenance_margin": margin, "cut": 1 - carried / margin}
    unit, way_back = "share of equity", WayBack.WHEN_CALM
    yield Reading("margin_window", "", buffer, least, unit, tripped, not tripped, Action.REDUCE, way_back, numbers)
