"""Which flags are there? Every switch of how we trade, declared once, with who answers for it until when.

What a flag is at this moment, and who said so, is `config.load`'s answer before the start and `bot.steering`'s after
it. The two flags that choose the engine are read by ExecutionEngineFactory alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import msgspec

from gpt_trader.config.names import nearest
from gpt_trader.core.errors import ConfigError

__all__ = ["ENGINE_FLAGS", "FLAGS", "SHADOW", "Flag", "FlagValue", "as_text", "find_flag", "overdue", "parse_value"]

FlagValue = bool | str
"""Yes or no, or one of a flag's choices."""

YES_NO: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A switch that changes how we trade, never whether it is watched or written down."""

    name: str
    path: str
    """Its setting in the configuration."""
    env: str
    type: str = "yes/no"
    default: FlagValue
    choices: tuple[str, ...] = ()
    """What it may be; empty for yes and no."""
    adr: str
    """File in docs/adr that decided it."""
    owner: str
    review_by: date
    """After this day the flag must be confirmed or removed."""
    changes: str
    chooses_engine: bool = False
    """Read by ExecutionEngineFactory; `false` set after the start wins over every other source."""


_ENGINES: Final = "ADR-001-dual-execution-engine-pattern.md"
_GUARDS: Final = "ADR-012-guards-and-modes.md"
_STOPS: Final = "ADR-028-stops-one-keeper-one-closer.md"
_REVIEW_BY: Final = date(2027, 6, 30)

SHADOW: Final = Flag(
    name="shadow",
    path="run.shadow",
    env="GPT_TRADER_RUN__SHADOW",
    type="none, live or advanced",
    default="none",
    choices=("none", "live", "advanced"),
    adr="ADR-042-a-shadow-has-no-door.md",
    owner="execution",
    review_by=_REVIEW_BY,
    changes="nothing that is traded; the named engine decides beside the one that trades, on paper",
)

FLAGS: Final = (
    Flag(
        name="enable_dynamic_position_sizing",
        path="risk.enable_dynamic_position_sizing",
        env="RISK_ENABLE_DYNAMIC_POSITION_SIZING",
        default=False,
        adr=_ENGINES,
        owner="execution",
        review_by=_REVIEW_BY,
        changes="AdvancedExecutionEngine; entries are sized by DynamicSizingHelper instead of as asked",
        chooses_engine=True,
    ),
    Flag(
        name="enable_market_impact_guard",
        path="risk.enable_market_impact_guard",
        env="RISK_ENABLE_MARKET_IMPACT_GUARD",
        default=False,
        adr=_ENGINES,
        owner="execution",
        review_by=_REVIEW_BY,
        changes="AdvancedExecutionEngine; the impact of entries is capped at max_market_impact_bps",
        chooses_engine=True,
    ),
    Flag(
        name="order_preview_enabled",
        path="execution.order_preview_enabled",
        env="ORDER_PREVIEW_ENABLED",
        default=False,
        adr=_ENGINES,
        owner="execution",
        review_by=_REVIEW_BY,
        changes="LiveExecutionEngine asks the venue's preview before each order: its errors refuse",
    ),
    Flag(
        name="enable_protective_stops",
        path="risk.enable_protective_stops",
        env="RISK_ENABLE_PROTECTIVE_STOPS",
        default=False,
        adr=_STOPS,
        owner="execution",
        review_by=_REVIEW_BY,
        changes="every entry without a stop gets one at default_stop_loss_pct",
    ),
    Flag(
        name="enable_pre_trade_liq_projection",
        path="risk.enable_pre_trade_liq_projection",
        env="RISK_ENABLE_PRE_TRADE_LIQ_PROJECTION",
        default=True,
        adr="ADR-010-resulting-exposure-and-clamp.md",
        owner="risk",
        review_by=_REVIEW_BY,
        changes="an entry that would bring the liquidation price too near is refused",
    ),
    Flag(
        name="enable_volatility_circuit_breaker",
        path="risk.enable_volatility_circuit_breaker",
        env="RISK_ENABLE_VOLATILITY_CB",
        default=False,
        adr=_GUARDS,
        owner="risk",
        review_by=_REVIEW_BY,
        changes="the guard volatility may warn, pause, reduce and kill",
    ),
    Flag(
        name="kill_switch_enabled",
        path="risk.kill_switch_enabled",
        env="RISK_KILL_SWITCH_ENABLED",
        default=False,
        adr=_GUARDS,
        owner="risk",
        review_by=_REVIEW_BY,
        changes="no entries; exits pass as clamped closes only",
    ),
    Flag(
        name="reduce_only_mode",
        path="risk.reduce_only_mode",
        env="RISK_REDUCE_ONLY_MODE",
        default=False,
        adr=_GUARDS,
        owner="risk",
        review_by=_REVIEW_BY,
        changes="only orders that reduce a position pass",
    ),
    SHADOW,
)
"""A yes/no setting of the sections risk and execution that is missing here fails a test."""

ENGINE_FLAGS: Final = tuple(flag for flag in FLAGS if flag.chooses_engine)


def find_flag(name: str) -> Flag:
    """The flag of this name, in either case of letters, or by its variable. Raises ConfigError that suggests one."""
    for flag in FLAGS:
        if name.lower() == flag.name or name == flag.env:
            return flag
    close = nearest(name.lower(), [flag.name for flag in FLAGS])
    hint = f"did you mean {close}?" if close else "`gpt-trader flags list` names them all"
    raise ConfigError(f"flag {name!r}: no such flag. Fix: {hint}")


def parse_value(flag: Flag, text: str) -> FlagValue:
    """A value as a person writes it. Raises ConfigError that says what may be written."""
    if flag.choices:
        if text.lower() not in flag.choices:
            raise ConfigError(f"{flag.name} = {text!r}: no such choice. Fix: write one of {', '.join(flag.choices)}.")
        return text.lower()
    value = YES_NO.get(text.lower())
    if value is None:
        raise ConfigError(f"{flag.name} = {text!r}: neither yes nor no. Fix: write true or false.")
    return value


def as_text(value: object) -> str:
    """A flag's value as it is printed and stored."""
    if isinstance(value, str):
        return value
    return "true" if value else "false"


def overdue(today: date) -> Iterator[Flag]:
    """Flags whose review date has passed."""
    return (flag for flag in FLAGS if flag.review_by < today)
