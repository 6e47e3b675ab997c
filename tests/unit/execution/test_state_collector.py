"""In what world is a decision taken? What the snapshot holds, and what it says of what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.builders import START_NS, D, Recorder, a_fill, a_product, a_run_started, a_submitted, an_order

from gpt_trader.core.clock import VirtualClock, run_virtual
from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.events import Event
from gpt_trader.core.values import MarginRates, Mode, Side
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.execution.state_collector import StateCollector
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import LEVEL, ROW, TRADE
from gpt_trader.market.statistics import SymbolStatistics
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.records.ledger import Ledger

ETH_RATES = MarginRates(
    initial_long=D("0.3"), initial_short=D("0.35"), maintenance_long=D("0.2"), maintenance_short=D("0.25")
)
PRODUCTS = (a_product(), a_product(symbol="ETH-PERP", margin_overnight=ETH_RATES))


class World:
    """A collector on a market of two products, of which only the first has a price."""

    def __init__(self, folder: Path) -> None:
        rows = [
            (START_NS, START_NS, LEVEL, 1, 0, 0, 11_999, 50, 0, 0, 0),
            (START_NS, START_NS, LEVEL, -1, 0, 0, 12_001, 50, 0, 0, 0),
            (START_NS + 10**10, START_NS + 10**10, TRADE, 1, 0, 0, 12_000, 1, 0, 0, 0),
        ]
        self.clock = clock = VirtualClock(START_NS)
        self.recorder = Recorder(folder, clock)
        self.exchange = PaperExchange(ArrayStream(PRODUCTS, np.array(rows, ROW)), clock=clock, cash=D(100_000))
        self.orders = OrderManager(self.recorder.bus, clock)
        self.ledger = Ledger()
        self.ledger.replay([a_run_started()])
        self.collector = StateCollector(
            adapter=self.exchange,
            ledger=self.ledger,
            orders=self.orders,
            clock=clock,
            mode=lambda: Mode.REDUCE_ONLY,
            pause_reason=lambda symbol: f"{symbol} rests",
            drawdown=lambda: D("0.02"),
            statistics=lambda _: SymbolStatistics(D("0.03"), D(5000)),
        )

        async def begin() -> None:
            await self.exchange.start(["BTC-PERP"], lambda _: None, lambda _: None)
            await clock.sleep(1)

        run_virtual(clock, self.exchange, begin)

    def happened(self, *events: Event) -> None:
        """To orders and ledger alike, as it would be read from a log."""
        self.ledger.replay(events)
        for event in events:
            self.orders.on_event(event)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.recorder.close()


def test_one_moment_for_all_parts(world: World) -> None:
    """Product, market and account of the venue; mode, pause and drawdown of the house."""
    snapshot = world.collector.collect(an_order()).snapshot

    assert snapshot.taken_ns == world.clock.now_ns()
    assert snapshot.product.symbol == "BTC-PERP"
    assert snapshot.market.mark is not None
    assert snapshot.market.mark.price == snapshot.exposure.mark == D(60_000)
    assert (snapshot.market.sigma_day, snapshot.market.volume_day) == (D("0.03"), D(5000))
    assert snapshot.account.cash == D(100_000)
    assert (snapshot.mode, snapshot.pause_reason, snapshot.drawdown) == (
        Mode.REDUCE_ONLY,
        "BTC-PERP rests",
        D("0.02"),
    )


def test_an_unknown_symbol_is_refused(world: World) -> None:
    """With what the venue does list."""
    with pytest.raises(Refused) as caught:
        world.collector.collect(an_order(symbol="DOGE-PERP"))

    assert caught.value.code is Refusal.UNKNOWN_SYMBOL
    assert caught.value.numbers == {"symbol": "DOGE-PERP", "listed": "BTC-PERP, ETH-PERP"}


def test_a_missing_mark_stays_missing(world: World) -> None:
    """No price is made up for what nobody has quoted; the rules then refuse by name."""
    snapshot = world.collector.collect(an_order(symbol="ETH-PERP")).snapshot

    assert snapshot.market.mark is None
    assert snapshot.exposure.mark == 0


def test_exposure_counts_what_may_still_fill(world: World) -> None:
    """Position from fills, and the rest of every living order on its side."""
    world.happened(a_submitted(), a_fill())
    world.happened(a_submitted(client_order_id="gt-test-2", side=Side.SELL, reduce_only=True, quantity=D("0.05")))

    exposure = world.collector.collect(an_order()).snapshot.exposure

    assert exposure.position == D("0.1")
    assert (exposure.working_buy, exposure.working_sell) == (D("0.2"), D(0))
    assert (exposure.closing_buy, exposure.closing_sell) == (D(0), D("0.05"))


def test_other_symbols_count_at_their_entry_price_without_a_mark(world: World) -> None:
    """At zero, a position that nobody quotes would not count at all."""
    world.happened(a_fill(symbol="ETH-PERP", price=D(3_000), quantity=D(2)))

    (other,) = world.collector.collect(an_order()).snapshot.others

    assert (other.symbol, other.position, other.mark) == ("ETH-PERP", D(2), D(3_000))


def test_margin_is_the_stricter_of_both_windows(world: World) -> None:
    """What is opened now may have to be carried overnight; for the symbol and for all others alike."""
    world.happened(a_fill(symbol="ETH-PERP", price=D(3_000), quantity=D(2)))

    (other,) = world.collector.collect(an_order()).snapshot.others

    assert other.margin == ETH_RATES
    assert world.collector.collect(an_order(symbol="ETH-PERP")).snapshot.margin == ETH_RATES


def test_what_the_venue_lists_no_more_has_no_rates(world: World) -> None:
    """It still counts; the rules take the configured rate for it."""
    world.happened(a_fill(symbol="OLD-PERP", price=D(10), quantity=D(5)))

    (other,) = world.collector.collect(an_order()).snapshot.others

    assert (other.symbol, other.margin) == ("OLD-PERP", None)
