"""Where do orders of the wire come in, and what became of them? Every order and trade of every account.

A reply to a new order waits for the kernel's word, so that what the venue refuses at once is refused in the reply. In
live-quirks mode the reply comes first, and a refusal follows as an order that FAILED.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import InvalidOrderError
from gpt_trader.core.values import ZERO, OrderState, OrderType, Side, TradingStatus
from gpt_trader.market.stream import Rows
from gpt_trader.venue.news import FillNews, NewOrder, News, OrderNews, OrderNewsKind, StatusNews
from gpt_trader.venue.wire.admission import Placed, admit
from gpt_trader.venue.wire.formats import Json, identifier, stamp, text
from gpt_trader.venue.wire.history import Trade
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.listing import Listed, Listing
from gpt_trader.venue.wire.orders import Part, WireFill, WireOrder
from gpt_trader.venue.wire.plans import Plan, Working, plan_for, with_changes
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.reasons import UNKNOWN_REASON, Rejection, rejection_of
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.terms import Terms

__all__ = ["OrderDesk"]

OrderListener = Callable[[WireOrder], None]
TERMINAL: Final = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED})
EDITS_MAX: Final = 100
CANCEL_DELAY_NS: Final = NS // 4


class OrderDesk:
    """Orders of all accounts, in front of one RunningVenue."""

    def __init__(self, running: RunningVenue, keys: list[ApiKey], quirks: Quirks) -> None:
        self._running = running
        self._venue = running.venue
        self._keys = keys
        self._quirks = quirks
        self.listing = Listing(running.products)
        self.orders: dict[str, WireOrder] = {}
        self.by_account: dict[int, list[WireOrder]] = defaultdict(list)
        self.fills: dict[int, list[WireFill]] = defaultdict(list)
        self._by_client_id: dict[tuple[int, str], tuple[WireOrder, str]] = {}
        self._parts: dict[int, tuple[WireOrder, Part]] = {}
        self._plans: dict[str, Plan] = {}
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._listeners: list[OrderListener] = []
        self._count = 0
        self.fail_next: dict[int, int] = defaultdict(int)
        """Account -> how many of its next orders fail after they were accepted."""
        running.listen(self)

    @property
    def now_ns(self) -> int:
        return self._running.now_ns

    def listen(self, listener: OrderListener) -> None:
        """Be told of every change of an order that its owner can see."""
        self._listeners.append(listener)

    def session_open(self, symbol: str) -> bool:
        return symbol not in self._quirks.sessions_closed

    # new orders

    def find(self, account: int, client_order_id: str) -> WireOrder | None:
        """By the id that its owner gave it."""
        known = self._by_client_id.get((account, client_order_id))
        return None if known is None else known[0]

    def shows(self, order: WireOrder) -> bool:
        """Whether its owner can read of it: not while its reply waits for the kernel, since a refused one never was."""
        return order.order_id not in self._waiting

    async def create(self, key: ApiKey, placed: Placed, *, heard: bool = True) -> WireOrder:
        """Place an order. A client_order_id that is known places nothing and returns that order. Raises Rejection.

        Where nobody waits to hear of it, what the kernel refuses is an order that FAILED.
        """
        self._running.catch_up()
        known = self._by_client_id.get((key.account, placed.client_order_id))
        digest = _digest(placed)
        if known is not None:
            return self._repeated(known, digest)
        order = self._new_order(key, placed)
        fails_later = self.fail_next[key.account] > 0
        waits = heard and not self._quirks.live and not fails_later
        if fails_later:
            self.fail_next[key.account] -= 1
        self._by_client_id[key.account, placed.client_order_id] = (order, digest)
        self._keep(order)
        if fails_later:
            self._publish(order)
            self._running.call_at(self.now_ns + CANCEL_DELAY_NS, lambda: self.finish(order, "FAILED", "internal error"))
            return order
        refusal = await self._start(order) if waits else self._start_later(order)
        if refusal:
            self._forget(order)
            status = self._venue.products()[order.listed.symbol].status
            raise rejection_of(refusal, order.side, status, session_open=self.session_open(order.listed.symbol))
        return order

    def check(self, placed: Placed) -> Terms:
        """Whether the order is well formed, without placing it. Raises Rejection."""
        return admit(placed, self.listing, self._quirks, self.now_ns)

    def _repeated(self, known: tuple[WireOrder, str], digest: str) -> WireOrder:
        order, before = known
        if self._quirks.duplicates_refused:
            raise Rejection("DUPLICATE_CLIENT_ORDER_ID", f"client_order_id {order.client_order_id} is known")
        if digest != before and not self._quirks.live:
            raise Rejection("DUPLICATE_CLIENT_ORDER_ID", "client_order_id is known with another body")
        return order

    def _new_order(self, key: ApiKey, placed: Placed) -> WireOrder:
        terms = self.check(placed)
        if placed.source != "create":
            terms = msgspec.structs.replace(terms, reduce_only=True)
        listed = self.listing.get(placed.product_id)
        assert listed is not None
        assert isinstance(placed.configuration, dict)
        self._count += 1
        return WireOrder(
            order_id=identifier("order", self._count),
            client_order_id=placed.client_order_id,
            account=key.account,
            user_id=key.user_id,
            portfolio_id=key.portfolio_id,
            listed=listed,
            side=Side(placed.side),
            terms=terms,
            configuration=placed.configuration,
            created_ns=self.now_ns,
            updated_ns=self.now_ns,
            leverage=placed.leverage,
            margin_type=placed.margin_type or "CROSS",
        )

    async def _start(self, order: WireOrder) -> str:
        """Hand the order to the kernel and wait for its word; returns the reason of a refusal, or nothing."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[order.order_id] = future
        plan = self._plans[order.order_id] = plan_for(self, order)
        plan.start()
        self._running.catch_up()
        if not order.parts and not future.done():  # a plan that begins later
            future.set_result("")
            self._publish(order)
        try:
            return await future
        finally:
            self._waiting.pop(order.order_id, None)

    def _start_later(self, order: WireOrder) -> str:
        self._publish(order)
        plan = self._plans[order.order_id] = plan_for(self, order)
        self._running.call_at(self.now_ns, plan.start)
        return ""

    def _keep(self, order: WireOrder) -> None:
        self.orders[order.order_id] = order
        self.by_account[order.account].append(order)

    def _forget(self, order: WireOrder) -> None:
        """A refused order never existed; its client_order_id is free."""
        self._by_client_id.pop((order.account, order.client_order_id), None)
        del self.orders[order.order_id]
        self.by_account[order.account].remove(order)

    # cancel and edit

    def cancel(self, key: ApiKey, order_id: object) -> str:
        """Ask for the cancellation of one order; returns the reason why it cannot be, or nothing."""
        order = self.orders.get(order_id) if isinstance(order_id, str) else None
        if order is None or order.account != key.account:
            return "UNKNOWN_CANCEL_ORDER"
        if order.status == "FILLED":
            return "ORDER_IS_FULLY_FILLED"
        if order.ended:
            return "INVALID_CANCEL_REQUEST"
        if order.pending_cancel:
            return "DUPLICATE_CANCEL_REQUEST"
        plan = self._plans.get(order.order_id)
        if plan is None or order.liquidation:
            return "NOT_ALLOWED_TO_CANCEL"
        order.pending_cancel = True
        if self._quirks.live:
            order.status = "CANCEL_QUEUED"
            self._publish(order)
            self._running.call_at(self.now_ns + CANCEL_DELAY_NS, plan.cancel)
        else:
            plan.cancel()
        self._running.catch_up()
        return ""

    def edit_refusal(self, key: ApiKey, order_id: object, price: Decimal, size: Decimal, stop: Decimal | None) -> str:
        """Why an order cannot be edited so, in Coinbase's words, or nothing."""
        order = self.orders.get(order_id) if isinstance(order_id, str) else None
        if order is None or order.account != key.account:
            return "ORDER_NOT_FOUND"
        if self._quirks.edits_refused:
            return "CANNOT_EDIT_FUTURES_ORDER"
        if not order.terms.editable:
            return "ONLY_LIMIT_ORDER_EDITS_SUPPORTED"
        if order.pending_cancel:
            return "CANNOT_EDIT_ORDER_PENDING_CANCEL"
        if order.status != "OPEN" or order.triggered:
            return "ONLY_OPEN_ORDERS_CAN_BE_EDITED"
        if len(order.edits) >= EDITS_MAX:
            return "EXCEEDED_MAX_ALLOWED_EDIT_REQUEST_COUNT"
        if price <= ZERO or price % order.listed.spec.tick:
            return "INVALID_EDITED_PRICE"
        if size <= ZERO or size % order.listed.base_increment:
            return "INVALID_EDITED_SIZE"
        if size <= order.filled:
            return "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"
        same = price == order.terms.limit_price and size == order.terms.size and stop in (None, order.terms.stop_price)
        return "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST" if same else ""

    def edit(self, order_id: str, price: Decimal, size: Decimal, stop: Decimal | None) -> None:
        """Change price and size of an order that `edit_refusal` has nothing against. Its place in the queue is lost."""
        order = self.orders[order_id]
        change: Json = {"price": text(price), "size": text(size), "replace_accept_timestamp": stamp(self.now_ns)}
        order.edits.append(change)
        order.configuration = _edited(order.configuration, price, size, stop)
        self._plans[order_id].replace(with_changes(order.terms, price, size, stop))
        self._running.catch_up()

    def open_quantity(self, account: int, listed: Listed, side: Side) -> Decimal:
        """Base units that living orders of one side can still add to a position."""
        contracts = sum(
            (
                part.size - part.filled
                for order in self.by_account[account]
                if order.listed is listed and order.side is side and not order.ended and not order.terms.reduce_only
                for part in order.parts
                if part.state not in TERMINAL
            ),
            ZERO,
        )
        return listed.quantity(contracts)

    # what plans may do

    def place(self, order: WireOrder, working: Working) -> Part:
        part = Part(-1, working.role, working.size)
        new = NewOrder(
            client_order_id=f"{order.order_id}/{len(order.parts)}",
            symbol=order.listed.symbol,
            side=order.side,
            order_type=working.kernel_type,
            time_in_force=working.time_in_force,
            quantity=order.listed.quantity(working.size),
            limit_price=working.limit_price if working.kernel_type is not OrderType.MARKET else None,
            stop_price=working.stop_price,
            expire_ns=working.end_ns,
            post_only=working.post_only,
            reduce_only=working.reduce_only,
        )
        order.parts.append(part)
        try:
            part.number = self._venue.submit(new, order.account)
        except InvalidOrderError as error:
            part.state, part.reason = OrderState.REJECTED, error.code
            self._refused(order, error.code or UNKNOWN_REASON)
            self.call_at(self.now_ns, lambda: self._plans[order.order_id].part_ended(part))
            return part
        self._parts[part.number] = (order, part)
        return part

    def withdraw(self, part: Part) -> None:
        self._venue.cancel(part.number)

    def finish(self, order: WireOrder, status: str, message: str) -> None:
        if order.ended:
            return
        order.pending_cancel = False
        order.status = status
        if status == "FAILED":
            order.reject_message = message
            if message == "too_many_open_orders":
                order.reject_reason = "TOO_MANY_OPEN_ORDERS"
            elif message == "insufficient_margin":
                order.reject_reason = "REJECT_REASON_INSUFFICIENT_FUNDS"
        elif status != "FILLED":
            order.cancel_message = message
        self._publish(order)

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        self._running.call_at(at_ns, callback)

    # what the kernel says

    def on_rows(self, rows: Rows, trades: Mapping[str, list[Trade]]) -> None:
        """Nothing: orders are the kernel's business."""

    def on_time(self, now_ns: int) -> None:
        """Nothing is left to be told."""

    def on_news(self, news: News) -> None:
        if isinstance(news, OrderNews):
            self._order_news(news)
        elif isinstance(news, FillNews):
            self._fill_news(news)
        elif isinstance(news, StatusNews):
            self._status_news(news)

    def _status_news(self, news: StatusNews) -> None:
        """A halt within the hours of the weekly break is the break."""
        hours = self._venue.settings.session_break
        if news.status is TradingStatus.HALTED and hours is not None and hours.is_open(news.at_ns):
            self._quirks.sessions_closed.add(news.symbol)
        elif news.status is TradingStatus.OPEN:
            self._quirks.sessions_closed.discard(news.symbol)

    def _order_news(self, news: OrderNews) -> None:
        found = self._parts.get(news.number)
        if found is None or news.kind is OrderNewsKind.CANCEL_ANSWERED:
            return
        order, part = found
        order.updated_ns = news.at_ns
        part.state, part.reason = news.state, news.reason
        if news.kind is OrderNewsKind.ACKNOWLEDGED:
            self._acknowledged(order, part)
        if part.state in TERMINAL:
            self._plans[order.order_id].part_ended(part)
        elif news.kind is not OrderNewsKind.ACKNOWLEDGED and not order.ended:
            self._publish(order)

    def _acknowledged(self, order: WireOrder, part: Part) -> None:
        if part.state is OrderState.REJECTED:
            self._refused(order, part.reason)
            return
        if order.status == "PENDING":
            if order.order_id in self._waiting:
                self._publish(order)
            order.status = "OPEN"
        self._resolve(order, "")
        self._publish(order)

    def _refused(self, order: WireOrder, reason: str) -> None:
        """Told in the reply where one is waited for: then nobody else hears of the order."""
        if order.order_id in self._waiting:
            order.status = "FAILED"
            self._resolve(order, reason)

    def _resolve(self, order: WireOrder, refusal: str) -> None:
        future = self._waiting.get(order.order_id)
        if future is not None and not future.done():
            future.set_result(refusal)

    def _fill_news(self, news: FillNews) -> None:
        found = self._parts.get(news.number)
        order, part = found if found is not None else self._liquidation(news)
        size = order.listed.contracts(news.quantity)
        if order.liquidation:
            order.terms = msgspec.structs.replace(order.terms, size=order.filled + size)
        part.filled += size
        order.filled += size
        order.priced += size * news.price
        order.fees += news.fee
        order.fills += 1
        order.last_fill_ns = order.updated_ns = news.at_ns
        order.triggered = order.triggered or _was_triggered(order, news.price)
        liquidity, fee = news.liquidity, news.fee
        self.fills[order.account].append(
            WireFill(order, news.trade_number, news.at_ns, news.price, size, fee, liquidity)
        )
        if order.liquidation:
            order.status = "FILLED"
            self._publish(order)

    def _liquidation(self, news: FillNews) -> tuple[WireOrder, Part]:
        """The venue's own order against an account that cannot carry its position."""
        key = self._keys[news.account]
        listed = self.listing.of_symbol(news.symbol)
        size = listed.contracts(news.quantity)
        self._count += 1
        configuration: Json = {"market_market_ioc": {"base_size": text(size)}}
        order = WireOrder(
            order_id=identifier("order", self._count),
            client_order_id=news.client_order_id,
            account=news.account,
            user_id=key.user_id,
            portfolio_id=key.portfolio_id,
            listed=listed,
            side=news.side,
            terms=Terms(
                configuration="market_market_ioc", order_type="MARKET", kernel_type=OrderType.MARKET, size=size
            ),
            configuration=configuration,
            created_ns=news.at_ns,
            liquidation=True,
        )
        part = Part(news.number, "liquidation", size)
        order.parts.append(part)
        self._parts[news.number] = (order, part)
        self._keep(order)
        return order, part

    def _publish(self, order: WireOrder) -> None:
        for listener in self._listeners:
            listener(order)


def _was_triggered(order: WireOrder, price: Decimal) -> bool:
    """A stop fills only when it was triggered; a bracket's stop at a worse price than its target."""
    limit = order.terms.limit_price
    if order.terms.order_type == "BRACKET" and limit is not None:
        return (price - limit) * order.side.sign > 0
    return order.terms.order_type == "STOP_LIMIT"


def _digest(placed: Placed) -> str:
    return hashlib.sha256(msgspec.json.encode(placed, order="sorted")).hexdigest()


def _edited(configuration: Json, price: Decimal, size: Decimal, stop: Decimal | None) -> Json:
    ((name, fields),) = configuration.items()
    assert isinstance(fields, dict)
    changed = {**fields, "base_size": text(size), "limit_price": text(price)}
    if stop is not None:
        changed["stop_price"] = text(stop)
    return {name: changed}
