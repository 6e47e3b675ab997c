"""How does one order of the wire become orders of the kernel? One at a time, in slices by time, or as a ladder."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from typing import Final, Protocol

import msgspec

from gpt_trader.core.values import ZERO, OrderState, OrderType, TimeInForce, Value
from gpt_trader.venue.wire.orders import Part, WireOrder
from gpt_trader.venue.wire.terms import Terms

__all__ = ["Floor", "Plan", "Working", "plan_for"]


class Working(Value, frozen=True, kw_only=True):
    """What a plan wants at the kernel; size in contracts."""

    role: str
    size: Decimal
    kernel_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    end_ns: int | None = None
    post_only: bool = False
    reduce_only: bool = False


class Floor(Protocol):
    """What a plan may do."""

    @property
    def now_ns(self) -> int: ...

    def place(self, order: WireOrder, working: Working) -> Part: ...

    def withdraw(self, part: Part) -> None: ...

    def finish(self, order: WireOrder, status: str, message: str) -> None: ...

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None: ...


class Plan(Protocol):
    """Works one order to its end."""

    def start(self) -> None: ...

    def part_ended(self, part: Part) -> None:
        """A part is filled, cancelled, expired or refused."""
        ...

    def cancel(self) -> None: ...

    def replace(self, terms: Terms) -> None:
        """The order's new terms are to be worked from here on."""
        ...


STATUS: Final = {
    OrderState.FILLED: "FILLED",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.REJECTED: "FAILED",
    OrderState.EXPIRED: "CANCELLED",
}
TIME_OVER: Final = "expired"


def _status(part: Part) -> str:
    """IOC and FOK remainders are CANCELLED on the wire; only the end of a GTD order is EXPIRED."""
    if part.state is OrderState.EXPIRED and part.reason == TIME_OVER:
        return "EXPIRED"
    return STATUS[part.state]


class SinglePlan:
    """One order at the kernel at a time; an edit takes it back and puts a new one with what is left."""

    def __init__(self, floor: Floor, order: WireOrder) -> None:
        self._floor = floor
        self._order = order
        self._replacing = False
        self._part: Part | None = None

    def start(self) -> None:
        terms = self._order.terms
        self._part = self._floor.place(
            self._order,
            Working(
                role="order",
                size=terms.size - self._order.filled,
                kernel_type=terms.kernel_type,
                time_in_force=terms.kernel_tif,
                limit_price=terms.limit_price,
                stop_price=terms.stop_price,
                end_ns=terms.end_ns,
                post_only=terms.post_only,
                reduce_only=terms.reduce_only,
            ),
        )

    def part_ended(self, part: Part) -> None:
        if self._replacing and part.state is OrderState.CANCELLED:
            self._replacing = False
            if self._order.filled < self._order.terms.size:
                self.start()
                return
            self._floor.finish(self._order, "FILLED", "")
            return
        self._floor.finish(self._order, _status(part), "" if part.state is OrderState.FILLED else part.reason)

    def cancel(self) -> None:
        self._replacing = False
        if self._part is not None:
            self._floor.withdraw(self._part)

    def replace(self, terms: Terms) -> None:
        self._order.terms = terms
        self._replacing = True
        if self._part is not None:
            self._floor.withdraw(self._part)


class TwapPlan:
    """A slice at the start of each bucket: what should be done by its end, less what is filled; it rests for the
    length of the bucket."""

    def __init__(self, floor: Floor, order: WireOrder) -> None:
        self._floor = floor
        self._order = order
        self._bucket = 0
        self._living: list[Part] = []
        self._cancelled = False

    def start(self) -> None:
        terms = self._order.terms
        assert terms.start_ns is not None
        if terms.start_ns <= self._floor.now_ns:
            self._next()
        else:
            self._floor.call_at(terms.start_ns, self._next)

    def _next(self) -> None:
        order, terms = self._order, self._order.terms
        if order.ended or self._cancelled:
            return
        assert terms.start_ns is not None
        begins_ns = terms.start_ns + self._bucket * terms.bucket_ns
        self._bucket += 1
        step = order.listed.base_increment
        due = (terms.size * self._bucket / terms.buckets / step).to_integral_value(ROUND_DOWN) * step
        under_way = sum((part.size - part.filled for part in self._living), ZERO)
        size = due - order.filled - under_way
        if size > ZERO:
            self._living.append(
                self._floor.place(
                    order,
                    Working(
                        role=f"bucket-{self._bucket}",
                        size=size,
                        kernel_type=OrderType.LIMIT,
                        time_in_force=TimeInForce.GTD,
                        limit_price=terms.limit_price,
                        end_ns=begins_ns + terms.bucket_ns,
                    ),
                )
            )
        self._floor.call_at(
            begins_ns + terms.bucket_ns, self._next if self._bucket < terms.buckets else self._end_of_last
        )

    def _end_of_last(self) -> None:
        if not self._order.ended and not self._living:
            self._floor.finish(self._order, "EXPIRED", TIME_OVER)

    def part_ended(self, part: Part) -> None:
        self._living.remove(part)
        order = self._order
        if order.filled >= order.terms.size:
            self._floor.finish(order, "FILLED", "")
        elif part.state is OrderState.REJECTED:
            self._cancelled = True
            self._floor.finish(order, "FAILED" if not order.filled else "CANCELLED", part.reason)
        elif self._cancelled and not self._living:
            self._floor.finish(order, "CANCELLED", part.reason)
        elif self._bucket == order.terms.buckets and not self._living:
            self._floor.finish(order, "EXPIRED", TIME_OVER)

    def cancel(self) -> None:
        self._cancelled = True
        if not self._living:
            self._floor.finish(self._order, "CANCELLED", "cancelled_by_client")
        for part in self._living:
            self._floor.withdraw(part)

    def replace(self, terms: Terms) -> None:
        raise AssertionError(f"{terms.configuration} cannot be edited")


class ScaledPlan:
    """A ladder of limit orders; the order ends with the last of them."""

    def __init__(self, floor: Floor, order: WireOrder) -> None:
        self._floor = floor
        self._order = order
        self._living: list[Part] = []

    def start(self) -> None:
        for place, leg in enumerate(self._order.terms.legs):
            working = Working(
                role=f"leg-{place + 1}",
                size=leg.size,
                kernel_type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                limit_price=leg.price,
            )
            self._living.append(self._floor.place(self._order, working))

    def part_ended(self, part: Part) -> None:
        self._living.remove(part)
        if part.state is OrderState.REJECTED:
            for other in self._living:
                self._floor.withdraw(other)
        if self._living:
            return
        refused = any(each.state is OrderState.REJECTED for each in self._order.parts)
        if self._order.filled >= self._order.terms.size:
            self._floor.finish(self._order, "FILLED", "")
        else:
            status = "FAILED" if refused and not self._order.filled else "CANCELLED"
            self._floor.finish(self._order, status, part.reason)

    def cancel(self) -> None:
        for part in self._living:
            self._floor.withdraw(part)

    def replace(self, terms: Terms) -> None:
        raise AssertionError(f"{terms.configuration} cannot be edited")


PLANS: Final[dict[str, Callable[[Floor, WireOrder], Plan]]] = {"TWAP": TwapPlan, "SCALED": ScaledPlan}


def plan_for(floor: Floor, order: WireOrder) -> Plan:
    return PLANS.get(order.terms.order_type, SinglePlan)(floor, order)


def with_changes(terms: Terms, price: Decimal, size: Decimal, stop: Decimal | None) -> Terms:
    """Terms after an edit."""
    return msgspec.structs.replace(terms, limit_price=price, size=size, stop_price=stop or terms.stop_price)
