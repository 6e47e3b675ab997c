"""Which rules and guards are there, and what do they do? One row for each, for people, documents and tests.

A rule looks at one order before it is sent: it refuses it, or makes it smaller. A guard looks at the account on a
cadence and after fills: it trips, acts, and has a way back. Thresholds are settings; the rows only say which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.errors import Refusal
from gpt_trader.core.values import Value
from gpt_trader.risk.guard_breakers import DRIFT_SETTLE_SECONDS, EXPOSURE_SLACK
from gpt_trader.risk.guard_values import Action, WayBack

__all__ = ["CATALOGUE", "Entry"]

REFUSES: Final = "refuse entry"
SHRINKS: Final = "shrink entry"
AT_ONCE: Final = "next order"
SLACK_TEXT: Final = f"{EXPOSURE_SLACK} times the cap"


class Entry(Value, frozen=True, kw_only=True):
    """One rule or guard."""

    kind: str
    """`rule` or `guard`."""
    name: str
    """As in events and decisions; of a rule the refusal code."""
    settings: tuple[str, ...] = ()
    """Fields of RiskConfig that are its threshold."""
    switch: str = ""
    """Fields that switch it off when all of them are zero, empty or no; none where it is always on."""
    unit: str
    threshold: str = ""
    """Where the threshold is not a setting, or not just the setting."""
    action: str
    way_back: str
    meaning: str

    def is_on(self, config: RiskConfig) -> bool:
        given = dict(config)
        return not self.switch or any(given[name] for name in self.switch.split())

    def values(self, config: RiskConfig) -> Mapping[str, object]:
        """Thresholds as they are set."""
        given = dict(config)
        return {name: given[name] for name in self.settings}


def _rule(
    code: Refusal, settings: str = "", *, unit: str, shrinks: bool = False, switch: str = "", meaning: str = ""
) -> Entry:
    return Entry(
        kind="rule",
        name=code.value,
        settings=tuple(settings.split()),
        switch=switch,
        unit=unit,
        action=SHRINKS if shrinks else REFUSES,
        way_back=AT_ONCE,
        meaning=meaning or code.meaning,
    )


def _guard(
    name: str,
    settings: str = "",
    *,
    unit: str,
    action: Action,
    way_back: WayBack,
    meaning: str,
    switch: str = "",
    threshold: str = "",
) -> Entry:
    return Entry(
        kind="guard",
        name=name,
        settings=tuple(settings.split()),
        switch=switch,
        unit=unit,
        threshold=threshold,
        action=action.value,
        way_back=way_back.value,
        meaning=meaning,
    )


SHARE: Final = "share of equity"
CATALOGUE: Final = (
    _rule(Refusal.KILL_SWITCH, "kill_switch_enabled", switch="kill_switch_enabled", unit="yes/no"),
    _rule(Refusal.REDUCE_ONLY_MODE, "reduce_only_mode", switch="reduce_only_mode", unit="yes/no"),
    _rule(Refusal.STALE_MARK, "max_mark_staleness_seconds", unit="seconds"),
    _rule(Refusal.STALE_BOOK, "max_book_staleness_seconds", unit="seconds"),
    _rule(Refusal.STALE_ACCOUNT, "max_account_staleness_seconds", unit="seconds"),
    _rule(Refusal.WEAK_SIGNAL, "min_signal_strength", switch="min_signal_strength", unit="0 to 1"),
    _rule(Refusal.LOW_CONFLUENCE, "min_confluence", switch="min_confluence", unit="score"),
    _rule(Refusal.STOP_TOO_FAR, "max_stop_distance_pct", unit="share of the entry price"),
    _rule(Refusal.REWARD_TOO_SMALL, "min_reward_risk", switch="min_reward_risk", unit="ratio"),
    _rule(Refusal.POSITION_COUNT_CAP, "max_concurrent_positions", switch="max_concurrent_positions", unit="symbols"),
    _rule(
        Refusal.ORDER_RATE_CAP,
        "order_rate_per_minute_max",
        switch="order_rate_per_minute_max",
        unit="entries in 60 s",
    ),
    _rule(Refusal.SLIPPAGE_GUARD, "slippage_guard_bps", switch="slippage_guard_bps", unit="basis points"),
    _rule(
        Refusal.MARKET_IMPACT,
        "max_market_impact_bps impact_coefficient sizing_mode",
        switch="enable_market_impact_guard",
        unit="basis points",
        shrinks=True,
    ),
    _rule(
        Refusal.LEVERAGE_CAP,
        "max_leverage leverage_max_per_symbol day_leverage_max_per_symbol night_leverage_max_per_symbol",
        unit="times equity",
        shrinks=True,
    ),
    _rule(Refusal.ORDER_SIZE_CAP, "max_position_size_pct", unit=SHARE, shrinks=True),
    _rule(
        Refusal.ORDER_NOTIONAL_CAP,
        "max_notional_per_order",
        switch="max_notional_per_order",
        unit="USD",
        shrinks=True,
    ),
    _rule(Refusal.SYMBOL_EXPOSURE_CAP, "max_position_pct_per_symbol", unit=SHARE, shrinks=True),
    _rule(
        Refusal.SYMBOL_NOTIONAL_CAP,
        "max_notional_per_symbol",
        switch="max_notional_per_symbol",
        unit="USD",
        shrinks=True,
    ),
    _rule(
        Refusal.SYMBOL_QUANTITY_CAP,
        "max_quantity_per_symbol",
        switch="max_quantity_per_symbol",
        unit="base units",
        shrinks=True,
    ),
    _rule(Refusal.TOTAL_EXPOSURE_CAP, "max_exposure_pct", unit=SHARE, shrinks=True),
    _rule(Refusal.NET_EXPOSURE_CAP, "max_net_exposure_pct", switch="max_net_exposure_pct", unit=SHARE, shrinks=True),
    _rule(
        Refusal.GROUP_EXPOSURE_CAP,
        "exposure_groups max_exposure_pct_per_group",
        switch="max_exposure_pct_per_group",
        unit=SHARE,
        shrinks=True,
    ),
    _rule(Refusal.INSUFFICIENT_MARGIN, unit="USD of available margin", shrinks=True),
    _rule(
        Refusal.LIQUIDATION_BUFFER,
        "min_liquidation_buffer_pct",
        switch="enable_pre_trade_liq_projection",
        unit=SHARE,
        shrinks=True,
    ),
    _guard(
        "pnl_utc_day",
        unit="USD",
        threshold="none",
        action=Action.RECORD,
        way_back=WayBack.WHEN_CALM,
        meaning="Profit of the UTC day, net of transfers. Telemetry: it never trips.",
    ),
    _guard(
        "daily_loss_utc_day",
        "daily_loss_limit daily_loss_limit_pct",
        switch="daily_loss_limit daily_loss_limit_pct",
        unit="USD",
        action=Action.CANCEL_ENTRIES,
        way_back=WayBack.NEXT_UTC_DAY,
        meaning="Loss since the start of the UTC day, net of transfers; the tighter of both limits counts.",
    ),
    _guard(
        "daily_loss_24h",
        "daily_loss_limit daily_loss_limit_pct",
        switch="daily_loss_limit daily_loss_limit_pct",
        unit="USD",
        action=Action.CANCEL_ENTRIES,
        way_back=WayBack.AFTER_24_H,
        meaning="The same over rolling 24 hours, in steps of an hour.",
    ),
    _guard(
        "liquidation_buffer",
        "min_liquidation_buffer_pct",
        unit=SHARE,
        action=Action.CANCEL_ENTRIES,
        way_back=WayBack.COOLDOWN,
        meaning="(equity - maintenance margin) / equity of the account is too small.",
    ),
    _guard(
        "liquidation_distance",
        "min_liquidation_buffer_pct",
        unit="share of mark",
        action=Action.PAUSE_SYMBOL,
        way_back=WayBack.COOLDOWN,
        meaning="The mark is too near the liquidation price, where the venue names one.",
    ),
    _guard(
        "margin_window",
        "margin_window_lead_minutes min_liquidation_buffer_pct",
        unit=SHARE,
        action=Action.REDUCE,
        way_back=WayBack.WHEN_CALM,
        meaning="At the margin rates of the window that begins within the lead, the buffer would be too small.",
    ),
    _guard(
        "disk",
        unit="GB free",
        threshold="records.disk_free_gb_min",
        action=Action.CANCEL_ENTRIES,
        way_back=WayBack.WHEN_CALM,
        meaning="The room where the log grows: what cannot be written down must not be begun. Not in simulations.",
    ),
    _guard(
        "mark_staleness",
        "max_mark_staleness_seconds",
        unit="seconds",
        threshold="2 times the setting",
        action=Action.PAUSE_SYMBOL,
        way_back=WayBack.WHEN_CALM,
        meaning="No mark has been received for too long.",
    ),
    _guard(
        "exposure",
        "max_exposure_pct",
        unit=SHARE,
        threshold=SLACK_TEXT,
        action=Action.CANCEL_ENTRIES,
        way_back=WayBack.WHEN_CALM,
        meaning="The market has moved the notional of all symbols above its cap; clears at the cap.",
    ),
    _guard(
        "concentration",
        "max_position_pct_per_symbol",
        unit=SHARE,
        threshold=SLACK_TEXT,
        action=Action.PAUSE_SYMBOL,
        way_back=WayBack.WHEN_CALM,
        meaning="The same for one symbol.",
    ),
    _guard(
        "net_exposure",
        "max_net_exposure_pct",
        switch="max_net_exposure_pct",
        unit=SHARE,
        threshold=SLACK_TEXT,
        action=Action.CANCEL_ENTRIES,
        way_back=WayBack.WHEN_CALM,
        meaning="Longs less shorts over all symbols.",
    ),
    _guard(
        "group_exposure",
        "exposure_groups max_exposure_pct_per_group",
        switch="max_exposure_pct_per_group",
        unit=SHARE,
        threshold=SLACK_TEXT,
        action=Action.PAUSE_SYMBOL,
        way_back=WayBack.WHEN_CALM,
        meaning="Notional of symbols that rise and fall together; pauses every member.",
    ),
    _guard(
        "volatility_warning",
        "volatility_warning_threshold volatility_window_periods",
        switch="enable_volatility_circuit_breaker",
        unit="annualised volatility",
        action=Action.RECORD,
        way_back=WayBack.COOLDOWN,
        meaning="Volatility of the last bars, annualised from the real bar length.",
    ),
    _guard(
        "volatility_reduce_only",
        "volatility_reduce_only_threshold volatility_window_periods",
        switch="enable_volatility_circuit_breaker",
        unit="annualised volatility",
        action=Action.REDUCE_ONLY,
        way_back=WayBack.COOLDOWN,
        meaning="The same, higher.",
    ),
    _guard(
        "volatility_kill",
        "volatility_kill_switch_threshold volatility_window_periods",
        switch="enable_volatility_circuit_breaker",
        unit="annualised volatility",
        action=Action.KILL,
        way_back=WayBack.OPERATOR,
        meaning="The same, higher still.",
    ),
    _guard(
        "volatility_day",
        "max_intraday_volatility_threshold",
        switch="enable_volatility_circuit_breaker",
        unit="volatility of the day",
        action=Action.PAUSE_SYMBOL,
        way_back=WayBack.NEXT_UTC_DAY,
        meaning="Realised volatility since 00:00 UTC, not annualised.",
    ),
    _guard(
        "rejects",
        "reject_breaker_count reject_breaker_window_minutes",
        switch="reject_breaker_count",
        unit="venue rejects",
        action=Action.REDUCE_ONLY,
        way_back=WayBack.COOLDOWN,
        meaning="The venue rejects our orders one after the other: something is wrong with us.",
    ),
    _guard(
        "loss_streak",
        "loss_streak_max",
        switch="loss_streak_max",
        unit="losses in a row",
        action=Action.REDUCE_ONLY,
        way_back=WayBack.COOLDOWN,
        meaning="Positions closed at a net loss, over all symbols; counted anew after each trip.",
    ),
    _guard(
        "slippage",
        "slippage_breaker_count slippage_breaker_window_minutes",
        switch="slippage_breaker_count",
        unit="costly intents",
        action=Action.PAUSE_SYMBOL,
        way_back=WayBack.COOLDOWN,
        meaning="Intents of the symbol that cost more than execution.max_slippage_pct against their arrival mid.",
    ),
    _guard(
        "drift",
        unit="base units",
        threshold=f"any, for more than {DRIFT_SETTLE_SECONDS} s",
        action=Action.REDUCE_ONLY,
        way_back=WayBack.COOLDOWN,
        meaning="Ledger and venue disagree on a position in sweep after sweep.",
    ),
    _guard(
        "NAME_failure",
        unit="errors",
        threshold="1",
        action=Action.REDUCE_ONLY,
        way_back=WayBack.COOLDOWN,
        meaning="A guard of that name, its figures, a cancel it asked for, or the account sweep failed: what cannot be "
        "measured is not safe.",
    ),
)
