"""Where did the market go after we traded? One fact for each fill, and one for each order that missed.

A fill is marked 1, 10 and 60 seconds after it became known, by the middle of the book; the three marks are written as
one event when the last of them is due. While nothing waits to be marked there is no timer and no work. A crash loses
the marks of the last minute, and `tca` counts what has none.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock, call_after
from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import (
    Event,
    FillMarked,
    MissMarked,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
)
from gpt_trader.core.values import ZERO

__all__ = ["HORIZONS_SECONDS", "MarkOutRecorder"]

HORIZONS_SECONDS: Final = (1, 10, 60)
PENDING_MAX: Final = 10_000
"""Fills that wait to be marked; beyond it the oldest are written with the marks they have."""
LIVING_MAX: Final = 10_000
"""Orders remembered until their end; the oldest are forgotten first."""


class _Waiting(msgspec.Struct):
    """A fill on its way through the horizons."""

    fill: OrderFilled
    mids: dict[str, Decimal] = msgspec.field(default_factory=dict)


class MarkOutRecorder:
    """Listener and publisher; it asks the market only when a mark is due, and decides nothing."""

    def __init__(self, bus: EventBus, clock: Clock, touch: Callable[[str], tuple[Decimal, Decimal] | None]) -> None:
        """`touch` gives best bid and best ask of a symbol, None while a side is empty."""
        self._bus = bus
        self._clock = clock
        self._touch = touch
        self._due: list[tuple[int, int, int, _Waiting]] = []
        """(time, number, index of the horizon, fill), the next one first."""
        self._numbers = itertools.count()
        self._living: dict[str, OrderSubmitted] = {}
        self._stop_timer: Callable[[], None] | None = None
        """Ends the wait for the next mark. A timer rather than a task: three of them wake for every fill."""
        bus.subscribe(OrderSubmitted, "mark-outs", self._on_submitted)
        bus.subscribe(OrderFilled, "mark-outs", self._on_filled)
        bus.subscribe(OrderCancelled, "mark-outs", self._on_end)
        bus.subscribe(OrderExpired, "mark-outs", self._on_end)
        bus.subscribe(OrderRejected, "mark-outs", self._on_never_placed)
        bus.subscribe(OrderFailed, "mark-outs", self._on_never_placed)

    @property
    def pending(self) -> int:
        """Fills that wait for their next mark."""
        return len(self._due)

    def finish(self) -> None:
        """The run ends: write what was measured so far of every fill that still waits, in order of the fills."""
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None
        waiting = [each for *_, each in sorted(self._due, key=lambda due: (due[3].fill.at_ns, due[1]))]
        self._due.clear()
        for each in waiting:
            self._write(each)

    # --- what is told ---------------------------------------------------------------------------------------------
    def _on_submitted(self, event: OrderSubmitted) -> None:
        self._living[event.client_order_id] = event
        if len(self._living) > LIVING_MAX:
            del self._living[next(iter(self._living))]

    def _on_filled(self, event: OrderFilled) -> None:
        order = self._living.get(event.client_order_id)
        if order is not None and event.cumulative >= order.quantity:
            del self._living[event.client_order_id]
        if len(self._due) >= PENDING_MAX:
            self._write(heapq.heappop(self._due)[3])
        self._schedule(_Waiting(event), 0)
        if self._due[0][3].fill is event:  # nothing was waited for, or something later
            self._wait()

    def _on_end(self, event: OrderCancelled | OrderExpired) -> None:
        self._miss(event, event.filled)

    def _on_never_placed(self, event: OrderRejected | OrderFailed) -> None:
        self._miss(event, ZERO)

    def _miss(self, event: Event, filled: Decimal) -> None:
        order = self._living.pop(event.client_order_id, None)
        if order is None or filled >= order.quantity:
            return
        mid = self._mid(order.symbol)
        if mid is None:
            return
        self._bus.publish(
            MissMarked(
                at_ns=self._clock.now_ns(),
                intent_id=event.intent_id,
                client_order_id=event.client_order_id,
                symbol=order.symbol,
                side=order.side,
                unfilled=order.quantity - filled,
                mid=mid,
            )
        )

    # --- when it is due -------------------------------------------------------------------------------------------
    def _schedule(self, waiting: _Waiting, horizon: int) -> None:
        due_ns = waiting.fill.at_ns + HORIZONS_SECONDS[horizon] * NS
        heapq.heappush(self._due, (due_ns, next(self._numbers), horizon, waiting))

    def _wait(self) -> None:
        if self._stop_timer is not None:
            self._stop_timer()
        self._stop_timer = call_after((self._due[0][0] - self._clock.now_ns()) / NS, self._mark_due)

    def _mark_due(self) -> None:
        self._stop_timer = None
        now_ns = self._clock.now_ns()
        try:
            while self._due and self._due[0][0] <= now_ns:
                self._mark()
        except StoreError:
            self._due.clear()  # nothing can be written any more; whoever trades finds out by himself and stops
        if self._due:
            self._wait()

    def _mark(self) -> None:
        _, _, horizon, waiting = heapq.heappop(self._due)
        mid = self._mid(waiting.fill.symbol)
        if mid is not None:
            waiting.mids[str(HORIZONS_SECONDS[horizon])] = mid
        if horizon + 1 < len(HORIZONS_SECONDS):
            self._schedule(waiting, horizon + 1)
        else:
            self._write(waiting)

    def _write(self, waiting: _Waiting) -> None:
        fill = waiting.fill
        if waiting.mids:
            self._bus.publish(
                FillMarked(
                    at_ns=self._clock.now_ns(),
                    intent_id=fill.intent_id,
                    client_order_id=fill.client_order_id,
                    symbol=fill.symbol,
                    trade_id=fill.trade_id,
                    mids=waiting.mids,
                )
            )

    def _mid(self, symbol: str) -> Decimal | None:
        best = self._touch(symbol)
        return None if best is None else (best[0] + best[1]) / 2
