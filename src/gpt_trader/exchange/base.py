"""How does a venue say it? The one port to any exchange; all else in this wing is an adapter.

`prepare` is pure and may refuse; `send` is the only call that can place an order. Units at the port are the house's:
base units, quote prices, Decimal. Idempotent create, lookup by client id, GTD, preview and reduce-only are
capabilities that an adapter states and OrderSubmitter acts on; nothing here assumes one venue's protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, runtime_checkable

from gpt_trader.core.values import (
    ZERO,
    Account,
    Bar,
    Liquidity,
    OrderState,
    OrderTicket,
    OrderType,
    Position,
    ProductSpec,
    Side,
    TimeInForce,
    TradingStatus,
    Value,
)
from gpt_trader.market.view import BarsAhead, Ints, MarketView

__all__ = [
    "AccountListener",
    "Capabilities",
    "ExchangeAdapter",
    "FillPage",
    "FillUpdate",
    "FundingUpdate",
    "GetsReady",
    "LiveFeed",
    "MarketListener",
    "OrderPreview",
    "OrderUpdate",
    "PreparedOrder",
    "ProductChanged",
    "ReadsAhead",
    "RowsListener",
    "StreamChanged",
    "WatchesPrices",
]


class Capabilities(Value, frozen=True, kw_only=True):
    """What the venue can do. What is not named is refused, never downgraded."""

    order_types: frozenset[OrderType]
    limit_times_in_force: frozenset[TimeInForce]
    market_times_in_force: frozenset[TimeInForce]
    post_only: bool
    reduce_only: bool
    preview: bool
    idempotent_create: bool
    """Sending the same client_order_id again returns the order that exists."""
    lookup_by_client_id: bool
    venue_stops: bool


class PreparedOrder(Value, frozen=True, kw_only=True):
    """An order in the venue's words, frozen: `digest` is SHA-256 of `body`."""

    ticket: OrderTicket
    body: bytes
    digest: str


class OrderUpdate(Value, frozen=True, kw_only=True):
    """What a venue says of one order: by stream, poll or reply, all alike. Cumulative, so order of arrival is free."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    state: OrderState
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    reason: str = ""
    venue_ns: int = 0
    side: Side | None = None
    """None where the venue does not say it here; orders of ours are known without."""
    quantity: Decimal | None = None
    """All of it, base units; None like `side`."""


class FillUpdate(Value, frozen=True, kw_only=True):
    """One trade of one order. (venue_order_id, trade_id) is unique."""

    client_order_id: str
    venue_order_id: str
    trade_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    liquidity: Liquidity
    trade_ns: int
    cause: str = "OWN"
    """OWN, LIQUIDATION or FOREIGN."""


class FundingUpdate(Value, frozen=True, kw_only=True):
    """Cash moved for funding; (symbol, funding_ns) is unique."""

    symbol: str
    funding_ns: int
    amount: Decimal
    """Above zero is received."""
    rate: Decimal
    position: Decimal
    price: Decimal


class ProductChanged(Value, frozen=True, kw_only=True):
    """The venue changed what a product may do, or what it is."""

    symbol: str
    status: TradingStatus
    reason: str = ""
    """What must be looked at by a person before more is entered: changed terms, or a record that cannot be booked.
    Empty when only the status changed."""


class StreamChanged(Value, frozen=True, kw_only=True):
    """A connection to the venue came up, or ended and is being made anew."""

    name: str
    up: bool
    reason: str = ""
    final: bool = False
    """It is not made anew: the adapter cannot go on, and the bot must end."""


class OrderPreview(Value, frozen=True, kw_only=True):
    """The venue's own forecast of an order."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    commission: Decimal | None = None
    margin: Decimal | None = None
    slippage: Decimal | None = None
    liquidation_price: Decimal | None = None


class FillPage(Value, frozen=True, kw_only=True):
    """Fills after a cursor, oldest first, and the cursor to go on from. Complete, or the call raises."""

    fills: tuple[FillUpdate, ...]
    cursor: str


@runtime_checkable
class ReadsAhead(Protocol):
    """An adapter over a market that is known further than its clock: while nothing can happen, it shows the bars to
    come in one piece, so that a backtest does not stop at each of them."""

    def read_ahead(self, look: Callable[[BarsAhead], int], passed: Callable[[Ints], None]) -> None:
        """Before it goes on to a bar it may call `look`, which answers how many of them it has dealt with; these are
        passed without being told. Then `passed` is told the mark of each (1e-8, 0 where nothing is held) if there was
        to be one later."""
        ...


@runtime_checkable
class WatchesPrices(Protocol):
    """An adapter that sees every trade and can say at once when one reaches a price, so that nobody has to look."""

    def watch_price(
        self, symbol: str, low: Decimal | None, high: Decimal | None, reached: Callable[[Decimal], None]
    ) -> None:
        """Call `reached` once, with the price of the first trade from now on at or below `low`, or at or above `high`;
        None waits for nothing on that side. A new call for the symbol replaces the one before."""
        ...


class RowsListener(Protocol):
    """Hears every change of a live market, one by one, each with its receive time. Base units, quote prices."""

    def clear(self, symbol: str, at_ns: int) -> None:
        """The book is empty from here: a snapshot follows."""
        ...

    def level(self, symbol: str, side: Side, price: Decimal, quantity: Decimal, at_ns: int) -> None:
        """The whole quantity of a level; zero takes it away."""
        ...

    def trade(self, symbol: str, taker_sign: int, price: Decimal, quantity: Decimal, at_ns: int) -> None:
        """`taker_sign` is 1 where a buyer took, -1 where a seller did, 0 where nobody says."""
        ...


class LiveFeed(Protocol):
    """The public side of an exchange, without a key: what paper trading follows."""

    @property
    def name(self) -> str: ...

    @property
    def market(self) -> MarketView: ...

    @property
    def products(self) -> Mapping[str, ProductSpec]: ...

    def resolve(self, symbol: str) -> ProductSpec:
        """Raises ConfigError for what is not listed."""
        ...

    async def connect(self) -> None:
        """Read the products. Raises ExchangeError."""
        ...

    def watch_price(
        self, symbol: str, low: Decimal | None, high: Decimal | None, reached: Callable[[Decimal], None]
    ) -> None:
        """As WatchesPrices."""
        ...

    async def start(self, symbols: Sequence[str], on_market: MarketListener, rows: RowsListener) -> None:
        """Return once every symbol has a mark."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class TellsTime(Protocol):
    """An adapter to a venue with a clock of its own."""

    async def time_ns(self) -> int:
        """The venue's time, nanoseconds since the epoch. Raises ExchangeError."""
        ...


@runtime_checkable
class GetsReady(Protocol):
    """An adapter that has work to do for an order before its first byte may leave, such as signing it."""

    def get_ready(self, prepared: PreparedOrder) -> None:
        """`send` will probably follow, once the order is durable. Nothing leaves, and nothing is known of it if `send`
        does not follow."""
        ...


AccountListener = Callable[[OrderUpdate | FillUpdate | FundingUpdate | Account], None]
MarketListener = Callable[[Bar | ProductChanged | StreamChanged], None]


class ExchangeAdapter(Protocol):
    """The only port to a venue. Calls raise ExchangeError; absence of an answer is never an empty answer."""

    @property
    def name(self) -> str: ...

    @property
    def simulated(self) -> bool:
        """No real money can move through it."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def account_name(self) -> str:
        """Which account of the venue it is, told apart from others of the same venue; known after `connect`, no
        secret. Empty where there is only one."""
        ...

    @property
    def market(self) -> MarketView: ...

    async def connect(self) -> None:
        """Learn who we are there: products and account, so that a bot can be built. Subscribes to nothing; called
        once, before `start`. Raises ConfigError for a key that must not be used."""
        ...

    async def start(self, symbols: Sequence[str], on_market: MarketListener, on_account: AccountListener) -> None:
        """Connect, subscribe and return once products, account and marks are known. Bars that have closed before are
        told first, marked as history, as far as the venue has them."""
        ...

    async def close(self) -> None: ...

    def products(self) -> Mapping[str, ProductSpec]:
        """As last refreshed, by symbol."""
        ...

    def account(self) -> Account:
        """As last received; says how old it is."""
        ...

    def prepare(self, ticket: OrderTicket) -> PreparedOrder:
        """Put the order into the venue's words. Pure: same ticket, same bytes. Raises Refused."""
        ...

    async def preview(self, prepared: PreparedOrder) -> OrderPreview: ...

    async def send(self, prepared: PreparedOrder) -> OrderUpdate:
        """Place it, once. Raises InvalidOrderError, InsufficientBalanceError, RateLimitError,
        VenueUnavailableError (surely not placed) or OutcomeUnknownError (anything else)."""
        ...

    async def cancel(self, client_order_id: str, venue_order_id: str, symbol: str) -> None:
        """Ask for a cancel. Returning is not proof: the account stream says what became of it.
        Raises OrderNotFoundError, or InvalidOrderError when the order is already at its end."""
        ...

    async def order(self, client_order_id: str, venue_order_id: str) -> OrderUpdate:
        """Raises OrderNotFoundError."""
        ...

    async def open_orders(self) -> tuple[OrderUpdate, ...]: ...

    async def fills(self, cursor: str) -> FillPage:
        """An empty cursor starts at the beginning of what the venue keeps."""
        ...

    def fill_cursor(self, since_ns: int) -> str:
        """A cursor that leaves out what was traded long before `since_ns`, and nothing of what came after."""
        ...

    async def balances(self) -> Account: ...

    async def positions(self) -> tuple[Position, ...]: ...
