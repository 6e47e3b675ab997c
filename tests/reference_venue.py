"""The rules of the simulated venue once more, in plain Python: slow, simple, exact, and made without the kernel.

Books are dictionaries, money is int in 1e-8, and a price path inside a bar is walked tick by tick.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from gpt_trader.core.values import MarginRates, ProductSpec

MONEY = 10**8
RATE = 10**12
PARTS = 2**16
LEVEL, CLEAR, TRADE, QUOTE, BAR, INDEX, MARK, FUNDING, STATUS = range(1, 10)
PATH, WINDOW, SAMPLE, SETTLE = range(10, 14)
STATUSES = ("OPEN", "LIMIT_ONLY", "POST_ONLY", "CANCEL_ONLY", "HALTED")
NEVER = 2**63 - 1
OPEN_ORDERS_MAX = 512


def half_even(value: Fraction) -> int:
    return round(value)  # of a Fraction: half to even


def rate_of(value: Any) -> int:
    return int(Fraction(value) * RATE)


@dataclass(eq=False)
class Order:
    name: str
    account: int
    product: int
    side: int
    type: str
    tif: str
    lots: int
    limit: int = 0
    stop: int = 0
    expire: int = 0
    post_only: bool = False
    reduce_only: bool = False
    filled: int = 0
    value: int = 0
    state: str = "SUBMITTED"
    reason: str = ""
    ahead: Fraction | None = Fraction(0)
    traded: int = 0
    armed: bool = False
    liquidation: bool = False
    waits_for_open: bool = False

    @property
    def left(self) -> int:
        return self.lots - self.filled


@dataclass
class Holding:
    lots: int = 0
    cost: int = 0


@dataclass
class Product:
    spec: ProductSpec
    rates: MarginRates
    books: dict[int, dict[int, int]] = field(default_factory=lambda: {1: {}, -1: {}})
    fed_by: str = ""
    raw: dict[int, tuple[int, int]] = field(default_factory=dict)
    last: int = 0
    index: int = 0
    mark_row: int = 0
    status: str = "OPEN"
    resting: dict[int, list[Order]] = field(default_factory=lambda: {1: [], -1: []})
    waiting: list[Order] = field(default_factory=list)
    room: int = 0
    path_open: bool = False
    stale: bool = False
    volume_average: int = 0
    bar: list[int] | None = None
    bar_whole: bool = False
    kept: int = 0
    premiums: list[int] = field(default_factory=list)
    funding_rate: int = 0
    emptied: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tick_value = int(self.spec.tick * MONEY)
        self.lot_e8 = int(self.spec.lot * MONEY)
        self.unit = int(self.spec.tick * self.spec.lot * MONEY)

    def middle(self) -> int:
        best = [price for price in (self.best(1), self.best(-1)) if price]
        return half_even(Fraction(sum(best) * self.tick_value, len(best))) if best else 0

    def keep(self) -> None:
        """Before a side may become empty."""
        for side in (1, -1):
            self.emptied[side] = self.best(side)

    def kept_after(self) -> None:
        for side in (1, -1):
            if self.emptied[side] and not self.books[side]:
                self.kept = self.emptied[side] * self.tick_value

    def best(self, side: int) -> int:
        book = self.books[side]
        return 0 if not book else max(book) if side > 0 else min(book)

    def mark(self) -> int:
        if self.mark_row:
            return self.mark_row
        last = self.last * self.tick_value
        middle = last if self.fed_by == "bars" else self.middle()
        if middle and last and self.index:
            return sorted((middle, last, self.index))[1]
        return middle or last or self.index or self.kept

    def worth(self, lots: int) -> int:
        return half_even(Fraction(abs(lots) * self.lot_e8 * self.mark(), MONEY))

    def living(self) -> list[Order]:
        """Every order once, although a bracket stands in two lists."""
        return list(dict.fromkeys(self.resting[1] + self.resting[-1] + self.waiting))

    @property
    def trades(self) -> bool:
        """Resting orders may trade."""
        return self.status in {"OPEN", "LIMIT_ONLY", "POST_ONLY"}

    @property
    def takes(self) -> bool:
        """Orders may take what others offer."""
        return self.status in {"OPEN", "LIMIT_ONLY"}


class ReferenceVenue:
    """Give it rows (as tuples of market.rows.ROW) and requests; run() leaves news, bars and money behind."""

    def __init__(
        self,
        specs: Sequence[ProductSpec],
        rows: Sequence[tuple[int, ...]],
        *,
        cash: Sequence[int],
        ack_latency: int,
        bar_ns: int,
        start_ns: int,
        end_ns: int,
        model: tuple[int, int, int, int, int] = (10**8, 10**8, 10, 2 * 10**10, 100),
        queue: str = "back",
        funding: str = "market",
        bracket_collar: int = 5 * 10**10,
        tier: tuple[int, int] | None = None,
        timetable: Sequence[tuple[int, ...]] = (),
    ) -> None:
        self.funding_by = funding
        self.tier = tier
        self.queue = queue
        self.bracket_collar = bracket_collar
        self.products = [Product(spec, spec.margin_overnight) for spec in specs]
        # sorting is stable: what the venue adds comes first
        self.rows = unfold(sorted([*timetable, *rows], key=lambda row: row[0]), bar_ns, model[4])
        self.cash = list(cash)
        self.fees = [0] * len(cash)
        self.holdings = [[Holding() for _ in specs] for _ in cash]
        self.liquidating = [False] * len(cash)
        self.last_fill: list[int | None] = [None] * len(cash)
        self.ack_latency = ack_latency
        self.model = model
        self.bar_ns = bar_ns
        self.end_ns = end_ns
        barred = any(row[2] == BAR for row in rows)
        self.bar_next = NEVER if barred else (start_ns // bar_ns + 1) * bar_ns
        for product in self.products:
            product.bar_whole = start_ns % bar_ns == 0 and not barred
        self.now = start_ns
        self.over = False
        self.orders: dict[str, Order] = {}
        self.requests: list[tuple[int, str, Order]] = []
        self.news: list[list[Any]] = []
        self.bars: list[tuple[int, ...]] = []
        self.moved = False
        self.liquidations = 0

    # --- the order of things --------------------------------------------------------------------------------------
    def run(self, until: int) -> None:
        """Everything up to and at `until`."""
        place = 0
        group: tuple[int, int] | None = None
        while True:
            row_ts = self.rows[place][0] if place < len(self.rows) else NEVER
            self.over = place == len(self.rows)
            expire = min((o.expire for p in self.products for o in p.living() if o.tif == "GTD"), default=NEVER)
            request = self.requests[0][0] if self.requests else NEVER
            close = NEVER if self.over and self.bar_next > self.end_ns else self.bar_next
            due = min(expire, request)
            now = min(row_ts, due, close, until + 1)
            if group is not None and (row_ts != group[0] or self.rows[place][3] != group[1]):
                self.now = group[0]
                self.settle(group[1])
                group = None
                continue
            if now > until:
                return
            if close == now and close <= row_ts and close <= due:
                self.now = now
                self.close_bars()
            elif row_ts == now:
                self.now = now
                self.row(self.rows[place])
                group = (now, self.rows[place][3])
                place += 1
            elif expire == now:
                self.now = now
                self.expire()
            else:
                self.now = now
                self.request()

    def request(self) -> None:
        _, kind, order = self.requests.pop(0)
        if kind == "NEW":
            self.arrive(order)
        elif kind == "CANCEL":
            if self.take_out(order):
                self.end(order, "CANCELLED", "cancelled_by_client")
            self.tell(order, "CANCEL_ANSWERED")
        else:
            self.tell(order, "REPEATED")
        self.after()

    def expire(self) -> None:
        for product in self.products:
            for line in (product.resting[1], product.resting[-1], product.waiting):
                for order in list(line):
                    if order.tif == "GTD" and order.expire <= self.now and self.take_out(order):
                        self.end(order, "EXPIRED", "expired")

    def settle(self, index: int) -> None:
        product = self.products[index]
        if product.fed_by != "bars":
            for side in (1, -1) if product.trades else ():
                self.cross(product, side)
            if product.fed_by:
                self.release(product)
        self.after()
        self.check_margins(index)

    # --- news -----------------------------------------------------------------------------------------------------
    def tell(self, order: Order, kind: str) -> None:
        self.news.append(["order", kind, order.name, order.state, order.filled, order.value, order.reason, self.now])

    def end(self, order: Order, state: str, reason: str, *, tell: bool = True) -> None:
        order.state, order.reason = state, reason
        if tell:
            self.tell(order, "CHANGED")

    def take_out(self, order: Order) -> bool:
        product = self.products[order.product]
        found = False
        for line in (product.resting[1], product.resting[-1], product.waiting):
            if order in line:
                line.remove(order)
                found = True
        return found

    # --- rows -----------------------------------------------------------------------------------------------------
    def row(self, row: tuple[int, ...]) -> None:
        _, kind, side, index, a, b, c, d, _ = row
        product = self.products[index]
        handlers: dict[int, Callable[[], None]] = {
            LEVEL: lambda: self.level(product, 1 if side > 0 else -1, a, b),
            CLEAR: lambda: self.clear_row(product),
            TRADE: lambda: self.trade(index, a, b, side),
            QUOTE: lambda: self.quote(product, a, b, c, d),
            BAR: lambda: self.bar_row(index, row),
            INDEX: lambda: setattr(product, "index", a),
            MARK: lambda: setattr(product, "mark_row", a),
            FUNDING: lambda: self.funding(index, a) if self.funding_by == "market" else None,
            WINDOW: lambda: self.window(product, a),
            SAMPLE: lambda: self.sample(product),
            SETTLE: lambda: self.settle_premium(index),
            STATUS: lambda: self.status_row(product, a),
            PATH: lambda: self.path_row(index, a, bool(b), c),
        }
        handlers[kind]()

    def status_row(self, product: Product, status: int) -> None:
        product.status = STATUSES[status]
        self.news.append(["status", product.spec.symbol, product.status, self.now])

    def window(self, product: Product, window: int) -> None:
        product.rates = (product.spec.margin_intraday, product.spec.margin_overnight)[window]

    def sample(self, product: Product) -> None:
        if product.trades and product.index and product.mark():
            product.premiums.append(half_even(Fraction((product.mark() - product.index) * RATE, product.index)))

    def settle_premium(self, index: int) -> None:
        product = self.products[index]
        if product.premiums:
            mean = Fraction(sum(product.premiums), len(product.premiums))
            a_day = Fraction(86_400, product.spec.funding_interval_seconds)
            product.funding_rate = half_even(mean / a_day * 3 / 4 + Fraction(product.funding_rate, 4))
            product.premiums = []
            self.funding(index, product.funding_rate)

    def clear_row(self, product: Product) -> None:
        self.feed(product, "nobody")
        product.fed_by = ""

    def clear(self, product: Product) -> None:
        if product.books[1] or product.books[-1]:
            product.kept = product.last * product.tick_value if product.fed_by == "bars" else product.middle()
        product.books = {1: {}, -1: {}}
        product.raw = {}

    def feed(self, product: Product, fed_by: str) -> None:
        if product.fed_by != fed_by:
            self.clear(product)
            product.fed_by = fed_by
            product.path_open = False

    def level(self, product: Product, side: int, tick: int, lots: int) -> None:
        self.feed(product, "levels")
        before = product.books[side].get(tick, 0)
        product.keep()
        product.books[side].pop(tick, None)
        if lots:
            product.books[side][tick] = lots
        product.kept_after()
        self.change_queue(product, side, tick, before, lots)

    def change_queue(self, product: Product, side: int, tick: int, before: int, lots: int) -> None:
        """What a level of `before` lots, now of `lots`, means for the orders of ours that rest there."""
        for order in product.resting[side]:
            better = product.fed_by == "quotes" and (order.limit - tick) * side > 0
            if order.limit == tick and order.ahead is None:
                order.ahead, order.traded = Fraction(lots), 0
            elif order.limit == tick:
                gone, order.traded = before - lots - order.traded, 0
                if self.queue == "proportional" and gone > 0 and order.ahead:
                    front = min(order.ahead, Fraction(before))
                    order.ahead = front - Fraction(half_even(gone * front / before * PARTS), PARTS)
                if self.queue != "trades" and order.ahead is not None:
                    order.ahead = min(order.ahead, Fraction(lots))
            elif better and (self.queue != "trades" or order.ahead is None):
                order.ahead = Fraction(0)

    def quote(self, product: Product, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
        if product.fed_by == "levels":
            return
        self.feed(product, "quotes")
        befores = {1: product.books[1].get(bid, 0), -1: product.books[-1].get(ask, 0)}
        for side, tick, lots in ((1, bid, bid_lots), (-1, ask, ask_lots)):
            if product.raw.get(side, (0, 0)) != (tick, lots):
                product.keep()
                product.books[side] = {tick: lots} if lots else {}
                product.raw[side] = (tick, lots)
                product.kept_after()
        for side, tick, lots in ((1, bid, bid_lots), (-1, ask, ask_lots)):
            self.change_queue(product, side, tick, befores[side], lots)

    def trade(self, index: int, price: int, lots: int, aggressor: int) -> None:
        product = self.products[index]
        if self.bar_next == NEVER and product.fed_by != "bars":
            self.bar_next = (self.now // self.bar_ns + 1) * self.bar_ns
        product.last = price
        if product.bar is None or product.bar[4] == 0:
            product.bar = [price, price, price, price, 0]
        bar = product.bar
        product.bar = [bar[0], max(bar[1], price), min(bar[2], price), price, bar[4] + lots]
        if product.trades:
            if aggressor <= 0 and lots:
                self.trade_meets(product, 1, price, lots)
            if aggressor >= 0 and lots:
                self.trade_meets(product, -1, price, lots)
            self.fire_stops(product)

    def trade_meets(self, product: Product, side: int, price: int, lots: int) -> None:
        left = lots
        for order in list(product.resting[side]):
            through = (order.limit - price) * side
            if through < 0:
                return
            if through > 0:
                order.ahead, usable = Fraction(0), left
            else:
                order.traded += lots
                usable = 0 if order.ahead is None else math.floor(max(Fraction(0), left - order.ahead))
                order.ahead = None if order.ahead is None else max(Fraction(0), order.ahead - left)
            quantity = min(usable, self.can_trade(order))
            if quantity > 0:
                left -= quantity
                self.fill_resting(order, quantity)

    def cross(self, product: Product, side: int) -> None:
        for order in list(product.resting[side]):
            other = product.books[-side]
            while self.can_trade(order) and other and (product.best(-side) - order.limit) * side <= 0:
                tick = product.best(-side)
                quantity = min(self.can_trade(order), other[tick])
                self.consume(product, -side, tick, quantity)
                self.fill_resting(order, quantity)

    def fire_stops(self, product: Product) -> None:
        for order in list(product.waiting) if product.takes else ():
            if order.stop and not order.waits_for_open and (product.last - order.stop) * order.side >= 0:
                self.take_out(order)
                self.enter(order)

    # --- bars -----------------------------------------------------------------------------------------------------
    def close_bars(self) -> None:
        for index, product in enumerate(self.products):
            if product.path_open:
                product.bar = None
                continue
            if product.bar_whole and product.bar is not None and product.bar[4]:
                self.bars.append((index, self.bar_next, *product.bar))
            elif product.bar_whole and product.last and product.fed_by != "bars":
                self.bars.append((index, self.bar_next, *[product.last] * 4, 0))
            product.bar_whole = True
            product.bar = None
        self.bar_next += self.bar_ns

    def path_row(self, index: int, price: int, jump: bool, room: int) -> None:
        product = self.products[index]
        if product.fed_by in {"levels", "quotes"}:
            return
        self.feed(product, "bars")
        if jump:
            product.room = room
        self.follow(index, price, jump)
        if jump:
            product.path_open = True
            self.release(product)

    def release(self, product: Product) -> None:
        """Orders that waited for the next bar to open meet the book."""
        for order in [o for o in product.waiting if o.waits_for_open]:
            if product.takes or (product.trades and order.post_only):
                product.waiting.remove(order)
                order.waits_for_open = False
                self.enter(order)

    def bar_row(self, index: int, row: tuple[int, ...]) -> None:
        ts, _, _, _, o, high, low, close, volume = row
        product = self.products[index]
        if product.fed_by in {"levels", "quotes"}:
            return
        self.follow(index, close, False)
        product.path_open = False
        product.stale = True
        average = product.volume_average
        product.volume_average = average + (volume - average) // 16 if average else volume
        self.bars.append((index, ts, o, high, low, close, volume))

    def follow(self, index: int, target: int, jump: bool) -> None:
        product = self.products[index]
        if jump or product.last in (0, target):
            self.reach(index, target)
        while product.last != target:
            self.reach(index, product.last + (1 if target > product.last else -1))

    def reach(self, index: int, price: int) -> None:
        product = self.products[index]
        before, product.last, product.stale = product.last, price, True
        if not product.trades or before == 0:
            return
        if price != before:
            side = 1 if price < before else -1
            for order in list(product.resting[side]):
                if (order.limit - price) * side >= 1 and product.room > 0:
                    quantity = min(self.can_trade(order), product.room)
                    if quantity:
                        product.room -= quantity
                        self.fill_resting(order, quantity)
            self.fire_stops(product)
        self.after()
        self.check_margins(index)

    def model_book(self, product: Product) -> None:
        if product.fed_by != "bars" or not product.stale or not product.last:
            return
        product.stale = False
        half_rate, step_rate, levels, share, _ = self.model
        half = max(1, half_even(Fraction(product.last * half_rate, RATE)))
        step = max(1, half_even(Fraction(product.last * step_rate, RATE)))
        lots = max(1, half_even(Fraction(product.volume_average * share, RATE)))
        product.books = {
            side: {tick: lots for i in range(levels) if (tick := product.last - side * (half + i * step)) > 0}
            for side in (1, -1)
        }

    # --- orders ---------------------------------------------------------------------------------------------------
    def can_trade(self, order: Order) -> int:
        if order.state in ("FILLED", "CANCELLED", "EXPIRED", "REJECTED"):
            return 0
        if not order.reduce_only:
            return order.left
        against = -self.holdings[order.account][order.product].lots * order.side
        return max(0, min(order.left, against))

    def arrive(self, order: Order) -> None:
        product = self.products[order.product]
        self.model_book(product)
        reason = self.refusal(order, product)
        if reason:
            order.state, order.reason = "REJECTED", reason
            self.tell(order, "ACKNOWLEDGED")
            return
        order.state = "ACTIVE"
        order.armed = order.type == "BRACKET"
        self.tell(order, "ACKNOWLEDGED")
        if order.type == "STOP_LIMIT":
            product.waiting.append(order)
        elif product.fed_by == "bars" and not product.path_open:
            order.waits_for_open = True
            product.waiting.append(order)
        else:
            self.enter(order)

    def refusal(self, order: Order, product: Product) -> str:
        spec, mark = product.spec, product.mark()
        if self.over:
            return "market_over"
        if not (
            product.status == "OPEN"
            or (product.status == "LIMIT_ONLY" and order.type != "MARKET")
            or (product.status == "POST_ONLY" and order.post_only)
        ):
            return "product_not_trading"
        if not mark:
            return "no_price"
        if order.type != "MARKET":
            band = half_even(Fraction(mark * rate_of(spec.price_band), RATE))
            if abs(order.limit * product.tick_value - mark) > band:
                return "outside_price_band"
            if order.tif == "GTD" and order.expire <= self.now:
                return "invalid_expiry"
            if order.type in {"STOP_LIMIT", "BRACKET"}:
                if not product.last:
                    return "no_price"
                if (order.stop - product.last) * order.side <= 0:
                    return "invalid_stop"
                if order.type == "BRACKET" and (order.stop - order.limit) * order.side <= 0:
                    return "invalid_stop"
        if order.lots * spec.lot < spec.min_quantity:
            return "below_min_size"
        if order.lots * spec.lot > spec.max_quantity:
            return "above_max_size"
        worth = product.worth(order.lots) if order.type == "MARKET" else order.lots * order.limit * product.unit
        if not order.reduce_only and worth < spec.min_notional * MONEY:
            return "below_min_notional"
        reason = self.exposure_refusal(order, product)
        if reason:
            return reason
        best = product.best(-order.side)
        if order.post_only and best and (best - order.limit) * order.side <= 0:
            return "post_only_cross"
        full = max(len(product.waiting), len(product.resting[order.side])) >= OPEN_ORDERS_MAX
        return "too_many_open_orders" if full else ""

    def exposure_refusal(self, order: Order, product: Product) -> str:
        held = self.holdings[order.account][order.product].lots
        if order.reduce_only:
            return "" if held * order.side < 0 else "nothing_to_reduce"
        resting = sum(
            o.left
            for o in product.living()
            if o.account == order.account and o.side == order.side and not o.reduce_only
        )
        if held * order.side + resting + order.lots > 4 * product.spec.max_quantity / product.spec.lot:
            return "position_limit"
        before = self.initial_margin(order.account, None)
        after = self.initial_margin(order.account, order)
        fee = half_even(Fraction(product.worth(order.lots) * max(0, self.fee_rate(product, maker=False)), RATE))
        if after > before and self.equity(order.account) < after + fee:
            return "insufficient_margin"
        return ""

    def enter(self, order: Order) -> None:
        product = self.products[order.product]
        self.model_book(product)
        if order.armed and (product.last - order.stop) * order.side >= 0:
            order.armed = False
            collar = max(1, half_even(Fraction(order.stop * self.bracket_collar, RATE)))
            order.limit = max(1, order.stop + order.side * collar)
        wanted = self.can_trade(order)
        best = product.best(-order.side)
        if not wanted:
            self.end(order, "CANCELLED", "nothing_to_reduce")
            return
        if order.post_only and best and (best - order.limit) * order.side <= 0:
            self.end(order, "CANCELLED", "post_only_cross")
            return
        offers = sorted(product.books[-order.side].items(), key=lambda level: level[0] * order.side)
        if order.type != "MARKET":
            offers = [level for level in offers if (level[0] - order.limit) * order.side <= 0]
        if order.tif == "FOK" and (wanted < order.left or sum(lots for _, lots in offers) < wanted):
            self.end(order, "EXPIRED", "fill_or_kill")
            return
        before = order.filled
        for tick, lots in offers:
            quantity = min(lots, self.can_trade(order))
            if not quantity:
                break
            self.consume(product, -order.side, tick, quantity)
            self.fill(order, quantity, tick, maker=False)
        if order.state == "FILLED":
            self.tell(order, "CHANGED")
        elif not self.can_trade(order):
            self.end(order, "CANCELLED", "nothing_to_reduce")
        elif order.type == "MARKET":
            self.end(order, "EXPIRED", "no_liquidity")
        elif order.tif == "IOC":
            self.end(order, "EXPIRED", "immediate_or_cancel")
        else:
            if order.filled > before:
                self.tell(order, "CHANGED")
            self.rest(order, product)

    def rest(self, order: Order, product: Product) -> None:
        line = product.resting[order.side]
        if len(line) >= OPEN_ORDERS_MAX or (order.armed and len(product.waiting) >= OPEN_ORDERS_MAX):
            self.end(order, "CANCELLED", "too_many_open_orders")
            return
        best = product.best(order.side)
        order.ahead = Fraction(product.books[order.side].get(order.limit, 0))
        order.traded = 0
        if order.armed:
            product.waiting.append(order)
        if product.fed_by == "bars":
            order.ahead = Fraction(0)
        elif product.fed_by == "quotes" and best and (order.limit - best) * order.side < 0:
            order.ahead = None
        line.append(order)
        line.sort(key=lambda each: -each.limit * each.side)  # stable: earlier first at one price

    def consume(self, product: Product, side: int, tick: int, lots: int) -> None:
        product.keep()
        product.books[side][tick] -= lots
        if not product.books[side][tick]:
            del product.books[side][tick]
        product.kept_after()

    def fill_resting(self, order: Order, lots: int) -> None:
        self.fill(order, lots, order.limit, maker=True)
        if order.state == "FILLED":
            self.take_out(order)
        self.tell(order, "CHANGED")

    def fee_rate(self, product: Product, *, maker: bool) -> int:
        if self.tier is not None:
            return self.tier[0] if maker else self.tier[1]
        return rate_of(product.spec.maker_fee_rate if maker else product.spec.taker_fee_rate)

    # --- money ----------------------------------------------------------------------------------------------------
    def fill(self, order: Order, lots: int, price: int, *, maker: bool) -> None:
        product = self.products[order.product]
        spec = product.spec
        rate = self.fee_rate(product, maker=maker)
        if order.liquidation:
            rate += rate_of(spec.liquidation_fee_rate)
        fee = half_even(Fraction(lots * price * product.unit * rate, RATE))
        holding = self.holdings[order.account][order.product]
        self.cash[order.account] -= fee
        self.fees[order.account] += fee
        closing = min(lots, abs(holding.lots)) if holding.lots * order.side < 0 else 0
        if closing:
            moved = half_even(Fraction(holding.cost * closing, abs(holding.lots)))
            self.cash[order.account] += -order.side * closing * price * product.unit - moved
            holding.cost -= moved
            holding.lots += order.side * closing
        holding.lots += order.side * (lots - closing)
        holding.cost += order.side * (lots - closing) * price * product.unit
        order.filled += lots
        order.value += lots * price
        order.state = "PARTIALLY_FILLED" if order.left else "FILLED"
        self.last_fill[order.account] = len(self.news)
        self.news.append(["fill", order.name, order.side, lots, price, fee, maker, order.liquidation, self.now])
        self.moved = True

    def funding(self, index: int, rate: int) -> None:
        product = self.products[index]
        for account, holdings in enumerate(self.holdings):
            lots = holdings[index].lots
            if lots:
                amount = half_even(Fraction(product.worth(lots) * abs(rate), RATE))
                amount *= -1 if (lots > 0) == (rate >= 0) else 1
                self.cash[account] += amount
                self.news.append(
                    ["funding", account, product.spec.symbol, amount, rate, lots, product.mark(), self.now]
                )
                self.moved = True

    def equity(self, account: int) -> int:
        total = self.cash[account]
        for holding, product in zip(self.holdings[account], self.products, strict=True):
            total += (1 if holding.lots > 0 else -1) * product.worth(holding.lots) - holding.cost
        return total

    def initial_margin(self, account: int, extra: Order | None) -> int:
        total = 0
        for index, product in enumerate(self.products):
            sides = []
            for side, rate in ((1, product.rates.initial_long), (-1, product.rates.initial_short)):
                resting = sum(
                    o.left
                    for o in [*product.living(), *([extra] if extra and extra.product == index else [])]
                    if o.account == account and o.side == side and not o.reduce_only
                )
                worst = max(0, self.holdings[account][index].lots * side + resting)
                sides.append(half_even(Fraction(product.worth(worst) * rate_of(rate), RATE)))
            total += max(sides)
        return total

    def maintenance(self, account: int) -> int:
        total = 0
        for holding, product in zip(self.holdings[account], self.products, strict=True):
            rates = product.rates
            rate = rates.maintenance_long if holding.lots > 0 else rates.maintenance_short
            total += half_even(Fraction(product.worth(holding.lots) * rate_of(rate), RATE))
        return total

    # --- margin ---------------------------------------------------------------------------------------------------
    def after(self) -> None:
        while self.moved:
            self.moved = False
            for product in self.products:
                for order in product.living():
                    if order.reduce_only and not self.can_trade(order):
                        self.take_out(order)
                        self.end(order, "CANCELLED", "nothing_to_reduce")
            for account in range(len(self.cash)):
                self.check_margin(account)

    def check_margins(self, index: int) -> None:
        for account, holdings in enumerate(self.holdings):
            if holdings[index].lots:
                self.check_margin(account)
        self.after()

    def check_margin(self, account: int) -> None:
        if not any(holding.lots for holding in self.holdings[account]):
            self.liquidating[account] = False
            last = self.last_fill[account]
            if self.cash[account] < 0 and last is not None:
                self.news[last][5] += self.cash[account]
                self.fees[account] += self.cash[account]
                self.cash[account] = 0
            return
        if self.equity(account) >= self.maintenance(account):
            self.liquidating[account] = False
            return
        if not self.liquidating[account]:
            self.liquidating[account] = True
            for product in self.products:
                for order in product.living():
                    if order.account == account:
                        self.take_out(order)
                        self.end(order, "CANCELLED", "liquidation")
        for index, holding in enumerate(self.holdings[account]):
            if holding.lots:
                self.close_out(account, index, holding.lots)

    def close_out(self, account: int, index: int, lots: int) -> None:
        product = self.products[index]
        self.model_book(product)
        side = -1 if lots > 0 else 1
        if not product.takes or not product.books[-side]:
            return
        self.liquidations += 1
        name = f"liquidation-{self.liquidations}"
        order = Order(name, account, index, side, "MARKET", "IOC", abs(lots), liquidation=True, state="ACTIVE")
        for tick, shown in sorted(product.books[-side].items(), key=lambda level: level[0] * side):
            quantity = min(shown, order.left)
            if quantity:
                self.consume(product, -side, tick, quantity)
                self.fill(order, quantity, tick, maker=False)


def unfold(rows: Sequence[tuple[int, ...]], bar_ns: int, passive_permille: int) -> list[tuple[int, ...]]:
    """(ts, kind, side, product, a, b, c, d, e), with the path of every bar at the open and each third of the bar."""
    keyed = []
    for number, row in enumerate(rows):
        ts, _, kind, side, product, _, a, b, c, d, e = row
        if kind == BAR:
            room = e // 1000 * passive_permille + e % 1000 * passive_permille // 1000
            nearer, farther = (c, b) if a - c <= b - a else (b, c)
            points = ((1, a), (bar_ns // 3, nearer), (2 * bar_ns // 3, farther))
            for step, (offset, price) in enumerate(points):
                at = ts - bar_ns + offset
                keyed.append(((at, number, step), (at, PATH, side, product, price, int(step == 0), room, d, e)))
        keyed.append(((ts, number, 3), (ts, kind, side, product, a, b, c, d, e)))
    return [row for _, row in sorted(keyed)]
