"""What if the exchange were ours? The adapter over the simulated venue: the bot trades on it as on any other.

It is also the world of a virtual loop: `advance` moves the market and the clock, and tells listeners what is due, in
order of time. News of orders come first, then the account, then closed bars.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.config.bot import VenueConfig
from gpt_trader.core.clock import NS, SimulationOver, VirtualClock
from gpt_trader.core.errors import (
    ConfigError,
    InsufficientBalanceError,
    InvalidOrderError,
    OrderNotFoundError,
    Refusal,
    Refused,
    Stage,
    VenueUnavailableError,
)
from gpt_trader.core.schedule import parse_weekly_hours
from gpt_trader.core.values import (
    Account,
    OrderState,
    OrderTicket,
    OrderType,
    Position,
    ProductSpec,
    TimeInForce,
)
from gpt_trader.exchange.base import (
    AccountListener,
    Capabilities,
    FillPage,
    FillUpdate,
    FundingUpdate,
    MarketListener,
    OrderPreview,
    OrderUpdate,
    PreparedOrder,
    ProductChanged,
)
from gpt_trader.market.compiled import EntryPoint
from gpt_trader.market.past import past_bars
from gpt_trader.market.stream import MarketStream
from gpt_trader.market.view import BarsAhead, Ints, MarketView
from gpt_trader.venue.assumptions import assumptions_of, overnight_spans
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.news import FillNews, FundingNews, NewOrder, OrderNews, OrderNewsKind, PriceNews, StatusNews
from gpt_trader.venue.settings import (
    BarModel,
    FundingSource,
    Latency,
    MarginWindow,
    QueueModel,
    VenueSettings,
    parse_fee_tiers,
)

__all__ = ["PaperExchange", "kernel_entry_points", "venue_settings"]

PAST_BARS: Final = 1500
"""More than a day of minutes."""
START_WAIT_SECONDS: Final = 60
"""How much market time `start` gives a symbol to show a price."""
CAPABILITIES: Final = Capabilities(
    order_types=frozenset(OrderType),
    limit_times_in_force=frozenset(TimeInForce),
    market_times_in_force=frozenset({TimeInForce.IOC, TimeInForce.FOK}),
    post_only=True,
    reduce_only=True,
    preview=False,
    idempotent_create=True,
    lookup_by_client_id=True,
    venue_stops=True,
)
TIMES_IN_FORCE: Final = {
    OrderType.MARKET: CAPABILITIES.market_times_in_force,
    OrderType.LIMIT: CAPABILITIES.limit_times_in_force,
    OrderType.STOP_LIMIT: frozenset({TimeInForce.GTC, TimeInForce.GTD}),
    OrderType.BRACKET: frozenset({TimeInForce.GTC, TimeInForce.GTD}),
}
STOPS: Final = frozenset({OrderType.STOP_LIMIT, OrderType.BRACKET})
MONEY_NEWS: Final = frozenset({FillNews, FundingNews})
IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
WRITE_BODY: Final = msgspec.json.Encoder(order="sorted").encode
READ_BODY: Final = msgspec.json.Decoder(NewOrder).decode


class PaperExchange:
    """ExchangeAdapter and World over one market stream and one account."""

    def __init__(
        self,
        stream: MarketStream,
        *,
        clock: VirtualClock,
        cash: Decimal,
        entry_latency_ms: int = 30,
        ack_latency_ms: int = 30,
        settings: VenueSettings | None = None,
    ) -> None:
        """`clock` starts at the stream's start and is moved by this world; `settings` win over the two latencies.

        Raises ConfigError, MarketDataError.
        """
        if clock.now_ns() > stream.start_ns:
            raise ConfigError(f"clock: starts at {clock.now_ns()}, after the market ({stream.start_ns})")
        self._clock = clock
        self._stream = stream
        self._venue = SimulatedVenue(
            stream,
            cash=[cash],
            settings=settings,
            entry_latency_ns=entry_latency_ms * 1_000_000,
            ack_latency_ns=ack_latency_ms * 1_000_000,
        )
        self.market: MarketView = self._venue.view
        self._symbols: frozenset[str] = frozenset()
        self._looks_ahead = False
        """Somebody looks at bars ahead of time, and is told of every product of the market."""
        self._on_market: MarketListener | None = None
        self._on_account: AccountListener | None = None
        self._look: Callable[[BarsAhead], int] | None = None
        self._passed: Callable[[Ints], None] | None = None
        self._sends: dict[int, deque[asyncio.Future[OrderNews]]] = {}
        self._price_watchers: dict[str, Callable[[Decimal], None]] = {}
        self._cancels: dict[int, deque[asyncio.Future[OrderNews]]] = {}

    # who it is

    @property
    def name(self) -> str:
        return "paper"

    @property
    def simulated(self) -> bool:
        return True

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def account_name(self) -> str:
        return ""

    @property
    def venue(self) -> SimulatedVenue:
        """The exchange behind this adapter, for those who report on the simulation itself."""
        return self._venue

    def assumptions(self, stream: MarketStream) -> tuple[str, ...]:
        """How this exchange is simulated over its market, one or two sentences each."""
        return assumptions_of(self._venue.settings, stream)

    def overnight_spans(self, stream: MarketStream) -> tuple[tuple[int, bool], ...]:
        """(from when, whether the overnight margin rates hold), in order."""
        return overnight_spans(self._venue.settings, stream)

    def products(self) -> Mapping[str, ProductSpec]:
        return self._venue.products()

    def account(self) -> Account:
        return self._venue.account()

    async def connect(self) -> None:
        """Products and account are known from the beginning."""

    async def start(self, symbols: Sequence[str], on_market: MarketListener, on_account: AccountListener) -> None:
        """Subscribe, and let market time pass until every symbol has a price.

        Raises ConfigError for a symbol that the market does not have, VenueUnavailableError when one shows no price.
        """
        listed = self.products()
        for symbol in symbols:
            if symbol not in listed:
                raise ConfigError(f"symbols: {symbol} is not in this market; it has {', '.join(sorted(listed))}")
        self._symbols = frozenset(symbols)
        self._looks_ahead = self._look is not None and self._symbols.issuperset(listed)
        self._on_market = on_market
        self._on_account = on_account
        if self._clock.now_ns() > self._stream.start_ns:
            self._tell_past(symbols, on_market)
        deadline_ns = self._clock.now_ns() + START_WAIT_SECONDS * NS
        while missing := [symbol for symbol in symbols if self._venue.mark(symbol) is None]:
            if self._clock.now_ns() >= deadline_ns:
                raise VenueUnavailableError(f"no price of {missing[0]} in {START_WAIT_SECONDS} s of market time")
            await self._clock.sleep(0.001)

    def _tell_past(self, symbols: Sequence[str], on_market: MarketListener) -> None:
        for symbol in symbols:
            for bar in past_bars(self._stream, symbol, self._clock.now_ns(), PAST_BARS):
                on_market(bar)

    async def close(self) -> None:
        """Stop telling. Orders and positions stay as they are at the venue."""
        self._on_market = None
        self._on_account = None

    def forget_client(self) -> None:
        """The client died: nobody waits for an answer any more. Another one may `start`."""
        self._sends.clear()
        self._cancels.clear()

    # orders

    def prepare(self, ticket: OrderTicket) -> PreparedOrder:
        """The ticket as canonical JSON. Raises Refused for what the venue cannot do."""
        product = self.products().get(ticket.symbol)
        if product is None:
            raise Refused(Stage.SUBMISSION, Refusal.UNKNOWN_SYMBOL, symbol=ticket.symbol)
        _check_ticket(ticket, product)
        order = NewOrder(
            client_order_id=ticket.client_order_id,
            symbol=ticket.symbol,
            side=ticket.side,
            order_type=ticket.order_type,
            time_in_force=ticket.time_in_force,
            quantity=ticket.quantity,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            expire_ns=ticket.expire_ns,
            post_only=ticket.post_only,
            reduce_only=ticket.reduce_only,
        )
        body = WRITE_BODY(order)
        return PreparedOrder(ticket=ticket, body=body, digest=hashlib.sha256(body).hexdigest())

    async def preview(self, prepared: PreparedOrder) -> OrderPreview:  # noqa: ARG002 - the port's signature
        raise InvalidOrderError(f"{self.name}: the venue has no order preview", "not_supported")

    async def send(self, prepared: PreparedOrder) -> OrderUpdate:
        """Place the order; returns with the venue's acknowledgement, after both latencies.

        A client_order_id that was sent before places nothing and returns that order, whatever its state.
        Raises InsufficientBalanceError or InvalidOrderError (with the venue's code) when the venue refuses it.
        """
        number = self._venue.submit(READ_BODY(prepared.body))
        answer: asyncio.Future[OrderNews] = asyncio.get_running_loop().create_future()
        self._sends.setdefault(number, deque()).append(answer)
        news = await answer  # several askers are answered in the order in which they asked
        if news.kind is OrderNewsKind.ACKNOWLEDGED and news.state is OrderState.REJECTED:
            if news.reason == "insufficient_margin":
                raise InsufficientBalanceError(f"{news.client_order_id}: {news.reason}")
            raise InvalidOrderError(f"{news.client_order_id}: {news.reason}", news.reason)
        return _order_update(news)

    async def cancel(self, client_order_id: str, venue_order_id: str, symbol: str) -> None:  # noqa: ARG002
        number = self._known(client_order_id, venue_order_id)
        self._venue.cancel(number)
        answer: asyncio.Future[OrderNews] = asyncio.get_running_loop().create_future()
        self._cancels.setdefault(number, deque()).append(answer)
        news = await answer
        if news.state is not OrderState.CANCELLED:
            raise InvalidOrderError(f"{client_order_id}: too late, the order is {news.state}", "not_open")

    async def order(self, client_order_id: str, venue_order_id: str) -> OrderUpdate:
        news = self._venue.order(self._known(client_order_id, venue_order_id))
        if news.state is OrderState.SUBMITTED:
            raise OrderNotFoundError(f"{client_order_id}: not at the venue (yet)")
        return _order_update(news)

    async def open_orders(self) -> tuple[OrderUpdate, ...]:
        return tuple(_order_update(news) for news in self._venue.open_orders())

    async def fills(self, cursor: str) -> FillPage:
        count = self._venue.fills_count
        fills = (self._venue.fill(trade) for trade in range(int(cursor or 0), count))
        return FillPage(fills=tuple(_fill_update(news) for news in fills), cursor=str(count))

    def fill_cursor(self, since_ns: int) -> str:  # noqa: ARG002 - all fills are of this run
        return ""

    async def balances(self) -> Account:
        return self._venue.account()

    async def positions(self) -> tuple[Position, ...]:
        return self._venue.positions()

    def watch_price(
        self, symbol: str, low: Decimal | None, high: Decimal | None, reached: Callable[[Decimal], None]
    ) -> None:
        self._venue.watch_price(symbol, low, high)
        self._price_watchers[symbol] = reached

    def _known(self, client_order_id: str, venue_order_id: str) -> int:
        number = self._venue.number_of(client_order_id)
        if number is None:
            raise OrderNotFoundError(f"{client_order_id or venue_order_id}: the venue knows no such order")
        return number

    # time

    def read_ahead(self, look: Callable[[BarsAhead], int], passed: Callable[[Ints], None]) -> None:
        self._look, self._passed = look, passed
        self._looks_ahead = self._symbols.issuperset(self.products())

    def _pass_quiet_bars(self, ahead: BarsAhead) -> None:
        if self._look is None or self._passed is None:
            return
        passed = self._look(ahead)
        if passed:
            marks = self._venue.pass_bars(int(ahead.close_ns[passed - 1]))
            self._clock.move_to(self._venue.now_ns)
            if ahead.marks_later:
                self._passed(marks)

    def advance(self, until_ns: int | None) -> int:
        """Move market and clock to the next moment at which somebody is told something; see core.clock.World."""
        venue = self._venue
        if until_ns is not None and self._looks_ahead and (ahead := venue.bars_ahead(until_ns)) is not None:
            self._pass_quiet_bars(ahead)
        if not venue.advance(until_ns) and until_ns is None:
            raise SimulationOver
        now_ns = venue.now_ns
        self._clock.move_to(now_ns)
        if venue.has_to_tell:
            self._tell()
        return now_ns

    def _tell(self) -> None:
        money_moved = False
        for news in self._venue.take_news():
            if isinstance(news, OrderNews):
                self._tell_order(news)
            else:
                money_moved = money_moved or type(news) in MONEY_NEWS
                self._tell_other(news)
        if money_moved and self._on_account is not None:
            self._on_account(self._venue.account())
        for bar in self._venue.take_bars():
            if self._on_market is not None and bar.symbol in self._symbols:
                self._on_market(bar)

    def _tell_order(self, news: OrderNews) -> None:
        if self._on_account is not None:
            self._on_account(_order_update(news))
        if news.kind is OrderNewsKind.CANCEL_ANSWERED:
            _resolve(self._cancels, news)
        elif news.kind is not OrderNewsKind.CHANGED:
            _resolve(self._sends, news)

    def _tell_other(self, news: FillNews | FundingNews | StatusNews | PriceNews) -> None:
        match news:
            case FillNews():
                if self._on_account is not None:
                    self._on_account(_fill_update(news))
            case FundingNews():
                if self._on_account is not None:
                    self._on_account(_funding_update(news))
            case PriceNews():
                if (reached := self._price_watchers.pop(news.symbol, None)) is not None:
                    reached(news.price)
            case StatusNews():
                if self._on_market is not None and news.symbol in self._symbols:
                    self._on_market(ProductChanged(symbol=news.symbol, status=news.status))


def kernel_entry_points() -> tuple[EntryPoint, ...]:
    """Everything that a simulation calls in machine code."""
    from gpt_trader.market.synthetic_kernel import ENTRY_POINTS as synthetic  # noqa: N811, PLC0415 - heavy
    from gpt_trader.venue.kernel import ENTRY_POINTS as venue  # noqa: N811, PLC0415 - heavy
    from gpt_trader.venue.trades_ahead import ENTRY_POINTS as ahead  # noqa: N811, PLC0415 - heavy

    return (*venue, *ahead, *synthetic)


def venue_settings(venue: VenueConfig, seed: int) -> VenueSettings:
    """What the configuration assumes of the simulated venue. Raises ConfigError naming the setting."""
    return VenueSettings(
        entry_latency=_latency(
            venue.entry_latency_ms, venue.entry_latency_p99_ms, recorded=venue.entry_latency_recorded_ms
        ),
        ack_latency=_latency(venue.ack_latency_ms, venue.ack_latency_p99_ms, recorded=venue.ack_latency_recorded_ms),
        feed_latency=_latency(venue.feed_latency_ms, venue.feed_latency_p99_ms),
        feed_latency_recorded=venue.feed_latency_recorded,
        seed=seed,
        queue_model=QueueModel(venue.queue_model),
        funding=FundingSource(venue.funding),
        margin_window=MarginWindow(venue.margin_window),
        day_hours=parse_weekly_hours(venue.day_hours, "venue.day_hours"),
        session_break=parse_weekly_hours(venue.session_break, "venue.session_break"),
        fee_tiers=parse_fee_tiers(venue.fee_tiers),
        volume_before=venue.fee_volume_before,
        bracket_collar_bps=venue.bracket_collar_bps,
        bar_model=BarModel(
            half_spread_bps=venue.bar_half_spread_bps,
            level_step_bps=venue.bar_level_step_bps,
            levels=venue.bar_levels,
            level_share=venue.bar_level_share,
            passive_share=venue.bar_passive_share,
        ),
    )


def _latency(median_ms: int, p99_ms: int, recorded: tuple[Decimal, ...] = ()) -> Latency:
    return Latency(milliseconds=Decimal(median_ms), p99_milliseconds=Decimal(p99_ms), recorded_milliseconds=recorded)


def _check_ticket(ticket: OrderTicket, product: ProductSpec) -> None:
    """What the venue cannot do is refused by name, before anything leaves."""
    if ticket.time_in_force not in TIMES_IN_FORCE[ticket.order_type]:
        refusal, numbers = Refusal.UNSUPPORTED_TIF, {"time_in_force": str(ticket.time_in_force)}
    elif ticket.post_only and (ticket.order_type is not OrderType.LIMIT or ticket.time_in_force in IMMEDIATE):
        refusal, numbers = Refusal.POST_ONLY_WITH_IMMEDIATE, {"time_in_force": str(ticket.time_in_force)}
    elif not _on_grid(ticket.quantity, product.lot):
        refusal, numbers = Refusal.INVALID_QUANTITY, {"quantity": str(ticket.quantity), "lot": str(product.lot)}
    elif (ticket.limit_price is None) is not (ticket.order_type is OrderType.MARKET):
        refusal, numbers = Refusal.INVALID_PRICE, {"limit_price": str(ticket.limit_price)}
    elif ticket.limit_price is not None and not _on_grid(ticket.limit_price, product.tick):
        refusal, numbers = Refusal.INVALID_PRICE, {"limit_price": str(ticket.limit_price), "tick": str(product.tick)}
    elif (ticket.stop_price is None) is (ticket.order_type in STOPS) or (
        ticket.stop_price is not None and not _on_grid(ticket.stop_price, product.tick)
    ):
        refusal, numbers = Refusal.INVALID_STOP, {"stop_price": str(ticket.stop_price), "tick": str(product.tick)}
    elif (ticket.expire_ns is None) is (ticket.time_in_force is TimeInForce.GTD):
        refusal, numbers = Refusal.INVALID_EXPIRY, {"expire_ns": str(ticket.expire_ns)}
    else:
        return
    raise Refused(Stage.SUBMISSION, refusal, symbol=ticket.symbol, order_type=str(ticket.order_type), **numbers)


def _on_grid(value: Decimal, unit: Decimal) -> bool:
    return value.is_finite() and value > 0 and value % unit == 0


def _resolve(waiting: dict[int, deque[asyncio.Future[OrderNews]]], news: OrderNews) -> None:
    futures = waiting.get(news.number)
    if not futures:
        return
    future = futures.popleft()
    if not futures:
        del waiting[news.number]
    if not future.done():  # the asker may have given up
        future.set_result(news)


def _order_update(news: OrderNews) -> OrderUpdate:
    return OrderUpdate(
        client_order_id=news.client_order_id,
        venue_order_id=f"paper-{news.number}",
        symbol=news.symbol,
        state=news.state,
        filled=news.filled,
        average_price=news.average_price,
        reason=news.reason,
        venue_ns=news.at_ns,
        side=news.side,
        quantity=news.quantity,
    )


def _fill_update(news: FillNews) -> FillUpdate:
    return FillUpdate(
        client_order_id=news.client_order_id,
        venue_order_id=f"paper-{news.number}",
        trade_id=str(news.trade_number),
        symbol=news.symbol,
        side=news.side,
        quantity=news.quantity,
        price=news.price,
        fee=news.fee,
        liquidity=news.liquidity,
        trade_ns=news.at_ns,
        cause="LIQUIDATION" if news.liquidation else "OWN",
    )


def _funding_update(news: FundingNews) -> FundingUpdate:
    return FundingUpdate(
        symbol=news.symbol,
        funding_ns=news.at_ns,
        amount=news.amount,
        rate=news.rate,
        position=news.position,
        price=news.price,
    )
