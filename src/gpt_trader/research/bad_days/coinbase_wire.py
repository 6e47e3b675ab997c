"""What lies between the Coinbase adapter and its venue on a bad day? The venue's own wire layer, with the day's faults.

The adapter is the one that trades real money: its requests, frames, orders and reconciliation, over a carrier without
sockets. What the venue holds is the truth that the bot is judged by.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from gpt_trader.bot.invariants.truth import HeldTrade, VenueTruth
from gpt_trader.config.bot import CredentialsConfig
from gpt_trader.core.clock import NS, Clock, SimulationOver, VirtualClock
from gpt_trader.core.values import ZERO, BookView, OrderTicket, OrderType
from gpt_trader.exchange.base import ExchangeAdapter, PreparedOrder
from gpt_trader.exchange.coinbase.adapter import CoinbaseExchange
from gpt_trader.exchange.coinbase.credentials import key_of
from gpt_trader.exchange.coinbase.endpoints import Endpoints
from gpt_trader.market.stream import MarketStream
from gpt_trader.research.bad_days.agenda import Agenda, happen, schedule
from gpt_trader.research.bad_days.memory_wire import MARKET_URL, USER_URL, MemoryWire
from gpt_trader.research.bad_days.scenario import Accident, Call, MarketFaultKind, Scenario
from gpt_trader.research.bad_days.truth import BOOK_LEVELS, Fate, Hears, held_order
from gpt_trader.research.bad_days.wire_faults import DayFaults, call_of
from gpt_trader.venue.news import NewOrder
from gpt_trader.venue.settings import Latency, VenueSettings
from gpt_trader.venue.wire.account_calls import AccountCalls
from gpt_trader.venue.wire.admission import Placed
from gpt_trader.venue.wire.desk import OrderDesk
from gpt_trader.venue.wire.formats import text
from gpt_trader.venue.wire.keys import ApiKey, KeyType, open_keys
from gpt_trader.venue.wire.limits import RateLimits
from gpt_trader.venue.wire.market_calls import MarketCalls
from gpt_trader.venue.wire.money import MoneyBook
from gpt_trader.venue.wire.order_calls import OrderCalls
from gpt_trader.venue.wire.orders import WireOrder
from gpt_trader.venue.wire.preview import Preview
from gpt_trader.venue.wire.publishing import Publisher
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.reasons import Rejection
from gpt_trader.venue.wire.rest import RestFace
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.sockets import SocketFace
from gpt_trader.venue.wire.tokens import LEEWAY_SECONDS, LIFE_SECONDS_MAX, Unauthorized

__all__ = ["CoinbaseWire"]

MS: Final = 1_000_000
ACCOUNT: Final = 0
PULSE_NS: Final = NS
"""The bad day's market has no more than a quote and a trade each second."""
ADDRESSES: Final = Endpoints(ws=MARKET_URL, ws_user=USER_URL)
CHANGES: Final = frozenset({Call.SEND, Call.CANCEL})
ON_ITS_WAY: Final = "PENDING"


class StrayClock:
    """The clock of a machine that is off by `ahead_ns`."""

    def __init__(self, true: VirtualClock, ahead_ns: int) -> None:
        self._true = true
        self.ahead_ns = ahead_ns

    def now_ns(self) -> int:
        return self._true.now_ns() + self.ahead_ns

    async def sleep(self, seconds: float) -> None:
        await self._true.sleep(seconds)


class WatchedCoinbase(CoinbaseExchange):
    """The adapter, with what it prepared: the judge must know which order the bytes are that leave."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.prepared: dict[str, PreparedOrder] = {}

    def prepare(self, ticket: OrderTicket) -> PreparedOrder:
        prepared = super().prepare(ticket)
        self.prepared[ticket.client_order_id] = prepared
        return prepared


class _Tokens:
    """Who asks is who it says; its clock must be right, as for a signed token. Signatures are tested over sockets."""

    def __init__(self, owner: ApiKey) -> None:
        self._owner = owner
        self.ahead_seconds = 0.0

    def rest(self, authorization: str | None, method: str, path: str, host: str) -> ApiKey:  # noqa: ARG002
        return self._checked()

    def websocket(self, token: object) -> ApiKey:  # noqa: ARG002
        return self._checked()

    def _checked(self) -> ApiKey:
        if not -LIFE_SECONDS_MAX - LEEWAY_SECONDS < self.ahead_seconds <= LEEWAY_SECONDS:
            raise Unauthorized(f"the client's clock is {self.ahead_seconds:+.0f} s off")
        return self._owner


class CoinbaseWire:
    """truth.Wire, agenda.Hands and core.clock.World over one served venue."""

    def __init__(
        self,
        scenario: Scenario,
        market: MarketStream,
        clock: VirtualClock,
        *,
        cash: Decimal,
        folder: Path,
        hears: Hears,
    ) -> None:
        """Keys lie in `folder`."""
        self._scenario = scenario
        self._clock = clock
        self._hears = hears
        self._effect = hears.effect
        self.hit: Counter[str] = Counter()
        self.manual = 0
        self._agenda = Agenda()
        self._faults = DayFaults(scenario, self.hit, clock.now_ns)
        self._keys = open_keys(folder, 1, KeyType.ECDSA)
        self._tokens = _Tokens(self._keys[ACCOUNT])
        self._quirks = Quirks()
        latency = VenueSettings(
            entry_latency=Latency(milliseconds=Decimal(20)), ack_latency=Latency(milliseconds=Decimal(15))
        )
        self._running = RunningVenue(market, cash=[cash], clock=clock, speed=None, settings=latency, pulse_ns=PULSE_NS)
        self._desk = OrderDesk(self._running, self._keys, self._quirks)
        self._sockets, self._face = self._faces(MoneyBook(self._running, self._desk, self._quirks))
        self._process: tuple[WatchedCoinbase, MemoryWire] | None = None
        self._stalled = False
        self._plan()

    def _faces(self, money: MoneyBook) -> tuple[SocketFace, RestFace]:
        running, desk, quirks = self._running, self._desk, self._quirks
        limits = RateLimits(lambda: self._clock.now_ns() / NS)
        sockets = SocketFace(
            tokens=self._tokens,
            faults=self._faults,
            quirks=quirks,
            limits=limits,
            clock=self._clock,
            market_ns=lambda: running.now_ns,
            product_ids=[listed.product_id for listed in desk.listing],
            later=self._later,
        )
        Publisher(running, desk, money, sockets, quirks)
        groups = (
            MarketCalls(running, desk.listing, quirks),
            OrderCalls(running, desk, Preview(running, desk, money), quirks),
            AccountCalls(running, desk, money, quirks),
        )
        face = RestFace(
            [endpoint for group in groups for endpoint in group.endpoints()],
            tokens=self._tokens,
            limits=limits,
            faults=self._faults,
            clock=self._clock,
            catch_up=running.catch_up,
            fail_next=self._fail_next,
            later=lambda seconds, work: self._later(seconds, lambda: _run_through(work())),
        )
        return sockets, face

    def _fail_next(self, account: int) -> None:
        self._desk.fail_next[account] += 1

    def _plan(self) -> None:
        """Accidents, heartbeats, and what the venue changes of its products."""
        start_ns = self._clock.start_ns
        schedule(self._agenda, start_ns, self._scenario.accidents, self._happen)
        self._agenda.later(start_ns + NS, self._beat)
        symbols = [listed.symbol for listed in self._desk.listing]
        for fault in self._scenario.market:
            if fault.kind is MarketFaultKind.INCREMENT:
                at_ns, symbol = start_ns + fault.at_second * NS, symbols[fault.product]
                self._agenda.later(at_ns, partial(self._change_increment, symbol, fault.value))
                self._agenda.later(at_ns + fault.seconds * NS, partial(self._change_increment, symbol, 1))

    def _change_increment(self, symbol: str, times: int) -> None:
        self._quirks.increments[symbol] = times
        self.hit["market INCREMENT"] += 1

    def _beat(self) -> None:
        self._sockets.beat()
        self._later(1.0, self._beat)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._agenda.later(self._clock.now_ns() + round(seconds * NS), action)

    # --- a client comes and goes ----------------------------------------------------------------------------------
    @property
    def at_peace(self) -> bool:
        return self._faults.at_peace

    @at_peace.setter
    def at_peace(self, now: bool) -> None:
        self._faults.at_peace = now

    def process(self, boot: int) -> tuple[ExchangeAdapter, Clock]:
        offsets = self._scenario.clock_ms
        ahead_ms = offsets[boot - 1] if boot <= len(offsets) else 0
        if ahead_ms:
            self.hit["clock stepped"] += 1
        clock = StrayClock(self._clock, ahead_ms * MS)
        self._tokens.ahead_seconds = ahead_ms / 1000
        memory = MemoryWire(self._face, self._sockets, self._clock, leaving=self._ask, effect=self._effect)
        adapter = WatchedCoinbase(
            key=key_of(CredentialsConfig(), str(self._keys[ACCOUNT].path)),
            clock=clock,
            draw=random.Random(f"{self._scenario.seed} {boot}").random,
            endpoints=ADDRESSES,
            carrier=memory,
        )
        self._process = adapter, memory
        return adapter, clock

    def forget_client(self) -> None:
        if self._process is not None:
            self._process[1].cut()
            self._process = None

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> str:
        """A request leaves."""
        call = call_of(method, path)
        if call in (Call.MARKET, Call.START):
            return ""
        self._effect(f"before {call.value}")
        if call is Call.SEND and body is not None:
            self._hears.leaving(self._prepared(body))
        elif call is Call.CANCEL and body is not None:
            for order_id in body["order_ids"]:
                order = self._desk.orders.get(order_id)
                self._hears.cancelling(order.client_order_id if order is not None else order_id)
        return call.value if call in CHANGES else ""

    def _prepared(self, body: Mapping[str, Any]) -> PreparedOrder:
        assert self._process is not None, "a process asks"
        prepared = self._process[0].prepared[body["client_order_id"]]
        if msgspec.json.decode(prepared.body) == body:
            return prepared
        return msgspec.structs.replace(prepared, body=msgspec.json.encode(body))

    # --- what the venue holds -------------------------------------------------------------------------------------
    def fate(self, client_order_id: str) -> Fate | None:
        order = self._desk.find(ACCOUNT, client_order_id)
        return None if order is None else Fate(ended=order.ended, filled=order.listed.quantity(order.filled))

    def truth(self, tickets: Mapping[str, OrderTicket], *, whole: bool = False) -> VenueTruth:
        venue = self._running.venue
        account = venue.account() if whole else None
        return VenueTruth(
            open_orders={
                order.client_order_id: held_order(
                    tickets.get(order.client_order_id),
                    order.client_order_id,
                    order.listed.symbol,
                    order.listed.quantity(order.filled),
                )
                for order in self._open_orders()
            },
            positions={each.symbol: each.quantity for each in venue.positions() if each.quantity},
            trades=tuple(
                HeldTrade(
                    client_order_id=fill.order.client_order_id,
                    trade_id=str(fill.trade_number),
                    symbol=fill.order.listed.symbol,
                    signed=fill.order.side.sign * fill.order.listed.quantity(fill.size),
                )
                for fill in (self._desk.fills[ACCOUNT] if whole else ())
            ),
            cash=account.cash if account is not None else None,
            equity=account.equity if account is not None else None,
            marks={symbol: mark.price for symbol in venue.products() if (mark := venue.mark(symbol)) is not None},
        )

    def _open_orders(self) -> list[WireOrder]:
        return [order for order in self._desk.by_account[ACCOUNT] if not order.ended and order.status != ON_ITS_WAY]

    def book(self, symbol: str) -> BookView | None:
        return self._running.venue.book(symbol, BOOK_LEVELS)

    def equity(self) -> Decimal:
        return self._running.venue.account().equity

    def position(self, symbol: str) -> Decimal:
        held = (each.quantity for each in self._running.venue.positions() if each.symbol == symbol)
        return next(held, ZERO)

    # --- what others do -------------------------------------------------------------------------------------------
    def _happen(self, accident: Accident) -> None:
        if not self.at_peace:
            self.hit[accident.kind.value] += 1
            self.manual += 1
            product = tuple(self._running.venue.products().values())[accident.product]
            happen(accident, self, product, self.manual)

    def mark_price(self, symbol: str) -> Decimal | None:
        mark = self._running.venue.mark(symbol)
        return None if mark is None else mark.price

    def by_hand(self, order: NewOrder) -> None:
        listed = self._desk.listing.of_symbol(order.symbol)
        fields = {"base_size": text(listed.contracts(order.quantity))}
        name = "market_market_ioc"
        if order.order_type is OrderType.LIMIT and order.limit_price is not None:
            name, fields["limit_price"] = "limit_limit_gtc", text(order.limit_price)
        placed = Placed(order.client_order_id, listed.product_id, order.side.value, {name: fields})
        _run_through(self._place(placed))

    async def _place(self, placed: Placed) -> None:
        try:
            await self._desk.create(self._keys[ACCOUNT], placed, heard=False)
        except Rejection:
            return  # whoever tried it sees that

    def cancel_by_hand(self) -> None:
        for order in self._open_orders()[:1]:
            self._desk.cancel(self._keys[ACCOUNT], order.order_id)

    def silence(self, ms: int) -> None:
        self._faults.silent_until_ns = self._clock.now_ns() + ms * MS

    def lose_lease(self) -> None:
        self._hears.lose_lease()

    def stall(self, ms: int) -> None:
        """Frames gather, and all that was due is due at once afterwards."""
        if not self._stalled:
            self._stalled = True
            self.move(self._clock.now_ns() + ms * MS)
            self._stalled = False

    # --- time -----------------------------------------------------------------------------------------------------
    def advance(self, until_ns: int | None) -> int:
        """Move the venue, and let happen what is due; see core.clock.World."""
        if self._running.venue.is_over:
            raise SimulationOver
        target = self._agenda.until(until_ns)
        assert target is not None, "heartbeats never end"
        if target > self._clock.now_ns():
            self._running.reach(target)
            self._clock.move_to(self._running.now_ns)
            self._running.tell()
        self._agenda.run(self._clock.now_ns)
        return self._clock.now_ns()

    def move(self, until_ns: int) -> None:
        while self._clock.now_ns() < until_ns:
            self.advance(until_ns)


def _run_through(work: Coroutine[Any, Any, object]) -> None:
    """Do what nobody waits for: it must not wait either."""
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise RuntimeError("a request that nobody waits for waits")
