"""What became of the order? Two ways to find out: be told by the stream, or ask.

Both end in OrderManager.apply. Absence of an answer is never an answer: an order of unknown outcome ends as never
placed only after enough complete reads (the order itself, open orders, fills, position) over long enough a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock, call_after, until_woken
from gpt_trader.core.errors import ExchangeError, OrderNotFoundError
from gpt_trader.core.events import OrderOutcomeUnknown
from gpt_trader.core.values import OrderState
from gpt_trader.exchange.base import ExchangeAdapter, OrderUpdate
from gpt_trader.placement.order_manager import UNSEEN, ManagedOrder, OrderManager

__all__ = ["EventBasedReconciler", "OrderReconciler"]

UNKNOWN_READS_MIN: Final = 3
"""Complete reads without a sight of the order, at the least."""


class EventBasedReconciler:
    """The stream's half: wakes whoever waits as soon as the order manager has heard."""

    def __init__(self, orders: OrderManager) -> None:
        self._orders = orders

    def follow(self, order: ManagedOrder, changed: Callable[[ManagedOrder], None]) -> Callable[[], None]:
        """Call `changed` after every change; returns how to stop that."""
        return self._orders.on_change(order.client_order_id, changed)

    async def until_settled(self, order: ManagedOrder, seconds: float) -> bool:
        """True as soon as the order is at its end with all its trades; False after so many seconds."""
        if order.is_settled:
            return True
        settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def look(changed: ManagedOrder) -> None:
            if changed.is_settled and not settled.done():
                settled.set_result(True)

        forget = self.follow(order, look)
        try:
            return await until_woken(settled, seconds)
        finally:
            forget()


class OrderReconciler:
    """The asking half: one order at a time, and the end of those whose outcome is unknown."""

    def __init__(
        self,
        *,
        orders: OrderManager,
        adapter: ExchangeAdapter,
        bus: EventBus,
        clock: Clock,
        position: Callable[[str], Decimal],
        unknown_settle_seconds: float,
        unknown_read_seconds: float,
    ) -> None:
        """`position` is what the account should hold of a symbol, signed; a venue that differs proves nothing."""
        self._orders = orders
        self._adapter = adapter
        self._clock = clock
        self._position = position
        self._settle_ns = round(unknown_settle_seconds * NS)
        self._read_seconds = unknown_read_seconds
        self._cursor = ""
        self._began_ns = 0
        self._clean_reads: dict[str, int] = {}
        """By client id: how many complete reads have not seen it."""
        self._reading: asyncio.Task[None] | None = None
        self._armed = False
        bus.subscribe(OrderOutcomeUnknown, "order reconciler", lambda _: self.watch())

    def begin(self, began_ns: int) -> None:
        """Trades before then are nobody's of this run."""
        self._began_ns = began_ns
        self._cursor = self._adapter.fill_cursor(began_ns)

    # --- one order ------------------------------------------------------------------------------------------------
    async def ask(self, order: ManagedOrder) -> bool:
        """Ask the venue for one order, and for the trades it speaks of. False when it could not say."""
        if not order.venue_order_id and not self._adapter.capabilities.lookup_by_client_id:
            return False
        try:
            update = await self._adapter.order(order.client_order_id, order.venue_order_id)
            self._orders.apply(update)
            if update.filled > order.filled:
                await self._read_fills()
        except ExchangeError:
            return False  # no answer is no news
        return True

    async def _read_fills(self) -> None:
        """Trades since the last complete read: those of orders we know, and of strangers; closed ones of ours may be
        forgotten, and were counted."""
        page = await self._adapter.fills(self._cursor)
        for fill in page.fills:
            order = self._orders.find(fill.client_order_id) or self._orders.find_by_venue_id(fill.venue_order_id)
            if order is not None or (fill.cause != "OWN" and fill.trade_ns >= self._began_ns):
                self._orders.apply(fill)
        self._cursor = page.cursor

    # --- all orders -----------------------------------------------------------------------------------------------
    async def sweep(self) -> tuple[OrderUpdate, ...]:
        """Whatever the streams have said: trades since the last read, and every order that should be open and is not
        among the open ones. A stream may drop messages while it seems alive. Returns the open ones; raises
        ExchangeError."""
        expected = [order for order in self._orders.living() if order.venue_order_id and not order.state.is_terminal]
        open_orders = await self._adapter.open_orders()
        await self._read_fills()
        for update in open_orders:
            if self._orders.find(update.client_order_id) is not None:
                self._orders.apply(update)
        names = {update.client_order_id for update in open_orders}
        for order in expected:
            if order.client_order_id not in names and not order.is_settled:
                await self.ask(order)
        return open_orders

    # --- unknown outcomes -----------------------------------------------------------------------------------------
    def watch(self) -> None:
        """Begin to read until no outcome is unknown any more. Call it once after a restart."""
        if self._armed or not self._unknown():
            return
        self._armed = True
        call_after(self._read_seconds, self._begin_reading)

    def doubt_what_has_no_answer(self) -> None:
        """After a restart: an order that was written down and never answered may have left. It is read, never sent."""
        for order in tuple(self._orders.living()):
            if order.state is OrderState.SUBMITTED:
                self._orders.apply(self._word(order, OrderState.UNKNOWN, "no answer before the restart"))
        self.watch()

    def _word(self, order: ManagedOrder, state: OrderState, reason: str) -> OrderUpdate:
        return OrderUpdate(
            client_order_id=order.client_order_id,
            venue_order_id="",
            symbol=order.submitted.symbol,
            state=state,
            reason=reason,
            venue_ns=self._clock.now_ns(),
        )

    def _unknown(self) -> list[ManagedOrder]:
        return [order for order in self._orders.living() if order.state is OrderState.UNKNOWN]

    def _begin_reading(self) -> None:
        self._reading = asyncio.get_running_loop().create_task(self._read_and_rearm(), name="order reconciler")

    async def _read_and_rearm(self) -> None:
        await self.read_unknown()
        self._armed = False
        self.watch()

    async def read_unknown(self) -> None:
        """One complete read for all orders of unknown outcome; those unseen for long enough are given up."""
        unknown = self._unknown()
        began_ns = self._clock.now_ns()
        try:
            open_orders = await self._adapter.open_orders()
            await self._read_fills()
            positions = {each.symbol: each.quantity for each in await self._adapter.positions()}
        except ExchangeError:
            return  # not a complete read
        for update in open_orders:
            if self._orders.find(update.client_order_id) is not None:
                self._orders.apply(update)
        for order in unknown:
            seen = await self._look_up(order)
            agrees = positions.get(order.submitted.symbol, Decimal(0)) == self._position(order.submitted.symbol)
            if seen is False and agrees and order.state is OrderState.UNKNOWN:
                self._count_clean_read(order, began_ns)
        self._clean_reads = {name: count for name, count in self._clean_reads.items() if self._is_unknown(name)}

    def _is_unknown(self, client_order_id: str) -> bool:
        order = self._orders.find(client_order_id)
        return order is not None and order.state is OrderState.UNKNOWN

    async def _look_up(self, order: ManagedOrder) -> bool | None:
        """True when the venue knows it, False when it says it does not, None when it could not say."""
        if order.state is not OrderState.UNKNOWN:
            return True
        if not self._adapter.capabilities.lookup_by_client_id:
            return False  # open orders, fills and position have spoken
        try:
            self._orders.apply(await self._adapter.order(order.client_order_id, order.venue_order_id))
        except OrderNotFoundError:
            return False
        except ExchangeError:
            return None
        return True

    def _count_clean_read(self, order: ManagedOrder, began_ns: int) -> None:
        count = self._clean_reads.get(order.client_order_id, 0) + 1
        self._clean_reads[order.client_order_id] = count
        if count < UNKNOWN_READS_MIN or began_ns - order.submitted.at_ns < self._settle_ns:
            return
        self._orders.apply(self._word(order, OrderState.FAILED, UNSEEN))
