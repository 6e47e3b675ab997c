"""Bugs that real bots had, planted one at a time: the simulator must find each of them, or it proves nothing.

`python -m tests.simulation.planted` prints the table of them: the first seed that finds each, and what it breaks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest

from gpt_trader.bot.account import AccountFeed
from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.snapshots import Replays, Snapshots
from gpt_trader.core.errors import ExchangeError, InvalidOrderError, OutcomeUnknownError
from gpt_trader.core.events import OrderFilled
from gpt_trader.core.values import Exposure, Mode, OrderState, Purpose, Side
from gpt_trader.exchange.base import FillUpdate, OrderUpdate, PreparedOrder
from gpt_trader.exchange.coinbase import book, updates
from gpt_trader.exchange.coinbase.transport import Transport
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.pipeline import IntentRegister
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.placement.order_manager import ManagedOrder, OrderManager
from gpt_trader.placement.reconcilers import OrderReconciler
from gpt_trader.placement.submitter import OrderSubmitter
from gpt_trader.placement.working import Attempt, Work
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.ledger import Ledger
from gpt_trader.research.bad_days.day import live_through
from gpt_trader.research.bad_days.drawing import draw_day
from gpt_trader.risk import manager as risk_manager
from gpt_trader.risk.manager import LiveRiskManager

SEEDS_MAX: Final = 50
Plant = Callable[[pytest.MonkeyPatch], None]
PLANTED: Final[dict[str, Plant]] = {}
FOUND_AT: Final[dict[str, int]] = {}
"""Where it was found last; looked at first."""


def planted(seed: int) -> Callable[[Plant], Plant]:
    """`seed` is where it was found last."""

    def register(plant: Plant) -> Plant:
        PLANTED[plant.__name__] = plant
        FOUND_AT[plant.__name__] = seed
        return plant

    return register


def first_broken(name: str, seeds: Iterator[int] | range) -> tuple[int, str] | None:
    """(seed, what broke first) with the bug in the house; None where all of these seeds stay whole."""
    with with_bug(name):
        for seed in seeds:
            violations = live_through(draw_day(seed)).violations
            if violations:
                return seed, f"{violations[0].number} {violations[0].name}"
    return None


def row_of(name: str) -> tuple[str, tuple[int, str] | None]:
    """For the table: the first seed of all."""
    return name, first_broken(name, range(SEEDS_MAX))


@contextmanager
def with_bug(name: str) -> Iterator[None]:
    """The house with one bug in it."""
    with pytest.MonkeyPatch.context() as patch:
        PLANTED[name](patch)
        yield


def ended(order: ManagedOrder, state: OrderState, reason: str) -> OrderUpdate:
    return OrderUpdate(
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        symbol=order.submitted.symbol,
        state=state,
        reason=reason,
    )


async def nothing(*_: Any) -> None:
    return None


@planted(0)
def new_id_on_retry(patch: pytest.MonkeyPatch) -> None:
    """F02: the retry helper makes a new id each time."""
    attempt = OrderSubmitter._attempt
    tries: dict[str, int] = {}

    async def again(self: OrderSubmitter, prepared: PreparedOrder) -> ExchangeError | None:
        name = prepared.ticket.client_order_id
        tries[name] = tries.get(name, 0) + 1
        if tries[name] > 1:
            ticket = msgspec.structs.replace(prepared.ticket, client_order_id=f"{name[:-2]}r{tries[name]}")
            prepared = self._adapter.prepare(ticket)
        return await attempt(self, prepared)

    patch.setattr(OrderSubmitter, "_attempt", again)


@planted(0)
def new_body_on_retry(patch: pytest.MonkeyPatch) -> None:
    """F03: a retry rebuilds the request, now with half the quantity."""
    attempt = OrderSubmitter._attempt
    tries: dict[str, int] = {}

    async def again(self: OrderSubmitter, prepared: PreparedOrder) -> ExchangeError | None:
        ticket = prepared.ticket
        tries[ticket.client_order_id] = tries.get(ticket.client_order_id, 0) + 1
        if tries[ticket.client_order_id] > 1:
            prepared = self._adapter.prepare(msgspec.structs.replace(ticket, quantity=ticket.quantity * 2))
        return await attempt(self, prepared)

    patch.setattr(OrderSubmitter, "_attempt", again)


@planted(0)
def timeout_is_reject(patch: pytest.MonkeyPatch) -> None:
    """F01: a timeout is treated as a refusal."""
    attempt = OrderSubmitter._attempt

    async def once(self: OrderSubmitter, prepared: PreparedOrder) -> ExchangeError | None:
        tell = self._tell

        def rejected(ticket: Any, state: OrderState, reason: str) -> None:
            tell(ticket, OrderState.REJECTED if state is OrderState.UNKNOWN else state, reason)

        self._tell = rejected  # type: ignore[method-assign]
        error = await attempt(self, prepared)
        return None if isinstance(error, OutcomeUnknownError) else error

    patch.setattr(OrderSubmitter, "_attempt", once)


@planted(0)
def fill_counted_twice(patch: pytest.MonkeyPatch) -> None:
    """F30: a trade that is told again counts again."""
    apply = OrderManager._apply_fill

    def twice(self: OrderManager, update: FillUpdate) -> None:
        order = self.find(update.client_order_id)
        if order is not None and update.trade_id in order.trades:
            update = msgspec.structs.replace(update, trade_id=f"{update.trade_id}-again-{len(order.trades)}")
        apply(self, update)

    patch.setattr(OrderManager, "_apply_fill", twice)


@planted(2)
def fill_after_cancel_ignored(patch: pytest.MonkeyPatch) -> None:
    """F24: what is cancelled cannot trade, thinks the bot."""
    apply = OrderManager._apply_fill

    def only_living(self: OrderManager, update: FillUpdate) -> None:
        order = self.find(update.client_order_id)
        if order is None or not order.state.is_terminal:
            apply(self, update)

    patch.setattr(OrderManager, "_apply_fill", only_living)


@planted(2)
def cancel_failure_is_gone(patch: pytest.MonkeyPatch) -> None:
    """F25: the cancel says not found, so the order never was."""

    async def gone(self: OrderSubmitter, order: ManagedOrder) -> None:
        self._orders.apply(ended(order, OrderState.CANCELLED, "gone"))

    patch.setattr(OrderSubmitter, "_look", gone)


@planted(10)
def not_found_is_rejected(patch: pytest.MonkeyPatch) -> None:
    """F08: one lookup that finds nothing ends the order."""

    def at_once(self: OrderReconciler, order: ManagedOrder, _: int) -> None:
        self._orders.apply(ended(order, OrderState.REJECTED, "not found"))

    patch.setattr(OrderReconciler, "_count_clean_read", at_once)


@planted(0)
def missing_is_cancelled(patch: pytest.MonkeyPatch) -> None:
    """F56: an order that is not among the open ones is taken for cancelled, without asking."""

    async def cancelled(self: OrderReconciler, order: ManagedOrder) -> bool:
        self._orders.apply(ended(order, OrderState.CANCELLED, "not among the open orders"))
        return True

    patch.setattr(OrderReconciler, "ask", cancelled)


@planted(0)
def no_fsync(patch: pytest.MonkeyPatch) -> None:
    """F89: the order leaves before it is on the disk."""
    patch.setattr(EventStore, "commit", nothing)


@planted(0)
def unknown_never_released(patch: pytest.MonkeyPatch) -> None:
    """Nobody reads what became of an unknown order."""
    patch.setattr(OrderReconciler, "watch", lambda _: None)


@planted(2)
def unknown_does_not_count(patch: pytest.MonkeyPatch) -> None:
    """F01: exposure leaves out what may have been placed."""
    whole = ManagedOrder.may_still_fill.fget  # type: ignore[attr-defined]

    def known_only(self: ManagedOrder) -> Decimal:
        known: Decimal = Decimal(0) if self.state is OrderState.UNKNOWN else whole(self)
        return known

    patch.setattr(ManagedOrder, "may_still_fill", property(known_only))


@planted(0)
def stale_repost(patch: pytest.MonkeyPatch) -> None:
    """A request is sent again after its intent has died."""
    patch.setattr(OrderSubmitter, "_may_send_again", lambda *_: True)


@planted(0)
def reduce_only_trusted(patch: pytest.MonkeyPatch) -> None:
    """F65: the venue will see to it that an exit only closes."""
    patch.setattr(OrderSubmitter, "_check_reduction", lambda *_: None)
    patch.setattr(OrderManager, "closable", lambda *_, **__: Decimal(10_000))
    patch.setattr(risk_manager, "clamp_to_position", lambda _side, quantity, *_: quantity)


@planted(1)
def kill_switch_at_the_front_door_only(patch: pytest.MonkeyPatch) -> None:
    """F81: what is already being worked goes on in a closed mode."""
    check = OrderSubmitter._check_door

    def in_any_mode(self: OrderSubmitter, ticket: Any) -> None:
        mode, self._mode = self._mode, lambda: Mode.NORMAL
        try:
            check(self, ticket)
        finally:
            self._mode = mode

    patch.setattr(OrderSubmitter, "_check_door", in_any_mode)


@planted(9)
def entries_into_a_halt(patch: pytest.MonkeyPatch) -> None:
    """F76: tactics go on while the product is shut."""
    patch.setattr("gpt_trader.placement.submitter.check_status", lambda *_: None)


@planted(0)
def stop_not_rearmed(patch: pytest.MonkeyPatch) -> None:
    """F74: after a restart nobody watches the stops."""
    patch.setattr(StopTriggerManager, "resume", lambda _: None)


@planted(4)
def trades_before_recovery(patch: pytest.MonkeyPatch) -> None:
    """Stops act on fills of the catching-up, before the state of the orders is known."""
    restore = StopTriggerManager.restore

    def awake(self: StopTriggerManager, event: Any) -> None:
        restore(self, event)
        self._resumed = True

    patch.setattr(StopTriggerManager, "restore", awake)


@planted(11)
def stream_is_believed(patch: pytest.MonkeyPatch) -> None:
    """F35: as long as the stream lives, nobody asks for what it dropped."""

    async def sees_nothing(_: OrderReconciler) -> tuple[OrderUpdate, ...]:
        return ()

    patch.setattr(OrderReconciler, "sweep", sees_nothing)


@planted(34)
def order_rate_forgotten(patch: pytest.MonkeyPatch) -> None:
    """F78: every restart begins with a fresh minute."""
    patch.setattr(LiveRiskManager, "restore", lambda *_: None)


@planted(4)
def breakers_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A restart clears what had tripped."""
    patch.setattr(GuardManager, "restore", lambda *_: None)


@planted(2)
def state_goes_back(patch: pytest.MonkeyPatch) -> None:
    """F28: the newest word counts, however old it is."""
    everything = frozenset((known, told) for known in OrderState for told in OrderState if known is not told)
    patch.setattr("gpt_trader.placement.order_manager.NEWS", everything)


@planted(6)
def funding_booked_again(patch: pytest.MonkeyPatch) -> None:
    """F75: payments that are told again are booked again."""
    apply = AccountFeed._apply_funding

    def always(self: AccountFeed, update: Any) -> None:
        self._funding_seen.clear()
        apply(self, update)

    patch.setattr(AccountFeed, "_apply_funding", always)


@planted(0)
def profit_counted_twice(patch: pytest.MonkeyPatch) -> None:
    """F82: equity holds the unrealised profit twice."""
    patch.setattr(Ledger, "equity", lambda self, marks: self.cash + 2 * self.unrealised(marks))


@planted(0)
def flip_in_one_piece(patch: pytest.MonkeyPatch) -> None:
    """F64: a trade through zero moves the position and not its price."""
    fill = Ledger._fill

    def through(self: Ledger, event: OrderFilled) -> None:
        book = self._book(event.symbol)
        sign = event.side.sign
        if book.quantity * sign < 0 and event.quantity > abs(book.quantity):
            book.quantity += sign * event.quantity
            book.position = None
            return
        fill(self, event)

    patch.setattr(Ledger, "_fill", through)


@planted(0)
def foreign_orders_cancelled(patch: pytest.MonkeyPatch) -> None:
    """F54: cancelling all entries takes orders along that are not ours."""
    mine = OrderSubmitter.cancel_entries

    async def everything(self: OrderSubmitter, reason: str) -> bool:
        for update in await self._adapter.open_orders():
            if self._orders.find(update.client_order_id) is None:
                await self._adapter.cancel(update.client_order_id, update.venue_order_id, update.symbol)
        return await mine(self, reason)

    patch.setattr(OrderSubmitter, "cancel_entries", everything)


@planted(0)
def working_orders_left_out(patch: pytest.MonkeyPatch) -> None:
    """F14: limits look at the position alone."""
    patch.setattr(Exposure, "reach", lambda self, side: self.position if side is Side.BUY else -self.position)


@planted(3)
def second_order_beside_an_unknown_one(patch: pytest.MonkeyPatch) -> None:
    """F01: a tactic quotes again while its last order may still be alive."""

    def proven(self: Work) -> Attempt | None:
        known = (OrderState.ACTIVE, OrderState.PARTIALLY_FILLED)
        return next((child for child in reversed(self.children) if child.state in known), None)

    patch.setattr(Work, "living", property(proven))


@planted(0)
def cancelled_asker_forgets_its_order(patch: pytest.MonkeyPatch) -> None:
    """The task that sent it is gone, and with it whoever would hear the answer."""
    patch.setattr(OrderSubmitter, "_leave", lambda *_: None)


@planted(0)
def intents_decided_again(patch: pytest.MonkeyPatch) -> None:
    """After a restart an order leaves in another slot than its purpose says."""
    patch.setattr(IntentRegister, "remember", lambda *_: None)
    check = OrderSubmitter._check_door

    def any_purpose(self: OrderSubmitter, ticket: Any) -> None:
        check(self, msgspec.structs.replace(ticket, purpose=Purpose.EXIT, reduce_only=False))

    patch.setattr(OrderSubmitter, "_check_door", any_purpose)


@planted(3)
def lease_ignored(patch: pytest.MonkeyPatch) -> None:
    """Somebody took the account over, and we go on."""
    patch.setattr(OrderSubmitter, "may_ask", property(lambda _: True))
    patch.setattr(PerpsBot, "_keep_lease", nothing)


@planted(46)
def book_snapshot_merged(patch: pytest.MonkeyPatch) -> None:
    """F47: a snapshot is laid over the levels of before."""
    side = book._Side

    def merge(self: Any, levels: Any) -> None:
        for price, size in levels:
            side.put(self, price, size)

    patch.setattr(side, "fill", merge)


@planted(7)
def new_word_is_an_end(patch: pytest.MonkeyPatch) -> None:
    """A status that nobody knows is taken for a refusal."""
    known = updates.order_state
    living = frozenset({"PENDING", "QUEUED", "OPEN", "EDIT_QUEUED", "CANCEL_QUEUED"})

    def ended(status: str, filled: Decimal) -> OrderState:
        return known(status if status in living or status in updates.ENDED else "FAILED", filled)

    patch.setattr(updates, "order_state", ended)


@planted(14)
def unreadable_reply_is_a_refusal(patch: pytest.MonkeyPatch) -> None:
    """F04: what was done and cannot be read is taken for not done."""
    post = Transport.post

    async def refused(self: Transport, path: str, *args: Any, **options: Any) -> Any:
        try:
            return await post(self, path, *args, **options)
        except OutcomeUnknownError as error:
            raise InvalidOrderError(str(error)) from error

    patch.setattr(Transport, "post", refused)


@planted(0)
def snapshot_merged(patch: pytest.MonkeyPatch) -> None:
    """A restart begins with the snapshot, and takes in again some of the events that it follows from."""

    def again(self: Snapshots, house: Replays) -> None:
        self._load(house)
        house.replay(self._journal.read(max(0, self.sequence - 100), brief=True))

    patch.setattr(Snapshots, "begin", again)


def main() -> int:
    """Print the table as the documentation has it; 1 when a bug is not found."""
    missed = 0
    sys.stdout.write("| Planted bug | Seed | Invariant |\n|---|---|---|\n")
    with ProcessPoolExecutor(2) as pool:
        for name, found in pool.map(row_of, PLANTED):
            missed += found is None
            sys.stdout.write(f"| `{name}` | {found[0]} | {found[1]} |\n" if found else f"| `{name}` | none | |\n")
            sys.stdout.flush()
    return min(1, missed)


if __name__ == "__main__":
    sys.exit(main())
