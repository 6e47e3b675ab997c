"""Small makers of valid values; a test names only what it is about."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock, ManualClock
from gpt_trader.core.events import Event, OrderFilled, OrderSubmitted, RunStarted
from gpt_trader.core.values import (
    Account,
    BookView,
    Exposure,
    Liquidity,
    MarginRates,
    Mark,
    MarketSnapshot,
    NormalizedOrderRequest,
    OrderRequest,
    OrderState,
    OrderType,
    ProductSpec,
    Side,
    Snapshot,
    TimeInForce,
)
from gpt_trader.exchange.base import FillUpdate
from gpt_trader.market.rows import BAR, ROW
from gpt_trader.market.stream import Rows
from gpt_trader.records.event_store import EventStore

D = Decimal
START_NS = 1_750_000_000_000_000_000
MINUTE_NS = 1_750_032_000_000_000_000
"""A whole day: 2025-06-16 00:00 UTC."""


def a_product(**changes: Any) -> ProductSpec:
    """BTC-PERP as US perpetual-style futures trade it."""
    rates = MarginRates(
        initial_long=D("0.1"), initial_short=D("0.1"), maintenance_long=D("0.067"), maintenance_short=D("0.067")
    )
    product = ProductSpec(
        symbol="BTC-PERP",
        venue_symbol="BIP-20DEC30-CDE",
        base="BTC",
        tick=D(5),
        lot=D("0.01"),
        contract_size=D("0.01"),
        min_quantity=D("0.01"),
        max_quantity=D(50),
        maker_fee_rate=D("0.00095"),
        taker_fee_rate=D("0.001"),
        margin_intraday=rates,
        margin_overnight=rates,
    )
    return msgspec.structs.replace(product, **changes)


def a_book(*, mid: Decimal = D(60_000), now_ns: int = START_NS, **changes: Any) -> BookView:
    """Ten levels a side, one unit each, 5 apart, best prices 5 from the middle."""
    book = BookView(
        bids=tuple((mid - 5 * level, D(1)) for level in range(1, 11)),
        asks=tuple((mid + 5 * level, D(1)) for level in range(1, 11)),
        received_ns=now_ns,
    )
    return msgspec.structs.replace(book, **changes)


def a_market(*, mark: Decimal = D(60_000), now_ns: int = START_NS, **changes: Any) -> MarketSnapshot:
    market = MarketSnapshot(
        mark=Mark(price=mark, venue_ns=now_ns, received_ns=now_ns),
        book=a_book(mid=mark, now_ns=now_ns),
        last_price=mark,
        index_price=mark,
    )
    return msgspec.structs.replace(market, **changes)


def an_account(*, equity: Decimal = D(100_000), now_ns: int = START_NS, **changes: Any) -> Account:
    account = Account(
        cash=equity,
        equity=equity,
        initial_margin=D(0),
        maintenance_margin=D(0),
        available_margin=equity,
        received_ns=now_ns,
    )
    return msgspec.structs.replace(account, **changes)


def a_snapshot(
    *, position: Decimal = D(0), mark: Decimal = D(60_000), now_ns: int = START_NS, **changes: Any
) -> Snapshot:
    product = changes.get("product", a_product())
    snapshot = Snapshot(
        taken_ns=now_ns,
        product=product,
        account=an_account(now_ns=now_ns),
        exposure=Exposure(symbol=product.symbol, position=position, mark=mark),
        market=a_market(mark=mark, now_ns=now_ns),
        margin=product.margin_intraday,
    )
    return msgspec.structs.replace(snapshot, **changes)


def an_order(**changes: Any) -> OrderRequest:
    """A market buy of 0.1 that is valid for a minute."""
    order = OrderRequest(
        intent_id="test:BTC-PERP:1:long",
        strategy="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.1"),
        created_ns=START_NS,
        valid_until_ns=START_NS + 60_000_000_000,
    )
    return msgspec.structs.replace(order, **changes)


def a_request(order: OrderRequest | None = None, snapshot: Snapshot | None = None) -> NormalizedOrderRequest:
    return NormalizedOrderRequest(order=order or an_order(), snapshot=snapshot or a_snapshot())


def a_submitted(**changes: Any) -> OrderSubmitted:
    """The durable fact of a limit buy of 0.3."""
    event = OrderSubmitted(
        at_ns=START_NS,
        intent_id="test:BTC-PERP:1:long",
        client_order_id="gt-test-1",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.3"),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=D(60_000),
        strategy="test",
        valid_until_ns=START_NS + 60_000_000_000,
        body_digest="0" * 64,
        arrival_mid=D(60_000),
    )
    return msgspec.structs.replace(event, **changes)


def a_fill(**changes: Any) -> OrderFilled:
    """The fact of a trade of 0.1 at 60,000 with a fee of 6."""
    event = OrderFilled(
        at_ns=START_NS,
        intent_id="test:BTC-PERP:1:long",
        client_order_id="gt-test-1",
        venue_order_id="v1",
        trade_id="t1",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.1"),
        price=D(60_000),
        fee=D(6),
        liquidity=Liquidity.TAKER,
        cumulative=D("0.1"),
        state=OrderState.PARTIALLY_FILLED,
        trade_ns=START_NS,
        arrival_mid=D(60_000),
    )
    return msgspec.structs.replace(event, **changes)


def a_run_started(**changes: Any) -> RunStarted:
    """First event of a simulated run with 100,000 in cash."""
    event = RunStarted(
        at_ns=START_NS,
        run_id="test-run",
        profile="dev_entry",
        environment="simulated",
        config_digest="0" * 64,
        code_version="0",
        market="test",
        seed=1,
        cash=D(100_000),
    )
    return msgspec.structs.replace(event, **changes)


def a_fill_update(**changes: Any) -> FillUpdate:
    """A trade of 0.1 on the order of `a_submitted`."""
    update = FillUpdate(
        client_order_id="gt-test-1",
        venue_order_id="v1",
        trade_id="t1",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.1"),
        price=D(60_000),
        fee=D("6"),
        liquidity=Liquidity.TAKER,
        trade_ns=START_NS,
    )
    return msgspec.structs.replace(update, **changes)


class Recorder:
    """A bus over a real store that remembers what was published."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.clock = clock or ManualClock(START_NS)
        self.store = EventStore.open(folder / "events.sqlite", "test-run", 1, durable=False)
        self.bus = EventBus(self.store, self.clock)
        self.events: list[Event] = []
        self.bus.watch("recorder", self.events.append)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def close(self) -> None:
        self.store.close()


def some_rows(*rows: tuple[int, ...], step_ns: int = 1_000_000_000, start_ns: int = START_NS) -> Rows:
    """Rows of market.rows.ROW, one step of time apart, from (kind, side, product, a, b, c, d, e); missing ones are 0."""
    made: Rows = np.zeros(len(rows), ROW)
    made["ts"] = made["recv"] = start_ns + step_ns * np.arange(len(rows))
    for name, values in zip(
        ("kind", "side", "product", "a", "b", "c", "d", "e"), itertools.zip_longest(*rows, fillvalue=0), strict=False
    ):
        for at, value in enumerate(values):
            made[name][at] = value
    return made


def some_bars(*closes: int, product: int = 0, volume: int = 10, start_ns: int = MINUTE_NS) -> Rows:
    """A minute each, from the close before to this one; the first closes at `start_ns`."""
    bars = [
        (BAR, 0, product, before, max(before, close), min(before, close), close, volume)
        for before, close in itertools.pairwise((closes[0], *closes))
    ]
    return some_rows(*bars, step_ns=60_000_000_000, start_ns=start_ns)
