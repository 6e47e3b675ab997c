"""Who else writes on this account? Orders that this run did not send, told apart by their client id.

An order by hand pauses entries of its symbol. One whose id begins as ours do while we trade means that a second bot is
on the account: then nothing is entered any more until an operator has looked.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.events import ExternalOrderSeen
from gpt_trader.core.ids import CLIENT_ORDER_ID_PREFIX
from gpt_trader.core.values import Mode
from gpt_trader.exchange.base import OrderUpdate
from gpt_trader.execution.guards import GuardManager

__all__ = ["EXTERNAL", "WHO", "ForeignOrders"]

REMEMBERED_MAX: Final = 1000
"""Foreign orders that are told once; beyond that the oldest may be told again."""
EXTERNAL: Final = "external"
"""How the reason of a pause begins that a claim, or the end of what was foreign, takes back."""
WHO: Final = "recovery"


class ForeignOrders:
    """Listener of the order manager for what is in nobody's log."""

    def __init__(self, *, bus: EventBus, clock: Clock, guards: GuardManager, run_tag: str) -> None:
        self._bus = bus
        self._clock = clock
        self._guards = guards
        self._own_prefix = f"{CLIENT_ORDER_ID_PREFIX}{run_tag}-"
        self._told: OrderedDict[str, str] = OrderedDict()
        self.trading = False
        """False until recovery has ended: what rests there before is left over, not written by somebody now."""

    def seen(self, update: OrderUpdate) -> None:
        """One update of an order that is not in the log. Those at their end are history."""
        key = update.venue_order_id or update.client_order_id
        if update.state.is_terminal or key in self._told:
            return
        self._told[key] = update.symbol
        if len(self._told) > REMEMBERED_MAX:
            self._told.popitem(last=False)
        writer = self._writer(update.client_order_id)
        self._bus.publish(
            ExternalOrderSeen(
                at_ns=self._clock.now_ns(),
                client_order_id=update.client_order_id,
                symbol=update.symbol,
                venue_order_id=update.venue_order_id,
                writer=writer,
            )
        )
        if writer == "ANOTHER BOT" and self.trading:
            self._guards.set_mode(
                Mode.REDUCE_ONLY, WHO, f"another bot writes on this account: order {update.client_order_id}"
            )
        else:
            self._guards.pause(update.symbol, f"{EXTERNAL} order {key}", WHO)

    def symbols(self) -> tuple[str, ...]:
        """Of each foreign order that was seen alive in this boot."""
        return tuple(self._told.values())

    def _writer(self, client_order_id: str) -> str:
        if client_order_id.startswith(self._own_prefix):
            return "LOST"
        return "ANOTHER BOT" if client_order_id.startswith(CLIENT_ORDER_ID_PREFIX) else "BY HAND"
