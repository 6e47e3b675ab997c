"""Runs the same rows and requests through the kernel and through the reference model, and lays both out alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from tests.reference_venue import Order, ReferenceVenue

from gpt_trader.core.schedule import parse_weekly_hours
from gpt_trader.core.values import Liquidity, MarginRates, OrderState, OrderType, ProductSpec, Side, TimeInForce
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import ROW, STATUS
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.news import FillNews, FundingNews, NewOrder, News, OrderNews, StatusNews
from gpt_trader.venue.settings import (
    FundingSource,
    Latency,
    MarginWindow,
    QueueModel,
    VenueSettings,
    parse_fee_tiers,
)

D = Decimal
START = 1_750_000_020_000_000_000
assert START % 60_000_000_000 == 0
MS = 1_000_000
Row = tuple[int, ...]

SPECS = (
    ProductSpec(
        symbol="BTC-PERP",
        venue_symbol="BIP-20DEC30-CDE",
        base="BTC",
        tick=D(5),
        lot=D("0.01"),
        contract_size=D("0.01"),
        min_quantity=D("0.01"),
        max_quantity=D("0.5"),
        maker_fee_rate=D("0.000333333333"),
        taker_fee_rate=D("0.000777777777"),
        liquidation_fee_rate=D("0.0123456789"),
        price_band=D("0.3"),
        funding_interval_seconds=60,
        margin_intraday=MarginRates(
            initial_long=D("0.05"), initial_short=D("0.05"), maintenance_long=D("0.03"), maintenance_short=D("0.03")
        ),
        margin_overnight=MarginRates(
            initial_long=D("0.1"), initial_short=D("0.12"), maintenance_long=D("0.067"), maintenance_short=D("0.071")
        ),
    ),
    ProductSpec(
        symbol="DOGE-PERP",
        venue_symbol="DOP-20DEC30-CDE",
        base="DOGE",
        tick=D("0.00001"),
        lot=D("0.3"),
        contract_size=D("0.3"),
        min_quantity=D("0.6"),
        max_quantity=D(3000),
        min_notional=D("0.001"),
        maker_fee_rate=D("-0.0001"),
        taker_fee_rate=D("0.0005"),
        price_band=D("0.5"),
        funding_interval_seconds=60,
        margin_intraday=MarginRates(
            initial_long=D("0.1"), initial_short=D("0.1"), maintenance_long=D("0.05"), maintenance_short=D("0.05")
        ),
        margin_overnight=MarginRates(
            initial_long=D("0.2"), initial_short=D("0.2"), maintenance_long=D("0.1"), maintenance_short=D("0.1")
        ),
    ),
)


@dataclass(frozen=True)
class Ask:
    """One request of a client, `at_ms` after the start."""

    at_ms: int
    kind: str
    name: str
    account: int = 0
    product: int = 0
    side: int = 1
    type: str = "LIMIT"
    tif: str = "GTC"
    lots: int = 1
    limit: int = 0
    stop: int = 0
    expire_ms: int = 0
    post_only: bool = False
    reduce_only: bool = False


@dataclass
class Outcome:
    news: list[list[Any]]
    bars: list[tuple[int, ...]]
    money: list[tuple[int, ...]]
    """Cash, equity, initial and maintenance margin of each account, then lots and cost of each product."""


def row(at_ms: int, kind: int, *, side: int = 0, product: int = 0, values: Sequence[int] = ()) -> Row:
    ts = START + at_ms * MS
    return (ts, ts, kind, side, product, 0, *values, *[0] * (5 - len(values)))


def new_order(ask: Ask, spec: ProductSpec) -> NewOrder:
    return NewOrder(
        client_order_id=ask.name,
        symbol=spec.symbol,
        side=Side.BUY if ask.side > 0 else Side.SELL,
        order_type=OrderType(ask.type),
        time_in_force=TimeInForce(ask.tif),
        quantity=ask.lots * spec.lot,
        limit_price=ask.limit * spec.tick if ask.type != "MARKET" else None,
        stop_price=ask.stop * spec.tick if ask.type in {"STOP_LIMIT", "BRACKET"} else None,
        expire_ns=START + ask.expire_ms * MS if ask.tif == "GTD" else None,
        post_only=ask.post_only,
        reduce_only=ask.reduce_only,
    )


@dataclass(frozen=True)
class House:
    """Which settings of the venue a run is made with."""

    queue: str = "back"
    funding: str = "market"
    calendar: bool = False
    """Intraday margin from 60 to 120 s after the start, a session break from 120 to 180 s."""
    tiers: bool = False
    """The account has traded enough for the second of two fee tiers."""
    entries_ms: tuple[int, ...] = ()
    """Recorded entry latencies instead of one."""
    feed_ms: int = 0

    def settings(self, entry_ms: int, ack_ms: int) -> VenueSettings:
        """For the kernel."""
        return VenueSettings(
            entry_latency=Latency(milliseconds=D(entry_ms), recorded_milliseconds=tuple(map(D, self.entries_ms))),
            ack_latency=Latency(milliseconds=D(ack_ms)),
            feed_latency=Latency(milliseconds=D(self.feed_ms)),
            queue_model=QueueModel(self.queue),
            funding=FundingSource(self.funding),
            margin_window=MarginWindow.SCHEDULE if self.calendar else MarginWindow.OVERNIGHT,
            day_hours=parse_weekly_hours("Sun 15:08-15:09 UTC", "day_hours") if self.calendar else None,
            session_break=parse_weekly_hours("Sun 17:09-17:10 Europe/Berlin", "break") if self.calendar else None,
            fee_tiers=parse_fee_tiers("0:0.001/0.002, 1000000:0.00022/0.00055") if self.tiers else (),
            volume_before=D(1_000_000) if self.tiers else D(0),
        )

    def entry_ms(self, number: int, constant: int) -> int:
        return self.entries_ms[number % len(self.entries_ms)] if self.entries_ms else constant

    def timetable(self, end_ms: int) -> list[Row]:
        """For the reference: the same, written down by hand."""
        rows = []
        if self.calendar:
            rows += [row(60_000, 11, product=each, values=(0,)) for each in (0, 1)]
            rows += [row(120_000, 11, product=each, values=(1,)) for each in (0, 1)]
            rows += [row(120_000, STATUS, product=each, values=(4,)) for each in (0, 1)]
            rows += [row(180_000, STATUS, product=each, values=(0,)) for each in (0, 1)]
        if self.funding == "venue":
            first = -START // MS % 60_000
            rows += [
                row(at, kind, product=each)
                for at in range(first, end_ms + 1, 60_000)
                for each in (0, 1)
                for kind in (12, 13)
            ]
        return sorted((each for each in rows if each[0] <= START + end_ms * MS), key=lambda each: (each[0], each[4]))


def run_kernel(
    rows: Sequence[Row],
    asks: Sequence[Ask],
    *,
    cash: Sequence[int],
    entry_ms: int,
    ack_ms: int,
    end_ms: int,
    chunk_rows: int = 1 << 20,
    bar_seconds: int = 60,
    house: House = House(),
) -> Outcome:
    stream = ArrayStream(
        SPECS,
        np.array(list(rows), ROW),
        start_ns=START,
        end_ns=START + end_ms * MS,
        chunk_rows=chunk_rows,
        bar_seconds=bar_seconds,
    )
    venue = SimulatedVenue(
        stream,
        cash=[D(amount) / 10**8 for amount in cash],
        settings=house.settings(entry_ms, ack_ms),
    )
    news: list[News] = []
    bars: list[tuple[int, ...]] = []

    def move_to(at_ms: int) -> None:
        while venue.now_ns < START + at_ms * MS:
            venue.advance(START + at_ms * MS)
            for each in venue.take_news():
                assert each.at_ns + ack_ms * MS == venue.now_ns, "news are told when they are due"
                news.append(each)
            for bar in venue.take_bars():
                assert bar.close_ns <= venue.now_ns <= bar.close_ns + house.feed_ms * MS, "a bar is told when it closes"
                index = next(i for i, spec in enumerate(SPECS) if spec.symbol == bar.symbol)
                spec = SPECS[index]
                ticks = [round(price / float(spec.tick)) for price in (bar.open, bar.high, bar.low, bar.close)]
                bars.append((index, bar.close_ns, *ticks, round(bar.volume / float(spec.lot))))

    for ask in sorted(asks, key=lambda each: each.at_ms):
        move_to(ask.at_ms)
        if ask.kind == "CANCEL":
            number = venue.number_of(ask.name, ask.account)
            if number is not None:
                venue.cancel(number)
        else:
            venue.submit(new_order(ask, SPECS[ask.product]), ask.account)
    move_to(end_ms + max(entry_ms, *house.entries_ms, 0) + ack_ms + house.feed_ms + 1)
    return Outcome([_told(each) for each in news], bars, [_money_of(venue, index) for index in range(len(cash))])


def run_reference(
    rows: Sequence[Row],
    asks: Sequence[Ask],
    *,
    cash: Sequence[int],
    entry_ms: int,
    ack_ms: int,
    end_ms: int,
    chunk_rows: int = 0,
    bar_seconds: int = 60,
    house: House = House(),
) -> Outcome:
    venue = ReferenceVenue(
        SPECS,
        rows,
        cash=cash,
        ack_latency=ack_ms * MS,
        bar_ns=bar_seconds * 10**9,
        start_ns=START,
        end_ns=START + end_ms * MS,
        queue=house.queue,
        funding=house.funding,
        tier=(220_000_000, 550_000_000) if house.tiers else None,
        timetable=house.timetable(end_ms),
    )
    due = number = 0
    for ask in sorted(asks, key=lambda each: each.at_ms):
        if ask.kind == "CANCEL" and f"{ask.account}/{ask.name}" not in venue.orders:
            continue
        due = max(due, START + (ask.at_ms + house.entry_ms(number, entry_ms)) * MS)
        number += 1
        known = venue.orders.get(f"{ask.account}/{ask.name}")
        if ask.kind == "CANCEL" and known:
            venue.requests.append((due, "CANCEL", known))
        elif ask.kind != "CANCEL" and known:
            venue.requests.append((due, "REPEAT", known))
        elif ask.kind != "CANCEL":
            order = Order(
                name=ask.name,
                account=ask.account,
                product=ask.product,
                side=ask.side,
                type=ask.type,
                tif=ask.tif,
                lots=ask.lots,
                limit=ask.limit if ask.type != "MARKET" else 0,
                stop=ask.stop if ask.type in {"STOP_LIMIT", "BRACKET"} else 0,
                expire=START + ask.expire_ms * MS if ask.tif == "GTD" else 0,
                post_only=ask.post_only,
                reduce_only=ask.reduce_only,
            )
            venue.orders[f"{ask.account}/{ask.name}"] = order
            venue.requests.append((due, "NEW", order))
    venue.run(START + (end_ms + max(entry_ms, *house.entries_ms, 0)) * MS)
    money = [
        (
            venue.cash[account],
            venue.equity(account),
            venue.initial_margin(account, None),
            venue.maintenance(account),
            *(number for holding in venue.holdings[account] for number in (holding.lots, holding.cost)),
        )
        for account in range(len(cash))
    ]
    return Outcome(venue.news, venue.bars, money)


def _money_of(venue: SimulatedVenue, account: int) -> tuple[int, ...]:
    told = venue.account(account)
    positions = venue._memory.positions[account]
    held = (int(number) for record in positions for number in (record["lots"], record["cost"]))
    return (
        int(told.cash * 10**8),
        int(told.equity * 10**8),
        int(told.initial_margin * 10**8),
        int(told.maintenance_margin * 10**8),
        *held,
    )


def _told(news: News) -> list[Any]:
    if isinstance(news, OrderNews):
        spec = next(spec for spec in SPECS if spec.symbol == news.symbol)
        filled = int(news.filled / spec.lot)
        value = round(news.average_price / spec.tick * filled) if news.average_price is not None else 0
        state = "SUBMITTED" if news.state is OrderState.SUBMITTED else news.state.value
        return ["order", news.kind.value, news.client_order_id, state, filled, value, news.reason, news.at_ns]
    if isinstance(news, FillNews):
        spec = next(spec for spec in SPECS if spec.symbol == news.symbol)
        return [
            "fill",
            news.client_order_id,
            news.side.sign,
            int(news.quantity / spec.lot),
            int(news.price / spec.tick),
            int(news.fee * 10**8),
            news.liquidity is Liquidity.MAKER,
            news.liquidation,
            news.at_ns,
        ]
    if isinstance(news, FundingNews):
        spec = next(spec for spec in SPECS if spec.symbol == news.symbol)
        return [
            "funding",
            news.account,
            news.symbol,
            int(news.amount * 10**8),
            int(news.rate * 10**12),
            int(news.position / spec.lot),
            int(news.price * 10**8),
            news.at_ns,
        ]
    assert isinstance(news, StatusNews)
    return ["status", news.symbol, news.status.value, news.at_ns]
