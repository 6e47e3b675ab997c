"""Is it written down? The one door through which orders and cancels leave the house.

The order is durable before its first byte leaves. The body is frozen: every attempt sends the same bytes under the
same client order id. What surely did not arrive may be tried again; what may have arrived is UNKNOWN, and sending it
again may itself place the order, so that happens only while the intent is alive and the venue's create is idempotent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from math import inf

import msgspec
import tenacity

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import (
    ExchangeError,
    InsufficientBalanceError,
    InvalidOrderError,
    OrderNotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    Refusal,
    Refused,
    Stage,
    VenueUnavailableError,
)
from gpt_trader.core.events import OrderCancelRequested, OrderSubmitted
from gpt_trader.core.order_rules import check_status
from gpt_trader.core.values import ZERO, Mode, OrderState, OrderTicket, Purpose
from gpt_trader.exchange.base import ExchangeAdapter, GetsReady, OrderUpdate, PreparedOrder
from gpt_trader.placement.order_manager import ManagedOrder, OrderManager

__all__ = ["OrderSubmitter", "RetryPolicy"]

RETRIABLE = (VenueUnavailableError, RateLimitError, OutcomeUnknownError)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Same order, same id, wire failed."""

    attempts_max: int = 4
    """The first and at most three more."""
    base_seconds: float = 1.0
    factor: float = 2.0
    cap_seconds: float = 30.0
    jitter_share: float = 0.25

    def wait(self, attempt: int, draw: float) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1); `draw` is uniform in 0..1."""
        plain = min(self.cap_seconds, self.base_seconds * self.factor ** (attempt - 1))
        return plain * (1 + self.jitter_share * (2 * draw - 1))


class _StopWhen(tenacity.stop.stop_base):
    """Ends the attempts when the answer to the wait that comes next is yes."""

    def __init__(self, ends: Callable[[float], bool]) -> None:
        self._ends = ends

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return self._ends(retry_state.upcoming_sleep)


class OrderSubmitter:
    """Writes intents down, then lets them out."""

    def __init__(
        self,
        *,
        adapter: ExchangeAdapter,
        bus: EventBus,
        orders: OrderManager,
        clock: Clock,
        mode: Callable[[], Mode],
        position: Callable[[str], Decimal],
        draw: Callable[[], float],
        policy: RetryPolicy | None = None,
        dry_run: bool = False,
        lease_left_seconds: Callable[[], float] = lambda: inf,
        lease_needed_seconds: float = 0.0,
    ) -> None:
        """`position` is what is held of a symbol, signed, in base units. `lease_left_seconds` says how long the account
        is surely ours; a request needs `lease_needed_seconds`: its deadline, and how far clocks may differ."""
        self._adapter = adapter
        self._gets_ready = adapter if isinstance(adapter, GetsReady) else None
        self._bus = bus
        self._orders = orders
        self._clock = clock
        self._mode = mode
        self._position = position
        self._draw = draw
        self._policy = policy or RetryPolicy()
        self._dry_run = dry_run
        self._lease_left_seconds = lease_left_seconds
        self._lease_needed_seconds = lease_needed_seconds
        self.closing = False
        """Set when the bot stops: no new entries leave."""

    async def submit(self, ticket: OrderTicket) -> ManagedOrder:
        """Make the order durable and send it. Returns what is known of it, UNKNOWN included.

        Raises Refused (nothing was written, nothing left) or StoreError (nothing left).
        """
        prepared = self.examine(ticket)
        self._bus.publish(self._fact(prepared))
        if self._gets_ready is not None:
            self._gets_ready.get_ready(prepared)
        try:
            await self._bus.commit()
            if why := self._forbidden_by_now(ticket):
                self._tell(ticket, OrderState.FAILED, why)
            elif (error := await self._attempt(prepared)) is not None:  # only a failed one pays for the retry machinery
                await self._retry(prepared, error)
        except asyncio.CancelledError:
            self._leave(ticket)
            raise
        order = self._orders.find(ticket.client_order_id)
        assert order is not None, "a submitted order is known until it is closed and long past"
        return order

    def examine(self, ticket: OrderTicket, instead_of: str = "") -> PreparedOrder:
        """The order in the venue's words, if it could leave now; `instead_of` is an order that would be gone by then.
        Nothing is written, nothing leaves. Raises Refused."""
        self._check_door(ticket, instead_of)
        prepared = self._adapter.prepare(ticket)
        if self._orders.find(ticket.client_order_id) is not None:
            raise Refused(Stage.SUBMISSION, Refusal.DUPLICATE_INTENT, client_order_id=ticket.client_order_id)
        if self._dry_run:
            raise Refused(Stage.SUBMISSION, Refusal.DRY_RUN, body_digest=prepared.digest)
        return prepared

    def _leave(self, ticket: OrderTicket) -> None:
        """Whoever waited for the answer is gone; the order is not, and from now on it is read."""
        order = self._orders.find(ticket.client_order_id)
        if order is not None and order.state is OrderState.SUBMITTED:
            self._tell(ticket, OrderState.UNKNOWN, "the sender was cancelled")

    async def cancel(self, order: ManagedOrder, reason: str) -> None:
        """Ask the venue to cancel. What became of it arrives on the account stream."""
        if order.state.is_terminal or self._mode() is Mode.FROZEN or not self.may_ask:
            return
        self._bus.publish(
            OrderCancelRequested(
                at_ns=self._clock.now_ns(),
                intent_id=order.submitted.intent_id,
                client_order_id=order.client_order_id,
                reason=reason,
            )
        )
        try:
            await self._adapter.cancel(order.client_order_id, order.venue_order_id, order.submitted.symbol)
        except (InvalidOrderError, OrderNotFoundError, OutcomeUnknownError):
            # Too late is a normal outcome, and no answer is none: ask what became of it instead of believing.
            await self._look(order)

    async def cancel_entries(self, reason: str) -> bool:
        """Cancel every living order that could increase a position, all at once; True once none can fill any more.

        One that cannot be cancelled does not save the others; then ExchangeError of the first such is raised.
        """
        asked = await asyncio.gather(
            *(self.cancel(order, reason) for order in self._living_entries()), return_exceptions=True
        )
        failed = [error for error in asked if error is not None]
        if failed:  # whatever is no word of the venue's comes first
            raise next((error for error in failed if not isinstance(error, ExchangeError)), failed[0])
        return not self._living_entries()

    def _living_entries(self) -> list[ManagedOrder]:
        return [order for order in self._orders.living() if not order.submitted.reduce_only]

    async def _look(self, order: ManagedOrder) -> None:
        try:
            self._orders.apply(await self._adapter.order(order.client_order_id, order.venue_order_id))
        except ExchangeError:
            return  # no answer is no news; the sweep asks again

    @property
    def may_ask(self) -> bool:
        """The account is ours for longer than a request can take."""
        return self._lease_left_seconds() > self._lease_needed_seconds

    def _check_door(self, ticket: OrderTicket, instead_of: str = "") -> None:
        if not self.may_ask:
            raise Refused(
                Stage.SUBMISSION,
                Refusal.LEASE_TOO_SHORT,
                left_seconds=f"{self._lease_left_seconds():.1f}",
                needed_seconds=f"{self._lease_needed_seconds:.1f}",
            )
        mode = self._mode()
        entry = ticket.purpose is Purpose.ENTRY
        if mode in (Mode.CANCEL_ONLY, Mode.FROZEN) or (mode is Mode.REDUCE_ONLY and entry):
            raise Refused(Stage.SUBMISSION, Refusal.NOT_ALLOWED_BY_MODE, mode=mode.value, purpose=ticket.purpose.value)
        if self.closing and entry:
            raise Refused(Stage.SUBMISSION, Refusal.SHUTTING_DOWN)
        if not self._alive(ticket):
            raise Refused(
                Stage.SUBMISSION,
                Refusal.INTENT_EXPIRED,
                valid_until_ns=ticket.valid_until_ns,
                now_ns=self._clock.now_ns(),
            )
        if ticket.reduce_only:
            self._check_reduction(ticket, instead_of or ticket.client_order_id)
        elif product := self._adapter.products().get(ticket.symbol):
            check_status(ticket, product, Stage.SUBMISSION)

    def _check_reduction(self, ticket: OrderTicket, but: str) -> None:
        """The position may have shrunk or turned since the exit was decided; a venue's own flag is not relied on."""
        position = self._position(ticket.symbol)
        closable = self._orders.closable(ticket.side, ticket.symbol, position, but=but)
        if ticket.quantity > closable:
            raise Refused(
                Stage.SUBMISSION,
                Refusal.NOTHING_TO_REDUCE,
                quantity=ticket.quantity,
                closable=closable,
                position=position,
            )

    def _alive(self, ticket: OrderTicket) -> bool:
        return self._clock.now_ns() < ticket.valid_until_ns

    def _may_send_again(self, ticket: OrderTicket) -> bool:
        """A second send may be the one that places the order, so it needs all that the first one needed."""
        try:
            self._check_door(ticket)
        except Refused:
            return False
        return True

    def _forbidden_by_now(self, ticket: OrderTicket) -> str:
        """What the door says after the order was written down; empty while it may leave."""
        try:
            self._check_door(ticket)
        except Refused as refused:
            return refused.code.value
        return ""

    async def _retry(self, prepared: PreparedOrder, error: ExchangeError) -> None:
        """After the first attempt failed by `error`."""
        errors = [error]
        retrying = tenacity.AsyncRetrying(
            sleep=self._clock.sleep,
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._policy.attempts_max),
                _StopWhen(lambda wait_seconds: self._too_late(prepared.ticket, wait_seconds)),
            ),
            wait=lambda state: self._wait_seconds(errors[-1], state.attempt_number),
            retry=tenacity.retry_if_result(lambda failure: failure is not None),
            retry_error_callback=lambda _: None,
        )
        counted = False

        async def again() -> ExchangeError | None:
            nonlocal counted
            if not counted:
                counted = True
                return error  # stands for the attempt already made, so that the policy waits before the next
            if not self._may_repeat(prepared.ticket, errors[-1]):
                return None
            failure = await self._attempt(prepared)
            if failure is not None:
                errors.append(failure)
            return failure

        await retrying(again)
        self._conclude(prepared.ticket, errors)

    def _too_late(self, ticket: OrderTicket, wait_seconds: float) -> bool:
        """The intent will be dead before the next attempt: waiting would only hold its slot, and its position."""
        return self._clock.now_ns() + round(wait_seconds * NS) >= ticket.valid_until_ns

    def _may_repeat(self, ticket: OrderTicket, error: ExchangeError) -> bool:
        order = self._orders.find(ticket.client_order_id)
        if order is None or order.state not in (OrderState.SUBMITTED, OrderState.UNKNOWN):
            return False
        if isinstance(error, OutcomeUnknownError) and not self._adapter.capabilities.idempotent_create:
            return False
        return self._may_send_again(ticket)

    def _wait_seconds(self, error: ExchangeError, attempt: int) -> float:
        wait = self._policy.wait(attempt, self._draw())
        if isinstance(error, RateLimitError) and error.retry_after_seconds is not None:
            return max(wait, error.retry_after_seconds)
        return wait

    async def _attempt(self, prepared: PreparedOrder) -> ExchangeError | None:
        """Send once; returns the failure that may be worth another attempt."""
        ticket = prepared.ticket
        try:
            update = await self._adapter.send(prepared)
        except InvalidOrderError as error:
            self._tell(ticket, OrderState.REJECTED, error.code or str(error))
        except InsufficientBalanceError as error:
            self._tell(ticket, OrderState.REJECTED, str(error) or "insufficient_balance")
        except OutcomeUnknownError as error:
            self._tell(ticket, OrderState.UNKNOWN, str(error))
            return error
        except (VenueUnavailableError, RateLimitError) as error:
            return error
        else:
            self._orders.apply(update)
        return None

    def _conclude(self, ticket: OrderTicket, errors: list[ExchangeError]) -> None:
        """After the last attempt: surely not placed is FAILED; one unknown outcome among them keeps it UNKNOWN."""
        order = self._orders.find(ticket.client_order_id)
        if order is None or order.state is not OrderState.SUBMITTED:
            return
        self._tell(ticket, OrderState.FAILED, type(errors[-1]).__name__)

    def _tell(self, ticket: OrderTicket, state: OrderState, reason: str) -> None:
        self._orders.apply(
            OrderUpdate(
                client_order_id=ticket.client_order_id,
                venue_order_id="",
                symbol=ticket.symbol,
                state=state,
                reason=reason[:200],
                venue_ns=self._clock.now_ns(),
            )
        )

    def _fact(self, prepared: PreparedOrder) -> OrderSubmitted:
        ticket = prepared.ticket
        bid, ask = self._adapter.market.touch(ticket.symbol) or (ZERO, ZERO)
        return OrderSubmitted(
            at_ns=self._clock.now_ns(),
            intent_id=ticket.intent_id,
            client_order_id=ticket.client_order_id,
            symbol=ticket.symbol,
            side=ticket.side,
            quantity=ticket.quantity,
            order_type=ticket.order_type,
            time_in_force=ticket.time_in_force,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            expire_ns=ticket.expire_ns,
            post_only=ticket.post_only,
            reduce_only=ticket.reduce_only,
            purpose=ticket.purpose,
            strategy=ticket.strategy,
            tactic=ticket.tactic,
            leg=ticket.leg,
            slice_number=ticket.slice_number,
            valid_until_ns=ticket.valid_until_ns,
            body_digest=prepared.digest,
            arrival_mid=ticket.arrival_mid,
            bid=bid,
            ask=ask,
        )
