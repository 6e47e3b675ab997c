"""Which events does a person want to be told of, and how badly? One message an event, mostly none."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from gpt_trader.core.events import (
    AccountReconciled,
    Event,
    FlattenEnded,
    GuardTripped,
    InvariantBroken,
    LogRepaired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    RunEnded,
    StopEscalated,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event, not the builtin
)
from gpt_trader.core.values import Value
from gpt_trader.ops.log import ERROR, WARNING, level_of, text_of
from gpt_trader.risk.guard_rules import Action

__all__ = ["ALERTS", "Alert", "Severity", "alert_of"]

ALERTS: Final = "alerts"
"""Source of what alerts themselves report: nobody is alerted of that."""


class Severity(StrEnum):
    """How badly; ordered."""

    INFO = "info"
    """Good to know."""
    WARNING = "warning"
    """Look at it today."""
    CRITICAL = "critical"
    """Look at it now."""


class Alert(Value, frozen=True, kw_only=True):
    """One message. Alerts of one `key` are about the same thing."""

    severity: Severity
    key: str
    title: str
    text: str = ""
    at_ns: int = 0


GRAVE: Final = frozenset({Action.KILL.value, Action.CANCEL_ENTRIES.value})


def alert_of(event: Event, run: str) -> Alert | None:
    """None for what nobody needs to be told of; `run` is the name of the run's folder."""
    severity = _severity(event)
    text = _text(event) if severity is not None else ""
    if severity is None or not text:
        return None
    return Alert(severity=severity, key=_key(event), title=f"{severity.value}: {run}", text=text, at_ns=event.at_ns)


def _severity(event: Event) -> Severity | None:
    match event:
        case SystemError(source=source) if source == ALERTS:
            return None
        case SystemError() | InvariantBroken() | LogRepaired() | StopEscalated():
            return Severity.CRITICAL
        case FlattenEnded():
            return Severity.INFO if event.flat else Severity.CRITICAL
        case GuardTripped() if event.action in GRAVE:
            return Severity.CRITICAL
        case OrderFilled():
            return Severity.INFO if event.cause == "OWN" else Severity.CRITICAL
        case RunEnded():
            return Severity.WARNING if event.open_positions or event.open_orders else Severity.INFO
        case AccountReconciled() | PositionClosed():
            return Severity.INFO
        case SymbolPaused() if not event.reason:
            return Severity.INFO
    level = level_of(event)
    if level >= ERROR:
        return Severity.CRITICAL
    return Severity.WARNING if level >= WARNING else None


def _text(event: Event) -> str:
    match event:
        case AccountReconciled():
            return f"begun: {event.orders_alive} orders alive, {event.orders_unknown} unknown, {event.fills} new trades"
        case PositionClosed():
            return f"{event.symbol} closed: {event.realised_pnl:+,.2f} before {event.fees:,.2f} of fees"
        case LogRepaired():
            return f"the log was repaired: {event.kept} of {event.reached} events kept; {event.reason}"
        case _:
            return text_of(event)


def _key(event: Event) -> str:
    """What makes two events the same to a person who has been told of the first."""
    match event:
        case GuardTripped():
            about = f"{event.guard} {event.symbol}"
        case InvariantBroken():
            about = f"{event.number} {event.symbol}"
        case SystemError():
            about = event.source
        case OrderRejected():
            about = event.code
        case SymbolPaused() | StopEscalated():
            about = event.symbol
        case OrderFilled() | PositionClosed():
            about = f"{event.symbol} {event.at_ns}"
        case _:
            about = event.client_order_id or event.intent_id
    return f"{type(event).__name__} {about}".strip()
