"""How much may be lost, and by which rule? Every limit, with its unit, its default and where it acts.

Shares of equity are written as Decimal shares: 0.2 is 20 %. "Notional" is quantity times mark. Zero switches a limit
off only where its text says so. A value that is not understood is an error; nothing falls back to a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

__all__ = ["PositionSizingMethod", "RiskConfig", "Setting", "SizingMode", "StrictModel", "Symbol", "parse_per_symbol"]


@dataclass(frozen=True)
class Setting:
    """What a person must know of a setting beside its name: unit, where it acts, and its other names."""

    unit: str
    acts: str
    """Rule, guard or part that reads it."""
    env: str = ""
    """Environment variable; empty takes the name made by rule (RISK_ and the field for limits)."""
    option: str = ""
    """Option of `gpt-trader run`, where there is one."""
    secret: bool = False
    """Never printed, logged or hashed, and accepted from the environment or an env file only."""
    built: bool = True
    """Something reads it. What nothing reads yet may be shown but not set: it would only seem to act."""
    in_digest: bool = True
    """Part of the configuration digest; paths, names for people and the pace are not."""


class StrictModel(BaseModel):
    """Frozen, and closed to names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class SizingMode(StrEnum):
    """What to do when the size that is wanted would move the market too much."""

    CONSERVATIVE = "CONSERVATIVE"
    """Trade the largest size that fits."""
    STRICT = "STRICT"
    """All of it or none."""
    AGGRESSIVE = "AGGRESSIVE"
    """All of it, sliced."""


class PositionSizingMethod(StrEnum):
    """How DynamicSizingHelper finds the size of an entry."""

    FIXED = "fixed"
    """The share of equity that the strategy asks for."""
    VOLATILITY = "volatility"
    """Volatility target: asked share times target over measured volatility."""
    KELLY = "kelly"
    """Fractional Kelly from the run's own closed trades."""
    INTELLIGENT = "intelligent"
    """The smaller of volatility and Kelly, tapered by drawdown and signal strength."""


def refuse_bool(value: object) -> object:
    """A yes or no is not a number, although Python thinks so."""
    if isinstance(value, bool):
        raise ValueError("yes/no where a number is wanted")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def parse_per_symbol(value: object) -> object:
    """`BTC-PERP:10,ETH-PERP:8` (`,` or `;`) as a mapping; mappings pass. Raises ValueError naming the item."""
    if not isinstance(value, str):
        return value
    parsed: dict[str, str] = {}
    for item in value.replace(";", ",").split(","):
        if not item.strip() and not value.strip():
            continue
        symbol, colon, number = (part.strip() for part in item.partition(":"))
        if not (symbol and colon and number):
            raise ValueError(f"item {item.strip()!r} is not SYMBOL:VALUE")
        if symbol in parsed:
            raise ValueError(f"{symbol} is named twice")
        parsed[symbol] = number
    return parsed


def parse_groups(value: object) -> object:
    """`majors:BTC-PERP+ETH-PERP,alts:SOL-PERP` as a mapping; mappings pass. Raises ValueError naming the item."""
    parsed = parse_per_symbol(value)
    if not isinstance(value, str) or not isinstance(parsed, dict):
        return parsed
    return {name: tuple(symbol.strip() for symbol in text.split("+")) for name, text in parsed.items()}


def check_time_of_day(value: str) -> str:
    hours, _, minutes = value.partition(":")
    if not (len(value) == 5 and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
        raise ValueError("not a time of day HH:MM")
    return value


Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+([-./][A-Z0-9]+)*$")]
"""A name of ours such as BTC-PERP: capitals and digits."""
Count = Annotated[int, BeforeValidator(refuse_bool)]
Amount = Annotated[Decimal, BeforeValidator(refuse_bool)]
TimeOfDay = Annotated[str, AfterValidator(check_time_of_day)]
Leverage = Annotated[int, BeforeValidator(refuse_bool), Field(ge=1, le=100)]
Rate = Annotated[Decimal, BeforeValidator(refuse_bool), Field(gt=0, lt=1)]
Positive = Annotated[Decimal, BeforeValidator(refuse_bool), Field(gt=0)]
LeveragePerSymbol = Annotated[Mapping[Symbol, Leverage], BeforeValidator(parse_per_symbol)]
RatePerSymbol = Annotated[Mapping[Symbol, Rate], BeforeValidator(parse_per_symbol)]
GroupName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
SymbolGroups = Annotated[Mapping[GroupName, tuple[Symbol, ...]], BeforeValidator(parse_groups)]
Share = Annotated[Decimal, BeforeValidator(refuse_bool), Field(gt=0, le=10)]
SharePerGroup = Annotated[Mapping[GroupName, Share], BeforeValidator(parse_per_symbol)]
AmountPerSymbol = Annotated[Mapping[Symbol, Positive], BeforeValidator(parse_per_symbol)]

SHARE = "share of equity (0.2 = 20 %)"
ANNUAL = "annualised volatility (0.6 = 60 % a year)"
BPS = "basis points"
USD = "USD"


class RiskConfig(StrictModel):
    """Every limit of the bot. Read by rules and guards; the two engine flags only by ExecutionEngineFactory."""

    # --- the engine flags ----------------------------------------------------------------------------------------
    enable_dynamic_position_sizing: Annotated[bool, Setting("yes/no", "ExecutionEngineFactory")] = False
    """Chooses AdvancedExecutionEngine and lets DynamicSizingHelper size entries."""
    enable_market_impact_guard: Annotated[bool, Setting("yes/no", "ExecutionEngineFactory")] = False
    """Chooses AdvancedExecutionEngine and caps the impact of entries at max_market_impact_bps."""

    # --- leverage and margin -------------------------------------------------------------------------------------
    max_leverage: Annotated[Count, Setting("times equity", "pre-trade rule leverage_cap")] = Field(
        default=5, ge=1, le=100
    )
    """Largest resulting notional over equity. The smallest of this, the symbol's, the hour's and the venue's counts."""
    leverage_max_per_symbol: Annotated[LeveragePerSymbol, Setting("times equity", "pre-trade rule leverage_cap")] = {}
    """The same for single symbols."""
    daytime_start_utc: Annotated[TimeOfDay | None, Setting("HH:MM UTC", "choice of day or night limits")] = None
    """When day limits begin; night is the rest. Needed as soon as a day or night limit is set."""
    daytime_end_utc: Annotated[TimeOfDay | None, Setting("HH:MM UTC", "choice of day or night limits")] = None
    """When day limits end; may lie past midnight."""
    day_leverage_max_per_symbol: Annotated[
        LeveragePerSymbol, Setting("times equity", "pre-trade rule leverage_cap")
    ] = {}
    """Leverage caps that hold by day."""
    night_leverage_max_per_symbol: Annotated[
        LeveragePerSymbol, Setting("times equity", "pre-trade rule leverage_cap")
    ] = {}
    """Leverage caps that hold by night."""
    day_mmr_per_symbol: Annotated[RatePerSymbol, Setting("share of notional", "pre-trade rule liquidation_buffer")] = {}
    """Maintenance margin rates by day; used only where the venue names none."""
    night_mmr_per_symbol: Annotated[
        RatePerSymbol, Setting("share of notional", "pre-trade rule liquidation_buffer")
    ] = {}
    """Maintenance margin rates by night; used only where the venue names none."""
    default_maintenance_margin_rate: Annotated[
        Rate, Setting("share of notional", "pre-trade rule liquidation_buffer", env="RISK_DEFAULT_MMR")
    ] = Decimal("0.005")
    """Maintenance margin rate where neither venue nor day/night table names one."""
    min_liquidation_buffer_pct: Annotated[Amount, Setting(SHARE, "pre-trade rule and guard liquidation_buffer")] = (
        Field(default=Decimal("0.15"), ge=0, lt=1)
    )
    """Smallest (equity - maintenance margin) / equity that is allowed, now (guard) and projected (rule)."""
    enable_pre_trade_liq_projection: Annotated[bool, Setting("yes/no", "pre-trade rule liquidation_buffer")] = True
    """Project the buffer with the order filled, and refuse the entry when it falls below the minimum."""
    margin_window_lead_minutes: Annotated[Count, Setting("minutes", "pre-trade margin rules; guard margin_window")] = (
        Field(default=30, ge=0, le=1440)
    )
    """So long before a margin window change or session break, the next window's margin rates are used."""

    # --- loss ----------------------------------------------------------------------------------------------------
    daily_loss_limit: Annotated[Amount, Setting(USD, "guard daily_loss")] = Field(default=Decimal(100), ge=0)
    """Loss since the day's start (UTC) or over rolling 24 h, net of transfers, that trips the guard. 0 = off."""
    daily_loss_limit_pct: Annotated[Amount, Setting("share of day-start equity", "guard daily_loss")] = Field(
        default=Decimal(0), ge=0, lt=1
    )
    """The same as a share; of the two the tighter counts. 0 = off."""

    # --- exposure ------------------------------------------------------------------------------------------------
    max_exposure_pct: Annotated[Amount, Setting(SHARE, "pre-trade rule total_exposure_cap; guard exposure")] = Field(
        default=Decimal("0.8"), gt=0, le=10
    )
    """Largest resulting notional over all symbols, as a share of equity."""
    max_net_exposure_pct: Annotated[Amount, Setting(SHARE, "pre-trade rule net_exposure_cap; guard net_exposure")] = (
        Field(default=Decimal(0), ge=0, le=10)
    )
    """Largest resulting longs less shorts (or shorts less longs) over all symbols, as a share of equity. 0 = off."""
    exposure_groups: Annotated[SymbolGroups, Setting("names of symbols", "groups of max_exposure_pct_per_group")] = {}
    """Symbols that rise and fall together, by a name of your own: majors:BTC-PERP+ETH-PERP,alts:SOL-PERP."""
    max_exposure_pct_per_group: Annotated[
        SharePerGroup, Setting(SHARE, "pre-trade rule group_exposure_cap; guard group_exposure")
    ] = {}
    """Largest resulting notional over the symbols of each group, as a share of equity."""
    max_position_pct_per_symbol: Annotated[
        Amount, Setting(SHARE, "pre-trade rule symbol_exposure_cap; guard exposure")
    ] = Field(default=Decimal("0.2"), gt=0, le=10)
    """Largest resulting notional in one symbol, as a share of equity."""
    max_notional_per_symbol: Annotated[AmountPerSymbol, Setting(USD, "pre-trade rule symbol_notional_cap")] = {}
    """Largest resulting notional in single symbols."""
    max_quantity_per_symbol: Annotated[
        AmountPerSymbol, Setting("base units", "pre-trade rule symbol_quantity_cap")
    ] = {}
    """Largest resulting position in single symbols."""
    max_notional_per_order: Annotated[Amount, Setting(USD, "pre-trade rule order_notional_cap")] = Field(
        default=Decimal(0), ge=0
    )
    """Largest notional of one entry. 0 = off."""
    default_position_size_pct: Annotated[Amount, Setting(SHARE, "PerpsBot, entries that state no size")] = Field(
        default=Decimal("0.02"), gt=0, le=10
    )
    """Notional of an entry whose signal or command names no size."""
    max_position_size_pct: Annotated[Amount, Setting(SHARE, "pre-trade rule order_size_cap")] = Field(
        default=Decimal("0.05"), gt=0, le=10
    )
    """Largest notional of one entry; dynamic sizing stays below it too."""
    max_concurrent_positions: Annotated[Count, Setting("symbols", "pre-trade rule position_count_cap")] = Field(
        default=3, ge=0, le=1000
    )
    """How many symbols may be held or entered at once. 0 = off."""

    # --- the single trade ----------------------------------------------------------------------------------------
    min_signal_strength: Annotated[Amount, Setting("0 to 1", "ValidationHandler, weak_signal")] = Field(
        default=Decimal(0), ge=0, le=1
    )
    """A signal that states less strength is refused; one that states none is not judged."""
    min_confluence: Annotated[Amount, Setting("score", "ValidationHandler, low_confluence")] = Field(
        default=Decimal("3.0"), ge=0, le=100
    )
    """A signal that states a lower confluence score is refused; one that states none is not judged."""
    min_reward_risk: Annotated[Amount, Setting("ratio", "pre-trade rule reward_too_small")] = Field(
        default=Decimal("1.5"), ge=0, le=100
    )
    """Smallest (target - entry) / (entry - stop), where an entry has both. 0 = off."""
    max_stop_distance_pct: Annotated[Amount, Setting("share of the entry price", "pre-trade rule stop_too_far")] = (
        Field(default=Decimal("0.02"), gt=0, lt=1)
    )
    """Furthest a protective stop may lie from the entry, where an entry has one."""
    enable_protective_stops: Annotated[bool, Setting("yes/no", "RiskManagementHandler; StopTriggerManager")] = False
    """Give every entry without a stop one at default_stop_loss_pct."""
    default_stop_loss_pct: Annotated[Amount, Setting("share of the entry price", "RiskManagementHandler")] = Field(
        default=Decimal("0.02"), gt=0, lt=1
    )
    """Distance of a stop that the bot sets by itself."""
    order_rate_per_minute_max: Annotated[Count, Setting("entries a minute", "pre-trade rule order_rate_cap")] = Field(
        default=60, ge=0, le=100_000
    )
    """Entries over the last 60 s, all symbols. Exits are never held back. 0 = off."""

    # --- prices --------------------------------------------------------------------------------------------------
    slippage_guard_bps: Annotated[Amount, Setting(BPS, "LiveExecutionEngine, OrderValidator")] = Field(
        default=Decimal(50), ge=0, le=1000
    )
    """Largest expected slippage of an entry (times its SLIPPAGE_MULTIPLIERS). 0 = off."""
    market_collar_bps: Annotated[Amount, Setting(BPS, "MarketExecutionStrategy")] = Field(
        default=Decimal(100), gt=0, le=1000
    )
    """A market entry is sent with a limit price no further than this from the middle of the book."""
    exit_collar_bps: Annotated[Amount, Setting(BPS, "MarketExecutionStrategy")] = Field(
        default=Decimal(300), gt=0, le=2000
    )
    """The same for exits, which must get out."""
    max_mark_staleness_seconds: Annotated[Count, Setting("seconds", "StateCollector; guard mark_staleness")] = Field(
        default=180, ge=1, le=3600
    )
    """Entries on an older mark are refused; at twice this age the guard pauses the symbol."""
    max_book_staleness_seconds: Annotated[Count, Setting("seconds", "StateCollector")] = Field(
        default=15, ge=1, le=3600
    )
    """A decision that needs the book refuses an older one."""
    max_account_staleness_seconds: Annotated[Count, Setting("seconds", "StateCollector")] = Field(
        default=180, ge=1, le=3600
    )
    """Entries on older balances or positions are refused."""

    # --- modes ---------------------------------------------------------------------------------------------------
    kill_switch_enabled: Annotated[bool, Setting("yes/no", "pre-trade rule kill_switch")] = False
    """No entries; exits pass as clamped closes only."""
    reduce_only_mode: Annotated[bool, Setting("yes/no", "pre-trade rule reduce_only_mode")] = False
    """Only orders that reduce a position pass."""

    # --- impact --------------------------------------------------------------------------------------------------
    max_market_impact_bps: Annotated[Amount, Setting(BPS, "AdvancedExecutionEngine, impact rule")] = Field(
        default=Decimal(50), gt=0, le=1000
    )
    """Largest expected impact of an entry, when enable_market_impact_guard is on."""
    impact_coefficient: Annotated[Amount, Setting("factor", "impact model, worked orders")] = Field(
        default=Decimal(1), gt=0, le=10
    )
    """Y of the square-root law: impact = Y * daily volatility * sqrt(quantity / daily volume)."""
    sizing_mode: Annotated[SizingMode, Setting("mode", "AdvancedExecutionEngine, DynamicSizingHelper")] = (
        SizingMode.CONSERVATIVE
    )
    """CONSERVATIVE: largest size that fits. STRICT: all or nothing. AGGRESSIVE: full size, sliced."""

    # --- dynamic sizing ------------------------------------------------------------------------------------------
    position_sizing_method: Annotated[PositionSizingMethod, Setting("method", "DynamicSizingHelper")] = (
        PositionSizingMethod.INTELLIGENT
    )
    """fixed, volatility, kelly or intelligent; of no effect without enable_dynamic_position_sizing."""
    position_sizing_multiplier: Annotated[Amount, Setting("factor", "DynamicSizingHelper")] = Field(
        default=Decimal("1.0"), gt=0, le=10
    )
    """Scales the dynamic size before the caps."""
    volatility_target_annual: Annotated[Amount, Setting(ANNUAL, "DynamicSizingHelper")] = Field(
        default=Decimal("0.20"), gt=0, le=5
    )
    """Volatility of the account that the volatility method aims at."""
    kelly_fraction: Annotated[Amount, Setting("share of full Kelly", "DynamicSizingHelper")] = Field(
        default=Decimal("0.25"), gt=0, le=1
    )
    """How much of the Kelly size is taken."""
    kelly_trades_min: Annotated[Count, Setting("closed trades", "DynamicSizingHelper")] = Field(
        default=100, ge=2, le=100_000
    )
    """Below so many closed trades Kelly has no opinion and the other sizes decide."""
    drawdown_taper_start_pct: Annotated[Amount, Setting("share of peak equity", "DynamicSizingHelper")] = Field(
        default=Decimal("0.05"), ge=0, lt=1
    )
    """Drawdown from which the intelligent size shrinks."""
    drawdown_taper_end_pct: Annotated[Amount, Setting("share of peak equity", "DynamicSizingHelper")] = Field(
        default=Decimal("0.20"), gt=0, le=1
    )
    """Drawdown at which it reaches zero (linear in between)."""

    # --- breakers ------------------------------------------------------------------------------------------------
    reject_breaker_count: Annotated[Count, Setting("venue rejects", "guard rejects")] = Field(
        default=5, ge=0, le=10_000
    )
    """So many orders rejected by the venue within the window trip to reduce-only. 0 = off."""
    reject_breaker_window_minutes: Annotated[Count, Setting("minutes", "guard rejects")] = Field(
        default=10, ge=1, le=1440
    )
    """How far back rejects are counted."""
    loss_streak_max: Annotated[Count, Setting("losses in a row", "guard loss_streak")] = Field(
        default=0, ge=0, le=10_000
    )
    """So many positions closed at a net loss one after the other trip to reduce-only. 0 = off."""
    slippage_breaker_count: Annotated[Count, Setting("costly intents", "guard slippage")] = Field(
        default=3, ge=0, le=10_000
    )
    """So many intents of a symbol that cost more than max_slippage_pct pause its entries. 0 = off."""
    slippage_breaker_window_minutes: Annotated[Count, Setting("minutes", "guard slippage")] = Field(
        default=60, ge=1, le=10_080
    )
    """How far back they are counted."""

    # --- volatility breaker --------------------------------------------------------------------------------------
    enable_volatility_circuit_breaker: Annotated[
        bool, Setting("yes/no", "guard volatility", env="RISK_ENABLE_VOLATILITY_CB")
    ] = False
    """Watch volatility at all. Set the thresholds to the market: BTC mostly lies between 0.3 and 1.0 a year."""
    max_intraday_volatility_threshold: Annotated[
        Amount, Setting("volatility of the day (0.15 = 15 %)", "guard volatility", env="RISK_MAX_INTRADAY_VOL")
    ] = Field(default=Decimal("0.15"), gt=0, le=5)
    """Realised volatility since 00:00 UTC (root of the sum of squared bar returns, not annualised) that pauses the
    entries of a symbol until the day ends."""
    volatility_window_periods: Annotated[Count, Setting("bars", "guard volatility", env="RISK_VOL_WINDOW_PERIODS")] = (
        Field(default=20, ge=2, le=10_000)
    )
    """Bars over which volatility is measured, annualised from the real bar length."""
    circuit_breaker_cooldown_minutes: Annotated[
        Count, Setting("minutes", "guards whose way back is a cooldown", env="RISK_CB_COOLDOWN_MIN")
    ] = Field(default=30, ge=1, le=10_080)
    """How long what tripped must stay calm before its action is taken back."""
    volatility_warning_threshold: Annotated[
        Amount, Setting(ANNUAL, "guard volatility", env="RISK_VOL_WARNING_THRESH")
    ] = Field(default=Decimal("0.15"), gt=0, le=20)
    """Recorded."""
    volatility_reduce_only_threshold: Annotated[
        Amount, Setting(ANNUAL, "guard volatility", env="RISK_VOL_REDUCE_ONLY_THRESH")
    ] = Field(default=Decimal("0.20"), gt=0, le=20)
    """Reduce-only mode."""
    volatility_kill_switch_threshold: Annotated[
        Amount, Setting(ANNUAL, "guard volatility", env="RISK_VOL_KILL_SWITCH_THRESH")
    ] = Field(default=Decimal("0.25"), gt=0, le=20)
    """Kill switch."""

    @model_validator(mode="after")
    def _check_daytime(self) -> Self:
        start, end = self.daytime_start_utc, self.daytime_end_utc
        if (start is None) != (end is None):
            raise ValueError("daytime_start_utc and daytime_end_utc are set together or not at all")
        if start is not None and start == end:
            raise ValueError("daytime_start_utc equals daytime_end_utc: there would be no day")
        tables = {
            "day_leverage_max_per_symbol": self.day_leverage_max_per_symbol,
            "night_leverage_max_per_symbol": self.night_leverage_max_per_symbol,
            "day_mmr_per_symbol": self.day_mmr_per_symbol,
            "night_mmr_per_symbol": self.night_mmr_per_symbol,
        }
        used = [name for name, table in tables.items() if table]
        if start is None and used:
            raise ValueError(f"{', '.join(used)} would never apply: set daytime_start_utc and daytime_end_utc")
        return self

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        warning, reduce_only = self.volatility_warning_threshold, self.volatility_reduce_only_threshold
        if not warning <= reduce_only <= self.volatility_kill_switch_threshold:
            raise ValueError(
                "volatility_warning_threshold, volatility_reduce_only_threshold and "
                "volatility_kill_switch_threshold must rise in this order"
            )
        if self.drawdown_taper_start_pct >= self.drawdown_taper_end_pct:
            raise ValueError("drawdown_taper_start_pct must lie below drawdown_taper_end_pct")
        unknown = sorted(set(self.max_exposure_pct_per_group) - set(self.exposure_groups))
        if unknown:
            raise ValueError(f"max_exposure_pct_per_group names {', '.join(unknown)}, which exposure_groups lacks")
        if self.default_position_size_pct > self.max_position_size_pct:
            raise ValueError("default_position_size_pct must not exceed max_position_size_pct")
        if self.enable_protective_stops and self.default_stop_loss_pct > self.max_stop_distance_pct:
            raise ValueError("default_stop_loss_pct must not exceed max_stop_distance_pct")
        return self
