"""How does an exchange of CCXT do what the port promises? Orders over REST, market and account by asking again.

There is no stream: every part is asked for on a cadence and carries the time at which it was received, so that what
is stale is seen as stale. An order that is not among the open ones any more is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import ClassVar, Final

from msgspec import structs

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import (
    ConfigError,
    ExchangeError,
    InvalidOrderError,
    OrderNotFoundError,
    OutcomeUnknownError,
    VenueUnavailableError,
)
from gpt_trader.core.values import ZERO, Account, Bar, OrderTicket, Position, ProductSpec, Purpose
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
    StreamChanged,
)
from gpt_trader.exchange.ccxt.bodies import CAPABILITIES, call_of, prepare
from gpt_trader.exchange.ccxt.client import Client
from gpt_trader.exchange.ccxt.markets import Catalogue, MarketKind
from gpt_trader.exchange.ccxt.polled_market import PolledMarket
from gpt_trader.exchange.ccxt.reading import (
    Balance,
    Book,
    Candle,
    FundingPayment,
    FundingState,
    Market,
    Order,
    PositionMode,
    PositionState,
    ReplyError,
    Trade,
    needed,
    number,
)
from gpt_trader.exchange.ccxt.terms import terms_of
from gpt_trader.exchange.ccxt.trades import trades_since
from gpt_trader.exchange.ccxt.updates import fill_update, funding_update, order_update, position_of
from gpt_trader.exchange.tasks import Tasks
from gpt_trader.market.view import MarketView

__all__ = ["CcxtAdapter"]

MS: Final = 1_000_000
DAY_MS: Final = 86_400_000
BOOK_DEPTH: Final = 50
PAGE: Final = 500
PAGES_MAX: Final = 400
KEPT_DAYS: Final = 30
"""How far back an empty cursor of fills begins: exchanges hand out a week at a time."""
CURSOR_MARGIN_MS: Final = 60_000
"""Of clock skew, before a time of ours becomes one of theirs."""
BAR_GRACE_SECONDS: Final = 1.5
"""After a bar's end, for the exchange to have written it."""
BARS_MAX: Final = 500
PAST_BARS: Final = 1500
"""How many of the past are told at a start: more than any average or volatility of the house looks at."""
FUNDING_EVERY_SECONDS: Final = 60.0
FUNDING_DAYS: Final = 7
"""How far back payments are asked for at a start: what was paid while no bot ran."""
NAMES_MAX: Final = 100_000
TIMEFRAMES: Final = {60: "1m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1h", 14_400: "4h", 86_400: "1d"}
LIQUIDATIONS: Final = ("autoclose-", "adl_autoclose")
"""How client ids of the exchange's own orders begin."""


class CcxtAdapter:
    """ExchangeAdapter over one account of one exchange."""

    CAPABILITIES: ClassVar[Mapping[MarketKind, Capabilities]] = {
        kind: structs.replace(found, lookup_by_client_id=False) for kind, found in CAPABILITIES.items()
    }
    """Of an exchange of which nothing special is known."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        kind: MarketKind,
        settle: str,
        symbols: Sequence[str],
        bar_seconds: int = 60,
        poll_seconds: float = 1.0,
        total_is_equity: bool = True,
    ) -> None:
        """`total_is_equity`: the total of CCXT's balance holds the profit of open positions, which differs by exchange.

        `symbols` are those whose orders and fills are asked for. Raises ConfigError for bars that it cannot have."""
        if bar_seconds not in TIMEFRAMES:
            known = ", ".join(str(seconds) for seconds in TIMEFRAMES)
            raise ConfigError(f"run.bar_seconds = {bar_seconds}: candles of {client.name} have {known} seconds")
        self._client = client
        self._clock = clock
        self._kind = kind
        self._settle = settle
        self._symbols = tuple(symbols)
        self._bar_seconds = bar_seconds
        self._poll_seconds = poll_seconds
        self._total_is_equity = total_is_equity
        self._capabilities = self.CAPABILITIES[kind]
        self._catalogue = Catalogue((), kind, settle)
        self._market = PolledMarket({})
        self._account: Account | None = None
        self._on_market: MarketListener | None = None
        self._on_account: AccountListener | None = None
        self._tasks = Tasks(client.name)
        self._names: dict[str, str] = {}
        """Exchange's order id -> client order id."""
        self._living: dict[str, OrderUpdate] = {}
        """By client order id: what was last told of what may still trade."""
        self._cursor = ""
        self._told: set[tuple[str, str]] = set()
        """Trades of the newest page, since its last moment is asked for again."""
        self._closed_ns: dict[str, int] = {}
        """By symbol: close of the last bar that was told."""
        self._funding_ms = 0
        self._funding_due_ns = 0

    # who it is

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def simulated(self) -> bool:
        return False

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def account_name(self) -> str:
        return f"{self._kind.value.lower()}:{self._client.account_name()}"

    @property
    def market(self) -> MarketView:
        return self._market

    def products(self) -> Mapping[str, ProductSpec]:
        return self._catalogue.products

    def account(self) -> Account:
        assert self._account is not None, "connect() comes first"
        return self._account

    async def time_ns(self) -> int:
        """The exchange's clock."""
        return await self._client.ask("fetch_time", int) * MS

    # life

    async def connect(self) -> None:
        markets = await self._client.ask("load_markets", dict[str, Market])
        self._catalogue = Catalogue(markets.values(), self._kind, self._settle)
        for symbol in self._symbols:
            self._catalogue.resolve(symbol)
        if self._client.has_key():
            await self._check_account()
            for symbol in self._symbols:
                terms = await terms_of(self._client, self._catalogue.resolve(symbol), self._kind)
                self._catalogue.learn(symbol, terms)
            await self.balances()

    async def start(self, symbols: Sequence[str], on_market: MarketListener, on_account: AccountListener) -> None:
        if self._account is None:
            await self.connect()
        for symbol in symbols:
            self._catalogue.resolve(symbol)
        self._symbols = tuple(symbols)
        self._market = PolledMarket({symbol: self.products()[symbol] for symbol in symbols})
        self._on_market, self._on_account = on_market, on_account
        now_ns = self._clock.now_ns()
        past = await self.fills(self.fill_cursor(now_ns))  # whoever starts reads what was traded before by himself
        self._cursor, self._told = past.cursor, {_trade(fill) for fill in past.fills}
        self._funding_ms = now_ns // MS - FUNDING_DAYS * DAY_MS  # each payment counts once, whenever it is told
        for symbol in symbols:
            await self._tell_past(symbol)
        await self._poll_market()
        await self._poll_account()
        for name, poll in (("market", self._poll_market), ("account", self._poll_account)):
            self._tasks.spawn(name, self._repeat(name, poll), partial(self._failed, name))

    def _failed(self, name: str, reason: str) -> None:
        """Nobody asks any more: the bot must not go on as if somebody did."""
        self._market.lost()
        self._tell_market(StreamChanged(name=name, up=False, reason=reason, final=True))

    async def close(self) -> None:
        """Stop asking. Orders and positions stay as they are at the exchange."""
        self._on_market = self._on_account = None
        await self._tasks.close()
        await self._client.close()

    @property
    def _bar_ns(self) -> int:
        return self._bar_seconds * NS

    async def _repeat(self, name: str, poll: Callable[[], Awaitable[None]]) -> None:
        """Ask for ever; say when it stops working and when it works again."""
        up = True
        while True:
            await self._clock.sleep(self._poll_seconds)
            try:
                await poll()
                reason = ""
            except ExchangeError as error:
                reason = str(error)
                if name == "market":
                    self._market.lost()
            if up is not (not reason):
                up = not reason
                self._tell_market(StreamChanged(name=name, up=up, reason=reason))

    # what is asked again and again

    async def _poll_market(self) -> None:
        for symbol in self._symbols:
            book = await self._client.ask("fetch_order_book", Book, self._catalogue.name_of(symbol), BOOK_DEPTH)
            marks = self._kind is MarketKind.SPOT
            self._market.hear_book(symbol, book, self._clock.now_ns(), marks=marks)
        if self._kind is MarketKind.FUTURES:
            await self._poll_marks()
        for symbol in self._symbols:
            await self._poll_bars(symbol)

    async def _poll_marks(self) -> None:
        names = [self._catalogue.name_of(symbol) for symbol in self._symbols]
        states = await self._client.ask("fetch_funding_rates", dict[str, FundingState], names)
        for state in states.values():
            symbol = self._catalogue.symbol_of(state.symbol)
            if symbol in self._symbols:
                self._market.hear_funding(symbol, state, self._clock.now_ns())

    async def _poll_bars(self, symbol: str) -> None:
        now_ns = self._clock.now_ns()
        last_ns = self._closed_ns[symbol]
        if now_ns < last_ns + self._bar_ns + round(BAR_GRACE_SECONDS * NS):
            return
        for bar in await self._bars(symbol, last_ns):
            if self._closed_ns[symbol] < bar.close_ns <= now_ns:
                self._closed_ns[symbol] = bar.close_ns
                self._tell_market(bar)

    async def _bars(self, symbol: str, since_ns: int) -> list[Bar]:
        """Candles that begin from then on, also the one that is still open; at most BARS_MAX."""
        product = self.products()[symbol]
        asked = (product.venue_symbol, TIMEFRAMES[self._bar_seconds], since_ns // MS, BARS_MAX)
        candles = await self._client.ask("fetch_ohlcv", list[Candle], *asked)
        return [_bar(symbol, candle.start * MS + self._bar_ns, candle, product) for candle in candles]

    async def _tell_past(self, symbol: str) -> None:
        """Bars that closed before now, oldest first, marked as history."""
        now_ns = self._clock.now_ns() - round(BAR_GRACE_SECONDS * NS)
        told_ns = now_ns // self._bar_ns * self._bar_ns - PAST_BARS * self._bar_ns
        for _ in range(PAGES_MAX):
            page = await self._bars(symbol, told_ns)
            for bar in page:
                if told_ns < bar.close_ns <= now_ns:
                    told_ns = bar.close_ns
                    self._market.hear_last(symbol, Decimal(repr(bar.close)))
                    self._tell_market(_as_history(bar))
            if len(page) < BARS_MAX:
                break
        self._closed_ns[symbol] = told_ns

    async def _poll_account(self) -> None:
        await self._poll_orders()
        page = await self.fills(self._cursor)
        self._cursor = page.cursor
        for fill in page.fills:
            if _trade(fill) not in self._told:
                self._tell_account(fill)
        self._told = {_trade(fill) for fill in page.fills}
        if self._kind is MarketKind.FUTURES and self._clock.now_ns() >= self._funding_due_ns:
            await self._poll_funding()
        self._tell_account(await self.balances())

    async def _poll_orders(self) -> None:
        before = dict(self._living)
        found = {update.client_order_id: update for update in await self.open_orders()}
        for name, update in found.items():
            if before.get(name) != update:
                self._tell_account(update)
        for name in before.keys() - found.keys():  # not open any more, so it came to its end
            try:
                update = await self.order(name, before[name].venue_order_id)
            except OrderNotFoundError:
                continue  # not proof; whoever waits for it asks by itself
            if update.state.is_terminal:
                self._living.pop(name, None)
            self._tell_account(update)
        self._living.update({name: each for name, each in found.items() if not each.state.is_terminal})

    async def _poll_funding(self) -> None:
        if not self._client.can("fetchFundingHistory"):
            return
        for symbol in self._symbols:
            asked = (self._catalogue.name_of(symbol), self._funding_ms, PAGE)
            for payment in await self._client.ask("fetch_funding_history", list[FundingPayment], *asked):
                self._tell_account(funding_update(payment, symbol))
        self._funding_ms = max(self._funding_ms, self._clock.now_ns() // MS - DAY_MS)
        self._funding_due_ns = self._clock.now_ns() + round(FUNDING_EVERY_SECONDS * NS)

    def _tell_market(self, item: Bar | ProductChanged | StreamChanged) -> None:
        if self._on_market is not None:
            self._on_market(item)

    def _tell_account(self, item: OrderUpdate | FillUpdate | FundingUpdate | Account) -> None:
        if self._on_account is not None:
            self._on_account(item)

    # orders

    def prepare(self, ticket: OrderTicket) -> PreparedOrder:
        return prepare(ticket, self.products().get(ticket.symbol), self._kind, self._capabilities)

    async def preview(self, prepared: PreparedOrder) -> OrderPreview:  # noqa: ARG002 - the port's signature
        raise InvalidOrderError(f"{self.name}: CCXT has no order preview", "not_supported")

    async def send(self, prepared: PreparedOrder) -> OrderUpdate:
        ticket, call = prepared.ticket, call_of(prepared)
        urgent = ticket.purpose is Purpose.EXIT
        arguments = (call.symbol, call.type, call.side, call.amount, call.price, call.params)
        order = await self._client.change("create_order", Order, *arguments, urgent=urgent)
        if not order.id or order.clientOrderId not in {None, "", ticket.client_order_id}:
            raise OutcomeUnknownError(
                f"{ticket.client_order_id}: taken as {order.clientOrderId!r} with id {order.id!r}"
            )
        update = self._heard(order, ticket.symbol, ticket.client_order_id)
        self._living[ticket.client_order_id] = update  # also one that has ended: what became of it is told again
        return update

    async def cancel(self, client_order_id: str, venue_order_id: str, symbol: str) -> None:
        if not venue_order_id and not self._capabilities.lookup_by_client_id:
            venue_order_id = (await self._find(symbol, client_order_id, "")).venue_order_id
        which = {} if venue_order_id else {"clientOrderId": client_order_id}
        asked = (venue_order_id or None, self._catalogue.name_of(symbol), which)
        try:
            await self._client.change("cancel_order", Order, *asked, urgent=True)
        except (OrderNotFoundError, InvalidOrderError) as error:  # the same word for unknown and for too late
            update = await self._find(symbol, client_order_id, venue_order_id)
            raise InvalidOrderError(f"{client_order_id}: too late, the order is {update.state}", "not_open") from error

    async def order(self, client_order_id: str, venue_order_id: str) -> OrderUpdate:
        """Every symbol is asked that it could be of: exchanges look orders up by symbol."""
        missing: OrderNotFoundError | None = None
        known = self._living.get(client_order_id)
        for symbol in (known.symbol,) if known is not None else self._symbols:
            try:
                return await self._find(symbol, client_order_id, venue_order_id)
            except OrderNotFoundError as error:
                missing = error
        raise missing or OrderNotFoundError(f"{client_order_id}: no symbol is traded that it could be of")

    async def _find(self, symbol: str, client_order_id: str, venue_order_id: str) -> OrderUpdate:
        if not venue_order_id and not self._capabilities.lookup_by_client_id:
            return await self._find_open(symbol, client_order_id)
        which = {} if venue_order_id else {"clientOrderId": client_order_id}
        asked = (venue_order_id or None, self._catalogue.name_of(symbol), which)
        return self._heard(await self._client.ask("fetch_order", Order, *asked), symbol, client_order_id)

    async def _find_open(self, symbol: str, client_order_id: str) -> OrderUpdate:
        """Where an exchange cannot be asked by client id, what it lists is all that can be known."""
        for update in await self.open_orders():
            if (update.symbol, update.client_order_id) == (symbol, client_order_id):
                return update
        raise OrderNotFoundError(f"{client_order_id}: not among the open orders of {symbol}")

    async def open_orders(self) -> tuple[OrderUpdate, ...]:
        found: list[OrderUpdate] = []
        for symbol in self._symbols:
            orders = await self._client.ask("fetch_open_orders", list[Order], self._catalogue.name_of(symbol))
            found += [self._heard(order, symbol, "") for order in orders]
        return tuple(found)

    def _heard(self, order: Order, symbol: str, client_order_id: str) -> OrderUpdate:
        update = order_update(order, self.products()[symbol], client_order_id)
        if update.venue_order_id and update.client_order_id:
            self._names[update.venue_order_id] = update.client_order_id
            if len(self._names) > NAMES_MAX:
                del self._names[next(iter(self._names))]
        return update

    # fills

    def fill_cursor(self, since_ns: int) -> str:
        return str(max(0, since_ns // MS - CURSOR_MARGIN_MS))

    async def fills(self, cursor: str) -> FillPage:
        """What lies at the cursor's very millisecond is told again; a trade counts once by its id."""
        now_ms = self._clock.now_ns() // MS
        since_ms = int(cursor or max(0, now_ms - KEPT_DAYS * DAY_MS))
        found: list[FillUpdate] = []
        for symbol in self._symbols:
            trades = await trades_since(self._client, self._catalogue.name_of(symbol), since_ms, now_ms)
            found += [await self._fill(trade, symbol) for trade in trades]
        found.sort(key=lambda fill: fill.trade_ns)
        newest_ms = max((fill.trade_ns // MS for fill in found), default=since_ms)
        return FillPage(fills=tuple(found), cursor=str(newest_ms))

    async def _fill(self, trade: Trade, symbol: str) -> FillUpdate:
        name = await self._name_of(trade.order or "", symbol)
        cause = "LIQUIDATION" if name.startswith(LIQUIDATIONS) else "OWN"
        try:
            return fill_update(trade, self.products()[symbol], name, cause)
        except ReplyError as error:
            raise VenueUnavailableError(str(error)) from error

    async def _name_of(self, venue_order_id: str, symbol: str) -> str:
        """A trade names the exchange's id alone."""
        if venue_order_id not in self._names:
            try:
                await self._find(symbol, "", venue_order_id)
            except OrderNotFoundError:
                return ""
        return self._names.get(venue_order_id, "")

    # account

    async def balances(self) -> Account:
        self._account = await self._read_account()
        return self._account

    async def _read_account(self) -> Account:
        balance = await self._client.ask("fetch_balance", Balance)
        if self._kind is MarketKind.SPOT:
            return await self._spot_account(balance)
        states = await self._client.ask("fetch_positions", list[PositionState])
        total, free = (number(each.get(self._settle)) or ZERO for each in (balance.total, balance.free))
        profit = sum((number(state.unrealizedPnl) or ZERO for state in states), ZERO)
        return Account(
            cash=total - profit if self._total_is_equity else total,
            equity=total if self._total_is_equity else total + profit,
            initial_margin=number(balance.used.get(self._settle)) or ZERO,
            maintenance_margin=sum((number(state.maintenanceMargin) or ZERO for state in states), ZERO),
            available_margin=free,
            received_ns=self._clock.now_ns(),
        )

    async def _spot_account(self, balance: Balance) -> Account:
        """What is held counts at its last price; nothing is borrowed, so the margin is what it is worth."""
        worth = ZERO
        for position in self._held(balance):
            mark = self._market.mark(position.symbol)
            worth += position.quantity * (mark.price if mark is not None else ZERO)
        total, free = (number(each.get(self._settle)) or ZERO for each in (balance.total, balance.free))
        return Account(
            cash=total,
            equity=total + worth,
            initial_margin=worth,
            maintenance_margin=ZERO,
            available_margin=free,
            received_ns=self._clock.now_ns(),
        )

    def _held(self, balance: Balance) -> tuple[Position, ...]:
        return tuple(
            Position(symbol=symbol, quantity=held, entry_price=ZERO)
            for symbol in self._symbols
            if (held := number(balance.total.get(self.products()[symbol].base)) or ZERO)
        )

    async def positions(self) -> tuple[Position, ...]:
        """Raises ConfigError for an account in hedge mode: one symbol has one net position."""
        if self._kind is MarketKind.SPOT:
            return self._held(await self._client.ask("fetch_balance", Balance))
        found: dict[str, Position] = {}
        for state in await self._client.ask("fetch_positions", list[PositionState]):
            symbol = self._catalogue.symbol_of(state.symbol)
            if symbol is None or not number(state.contracts):
                continue
            if symbol in found or state.hedged:
                raise self._hedged()
            found[symbol] = position_of(state, self.products()[symbol])
        return tuple(found.values())

    async def _check_account(self) -> None:
        """Raises ConfigError for an account or a key that must not be used."""
        if self._kind is MarketKind.FUTURES and self._client.can("fetchPositionMode"):
            name = self._catalogue.name_of(self._symbols[0])
            mode = await self._client.ask("fetch_position_mode", PositionMode, name)
            if mode.hedged:
                raise self._hedged()

    def _hedged(self) -> ConfigError:
        return ConfigError(
            f"venue {self.name}: the account is in hedge mode, where one symbol has two positions. Fix: switch it to "
            "one-way mode there"
        )


def _as_history(bar: Bar) -> Bar:
    return Bar(bar.symbol, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, True)


def _trade(fill: FillUpdate) -> tuple[str, str]:
    return fill.venue_order_id, fill.trade_id


def _bar(symbol: str, close_ns: int, candle: Candle, product: ProductSpec) -> Bar:
    prices = (candle.open, candle.high, candle.low, candle.close)
    o, high, low, close = (float(needed(price, "price of a candle")) for price in prices)
    return Bar(symbol, close_ns, o, high, low, close, float(needed(candle.volume, "volume") * product.contract_size))
