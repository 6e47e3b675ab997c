"""Who else writes on this account? Orders that this run did not send, told apart by their client id.

They count in every limit as if they filled whole, and are left alone. An order by hand pauses entries of its symbol
while it lives. One whose id begins as ours do while we trade means that a second bot is on the account: then nothing is
entered any more until an operator has looked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.events import ExternalOrderSeen
from gpt_trader.core.ids import CLIENT_ORDER_ID_PREFIX
from gpt_trader.core.values import ZERO, Mode, Purpose, Side
from gpt_trader.exchange.base import OrderUpdate
from gpt_trader.execution.guards import GuardManager
from gpt_trader.placement.order_manager import OrderManager

__all__ = ["EXTERNAL", "WHO", "ForeignOrder", "ForeignOrders"]

REMEMBERED_MAX: Final = 1000
"""Foreign orders that are told once, and of the living ones that are counted; beyond that the oldest are let go."""
MISSING_READS: Final = 3
"""An order that so many complete lists in a row have not shown is gone; one list may lag."""
EXTERNAL: Final = "external"
"""How the reason of a pause begins that a claim, or the end of what was foreign, takes back."""
WHO: Final = "recovery"


class ForeignOrder(msgspec.Struct):
    """One that may still trade."""

    symbol: str
    side: Side | None = None
    left: Decimal | None = None
    """Base units; None while the venue has not told side and size."""
    missing: int = 0
    """Complete lists in a row that have not shown it."""


class ForeignOrders:
    """Listener of the order manager for what is in nobody's log."""

    def __init__(
        self, *, bus: EventBus, clock: Clock, guards: GuardManager, orders: OrderManager, run_tag: str
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._guards = guards
        self._orders = orders
        self._own_prefix = f"{CLIENT_ORDER_ID_PREFIX}{run_tag}-"
        self._told: OrderedDict[str, None] = OrderedDict()
        self._living: OrderedDict[str, ForeignOrder] = OrderedDict()
        self.trading = False
        """False until recovery has ended: what rests there before is left over, not written by somebody now."""
        orders.on_foreign = self.seen
        orders.count_in(self)

    # --- what the venue says --------------------------------------------------------------------------------------
    def seen(self, update: OrderUpdate) -> None:
        """One update of an order that is not in the log. One that has ended is history."""
        key = update.venue_order_id or update.client_order_id
        if update.state.is_terminal:
            self._end(key)
            return
        order = self._living.setdefault(key, ForeignOrder(update.symbol))
        order.missing = 0
        if update.side is not None and update.quantity is not None:
            order.side, order.left = update.side, max(ZERO, update.quantity - update.filled)
        if key not in self._told:
            self._tell(key, update, order)
        for known in (self._told, self._living):
            if len(known) > REMEMBERED_MAX:
                known.popitem(last=False)

    def swept(self, open_orders: Collection[OrderUpdate]) -> None:
        """All that is open at the venue, ours among it: what a stream did not say of the others."""
        shown = set()
        for update in open_orders:
            ours = self._orders.find(update.client_order_id) or self._orders.find_by_venue_id(update.venue_order_id)
            if ours is None:
                shown.add(update.venue_order_id or update.client_order_id)
                self.seen(update)
        for key in [each for each in self._living if each not in shown]:
            order = self._living[key]
            order.missing += 1
            if order.missing >= MISSING_READS:
                self._end(key)

    def _tell(self, key: str, update: OrderUpdate, order: ForeignOrder) -> None:
        self._told[key] = None
        writer = self._writer(update.client_order_id)
        self._bus.publish(
            ExternalOrderSeen(
                at_ns=self._clock.now_ns(),
                client_order_id=update.client_order_id,
                symbol=update.symbol,
                venue_order_id=update.venue_order_id,
                writer=writer,
                side=order.side,
                quantity=order.left,
            )
        )
        if writer == "ANOTHER BOT" and self.trading:
            self._guards.set_mode(
                Mode.REDUCE_ONLY, WHO, f"another bot writes on this account: order {update.client_order_id}"
            )
        else:
            self._guards.pause(update.symbol, f"{EXTERNAL} order {key}", WHO)

    def _end(self, key: str) -> None:
        order = self._living.pop(key, None)
        if order is None or order.symbol in self.symbols():
            return
        if self._guards.pause_reason(order.symbol).startswith(f"{WHO}: {EXTERNAL} order"):
            self._guards.resume(order.symbol)

    def _writer(self, client_order_id: str) -> str:
        if client_order_id.startswith(self._own_prefix):
            return "LOST"
        return "ANOTHER BOT" if client_order_id.startswith(CLIENT_ORDER_ID_PREFIX) else "BY HAND"

    # --- what counts ----------------------------------------------------------------------------------------------
    def living(self) -> Mapping[str, ForeignOrder]:
        """Those that may still trade, by the venue's id."""
        return self._living

    def symbols(self) -> tuple[str, ...]:
        """Those with an order of somebody else."""
        return tuple({order.symbol: None for order in self._living.values()}) if self._living else ()

    def reserved(self, symbol: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """All counted as entries, whatever they are meant for. One whose size is not told is kept out by the pause."""
        amounts = {Side.BUY: ZERO, Side.SELL: ZERO}
        for order in self._living.values():
            if order.symbol == symbol and order.side is not None and order.left is not None:
                amounts[order.side] += order.left
        return amounts[Side.BUY], amounts[Side.SELL], ZERO, ZERO

    def slot_busy(self, strategy: str, symbol: str, purpose: Purpose) -> str:  # noqa: ARG002 - they have no slots
        """They block no slot of ours."""
        return ""
