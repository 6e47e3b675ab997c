"""What does the venue say of our account? Turns account updates into facts, each counted once."""

from __future__ import annotations

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.events import FundingApplied
from gpt_trader.core.values import Account
from gpt_trader.exchange.base import FillUpdate, FundingUpdate, OrderUpdate
from gpt_trader.placement.order_manager import OrderManager

__all__ = ["AccountFeed"]


class AccountFeed:
    """Listener of the account stream. Orders go to their owner; money that moves without a trade is written down."""

    def __init__(self, bus: EventBus, clock: Clock, orders: OrderManager) -> None:
        self._bus = bus
        self._clock = clock
        self._orders = orders
        self._funding_seen: dict[str, int] = {}

    def on_update(self, update: OrderUpdate | FillUpdate | FundingUpdate | Account) -> None:
        if isinstance(update, (OrderUpdate, FillUpdate)):
            self._orders.apply(update)
        elif isinstance(update, FundingUpdate):
            self._apply_funding(update)
        # An Account needs no event: the adapter keeps the latest, and decisions record what they used of it.

    def _apply_funding(self, update: FundingUpdate) -> None:
        """Once for each (symbol, funding time); venues pay in order of time."""
        if update.funding_ns <= self._funding_seen.get(update.symbol, 0):
            return
        self._funding_seen[update.symbol] = update.funding_ns
        if update.amount == 0:
            return
        self._bus.publish(
            FundingApplied(
                at_ns=self._clock.now_ns(),
                symbol=update.symbol,
                funding_ns=update.funding_ns,
                amount=update.amount,
                rate=update.rate,
                position=update.position,
                price=update.price,
            )
        )

    def restore(self, event: FundingApplied) -> None:
        """Know again what was counted before a restart."""
        self._funding_seen[event.symbol] = max(event.funding_ns, self._funding_seen.get(event.symbol, 0))
