"""One patient attempt: a limit order near the touch that is cancelled when its time is over."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import Refused
from gpt_trader.core.events import TacticEnded, TacticStarted
from gpt_trader.core.values import ZERO, ApprovedOrder, OrderType, PlacedOrder, TimeInForce
from gpt_trader.placement.base import placed
from gpt_trader.placement.order_manager import ManagedOrder
from gpt_trader.placement.primitives import LimitOrderExecutor
from gpt_trader.placement.tickets import make_ticket, touch_price
from gpt_trader.placement.tracker import OrderTracker

__all__ = ["RestingExecutionStrategy", "SimpleLimitExecutionStrategy"]


class SimpleLimitExecutionStrategy:
    """Rests `offset_share` inside its own touch for `timeout_seconds`, then takes what it got."""

    name: Final = "simple_limit"

    def __init__(
        self,
        *,
        executor: LimitOrderExecutor,
        tracker: OrderTracker,
        bus: EventBus,
        clock: Clock,
        run_tag: str,
        timeout_seconds: float,
        offset_share: Decimal,
    ) -> None:
        self._executor = executor
        self._tracker = tracker
        self._bus = bus
        self._clock = clock
        self._run_tag = run_tag
        self._timeout_seconds = timeout_seconds
        self._offset_share = offset_share

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        return await self.work(approved, touch_price(approved, self._offset_share))

    async def work(
        self, approved: ApprovedOrder, limit_price: Decimal, *, quantity: Decimal | None = None, leg: str = ""
    ) -> PlacedOrder:
        """Rest at a given price for the timeout; also the fallback of other tactics."""
        order = approved.order
        ticket = make_ticket(
            approved,
            self._run_tag,
            tactic=self.name,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            limit_price=limit_price,
            quantity=quantity,
            leg=leg,
        )
        self._bus.publish(
            TacticStarted(
                at_ns=self._clock.now_ns(),
                intent_id=order.intent_id,
                tactic=self.name,
                symbol=order.symbol,
                side=order.side,
                quantity=ticket.quantity,
                plan={
                    "limit_price": limit_price,
                    "deadline_ns": self._clock.now_ns() + round(self._timeout_seconds * NS),
                    "client_order_id": ticket.client_order_id,
                },
            )
        )
        try:
            managed = await self._executor.place(ticket)
        except Refused as refused:
            self._say_ended(approved, ZERO, refused.code.value)
            raise
        if managed.is_settled:
            self._say_ended(approved, managed.filled, "settled")
            return placed(approved, (managed,))
        self._tracker.start(order.intent_id + leg, self._see_through(approved, managed))
        return placed(approved, (managed,), working=True)

    async def _see_through(self, approved: ApprovedOrder, managed: ManagedOrder) -> None:
        await self._executor.see_through(managed, self._timeout_seconds)
        self._say_ended(approved, managed.filled, "settled" if managed.is_settled else "cancel not proven")

    def _say_ended(self, approved: ApprovedOrder, filled: Decimal, reason: str) -> None:
        self._bus.publish(
            TacticEnded(
                at_ns=self._clock.now_ns(),
                intent_id=approved.order.intent_id,
                tactic=self.name,
                symbol=approved.order.symbol,
                filled=filled,
                reason=reason,
            )
        )


class RestingExecutionStrategy:
    """Places the order exactly as asked and leaves it at the venue: resting limits, stops, IOC and FOK with a price."""

    name: Final = "as_asked"

    def __init__(self, executor: LimitOrderExecutor, run_tag: str) -> None:
        self._executor = executor
        self._run_tag = run_tag

    async def execute(self, approved: ApprovedOrder) -> PlacedOrder:
        order = approved.order
        ticket = make_ticket(
            approved,
            self._run_tag,
            tactic=self.name,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            limit_price=order.limit_price,
        )
        return placed(approved, (await self._executor.place(ticket),))
