"""How do we trade on Coinbase? The port over its US perpetual-style futures: REST, and two supervised connections.

One connection carries the market, the other the account; see `feed` and `record` for what each is believed. A key that
may move money out of the account is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import (
    ConfigError,
    ExchangeError,
    OutcomeUnknownError,
    Refusal,
    Refused,
    Stage,
    VenueUnavailableError,
)
from gpt_trader.core.values import Account, OrderState, OrderTicket, Position, ProductSpec, TimeInForce
from gpt_trader.exchange.base import (
    AccountListener,
    Capabilities,
    FillPage,
    MarketListener,
    OrderPreview,
    OrderUpdate,
    PreparedOrder,
    StreamChanged,
)
from gpt_trader.exchange.budget import RequestBudget
from gpt_trader.exchange.coinbase.bodies import CAPABILITIES, prepare
from gpt_trader.exchange.coinbase.carrier import Carrier
from gpt_trader.exchange.coinbase.credentials import ApiKey, key_of
from gpt_trader.exchange.coinbase.decoding import number
from gpt_trader.exchange.coinbase.endpoints import BAR_SECONDS, REAL, Endpoints, endpoints_of
from gpt_trader.exchange.coinbase.feed import CoinbaseFeed
from gpt_trader.exchange.coinbase.products import FeeRates, first_tier_fees
from gpt_trader.exchange.coinbase.record import AccountRecord, cursor_of
from gpt_trader.exchange.coinbase.rest import CoinbaseRest
from gpt_trader.exchange.coinbase.stream import CoinbaseSocket, Subscription
from gpt_trader.exchange.coinbase.transport import Transport
from gpt_trader.exchange.tasks import Tasks
from gpt_trader.market.view import MarketView

__all__ = ["CoinbaseExchange", "coinbase_exchange"]

START_WAIT_SECONDS: Final = 30.0
UNKNOWN_SWEEP_SECONDS: Final = 2.0
"""After an outcome that nobody knows, everything is read so soon."""
KEY_CHECK_SECONDS: Final = 86_400.0
"""How often the key is looked at again."""
WINDOW_SECONDS: Final = 60.0
"""How often the account's margin window is asked for."""
INTRADAY: Final = "INTRADAY_MARGIN_SETTING_INTRADAY"
IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
ACCOUNT_CHANNELS: Final = (Subscription(channel="user"), Subscription(channel="futures_balance_summary"))


class CoinbaseExchange:
    """ExchangeAdapter of one key's account."""

    def __init__(
        self,
        *,
        key: ApiKey,
        clock: Clock,
        draw: Callable[[], float],
        bar_seconds: int = BAR_SECONDS,
        endpoints: Endpoints = REAL,
        read_only: bool = False,
        budget: RequestBudget | None = None,
        carrier: Carrier | None = None,
    ) -> None:
        """`draw` gives 0..1 for the jitter of waits. Read only, a key that may only view is enough. A `carrier` goes
        its own way to the venue; without one it is the internet's."""
        self._key = key
        self._clock = clock
        self._read_only = read_only
        transport = Transport(
            key, budget or RequestBudget(clock), host=endpoints.rest, ca_file=endpoints.ca_file, carrier=carrier
        )
        self._rest = CoinbaseRest(transport)
        self._transport = transport
        self._feed = CoinbaseFeed(
            self._rest,
            endpoints=endpoints,
            key=key,
            clock=clock,
            draw=draw,
            bar_seconds=bar_seconds,
            carrier=carrier,
        )
        self._record = AccountRecord(self._rest, self._feed, clock)
        self._socket = CoinbaseSocket(
            endpoints.ws_user,
            ACCOUNT_CHANNELS,
            key=key,
            clock=clock,
            on_frame=self._record.hear,
            on_state=self._account_state,
            draw=draw,
            ca_file=endpoints.ca_file,
            carrier=carrier,
        )
        self._tasks = Tasks("coinbase")
        self._intraday = False
        """The account may use the intraday margin rates; else the overnight ones hold at any hour."""
        self._shown: dict[str, tuple[ProductSpec, ProductSpec]] = {}
        self._portfolio = ""

    # --- who it is ------------------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return "coinbase"

    @property
    def simulated(self) -> bool:
        return False

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def account_name(self) -> str:
        return self._portfolio

    @property
    def market(self) -> MarketView:
        return self._feed.market

    def watch_price(
        self, symbol: str, low: Decimal | None, high: Decimal | None, reached: Callable[[Decimal], None]
    ) -> None:
        self._feed.market.watch_price(symbol, low, high, reached)

    def products(self) -> Mapping[str, ProductSpec]:
        if self._intraday:
            return self._feed.products
        return {symbol: self._at_overnight_rates(spec) for symbol, spec in self._feed.products.items()}

    def _at_overnight_rates(self, spec: ProductSpec) -> ProductSpec:
        known = self._shown.get(spec.symbol)
        if known is None or known[0] is not spec:
            known = spec, msgspec.structs.replace(spec, margin_intraday=spec.margin_overnight)
            self._shown[spec.symbol] = known
        return known[1]

    def account(self) -> Account:
        return self._record.account()

    # --- life -----------------------------------------------------------------------------------------------------
    async def connect(self) -> None:
        """Check the key, read products, fees and balance. Raises ConfigError for a key that must not be used."""
        await self._check_key()
        await self._feed.connect(await self._fees())
        await self._read_margin_window()
        await self._record.connect()

    async def _fees(self) -> FeeRates:
        """Of the account's tier; whoever only looks and may not ask gets those of the first one."""
        try:
            return await self._rest.fee_rates()
        except VenueUnavailableError:
            if not self._read_only:
                raise
            return first_tier_fees()

    async def time_ns(self) -> int:
        """The venue's clock."""
        return await self._rest.time_ns()

    async def _check_key(self) -> None:
        may = await self._rest.key_permissions()
        if may.can_transfer:
            raise ConfigError(
                f"credentials: the key {self._key.name[-12:]} may transfer money out of the account. "
                "Fix: make one at CDP that may view and trade only"
            )
        if not may.can_view or not (may.can_trade or self._read_only):
            missing = "trade" if may.can_view else "view"
            raise ConfigError(
                f"credentials: the key {self._key.name[-12:]} may not {missing}. Fix: give it that permission, or use "
                "the profile observe, which only views"
            )
        self._portfolio = may.portfolio_uuid or ""

    async def _keep_key_checked(self) -> None:
        """What a key may can be changed at the venue while the bot runs. One that may transfer, may no longer trade or
        is of another portfolio ends the run; no answer is asked for again at the next time."""
        portfolio = self._portfolio
        while True:
            await self._clock.sleep(KEY_CHECK_SECONDS)
            with contextlib.suppress(ExchangeError):
                await self._check_key()
            if self._portfolio != portfolio:
                raise ConfigError(f"credentials: the key is of another portfolio now, {self._portfolio or 'none'}")

    async def start(self, symbols: Sequence[str], on_market: MarketListener, on_account: AccountListener) -> None:
        """Subscribe to both connections; returns once every symbol has a mark and the account was swept."""
        await self._feed.start(symbols, on_market)
        self._spawn("account", self._socket.run())
        await self._until_up()
        await self._record.start(on_account)
        self._spawn("record", self._record.run())
        self._spawn("margin window", self._keep_margin_window())
        self._spawn("key", self._keep_key_checked())

    async def _until_up(self) -> None:
        deadline_ns = self._clock.now_ns() + round(START_WAIT_SECONDS * NS)
        while not self._socket.up:
            if self._clock.now_ns() >= deadline_ns:
                raise VenueUnavailableError(f"coinbase: no account stream in {START_WAIT_SECONDS:g} s")
            await self._clock.sleep(0.02)

    async def close(self) -> None:
        """Stop listening and asking. Orders and positions stay as they are at the venue."""
        self._record.stop()
        await self._feed.close()
        await self._tasks.close()
        self._transport.close()

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        def failed(reason: str) -> None:
            self._feed.tell(StreamChanged(name=name, up=False, reason=reason, final=True))

        self._tasks.spawn(name, work, failed)

    def _account_state(self, up: bool, reason: str) -> None:
        self._record.state(up)
        self._feed.tell(StreamChanged(name="account", up=up, reason=reason))

    # --- margin window --------------------------------------------------------------------------------------------
    async def _keep_margin_window(self) -> None:
        while True:
            await self._clock.sleep(WINDOW_SECONDS)
            await self._read_margin_window()

    async def _read_margin_window(self) -> None:
        """Intraday rates count only where the account is set to them and the venue has not switched them off."""
        try:
            setting, window = await self._rest.margin_setting(), await self._rest.margin_window()
        except ExchangeError:
            self._intraday = False  # not known is the stricter
            return
        self._intraday = setting == INTRADAY and not window.is_intraday_margin_killswitch_enabled

    # --- orders ---------------------------------------------------------------------------------------------------
    def prepare(self, ticket: OrderTicket) -> PreparedOrder:
        """In the venue's words. Raises Refused."""
        product = self._feed.products.get(ticket.symbol)
        if product is None:
            raise Refused(Stage.SUBMISSION, Refusal.UNKNOWN_SYMBOL, symbol=ticket.symbol)
        return prepare(ticket, product)

    def get_ready(self, prepared: PreparedOrder) -> None:
        """Sign it while it is made durable. Each attempt after the first is signed as it is made."""
        self._rest.get_ready(prepared)

    async def preview(self, prepared: PreparedOrder) -> OrderPreview:
        reply = await self._rest.preview(prepared)
        return OrderPreview(
            errors=tuple(reply.errs),
            warnings=tuple(reply.warning),
            commission=number(reply.commission_total),
            margin=number(reply.order_margin_total),
            slippage=number(reply.slippage),
            liquidation_price=number(reply.predicted_liquidation_price),
        )

    async def send(self, prepared: PreparedOrder) -> OrderUpdate:
        """Place it, once. To be taken is not to be executed: the account's stream and record say what became of it."""
        ticket = prepared.ticket
        try:
            venue_order_id = await self._rest.create(prepared)
        except OutcomeUnknownError:
            self._record.sweep_soon(UNKNOWN_SWEEP_SECONDS)
            raise
        self._record.placed(venue_order_id, ticket.client_order_id, immediate=ticket.time_in_force in IMMEDIATE)
        return OrderUpdate(
            client_order_id=ticket.client_order_id,
            venue_order_id=venue_order_id,
            symbol=ticket.symbol,
            state=OrderState.ACTIVE,
            venue_ns=self._clock.now_ns(),
        )

    async def cancel(self, client_order_id: str, venue_order_id: str, symbol: str) -> None:  # noqa: ARG002
        """Ask for a cancel; the account's stream says what became of it, else the order is looked at."""
        found = venue_order_id or self._record.venue_id(client_order_id)
        if not found:
            found = (await self._record.order(client_order_id, "")).venue_order_id
        await self._rest.cancel(found)
        self._record.doubt(found)

    # --- questions ------------------------------------------------------------------------------------------------
    async def order(self, client_order_id: str, venue_order_id: str) -> OrderUpdate:
        return await self._record.order(client_order_id, venue_order_id)

    async def open_orders(self) -> tuple[OrderUpdate, ...]:
        return await self._record.open_orders()

    async def fills(self, cursor: str) -> FillPage:
        return await self._record.fills(cursor)

    def fill_cursor(self, since_ns: int) -> str:
        return cursor_of(since_ns)

    async def balances(self) -> Account:
        return await self._record.balances()

    async def positions(self) -> tuple[Position, ...]:
        return await self._record.positions()


def coinbase_exchange(config: BotConfig, clock: Clock, draw: Callable[[], float]) -> CoinbaseExchange:
    """The adapter that a configuration asks for. Raises ConfigError before anything is sent."""
    endpoints = endpoints_of(config)
    return CoinbaseExchange(
        key=key_of(config.credentials, endpoints.key_file),
        clock=clock,
        draw=draw,
        bar_seconds=config.run.bar_seconds or BAR_SECONDS,
        endpoints=endpoints,
        read_only=config.venue.read_only or config.run.dry_run,
    )
