"""What can one do at the simulated exchange? Orders in, news out, in Decimal; the kernel below reckons in integers."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np

from gpt_trader.core.errors import InvalidOrderError
from gpt_trader.core.values import (
    Account,
    Bar,
    BookView,
    Liquidity,
    Mark,
    OrderState,
    OrderType,
    Position,
    ProductSpec,
    Side,
    TimeInForce,
    TradingStatus,
)
from gpt_trader.market.rows import STATUSES
from gpt_trader.market.stream import MarketStream
from gpt_trader.market.view import BarsAhead, Ints, MarketView
from gpt_trader.venue import layout
from gpt_trader.venue.ahead import RowsAhead
from gpt_trader.venue.delayed import DelayedMarket
from gpt_trader.venue.face import (
    E8,
    E12,
    LIVING,
    MARK_ROW,
    STATUS,
    WATCH_HIGH,
    WATCH_LOW,
    MarketFace,
    ProductUnits,
)
from gpt_trader.venue.feed import MarketFeed
from gpt_trader.venue.kernel import advance, refresh
from gpt_trader.venue.news import (
    FillNews,
    FundingNews,
    NewOrder,
    News,
    OrderNews,
    OrderNewsKind,
    PriceNews,
    StatusNews,
)
from gpt_trader.venue.settings import NS_PER_MS, Latency, VenueSettings
from gpt_trader.venue.setup import venue_memory
from gpt_trader.venue.specification import whole
from gpt_trader.venue.timetable import timetable_rows
from gpt_trader.venue.trades_ahead import TradesAhead

__all__ = ["SimulatedVenue"]

TYPES: Final = {
    OrderType.MARKET: layout.MARKET,
    OrderType.LIMIT: layout.LIMIT,
    OrderType.STOP_LIMIT: layout.STOP_LIMIT,
    OrderType.BRACKET: layout.BRACKET,
}
TIFS: Final = {
    TimeInForce.GTC: layout.GTC,
    TimeInForce.GTD: layout.GTD,
    TimeInForce.IOC: layout.IOC,
    TimeInForce.FOK: layout.FOK,
}
STATES: Final = (
    OrderState.SUBMITTED,
    OrderState.ACTIVE,
    OrderState.PARTIALLY_FILLED,
    OrderState.FILLED,
    OrderState.CANCELLED,
    OrderState.REJECTED,
    OrderState.EXPIRED,
)
ORDER_NEWS: Final = {
    layout.ACK: OrderNewsKind.ACKNOWLEDGED,
    layout.ORDER_CHANGED: OrderNewsKind.CHANGED,
    layout.CANCEL_REPLY: OrderNewsKind.CANCEL_ANSWERED,
    layout.ECHO_REPLY: OrderNewsKind.REPEATED,
}


# where the numbers of a record stand
_HEADER: Final = layout.places(layout.HEADER).__getitem__
_ORDER: Final = layout.places(layout.ORDER)
NOW: Final = _HEADER("now")
ORDERS_COUNT: Final = _HEADER("orders_count")
FILLS_COUNT: Final = _HEADER("fills_count")
REQUESTS_HEAD: Final = _HEADER("requests_head")
REQUESTS_TAIL: Final = _HEADER("requests_tail")
NOTICES_HEAD: Final = _HEADER("notices_head")
NOTICES_TAIL: Final = _HEADER("notices_tail")
BARS_HEAD: Final = _HEADER("bars_head")
BARS_TAIL: Final = _HEADER("bars_tail")
BAR_NEXT: Final = _HEADER("bar_next")
WAKE_ON_BARS: Final = _HEADER("wake_on_bars")
ROW_NEXT: Final = _HEADER("row_next")
ORDER_SAID: Final = _ORDER["expire"] + 1
"""How many numbers of an order's record are the client's words: all up to its expiry."""
ORDER_SENT: Final = _ORDER["sent_ns"]
NEVER: Final = layout.NEVER
NEEDS: Final = layout.NEED_ROWS | layout.NEED_ROOM
OVER: Final = layout.OVER
ORDER_WIDTH: Final = len(layout.places(layout.ORDER))
NOTICE_WIDTH: Final = len(layout.places(layout.NOTICE))
FILL_WIDTH: Final = len(layout.places(layout.FILL))
REQUEST_WIDTH: Final = len(layout.places(layout.REQUEST))
ACCOUNT_WIDTH: Final = len(layout.places(layout.ACCOUNT))
BAR_WIDTH: Final = len(layout.places(layout.BAR_OUT))


class SimulatedVenue:
    """A perpetuals exchange over one market stream. Time is moved by `advance` alone.

    Orders meet the market of the stream and never each other.
    """

    def __init__(
        self,
        stream: MarketStream,
        *,
        cash: Sequence[Decimal],
        settings: VenueSettings | None = None,
        entry_latency_ns: int = 0,
        ack_latency_ns: int = 0,
    ) -> None:
        """One account for each entry of `cash`; the two latencies are constants for where `settings` are not given.

        Raises ConfigError for settings that cannot be, or a product that exact money cannot carry.
        """
        self.settings = settings or VenueSettings(
            entry_latency=Latency(milliseconds=Decimal(entry_latency_ns) / NS_PER_MS),
            ack_latency=Latency(milliseconds=Decimal(ack_latency_ns) / NS_PER_MS),
        )
        self._specs = {spec.symbol: spec for spec in stream.products}
        self._products = [ProductUnits(index, spec) for index, spec in enumerate(stream.products)]
        self._by_symbol = {product.spec.symbol: product for product in self._products}
        self._memory = venue_memory(stream, self.settings, len(cash))
        self._header = self._memory.header
        self._ints = self._memory.ints
        self._numbers_of_header = self._ints["header"]
        self._of_products = self._ints["products"]
        self._living_places = [product.place + at for product in self._products for at in LIVING]
        self._statuses = [-1] * len(self._products)
        self._out = np.zeros(4, np.int64)
        self._accounts: dict[int, Account] = {}
        """What was worked out since the last move of the venue; nothing changes between two of them."""
        self._entry_latencies = self.settings.entry_latency.series_ns("entry_latency", self.settings.seed).tolist()
        self.has_to_tell = False
        """Whether the last move ended with news or bars to be taken, or with the market."""
        self._requests = 0
        self._last_due_ns = 0
        self._names: dict[int, str] = {}
        self._numbers: dict[tuple[int, str], int] = {}
        self._late_bars: deque[tuple[int, Bar]] = deque()
        self._set_up_accounts(cash, stream.start_ns)
        self._feed = MarketFeed(
            stream,
            self._memory.products["price_max"],
            self.settings.bar_model.passive_share,
            timetable_rows(self.settings, stream.products, stream.start_ns, stream.end_ns),
        )
        self._face = MarketFace(self._memory, self._products)
        self._delayed = self._delayed_market(stream)
        self._ahead = RowsAhead(self._products)
        self._trades_ahead = TradesAhead(self._memory, self._products)
        self._next_rows()
        self._next_close_ns = self._ahead.next_close_ns

    def _set_up_accounts(self, cash: Sequence[Decimal], start_ns: int) -> None:
        volume = whole(self.settings.volume_before, E8, "volume_before")
        day = start_ns // layout.DAY_NS - 1
        for index, amount in enumerate(cash):
            self._memory.accounts["cash"][index] = whole(amount, E8, "cash")
            self._memory.accounts["tier_day"][index] = day
            self._memory.volumes[index, day % layout.FEE_DAYS] = volume

    def _delayed_market(self, stream: MarketStream) -> DelayedMarket | None:
        """None where the client sees every row at its own time."""
        settings = self.settings
        latencies = settings.feed_latency.series_ns("feed_latency", settings.seed)
        if not settings.feed_latency_recorded and not latencies.any():
            return None
        memory = venue_memory(stream, settings, 1)
        memory.header["bar_next"] = layout.NEVER
        memory.header["wake_on_bars"] = 0
        self._face = MarketFace(memory, self._products)
        return DelayedMarket(memory, None if settings.feed_latency_recorded else latencies)

    # time

    @property
    def now_ns(self) -> int:
        return self._numbers_of_header[NOW]

    @property
    def is_over(self) -> bool:
        """The market has no more rows."""
        header = self._header
        return bool(header["final"][0]) and header["row_next"][0] == header["rows_count"][0]

    @property
    def levels_dropped(self) -> int:
        """Book levels so far from the market that the venue does not keep them."""
        return int(self._header["levels_outside"][0])

    @property
    def rows_ignored(self) -> int:
        """Quotes and bars of products that have depth, and bars of products that have quotes."""
        return int(self._header["rows_ignored"][0])

    @property
    def rows_done(self) -> int:
        return int(self._header["rows_done"][0])

    def wake_on_bars(self, wanted: bool) -> None:
        """Whether `advance` stops at every closed bar; otherwise bars gather and are told at the next stop."""
        self._header["wake_on_bars"] = int(wanted)

    def advance(self, until_ns: int | None) -> bool:
        """Move to `until_ns`, or to the first moment at which there is news or a closed bar; None knows no end.

        False when nothing is left to happen before `until_ns`: the market is over and no news is under way.
        Raises MarketDataError for rows that must not be traded on.
        """
        until = layout.NEVER if until_ns is None else until_ns
        self._accounts.clear()
        self._face.forget()
        if self._delayed is not None:
            self.has_to_tell = True
            return self._run_delayed(self._delayed, until)
        return self._run(until)

    def _run(self, until: int) -> bool:
        answer = advance(self._header, until)
        while answer & NEEDS:
            if answer & layout.NEED_ROWS:
                self._next_rows()
            else:
                self._memory.grow()
            answer = advance(self._header, until)
        self.has_to_tell = answer != 0
        return not answer & OVER

    def bars_ahead(self, until_ns: int) -> BarsAhead | None:
        """Bars that close next and by `until_ns`, if until the last of them nothing else can happen but that an
        account is liquidated: no order lives, nothing is under way, and no other row of the market is among them."""
        header = self._numbers_of_header
        bar_next = header[BAR_NEXT]
        # Most timers are due before the next bar closes; then there is nothing to look for.
        if until_ns < (self._next_close_ns(header[ROW_NEXT]) if bar_next == NEVER else bar_next):
            return None
        quiet = (
            header[NOTICES_HEAD] == header[NOTICES_TAIL]
            and header[REQUESTS_HEAD] == header[REQUESTS_TAIL]
            and header[BARS_HEAD] == header[BARS_TAIL]
            and header[WAKE_ON_BARS] == 1
            and self._delayed is None
        )
        if not quiet:
            return None
        for place in self._living_places:
            if self._of_products[place]:
                return None
        if bar_next != NEVER:
            return self._trades_ahead.find(header[NOW], until_ns)
        # On bars the mark is their close, unless the market publishes a mark of its own.
        follow = all(self._of_products[product.place + MARK_ROW] == 0 for product in self._products)
        return self._ahead.find(header[ROW_NEXT], until_ns, marks_follow=follow)

    def pass_bars(self, close_ns: int) -> Ints:
        """Move to the close of a bar of `bars_ahead` without telling of those up to it.

        Returns the mark of what is held at each bar built from trades, in 1e-8; 0 otherwise.
        """
        self.wake_on_bars(wanted=False)
        self.advance(close_ns)
        self.wake_on_bars(wanted=True)
        header = self._numbers_of_header
        bars = self._memory.bars
        marks: Ints = bars["mark"][np.arange(header[BARS_HEAD], header[BARS_TAIL]) % len(bars)]
        header[BARS_HEAD] = header[BARS_TAIL]
        if header[NOW] != close_ns or header[NOTICES_HEAD] != header[NOTICES_TAIL]:
            raise RuntimeError(f"bars up to {close_ns} were passed as quiet, and something happened at {header[NOW]}")
        return marks

    def _next_rows(self) -> None:
        rows = self._feed.next()
        if rows is None:
            self._header["final"] = 1
        else:
            self._memory.give_rows(rows)
            self._ahead.give(rows)
            self._trades_ahead.forget()
            if self._delayed is not None:
                self._delayed.move_to(self.now_ns)
                self._delayed.give(rows)

    def _run_delayed(self, delayed: DelayedMarket, until: int) -> bool:
        """The same for a client who sees the market late: a bar is told when its last row has arrived."""
        late = self._late_bars
        while True:
            going = self._run(min(until, late[0][0]) if late else until)
            now = self.now_ns
            for bar in self._new_bars():
                arrived = delayed.arrival_ns(int(self._header["row_next"][0]))
                late.append((max(bar.close_ns, arrived), bar))
            bar_due = bool(late) and late[0][0] <= now and bool(self._header["wake_on_bars"][0])
            if bar_due or now >= until or self._news_due():
                return True
            if not going and not late:
                return False

    def _news_due(self) -> bool:
        header, notices = self._numbers_of_header, self._ints["notices"]
        head = header[NOTICES_HEAD]
        return head != header[NOTICES_TAIL] and notices[head * NOTICE_WIDTH % len(notices)] <= header[NOW]

    # orders

    def submit(self, order: NewOrder, account: int = 0) -> int:
        """Send an order; returns its number. It reaches the venue after the entry latency.

        A client_order_id that the venue knows places nothing: the order that exists is told again.
        Raises InvalidOrderError for an unknown symbol or numbers off the grid.
        """
        known = self._numbers.get((account, order.client_order_id))
        if known is not None:
            self._request(layout.ECHO, known)
            return known
        product = self._by_symbol.get(order.symbol)
        if product is None:
            raise InvalidOrderError(f"{order.symbol}: the venue lists no such product", "unknown_symbol")
        self._memory.make_order_room()
        header = self._numbers_of_header
        number = header[ORDERS_COUNT]
        start = number * ORDER_WIDTH
        orders = self._ints["orders"]  # all zero from `start` on: no order was here before
        said = (
            account,
            product.index,
            1 if order.side is Side.BUY else -1,
            TYPES[order.order_type],
            TIFS[order.time_in_force],
            order.post_only,
            order.reduce_only,
            _on_grid(order.limit_price, product.tick, "limit_price"),
            0 if order.stop_price is None else _on_grid(order.stop_price, product.tick, "stop_price"),
            _on_grid(order.quantity, product.lot, "quantity"),
            order.expire_ns or 0,
        )
        orders[start : start + ORDER_SAID] = array("q", said)
        orders[start + ORDER_SENT] = header[NOW]
        header[ORDERS_COUNT] = number + 1
        self._names[number] = order.client_order_id
        self._numbers[account, order.client_order_id] = number
        self._request(layout.NEW, number)
        return number

    def cancel(self, number: int) -> None:
        """Send a cancel; the news CANCEL_ANSWERED says what became of it."""
        self._request(layout.CANCEL, number)

    def _request(self, kind: int, number: int) -> None:
        self._memory.make_request_room()
        header, requests = self._numbers_of_header, self._ints["requests"]
        tail = header[REQUESTS_TAIL]
        start = tail * REQUEST_WIDTH % len(requests)
        latency = self._entry_latencies[self._requests % len(self._entry_latencies)]
        self._requests += 1
        self._last_due_ns = max(self._last_due_ns, header[NOW] + latency)
        requests[start : start + REQUEST_WIDTH] = array("q", (self._last_due_ns, kind, number))
        header[REQUESTS_TAIL] = tail + 1

    def watch_price(self, symbol: str, low: Decimal | None, high: Decimal | None) -> None:
        """Tell once, as PriceNews after the ack latency, when a trade is at or below `low` or at or above `high`; None
        waits for nothing on that side. Replaces what was watched before. Only while a position or an order is open.
        """
        product = self._by_symbol[symbol]
        # a price between two ticks is reached with the next one beyond it
        self._of_products[product.place + WATCH_LOW] = 0 if low is None else int(low // product.tick)
        self._of_products[product.place + WATCH_HIGH] = 0 if high is None else int(-(-high // product.tick))

    def number_of(self, client_order_id: str, account: int = 0) -> int | None:
        return self._numbers.get((account, client_order_id))

    def order(self, number: int) -> OrderNews:
        """The venue's truth about one order, now."""
        record = self._memory.orders[number]
        product = self._products[record["product"]]
        names = ("state", "filled", "value", "reason")
        state, filled, value, reason = (int(record[name]) for name in names)
        account, at_ns = int(record["account"]), self.now_ns
        news = self._order_news(OrderNewsKind.CHANGED, account, product, number, state, filled, value, reason, at_ns)
        side = Side.BUY if record["side"] > 0 else Side.SELL
        return msgspec.structs.replace(news, side=side, quantity=int(record["lots"]) * product.lot)

    def open_orders(self, account: int = 0) -> tuple[OrderNews, ...]:
        """Orders at the venue that can still trade, oldest first; those on their way there are not among them."""
        numbers: list[int] = []
        for product in self._products:
            record = self._memory.products[product.index]
            for place, name in ((layout.BIDS, "bids"), (layout.ASKS, "asks"), (layout.WAITING, "waiting")):
                numbers.extend(self._memory.lists[product.index, place, : record[name]].tolist())
        orders = self._memory.orders
        return tuple(self.order(number) for number in sorted(numbers) if orders["account"][number] == account)

    # news

    def take_bars(self) -> list[Bar]:
        """Bars that closed, and arrived, since the last call, oldest first."""
        if self._delayed is None:
            return self._new_bars()
        arrived = []
        while self._late_bars and self._late_bars[0][0] <= self.now_ns:
            arrived.append(self._late_bars.popleft()[1])
        return arrived

    def _new_bars(self) -> list[Bar]:
        header = self._numbers_of_header
        head, tail = header[BARS_HEAD], header[BARS_TAIL]
        if head == tail:
            return []
        header[BARS_HEAD] = tail
        bars = self._ints["bars"]
        found = []
        for place in range(head, tail):
            start = place * BAR_WIDTH % len(bars)
            index, close_ns, o, high, low, close, volume, _ = bars[start : start + BAR_WIDTH]
            product = self._products[index]
            price = product.price_float
            found.append(
                Bar(
                    product.spec.symbol,
                    close_ns,
                    price(o),
                    price(high),
                    price(low),
                    price(close),
                    product.quantity_float(volume),
                )
            )
        return found

    def take_news(self) -> list[News]:
        """What is due to be told by now, in order."""
        header = self._numbers_of_header
        head, tail = header[NOTICES_HEAD], header[NOTICES_TAIL]
        if head == tail:
            return []
        now, notices = header[NOW], self._ints["notices"]
        found: list[News] = []
        while head < tail:
            start = head * NOTICE_WIDTH % len(notices)
            notice = notices[start : start + NOTICE_WIDTH].tolist()
            if notice[0] > now:
                break
            found.append(self._news(notice))
            head += 1
        header[NOTICES_HEAD] = head
        return found

    def _news(self, notice: list[int]) -> News:
        """One record of layout.NOTICE."""
        _, at_ns, kind, account, index, order, state, filled, value, reason, fill, amount, rate, lots, price = notice
        if kind == layout.FILLED_SOME:
            return self.fill(fill)
        product = self._products[index]
        told = ORDER_NEWS.get(kind)
        if told is not None:
            return self._order_news(told, account, product, order, state, filled, value, reason, at_ns)
        if kind == layout.FUNDED:
            return FundingNews(
                account=account,
                symbol=product.spec.symbol,
                amount=amount * E8,
                rate=rate * E12,
                position=product.quantity(lots),
                price=price * E8,
                at_ns=at_ns,
            )
        if kind == layout.PRICE_REACHED:
            return PriceNews(symbol=product.spec.symbol, price=product.price(price), at_ns=at_ns)
        return StatusNews(symbol=product.spec.symbol, status=_status(state), at_ns=at_ns)

    def _order_news(
        self,
        kind: OrderNewsKind,
        account: int,
        product: ProductUnits,
        number: int,
        state: int,
        filled: int,
        value: int,
        reason: int,
        at_ns: int,
    ) -> OrderNews:
        return OrderNews(
            kind=kind,
            number=number,
            account=account,
            client_order_id=self._names.get(number) or self._name_of(number),
            symbol=product.symbol,
            state=STATES[state],
            filled=filled * product.lot,
            average_price=value * product.tick / filled if filled else None,
            reason=layout.REASONS[reason],
            at_ns=at_ns,
        )

    def _name_of(self, number: int) -> str:
        name = self._names.get(number)
        return name if name is not None else f"liquidation-{self._memory.orders['liquidation'][number]}"

    @property
    def fills_count(self) -> int:
        return self._numbers_of_header[FILLS_COUNT]

    def fill(self, trade_number: int) -> FillNews:
        """One trade by its number, from 0."""
        start = trade_number * FILL_WIDTH
        order, account, index, side, lots, price, fee, maker, at_ns, liquidation = self._ints["fills"][
            start : start + FILL_WIDTH
        ]
        product = self._products[index]
        return FillNews(
            trade_number=trade_number,
            number=order,
            account=account,
            client_order_id=self._names.get(order) or self._name_of(order),
            symbol=product.symbol,
            side=Side.BUY if side > 0 else Side.SELL,
            quantity=lots * product.lot,
            price=price * product.tick,
            fee=fee * E8,
            liquidity=Liquidity.MAKER if maker else Liquidity.TAKER,
            liquidation=liquidation != 0,
            at_ns=at_ns,
        )

    # state

    def products(self) -> Mapping[str, ProductSpec]:
        """Specifications, with the trading status of this moment."""
        for product in self._products:
            status = self._of_products[product.place + STATUS]
            if status != self._statuses[product.index]:
                self._statuses[product.index] = status
                spec = self._specs[product.spec.symbol]
                self._specs[spec.symbol] = msgspec.structs.replace(spec, status=_status(status))
        return self._specs

    def account(self, account: int = 0) -> Account:
        """Money of one account at the marks of this moment."""
        found = self._accounts.get(account)
        if found is not None:
            return found
        refresh(self._header, 0, account, self._out)
        _, equity, initial, maintenance = self._out.tolist()
        self._accounts[account] = found = Account(
            cash=self._ints["accounts"][account * ACCOUNT_WIDTH] * E8,
            equity=equity * E8,
            initial_margin=initial * E8,
            maintenance_margin=maintenance * E8,
            available_margin=(equity - initial) * E8,
            received_ns=self.now_ns,
        )
        return found

    def insurance_paid(self, account: int = 0) -> Decimal:
        """What the venue paid to bring a bankrupt account back to zero."""
        return int(self._memory.accounts["insurance"][account]) * E8

    def positions(self, account: int = 0) -> tuple[Position, ...]:
        """Open positions in the order of the products."""
        found = []
        for product in self._products:
            record = self._memory.positions[account, product.index]
            lots = int(record["lots"])
            if lots:
                found.append(
                    Position(
                        symbol=product.spec.symbol,
                        quantity=product.quantity(lots),
                        entry_price=int(record["cost"]) * E8 / product.quantity(lots),
                        opened_ns=int(record["opened_ns"]),
                    )
                )
        return tuple(found)

    # the market, as the client sees it

    @property
    def view(self) -> MarketView:
        """The market as the client sees it, by the shortest way."""
        return self._face if self._delayed is None else self

    def _seen(self) -> MarketFace:
        if self._delayed is not None:
            self._delayed.move_to(self.now_ns)
        return self._face

    def mark(self, symbol: str) -> Mark | None:
        """The venue's mark row, else median(mid, last, index), else the first known of mid, last, index."""
        return self._seen().mark(symbol)

    def touch(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        """Best bid and best ask, less what orders of this venue took; None while a side is empty."""
        return self._seen().touch(symbol)

    def last_price(self, symbol: str) -> Decimal | None:
        return self._seen().last_price(symbol)

    def index_price(self, symbol: str) -> Decimal | None:
        return self._seen().index_price(symbol)

    def funding_rate(self, symbol: str) -> Decimal:
        """Of the last settlement, per interval; zero before the first."""
        return self._seen().funding_rate(symbol)

    def book(self, symbol: str, depth: int) -> BookView | None:
        """The best `depth` levels a side, less what orders of this venue took; None when both sides are empty."""
        return self._seen().book(symbol, depth)


def _status(number: Any) -> TradingStatus:
    return TradingStatus(STATUSES[int(number)])


def _on_grid(value: Decimal | None, unit: Decimal, name: str) -> int:
    """Whole units; none is 0. Raises InvalidOrderError."""
    if value is None:
        return 0
    number = int(value / unit) if value.is_finite() else 0
    if number <= 0 or number * unit != value:
        raise InvalidOrderError(f"{name} {value} is not a positive multiple of {unit}", f"invalid_{name}")
    return number
