"""May the bot trade what it did not open? Only when somebody says so, by name and with a reason."""

from __future__ import annotations

from collections.abc import Callable

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import Event, ExternalClaimed
from gpt_trader.records.ledger import Ledger

__all__ = ["claim"]


def claim(
    ledger: Ledger, publish: Callable[[Event], object], symbol: str, *, who: str, reason: str, now_ns: int
) -> ExternalClaimed:
    """Make the external position of a symbol the bot's own. Raises ConfigError when there is none."""
    held = ledger.externals().get(symbol)
    if held is None:
        known = ", ".join(sorted(ledger.externals())) or "none"
        raise ConfigError(f"{symbol}: no external position to claim (there is: {known})")
    event = ExternalClaimed(
        at_ns=now_ns, symbol=symbol, quantity=held.quantity, entry_price=held.entry_price, who=who, reason=reason
    )
    publish(event)
    return event
