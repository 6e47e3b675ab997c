"""What became of our orders and money? The account's channels, and behind them the record that REST keeps.

The user channel is cumulative: it says how much of an order is filled, and the trades are then read from the record of
fills, which alone names price, fee and trade id. Whatever a connection did not say is found by the sweep: trades since
the last one, orders that are open, those that were and are not any more, balances, positions. Every trade is told once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS, Clock, until
from gpt_trader.core.errors import ExchangeError, OrderNotFoundError
from gpt_trader.core.values import ZERO, Account, Position
from gpt_trader.exchange.base import AccountListener, FillPage, FillUpdate, OrderUpdate, ProductChanged
from gpt_trader.exchange.coinbase import replies
from gpt_trader.exchange.coinbase.decoding import WireError, needed, number, stamp_ns
from gpt_trader.exchange.coinbase.feed import CoinbaseFeed
from gpt_trader.exchange.coinbase.frames import BalanceEvent, Frame, UserEvent
from gpt_trader.exchange.coinbase.rest import CoinbaseRest
from gpt_trader.exchange.coinbase.updates import account_of, fill_update, order_update, position_of, user_update

__all__ = ["AccountRecord", "cursor_of"]

SWEEP_SECONDS: Final = 15.0
RETRY_SECONDS: Final = 1.0
"""After a read that failed."""
RECORD_SECONDS: Final = 0.25
"""What the record may need to show what the channel spoke of; longer with every read that does not."""
READS_TOGETHER: Final = 3
"""So often the newest trades are read; from then on those of the very orders too."""
NEVER_NS: Final = 1 << 62
DOUBT_SECONDS: Final = 1.5
"""How long the channel has to say what became of something that should be immediate."""
OVERLAP_NS: Final = 60 * NS
"""Trades are read again for so long: the record may put one between older ones."""
LOOK_BACK_NS: Final = 25 * 3600 * NS
"""Orders of unknown outcome are looked for among those made since so long."""
NAMES_ASKED_MAX: Final = 3
"""So many orders are asked for one by one."""
ORDER_AGE_NS: Final = 3600 * NS
"""Most orders trade so soon after they were made; an older one is asked for."""
KNOWN_MAX: Final = 20_000
"""Orders and trades that are remembered; the log has them all."""
ENDED: Final = frozenset({"FILLED", "CANCELLED", "EXPIRED", "FAILED"})


class AccountRecord:
    """The account behind one key, from `start` to `close` of its tasks."""

    def __init__(self, rest: CoinbaseRest, feed: CoinbaseFeed, clock: Clock) -> None:
        self._rest = rest
        self._feed = feed
        self._clock = clock
        self._on_account: AccountListener | None = None
        self._account: Account | None = None
        self._client_ids: OrderedDict[str, tuple[str, bool | None]] = OrderedDict()
        """Venue order id -> (client order id, whether it is a liquidation); None where only the channel spoke of it,
        which does not say."""
        self._venue_ids: dict[str, str] = {}
        self._living: dict[str, str] = {}
        """Venue order id -> client order id of what may still change."""
        self._claimed: dict[str, Decimal] = {}
        """Contracts that the venue said are filled, where the record has not shown all of them."""
        self._recorded: OrderedDict[str, Decimal] = OrderedDict()
        """Contracts that the record showed, by order."""
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._since_ns = 0
        self._doubts: dict[str, int] = {}
        """Venue order id -> when it is looked at."""
        self._began_ns = 0
        """Trades of before are the business of whoever kept the log then."""
        self._fills_due_ns = NEVER_NS
        self._fills_tried = 0
        """Reads in a row that did not show what the channel spoke of."""
        self._sweep_due_ns = 0
        self._wake: asyncio.Future[None] | None = None
        self._reading = asyncio.Lock()

    # --- life -----------------------------------------------------------------------------------------------------
    async def connect(self) -> None:
        """Read the balance, and pass over every trade of before. Raises ExchangeError."""
        self._since_ns = self._began_ns = self._clock.now_ns()
        self._take_balance(await self._rest.balance())
        for fill in await self._rest.fills(cursor_of(self._since_ns)):
            self._remember_told(fill)

    async def start(self, on_account: AccountListener) -> None:
        """Begin to tell. Raises ExchangeError when the first sweep fails."""
        self._on_account = on_account
        await self._sweep()

    def stop(self) -> None:
        self._on_account = None

    async def run(self) -> None:
        """Read what is due, for ever."""
        while True:
            self._wake = asyncio.get_running_loop().create_future()
            await until(self._wake, self._seconds_to_wait())
            try:
                await self._read_what_is_due()
            except ExchangeError:
                await self._clock.sleep(RETRY_SECONDS)

    def _seconds_to_wait(self) -> float:
        due_ns = min([self._sweep_due_ns, self._fills_due_ns, *self._doubts.values()])
        return max(0.0, (due_ns - self._clock.now_ns()) / NS)

    async def _read_what_is_due(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns >= self._fills_due_ns:
            await self.read_fills()
        for venue_order_id in [name for name, due_ns in self._doubts.items() if due_ns <= now_ns]:
            del self._doubts[venue_order_id]
            if venue_order_id in self._living:
                await self._look(venue_order_id)
        if now_ns >= self._sweep_due_ns:
            await self._sweep()

    def _now(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    # --- what the channels say ------------------------------------------------------------------------------------
    def hear(self, frame: Frame, received_ns: int) -> None:
        """One frame of the account's connection."""
        for event in frame.events:
            if isinstance(event, UserEvent):
                self._hear_orders(event, stamp_ns(frame.timestamp))
            elif isinstance(event, BalanceEvent):
                self._tell_account(account_of(event.fcm_balance_summary, received_ns))

    def state(self, up: bool) -> None:
        """The connection came up, or ended."""
        if up:
            self.sweep_soon(0.0)

    def sweep_soon(self, seconds: float) -> None:
        """Something was missed, or may have happened unseen."""
        self._sweep_due_ns = min(self._sweep_due_ns, self._clock.now_ns() + round(seconds * NS))
        self._now()

    def _hear_orders(self, event: UserEvent, venue_ns: int) -> None:
        for order in event.orders:
            product = self._feed.product_of(order.product_id)
            if product is None:
                continue
            self._note(order.order_id, order.client_order_id, ended=order.status in ENDED)
            self._claim(order.order_id, needed(order.cumulative_quantity, "cumulative_quantity"))
            self._tell(user_update(order, product, venue_ns))

    def _note(self, venue_order_id: str, client_order_id: str, *, ended: bool, liquidation: bool | None = None) -> None:
        known = self._client_ids.get(venue_order_id, ("", None))
        self._client_ids[venue_order_id] = (
            client_order_id or known[0],
            known[1] if liquidation is None else liquidation,
        )
        if client_order_id:
            self._venue_ids[client_order_id] = venue_order_id
        while len(self._client_ids) > KNOWN_MAX:
            _, (forgotten, _) = self._client_ids.popitem(last=False)
            self._venue_ids.pop(forgotten, None)
        if ended:
            self._living.pop(venue_order_id, None)
            self._doubts.pop(venue_order_id, None)
        else:
            self._living[venue_order_id] = client_order_id

    def _claim(self, venue_order_id: str, contracts: Decimal) -> None:
        """The venue says so much is filled; what the record lacks is read."""
        if contracts > max(self._recorded.get(venue_order_id, ZERO), self._claimed.get(venue_order_id, ZERO)):
            self._claimed[venue_order_id] = contracts
            self._fills_due_ns = self._fills_tried = 0
            self._now()

    # --- what the adapter says ------------------------------------------------------------------------------------
    def placed(self, venue_order_id: str, client_order_id: str, *, immediate: bool) -> None:
        """A create was answered. It may have ended already, and the channel said so."""
        if venue_order_id in self._client_ids:
            self._client_ids[venue_order_id] = (client_order_id, False)
            return
        self._note(venue_order_id, client_order_id, ended=False, liquidation=False)
        if immediate:
            self.doubt(venue_order_id)

    def doubt(self, venue_order_id: str) -> None:
        """Something of it should be told soon; else it is looked at."""
        self._doubts[venue_order_id] = self._clock.now_ns() + round(DOUBT_SECONDS * NS)
        self._now()

    # --- reading --------------------------------------------------------------------------------------------------
    async def _sweep(self) -> None:
        """Everything that a lost message could have said. Raises ExchangeError: then it is done again."""
        await self.read_fills()
        known = set(self._living)
        for update in await self.open_orders():
            known.discard(update.venue_order_id)
            self._tell(update)
        for venue_order_id in [each for each in self._living if each in known]:
            await self._look(venue_order_id)
        await self.balances()
        await self.positions()
        self._sweep_due_ns = self._clock.now_ns() + round(SWEEP_SECONDS * NS)

    async def _look(self, venue_order_id: str) -> None:
        client_order_id = self._living.get(venue_order_id, "")
        try:
            self._tell(await self.order(client_order_id, venue_order_id))
        except OrderNotFoundError:
            return  # the venue may not show it yet; it goes on being watched

    async def read_fills(self) -> None:
        """Trades since the last read; each is told once. Raises ExchangeError."""
        async with self._reading:
            began_ns = self._clock.now_ns()
            self._fills_due_ns = began_ns + round(RETRY_SECONDS * NS)
            found = await self._rest.fills(cursor_of(self._since_ns))
            if self._fills_tried >= READS_TOGETHER:
                for venue_order_id in tuple(self._claimed):
                    found += await self._rest.fills_of(venue_order_id)
            await self._learn_names([fill for fill in found if (fill.order_id, fill.trade_id) not in self._told])
            for fill in found:
                await self._take_fill(fill)
            self._since_ns = began_ns
            self._fills_due_ns = NEVER_NS
            if self._claimed:  # spoken of, and not in the record yet
                self._fills_tried += 1
                wait_seconds = min(RECORD_SECONDS * self._fills_tried, SWEEP_SECONDS)
                self._fills_due_ns = self._clock.now_ns() + round(wait_seconds * NS)

    async def _learn_names(self, fills: Sequence[replies.Fill]) -> None:
        """Of many orders that nobody spoke of, as after a restart: one list instead of a question for each, which a
        limit of requests would cut off halfway."""
        unknown = {fill.order_id for fill in fills} - self._client_ids.keys()
        if len(unknown) > NAMES_ASKED_MAX:
            oldest_ns = min(stamp_ns(fill.trade_time) for fill in fills)
            for order in await self._rest.orders_since(cursor_of(oldest_ns - ORDER_AGE_NS)):
                self._note(
                    order.order_id, order.client_order_id, ended=order.status in ENDED, liquidation=_liquidates(order)
                )

    async def _take_fill(self, fill: replies.Fill) -> None:
        if (fill.order_id, fill.trade_id) in self._told or self._feed.product_of(fill.product_id) is None:
            return
        if stamp_ns(fill.trade_time) < self._began_ns - OVERLAP_NS:
            self._remember_told(fill)
            return
        try:
            update = await self._fill(fill)
        except WireError as error:
            self._remember_told(fill)
            self._alarm(fill, str(error))
            return
        self._remember_told(fill)
        if self._on_account is not None:
            self._on_account(update)

    def _alarm(self, fill: replies.Fill, reason: str) -> None:
        """A record that cannot be booked: the symbol must be looked at."""
        product = self._feed.product_of(fill.product_id)
        if product is not None:
            self._feed.tell(ProductChanged(symbol=product.symbol, status=product.status, reason=reason))

    def _remember_told(self, fill: replies.Fill) -> None:
        self._told[fill.order_id, fill.trade_id] = None
        total = self._recorded.get(fill.order_id, ZERO) + (number(fill.size) or ZERO)
        self._recorded[fill.order_id] = total
        if total >= self._claimed.get(fill.order_id, ZERO):
            self._claimed.pop(fill.order_id, None)
        for memory in (self._told, self._recorded):
            while len(memory) > KNOWN_MAX:
                memory.popitem(last=False)

    async def _fill(self, fill: replies.Fill) -> FillUpdate:
        """In our words. The record names no client order id: an order that we did not send is asked for."""
        product = self._feed.product_of(fill.product_id)
        assert product is not None, "asked by whoever knows the product"
        if self._client_ids.get(fill.order_id, ("", None))[1] is None:
            await self.order("", fill.order_id)
        client_order_id, liquidation = self._client_ids[fill.order_id]
        return fill_update(fill, product, client_order_id, "LIQUIDATION" if liquidation else "OWN")

    # --- questions ------------------------------------------------------------------------------------------------
    def venue_id(self, client_order_id: str) -> str:
        """Empty where it is not known."""
        return self._venue_ids.get(client_order_id, "")

    async def order(self, client_order_id: str, venue_order_id: str) -> OrderUpdate:
        """Without the venue's id it is looked for among all orders of the last day. Raises OrderNotFoundError."""
        venue_order_id = venue_order_id or self.venue_id(client_order_id)
        if venue_order_id:
            return self._update(await self._rest.order(venue_order_id))
        since = cursor_of(self._clock.now_ns() - LOOK_BACK_NS)
        for order in await self._rest.orders_since(since):
            if order.client_order_id == client_order_id:
                return self._update(order)
        raise OrderNotFoundError(f"{client_order_id}: not among the orders since {since}")

    async def open_orders(self) -> tuple[OrderUpdate, ...]:
        orders = await self._rest.open_orders()
        return tuple(self._update(order) for order in orders if self._feed.product_of(order.product_id) is not None)

    def _update(self, order: replies.Order) -> OrderUpdate:
        product = self._feed.product_of(order.product_id)
        if product is None:
            raise OrderNotFoundError(f"{order.order_id}: is of {order.product_id}, no perpetual of this venue")
        self._note(
            order.order_id,
            order.client_order_id,
            ended=order.status in ENDED,
            liquidation=_liquidates(order),
        )
        self._claim(order.order_id, number(order.filled_size) or ZERO)
        return order_update(order, product)

    async def fills(self, cursor: str) -> FillPage:
        """Every trade since the cursor, told before or not. Raises ExchangeError, also for one that cannot be read."""
        began_ns = self._clock.now_ns()
        known = await self._rest.fills(cursor)
        await self._learn_names(known)
        found = [await self._fill(fill) for fill in known if self._feed.product_of(fill.product_id) is not None]
        return FillPage(fills=tuple(found), cursor=cursor_of(began_ns))

    async def balances(self) -> Account:
        self._take_balance(await self._rest.balance())
        return self.account()

    def _take_balance(self, balance: replies.BalanceSummary) -> None:
        self._tell_account(account_of(balance, self._clock.now_ns()))

    async def positions(self) -> tuple[Position, ...]:
        found = []
        for position in await self._rest.positions():
            product = self._feed.product_of(position.product_id)
            if product is not None:
                found.append(position_of(position, product))
        return tuple(found)

    def account(self) -> Account:
        assert self._account is not None, "connect() comes first"
        return self._account

    # --- telling --------------------------------------------------------------------------------------------------
    def _tell(self, update: OrderUpdate) -> None:
        if self._on_account is not None:
            self._on_account(update)

    def _tell_account(self, account: Account) -> None:
        self._account = account
        if self._on_account is not None:
            self._on_account(account)


def _liquidates(order: replies.Order) -> bool:
    return bool(order.is_liquidation) or order.order_type == "LIQUIDATION"


def cursor_of(since_ns: int) -> str:
    """RFC 3339, with an overlap."""
    moment = datetime.fromtimestamp(max(0, since_ns - OVERLAP_NS) // NS, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
