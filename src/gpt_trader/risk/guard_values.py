"""What do guards look at, and how do they answer? The values between figures and GuardManager."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.errors import Number
from gpt_trader.core.values import ZERO, Value

__all__ = [
    "Action",
    "Baselines",
    "EquityMark",
    "Guard",
    "GuardInput",
    "GuardSymbol",
    "Reading",
    "WayBack",
]


class Action(StrEnum):
    """What a tripped guard does; each does also what stands above it for entries."""

    RECORD = "record"
    PAUSE_SYMBOL = "pause symbol"
    REDUCE_ONLY = "reduce-only"
    REDUCE = "reduce positions"
    """Reduce-only, and positions are cut until the rule is kept."""
    CANCEL_ENTRIES = "cancel entries"
    """Reduce-only, and working entries are cancelled."""
    KILL = "kill"
    """As cancel entries, until an operator takes it back."""


class WayBack(StrEnum):
    """What ends a trip. An operator may end any of them; a rule that still holds trips again."""

    WHEN_CALM = "when calm"
    COOLDOWN = "calm for circuit_breaker_cooldown_minutes"
    NEXT_UTC_DAY = "next UTC day"
    AFTER_24_H = "24 h later"
    OPERATOR = "operator only"


class EquityMark(Value, frozen=True, kw_only=True):
    """Equity at a moment, and the sum of all transfers until then."""

    at_ns: int
    equity: Decimal
    cash_flows: Decimal = ZERO


class Baselines(Value, frozen=True, kw_only=True):
    """What losses are measured from."""

    day: EquityMark
    """First of the UTC day."""
    rolling: EquityMark
    """The last that is at least 24 h old, else the oldest of the last 25 h."""


class GuardSymbol(Value, frozen=True, kw_only=True):
    """One traded symbol, held or not."""

    symbol: str
    position: Decimal = ZERO
    """Signed base units."""
    mark: Decimal | None = None
    mark_received_ns: int = 0
    worst_notional: Decimal = ZERO
    """At the mark, if everything on the worse side fills."""
    liquidation_price: Decimal | None = None
    """Where the venue would liquidate, if it says so."""
    bar_sigma: Decimal | None = None
    """Standard deviation of one bar's return over volatility_window_periods bars; None until enough are seen."""
    bar_seconds: int = 60
    day_volatility: Decimal | None = None
    """Root of the sum of squared bar returns since 00:00 UTC; None before the first."""
    slippage_recent: tuple[str, ...] = ()
    """Orders by which an intent came to cost more than allowed, within slippage_breaker_window_minutes."""
    drift: Decimal = ZERO
    """Ledger less venue, signed base units, at the last sweep."""
    drift_seconds: Decimal = ZERO
    """From the first to the last sweep that found just this difference; zero when they agree."""
    next_maintenance: Decimal | None = None
    """Maintenance margin of the position at the rates of the window that begins within
    margin_window_lead_minutes; None while none does."""


class GuardInput(Value, frozen=True, kw_only=True):
    """Everything that the guards look at, taken at one moment."""

    now_ns: int
    equity: Decimal
    cash_flows: Decimal = ZERO
    """Sum of all transfers of the run; deposits above zero."""
    initial_margin: Decimal = ZERO
    maintenance_margin: Decimal = ZERO
    symbols: tuple[GuardSymbol, ...] = ()
    rejects_recent: tuple[str, ...] = ()
    """Orders that the venue rejected, by client order id, within reject_breaker_window_minutes."""
    losses_in_a_row: int = 0
    """Positions closed at a net loss since the last gain, or since the streak last tripped."""
    disk_free_gb: Decimal | None = None
    """Room where the log grows; None in simulations, and where it cannot be known."""
    disk_free_gb_min: Decimal = ZERO
    window_lead_ns: int | None = None
    """When the next margin window comes near enough to be looked at; None where there are no windows."""


class Reading(msgspec.Struct, frozen=True):
    """What one guard measured. Positional: made several times a minute of simulated time."""

    guard: str
    symbol: str
    value: Decimal
    threshold: Decimal
    unit: str
    tripped: bool
    calm: bool
    """The way back may begin; between tripped and calm a trip neither begins nor ends."""
    action: Action
    way_back: WayBack
    numbers: Mapping[str, Number] = {}


class Guard(msgspec.Struct, frozen=True):
    """One row of the table."""

    name: str
    read: Callable[[GuardInput, Baselines, RiskConfig], Iterable[Reading]]
