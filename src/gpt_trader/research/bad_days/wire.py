"""What lies between the bot and its venue on a bad day? The paper exchange behind a wire that fails as the day says.

The venue itself keeps its word: what it holds is the truth that the bot is judged by. Everything that can be known of
a day at the venue passes here: which bytes left under which id, and what had become durable before.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from gpt_trader.bot.invariants.truth import HeldTrade, VenueTruth
from gpt_trader.core.clock import Clock, VirtualClock
from gpt_trader.core.errors import OrderNotFoundError, OutcomeUnknownError, RateLimitError, VenueUnavailableError
from gpt_trader.core.ids import CLIENT_ORDER_ID_PREFIX
from gpt_trader.core.values import ZERO, Account, Bar, BookView, OrderTicket, Position, ProductSpec
from gpt_trader.exchange.base import (
    AccountListener,
    Capabilities,
    ExchangeAdapter,
    FillPage,
    FillUpdate,
    FundingUpdate,
    MarketListener,
    OrderPreview,
    OrderUpdate,
    PreparedOrder,
    ProductChanged,
    StreamChanged,
)
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.view import MarketView
from gpt_trader.research.bad_days.agenda import Agenda, happen, schedule
from gpt_trader.research.bad_days.scenario import (
    Accident,
    Call,
    Quirk,
    Scenario,
    StreamFault,
    StreamFaultKind,
    WireFault,
    WireFaultKind,
)
from gpt_trader.research.bad_days.truth import Fate, Hears, held_order
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.news import NewOrder

__all__ = ["BadWire", "Killed"]

MS: Final = 1_000_000
DEADLINE_MS: Final = 10_000
"""How long the client waits for an answer before it gives up."""
READS: Final = frozenset({Call.ORDER, Call.OPEN_ORDERS, Call.FILLS, Call.POSITIONS, Call.BALANCES})


class Killed(SystemExit):
    """The process died here."""


Update = OrderUpdate | FillUpdate | FundingUpdate | Account


class BadWire:
    """ExchangeAdapter, truth.Wire, agenda.Hands and World over one venue that outlives the bots which connect to it."""

    def __init__(
        self,
        scenario: Scenario,
        paper: PaperExchange,
        clock: VirtualClock,
        *,
        hears: Hears,
    ) -> None:
        self._scenario = scenario
        self._paper = paper
        self._clock = clock
        self._hears = hears
        self._effect = hears.effect
        self._faults = {(fault.call, fault.number): fault for fault in scenario.wire}
        self._stream_faults = {fault.number: fault for fault in scenario.stream}
        self._calls: Counter[Call] = Counter()
        self._messages = 0
        self._payments: list[FundingUpdate] = []
        self._sent_ns: dict[str, int] = {}
        self._agenda = Agenda()
        self._ties = itertools.count()
        self._connection = 0
        """Grows with every client; what was on its way to an earlier one arrives nowhere."""
        self._on_market: MarketListener | None = None
        self._on_account: AccountListener | None = None
        self._silent_until_ns = 0
        self._asleep: list[tuple[Callable[[Any], None], Any]] | None = None
        self.at_peace = False
        """Faults are over."""
        self.hit: Counter[str] = Counter()
        """Faults that came about, by kind."""
        self.manual = 0
        schedule(self._agenda, clock.start_ns, scenario.accidents, self._happen)

    # --- who it is ------------------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return "bad day"

    @property
    def simulated(self) -> bool:
        return True

    @property
    def capabilities(self) -> Capabilities:
        quirks = self._scenario.quirks
        return msgspec.structs.replace(
            self._paper.capabilities,
            idempotent_create=Quirk.NO_IDEMPOTENT_CREATE not in quirks,
            lookup_by_client_id=Quirk.NO_LOOKUP not in quirks,
            reduce_only=Quirk.IGNORES_REDUCE_ONLY not in quirks,
        )

    @property
    def market(self) -> MarketView:
        return self._paper.market

    @property
    def venue(self) -> SimulatedVenue:
        return self._paper.venue

    def process(self, boot: int) -> tuple[ExchangeAdapter, Clock]:  # noqa: ARG002 - its clock is the market's
        return self, self._clock

    # --- what the venue holds -------------------------------------------------------------------------------------
    def fate(self, client_order_id: str) -> Fate | None:
        number = self.venue.number_of(client_order_id)
        if number is None:
            return None
        news = self.venue.order(number)
        return Fate(ended=news.state.is_terminal, filled=news.filled)

    def truth(self, tickets: Mapping[str, OrderTicket], *, whole: bool = False) -> VenueTruth:
        venue = self.venue
        fills = (venue.fill(number) for number in range(venue.fills_count)) if whole else ()
        account = venue.account() if whole else None
        return VenueTruth(
            open_orders={
                news.client_order_id: held_order(
                    tickets.get(news.client_order_id), news.client_order_id, news.symbol, news.filled
                )
                for news in venue.open_orders()
            },
            positions={each.symbol: each.quantity for each in venue.positions() if each.quantity},
            trades=tuple(
                HeldTrade(
                    client_order_id=fill.client_order_id,
                    trade_id=str(fill.trade_number),
                    symbol=fill.symbol,
                    signed=fill.side.sign * fill.quantity,
                )
                for fill in fills
            ),
            cash=account.cash if account is not None else None,
            equity=account.equity if account is not None else None,
            marks={symbol: mark.price for symbol in self.products() if (mark := venue.mark(symbol)) is not None},
        )

    def book(self, symbol: str) -> BookView | None:  # noqa: ARG002 - there is one book, and both look at it
        return None

    def equity(self) -> Decimal:
        return self.venue.account().equity

    def position(self, symbol: str) -> Decimal:
        return next((each.quantity for each in self.venue.positions() if each.symbol == symbol), ZERO)

    # --- the port -------------------------------------------------------------------------------------------------

    def products(self) -> Mapping[str, ProductSpec]:
        return self._paper.products()

    def account(self) -> Account:
        return self._paper.account()

    # --- a client comes and goes ----------------------------------------------------------------------------------
    async def start(self, symbols: Sequence[str], on_market: MarketListener, on_account: AccountListener) -> None:
        fault = self._fault_of(Call.START)
        if fault is not None:
            await self._clock.sleep(fault.ms / 1000)
            raise VenueUnavailableError("no connection")
        self._connection += 1
        self._on_market, self._on_account = on_market, on_account
        await self._paper.start(symbols, self._hear_market, self._hear_account)
        for payment in tuple(self._payments):  # a venue that tells each payment tells them again
            self._tell(payment)

    @property
    def account_name(self) -> str:
        return self._paper.account_name

    async def connect(self) -> None:
        await self._paper.connect()

    def fill_cursor(self, since_ns: int) -> str:
        return self._paper.fill_cursor(since_ns)

    async def close(self) -> None:
        self.forget_client()

    def forget_client(self) -> None:
        """The process is gone: nobody waits for an answer. The venue goes on, and remembers what it paid."""
        self._connection += 1
        self._on_market = self._on_account = None
        self._paper.forget_client()

    # --- orders ---------------------------------------------------------------------------------------------------
    def prepare(self, ticket: OrderTicket) -> PreparedOrder:
        return self._paper.prepare(ticket)

    async def preview(self, prepared: PreparedOrder) -> OrderPreview:
        return await self._paper.preview(prepared)

    async def send(self, prepared: PreparedOrder) -> OrderUpdate:
        self._effect("before send")
        self._hears.leaving(prepared)
        self._sent_ns.setdefault(prepared.ticket.client_order_id, self._clock.now_ns())
        fault = self._fault_of(Call.SEND)
        sent = self._as_the_venue_reads(prepared)
        if fault is None:
            update = await self._paper.send(sent)
            self._effect("after send")
            return update
        match fault.kind:
            case WireFaultKind.REQUEST_LATE:
                self._agenda.later(self._clock.now_ns() + fault.ms * MS, lambda: self._arrive(sent))
                await self._give_up(fault)
            case WireFaultKind.RESPONSE_LOST:
                self._arrive(sent)
                await self._give_up(fault)
        raise await self._failure(fault)

    def _as_the_venue_reads(self, prepared: PreparedOrder) -> PreparedOrder:
        if Quirk.IGNORES_REDUCE_ONLY not in self._scenario.quirks:
            return prepared
        order = msgspec.structs.replace(msgspec.json.decode(prepared.body, type=NewOrder), reduce_only=False)
        return msgspec.structs.replace(prepared, body=msgspec.json.encode(order))

    def _arrive(self, prepared: PreparedOrder) -> None:
        """Reach the venue with nobody to answer to."""
        order = msgspec.json.decode(prepared.body, type=NewOrder)
        known = self.venue.number_of(order.client_order_id) is not None
        if known and Quirk.NO_IDEMPOTENT_CREATE in self._scenario.quirks:
            order = msgspec.structs.replace(order, client_order_id=f"{order.client_order_id}+{next(self._ties)}")
        self.venue.submit(order)

    async def cancel(self, client_order_id: str, venue_order_id: str, symbol: str) -> None:
        self._effect("before cancel")
        self._hears.cancelling(client_order_id)
        fault = self._fault_of(Call.CANCEL)
        if fault is None:
            await self._paper.cancel(client_order_id, venue_order_id, symbol)
            self._effect("after cancel")
            return
        if fault.kind is WireFaultKind.RESPONSE_LOST:
            number = self.venue.number_of(client_order_id)
            if number is not None:
                self.venue.cancel(number)
        raise await self._failure(fault)

    # --- reads ----------------------------------------------------------------------------------------------------
    async def order(self, client_order_id: str, venue_order_id: str) -> OrderUpdate:
        fault = await self._read(Call.ORDER)
        update = await self._paper.order(client_order_id, venue_order_id)
        if fault is not None and self._is_unseen(client_order_id, fault.ms):
            raise OrderNotFoundError(f"{client_order_id}: not here yet")
        return update

    async def open_orders(self) -> tuple[OrderUpdate, ...]:
        fault = await self._read(Call.OPEN_ORDERS)
        found = await self._paper.open_orders()
        if fault is None:
            return found
        return tuple(update for update in found if not self._is_unseen(update.client_order_id, fault.ms))

    async def fills(self, cursor: str) -> FillPage:
        fault = await self._read(Call.FILLS)
        page = await self._paper.fills(cursor)
        fills = tuple(self._named(fill) for fill in page.fills)
        if fault is None:
            return FillPage(fills=fills, cursor=page.cursor)
        seen = tuple(fill for fill in fills if fill.trade_ns <= self._clock.now_ns() - fault.ms * MS)
        return FillPage(fills=seen, cursor=str(int(page.cursor) - len(fills) + len(seen)))

    async def balances(self) -> Account:
        await self._read(Call.BALANCES)
        return await self._paper.balances()

    async def positions(self) -> tuple[Position, ...]:
        fault = await self._read(Call.POSITIONS)
        found = await self._paper.positions()
        if fault is None:
            return found
        late = Counter[str]()
        for fill in (await self._paper.fills("")).fills:
            if fill.trade_ns > self._clock.now_ns() - fault.ms * MS:
                late[fill.symbol] += fill.side.sign * int(fill.quantity * 100)
        as_was = {position.symbol: position.quantity for position in found}
        for symbol, lots in late.items():
            as_was[symbol] = as_was.get(symbol, Decimal(0)) - Decimal(lots) / 100
        return tuple(
            Position(symbol=symbol, quantity=quantity, entry_price=Decimal(0))
            for symbol, quantity in as_was.items()
            if quantity
        )

    async def _read(self, call: Call) -> WireFault | None:
        """Wait for the answer's time; a fault that comes back is a stale view."""
        self._effect(f"before {call.value}")
        fault = self._fault_of(call)
        await self._clock.sleep(0.02)
        if fault is not None and fault.kind is not WireFaultKind.STALE:
            raise await self._failure(fault)
        return fault

    def _is_unseen(self, client_order_id: str, ms: int) -> bool:
        """A read that lags does not show what was sent since then."""
        return self._clock.now_ns() - self._sent_ns.get(client_order_id, 0) < ms * MS

    # --- faults ---------------------------------------------------------------------------------------------------
    def _fault_of(self, call: Call) -> WireFault | None:
        number = self._calls[call]
        self._calls[call] += 1
        fault = None if self.at_peace else self._faults.get((call, number))
        if fault is not None:
            self.hit[f"{call.value} {fault.kind.value}"] += 1
        return fault

    async def _give_up(self, fault: WireFault) -> None:
        await self._clock.sleep(min(fault.ms, DEADLINE_MS) / 1000)

    async def _failure(self, fault: WireFault) -> Exception:
        match fault.kind:
            case WireFaultKind.RATE_LIMITED:
                return RateLimitError("429", retry_after_seconds=fault.ms / 1000)
            case WireFaultKind.UNAVAILABLE:
                await self._clock.sleep(0.05)
                return VenueUnavailableError("503")
            case WireFaultKind.REQUEST_LOST:
                await self._give_up(fault)
        return OutcomeUnknownError("no answer")

    # --- what is heard --------------------------------------------------------------------------------------------
    def _hear_market(self, item: Bar | ProductChanged | StreamChanged) -> None:
        if self._asleep is not None and self._on_market is not None:
            self._asleep.append((self._on_market, item))
        elif self._on_market is not None:
            self._on_market(item)

    def _hear_account(self, update: Update) -> None:
        number = self._messages
        self._messages += 1
        if isinstance(update, FillUpdate):
            update = self._named(update)
        if isinstance(update, FundingUpdate):
            self._payments.append(update)
        if isinstance(update, (Account, FundingUpdate)) or self.at_peace:
            self._tell(update)
            return
        fault = self._stream_faults.get(number)
        if self._clock.now_ns() < self._silent_until_ns:
            self.hit["silent stream"] += 1
        elif fault is None:
            self._tell(update)
        else:
            self._tell_badly(update, fault)

    def _tell_badly(self, update: Update, fault: StreamFault) -> None:
        self.hit[f"stream {fault.kind.value}"] += 1
        if fault.kind is StreamFaultKind.DUPLICATE:
            self._tell(update)
        if fault.kind is not StreamFaultKind.DROP:
            connection = self._connection
            self._agenda.later(self._clock.now_ns() + fault.ms * MS, lambda: self._tell(update, connection))

    def _tell(self, update: Update, connection: int | None = None) -> None:
        if self._on_account is None or connection not in (None, self._connection):
            return
        if self._asleep is not None:
            self._asleep.append((self._on_account, update))
            return
        self._effect("message")
        self._on_account(update)

    @staticmethod
    def _named(fill: FillUpdate) -> FillUpdate:
        """Venues say whose order it was."""
        if fill.cause != "OWN" or fill.client_order_id.startswith(CLIENT_ORDER_ID_PREFIX):
            return fill
        return msgspec.structs.replace(fill, cause="FOREIGN")

    # --- accidents ------------------------------------------------------------------------------------------------
    def _happen(self, accident: Accident) -> None:
        if not self.at_peace:
            self.hit[accident.kind.value] += 1
            self.manual += 1
            happen(accident, self, tuple(self.products().values())[accident.product], self.manual)

    def mark_price(self, symbol: str) -> Decimal | None:
        mark = self._paper.venue.mark(symbol)
        return None if mark is None else mark.price

    def by_hand(self, order: NewOrder) -> None:
        self._paper.venue.submit(order)

    def cancel_by_hand(self) -> None:
        for news in self._paper.venue.open_orders()[:1]:
            self._paper.venue.cancel(news.number)

    def silence(self, ms: int) -> None:
        self._silent_until_ns = self._clock.now_ns() + ms * MS

    def lose_lease(self) -> None:
        self._hears.lose_lease()

    def stall(self, ms: int) -> None:
        """The machine is suspended: time goes on without it, and all news wait for it."""
        if self._asleep is not None:
            return
        self._asleep = []
        self.move(self._clock.now_ns() + ms * MS)
        heard, self._asleep = self._asleep, None
        for listener, item in heard:
            self._agenda.later(self._clock.now_ns(), functools.partial(self._wake_to, self._connection, listener, item))

    def _wake_to(self, connection: int, listener: Callable[[Any], None], item: Any) -> None:
        if connection == self._connection:
            self._effect("message")
            listener(item)

    # --- time -----------------------------------------------------------------------------------------------------
    def advance(self, until_ns: int | None) -> int:
        """Move the market, and let happen what is due; see core.clock.World."""
        target = self._agenda.until(until_ns)
        reached = self._clock.now_ns() if target is not None and target <= self._clock.now_ns() else self._move(target)
        self._agenda.run(self._clock.now_ns)
        return max(reached, self._clock.now_ns())

    def _move(self, target: int | None) -> int:
        return self._paper.advance(target)

    def move(self, until_ns: int) -> None:
        """Let time pass with nobody there."""
        while self._clock.now_ns() < until_ns:
            if self._asleep is None:
                self.advance(until_ns)
            else:
                self._paper.advance(until_ns)
