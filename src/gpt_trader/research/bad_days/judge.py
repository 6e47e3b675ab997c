"""Is every promise kept on this day? Puts the invariants to bot and venue, and notes down what is broken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from gpt_trader.bot.invariants.house import House, after_boot, look
from gpt_trader.bot.invariants.log import LogWatch
from gpt_trader.bot.invariants.sending import SendingWorld, judge
from gpt_trader.bot.invariants.table import INVARIANTS, Broken
from gpt_trader.bot.invariants.truth import VenueTruth, compare, compare_at_rest
from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS, VirtualClock
from gpt_trader.core.events import Event, SystemError  # noqa: A004 - the event, not the builtin
from gpt_trader.core.values import ZERO, OrderTicket, Purpose, Value
from gpt_trader.exchange.base import PreparedOrder
from gpt_trader.research.bad_days.disk import DurableIds
from gpt_trader.research.bad_days.drawing_coinbase import COINBASE
from gpt_trader.research.bad_days.scenario import AccidentKind, Scenario
from gpt_trader.research.bad_days.truth import BOOK_LEVELS, Wire

__all__ = ["Judge", "Violation"]

NAMES = {invariant.number: invariant.name for invariant in INVARIANTS} | {0: "no_error_of_ours"}
LEASE = "lease"
"""That one is lost is told as an error, and is the day's doing."""
OURS = ("reported", "taken off")
"""How the bus says that something of ours raised."""
LOOK_EVERY = 8
"""Events between two looks at everything."""
MINUTE_NS = 60 * NS
ENTRIES_MAX = 100
BOOK_LAG_NS = 20 * NS
CHANGE_WAIT_NS = 5 * NS


class Violation(Value, frozen=True, kw_only=True):
    """A promise that was broken, when, and by which numbers."""

    number: int
    name: str
    detail: str
    at_ms: int
    boot: int


class Judge:
    """One for a day; `begin` for every boot."""

    def __init__(self, scenario: Scenario, config: RiskConfig, symbols: Sequence[str], clock: VirtualClock) -> None:
        self._scenario = scenario
        self._config = config
        self._symbols = symbols
        self._clock = clock
        self.wire: Wire | None = None
        self.violations: list[Violation] = []
        self.boot = 0
        self.orders = 0
        self.checks = 0
        self.recovered: Callable[[], bool] = lambda: False
        self._bodies: dict[str, bytes] = {}
        self._tickets: dict[str, OrderTicket] = {}
        """Of orders that may still fill at the venue."""
        self._entries_ns: deque[int] = deque(maxlen=ENTRIES_MAX)
        self._on_the_way_ns = CHANGE_WAIT_NS if scenario.adapter == COINBASE else 0
        """So much later than decided an order may leave."""
        self._books_since_ns: dict[str, int] = {}
        """By symbol: since when our book is another than the venue's, at every look."""
        self.lease_lost_ns: int | None = None
        """When somebody took the lease of this process away."""
        self.stopping = False
        """The bot is ending in its phases: its parts are let go one after another."""
        self._house: House | None = None
        self._log = LogWatch(None)
        self._durable: DurableIds | None = None
        self._unseen = 0
        self._looking = False

    # --- boots ----------------------------------------------------------------------------------------------------
    def begin(self, house: House, durable: DurableIds, stored: Iterable[Event]) -> None:
        """Another process took over, and has replayed its log."""
        self._house, self._durable, self.stopping = house, durable, False
        self.lease_lost_ns = None
        self._books_since_ns.clear()
        if self._scenario.clock_ms:  # another clock counts other minutes
            self._entries_ns.clear()
        self._log = LogWatch(None)
        for event in stored:
            self._log.take(event)
        self._note(self._log.broken)
        self._log.broken.clear()
        self._note(after_boot(house, self._log))

    def on_event(self, event: Event) -> None:
        """Of the living bot."""
        self._log.take(event)
        if self._log.broken:
            self._note(self._log.broken)
            self._log.broken.clear()
        if (
            isinstance(event, SystemError)
            and event.source != "lease"
            and event.action.startswith(("reported", "taken off"))
        ):
            self.note(0, f"{event.source}: {event.message}")
        self._unseen += 1

    def look_soon(self) -> None:
        """When enough has happened, once everybody has been told of it."""
        if self._unseen >= LOOK_EVERY and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self.look)

    def look(self) -> None:
        """Between two steps: everything that must hold at any moment."""
        self._unseen, self._looking = 0, False
        if self._house is None:
            return
        self.checks += 1
        if self.recovered() and not self.stopping:
            self._note(look(self._house, self._log))
            self._note(compare(self._log, self._truth()))
            for symbol in self._symbols:
                self._compare_books(self._house, symbol)

    def look_at_rest(self) -> None:
        """Faults are over and everything had its time."""
        assert self._house is not None, "a bot is running"
        self._note(look(self._house, self._log))
        self._note(compare_at_rest(self._house, self._log, self._truth(whole=True)))
        for symbol in self._symbols:
            self._compare_books(self._house, symbol, at_rest=True)

    def _compare_books(self, house: House, symbol: str, *, at_rest: bool = False) -> None:
        """What frames built is what the venue shows, no level of before is left: but for those on their way."""
        assert self.wire is not None
        now_ns = self._clock.now_ns()
        theirs, ours = self.wire.book(symbol), house.adapter.market.book(symbol, BOOK_LEVELS)
        same = ours is not None and theirs is not None and (ours.bids, ours.asks) == (theirs.bids, theirs.asks)
        if theirs is None or same or (ours is None and not at_rest):
            self._books_since_ns.pop(symbol, None)
            return
        since_ns = self._books_since_ns.setdefault(symbol, now_ns)
        if at_rest or now_ns - since_ns > BOOK_LAG_NS:
            shown = None if ours is None else (ours.bids[:3], ours.asks[:3])
            self.note(16, f"{symbol}: our book {shown}, the venue's {theirs.bids[:3]} {theirs.asks[:3]}")

    # --- at the wire ----------------------------------------------------------------------------------------------
    def leaving(self, prepared: PreparedOrder) -> None:
        """An order's bytes leave now."""
        ticket, name = prepared.ticket, prepared.ticket.client_order_id
        assert self._house is not None, "a bot is running"
        if self._durable is None or not self._durable.has(name):
            self.note(5, f"{name} leaves and is not on the disk")
        if name not in self._bodies:
            self.orders += 1
            self._count_entry(ticket)
        if self._bodies.setdefault(name, prepared.body) != prepared.body:
            self.note(6, f"{name} leaves with another body")
        seen = self._log.orders.get(name)
        if seen is not None and seen.submitted.body_digest != prepared.digest:
            self.note(6, f"{name} leaves with a body that was not written down")
        self._note(judge(ticket, self._world(ticket)))
        if self._house.clock.now_ns() >= ticket.valid_until_ns:
            self.note(15, f"{name} leaves after its intent has died")
        self._tickets[name] = ticket
        if self.lease_lost_ns is not None and self._clock.now_ns() > self.lease_lost_ns + NS + self._on_the_way_ns:
            self.note(29, f"{name} leaves after the lease was lost")

    def _count_entry(self, ticket: OrderTicket) -> None:
        """Intents a minute, by the time at which each was written down; the orders of a tactic are one intent."""
        cap, seen = self._scenario.order_rate_per_minute_max, self._log.orders.get(ticket.client_order_id)
        if not cap or seen is None or ticket.purpose is not Purpose.ENTRY or ticket.slice_number or ticket.leg:
            return
        at_ns = seen.submitted.at_ns
        self._entries_ns.append(at_ns)
        count = sum(at_ns - MINUTE_NS < each <= at_ns for each in self._entries_ns)
        if count > cap:
            self.note(30, f"{count} entries in a minute, allowed are {cap}")

    def cancelling(self, client_order_id: str) -> None:
        """A cancel leaves now."""
        if client_order_id not in self._log.orders:
            self.note(28, f"a cancel of {client_order_id}, which is not ours")

    def _world(self, ticket: OrderTicket) -> SendingWorld:
        """The truth of this moment, as far as anybody could know it."""
        house, wire = self._house, self.wire
        assert house is not None
        assert wire is not None
        entries, closing = self._others(ticket)
        adapter = house.adapter
        return SendingWorld(
            now_ns=house.clock.now_ns(),
            mode=house.guards.mode,
            product=adapter.products()[ticket.symbol],
            mark=adapter.market.mark(ticket.symbol),
            account_ns=adapter.account().received_ns,
            equity=wire.equity(),
            position=self._position(ticket),
            entries_same_side=entries,
            closing_same_side=closing,
            recovered=self.recovered(),
            mark_age_seconds_max=Decimal(self._config.max_mark_staleness_seconds),
            account_age_seconds_max=Decimal(self._config.max_account_staleness_seconds),
            position_share_max=self._config.max_position_pct_per_symbol,
        )

    def _position(self, ticket: OrderTicket) -> Decimal:
        """The venue's for entries, if nobody else trades there; an exit is judged by what the bot could know."""
        house, wire = self._house, self.wire
        assert house is not None
        assert wire is not None
        by_hand = any(each.kind is AccidentKind.MANUAL_TRADE for each in self._scenario.accidents)
        if ticket.reduce_only or by_hand:
            return house.ledger.position(ticket.symbol).quantity
        return wire.position(ticket.symbol)

    def _others(self, ticket: OrderTicket) -> tuple[Decimal, Decimal]:
        """What other orders of this side may still fill: entries at the venue, closers as the bot knows them."""
        wire, house = self.wire, self._house
        assert wire is not None
        assert house is not None
        entries = ZERO
        for name, other in tuple(self._tickets.items()):
            fate = wire.fate(name)
            if fate is not None and fate.ended:
                del self._tickets[name]
            elif (other.symbol, other.side, other.reduce_only) == (ticket.symbol, ticket.side, False):
                known = self._log.orders.get(name)
                given_up = known is not None and known.state.is_terminal
                mine = name == ticket.client_order_id
                entries += ZERO if mine or given_up else other.quantity - (fate.filled if fate else ZERO)
        closing = sum(
            (
                order.may_still_fill
                for order in house.orders.living(ticket.symbol)
                if order.submitted.reduce_only
                and order.submitted.side is ticket.side
                and order.client_order_id != ticket.client_order_id
            ),
            start=ZERO,
        )
        return entries, closing

    def _truth(self, *, whole: bool = False) -> VenueTruth:
        assert self.wire is not None
        return self.wire.truth(self._tickets, whole=whole)

    # --- verdicts -------------------------------------------------------------------------------------------------
    def _note(self, found: Iterable[Broken]) -> None:
        for broken in found:
            self.note(broken.number, f"{broken.symbol} {broken.detail}".strip())

    def note(self, number: int, detail: str) -> None:
        at_ms = (self._clock.now_ns() - self._clock.start_ns) // 1_000_000
        self.violations.append(
            Violation(number=number, name=NAMES[number], detail=detail[:500], at_ms=at_ms, boot=self.boot)
        )
